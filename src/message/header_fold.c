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
static size_t find_break(const char *s, size_t n, bool *quoted)
{
	size_t good = 0, poor = 0, end = n;
	bool text = false, inside = *quoted, good_inside = false, poor_inside = false;

	while (end && is_blank(s[end - 1]))
		end--;
	for (size_t i = 0; i < end && i <= MESSAGE_LINE_MAX; i++) {
		bool blank = is_blank(s[i]);

		if (blank && text && !inside && (i <= LINE_WANTED || !good)) {
			good = i;
			good_inside = inside;
		} else if (blank && text && inside) {
			poor = i;
			poor_inside = inside;
		}
		if (good && i >= LINE_WANTED)
			break;
		text = text || !blank;
		if (s[i] == '\\' && inside)
			i++;
		else if (s[i] == '"')
			inside = !inside;
	}
	*quoted = good ? good_inside : poor_inside;
	return good ? good : poor;
}

/* The last place up to the limit that is not inside a character. */
static size_t hard_break(const char *s)
{
	size_t at = MESSAGE_LINE_MAX;

	for (unsigned back = 0; back < 3 && ((unsigned char)s[at] & 0xc0) == 0x80; back++)
		at--;
	return at;
}

/* One line without its end. */
static int fold_line(struct strbuf *out, const char *s, size_t n, bool *quoted, bool split)
{
	while (n > MESSAGE_LINE_MAX) {
		bool inside = *quoted;
		size_t at = find_break(s, n, &inside);
		bool cut = at == 0;

		if (cut && !split)
			return -1;
		if (cut)
			at = hard_break(s) - 1;	/* the next line may begin with a blank of ours */
		while (cut && at > 1 && ((unsigned char)s[at] & 0xc0) == 0x80)
			at--;
		strbuf_add(out, s, at);
		strbuf_addstr(out, cut ? "\r\n " : "\r\n");
		s += at;
		n -= at;
		*quoted = inside;
		/* what follows our blank has room for one octet less */
		if (cut && n > MESSAGE_LINE_MAX - 1 && n <= MESSAGE_LINE_MAX)
			split = true;
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
					 "header field '%.*s': a line of %zu octets has no blank where it "
					 "could be folded; 998 octets are allowed",
					 (int)strcspn(field, ":"), field, n);
		}
		if (!cr)
			break;
		strbuf_add(out, "\r\n", 2);
		p = cr + 2;
	}
	return 0;
}
