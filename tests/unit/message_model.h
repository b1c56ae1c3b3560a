/*
 * What must hold for any message, checked against a model that looks at each
 * octet by itself: for the unit tests and the fuzzer.
 */
#ifndef TESTS_MESSAGE_MODEL_H
#define TESTS_MESSAGE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "message/edits.h"
#include "message/message.h"
#include "message/spool.h"
#include "message/writer.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define MODEL_MAX ((size_t)64 * 1024 * 1024)

/* Returns the text from the function that it stands in when x does not hold. */
#define MODEL_MUST(x) do { if (!(x)) return "does not hold: " #x; } while (0)

/* Reads data in pieces of "piece" octets (0 = all at once). */
static inline struct message *model_read(const char *data, size_t n, size_t piece,
					 const struct message_options *opt, struct error *err)
{
	struct message_reader *r = message_reader_new(opt);
	struct message *m = NULL;

	for (size_t at = 0; at < n;) {
		size_t len = piece && piece < n - at ? piece : n - at;

		if (message_reader_push(r, data + at, len, err)) {
			message_reader_free(r);
			return NULL;
		}
		at += len;
	}
	return message_reader_finish(r, &m, err) ? NULL : m;
}

/* Offset of the lone dot's line in the n octets of a body; n if there is none. */
static inline size_t model_lone_dot(const char *p, size_t n)
{
	size_t start = 0;

	while (start < n) {
		size_t at = start;

		if (p[at] == '.') {
			at++;
			while (at < n && p[at] == '\r')
				at++;
			if (at == n || p[at] == '\n')
				return start;
		}
		while (at < n && p[at] != '\n')
			at++;
		start = at + 1;
	}
	return n;
}

/* Appends the body as it must be on the wire. */
static inline void model_body(const char *p, size_t n, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(MODEL_MAX);

	for (size_t i = 0; i < n; i++)
		if (p[i])
			strbuf_addch(&text, p[i]);
	for (size_t i = 0; i < text.len; i++) {
		size_t crs = 0;

		while (text.buf[i + crs] == '\r')
			crs++;
		if (crs && text.buf[i + crs] == '\n')
			i += crs;
		if (text.buf[i] == '\n' || text.buf[i] == '\r')
			strbuf_addstr(out, "\r\n");
		else
			strbuf_addch(out, text.buf[i]);
	}
	size_t len = text.len;

	if (len && text.buf[len - 1] != '\n' && text.buf[len - 1] != '\r')
		strbuf_addstr(out, "\r\n");
	strbuf_release(&text);
}

/* Takes the doubled dots and the end of data away; false if they are not as they must be. */
static inline bool model_unstuff(const char *p, size_t n, struct strbuf *out)
{
	const char *end = p + n;

	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));

		if (!lf || lf == p || lf[-1] != '\r')
			return false;
		if (*p == '.' && lf - p == 2)
			return lf + 1 == end;
		if (*p == '.' && *++p != '.')
			return false;
		strbuf_add(out, p, (size_t)(lf + 1 - p));
		p = lf + 1;
	}
	return false;
}

/* CRLF only, no NUL, and the last line has its end. */
static inline bool model_canonical(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool cr = i && p[i - 1] == '\r';

		if (!p[i] || (p[i] == '\n') != cr)
			return false;
	}
	return !n || p[n - 1] == '\n';
}

/* Pulls all that a writer gives, "piece" octets at a time. */
static inline const char *model_write(const struct message *m, const struct edits *e,
				      enum writer_form form, size_t piece, struct strbuf *out)
{
	struct writer *w = writer_new(m, e, form);
	char *room = xmalloc(piece);	/* of that size, so that one octet more is found */
	struct error err;
	ssize_t got;

	while ((got = writer_read(w, room, piece, &err)) > 0)
		strbuf_add(out, room, (size_t)got);
	uint64_t size = writer_size(w);

	writer_free(w);
	xfree(room);
	MODEL_MUST(got == 0);
	MODEL_MUST(size == edits_wire_size(e, m));
	MODEL_MUST(form == WRITER_DOTS || out->len == size);
	return NULL;
}

static inline const char *model_check_fields(const struct message *m)
{
	bool eight_bit = false;

	for (size_t i = 0; i < m->header.n; i++) {
		const struct header_field *f = &m->header.field[i];
		size_t value;

		MODEL_MUST(f->len && f->len == strlen(f->text));
		MODEL_MUST(model_canonical(f->text, f->len));
		MODEL_MUST(header_field_start(f->text, f->len - 2, &value) > 0);
		MODEL_MUST(value == f->value);
		for (size_t k = 0; k + 1 < f->len; k++) {
			eight_bit |= (f->text[k] & 0x80) != 0;
			MODEL_MUST(f->text[k] != '\n' || f->text[k + 1] == ' ' ||
				   f->text[k + 1] == '\t');
		}
	}
	MODEL_MUST(eight_bit == m->header_8bit);
	MODEL_MUST(!m->header_utf8 || m->header_8bit);
	return NULL;
}

