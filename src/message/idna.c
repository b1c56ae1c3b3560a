#include "config.h"
#include "message/idna.h"

#include <idn2.h>
#include <string.h>

#include "message/address.h"
#include "util/arena.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

DYNLIB_NOTE(idn2, "[{\"feature\":\"idn\",\"description\":\"International domain names\","
		  "\"priority\":\"recommended\",\"soname\":[\"" IDN2_SONAME "\"]}]");

static __typeof__(idn2_to_ascii_8z) *lib_to_ascii;
static __typeof__(idn2_strerror) *lib_strerror;
static __typeof__(idn2_free) *lib_free;
static __typeof__(idn2_check_version) *lib_check_version;

static int load_idn2(struct error *err)
{
	static void *handle;
	static const struct dynlib_symbol symbols[] = {
		{ "idn2_to_ascii_8z", &lib_to_ascii },
		{ "idn2_strerror", &lib_strerror },
		{ "idn2_free", &lib_free },
		{ "idn2_check_version", &lib_check_version },
	};

	return dynlib_load(&handle, IDN2_SONAME, "libidn2-0", symbols, ARRAY_LEN(symbols), err);
}

int idna_to_ascii(struct arena *a, const char *domain, const char **out, struct error *err)
{
	char *ascii = NULL;

	if (text_is_ascii(domain, strlen(domain))) {
		*out = domain;
		return 0;
	}
	if (load_idn2(err) < 0)
		return error_prefix(err, "domain '%s'", domain);
	int code = lib_to_ascii(domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

	if (code != IDN2_OK)
		return error_set(err, FAULT_DOMAIN_SYNTAX, "domain '%s' has no ASCII form: %s",
				 domain, lib_strerror(code));
	/* mapping may bring forth '@', '<' and the like from their wide forms */
	if (address_domain_valid(ascii) && text_is_ascii(ascii, strlen(ascii)))
		*out = arena_strdup(a, ascii);
	else
		code = error_set(err, FAULT_DOMAIN_SYNTAX, "domain '%s' has no ASCII form", domain);
	lib_free(ascii);
	return code;
}

int idna_address(struct arena *a, const char *address, const char **out, struct error *err)
{
	const char *domain = address_domain(address), *ascii;

	if (!domain || text_is_ascii(domain, strlen(domain))) {
		*out = address;
		return 0;
	}
	if (idna_to_ascii(a, domain, &ascii, err) < 0)
		return -1;
	*out = arena_printf(a, "%.*s%s", (int)(domain - address), address, ascii);
	return 0;
}

int idna_library_version(struct strbuf *out, struct error *err)
{
	if (load_idn2(err) < 0)
		return -1;
	strbuf_addf(out, "libidn2 %s", lib_check_version(NULL));
	return 0;
}
