#include "config.h"
#include "net/wire.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "net/stream.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define WRITE_BLOCK ((size_t)128 * 1024)	/* much has gathered: write it */
#define READ_FIRST ((size_t)4 * 1024)		/* room for a reply */
#define READ_LARGEST ((size_t)64 * 1024)	/* room for a peer that sends a lot */
#define NO_LIMIT (SIZE_MAX / 4)

struct wire {
	struct stream *stream;
	struct strbuf in;		/* what came; the first in_pos octets are taken */
	size_t in_pos;
	size_t read_size;
	struct strbuf out;
	bool end;			/* the peer has closed */
	struct deadline limit;
	struct deadline early;		/* the same, until it is lifted */
	wire_trace_fn *trace;
	bool hidden;		/* not what is read */
	void *trace_ctx;
	struct error read_error;	/* exit 0: none so far; both are for good */
	struct error write_error;
};

struct wire *wire_new_take(struct stream *s)
{
	struct wire *w = xcalloc(1, sizeof(*w));

	w->stream = s;
	w->read_size = READ_FIRST;
	strbuf_init(&w->in, NO_LIMIT);
	strbuf_init(&w->out, NO_LIMIT);
	return w;
}

/* Only what was content can be secret: untouched pages stay untouched. */
static void forget_output(struct wire *w)
{
	if (w->out.secret)
		explicit_bzero(w->out.buf, w->out.len);
	w->out.secret = false;
	strbuf_reset(&w->out);
}

void wire_free(struct wire *w)
{
	if (!w)
		return;
	forget_output(w);
	strbuf_release(&w->out);
	strbuf_release(&w->in);
	stream_free(w->stream);
	xfree(w);
}

void wire_set_limit(struct wire *w, struct deadline whole)
{
	w->limit = whole;
}

void wire_set_early_limit(struct wire *w, struct deadline until)
{
	w->early = until;
}

void wire_lift_early_limit(struct wire *w)
{
	w->early = (struct deadline){ .at = 0 };
}

void wire_set_trace(struct wire *w, wire_trace_fn *fn, void *ctx)
{
	w->trace = fn;
	w->trace_ctx = ctx;
}

void wire_hide_lines(struct wire *w, bool hidden)
{
	w->hidden = hidden;
}

void wire_note(struct wire *w, enum wire_direction direction, const char *text)
{
	if (w->trace)
		w->trace(w->trace_ctx, direction, text, strlen(text));
}

struct stream *wire_stream(const struct wire *w)
{
	return w->stream;
}

/* The earlier of d and the overall limits; the text names what d waits for. */
static struct deadline limited(const struct wire *w, struct deadline d)
{
	struct deadline first = deadline_first(deadline_first(d, w->limit), w->early);

	first.what = d.what;
	return first;
}

/* --- input ------------------------------------------------------------- */

size_t wire_unread(const struct wire *w)
{
	return w->in.len - w->in_pos;
}

void wire_consume(struct wire *w, size_t n)
{
	assert(n <= wire_unread(w));
	w->in_pos += n;
	if (w->in_pos == w->in.len) {
		strbuf_reset(&w->in);
		w->in_pos = 0;
	}
}

/* One read of the stream into the buffer; as stream_read(), but end and error are kept. */
static ssize_t take_once(struct wire *w, struct error *err)
{
	if (w->read_error.exit) {
		*err = w->read_error;
		return -1;
	}
	if (w->end)
		return 0;
	if (w->in_pos > w->in.len / 2) {	/* seldom enough to be cheap for each octet */
		strbuf_consume(&w->in, w->in_pos);
		w->in_pos = 0;
	}
	char *room = strbuf_reserve(&w->in, w->read_size);
	ssize_t n = stream_read(w->stream, room, w->read_size, err);

	if (n > 0) {
		strbuf_commit(&w->in, (size_t)n);
		if ((size_t)n == w->read_size && w->read_size < READ_LARGEST)
			w->read_size *= 2;
	} else if (n == 0) {
		w->end = true;
	} else if (n != STREAM_AGAIN) {
		w->read_error = *err;
	}
	return n;
}

/* Can and should more be read while we write? */
static bool hungry(const struct wire *w)
{
	return !w->end && !w->read_error.exit && wire_unread(w) < WIRE_INPUT_MAX;
}