/* The facts about the body, against the input and against the canonical body. */
static inline const char *model_check_body(const struct message *m, const char *data, size_t n,
					   bool dots_ignored, const struct strbuf *body)
{
	uint64_t longest = 0, line = 0;
	bool eight_bit = false;
	size_t start = (size_t)m->body_start;
	size_t dot = dots_ignored ? n : start + model_lone_dot(data + start, n - start);

	MODEL_MUST(m->body_start <= m->body_end && m->body_end == dot);
	for (size_t i = 0; i < body->len; i++) {
		line = body->buf[i] == '\n' ? 0 : line + 1;
		if (line > longest && body->buf[i] != '\r')
			longest = line;
		eight_bit |= (body->buf[i] & 0x80) != 0;
	}
	MODEL_MUST(m->body_size == body->len);
	MODEL_MUST(m->longest_line == longest);
	MODEL_MUST(m->body_8bit == eight_bit);
	MODEL_MUST(m->body_canonical == (body->len == dot - start &&
					 memcmp(body->buf, data + start, body->len) == 0));
	size_t raw = dot - start;
	bool open = body->len == raw + 2 && raw && data[dot - 1] != '\n';

	MODEL_MUST(m->body_crlf == (m->body_canonical ||
				    (open && memcmp(body->buf, data + start, raw) == 0)));
	MODEL_MUST(m->had_nul || !memchr(data + start, 0, dot - start));
	size_t left = dot;

	while (left < n && data[left++] != '\n')
		;
	MODEL_MUST(m->ignored == n - left);
	return NULL;
}

static inline const char *model_check_written(const struct message *m, const struct edits *e,
					      size_t piece, const struct strbuf *body)
{
	struct strbuf plain = STRBUF_INIT(MODEL_MAX), dots = STRBUF_INIT(MODEL_MAX);
	struct strbuf wanted = STRBUF_INIT(MODEL_MAX), again = STRBUF_INIT(MODEL_MAX);
	const char *wrong = model_write(m, e, WRITER_PLAIN, piece, &plain);

	if (!wrong)
		wrong = model_write(m, e, WRITER_DOTS, piece, &dots);
	edits_write_header(e, m, &wanted);
	strbuf_add(&wanted, body->buf, body->len);
	if (!wrong && (plain.len != wanted.len || memcmp(plain.buf, wanted.buf, plain.len)))
		wrong = "the plain form is not header and body";
	if (!wrong && !model_canonical(dots.buf, dots.len))
		wrong = "a bare CR, bare LF or NUL goes out";
	if (!wrong && !model_unstuff(dots.buf, dots.len, &again))
		wrong = "dots or the end of data are wrong";
	if (!wrong && (again.len != plain.len || memcmp(again.buf, plain.buf, plain.len)))
		wrong = "with the dots taken away it is another message";
	strbuf_release(&plain);
	strbuf_release(&dots);
	strbuf_release(&wanted);
	strbuf_release(&again);
	return wrong;
}

static inline const char *model_same(const struct message *a, const struct message *b)
{
	MODEL_MUST(a->header.n == b->header.n);
	for (size_t i = 0; i < a->header.n; i++) {
		MODEL_MUST(a->header.field[i].id == b->header.field[i].id);
		MODEL_MUST(a->header.field[i].value == b->header.field[i].value);
		MODEL_MUST(!strcmp(a->header.field[i].text, b->header.field[i].text));
	}
	MODEL_MUST(a->body_start == b->body_start && a->body_end == b->body_end);
	MODEL_MUST(a->body_size == b->body_size && a->longest_line == b->longest_line);
	MODEL_MUST(a->ignored == b->ignored && a->had_nul == b->had_nul);
	MODEL_MUST(a->body_canonical == b->body_canonical && a->body_8bit == b->body_8bit);
	MODEL_MUST(a->header_8bit == b->header_8bit && a->header_utf8 == b->header_utf8);
	return NULL;
}

/*
 * All of it for one input; NULL if all holds. in: octets a piece when it is
 * read; out: octets a piece when it is written (>= 16).
 */
static inline const char *model_check(const char *data, size_t n, size_t in, size_t out,
				      const struct message_options *opt)
{
	struct error err, other;
	struct message *m = model_read(data, n, 0, opt, &err);
	struct message *pieces = model_read(data, n, in, opt, &other);
	struct strbuf body = STRBUF_INIT(MODEL_MAX);
	struct edits e;
	const char *wrong = NULL;

	if (!m || !pieces) {
		wrong = m || pieces ? "refused only for how it was cut" : NULL;
		message_free(m);
		message_free(pieces);
		return wrong;
	}
	edits_init(&e, m->arena, m);
	model_body(data + m->body_start, (size_t)(m->body_end - m->body_start), &body);
	wrong = model_same(m, pieces);
	if (!wrong)
		wrong = model_check_fields(m);
	if (!wrong)
		wrong = model_check_body(m, data, n, opt->dots_ignored || opt->wire, &body);
	if (!wrong)
		wrong = model_check_written(m, &e, out, &body);
	strbuf_release(&body);
	message_free(m);
	message_free(pieces);
	return wrong;
}

#endif
