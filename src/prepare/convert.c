#include "config.h"
#include "prepare/convert.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/charset.h"
#include "message/header.h"
#include "message/message.h"
#include "message/rfc2047.h"
#include "message/writer.h"
#include "mime/mime_convert.h"
#include "mime/mime_header.h"
#include "mime/mime_parse.h"
#include "mime/mime_walk.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define FIELD_MAX (16 * MESSAGE_HEADER_MAX)	/* each octet may become several */

/* --- the charset of what is not UTF-8 -------------------------------------------- */

struct first_text {
	struct arena *arena;
	const char *charset;
};

/* The charset parameter of a Content-Type, NULL if there is none that says more than ASCII. */
static const char *charset_param(struct arena *a, const char *p, const char *end)
{
	struct mime_param param;
	const char *found = NULL;

	for (p = mime_param_first(p, end); !found && mime_param_next(&p, end, &param);) {
		struct strbuf value = STRBUF_INIT(param.value_len);

		if (param.name_len == 7 && strncasecmp(param.name, "charset", 7) == 0) {
			mime_param_value(&param, &value);
			found = arena_strdup(a, value.buf);
		}
		strbuf_release(&value);
	}
	if (!found || !charset_name_valid(found) || strcasecmp(found, "utf-8") == 0 ||
	    strcasecmp(found, "us-ascii") == 0)
		return NULL;
	return found;
}

/* Ends the walk (-1) at the first part that is text. */
static int see_header(void *ctx, size_t id, const struct mime_entity *e, const char *text,
		      size_t len, bool blank, struct error *err)
{
	struct first_text *first = ctx;
	struct mime_field f;
	size_t at = 0;

	(void)id;
	(void)blank;
	(void)err;
	if (!e->text)
		return 0;
	while (mime_field_next(text, len, &at, &f)) {
		if (mime_field_is(&f, "Content-Type"))
			first->charset = charset_param(first->arena, f.text + f.value,
						       f.text + f.len);
	}
	return -1;
}

static int pass_content(void *ctx, size_t id, const char *data, size_t n, struct error *err)
{
	(void)ctx;
	(void)id;
	(void)data;
	(void)n;
	(void)err;
	return 0;
}

static int pass_delimiter(void *ctx, const char *data, size_t n, struct error *err)
{
	return pass_content(ctx, 0, data, n, err);
}

static int pass_end(void *ctx, size_t id, size_t parts, struct error *err)
{
	return pass_content(ctx, id, NULL, parts, err);
}

const char *convert_charset(struct arena *arena, const struct message *m, const struct account *a)
{
	static const struct mime_walk_handler handler = { see_header, pass_content,
							  pass_delimiter, pass_end };
	struct first_text first = { .arena = arena };
	struct edits edits;
	struct error ignored;

	if (m->header_8bit && !m->header_utf8) {
		edits_init(&edits, arena, m);
		struct writer *w = writer_new(m, &edits, WRITER_PLAIN);

		(void)!mime_walk(w, &handler, &first, &ignored);
		writer_free(w);
	}
	if (first.charset)
		return first.charset;
	return a->convert.default_charset ? a->convert.default_charset : CHARSET_UNKNOWN;
}

/* A signature over header and body that any change would break. */
static bool is_sealed(const struct message *m, const struct account *a)
{
	return !a->convert.signed_dkim && header_is_signed(&m->header);
}

/* The message is another one now, where it has to be. */
static int rewrite_message(struct message **m, struct edits *edits, const struct mime_options *opt,
			   struct error *err)
{
	struct message *made = NULL;
	struct mime_report report;

	if (mime_convert(*m, edits, opt, &made, &report, err) < 0)
		return -1;
	if (made) {
		message_free(*m);
		*m = made;
		edits_init(edits, edits->arena, made);
	}
	return 0;
}

static void measure(struct envelope *e, const struct message *m, const struct edits *edits)
{
	e->body = m->body_8bit || edits_header_8bit(edits, m) ? BODY_8BITMIME : BODY_7BIT;
	e->size = edits_wire_size(edits, m);
}

