/*
 * One pass over the body of a message while it is read: how it will look on
 * the wire, without looking at each octet by itself.
 *
 * Rules (doc/sendmail.md#message): NUL is removed; any run of CRs
 * before LF is one line end with it; every other CR is a line end of its
 * own; the last line gets the end it lacks. With lone_dot, a line between
 * two LFs that is "." (CRs may follow) ends the body in front of it; an end
 * of the input counts as LF. The result does not depend on how the body was
 * cut in pieces. The pieces between two line ends are found with memchr().
 */
#ifndef MESSAGE_SCAN_H
#define MESSAGE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/attr.h"

struct scan {
	bool lone_dot;		/* look for the line "." */
	bool ended;		/* it was found ... */
	uint64_t end;		/* ... at this offset from the body's start */
	uint64_t at;		/* octets read so far, those of the dot's line included */
	uint64_t size;		/* octets on the wire, without dot-stuffing */
	uint64_t longest;	/* longest line, without its end */
	bool crlf;		/* lines end with CRLF, no NUL; the last may lack its end */
	bool canonical;		/* crlf, and the last line has its end */
	bool eight_bit;		/* an octet above 127 */
	bool nul;		/* a NUL was removed */
	bool bare_cr;		/* a CR that no LF followed */

	uint64_t line;		/* octets of the line that is open */
	uint64_t cr;		/* CRs seen behind it */
	size_t held;		/* octets of what may become the lone dot's line */
	bool behind_lf;		/* the next octet is the first of a line */
};

void scan_init(struct scan *s, bool lone_dot);

/* Reads n more octets; nothing once the lone dot was found. */
void scan_push(struct scan *s, const char *data, size_t n);

/* The end of the input: size, longest, crlf and canonical hold after it. */
void scan_finish(struct scan *s);

/* Is there an octet above 127? */
ATTR_PURE bool scan_8bit(const char *data, size_t n);

/*
 * The next CR and the next NUL of a block. Each is searched only when the
 * one before has been passed, so that a block full of them costs no more
 * than one without. NULL = not searched yet.
 */
struct scan_marks {
	const char *cr, *nul;
};

static inline const char *scan_mark(const char *mark, const char *p, const char *end, int octet)
{
	if (mark && mark >= p)
		return mark;
	mark = memchr(p, octet, (size_t)(end - p));
	return mark ? mark : end;
}

/*
 * The first LF, CR or NUL in [p, limit), limit if there is none; p < limit.
 * end is the end of the block that the marks belong to.
 */
static inline const char *scan_stop(struct scan_marks *marks, const char *p, const char *limit,
				    const char *end)
{
	marks->cr = scan_mark(marks->cr, p, end, '\r');
	marks->nul = scan_mark(marks->nul, p, end, '\0');
	if (marks->cr < limit)
		limit = marks->cr;
	if (marks->nul < limit)
		limit = marks->nul;
	const char *lf = limit > p ? memchr(p, '\n', (size_t)(limit - p)) : NULL;

	return lf ? lf : limit;
}

#endif
