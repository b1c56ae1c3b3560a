#include "config.h"
#include "net/gnutls_api.h"

#include "util/dynlib.h"
#include "util/error.h"

DYNLIB_NOTE(gnutls,
	    "[{\"feature\":\"tls\",\"description\":\"TLS (STARTTLS and implicit)\","
	    "\"priority\":\"recommended\",\"soname\":[\"" GNUTLS_SONAME "\"]}]");

struct gnutls_api gtls;

static const struct dynlib_symbol symbols[] = {
#define GNUTLS_SYMBOL(entry) { "gnutls_" #entry, &gtls.entry },
	GNUTLS_API(GNUTLS_SYMBOL)
#undef GNUTLS_SYMBOL
	{ "gnutls_free", &gtls.free_memory },
};

int gnutls_api_load(struct error *err)
{
	static void *handle;

	return dynlib_load(&handle, GNUTLS_SONAME, "libgnutls30", symbols, ARRAY_LEN(symbols), err);
}
