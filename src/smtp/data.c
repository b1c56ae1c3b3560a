#include "config.h"
#include "smtp/data.h"

#include <inttypes.h>
#include <string.h>

#include "conf/account.h"
#include "message/writer.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/observer.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define BLOCK ((size_t)64 * 1024)
#define BLOCK_SPARE ((size_t)64)	/* for dots: a small message goes in one piece */
#define WRITER_LEAST ((size_t)16)	/* octets that a writer wants room for */

struct transfer {
	struct session *session;
	struct writer *writer;
	enum data_form form;
	uint64_t from;			/* octets that the server has already */
	uint64_t size, given;		/* of the canonical message */
	char carry[WRITER_LEAST];	/* read, and not of the piece that was asked for */
	size_t carried;
	bool stuffing;			/* resumed DATA: dots are doubled here */
	bool line_start;
};

struct transfer *transfer_new(struct session *s, const struct message *m,
			      const struct edits *edits, enum data_form form, uint64_t from)
{
	struct transfer *x = xcalloc(1, sizeof(*x));

	x->session = s;
	x->form = form;
	x->from = from;
	x->stuffing = form == DATA_LINES && from > 0;
	x->line_start = true;
	x->writer = writer_new(m, edits, form == DATA_LINES && !from ? WRITER_DOTS : WRITER_PLAIN);
	x->size = writer_size(x->writer);
	return x;
}

void transfer_free(struct transfer *x)
{
	if (!x)
		return;
	writer_free(x->writer);
	xfree(x);
}

uint64_t transfer_left(const struct transfer *x)
{
	return x->size - (x->given < x->from ? x->from : x->given);
}

static struct deadline transfer_deadline(const struct session *s)
{
	return deadline_in(s->account->timeouts.data_xfer, "the server to take the message");
}

/* A write that failed may have failed because the server had enough of it. */
static enum data_end broken(struct session *s)
{
	return wire_unread_now(s->wire) > 0 ? DATA_ANSWERED : DATA_FAILED;
}

static void note_size(struct session *s, uint64_t octets)
{
	struct strbuf text = STRBUF_INIT(80);

	strbuf_addch(&text, '<');
	command_add_number(&text, octets);
	strbuf_addstr(&text, " octets of the message>");
	wire_note(s->wire, WIRE_OUT, text.buf);
	strbuf_release(&text);
}

/*
 * Up to max octets of the canonical message into room, which holds
 * WRITER_LEAST more than that: what the writer gives beyond is carried.
 */
static ssize_t read_plain(struct transfer *x, char *room, uint64_t max, struct error *err)
{
	size_t want = max < BLOCK ? (size_t)max : BLOCK;

	if (x->carried) {
		size_t n = x->carried < want ? x->carried : want;

		memcpy(room, x->carry, n);
		memmove(x->carry, x->carry + n, x->carried - n);
		x->carried -= n;
		return (ssize_t)n;
	}
	ssize_t n = writer_read(x->writer, room, want < WRITER_LEAST ? WRITER_LEAST : want, err);

	if (n <= 0 || (size_t)n <= want)
		return n;
	x->carried = (size_t)n - want;
	memcpy(x->carry, room + want, x->carried);
	return (ssize_t)want;
}

/* Is there a word from the server, and is it one to stop for? */
static bool stopped(const struct transfer *x, data_watch_fn *watch, void *ctx, uint64_t left)
{
	return watch && wire_unsent(x->session->wire) == 0 &&
		wire_unread_now(x->session->wire) > 0 && watch(ctx, left);
}

/* Tells whoever watches how far the transfer has come. */
static void tell_progress(const struct transfer *x, uint64_t done)
{
	const struct observer *o = x->session->opt.observer;

	if (o && o->transfer)
		o->transfer(o->ctx, done < x->size ? done : x->size, x->size);
}

static int wrong_size(const struct transfer *x, uint64_t missing, struct error *err)
{
	/* nothing but closing can repair a chunk of another size than was told */
	return error_set_status(err, FAULT_BUG, "4.3.0",
				"the message has not %" PRIu64 " octets but %"
			 PRIu64 " less", x->size, missing);
}

