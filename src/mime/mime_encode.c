#include "config.h"
#include "mime/mime_encode.h"

#include <string.h>

#include "message/message.h"
#include "util/base64.h"
#include "util/strbuf.h"

#define LINE_ENCODED ((size_t)76)	/* RFC 2045, sections 6.7 and 6.8 */
#define LINE_SOFT (LINE_ENCODED - 1)	/* room for the '=' of a soft line break */

#define LINE_WRAP ((size_t)MESSAGE_LINE_MAX - sizeof("=XX="))

static const char from_line[] = "From ";

void mime_encoder_init(struct mime_encoder *e, enum mime_transfer kind)
{
	*e = (struct mime_encoder){ .kind = kind };
}

/* safe-char := <33-60, 62-126> (RFC 2045, section 6.7) */
static bool is_safe(unsigned char c)
{
	return c > ' ' && c < 127 && c != '=';
}

uint64_t mime_count_escapes(const char *data, size_t n)
{
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++) {
		char c = data[i];

		count += !is_safe((unsigned char)c) && c != ' ' && c != '\t' && c != '\r' &&
			 c != '\n';
	}
	return count;
}

/* Octets of the character that begins with c, as far as c tells. */
static size_t char_len(unsigned char c)
{
	return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static void line_end(struct mime_encoder *e, struct strbuf *out)
{
	strbuf_add(out, "\r\n", 2);
	e->column = 0;
}

/* A soft line break where need more octets would make the line too long. */
static void qp_room(struct mime_encoder *e, size_t need, struct strbuf *out)
{
	if (e->column + need > LINE_SOFT) {
		strbuf_addch(out, '=');
		line_end(e, out);
	}
}

static void qp_literal(struct mime_encoder *e, char c, struct strbuf *out)
{
	strbuf_addch(out, c);
	e->column++;
}

static void qp_escape(struct mime_encoder *e, char c, struct strbuf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char u = (unsigned char)c;

	strbuf_addch(out, '=');
	strbuf_addch(out, hex[u >> 4]);
	strbuf_addch(out, hex[u & 15]);
	e->column += 3;
}

static void qp_flush_held(struct mime_encoder *e, struct strbuf *out)
{
	strbuf_add(out, e->held, e->held_n);
	e->column += e->held_n;
	e->held_n = 0;
}

/*
 * A line that began with '-' or the beginning of "From " goes on with c:
 * true when c is dealt with.
 */
static bool qp_extend_held(struct mime_encoder *e, char c, struct strbuf *out)
{
	if (e->held[0] == '-' && c == '-') {
		qp_escape(e, '-', out);
		qp_literal(e, '-', out);
	} else if (e->held[0] == '-' || c != from_line[e->held_n]) {
		qp_flush_held(e, out);
		return false;
	} else if (c != ' ') {
		e->held[e->held_n++] = c;
		return true;
	} else {
		qp_escape(e, 'F', out);
		strbuf_add(out, e->held + 1, e->held_n - 1);
		e->column += e->held_n - 1;
		e->blank = c;
	}
	e->held_n = 0;
	return true;
}

/* A line end, or the end of all: blanks would be lost there. */
static void qp_end_line(struct mime_encoder *e, struct strbuf *out)
{
	qp_flush_held(e, out);
	if (e->blank) {
		qp_room(e, 3, out);
		qp_escape(e, e->blank, out);
		e->blank = '\0';
	}
}

static void qp_octet(struct mime_encoder *e, char c, struct strbuf *out)
{
	bool safe = is_safe((unsigned char)c);

	if (e->held_n && qp_extend_held(e, c, out))
		return;
	if (e->blank) {
		qp_room(e, 1, out);
		qp_literal(e, e->blank, out);
		e->blank = '\0';
	}
	if (c == ' ' || c == '\t') {
		e->blank = c;
		return;
	}
	qp_room(e, safe ? 1 : 3 * char_len((unsigned char)c), out);
	if (e->column == 0 && (c == '-' || c == from_line[0]))
		e->held[e->held_n++] = c;
	else if (!safe || (e->column == 0 && c == '.'))
		qp_escape(e, c, out);
	else
		qp_literal(e, c, out);
}

static void push_qp(struct mime_encoder *e, const char *data, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n') {
			qp_end_line(e, out);
			line_end(e, out);
		} else if (data[i] != '\r') {
			qp_octet(e, data[i], out);
		}
	}
}

static void base64_line(struct mime_encoder *e, struct strbuf *out)
{
	if (e->lines)
		line_end(e, out);
	base64_encode(out, e->held, e->held_n);
	e->lines = true;
	e->held_n = 0;
}

static void push_base64(struct mime_encoder *e, const char *data, size_t n, struct strbuf *out)
{
	while (n) {
		size_t take = MIME_GROUP - e->held_n < n ? MIME_GROUP - e->held_n : n;

		memcpy(e->held + e->held_n, data, take);
		e->held_n += take;
		data += take;
		n -= take;
		if (e->held_n == MIME_GROUP)
			base64_line(e, out);
	}
}

/* The line ends of base64 mean nothing: they are made anew. */
static void wrap_base64(struct mime_encoder *e, const char *data, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (strchr(" \t\r\n", data[i]))
			continue;
		if (e->column == LINE_ENCODED)
			line_end(e, out);
		qp_literal(e, data[i], out);
	}
}

/*
 * Soft line breaks in lines that no server takes, never inside an escape.
 * Lines of more than 76 octets are wrong, too, but are read by everyone.
 */
static void wrap_qp(struct mime_encoder *e, const char *data, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		char c = data[i];

		if (c == '\r')
			continue;
		if (c == '\n') {
			line_end(e, out);
			e->escape = 0;
			continue;
		}
		if (!e->escape && e->column > LINE_WRAP) {
			strbuf_addch(out, '=');
			line_end(e, out);
		}
		e->escape = e->escape ? e->escape - 1 : c == '=' ? 2 : 0;
		qp_literal(e, c, out);
	}
}

static void push_split(struct mime_encoder *e, const char *data, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)data[i];
		bool inside = c >= 0x80 && c < 0xc0;	/* of a character */

		if (c == '\r')
			continue;
		if (c == '\n') {
			line_end(e, out);
			continue;
		}
		if (e->column + (inside ? 1 : char_len(c)) > MESSAGE_LINE_MAX) {
			line_end(e, out);
			qp_literal(e, ' ', out);
		}
		qp_literal(e, (e->kind == MIME_FILLER && c > 127) || !c ? '?' : data[i], out);
	}
}

void mime_encoder_push(struct mime_encoder *e, const char *data, size_t n, struct strbuf *out)
{
	static void (*const push[])(struct mime_encoder *, const char *, size_t,
				    struct strbuf *) = {
		[MIME_TO_QP] = push_qp, [MIME_TO_BASE64] = push_base64,
		[MIME_WRAP_QP] = wrap_qp, [MIME_WRAP_BASE64] = wrap_base64,
		[MIME_SPLIT] = push_split, [MIME_FILLER] = push_split,
	};

	if (e->kind == MIME_COPY)
		strbuf_add(out, data, n);
	else
		push[e->kind](e, data, n, out);
}

void mime_encoder_finish(struct mime_encoder *e, struct strbuf *out)
{
	if (e->kind == MIME_TO_QP)
		qp_end_line(e, out);
	else if (e->kind == MIME_TO_BASE64 && e->held_n)
		base64_line(e, out);
}
