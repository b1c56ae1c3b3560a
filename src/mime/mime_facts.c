#include "config.h"
#include "mime/mime_facts.h"

#include <string.h>

#include "message/header_fold.h"
#include "message/message.h"
#include "message/scan.h"
#include "mime/mime_walk.h"
#include "util/error.h"
#include "util/text.h"
#include "util/xalloc.h"

#define ESCAPES_PER 6		/* quoted-printable is shorter below one octet in so many */

struct collect {
	struct mime_facts *facts;
	size_t alloc;
	const struct mime_options *opt;
	uint64_t column;
	char tail[4];			/* octets of a character that is cut by the pieces */
	size_t tail_n;
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
	struct collect *c = ctx;
	struct mime_facts *facts = c->facts;

	(void)id, (void)blank, (void)err;
	if (facts->n == c->alloc) {
		c->alloc = c->alloc ? 2 * c->alloc : 16;
		facts->fact = xrealloc(facts->fact, c->alloc, sizeof(*facts->fact));
	}
	facts->fact[facts->n++] = (struct mime_fact){
		.kind = e->kind, .encoding = e->encoding, .text = e->text, .global = e->global,
		.message = e->place == MIME_PLACE_MESSAGE, .fault = e->fault,
		.has_version = e->has_version, .has_type = e->has_type,
		.has_encoding = e->has_encoding, .header_8bit = scan_8bit(text, len),
		.header_long = header_fold_needed(text, len),
		.header_binary = c->opt->binary && is_binary_header(text, len),
	};
	c->column = 0;
	c->tail_n = 0;
	return 0;
}

/* Is it UTF-8? A character may lie across two pieces. */
static void check_utf8(struct collect *c, struct mime_fact *f, const char *data, size_t n)
{
	while (c->tail_n && n && !f->not_utf8) {
		c->tail[c->tail_n++] = *data++;
		n--;
		if (text_utf8_char(c->tail, c->tail_n))
			c->tail_n = 0;
		else if (c->tail_n == sizeof(c->tail))
			f->not_utf8 = true;
	}
	while (n && !f->not_utf8) {
		size_t len = text_utf8_char(data, n);

		if (!len && n < sizeof(c->tail)) {
			memcpy(c->tail, data, n);
			c->tail_n = n;
			return;
		}
		f->not_utf8 = len == 0;
		data += len;
		n -= len;
	}
}

static int take_content(void *ctx, size_t id, const char *data, size_t n, struct error *err)
{
	struct collect *c = ctx;
	struct mime_fact *f = &c->facts->fact[id];

	(void)err;
	f->octets += n;
	if (n == 2 && memcmp(data, "\r\n", 2) == 0) {
		c->column = 0;
		return 0;
	}
	c->column += n;
	f->content_long |= c->column > MESSAGE_LINE_MAX;
	f->content_8bit = f->content_8bit || scan_8bit(data, n);
	f->binary = f->binary || (c->opt->binary && is_binary(data, n));
	if (f->text && (c->opt->seven_bit || c->opt->lines))
		f->escapes += mime_count_escapes(data, n);
	if (f->message && !f->has_type && f->content_8bit)
		check_utf8(c, f, data, n);
	return 0;
}

static int take_copy(void *ctx, const char *data, size_t n, struct error *err)
{
	struct collect *c = ctx;

	(void)data, (void)err;
	c->facts->changed |= n > MESSAGE_LINE_MAX && c->opt->lines;
	c->column = 0;
	return 0;
}

/* A multipart whose boundary never came is none: its text must not be taken for a filler. */
static int take_end(void *ctx, size_t id, size_t parts, struct error *err)
{
	struct collect *c = ctx;
	struct mime_fact *f = &c->facts->fact[id];

	(void)err;
	f->not_utf8 |= c->tail_n > 0;
	c->tail_n = 0;
	c->column = 0;
	if (f->kind == MIME_MULTIPART && !parts) {
		f->kind = MIME_RIGID;
		f->fault = "its boundary does not occur";
	}
	return 0;
}

