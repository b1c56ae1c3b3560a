#include "config.h"
#include "message/scan.h"

#include "util/text.h"

void scan_init(struct scan *s, bool lone_dot)
{
	*s = (struct scan){ .lone_dot = lone_dot, .crlf = true, .behind_lf = true };
}

static void line_end(struct scan *s)
{
	s->size += s->line + 2;
	if (s->line > s->longest)
		s->longest = s->line;
	s->line = 0;
}

/* CRs that no LF followed: each of them ends a line. */
static void bare_cr(struct scan *s)
{
	line_end(s);
	s->size += 2 * (s->cr - 1);
	s->cr = 0;
	s->crlf = false;
	s->bare_cr = true;
}

static const char *skip_cr(const char *p, const char *end)
{
	while (p < end && *p == '\r')
		p++;
	return p;
}

/*
 * p is behind the dot (and CRs) that began a line and have not been counted.
 * The place to go on; NULL when the block is used up or the body has ended.
 */
static const char *dot_line(struct scan *s, const char *data, const char *p, const char *end)
{
	const char *q = skip_cr(p, end);

	s->held += (size_t)(q - p);
	if (q == end)
		return NULL;
	if (*q == '\n') {
		s->ended = true;
		s->end = s->at + (size_t)(q - data) - s->held;
		s->at += (size_t)(q - data) + 1;
		return NULL;
	}
	s->line = 1;
	s->cr = s->held - 1;
	s->held = 0;
	s->behind_lf = false;
	return q;
}

/* One stretch of text and the line end or NUL behind it: where the next begins. */
static const char *stretch(struct scan *s, struct scan_marks *marks, const char *p,
			   const char *end)
{
	const char *stop = scan_stop(marks, p, end, end);

	if (stop > p) {
		if (s->cr)
			bare_cr(s);
		s->line += (size_t)(stop - p);
	}
	s->behind_lf = false;
	p = stop;
	if (p < end && *p == '\r') {
		p = skip_cr(p, end);
		s->cr += (size_t)(p - stop);
	}
	if (p < end && *p == '\n') {
		s->crlf &= s->cr == 1;
		s->cr = 0;
		line_end(s);
		s->behind_lf = true;
		p++;
	} else if (p < end && *p == '\0') {
		s->nul = true;
		s->crlf = false;
		p++;
	}
	return p;
}

#if WIDE
/*
 * p begins a line. Passes lines that all end with LF or all with CRLF, as
 * long as there is nothing to decide: the place where the first line begins
 * that may be another kind, p itself at worst.
 */
static const char *regular_lines(struct scan *s, struct scan_marks *marks, const char *p,
				 const char *end)
{
	const char *line = p, *limit;
	uint64_t lines = 0, longest = s->longest, carry = 0;

	marks->cr = scan_mark(marks->cr, p, end, '\r');
	marks->nul = scan_mark(marks->nul, p, end, '\0');
	limit = marks->nul;
	bool crlf = marks->cr < limit, dot = *p == '.' && s->lone_dot;

	for (; limit - p >= 64 && !dot; p += 64) {
		uint64_t lf = wide_mask64(p, '\n');

		if (crlf) {
			uint64_t cr = wide_mask64(p, '\r');

			if ((cr << 1 | carry) != lf)
				break;
			carry = cr >> 63;
		}
		for (; lf && !dot; lf &= lf - 1) {
			const char *next = p + wide_first(lf) + 1;
			uint64_t len = (uint64_t)(next - line) - 1 - crlf;

			s->size += len + 2;
			longest = len > longest ? len : longest;
			lines++;
			line = next;
			dot = s->lone_dot && next < end && *next == '.';
		}
	}
	s->longest = longest;
	s->crlf &= crlf || !lines;
	return line;
}
#endif

void scan_push(struct scan *s, const char *data, size_t n)
{
	const char *p = data, *end = data + n;
	struct scan_marks marks = { NULL, NULL };
	uint64_t start = s->at;

	if (s->ended || !n)
		return;
	if (s->held)
		p = dot_line(s, data, p, end);
	while (p && p < end) {
#if WIDE
		if (s->behind_lf)
			p = regular_lines(s, &marks, p, end);
#endif
		if (p == end)
			break;
		if (s->behind_lf && *p == '.' && s->lone_dot) {
			s->held = 1;
			p = dot_line(s, data, p + 1, end);
		} else {
			p = stretch(s, &marks, p, end);
		}
	}
	if (!s->ended)
		s->at += n;
	else	/* what stands behind the body says nothing about it */
		n = s->end > start ? (size_t)(s->end - start) : 0;
	if (!s->eight_bit)
		s->eight_bit = !text_is_ascii(data, n);
}

void scan_finish(struct scan *s)
{
	if (s->held && !s->ended) {
		s->ended = true;
		s->end = s->at - s->held;
	}
	if (s->cr)
		bare_cr(s);
	s->canonical = s->crlf && !s->line;
	if (s->line)
		line_end(s);
}
