#include "config.h"
#include "secrets/ticket.h"

#include <stddef.h>
#include <stdint.h>

#include "util/dynlib.h"
#include "util/error.h"

/* MIT Kerberos: what libgsasl's GSSAPI and GS2-KRB5 rest on, too. */
#define KRB5_SONAME "libkrb5.so.3"

DYNLIB_NOTE(krb5, "[{\"feature\":\"kerberos\",\"description\":\"finding Kerberos tickets\","
	    "\"priority\":\"optional\",\"soname\":[\"" KRB5_SONAME "\"]}]");

/* Its handles are opaque here, so its headers are not needed for the build. */
static struct {
	int32_t (*init_context)(void **context);
	int32_t (*cc_default)(void *context, void **cache);
	int32_t (*cc_get_principal)(void *context, void *cache, void **principal);
	void (*free_principal)(void *context, void *principal);
	int32_t (*cc_close)(void *context, void *cache);
	void (*free_context)(void *context);
} krb5;

static int load(struct error *err)
{
	static void *handle;
	static const struct dynlib_symbol symbols[] = {
		{ "krb5_init_context", &krb5.init_context },
		{ "krb5_cc_default", &krb5.cc_default },
		{ "krb5_cc_get_principal", &krb5.cc_get_principal },
		{ "krb5_free_principal", &krb5.free_principal },
		{ "krb5_cc_close", &krb5.cc_close },
		{ "krb5_free_context", &krb5.free_context },
	};

	return dynlib_load(&handle, KRB5_SONAME, "libkrb5-3", symbols, ARRAY_LEN(symbols), err);
}

bool ticket_exists(void)
{
	void *context = NULL, *cache = NULL, *principal = NULL;
	struct error ignored;
	bool found = false;

	if (load(&ignored) < 0 || krb5.init_context(&context) != 0)
		return false;
	if (krb5.cc_default(context, &cache) == 0) {
		found = krb5.cc_get_principal(context, cache, &principal) == 0;
		if (found)
			krb5.free_principal(context, principal);
		(void)krb5.cc_close(context, cache);
	}
	krb5.free_context(context);
	return found;
}
