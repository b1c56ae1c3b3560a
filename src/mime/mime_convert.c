#include "config.h"
#include "mime/mime_convert.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "message/edits.h"
#include "message/header.h"
#include "message/message.h"
#include "message/rfc2047.h"
#include "message/writer.h"
#include "mime/mime_encode.h"
#include "mime/mime_header.h"
#include "mime/mime_parse.h"
#include "mime/mime_walk.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xalloc.h"

/* One entity; content is that of a leaf, or what is around the parts of a multipart. */
struct mime_fact {
	enum mime_kind kind;
	enum mime_encoding encoding;
	bool text, global, fields;
	bool message;			/* the header of a message, not of a part */
	bool has_version, has_type, has_encoding;
	bool header_8bit, header_long;
	bool content_8bit, content_long;
	bool binary, header_binary;	/* NUL, or CR and LF that are no line end */
	bool not_base64;		/* it holds what its alphabet has not */
	bool not_utf8;			/* content that may have to be called text */
	const char *fault;		/* of mime_entity: it is sent as text where it is encoded */
	uint64_t octets, escapes;	/* of text */
	enum mime_transfer transfer;	/* what is to be done */
};

#define BLOCK ((size_t)64 * 1024)
#define FIELD_MAX (16 * MESSAGE_HEADER_MOST)	/* each octet may become several */

/* --- the first pass: what each entity holds and what is to be done to it ------------ */

#define ESCAPES_PER 6		/* quoted-printable is shorter below one octet in so many */

struct mime_facts {
	const struct mime_options *opt;
	struct mime_fact *fact;
	size_t n, alloc;
	bool changed;		/* something is to be done to the message */
	uint64_t column;
	struct text_utf8 utf8;
};

/* Is there a NUL, CR or LF? Line ends are not among the octets given. */
static bool is_binary(const char *data, size_t n)
{
	return memchr(data, '\0', n) || memchr(data, '\r', n) || memchr(data, '\n', n);
}

static bool is_binary_header(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
			i++;
		else if (text[i] == '\r' || text[i] == '\n' || !text[i])
			return true;
	}
	return false;
}

static int take_header(void *ctx, size_t id, const struct mime_entity *e, const char *text,
		       size_t len, bool blank, struct error *err)
{
	struct mime_facts *c = ctx;

	(void)id, (void)blank, (void)err;
	if (c->n == c->alloc) {
		c->alloc = c->alloc ? 2 * c->alloc : 16;
		c->fact = xrealloc(c->fact, c->alloc, sizeof(*c->fact));
	}
	c->fact[c->n++] = (struct mime_fact){
		.kind = e->kind, .encoding = e->encoding, .text = e->text, .global = e->global,
		.fields = e->fields,
		.message = e->place == MIME_PLACE_MESSAGE, .fault = e->fault,
		.has_version = e->has_version, .has_type = e->has_type,
		.has_encoding = e->has_encoding, .header_8bit = !text_is_ascii(text, len),
		.header_long = header_fold_needed(text, len),
		.header_binary = c->opt->binary && is_binary_header(text, len),
	};
	c->column = 0;
	c->utf8 = (struct text_utf8){ .n = 0 };
	return 0;
}

/* Blanks at the end of a line are nothing; those between words are no base64 that anybody makes. */
static bool is_base64_line(const char *data, size_t n)
{
	while (n && (data[n - 1] == ' ' || data[n - 1] == '\t'))
		n--;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)data[i]) && !memchr("+/=\r\n", data[i], 5))
			return false;
	}
	return true;
}

/* Is its charset ours to name? A multipart may turn out to be none. */
static bool is_unlabelled(const struct mime_fact *f)
{
	return (f->message && !f->has_type) || f->fault || f->kind == MIME_MULTIPART;
}

static int take_content(void *ctx, size_t id, const char *data, size_t n, struct error *err)
{
	struct mime_facts *c = ctx;
	struct mime_fact *f = &c->fact[id];

	(void)err;
	f->octets += n;
	if (n == 2 && memcmp(data, "\r\n", 2) == 0) {
		c->column = 0;
		return 0;
	}
	c->column += n;
	f->content_long |= c->column > MESSAGE_LINE_MAX;
	f->content_8bit = f->content_8bit || !text_is_ascii(data, n);
	f->not_base64 = f->not_base64 || (f->encoding == MIME_BASE64 && !is_base64_line(data, n));
	f->binary = f->binary || (c->opt->binary && is_binary(data, n));
	if ((f->text || is_unlabelled(f)) && (c->opt->seven_bit || c->opt->lines))
		f->escapes += mime_count_escapes(data, n);
	if (is_unlabelled(f) && f->content_8bit)
		text_utf8_push(&c->utf8, data, n);
	return 0;
}

