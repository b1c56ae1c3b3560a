/*
 * The entry points of libunbound, which validates DNSSEC; loaded when DANE
 * asks for it, where the program was built with its header.
 */
#ifndef DNS_UNBOUND_API_H
#define DNS_UNBOUND_API_H

#include "util/attr.h"

struct error;

#ifdef HAVE_UNBOUND_H
#include <unbound.h>

#define UNBOUND_API(X) \
	X(ctx_add_ta_file) \
	X(ctx_async) \
	X(ctx_create) \
	X(ctx_delete) \
	X(ctx_resolvconf) \
	X(ctx_set_fwd) \
	X(ctx_set_option) \
	X(fd) \
	X(process) \
	X(resolve_async) \
	X(resolve_free) \
	X(strerror)

struct unbound_api {
#define UNBOUND_MEMBER(name) __typeof__(ub_##name) *name;
	UNBOUND_API(UNBOUND_MEMBER)
#undef UNBOUND_MEMBER
};

extern struct unbound_api unbound;
#endif

/* Loads the library. EX_CONFIG when it is missing, or was when this was built. */
ATTR_CHECK int unbound_api_load(struct error *err);

#endif
