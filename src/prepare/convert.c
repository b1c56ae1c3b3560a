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
#include "prepare/explain.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define FIELD_MAX (16 * MESSAGE_HEADER_MOST)	/* each octet may become several */

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

/*
 * A signature over header and body that any change would break: only what no
 * server may be given is changed then.
 */
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

/* Is it the message, and not this host, that something cannot be done with? */
static bool is_about_content(const struct error *err)
{
	return err->exit == EX_DATAERR || err->exit == EX_UNAVAILABLE;
}

static void measure(struct envelope *e, const struct message *m, const struct edits *edits)
{
	e->body = m->body_8bit || edits_header_8bit(edits, m) ? BODY_8BITMIME : BODY_7BIT;
	e->size = edits_wire_size(edits, m);
}

/* --- CRs that end no line ------------------------------------------------------ */

/* The parts that have such CRs are encoded; a signed one must not be, and has blanks instead. */
static int encode_cr(struct message **m, struct edits *edits, const struct account *a,
		     struct error *err)
{
	const struct mime_options opt = {
		.binary = true, .lines = MIME_LINES_ENCODE, .words = a->convert.charset_out,
		.charset = convert_charset(edits->arena, *m, a),
	};
	struct message *made = NULL;
	struct error why;

	if (message_respell_cr(*m, '\r', &made, err) < 0)
		return -1;
	if (rewrite_message(&made, edits, &opt, &why) < 0) {
		message_free(made);
		if (!is_about_content(&why)) {
			*err = why;
			return error_prefix(err, "bare_cr = encode");
		}
		if (message_respell_cr(*m, ' ', &made, err) < 0)
			return -1;
	}
	message_free(*m);
	*m = made;
	return 0;
}

static int blank_cr(struct message **m, struct error *err)
{
	struct message *made = NULL;

	if (message_respell_cr(*m, ' ', &made, err) < 0)
		return -1;
	message_free(*m);
	*m = made;		/* with the same fields: the edits fit */
	return 0;
}

