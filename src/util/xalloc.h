/*
 * Allocation that does not fail.
 *
 * No memory ends the process with EX_OSERR and one line on stderr; this is
 * the only place below cli that does so (the queue survives the death of the
 * process at any instruction). All products of sizes are checked here: no
 * other module multiplies lengths. Memory is given back with xfree().
 */
#ifndef UTIL_XALLOC_H
#define UTIL_XALLOC_H

#include <stddef.h>

/* Uninitialised memory of size octets (at least one); never NULL. */
void *xmalloc(size_t size);

/* Zeroed memory for count objects of size octets; never NULL. */
void *xcalloc(size_t count, size_t size);

/* Resizes p (may be NULL) to count objects of size octets; never NULL. */
void *xrealloc(void *p, size_t count, size_t size);

/* A copy of the string s, owned by the caller; never NULL. */
char *xstrdup(const char *s);

/* A copy of the first n octets of s with a NUL added; never NULL. */
char *xstrndup(const char *s, size_t n);

/* Gives memory of the functions above back; accepts NULL. */
void xfree(void *p);

#endif
