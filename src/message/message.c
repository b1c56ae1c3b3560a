#include "config.h"
#include "message/message.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "message/scan.h"
#include "message/spool.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xalloc.h"

#define BLOCK ((size_t)64 * 1024)
#define STOP_SHOWN ((size_t)60)	/* octets of the line that ended the header */

/* What a line at the top of the message is. */
enum line_kind { LINE_FIELD, LINE_FOLDED, LINE_MBOX, LINE_EMPTY, LINE_BODY };

struct message_reader {
	struct message_options options;
	struct message *message;
	uint64_t total;			/* octets got so far */

	/* the header; lines are judged when they are complete */
	uint64_t line_at;		/* where the line begins that comes next */
	struct strbuf carry;		/* its octets from pieces before this one */
	struct strbuf clean;		/* room for a line with NUL or CR in it */
	size_t room;			/* for a line: more when it is known to be a field's */
	bool skipping;			/* within an mbox line that is too long to keep */
	struct header_field field;	/* the one being read ... */
	struct strbuf text;		/* ... and its text */
	size_t header_size;
	size_t fields_alloc;

	bool in_body;
	uint64_t scanned;		/* where in the spool the scan stands */
	struct scan scan;
};

static size_t most(const struct message_reader *r)
{
	return r->options.large_header ? MESSAGE_HEADER_MOST : MESSAGE_HEADER_MAX;
}

struct message_reader *message_reader_new(const struct message_options *opt)
{
	struct message_reader *r = xcalloc(1, sizeof(*r));
	struct arena *a = arena_new();

	r->options = *opt;
	r->message = arena_alloc(a, sizeof(*r->message));
	r->message->arena = a;
	r->message->header_utf8 = true;
	r->message->spool = spool_new();
	r->room = MESSAGE_HEADER_MAX;
	strbuf_init(&r->carry, most(r));
	strbuf_init(&r->clean, most(r));
	strbuf_init(&r->text, most(r));
	return r;
}

void message_free(struct message *m)
{
	if (!m)
		return;
	spool_free(m->spool);
	arena_free(m->arena);
}

void message_reader_free(struct message_reader *r)
{
	if (!r)
		return;
	message_free(r->message);
	strbuf_release(&r->carry);
	strbuf_release(&r->clean);
	strbuf_release(&r->text);
	xfree(r);
}

/* header_utf8 says so of what is not ASCII; where all is, fill_facts() settles it. */
static void note_octets(struct message *m, const char *text, size_t len)
{
	if (!text_is_ascii(text, len)) {
		m->header_8bit = true;
		m->header_utf8 &= text_is_utf8(text, len);
	}
}

/* The field that was read is complete: puts it on the list. */
static void end_field(struct message_reader *r)
{
	struct message *m = r->message;
	struct header *h = &m->header;

	if (!r->text.len)
		return;
	h->field = arena_grow(m->arena, h->field, h->n, &r->fields_alloc, sizeof(*h->field));
	r->field.text = arena_strndup(m->arena, r->text.buf, r->text.len);
	r->field.len = r->text.len;
	h->field[h->n++] = r->field;
	note_octets(m, r->text.buf, r->text.len);
	strbuf_reset(&r->text);
}

/* The header has ended; the body begins at that offset of the spool. */
static void begin_body(struct message_reader *r, uint64_t at)
{
	end_field(r);
	strbuf_release(&r->carry);
	r->in_body = true;
	r->message->body_start = at;
	r->scanned = at;
	scan_init(&r->scan, !r->options.dots_ignored && !r->options.wire && !r->options.binary);
}

/*
 * A header line without its end as it is to be: no NUL, no CRs before the
 * end, a blank for each other CR.
 */
static const char *clean_line(struct message_reader *r, const char *line, size_t *len)
{
	size_t n = *len;
	bool nul = n && memchr(line, '\0', n);

	while (!nul && n && line[n - 1] == '\r')
		n--;
	*len = n;
	if (!nul && !(n && memchr(line, '\r', n)))
		return line;
	strbuf_reset(&r->clean);
	for (size_t i = 0; i < n; i++)
		if (line[i])
			strbuf_addch(&r->clean, line[i]);
	while (r->clean.len && r->clean.buf[r->clean.len - 1] == '\r')
		strbuf_truncate(&r->clean, r->clean.len - 1);
	for (size_t i = 0; i < r->clean.len; i++)
		if (r->clean.buf[i] == '\r') {
			r->clean.buf[i] = ' ';
			r->message->header_cr = true;
		}
	r->message->had_nul |= nul;
	*len = r->clean.len;
	return r->clean.buf;
}

