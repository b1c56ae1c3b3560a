/*
 * International domain names (RFC 5890, 5891): U-labels to A-labels by
 * libidn2 (non-transitional, UTS 46), which is loaded when a name that is
 * not ASCII is met.
 */
#ifndef MESSAGE_IDNA_H
#define MESSAGE_IDNA_H

#include "util/attr.h"

struct arena;
struct error;
struct strbuf;

/* domain in ASCII form; itself when it is ASCII already. EX_DATAERR 5.1.2 if it has none. */
ATTR_CHECK int idna_to_ascii(struct arena *a, const char *domain, const char **out,
			     struct error *err);

/* The whole address with its domain in ASCII form; the local part is not touched. */
ATTR_CHECK int idna_address(struct arena *a, const char *address, const char **out,
			    struct error *err);

/* Appends "libidn2 2.3.3"; -1 if it cannot be loaded. */
ATTR_CHECK int idna_library_version(struct strbuf *out, struct error *err);

#endif