/* All that has arrived already. */
static void take_arrived(struct wire *w)
{
	struct error kept;

	while (hungry(w) && take_once(w, &kept) > 0)
		;
}

/* What is there, or -1 where nothing is and nothing will come. */
static int unread_or_end(const struct wire *w)
{
	const size_t n = wire_unread(w);

	return n ? (int)n : w->end || w->read_error.exit ? -1 : 0;
}

int wire_unread_now(struct wire *w)
{
	take_arrived(w);
	return unread_or_end(w);
}

int wire_any_now(struct wire *w)
{
	struct error kept;

	if (wire_unread(w) == 0 && hungry(w))
		(void)take_once(w, &kept);
	const int n = unread_or_end(w);

	return n > 0 ? 1 : n;
}

/*
 * At least one octet more than is in the buffer: 1; 0 = closed; -1. After
 * a failed write nothing is waited for: what has come is all that counts.
 */
static int fill(struct wire *w, const struct deadline *d, struct error *err)
{
	struct deadline until = limited(w, *d);
	size_t before = wire_unread(w);
	bool sent = w->out.len > 0;

	if (sent && wire_flush(w, d, err) < 0)
		sent = false;
	if (wire_unread(w) > before)
		return 1;
	for (;;) {
		/* an answer to what was sent a moment ago cannot be here yet */
		ssize_t n = sent ? STREAM_AGAIN : take_once(w, err);

		sent = false;
		if (n != STREAM_AGAIN)
			return n > 0 ? 1 : (int)n;
		if (w->write_error.exit) {
			*err = w->write_error;
			return -1;
		}
		if (stream_wait(w->stream, STREAM_IN, &until, err) < 0)
			return -1;
	}
}

/* The line whose LF is the octet at end: into line, and out of the buffer. */
static void take_line(struct wire *w, struct strbuf *line, size_t end, bool *cut)
{
	const char *data = w->in.buf + w->in_pos;
	size_t n = end > 0 && data[end - 1] == '\r' ? end - 1 : end;

	if (!*cut) {
		*cut = n > line->limit;
		strbuf_add(line, data, *cut ? line->limit : n);
	}
	wire_consume(w, end + 1);
}

/* Do n octets without LF pass limit, even if a CR is the last of them? */
static bool too_long(size_t n, size_t limit)
{
	return n > limit && n - limit > 1;
}

int wire_read_line(struct wire *w, struct strbuf *line, bool *cut_out, const struct deadline *d,
		   struct error *err)
{
	bool cut = false;
	size_t scanned = 0;

	strbuf_reset(line);
	for (;;) {
		const char *data = w->in.buf + w->in_pos;
		size_t n = wire_unread(w);
		const char *lf = memchr(data + scanned, '\n', n - scanned);

		if (lf) {
			take_line(w, line, (size_t)(lf - data), &cut);
			break;
		}
		if (cut || too_long(n, line->limit)) {
			if (!cut)
				strbuf_add(line, data, line->limit);
			cut = true;
			wire_consume(w, n);
			n = 0;
			/* a peer that never stops talking is not waited for elsewhere */
			struct deadline until = limited(w, *d);

			if (deadline_passed(&until))
				return deadline_error(&until, err);
		}
		scanned = n;
		int got = fill(w, d, err);

		if (got <= 0)
			return got;
	}
	*cut_out = cut;
	if (w->trace && !w->hidden)
		w->trace(w->trace_ctx, WIRE_IN, line->buf, line->len);
	return 1;
}

int wire_peek(struct wire *w, const char **data_out, size_t *n_out, const struct deadline *d,
	      struct error *err)
{
	if (wire_unread(w) == 0 && fill(w, d, err) < 0)
		return -1;
	*data_out = w->in.buf + w->in_pos;
	*n_out = wire_unread(w);
	return 0;
}

/* --- output ------------------------------------------------------------ */

size_t wire_unsent(const struct wire *w)
{
	return w->out.len;
}

/* Nothing more is sent for good; but what the peer said before it went is kept. */
static int fail_write(struct wire *w, const struct error *err)
{
	w->write_error = *err;
	forget_output(w);
	take_arrived(w);
	return -1;
}