static bool is_mbox(const char *line, size_t len)
{
	while (len && *line == '>') {
		line++;
		len--;
	}
	return len >= 5 && memcmp(line, "From ", 5) == 0;
}

/*
 * fields = *(field-name *WSP ":" unstructured CRLF *(1*WSP unstructured CRLF))
 * (RFC 5322, sections 2.2, 2.2.3, 4.5). *name_out and *value_out for a field.
 */
static enum line_kind judge(const struct message_reader *r, const char *line, size_t len,
			    size_t *name_out, size_t *value_out)
{
	bool first = !r->text.len;

	if (!len)
		return LINE_EMPTY;
	if (!first && (*line == ' ' || *line == '\t'))
		return LINE_FOLDED;
	*name_out = header_field_start(line, len, value_out);
	if (*name_out)
		return LINE_FIELD;
	return first && !r->options.wire && is_mbox(line, len) ? LINE_MBOX : LINE_BODY;
}

/* Octets of the byte order mark that some editors put in front of everything (U+FEFF). */
static size_t order_mark(const struct message_reader *r, const char *line, size_t len)
{
	static const char mark[] = "\xef\xbb\xbf";

	const bool first = r->line_at == 0 && !r->options.wire;

	return first && len >= 3 && memcmp(line, mark, 3) == 0 ? 3 : 0;
}

static int too_large(const struct message_reader *r, struct error *err)
{
	return error_set(err, FAULT_MESSAGE, "the header is larger than %zu octets", most(r));
}

static void note_stop(struct message *m, const char *line, size_t len)
{
	struct strbuf text = STRBUF_INIT(4 * STOP_SHOWN + 4);

	text_escape_add(&text, line, len < STOP_SHOWN ? len : STOP_SHOWN);
	strbuf_addstr(&text, len > STOP_SHOWN ? "..." : "");
	m->header_stop = arena_take(m->arena, &text);
}

/* A line of the header is complete: raw octets, with its LF where it has one. */
static int header_line(struct message_reader *r, const char *raw, size_t raw_len,
		       struct error *err)
{
	size_t len = raw_len, name = 0, value = 0;

	if (raw[len - 1] == '\n')
		len--;
	const char *line = clean_line(r, raw, &len);
	const size_t mark = order_mark(r, line, len);

	line += mark;
	len -= mark;
	enum line_kind kind = judge(r, line, len, &name, &value);

	if (kind == LINE_EMPTY || kind == LINE_BODY) {
		if (kind == LINE_BODY)
			note_stop(r->message, line, len);
		begin_body(r, r->line_at + (kind == LINE_EMPTY ? raw_len : 0));
		return 0;
	}
	r->line_at += raw_len;
	if (kind == LINE_MBOX)
		return 0;
	if (len + 2 > most(r) - r->header_size)
		return too_large(r, err);
	r->header_size += len + 2;
	if (kind == LINE_FIELD) {
		end_field(r);
		r->field.id = header_find_id(line, name);
		r->field.value = value;
	}
	strbuf_add(&r->text, line, len);
	strbuf_add(&r->text, "\r\n", 2);
	return 0;
}

static int header_piece(struct message_reader *r, const char *piece, size_t n, bool complete,
			struct error *err);

/*
 * A line longer than the header may be, or than most are, is judged by its
 * beginning: text that has no header may begin with a line of any length.
 */
static int long_line(struct message_reader *r, const char *piece, size_t n, bool complete,
		     struct error *err)
{
	size_t before = r->carry.len, len = r->room, name, value;

	strbuf_add(&r->carry, piece, r->room - before);
	const char *line = clean_line(r, r->carry.buf, &len);

	switch (judge(r, line, len, &name, &value)) {
	case LINE_FIELD:
	case LINE_FOLDED:
		if (r->room == most(r))
			return too_large(r, err);
		r->room = most(r);
		strbuf_truncate(&r->carry, before);
		return header_piece(r, piece, n, complete, err);
	case LINE_MBOX:
		r->line_at += before + n;
		r->skipping = !complete;
		strbuf_reset(&r->carry);
		return 0;
	case LINE_EMPTY:
	case LINE_BODY:
		break;
	}
	begin_body(r, r->line_at);
	return 0;
}

