#include "config.h"
#include "mime/mime_encode.h"

#include <string.h>

#include "message/message.h"
#include "message/spool.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

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
		if ((unsigned char)c > 127)
			qp_escape(e, c, out);
		else
			qp_literal(e, c, out);
	}
}

/* The line has no more room: it ends before the last blank that is held, else here. */
static void split_line(struct mime_encoder *e, struct strbuf *out)
{
	size_t n = e->held_n, all = n;

	while (n && e->held[n - 1] != ' ' && e->held[n - 1] != '\t')
		n--;
	strbuf_add(out, e->held, n ? n - 1 : all);
	line_end(e, out);
	e->held_n = 0;
	if (!n) {
		qp_literal(e, ' ', out);
		return;
	}
	strbuf_add(out, e->held + n - 1, all - n + 1);
	e->column = all - n + 1;
}

static void push_split(struct mime_encoder *e, const char *data, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)data[i];
		bool inside = c >= 0x80 && c < 0xc0;	/* of a character */

		if (c == '\r')
			continue;
		if (c == '\n') {
			qp_flush_held(e, out);
			line_end(e, out);
			continue;
		}
		if (e->column + e->held_n + (inside ? 1 : char_len(c)) > MESSAGE_LINE_MAX)
			split_line(e, out);
		const char put = (e->kind == MIME_FILLER && c > 127) || !c ? '?' : data[i];

		if (e->column < MESSAGE_LINE_MAX - MIME_HELD)
			qp_literal(e, put, out);
		else
			e->held[e->held_n++] = put;
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
	else if (e->kind == MIME_SPLIT || e->kind == MIME_FILLER)
		qp_flush_held(e, out);
}

/* --- what a text holds, and its canonical lines ------------------------------------- */

#define BLOCK ((size_t)16 * 1024)
#define WORD_MAX_SEARCHED ((size_t)100)
#define CR_MAX ((size_t)16 * 1024)	/* more of them in a row are lines of their own */

enum { END_LF = 1, END_CRLF = 2, END_CR = 4 };	/* kinds of line ends */

struct reading {
	struct text_facts *facts;
	uint64_t line;		/* octets of the line that is open */
	uint64_t cr;		/* CRs behind it */
	unsigned ends;
	struct text_utf8 utf8;
};

/* BEL BS TAB LF VT FF CR SO SI ESC are found in text, terminal sequences included. */
static bool is_odd_control(unsigned char c)
{
	return c < 7 || (c > 15 && c < 32 && c != 27) || c == 127;
}

static void end_line(struct reading *r)
{
	if (r->line > r->facts->longest)
		r->facts->longest = r->line;
	r->line = 0;
}

static void take_octet(struct reading *r, unsigned char c)
{
	if (c == '\r') {
		r->cr++;
		return;
	}
	if (c == '\n') {
		r->ends |= r->cr == 0 ? END_LF : r->cr == 1 ? END_CRLF : END_CR;
		r->cr = 0;
		end_line(r);
		return;
	}
	if (r->cr) {
		r->ends |= END_CR;
		r->cr = 0;
		end_line(r);
	}
	r->line++;
	r->facts->nul = r->facts->nul || c == 0;
	r->facts->control = r->facts->control || is_odd_control(c);
}

static int take_facts(void *ctx, const char *data, size_t n, struct error *err)
{
	struct reading *r = ctx;
	struct text_facts *f = r->facts;

	(void)err;
	f->octets += n;
	f->escapes += mime_count_escapes(data, n);
	f->eight_bit = f->eight_bit || !text_is_ascii(data, n);
	text_utf8_push(&r->utf8, data, n);
	for (size_t i = 0; i < n; i++)
		take_octet(r, (unsigned char)data[i]);
	return 0;
}

int text_facts_read(const struct spool *s, uint64_t offset, struct text_facts *out,
		    struct error *err)
{
	struct text_facts facts = { .octets = 0 };
	struct reading r = { .facts = &facts };

	if (spool_each(s, offset, spool_size(s), take_facts, &r, err) < 0)
		return -1;
	end_line(&r);
	r.ends |= r.cr ? END_CR : 0U;
	facts.odd_ends = r.ends & END_CR || r.ends == (END_LF | END_CRLF);
	facts.utf8 = !r.utf8.bad && r.utf8.n == 0;
	*out = facts;
	return 0;
}

static void line_ends(struct text_lines *l, size_t n, struct strbuf *out)
{
	while (n--)
		strbuf_add(out, "\r\n", 2);
	l->cr = 0;
}

void text_lines_push(struct text_lines *l, const char *data, size_t n, struct strbuf *out)
{
	const char *end = data + n;

	while (data < end) {
		if (*data == '\r') {
			if (++l->cr == CR_MAX)
				line_ends(l, CR_MAX, out);
			data++;
			continue;
		}
		if (*data == '\n') {
			line_ends(l, 1, out);
			data++;
			continue;
		}
		line_ends(l, l->cr, out);
		const char *p = data;

		while (p < end && *p != '\r' && *p != '\n')
			p++;
		strbuf_add(out, data, (size_t)(p - data));
		data = p;
	}
}

void text_lines_finish(struct text_lines *l, struct strbuf *out)
{
	line_ends(l, l->cr, out);
}

int text_has_word(const struct spool *s, const char *word, bool *out, struct error *err)
{
	const size_t len = strlen(word);
	char block[BLOCK + WORD_MAX_SEARCHED];
	size_t kept = 0;

	*out = false;
	for (uint64_t at = 0; !*out && at < spool_size(s);) {
		ssize_t n = spool_read(s, at, block + kept, BLOCK, err);

		if (n < 0)
			return -1;
		at += (uint64_t)n;
		size_t have = kept + (size_t)n;

		*out = memmem(block, have, word, len) != NULL;
		kept = have < len - 1 ? have : len - 1;
		memmove(block, block + have - kept, kept);
	}
	return 0;
}