static int take_copy(void *ctx, const char *data, size_t n, struct error *err)
{
	struct mime_facts *c = ctx;

	(void)data, (void)err;
	c->changed |= n > MESSAGE_LINE_MAX && c->opt->lines;
	c->column = 0;
	return 0;
}

/* A multipart whose boundary never came is none: its text must not be taken for a filler. */
static int take_end(void *ctx, size_t id, size_t parts, struct error *err)
{
	struct mime_facts *c = ctx;
	struct mime_fact *f = &c->fact[id];

	(void)err;
	f->not_utf8 |= c->utf8.bad || c->utf8.n > 0;
	c->utf8 = (struct text_utf8){ .n = 0 };
	c->column = 0;
	if (f->kind == MIME_MULTIPART && !parts) {
		f->kind = MIME_RIGID;
		f->fault = "its boundary does not occur";
	}
	return 0;
}

/* As text, if it is any. */
static enum mime_transfer encode(const struct mime_fact *f, bool text)
{
	return text && !f->binary && f->escapes * ESCAPES_PER < f->octets ? MIME_TO_QP :
		MIME_TO_BASE64;
}

/* What is signed stays as it is: a server may take long lines, and cannot have the others. */
static int choose_sealed(struct mime_fact *f, bool eight, struct error *err)
{
	if (eight || f->binary)
		return error_set(err, FAULT_CONVERSION, "a signed or encrypted part has %s and "
				 "must not be converted",
				 eight ? "8-bit characters" : "binary content");
	f->transfer = MIME_COPY;
	return 0;
}

/*
 * What becomes of a leaf's content, which has what must not be. Where nobody
 * can tell what it is, in a report, and in base64 that is none, long lines
 * are cut: that does no harm however it is read. 8-bit characters are encoded
 * there as well, but for those of a report, which nobody would decode.
 */
static int choose(struct mime_fact *f, const struct mime_options *opt, bool eight, bool lines,
		  struct error *err)
{
	const bool cut = !eight && !f->binary;

	if (f->kind == MIME_SEALED)
		return choose_sealed(f, eight, err);
	if (f->kind != MIME_LEAF || f->encoding == MIME_UNKNOWN) {
		f->transfer = cut ? MIME_SPLIT : f->fields && !f->binary ? MIME_FILLER :
			encode(f, f->text || f->fault);
	} else if (f->encoding == MIME_QUOTED_PRINTABLE && !f->binary) {
		f->transfer = MIME_WRAP_QP;
	} else if (f->encoding == MIME_BASE64 && !f->not_base64) {
		f->transfer = MIME_WRAP_BASE64;
	} else if (f->encoding == MIME_BASE64 && cut) {
		f->transfer = MIME_SPLIT;
	} else if (!eight && lines && opt->lines == MIME_LINES_SPLIT && f->text) {
		f->transfer = MIME_SPLIT;
	} else {
		f->transfer = encode(f, f->text);
	}
	return 0;
}

static int decide(struct mime_facts *facts, size_t i, struct error *err)
{
	const struct mime_options *opt = facts->opt;
	struct mime_fact *f = &facts->fact[i];
	bool eight = f->content_8bit && (opt->seven_bit || (opt->headers && f->global));
	bool lines = f->binary || (f->content_long && opt->lines != MIME_LINES_PASS);

	if (f->kind == MIME_MULTIPART) {	/* nobody is to see what is there */
		f->transfer = opt->seven_bit ? MIME_FILLER : lines ? MIME_SPLIT : MIME_COPY;
	} else if ((eight || lines) && choose(f, opt, eight, lines, err) < 0) {
		return -1;
	}
	facts->changed |= (f->header_8bit && opt->headers) || opt->binary || f->header_binary ||
			  ((eight || lines) && f->kind != MIME_SEALED) ||
			  (f->header_long && opt->lines != MIME_LINES_PASS);
	return 0;
}