/* A line of the header, or a piece of one. */
static int header_piece(struct message_reader *r, const char *piece, size_t n, bool complete,
			struct error *err)
{
	int rc = 0;

	if (r->skipping) {
		r->line_at += n;
		r->skipping = !complete;
	} else if (n > r->room - r->carry.len) {
		rc = long_line(r, piece, n, complete, err);
	} else if (complete && !r->carry.len) {
		rc = header_line(r, piece, n, err);
	} else {
		strbuf_add(&r->carry, piece, n);
		if (complete) {
			rc = header_line(r, r->carry.buf, r->carry.len, err);
			strbuf_reset(&r->carry);
			r->room = MESSAGE_HEADER_MAX;
		}
	}
	return rc;
}

static int take_header(struct message_reader *r, const char *data, size_t n, struct error *err)
{
	const char *end = data + n;

	while (data < end && !r->in_body) {
		const char *lf = memchr(data, '\n', (size_t)(end - data));
		size_t len = (size_t)((lf ? lf + 1 : end) - data);

		if (header_piece(r, data, len, lf != NULL, err))
			return -1;
		data += len;
	}
	return 0;
}

static int scan_block(void *ctx, const char *data, size_t n, struct error *err)
{
	(void)err;
	scan_push(ctx, data, n);
	return 0;
}

/*
 * Scans up to offset "to" what has been spooled already: the line that has
 * turned out to be the body's first may have begun in an earlier piece.
 */
static int catch_up(struct message_reader *r, uint64_t to, struct error *err)
{
	if (spool_each(r->message->spool, r->scanned, to, scan_block, &r->scan, err) < 0)
		return -1;
	r->scanned = to;
	return 0;
}

/* n octets more; they are in the spool. */
static int take(struct message_reader *r, const char *data, size_t n, struct error *err)
{
	uint64_t pos = r->total;

	r->total += n;
	if (!r->in_body && take_header(r, data, n, err))
		return -1;
	if (!r->in_body)
		return 0;
	if (r->scanned < pos && catch_up(r, pos, err))
		return -1;
	if (r->scanned < r->total) {
		size_t skip = (size_t)(r->scanned - pos);

		scan_push(&r->scan, data + skip, n - skip);
		r->scanned = r->total;
	}
	return 0;
}

int message_reader_push(struct message_reader *r, const char *data, size_t n, struct error *err)
{
	if (!n)
		return 0;
	if (r->scan.ended) {
		r->total += n;
		return 0;
	}
	if (spool_add(r->message->spool, data, n, err))
		return -1;
	return take(r, data, n, err);
}

int message_reader_take(struct message_reader *r, struct strbuf *out, size_t least,
			struct error *err)
{
	if (out->len < least)
		return 0;
	int rc = message_reader_push(r, out->buf, out->len, err);

	strbuf_reset(out);
	return rc;
}

/* The end of the input: a line without its end may be left. */
static int take_end(struct message_reader *r, struct error *err)
{
	if (!r->in_body && r->carry.len) {
		int rc = header_line(r, r->carry.buf, r->carry.len, err);

		strbuf_reset(&r->carry);
		if (rc)
			return -1;
	}
	if (!r->in_body)
		begin_body(r, r->total);
	if (!r->scan.ended && catch_up(r, r->total, err))
		return -1;
	scan_finish(&r->scan);
	return 0;
}

static void fill_facts(struct message_reader *r)
{
	struct message *m = r->message;
	const struct scan *s = &r->scan;

	m->header_utf8 &= m->header_8bit;
	m->body_end = s->ended ? m->body_start + s->end : r->total;
	m->ignored = s->ended ? r->total - m->body_start - s->at : 0;
	m->body_size = s->size;
	m->longest_line = s->longest;
	m->body_canonical = s->canonical;
	m->body_crlf = s->crlf;
	m->body_8bit = s->eight_bit;
	if (r->options.binary && (!s->canonical || s->longest > MESSAGE_LINE_MAX)) {
		m->body_binary = m->body_canonical = m->body_crlf = true;
		m->body_size = m->body_end - m->body_start;
		m->longest_line = 0;
	} else {
		m->had_nul |= s->nul;
		m->body_cr = s->bare_cr;
	}
}

void message_set_header(struct message *m, const struct header_field *field, size_t n)
{
	struct header_field *copy = arena_calloc(m->arena, n, sizeof(*copy));

	if (n)
		memcpy(copy, field, n * sizeof(*copy));
	m->header = (struct header){ .field = copy, .n = n };
	m->header_8bit = false;
	m->header_utf8 = true;
	for (size_t i = 0; i < n; i++)
		note_octets(m, copy[i].text, copy[i].len);
	m->header_utf8 &= m->header_8bit;
}

