#include "config.h"
#include "net/curl_api.h"

#include "util/dynlib.h"
#include "util/error.h"

#ifdef HAVE_CURL_CURL_H

DYNLIB_NOTE(curl,
	    "[{\"feature\":\"autoconfig\",\"description\":\"HTTPS, for --configure\","
	    "\"priority\":\"suggested\",\"soname\":[\"libcurl-gnutls.so.4\",\"libcurl.so.4\"]}]");

struct curl_api curl;

static const struct dynlib_symbol symbols[] = {
#define CURL_SYMBOL(entry) { "curl_" #entry, &curl.entry },
	CURL_API(CURL_SYMBOL)
#undef CURL_SYMBOL
};

int curl_api_load(struct error *err)
{
	/* the build on GnuTLS first: that library is in this process already */
	static const char *const names[] = { "libcurl-gnutls.so.4", "libcurl.so.4", CURL_SONAME };
	static void *handle;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (dynlib_load(&handle, names[i], "libcurl3-gnutls", symbols, ARRAY_LEN(symbols),
				err) == 0)
			return 0;
	}
	return -1;
}

#else

int curl_api_load(struct error *err)
{
	return error_set(err, FAULT_LIBRARY_MISSING, "msubmit was built without libcurl");
}

#endif
