/*
 * A growing string with an upper bound.
 *
 * Invariants: buf is never NULL and always NUL-terminated at buf[len]; len
 * never passes limit. What would pass it is not added, and the buffer is
 * marked: strbuf_overflow() stays true until strbuf_reset(). So a string can
 * be built without a check at each step and judged once at the end. The
 * content may hold NUL octets; then only len tells its end.
 */
#ifndef UTIL_STRBUF_H
#define UTIL_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct strbuf {
	char *buf;
	size_t len;
	size_t alloc;		/* 0: buf is the shared empty string */
	size_t limit;		/* octets that may be held, without the NUL */
	bool overflow;
	bool secret;		/* what it holds is overwritten when it moves or goes */
};

extern char strbuf_empty[1];

#define STRBUF_INIT(max) { .buf = strbuf_empty, .limit = (max) }

/* One for passwords and the like: nothing of it stays in memory that was given back. */
#define STRBUF_SECRET(max) { .buf = strbuf_empty, .limit = (max), .secret = true }

/* Makes b an empty string that may hold limit octets. */
void strbuf_init(struct strbuf *b, size_t limit);

/* Frees what b holds and makes it empty; b may be used again. */
void strbuf_release(struct strbuf *b);

/*
 * As strbuf_release(), but the octets are overwritten first. Those that it
 * left behind when it grew are only with STRBUF_SECRET.
 */
void strbuf_release_secret(struct strbuf *b);

/* Makes b empty but keeps its memory; clears the overflow mark. */
void strbuf_reset(struct strbuf *b);

/* Shortens b to len octets; longer is left as it is. */
void strbuf_truncate(struct strbuf *b, size_t len);

/* Appends n octets, one octet, a string, a formatted string. */
void strbuf_add(struct strbuf *b, const void *data, size_t n);
void strbuf_addch(struct strbuf *b, char c);
void strbuf_addstr(struct strbuf *b, const char *s);
ATTR_PRINTF(2, 3) void strbuf_addf(struct strbuf *b, const char *fmt, ...);
ATTR_PRINTF(2, 0) void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap);

/*
 * Room for at least n more octets behind the content; NULL (and the mark) if
 * the limit forbids it. What was written there is made content with
 * strbuf_commit().
 */
char *strbuf_reserve(struct strbuf *b, size_t n);
void strbuf_commit(struct strbuf *b, size_t n);

/* Removes the first n octets. */
void strbuf_consume(struct strbuf *b, size_t n);

/* Was anything refused since init or reset? */
bool strbuf_overflow(const struct strbuf *b);

/* Hands the string to the caller (xfree) and makes b empty. */
char *strbuf_detach(struct strbuf *b);

#endif