int message_reader_finish(struct message_reader *r, struct message **out, struct error *err)
{
	int rc = take_end(r, err);

	if (!rc) {
		fill_facts(r);
		*out = r->message;
		r->message = NULL;
	}
	message_reader_free(r);
	return rc;
}

/* The writer at the other end sees our exit status, not a broken pipe. */
static void discard(int fd, char *buf, size_t n)
{
	const struct deadline none = { .at = 0 };

	if (isatty(fd))
		return;
	while (deadline_read(&none, fd, buf, n) > 0)
		;
}

/* At a terminal a lone dot ends it at once: whoever types waits for no ^D behind it. */
static int read_stream(struct message_reader *r, int fd, char *block, struct error *err)
{
	const bool typed = isatty(fd) != 0;

	while (!typed || !r->scan.ended) {
		const struct deadline d = deadline_in(r->options.patience,
						      "more of the message (stdin_timeout)");
		ssize_t n = deadline_read(&d, fd, block, BLOCK);

		if (n < 0 && errno == ETIMEDOUT)
			return deadline_error(&d, err);
		if (n < 0)
			return error_errno(err, FAULT_INPUT, "cannot read the message");
		if (n == 0)
			return 0;
		if (message_reader_push(r, block, (size_t)n, err)) {
			discard(fd, block, BLOCK);
			return -1;
		}
	}
	return 0;
}

static int read_in_place(struct message_reader *r, char *block, struct error *err)
{
	const struct spool *s = r->message->spool;

	while (r->total < spool_size(s) && !r->scan.ended) {
		ssize_t n = spool_read(s, r->total, block, BLOCK, err);

		if (n < 0)
			return error_recast(err, FAULT_INPUT);	/* it is the input still */
		if (take(r, block, (size_t)n, err))
			return -1;
	}
	r->total = spool_size(s);
	return 0;
}

int message_read_fd(int fd, const struct message_options *opt, struct message **out,
		    struct error *err)
{
	struct message_reader *r = message_reader_new(opt);
	char *block = xmalloc(BLOCK);	/* on the stack all of its pages would be touched */
	int rc = spool_in_place(r->message->spool, fd) ? read_in_place(r, block, err) :
							 read_stream(r, fd, block, err);

	xfree(block);
	if (rc) {
		message_reader_free(r);
		return -1;
	}
	return message_reader_finish(r, out, err);
}

/* --- CRs that end no line ------------------------------------------------------- */

struct respelling {
	struct message_reader *reader;
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

static int respell(void *ctx, const char *data, size_t n, struct error *err)
{
	struct respelling *r = ctx;

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
	return message_reader_take(r->reader, &r->out, BLOCK, err);
}

static int copy_header(struct respelling *r, const struct message *m, struct error *err)
{
	for (size_t i = 0; i < m->header.n; i++) {
		strbuf_add(&r->out, m->header.field[i].text, m->header.field[i].len);
		if (message_reader_take(r->reader, &r->out, 0, err) < 0)
			return -1;
	}
	strbuf_addstr(&r->out, "\r\n");
	return message_reader_take(r->reader, &r->out, 0, err);
}

static int copy_body(struct respelling *r, const struct message *m, struct error *err)
{
	if (spool_each(m->spool, m->body_start, m->body_end, respell, r, err) < 0)
		return -1;
	add_bare(r);
	return message_reader_take(r->reader, &r->out, 0, err);
}

int message_respell_cr(const struct message *m, char blank, struct message **out,
		       struct error *err)
{
	const struct message_options opt = { .dots_ignored = true, .wire = true,
					     .binary = blank == '\r', .large_header = true };
	/* what waits is a block and a run of CRs, which are no more than the body has */
	struct respelling r = { .reader = message_reader_new(&opt), .blank = blank,
				.out = STRBUF_INIT((size_t)(m->body_end - m->body_start) +
						   2 * MESSAGE_HEADER_MOST + 2 * BLOCK) };
	int rc = copy_header(&r, m, err);

	if (rc == 0)
		rc = copy_body(&r, m, err);
	if (rc == 0)
		rc = message_reader_finish(r.reader, out, err);
	else
		message_reader_free(r.reader);
	strbuf_release(&r.out);
	return rc;
}
