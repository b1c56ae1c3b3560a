#include "config.h"
#include "mime/mime_convert.h"

#include <string.h>

#include "message/edits.h"
#include "message/header_fold.h"
#include "message/message.h"
#include "message/writer.h"
#include "mime/mime_facts.h"
#include "mime/mime_header.h"
#include "mime/mime_walk.h"
#include "util/error.h"
#include "util/strbuf.h"

#define BLOCK ((size_t)64 * 1024)
#define FIELD_MAX (16 * MESSAGE_HEADER_MAX)	/* each octet may become several */

/* The second pass. */
struct convert {
	const struct mime_options *opt;
	const struct mime_facts *facts;
	struct mime_report *report;
	struct message_reader *reader;
	struct strbuf out;		/* not yet given to the reader */
	struct strbuf field, folded;	/* scratch */
	struct mime_encoder encoder;
	size_t id;			/* whose content the encoder is at */
	bool encoding;			/* it is at one */
};

static int flush(struct convert *c, size_t least, struct error *err)
{
	if (c->out.len < least || !c->out.len)
		return 0;
	int rc = message_reader_push(c->reader, c->out.buf, c->out.len, err);

	strbuf_reset(&c->out);
	return rc;
}

/* A field as it is to be: in ASCII, and folded. */
static int put_field(struct convert *c, const struct mime_fact *f, const struct mime_field *field,
		     struct error *err)
{
	const char *text = field->text;
	size_t len = field->len;

	if (f->header_8bit && c->opt->headers) {
		strbuf_reset(&c->field);
		c->report->left |= mime_header_downgrade(&c->field, text, len, c->opt->charset);
		text = c->field.buf;
		len = c->field.len;
	}
	/* the ASCII form may be long where the field was not: then it is ours to fold */
	const bool grown = text != field->text && !header_fold_needed(field->text, field->len);

	if ((grown || (f->header_long && c->opt->lines)) && header_fold_needed(text, len)) {
		strbuf_reset(&c->folded);
		if (header_fold(&c->folded, text, len, c->opt->lines == MIME_LINES_SPLIT, err) < 0)
			return -1;
		text = c->folded.buf;
		len = c->folded.len;
	}
	if (strbuf_overflow(&c->field) || strbuf_overflow(&c->folded))
		return error_set(err, FAULT_MESSAGE,
				 "a header field is too large to be converted");
	strbuf_add(&c->out, text, len);
	return flush(c, BLOCK, err);
}

/* The fields that a content which is encoded now needs and the header lacks. */
static void add_fields(struct convert *c, const struct mime_fact *f, const char *encoding)
{
	if (f->message && !f->has_version)
		strbuf_addstr(&c->out, "MIME-Version: 1.0\r\n");
	if (f->message && !f->has_type && f->kind == MIME_LEAF) {
		strbuf_addstr(&c->out, "Content-Type: text/plain; charset=");
		strbuf_addstr(&c->out, !f->content_8bit ? "us-ascii" :
			      !f->not_utf8 ? "utf-8" : c->opt->charset);
		strbuf_addstr(&c->out, "\r\n");
	}
	if (!f->has_encoding)
		strbuf_addf(&c->out, "Content-Transfer-Encoding: %s\r\n", encoding);
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
	c->encoding = false;
	while (mime_field_next(text, len, &at, &field)) {
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
	return flush(c, BLOCK, err);
}

static int put_copy(void *ctx, const char *data, size_t n, struct error *err)
{
	struct convert *c = ctx;

	/* only the blanks behind a delimiter can make it so long */
	bool cut = c->opt->lines != MIME_LINES_PASS && n > MESSAGE_LINE_MAX;

	while (cut && (data[n - 1] == ' ' || data[n - 1] == '\t'))
		n--;
	strbuf_add(&c->out, data, n);
	return flush(c, BLOCK, err);
}

static int put_end(void *ctx, size_t id, size_t parts, struct error *err)
{
	struct convert *c = ctx;

	(void)parts, (void)err;
	if (c->encoding && c->id == id)
		mime_encoder_finish(&c->encoder, &c->out);
	c->encoding = false;
	return 0;
}

static int run(struct convert *c, struct writer *w, struct message **out, struct error *err)
{
	static const struct mime_walk_handler handler = {
		.header = put_header, .content = put_content, .copy = put_copy, .end = put_end,
	};
	static const struct message_options canonical = { .dots_ignored = true, .wire = true };

	c->reader = message_reader_new(&canonical);
	strbuf_init(&c->out, FIELD_MAX + 8 * BLOCK);
	strbuf_init(&c->field, FIELD_MAX);
	strbuf_init(&c->folded, FIELD_MAX);
	int rc = mime_walk(w, &handler, c, err);

	if (rc == 0)
		rc = flush(c, 0, err);
	if (rc == 0)
		rc = message_reader_finish(c->reader, out, err);
	else
		message_reader_free(c->reader);
	strbuf_release(&c->out);
	strbuf_release(&c->field);
	strbuf_release(&c->folded);
	return rc;
}

int mime_convert(const struct message *m, const struct edits *edits,
		 const struct mime_options *opt, struct message **out,
		 struct mime_report *report, struct error *err)
{
	struct mime_facts facts = { 0 };
	struct convert c = { .opt = opt, .facts = &facts, .report = report };
	struct writer *w = writer_new(m, edits, WRITER_PLAIN);
	struct message *made = NULL;

	*report = (struct mime_report){ 0 };
	int rc = mime_facts_collect(&facts, w, opt, report, err);

	writer_free(w);
	if (rc == 0 && facts.changed) {
		w = writer_new(m, edits, WRITER_PLAIN);
		rc = run(&c, w, &made, err);
		writer_free(w);
	}
	mime_facts_release(&facts);
	if (rc == 0)
		*out = made;
	return rc;
}