/* --- CRs that end no line ------------------------------------------------------ */

int convert_bare_cr(struct message **m, struct edits *edits, struct envelope *e,
		    const struct account *a, struct error *err)
{
	const enum bare_cr how = a->convert.bare_cr;
	struct mime_options opt = { .binary = true, .lines = MIME_LINES_ENCODE,
				    .words = a->convert.charset_out };
	struct message *made = NULL;

	if (how == BARE_CR_REJECT && ((*m)->header_cr || (*m)->body_cr))
		return error_set(err, FAULT_MESSAGE, "the %s has a CR that ends no line: "
				 "bare_cr = reject", (*m)->header_cr ? "header" : "body");
	if (!(*m)->body_cr || (*m)->body_binary || how == BARE_CR_LINE_END)
		return 0;
	if (is_sealed(*m, a))
		return error_set(err, FAULT_MESSAGE, "the body has a CR that ends no line, "
				 "and a DKIM-Signature forbids to change it (see "
				 "convert_signed_dkim)");
	if (message_respell_cr(*m, how == BARE_CR_SPACE ? ' ' : '\r', &made, err) < 0)
		return -1;
	message_free(*m);
	*m = made;		/* with the same fields: the edits fit */
	if (how == BARE_CR_ENCODE)
		opt.charset = convert_charset(edits->arena, *m, a);
	if (how == BARE_CR_ENCODE && rewrite_message(m, edits, &opt, err) < 0)
		return error_prefix(err, "bare_cr = encode");
	measure(e, *m, edits);
	return 0;
}

/* --- long lines --------------------------------------------------------------- */

static bool has_long_field(const struct edits *edits, const struct message *m)
{
	const char *text;
	size_t at = 0, len;

	while ((text = edits_next(edits, m, &at, &len))) {
		if (header_fold_needed(text, len))
			return true;
	}
	return false;
}

/* charset: of octets that are no UTF-8; NULL = none is encoded */
static void fold_header(struct edits *edits, const struct message *m, bool split,
			const char *charset)
{
	struct strbuf out = STRBUF_INIT(FIELD_MAX);
	const char *text;
	size_t at = 0, len;

	while ((text = edits_next(edits, m, &at, &len))) {
		if (!header_fold_needed(text, len))
			continue;
		strbuf_reset(&out);
		mime_header_fold(&out, text, len, split, charset);
		if (!strbuf_overflow(&out))
			edits_set_text(edits, at, arena_strndup(edits->arena, out.buf, out.len));
	}
	strbuf_release(&out);
}

static int refuse_lines(const struct message *m, const char *why, struct error *err)
{
	if (m->longest_line > MESSAGE_LINE_MAX)
		return error_set(err, FAULT_MESSAGE,
				 "a line of %llu octets, %d are allowed: %s",
				 (unsigned long long)m->longest_line, MESSAGE_LINE_MAX, why);
	return error_set(err, FAULT_MESSAGE,
			 "a line of the header has more than %d octets: %s",
			 MESSAGE_LINE_MAX, why);
}

int convert_lines(struct message **m, struct edits *edits, struct envelope *e,
		  const struct account *a, struct error *err)
{
	const bool body = (*m)->longest_line > MESSAGE_LINE_MAX;
	const bool split = a->convert.long_lines == LONG_LINES_SPLIT;
	struct mime_options opt = {
		.lines = split ? MIME_LINES_SPLIT : MIME_LINES_ENCODE,
		.words = a->convert.charset_out,
	};

	if (a->convert.long_lines == LONG_LINES_PASS || e->body == BODY_BINARYMIME ||
	    (!body && !has_long_field(edits, *m)))
		return 0;
	if (a->convert.long_lines == LONG_LINES_REJECT)
		return refuse_lines(*m, "long_lines = reject", err);
	if (is_sealed(*m, a) && !body)
		return 0;
	if (is_sealed(*m, a))
		return refuse_lines(*m, "it cannot be changed, as the message has a DKIM-Signature "
				    "(see convert_signed_dkim)", err);
	opt.charset = convert_charset(edits->arena, *m, a);
	fold_header(edits, *m, split, a->convert.smtputf8_downgrade == UTF8_DOWNGRADE_NEVER ?
		    NULL : opt.charset);
	if (body && rewrite_message(m, edits, &opt, err) < 0)
		return -1;
	measure(e, *m, edits);
	return 0;
}