/* Waits until the stream may take octets; reads meanwhile. */
static int wait_to_write(struct wire *w, const struct deadline *until, struct error *err)
{
	int events = hungry(w) ? STREAM_OUT | STREAM_IN : STREAM_OUT;
	int ready = stream_wait(w->stream, events, until, err);

	if (ready < 0)
		return -1;
	if ((ready & STREAM_IN) && take_once(w, err) == -1)
		return -1;
	return 0;
}

static int send_all(struct wire *w, const char *data, size_t n, const struct deadline *d,
		    struct error *err)
{
	struct deadline until = limited(w, *d);

	while (n) {
		ssize_t done = stream_write(w->stream, data, n, err);

		if (done == STREAM_AGAIN) {
			if (wait_to_write(w, &until, err) < 0)
				return fail_write(w, err);
			continue;
		}
		if (done < 0)
			return fail_write(w, err);
		data += done;
		n -= (size_t)done;
		if (n && !d->whole)	/* progress: the time starts anew */
			until = limited(w, deadline_in(d->seconds, d->what));
	}
	return 0;
}

int wire_flush(struct wire *w, const struct deadline *d, struct error *err)
{
	if (w->write_error.exit) {
		*err = w->write_error;
		forget_output(w);
		return -1;
	}
	if (w->out.len == 0)
		return 0;
	if (send_all(w, w->out.buf, w->out.len, d, err) < 0)
		return -1;
	forget_output(w);
	return 0;
}

/* Each line of the n octets by itself, as it will be seen by people. */
static void trace_lines(const struct wire *w, const char *data, size_t n)
{
	while (n) {
		const char *lf = memchr(data, '\n', n);
		size_t whole = lf ? (size_t)(lf - data) + 1 : n;
		size_t shown = lf ? whole - 1 : n;

		if (lf && shown && data[shown - 1] == '\r')
			shown--;
		w->trace(w->trace_ctx, WIRE_OUT, data, shown);
		data += whole;
		n -= whole;
	}
}

static void trace_put(const struct wire *w, const char *data, size_t n, const char *shown)
{
	if (!shown)
		trace_lines(w, data, n);
	else if (*shown)
		w->trace(w->trace_ctx, WIRE_OUT, shown, strlen(shown));
}

int wire_put(struct wire *w, const void *data, size_t n, const char *shown,
	     const struct deadline *d, struct error *err)
{
	const char *p = data;

	if (w->trace)
		trace_put(w, p, n, shown);
	if (w->write_error.exit)
		return wire_flush(w, d, err);
	w->out.secret |= shown != NULL;	/* what the transcript must not show */
	while (n) {
		if (w->out.len == 0 && n >= WRITE_BLOCK)	/* large: not copied at all */
			return send_all(w, p, n, d, err);
		size_t part = WRITE_BLOCK - w->out.len;

		if (part > n)
			part = n;
		strbuf_add(&w->out, p, part);
		p += part;
		n -= part;
		if (w->out.len >= WRITE_BLOCK && wire_flush(w, d, err) < 0)
			return -1;
	}
	return 0;
}

char *wire_reserve(struct wire *w, size_t n)
{
	return strbuf_reserve(&w->out, n);
}

int wire_commit(struct wire *w, size_t n, const struct deadline *d, struct error *err)
{
	strbuf_commit(&w->out, n);
	return w->out.len >= WRITE_BLOCK || w->write_error.exit ? wire_flush(w, d, err) : 0;
}

/* --- upgrade ----------------------------------------------------------- */

int wire_upgrade(struct wire *w,
		 int (*fn)(struct stream *lower, void *ctx, struct stream **out, struct error *),
		 void *ctx, struct error *err)
{
	struct stream *top = NULL;

	if (wire_unread(w))
		return error_set(err, FAULT_PROTOCOL,
				 "data before TLS: the peer sent %zu octets too many (an attempt "
				 "to inject commands or replies)", wire_unread(w));
	if (wire_unsent(w))
		return error_set(err, FAULT_PROTOCOL,
				 "data before TLS: %zu octets are not sent yet", wire_unsent(w));
	if (fn(w->stream, ctx, &top, err) < 0)
		return -1;
	w->stream = top;
	return 0;
}
