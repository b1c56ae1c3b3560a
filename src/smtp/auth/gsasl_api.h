/*
 * The entry points of libgsasl, loaded with the first use of AUTH.
 *
 * gs.NAME(...) calls gsasl_NAME(...); the header of the library gives the
 * types, so a wrong argument is a warning as usual. Nothing of gs may be
 * called before gsasl_api_load() has succeeded once.
 */
#ifndef SMTP_AUTH_GSASL_API_H
#define SMTP_AUTH_GSASL_API_H

#include <gsasl.h>

#include "util/attr.h"

struct error;
struct strbuf;

#define GSASL_API(X) \
	X(check_version) \
	X(client_start) \
	X(finish) \
	X(free) \
	X(init) \
	X(property_set) \
	X(saslprep) \
	X(step) \
	X(strerror) \
	X(strerror_name)

struct gsasl_api {
#define GSASL_POINTER(name) __typeof__(&gsasl_##name) name;
	GSASL_API(GSASL_POINTER)
#undef GSASL_POINTER
};

extern struct gsasl_api gs;

/* Loads the library, once. EX_CONFIG names the package that is missing. */
ATTR_CHECK int gsasl_api_load(struct error *err);

/* Appends "libgsasl 2.2.0"; -1 if it cannot be loaded. */
ATTR_CHECK int gsasl_library_version(struct strbuf *out, struct error *err);

#endif
