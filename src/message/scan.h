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

/*
 * Many octets in one step, on processors that always have the means (SSE2).
 * WIDE is 1 where the functions exist; code that uses them has another way
 * that gives the same results.
 */

#if defined(__SSE2__)
#define WIDE 1

#include <emmintrin.h>

static inline __m128i wide_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Which of the 16 octets are equal to octet: bit 0 is the first. */
static inline unsigned wide_mask16(__m128i octets, char octet)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(octets, _mm_set1_epi8(octet)));
}

/* The same for 64 octets. */
static inline uint64_t wide_mask64(const char *p, char octet)
{
	uint64_t low = wide_mask16(wide_load(p), octet) |
		       wide_mask16(wide_load(p + 16), octet) << 16;
	uint64_t high = wide_mask16(wide_load(p + 32), octet) |
			wide_mask16(wide_load(p + 48), octet) << 16;

	return low | high << 32;
}

/* Copies 16 octets; which of them are equal to octet. */
static inline unsigned wide_copy16(char *to, const char *from, char octet)
{
	__m128i octets = wide_load(from);

	_mm_storeu_si128((__m128i *)(void *)to, octets);
	return wide_mask16(octets, octet);
}

/* Index of the lowest bit; mask is not 0. */
static inline unsigned wide_first(uint64_t mask)
{
	return (unsigned)__builtin_ctzll(mask);
}

#else
#define WIDE 0
#endif

#endif