/* --- what one server takes ------------------------------------------------------ */

/* What is to be done, and what has come of it. */
struct plan {
	bool seven_bit, headers;	/* no 8-bit content; no UTF-8 in headers */
	bool text;			/* nothing binary */
	bool sealed;
	const char *charset;		/* of octets that are no UTF-8 */
	unsigned left;			/* what needs SMTPUTF8: bits of mime_header.h */
};

/* Is the body more than one leaf? Its parts have headers then. */
static bool has_parts(const struct message *m)
{
	const struct header_field *f = header_find(&m->header, HEADER_CONTENT_TYPE);
	struct mime_entity e;

	if (!f)
		return false;
	mime_parse_header(f->text, f->len, MIME_PLACE_MESSAGE, &e);
	return e.kind == MIME_MULTIPART || e.kind == MIME_MESSAGE || e.kind == MIME_EXTERNAL ||
	       e.global;
}

/* In ASCII; one that has grown by that past what a line may have is folded. */
static unsigned downgrade_field(struct strbuf *out, const char *text, size_t len,
				const char *charset, const struct account *a)
{
	struct strbuf ascii = STRBUF_INIT(FIELD_MAX);
	const unsigned left = mime_header_encode(&ascii, text, len, charset, false);

	rfc2047_recode(&ascii, a->convert.charset_out);
	const bool whole = !strbuf_overflow(&ascii);

	if (whole && !header_fold_needed(text, len))
		mime_header_fold(out, ascii.buf, ascii.len, false, NULL);
	else if (whole)
		strbuf_add(out, ascii.buf, ascii.len);
	strbuf_release(&ascii);
	return whole && !strbuf_overflow(out) ? left : left | MIME_HEADER_OTHER;
}

static void convert_header(struct converted *c, struct plan *p, const struct message *m,
			   const struct account *a)
{
	struct strbuf out = STRBUF_INIT(FIELD_MAX);
	const char *text;
	size_t at = 0, len;

	while ((text = edits_next(&c->edits, m, &at, &len))) {
		if (text_is_ascii(text, len))
			continue;
		strbuf_reset(&out);
		p->left |= downgrade_field(&out, text, len, p->charset, a);
		if (out.len && !strbuf_overflow(&out))
			edits_set_text(&c->edits, at, arena_strndup(c->arena, out.buf, out.len));
	}
	strbuf_release(&out);
}

/*
 * Body and headers of its parts. A server that takes 8 bits gets a body that
 * cannot be converted as it is.
 */
static int convert_body(struct converted *c, struct plan *p, const struct message *m,
			const struct account *a, struct error *err)
{
	const struct mime_options opt = {
		.seven_bit = p->seven_bit && !p->sealed, .headers = p->headers && !p->sealed,
		.binary = p->text, .lines = p->text ? MIME_LINES_ENCODE : MIME_LINES_PASS,
		.charset = p->charset, .words = a->convert.charset_out,
	};
	struct mime_report report;

	const bool must = p->text || (p->seven_bit && !c->eight);
	const char *lacks = p->text ? "BINARYMIME" : "8BITMIME";

	if (must && p->sealed)
		return error_set(err, FAULT_CONVERSION,
				 "the message has %s content, the server does not offer %s, and a "
				 "DKIM-Signature forbids to convert it (see convert_signed_dkim)",
				 p->text ? "binary" : "8-bit", lacks);
	if (mime_convert(m, &c->edits, &opt, &c->own, &report, err) < 0) {
		if (must)
			return error_prefix(err, "the server does not offer %s", lacks);
		return err->exit == EX_DATAERR || err->exit == EX_UNAVAILABLE ? 0 : -1;
	}
	p->left |= opt.headers ? report.left : report.part_header_8bit ? MIME_HEADER_OTHER : 0U;
	if (c->own) {
		c->message = c->own;
		edits_init(&c->edits, c->arena, c->own);
	}
	return 0;
}

