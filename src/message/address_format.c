/*
 * Addresses as they are written: quoted where they must be, compared, matched, in ASCII.
 */
#include "config.h"
#include "message/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <idn2.h>
#include <string.h>
#include <strings.h>

#include "message/address_lex.h"
#include "message/rfc2047.h"
#include "util/arena.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

/*
 * Atoms with one separator between each two: Dot-string = Atom *("." Atom)
 * (RFC 5321, section 4.1.2), or with blanks a phrase as it stands.
 */
static bool is_atoms(const char *s, char separator)
{
	char before = separator;

	for (; *s; before = *s++) {
		if (*s == separator ? before == separator :
				      !address_char_atext((unsigned char)*s))
			return false;
	}
	return before != separator;
}

const char *address_format(struct arena *a, const char *local, const char *domain)
{
	size_t dlen = domain ? strlen(domain) : 0, len = strlen(local);

	if (is_atoms(local, '.')) {
		char *s = arena_alloc(a, len + dlen + 2);

		memcpy(s, local, len);
		if (domain) {
			s[len] = '@';
			memcpy(s + len + 1, domain, dlen);
		}
		return s;
	}
	struct strbuf out = STRBUF_INIT((size_t)-1 / 4);

	text_quote_add(&out, local);
	const char *s = arena_printf(a, "%s%s%s", out.buf, domain ? "@" : "", domain ? domain : "");

	strbuf_release(&out);
	return s;
}

bool address_equal(const char *x, const char *y)
{
	return strcasecmp(x, y) == 0;
}

const char *address_domain(const char *address)
{
	const char *at = NULL;
	bool quoted = false;

	for (const char *s = address; *s; s++) {
		if (*s == '\\' && quoted && s[1])
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (*s == '@' && !quoted)
			at = s;
		else if (*s == '[' && at == s - 1 && at)
			break;	/* whatever a literal holds, the domain begins here */
	}
	return at ? at + 1 : NULL;
}

/* A '*' met later makes all before it settled, so only the last one is tried again. */
bool address_match(const char *pattern, const char *address)
{
	const char *star = NULL, *mark = NULL;

	while (*address) {
		if (*pattern == '*') {
			star = ++pattern;
			mark = address;
		} else if (*pattern && (*pattern == '?' || strncasecmp(pattern, address, 1) == 0)) {
			pattern++;
			address++;
		} else if (star) {
			pattern = star;
			address = ++mark;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

const char *address_match_any(const char *const *patterns, const char *address)
{
	for (; patterns && *patterns; patterns++) {
		if (address_match(*patterns, address))
			return *patterns;
	}
	return NULL;
}

const char *address_phrase(struct arena *a, const char *name)
{
	char *clean = arena_strdup(a, name);
	size_t len = strlen(clean);
	struct strbuf out = STRBUF_INIT((size_t)-1 / 4);

	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)clean[i] < 0x20 || clean[i] == 0x7f)
			clean[i] = ' ';
	}
	if (!text_is_ascii(clean, len))
		rfc2047_encode(&out, clean, len, RFC2047_PHRASE, 0, NULL);
	else if (is_atoms(clean, ' '))
		strbuf_add(&out, clean, len);
	else
		text_quote_add(&out, clean);
	return arena_take(a, &out);
}

/*
 * address-literal = "[" (IPv4 / "IPv6:" IPv6 / tag ":" 1*dcontent) "]"
 * (RFC 5321, section 4.1.3)
 */
static bool literal_valid(const char *s)
{
	char inner[ADDRESS_MAX];
	size_t len = strlen(s), tag = 0;
	unsigned char address[16];

	if (len < 3 || len >= sizeof(inner) || s[len - 1] != ']')
		return false;
	memcpy(inner, s + 1, len - 2);
	inner[len - 2] = '\0';
	if (strncasecmp(inner, "IPv6:", 5) == 0)
		return inet_pton(AF_INET6, inner + 5, address) == 1;
	if (inet_pton(AF_INET, inner, address) == 1)
		return true;
	while (isalnum((unsigned char)inner[tag]) || inner[tag] == '-')
		tag++;
	if (tag == 0 || inner[tag - 1] == '-' || inner[tag] != ':' || inner[tag + 1] == '\0')
		return false;
	for (const char *c = inner + tag + 1; *c; c++) {
		if (*c < 33 || *c > 126 || strchr("[\\]", *c))
			return false;
	}
	return true;
}

/* sub-domain = Let-dig [Ldh-str], or U-label (RFC 6531, section 3.3) */
static bool label_valid(const char *s, size_t len)
{
	if (len == 0 || s[0] == '-' || s[len - 1] == '-')
		return false;
	if (!text_is_ascii(s, len))
		return text_is_utf8(s, len);
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '-')
			return false;
	}
	return len <= 63;
}

static bool has_special(const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x80 && !isalnum(c) && c != '-' && c != '.')
			return true;
		if (c == 0xc2 && (unsigned char)s[1] < 0xa0)
			return true;	/* C1 control */
	}
	return false;
}

bool address_domain_valid(const char *domain)
{
	if (domain[0] == '[')
		return literal_valid(domain);
	if (strlen(domain) > 255 || has_special(domain))
		return false;
	for (const char *s = domain;;) {
		size_t len = strcspn(s, ".");

		if (!label_valid(s, len))
			return false;
		if (s[len] == '\0')
			return true;
		s += len + 1;
	}
}

/* --- international domain names ------------------------------------------------ */

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
