#include "config.h"
#include "mime/mime_param.h"

#include <stdbool.h>
#include <string.h>

#include "util/strbuf.h"
#include "util/text.h"

#define LINE_WANTED ((size_t)76)
#define ESCAPED_MAX ((size_t)12)	/* a character of four octets */

/* Octets of the last line. */
static size_t column(const struct strbuf *out)
{
	size_t n = 0;

	while (n < out->len && out->buf[out->len - n - 1] != '\n')
		n++;
	return n;
}

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
void mime_param_extended(struct strbuf *out, const char *name, size_t name_len,
			 const char *value, size_t n, const char *charset)
{
	struct strbuf one = STRBUF_INIT(ESCAPED_MAX);
	const bool utf8 = text_is_utf8(value, n);
	size_t room = LINE_WANTED - sizeof(" *=''");
	unsigned section = 0;

	charset = utf8 ? "utf-8" : charset;
	bool pieces = name_len + strlen(charset) + escaped_len(value, n) > room;

	strbuf_addstr(out, "\r\n ");
	strbuf_add(out, name, name_len);
	strbuf_addf(out, "%s=%s''", pieces ? "*0*" : "*", charset);
	for (size_t at = 0; at < n;) {
		at += escape_char(&one, value + at, n - at, utf8);
		if (pieces && column(out) + one.len + 1 > LINE_WANTED) {
			strbuf_addstr(out, ";\r\n ");
			strbuf_add(out, name, name_len);
			strbuf_addf(out, "*%u*=", ++section);
		}
		strbuf_add(out, one.buf, one.len);
	}
	strbuf_release(&one);
}

/*
 * token := 1*<any ASCII but SPACE, CTLs, tspecials> (RFC 2045, section 5.1),
 * without what RFC 2231 gives a meaning to: readers stumble over it.
 */
static bool is_token(const char *s)
{
	static const char tspecials[] = "()<>@,;:\\\"/[]?=*'%";
	const char *p = s;

	while (*p > ' ' && *p < 127 && !strchr(tspecials, *p))
		p++;
	return p > s && !*p;
}

static void add_quoted(struct strbuf *out, const char *value)
{
	strbuf_addch(out, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			strbuf_addch(out, '\\');
		strbuf_addch(out, *value);
	}
	strbuf_addch(out, '"');
}

void mime_param_add(struct strbuf *out, const char *name, const char *value, const char *charset)
{
	const size_t n = strlen(value);
	struct strbuf plain = STRBUF_INIT(2 * n + strlen(name) + sizeof("=\"\""));

	strbuf_addf(&plain, "%s=", name);
	if (is_token(value))
		strbuf_addstr(&plain, value);
	else
		add_quoted(&plain, value);
	strbuf_addch(out, ';');
	/* what looks like an encoded word is taken for one, even in quotes */
	if (!text_is_ascii(value, n) || text_has_control(value, n) || strstr(value, "=?") ||
	    plain.len + sizeof(" ;") - 1 > LINE_WANTED)
		mime_param_extended(out, name, strlen(name), value, n, charset);
	else
		strbuf_addf(out, "%s%s", column(out) + plain.len + 2 > LINE_WANTED ? "\r\n " : " ",
			    plain.buf);
	strbuf_release(&plain);
}