static int broken(const struct mime_fact *f, struct error *err)
{
	return error_set(err, FAULT_MESSAGE,
			 "a MIME part cannot be converted: %s", f->fault);
}

/* Content that must not be encoded, and why it would have to be. */
static int cannot_encode(const struct mime_fact *f, bool eight, struct error *err)
{
	const char *what = f->kind == MIME_SEALED ? "a signed or encrypted part" :
		f->kind == MIME_RIGID ? "a part of a message type" :
		"a part in an encoding that is not known";

	if (eight)
		return error_set(err, FAULT_CONVERSION,
				 "%s has 8-bit characters and must not be converted", what);
	return error_set(err, FAULT_MESSAGE,
			 "%s has %s and must not be converted", what,
			 f->binary ? "binary content" : "a line of more than 998 octets");
}

/* What becomes of a leaf's content, which has what must not be. */
static int choose(struct mime_fact *f, const struct mime_options *opt, bool eight, bool lines,
		  struct error *err)
{
	if (f->fault)
		return broken(f, err);
	if (f->kind != MIME_LEAF || f->encoding == MIME_UNKNOWN)
		return cannot_encode(f, eight, err);
	if (f->encoding == MIME_QUOTED_PRINTABLE || f->encoding == MIME_BASE64) {
		if (eight || f->binary)
			return error_set(err, FAULT_MESSAGE, "a part that is said to be "
					 "base64 or quoted-printable has %s",
					 eight ? "8-bit characters" : "binary content");
		f->transfer = f->encoding == MIME_BASE64 ? MIME_WRAP_BASE64 : MIME_WRAP_QP;
	} else if (!eight && lines && opt->lines == MIME_LINES_SPLIT && f->text) {
		f->transfer = MIME_SPLIT;
	} else if (f->text && !f->binary && f->escapes * ESCAPES_PER < f->octets) {
		f->transfer = MIME_TO_QP;
	} else {
		f->transfer = MIME_TO_BASE64;
	}
	return 0;
}

static int decide(struct mime_facts *facts, size_t i, const struct mime_options *opt,
		  struct error *err)
{
	struct mime_fact *f = &facts->fact[i];
	bool eight = f->content_8bit && (opt->seven_bit || (opt->headers && f->global));
	bool lines = f->binary || (f->content_long && opt->lines != MIME_LINES_PASS);

	if (f->header_binary)
		return error_set(err, FAULT_MESSAGE, "the header of a MIME part is binary");
	if (f->kind == MIME_MULTIPART) {	/* nobody is to see what is there */
		f->transfer = opt->seven_bit ? MIME_FILLER : lines ? MIME_SPLIT : MIME_COPY;
	} else if ((eight || lines) && choose(f, opt, eight, lines, err) < 0) {
		return -1;
	}
	facts->changed |= (f->header_8bit && opt->headers) || eight || lines || opt->binary ||
			  (f->header_long && opt->lines != MIME_LINES_PASS);
	return 0;
}

const char *mime_fact_encoding(const struct mime_fact *f, const struct mime_options *opt)
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

int mime_facts_collect(struct mime_facts *facts, struct writer *w, const struct mime_options *opt,
		       struct mime_report *report, struct error *err)
{
	static const struct mime_walk_handler handler = {
		.header = take_header, .content = take_content, .copy = take_copy,
		.end = take_end,
	};
	struct collect c = { .facts = facts, .opt = opt };

	*facts = (struct mime_facts){ 0 };
	if (mime_walk(w, &handler, &c, err) < 0)
		return -1;
	for (size_t i = 0; i < facts->n; i++) {
		report->part_header_8bit |= i > 0 && facts->fact[i].header_8bit;
		if (decide(facts, i, opt, err) < 0)
			return -1;
	}
	return 0;
}

void mime_facts_release(struct mime_facts *facts)
{
	xfree(facts->fact);
}