/* The encoding that entity f must say it has; NULL = what it says is right. */
static const char *mime_fact_encoding(const struct mime_fact *f, const struct mime_options *opt)
{
	bool parent = f->kind == MIME_MULTIPART || f->kind == MIME_MESSAGE ||
		      f->kind == MIME_EXTERNAL;

	if (f->transfer == MIME_TO_QP)
		return "quoted-printable";
	if (f->transfer == MIME_TO_BASE64)
		return "base64";
	if (!f->has_encoding || f->encoding == MIME_7BIT)
		return NULL;
	if (opt->seven_bit && (parent || f->encoding == MIME_8BIT || f->encoding == MIME_BINARY))
		return "7bit";
	return opt->lines != MIME_LINES_PASS && f->encoding == MIME_BINARY ? "8bit" : NULL;
}

/* Reads w to its end and decides; errors as in mime_convert.h. */
static int mime_facts_collect(struct mime_facts *facts, struct writer *w,
			      struct mime_report *report, struct error *err)
{
	static const struct mime_walk_handler handler = {
		.header = take_header, .content = take_content, .copy = take_copy,
		.end = take_end,
	};

	if (mime_walk(w, &handler, facts, err) < 0)
		return -1;
	for (size_t i = 0; i < facts->n; i++) {
		report->part_header_8bit |= i > 0 && facts->fact[i].header_8bit;
		if (decide(facts, i, err) < 0)
			return -1;
	}
	return 0;
}

/* The second pass. */
struct convert {
	const struct mime_options *opt;
	const struct mime_facts *facts;
	struct mime_report *report;
	struct message_reader *reader;
	struct strbuf out;		/* not yet given to the reader */
	struct strbuf clean, field, folded;	/* scratch */
	struct mime_encoder encoder;
	size_t id;			/* whose content the encoder is at */
	bool encoding;			/* it is at one */
};

/* A blank for each CR and LF that is no line end, and for each NUL. */
static void clean_field(struct strbuf *out, const char *text, size_t len)
{
	strbuf_reset(out);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n') {
			strbuf_addstr(out, "\r\n");
			i++;
		} else {
			strbuf_addch(out, !text[i] || text[i] == '\r' || text[i] == '\n' ? ' ' :
				     text[i]);
		}
	}
}

/* A field as it is to be: in ASCII, and folded. */
static int put_field(struct convert *c, const struct mime_fact *f, const struct mime_field *field,
		     struct error *err)
{
	const char *text = field->text;
	size_t len = field->len;

	if (f->header_binary) {
		clean_field(&c->clean, text, len);
		text = c->clean.buf;
		len = c->clean.len;
	}
	if (f->header_8bit && c->opt->headers) {
		const bool must = c->opt->ascii || !text_is_utf8(text, len);

		strbuf_reset(&c->field);
		c->report->left |= mime_header_encode(&c->field, text, len, c->opt->charset,
						      must ? MIME_HEADER_ASCII : 0);
		rfc2047_recode(&c->field, c->opt->words);
		text = c->field.buf;
		len = c->field.len;
	}
	/* the ASCII form may be long where the field was not: then it is ours to fold */
	const bool grown = text != field->text && !header_fold_needed(field->text, field->len);

	if ((grown || (f->header_long && c->opt->lines)) && header_fold_needed(text, len)) {
		strbuf_reset(&c->folded);
		mime_header_fold(&c->folded, text, len, c->opt->lines == MIME_LINES_SPLIT,
				 c->opt->charset);
		text = c->folded.buf;
		len = c->folded.len;
	}
	if (strbuf_overflow(&c->clean) || strbuf_overflow(&c->field) ||
	    strbuf_overflow(&c->folded))
		return error_set(err, FAULT_MESSAGE,
				 "a header field is too large to be converted");
	strbuf_add(&c->out, text, len);
	return message_reader_take(c->reader, &c->out, BLOCK, err);
}

/* Is it a multipart that goes out as the text that it is? */
static bool is_text_now(const struct mime_fact *f)
{
	return f->fault && (f->transfer == MIME_TO_QP || f->transfer == MIME_TO_BASE64);
}

/* The fields that a content which is encoded now needs and the header lacks. */
static void add_fields(struct convert *c, const struct mime_fact *f, const char *encoding)
{
	if (f->message && !f->has_version)
		strbuf_addstr(&c->out, "MIME-Version: 1.0\r\n");
	if (is_text_now(f) || (f->message && !f->has_type && f->kind == MIME_LEAF)) {
		strbuf_addstr(&c->out, "Content-Type: text/plain; charset=");
		strbuf_addstr(&c->out, !f->content_8bit ? "us-ascii" :
			      !f->not_utf8 ? "utf-8" : c->opt->charset);
		strbuf_addstr(&c->out, "\r\n");
	}
	if (!f->has_encoding)
		strbuf_addf(&c->out, "Content-Transfer-Encoding: %s\r\n", encoding);
}