static enum data_end put_chunk(struct transfer *x, uint64_t octets, data_watch_fn *watch,
			       void *ctx, struct error *err)
{
	struct session *s = x->session;

	for (uint64_t left = octets; left;) {
		struct deadline d = transfer_deadline(s);
		size_t block = left < BLOCK ? (size_t)left : BLOCK;
		ssize_t n = read_plain(x, wire_reserve(s->wire, block + WRITER_LEAST), left, err);

		if (n == 0)
			wrong_size(x, left, err);
		if (n <= 0)
			return DATA_FAILED;
		left -= (uint64_t)n;
		x->given += (uint64_t)n;
		if (wire_commit(s->wire, (size_t)n, &d, err) < 0)
			return broken(s);
		tell_progress(x, x->given);
		if (left && stopped(x, watch, ctx, left))
			return DATA_ANSWERED;
	}
	note_size(s, octets);
	return DATA_SENT;
}

/* The whole of it with the writer's dots, and the one at its end. */
static enum data_end put_lines(struct transfer *x, data_watch_fn *watch, void *ctx,
			       struct error *err)
{
	struct session *s = x->session;
	size_t block = x->size < BLOCK - BLOCK_SPARE ? (size_t)x->size + BLOCK_SPARE : BLOCK;
	uint64_t octets = 0;

	for (;;) {
		struct deadline d = transfer_deadline(s);
		ssize_t n = writer_read(x->writer, wire_reserve(s->wire, block), block, err);

		if (n < 0)
			return DATA_FAILED;
		if (n == 0)
			break;
		octets += (uint64_t)n;
		if (wire_commit(s->wire, (size_t)n, &d, err) < 0)
			return broken(s);
		tell_progress(x, octets);
		if (stopped(x, watch, ctx, 0))
			return DATA_ANSWERED;
	}
	x->given = x->size;
	tell_progress(x, x->size);
	note_size(s, octets);
	return DATA_SENT;
}

/* Doubles the dots at line starts (RFC 5321, section 4.5.2). */
static int put_stuffed(struct transfer *x, const char *data, size_t n, struct error *err)
{
	struct session *s = x->session;
	struct deadline d = transfer_deadline(s);

	for (size_t at = 0; at < n;) {
		const char *lf = memchr(data + at, '\n', n - at);
		size_t end = lf ? (size_t)(lf - data) + 1 : n;

		if (x->line_start && data[at] == '.' && wire_put(s->wire, ".", 1, "", &d, err) < 0)
			return -1;
		if (wire_put(s->wire, data + at, end - at, "", &d, err) < 0)
			return -1;
		x->line_start = lf != NULL;
		at = end;
	}
	return 0;
}

/* What is left of a message that was resumed. */
static enum data_end put_rest_of_lines(struct transfer *x, data_watch_fn *watch, void *ctx,
				       struct error *err)
{
	struct session *s = x->session;
	const uint64_t octets = transfer_left(x);
	char block[8192 + WRITER_LEAST];

	while (x->given < x->size) {
		uint64_t left = x->size - x->given;
		ssize_t n = read_plain(x, block, left < 8192 ? left : 8192, err);

		if (n == 0)
			wrong_size(x, left, err);
		if (n <= 0)
			return DATA_FAILED;
		x->given += (uint64_t)n;
		if (put_stuffed(x, block, (size_t)n, err) < 0)
			return broken(s);
		tell_progress(x, x->given);
		if (stopped(x, watch, ctx, 0))
			return DATA_ANSWERED;
	}
	struct deadline d = transfer_deadline(s);

	if (wire_put(s->wire, ".\r\n", 3, "", &d, err) < 0)
		return broken(s);
	note_size(s, octets);
	return DATA_SENT;
}

enum data_end transfer_put(struct transfer *x, uint64_t octets, data_watch_fn *watch, void *ctx,
			   struct error *err)
{
	if (x->form == DATA_CHUNK)
		return put_chunk(x, octets, watch, ctx, err);
	return x->stuffing ? put_rest_of_lines(x, watch, ctx, err) : put_lines(x, watch, ctx, err);
}

int transfer_skip(struct transfer *x, bool *line_start_out, struct error *err)
{
	char block[8192 + WRITER_LEAST];
	char last = '\n';

	while (x->given < x->from) {
		uint64_t left = x->from - x->given;
		ssize_t n = read_plain(x, block, left < 8192 ? left : 8192, err);

		if (n == 0)
			wrong_size(x, left, err);
		if (n <= 0)
			return -1;
		x->given += (uint64_t)n;
		last = block[n - 1];
	}
	*line_start_out = x->line_start = last == '\n';
	return 0;
}

enum data_end data_flush(struct session *s, struct error *err)
{
	struct deadline d = transfer_deadline(s);

	return wire_flush(s->wire, &d, err) == 0 ? DATA_SENT : broken(s);
}
