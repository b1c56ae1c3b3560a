#include "config.h"
#include "message/bare_cr.h"

#include <string.h>

#include "message/message.h"
#include "message/spool.h"
#include "util/strbuf.h"

#define BLOCK ((size_t)64 * 1024)

struct respelling {
	char blank;			/* what a CR by itself becomes */
	uint64_t cr;			/* CRs read that may belong to a line end */
	struct strbuf out;
};

/* The CRs that have turned out to end no line. */
static void add_bare(struct respelling *r)
{
	for (; r->cr; r->cr--)
		strbuf_addch(&r->out, r->blank);
}

static void respell(struct respelling *r, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\r') {
			r->cr++;
		} else if (data[i] == '\n') {
			r->cr = 0;
			strbuf_add(&r->out, "\r\n", 2);
		} else if (data[i] != '\0') {
			add_bare(r);
			strbuf_addch(&r->out, data[i]);
		}
	}
}

static int flush(struct respelling *r, struct message_reader *reader, struct error *err)
{
	int rc = message_reader_push(reader, r->out.buf, r->out.len, err);

	strbuf_reset(&r->out);
	return rc;
}

static int copy_header(struct respelling *r, const struct message *m, struct message_reader *reader,
		       struct error *err)
{
	for (size_t i = 0; i < m->header.n; i++) {
		strbuf_add(&r->out, m->header.field[i].text, m->header.field[i].len);
		if (flush(r, reader, err) < 0)
			return -1;
	}
	strbuf_addstr(&r->out, "\r\n");
	return flush(r, reader, err);
}

static int copy_body(struct respelling *r, const struct message *m, struct message_reader *reader,
		     struct error *err)
{
	char block[8192];

	for (uint64_t at = m->body_start; at < m->body_end;) {
		uint64_t left = m->body_end - at;
		ssize_t n = spool_read(m->spool, at, block,
				       left < sizeof(block) ? (size_t)left : sizeof(block), err);

		if (n < 0)
			return -1;
		respell(r, block, (size_t)n);
		at += (uint64_t)n;
		if (r->out.len >= BLOCK && flush(r, reader, err) < 0)
			return -1;
	}
	add_bare(r);
	return flush(r, reader, err);
}

int bare_cr_rewrite(const struct message *m, enum bare_cr_way how, struct message **out,
		    struct error *err)
{
	const struct message_options opt = { .dots_ignored = true, .wire = true,
					     .binary = how == BARE_CR_AS_BINARY };
	struct message_reader *reader = message_reader_new(&opt);
	/* what waits is a block and a run of CRs, which are no more than the body has */
	struct respelling r = { .blank = how == BARE_CR_AS_BINARY ? '\r' : ' ',
				.out = STRBUF_INIT((size_t)(m->body_end - m->body_start) +
						   2 * MESSAGE_HEADER_MAX + 2 * BLOCK) };
	int rc = copy_header(&r, m, reader, err);

	if (rc == 0)
		rc = copy_body(&r, m, reader, err);
	if (rc == 0)
		rc = message_reader_finish(reader, out, err);
	else
		message_reader_free(reader);
	strbuf_release(&r.out);
	return rc;
}