/* What the encoder still holds goes out before anything else does. */
static void end_content(struct convert *c)
{
	if (c->encoding)
		mime_encoder_finish(&c->encoder, &c->out);
	c->encoding = false;
}

static int put_header(void *ctx, size_t id, const struct mime_entity *e, const char *text,
		      size_t len, bool blank, struct error *err)
{
	struct convert *c = ctx;
	const struct mime_fact *f = &c->facts->fact[id];
	const char *encoding = mime_fact_encoding(f, c->opt);
	struct mime_field field;
	size_t at = 0;

	(void)e;
	end_content(c);
	while (mime_field_next(text, len, &at, &field)) {
		if (is_text_now(f) && mime_field_is(&field, "Content-Type"))
			continue;
		if (encoding && mime_field_is(&field, "Content-Transfer-Encoding"))
			strbuf_addf(&c->out, "%.*s: %s\r\n", (int)field.name, field.text, encoding);
		else if (put_field(c, f, &field, err) < 0)
			return -1;
	}
	if (encoding)
		add_fields(c, f, encoding);
	if (blank)
		strbuf_addstr(&c->out, "\r\n");
	return 0;
}

static int put_content(void *ctx, size_t id, const char *data, size_t n, struct error *err)
{
	struct convert *c = ctx;

	if (!c->encoding || c->id != id) {
		mime_encoder_init(&c->encoder, c->facts->fact[id].transfer);
		c->id = id;
		c->encoding = true;
	}
	mime_encoder_push(&c->encoder, data, n, &c->out);
	return message_reader_take(c->reader, &c->out, BLOCK, err);
}

static int put_copy(void *ctx, const char *data, size_t n, struct error *err)
{
	struct convert *c = ctx;

	/* only the blanks behind a delimiter can make it so long */
	bool cut = c->opt->lines != MIME_LINES_PASS && n > MESSAGE_LINE_MAX;

	end_content(c);
	while (cut && (data[n - 1] == ' ' || data[n - 1] == '\t'))
		n--;
	strbuf_add(&c->out, data, n);
	return message_reader_take(c->reader, &c->out, BLOCK, err);
}

static int put_end(void *ctx, size_t id, size_t parts, struct error *err)
{
	struct convert *c = ctx;

	(void)id, (void)parts, (void)err;
	end_content(c);
	return 0;
}

static int run(struct convert *c, struct writer *w, struct message **out, struct error *err)
{
	static const struct mime_walk_handler handler = {
		.header = put_header, .content = put_content, .copy = put_copy, .end = put_end,
	};
	static const struct message_options canonical = { .dots_ignored = true, .wire = true,
							   .large_header = true };

	c->reader = message_reader_new(&canonical);
	strbuf_init(&c->out, FIELD_MAX + 8 * BLOCK);
	strbuf_init(&c->clean, FIELD_MAX);
	strbuf_init(&c->field, FIELD_MAX);
	strbuf_init(&c->folded, FIELD_MAX);
	int rc = mime_walk(w, &handler, c, err);

	if (rc == 0)
		rc = message_reader_take(c->reader, &c->out, 0, err);
	if (rc == 0)
		rc = message_reader_finish(c->reader, out, err);
	else
		message_reader_free(c->reader);
	strbuf_release(&c->out);
	strbuf_release(&c->clean);
	strbuf_release(&c->field);
	strbuf_release(&c->folded);
	return rc;
}

int mime_convert(const struct message *m, const struct edits *edits,
		 const struct mime_options *opt, struct message **out,
		 struct mime_report *report, struct error *err)
{
	struct mime_facts facts = { .opt = opt };
	struct convert c = { .opt = opt, .facts = &facts, .report = report };
	struct writer *w = writer_new(m, edits, WRITER_PLAIN);
	struct message *made = NULL;

	*report = (struct mime_report){ 0 };
	int rc = mime_facts_collect(&facts, w, report, err);

	writer_free(w);
	if (rc == 0 && facts.changed) {
		w = writer_new(m, edits, WRITER_PLAIN);
		rc = run(&c, w, &made, err);
		writer_free(w);
	}
	xfree(facts.fact);
	if (rc == 0)
		*out = made;
	return rc;
}
