#include "config.h"
#include "tls/gnutls_api.h"

#include "util/dynlib.h"
#include "util/error.h"

DYNLIB_NOTE(gnutls,
	    "[{\"feature\":\"tls\",\"description\":\"TLS (STARTTLS and implicit)\","
	    "\"priority\":\"recommended\",\"soname\":[\"" GNUTLS_SONAME "\"]}]");

struct gnutls_api gtls;
struct gnutls_rare_api gtls_rare;

static const struct dynlib_symbol symbols[] = {
#define GNUTLS_SYMBOL(entry) { "gnutls_" #entry, &gtls.entry },
	GNUTLS_API(GNUTLS_SYMBOL)
#undef GNUTLS_SYMBOL
	{ "gnutls_free", &gtls.free_memory },
};

static const struct dynlib_symbol rare_symbols[] = {
#define GNUTLS_SYMBOL(entry) { "gnutls_" #entry, &gtls_rare.entry },
	GNUTLS_RARE_API(GNUTLS_SYMBOL)
#undef GNUTLS_SYMBOL
};

int gnutls_api_load(struct error *err)
{
	static void *handle;

	return dynlib_load(&handle, GNUTLS_SONAME, "libgnutls30", symbols, ARRAY_LEN(symbols), err);
}

int gnutls_rare_load(struct error *err)
{
	static void *handle;

	return dynlib_load(&handle, GNUTLS_SONAME, "libgnutls30", rare_symbols,
			   ARRAY_LEN(rare_symbols), err);
}
