#include "config.h"
#include "smtp/auth/gsasl_api.h"

#include "util/dynlib.h"
#include "util/error.h"
#include "util/strbuf.h"

DYNLIB_NOTE(gsasl, "[{\"feature\":\"auth\",\"description\":\"SMTP authentication\","
	    "\"priority\":\"recommended\",\"soname\":[\"" GSASL_SONAME "\"]}]");

struct gsasl_api gs;

int gsasl_api_load(struct error *err)
{
	static void *handle;
	static const struct dynlib_symbol symbols[] = {
#define GSASL_SYMBOL(name) { "gsasl_" #name, &gs.name },
		GSASL_API(GSASL_SYMBOL)
#undef GSASL_SYMBOL
	};

	return dynlib_load(&handle, GSASL_SONAME, "libgsasl18", symbols, ARRAY_LEN(symbols), err);
}

int gsasl_library_version(struct strbuf *out, struct error *err)
{
	if (gsasl_api_load(err) < 0)
		return -1;
	strbuf_addf(out, "libgsasl %s", gs.check_version(NULL));
	return 0;
}
