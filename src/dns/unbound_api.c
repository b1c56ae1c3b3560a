#include "config.h"
#include "dns/unbound_api.h"

#include "util/dynlib.h"
#include "util/error.h"

#ifdef HAVE_UNBOUND_H

DYNLIB_NOTE(unbound,
	    "[{\"feature\":\"dane\",\"description\":\"DNSSEC, for tls_dane\","
	    "\"priority\":\"suggested\",\"soname\":[\"" UNBOUND_SONAME "\"]}]");

struct unbound_api unbound;

static const struct dynlib_symbol symbols[] = {
#define UNBOUND_SYMBOL(entry) { "ub_" #entry, &unbound.entry },
	UNBOUND_API(UNBOUND_SYMBOL)
#undef UNBOUND_SYMBOL
};

int unbound_api_load(struct error *err)
{
	static void *handle;

	return dynlib_load(&handle, UNBOUND_SONAME, "libunbound8", symbols, ARRAY_LEN(symbols),
			   err);
}

#else

int unbound_api_load(struct error *err)
{
	return error_set(err, FAULT_LIBRARY_MISSING, "msubmit was built without libunbound: set "
			 "dnssec = trust-ad, with a validating resolver on this host");
}

#endif
