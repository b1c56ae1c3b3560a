#include "config.h"
#include "message/header_fold.h"

#include <string.h>

#include "message/message.h"
#include "util/error.h"
#include "util/strbuf.h"

#define LINE_WANTED ((size_t)78)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool header_fold_needed(const char *text, size_t len)
{
	for (const char *end = text + len; (size_t)(end - text) > MESSAGE_LINE_MAX;) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));
		const char *stop = lf ? lf + 1 : end;
		size_t n = (size_t)(stop - text);

		if (n >= 2 && lf && lf[-1] == '\r')
			n -= 2;
		if (n > MESSAGE_LINE_MAX)
			return true;
		text = stop;
	}
	return false;
}

/*
 * Where a line of n octets may be broken: in front of a blank that has text
 * on both sides. The last place up to LINE_WANTED, else the first up to the
 * limit; those inside quotes are the last choice. 0 = none.
 */
static size_t find_break(const char *s, size_t n, size_t limit, bool *quoted)
{
	size_t good = 0, poor = 0;
	bool text = false, inside = *quoted;

	while (n && is_blank(s[n - 1]))
		n--;
	for (size_t i = 0; i < n && i <= limit && !(good && i > LINE_WANTED); i++) {
		bool blank = is_blank(s[i]);

		if (blank && text && !inside)
			good = i;
		else if (blank && text)
			poor = i;
		text = text || !blank;
		if (s[i] == '\\' && inside)
			i++;
		else if (s[i] == '"')
			inside = !inside;
	}
	*quoted = !good && poor;
	return good ? good : poor;
}

/* The last place up to the limit that is not inside a character. */
static size_t hard_break(const char *s, size_t limit)
{
	size_t at = limit;

	while (at > limit - 3 && ((unsigned char)s[at] & 0xc0) == 0x80)
		at--;
	return at;
}

/* One line without its end; quoted tells whether it begins inside quotes. */
static int fold_line(struct strbuf *out, const char *s, size_t n, bool *quoted, bool split)
{
	size_t limit = MESSAGE_LINE_MAX;
	const size_t wanted = n > limit ? LINE_WANTED : limit;

	while (n > wanted) {
		bool inside = *quoted;
		size_t at = find_break(s, n, limit, &inside);

		if (at) {
			*quoted = inside;
			limit = MESSAGE_LINE_MAX;
		} else if (n <= limit) {
			break;
		} else if (split) {
			at = hard_break(s, limit);
			limit = MESSAGE_LINE_MAX - 1;	/* behind a blank of ours */
		} else {
			return -1;
		}
		strbuf_add(out, s, at);
		strbuf_addstr(out, limit == MESSAGE_LINE_MAX ? "\r\n" : "\r\n ");
		s += at;
		n -= at;
	}
	strbuf_add(out, s, n);
	return 0;
}

int header_fold(struct strbuf *out, const char *field, size_t len, bool split, struct error *err)
{
	const size_t before = out->len;
	const char *p = field, *end = field + len;
	bool quoted = false;

	while (p < end) {
		const char *cr = memchr(p, '\r', (size_t)(end - p));
		size_t n = (size_t)((cr ? cr : end) - p);

		if (fold_line(out, p, n, &quoted, split) < 0) {
			strbuf_truncate(out, before);
			return error_set(err, EX_DATAERR, "5.6.0",
					 "header field '%.*s': a line of %zu octets has no blank "
					 "where it could be folded; 998 octets are allowed",
					 (int)strcspn(field, ":"), field, n);
		}
		if (!cr)
			break;
		strbuf_add(out, "\r\n", 2);
		p = cr + 2;
	}
	return 0;
}
