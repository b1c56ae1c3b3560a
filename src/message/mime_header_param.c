#include "config.h"
#include "message/mime_header_private.h"

#include <string.h>
#include <strings.h>

#include "message/mime_header.h"
#include "message/mime_parse.h"
#include "util/strbuf.h"
#include "util/text.h"

#define LINE_WANTED ((size_t)76)
#define ESCAPED_MAX ((size_t)12)	/* a character of four octets */
#define NAME_MAX_EXTENDED ((size_t)40)	/* longer ones leave no room for a value */

/* attribute-char of RFC 2231, section 7, without what some readers misread */
static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~", c));
}

/* The escaped form of the character at s; its octets. */
static size_t escape_char(struct strbuf *out, const char *s, size_t n, bool utf8)
{
	size_t len = utf8 ? text_utf8_char(s, n) : 1;

	strbuf_reset(out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (is_plain(c))
			strbuf_addch(out, (char)c);
		else
			strbuf_addf(out, "%%%02X", c);
	}
	return len;
}

static size_t escaped_len(const char *s, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += is_plain((unsigned char)s[i]) ? 1 : 3;
	return len;
}

/*
 * extended-parameter := attribute ["*" section] "*" "=" charset "'" language
 * "'" value; later sections without charset and language (RFC 2231, sections
 * 3 and 4.1). Each section stands on a line of its own.
 */
static void put_extended(struct downgrade *d, const char *name, size_t name_len,
			 const struct strbuf *value)
{
	struct strbuf one = STRBUF_INIT(ESCAPED_MAX);
	const bool utf8 = text_is_utf8(value->buf, value->len);
	const char *charset = utf8 ? "utf-8" : d->charset;
	size_t room = LINE_WANTED - sizeof(" *=''"), used = name_len + strlen(charset);
	bool pieces = used + escaped_len(value->buf, value->len) > room;
	unsigned section = 0;

	strbuf_addstr(d->out, "\r\n ");
	strbuf_add(d->out, name, name_len);
	strbuf_addf(d->out, "%s=%s''", pieces ? "*0*" : "*", charset);
	for (size_t at = 0; at < value->len;) {
		at += escape_char(&one, value->buf + at, value->len - at, utf8);
		if (pieces && downgrade_column(d) + one.len + 1 > LINE_WANTED) {
			strbuf_addstr(d->out, ";\r\n ");
			strbuf_add(d->out, name, name_len);
			strbuf_addf(d->out, "*%u*=", ++section);
		}
		strbuf_add(d->out, one.buf, one.len);
	}
	strbuf_release(&one);
}

/* Is there a name*= or name*0= besides name=? Readers take that one. */
static bool has_extended(const char *p, const char *end, const struct mime_param *plain)
{
	struct mime_param param;

	while (mime_param_next(&p, end, &param)) {
		if (param.name_len > plain->name_len && param.name[plain->name_len] == '*' &&
		    strncasecmp(param.name, plain->name, plain->name_len) == 0)
			return true;
	}
	return false;
}

static void put_param(struct downgrade *d, const struct mime_param *param, const char *first,
		      const char *end)
{
	const size_t len = (size_t)(param->end - param->start);
	struct strbuf value = STRBUF_INIT(len);

	if (param->name_len && param->name_len <= NAME_MAX_EXTENDED &&
	    !memchr(param->name, '*', param->name_len) &&
	    !text_is_ascii(param->value, param->value_len)) {
		if (!has_extended(first, end, param)) {
			mime_param_value(param, &value);
			strbuf_addch(d->out, ';');
			put_extended(d, param->name, param->name_len, &value);
		}
	} else {
		strbuf_addch(d->out, ';');
		downgrade_percent(d, param->start, len);
	}
	strbuf_release(&value);
}

void downgrade_params(struct downgrade *d, const char *value, size_t n)
{
	const char *end = value + n, *first = mime_param_first(value, end), *p = first;
	struct mime_param param;

	while (value < first) {		/* the type itself; it may have comments */
		const char *stop = memchr(value, '(', (size_t)(first - value));

		stop = stop ? stop : first;
		downgrade_leave(d, value, (size_t)(stop - value), MIME_HEADER_OTHER);
		value = stop < first ? mime_skip_comment(stop, first) : first;
		downgrade_comment(d, stop, value);
	}
	while (mime_param_next(&p, end, &param))
		put_param(d, &param, first, end);
}