int convert_bare_cr(struct message **m, struct edits *edits, struct envelope *e,
		    const struct account *a, struct error *err)
{
	const enum bare_cr how = a->convert.bare_cr;

	if (how == BARE_CR_REJECT && ((*m)->header_cr || (*m)->body_cr))
		return error_set(err, FAULT_MESSAGE, "the %s has a CR that ends no line: "
				 "bare_cr = reject", (*m)->header_cr ? "header" : "body");
	if (!(*m)->body_cr || (*m)->body_binary || how == BARE_CR_LINE_END)
		return 0;
	if ((how == BARE_CR_ENCODE ? encode_cr(m, edits, a, err) : blank_cr(m, err)) < 0)
		return -1;
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

static int refuse_lines(const struct message *m, struct error *err)
{
	if (m->longest_line > MESSAGE_LINE_MAX)
		return error_set(err, FAULT_MESSAGE,
				 "a line of %llu octets, %d are allowed: long_lines = reject",
				 (unsigned long long)m->longest_line, MESSAGE_LINE_MAX);
	return error_set(err, FAULT_MESSAGE,
			 "a line of the header has more than %d octets: long_lines = reject",
			 MESSAGE_LINE_MAX);
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
	struct error why;

	if (a->convert.long_lines == LONG_LINES_PASS || e->body == BODY_BINARYMIME ||
	    (!body && !has_long_field(edits, *m)))
		return 0;
	if (a->convert.long_lines == LONG_LINES_REJECT)
		return refuse_lines(*m, err);
	if (is_sealed(*m, a)) {		/* the server may take them */
		explain_note(e->explain, "long lines: kept, as the message has a DKIM-Signature");
		return 0;
	}
	opt.charset = convert_charset(edits->arena, *m, a);
	fold_header(edits, *m, split, a->convert.smtputf8_downgrade == UTF8_DOWNGRADE_NEVER ?
		    NULL : opt.charset);
	if (body && rewrite_message(m, edits, &opt, &why) < 0) {
		if (is_about_content(&why)) {
			explain_note(e->explain, "long lines: kept, as %s", why.text);
		} else {
			*err = why;
			return -1;
		}
	}
	measure(e, *m, edits);
	return 0;
}

/* --- what one server takes ------------------------------------------------------ */

/* What is to be done, and what has come of it. */
struct plan {
	bool seven_bit, headers;	/* no 8-bit content; no UTF-8 in headers */
	bool text;			/* nothing binary */
	bool ascii;			/* nothing but ASCII in headers, whatever is lost */
	bool sealed;
	bool raw;			/* the header stays as it is: it is signed */
	const char *charset;		/* of octets that are no UTF-8 */
	bool left;			/* an address in a header needs SMTPUTF8 */
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
static bool downgrade_field(struct strbuf *out, const char *text, size_t len,
			    const struct plan *p, const struct account *a)
{
	struct strbuf ascii = STRBUF_INIT(FIELD_MAX);
	const bool must = p->ascii || !text_is_utf8(text, len);
	const bool left = mime_header_encode(&ascii, text, len, p->charset,
					     must ? MIME_HEADER_ASCII : 0);

	rfc2047_recode(&ascii, a->convert.charset_out);
	const bool whole = !strbuf_overflow(&ascii);

	if (whole && !header_fold_needed(text, len))
		mime_header_fold(out, ascii.buf, ascii.len, false, NULL);
	else if (whole)
		strbuf_add(out, ascii.buf, ascii.len);
	strbuf_release(&ascii);
	return left || !whole || strbuf_overflow(out);
}

static void convert_header(struct converted *c, struct plan *p, const struct message *m,
			   const struct account *a)
{
	struct strbuf out = STRBUF_INIT(FIELD_MAX);
	const char *text;
	size_t at = 0, len;

	while ((text = edits_next(&c->edits, m, &at, &len))) {
		if (text_is_ascii(text, len) || (!p->headers && text_is_utf8(text, len)))
			continue;
		strbuf_reset(&out);
		p->left |= downgrade_field(&out, text, len, p, a);
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
		.seven_bit = p->seven_bit && !p->sealed, .headers = p->headers, .ascii = p->ascii,
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
		if (must && err->fault == FAULT_MESSAGE)
			(void)!error_recast(err, FAULT_CONVERSION);
		if (must)
			return error_prefix(err, "the server does not offer %s", lacks);
		return is_about_content(err) ? 0 : -1;
	}
	p->left |= opt.headers ? report.left : report.part_header_8bit;
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
	struct plan p = { .sealed = is_sealed(m, a), .charset = convert_charset(c->arena, m, a),
			  .ascii = !c->utf8 };

	p.seven_bit = a->convert.convert_8bit == CONVERT_8BIT_ALWAYS ||
		      (a->convert.convert_8bit == CONVERT_8BIT_YES && !c->eight);
	p.text = m->body_binary && !c->binary && a->convert.convert_8bit != CONVERT_8BIT_NO;
	p.headers = a->convert.smtputf8_downgrade == UTF8_DOWNGRADE_ALWAYS ||
		    (a->convert.smtputf8_downgrade == UTF8_DOWNGRADE_AUTO && !utf8_used);
	p.raw = p.sealed && c->eight && (utf8_used || !c->utf8 || !e->utf8);
	if (p.sealed)
		p.headers = !p.raw;
	return p;
}

/* A header that may not be touched is no reason to need SMTPUTF8, but one to use it. */
static void settle(struct converted *c, const struct plan *p, const struct message *m)
{
	struct envelope *e = &c->envelope;
	const bool header_8bit = edits_header_8bit(&c->edits, c->message);
	const bool bare = p->raw && !(c->utf8 && (m->header_utf8 || !m->header_8bit));

	e->header_utf8 = !bare && (p->left || header_8bit);
	e->utf8 = e->utf8 || e->header_utf8;
	if (!c->message->body_binary && !(e->body == BODY_BINARYMIME && c->binary))
		e->body = c->message->body_8bit || header_8bit ? BODY_8BITMIME : BODY_7BIT;
	e->size = edits_wire_size(&c->edits, c->message);
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

	if (header && !p.raw)
		convert_header(c, &p, m, a);
	if (touches_body(&p, m) && convert_body(c, &p, m, a, err) < 0)
		return -1;
	settle(c, &p, m);
	return 0;
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