static struct plan make_plan(const struct converted *c, const struct message *m,
			     const struct envelope *e, const struct account *a)
{
	const bool utf8_used = c->utf8 && e->utf8 && (!m->header_8bit || m->header_utf8);
	struct plan p = { .sealed = is_sealed(m, a), .charset = convert_charset(c->arena, m, a) };

	p.seven_bit = a->convert.convert_8bit == CONVERT_8BIT_ALWAYS ||
		      (a->convert.convert_8bit == CONVERT_8BIT_YES && !c->eight);
	p.text = m->body_binary && !c->binary && a->convert.convert_8bit != CONVERT_8BIT_NO;
	p.headers = a->convert.smtputf8_downgrade == UTF8_DOWNGRADE_ALWAYS ||
		    (a->convert.smtputf8_downgrade == UTF8_DOWNGRADE_AUTO && !utf8_used);
	return p;
}

/* SMTPUTF8 has rules for what it lets pass: RFC 6531, section 3.2, and RFC 6532. */
static int settle(struct converted *c, const struct plan *p, const struct message *m,
		  struct error *err)
{
	struct envelope *e = &c->envelope;
	const bool header_8bit = edits_header_8bit(&c->edits, c->message);

	if (header_8bit && c->utf8 && !m->header_utf8 && m->header_8bit)
		return error_set(err, FAULT_MESSAGE,
				 "the header has 8-bit characters that are no UTF-8");
	e->header_utf8 = p->left || header_8bit;
	e->utf8 = e->utf8 || e->header_utf8;
	if (!c->message->body_binary && !(e->body == BODY_BINARYMIME && c->binary))
		e->body = c->message->body_8bit || header_8bit ? BODY_8BITMIME : BODY_7BIT;
	e->size = edits_wire_size(&c->edits, c->message);
	return 0;
}

/* What may have to be done to the body: all of it is read for that. */
static bool touches_body(const struct plan *p, const struct message *m)
{
	if (m->body_binary)
		return p->text;
	return m->body_8bit && (p->seven_bit || has_parts(m));
}

static int convert(struct converted *c, const struct message *m, const struct account *a,
		   struct error *err)
{
	struct plan p = make_plan(c, m, &c->envelope, a);
	const bool header = edits_header_8bit(&c->edits, m);

	if (header && p.headers && !p.sealed)
		convert_header(c, &p, m, a);
	if (touches_body(&p, m) && convert_body(c, &p, m, a, err) < 0)
		return -1;
	return settle(c, &p, m, err);
}

/* Is the extension there? What is required counts as such: extensions_check() misses it. */
static bool offered(const struct session *s, const struct envelope *e, enum extension_id id)
{
	return session_has(s, id) || extensions_level(s, e, id) == LEVEL_REQUIRE;
}

int convert_for_session(struct converted *c, const struct session *s, const struct message *m,
			const struct edits *edits, const struct envelope *e, struct error *err)
{
	const bool utf8 = offered(s, e, EXT_SMTPUTF8);
	const bool eight = utf8 || offered(s, e, EXT_8BITMIME);
	const bool binary = offered(s, e, EXT_BINARYMIME) &&
			    (session_has(s, EXT_CHUNKING) || !session_has(s, EXT_BINARYMIME));

	if (c->made && c->eight == eight && c->utf8 == utf8 && c->binary == binary)
		return 0;
	converted_release(c);
	*c = (struct converted){ .eight = eight, .utf8 = utf8, .binary = binary, .message = m,
				 .envelope = *e };
	if (e->body == BODY_7BIT || e->burl) {	/* nearly all messages */
		c->edits = *edits;
		c->made = true;
		return 0;
	}
	c->arena = arena_new();
	edits_copy(&c->edits, edits, c->arena);
	if (convert(c, m, s->account, err) < 0)
		return -1;
	c->made = true;
	return 0;
}

void converted_release(struct converted *c)
{
	message_free(c->own);
	arena_free(c->arena);
	*c = (struct converted){ .made = false };
}
