/*
 * The content of a transaction: how and when it goes out, and its reply.
 *
 * DATA when the replies to RCPT are there or with RCPT in one group, its
 * lines after 354. BDAT and BURL (RFC 3030, RFC 4468) when the replies to
 * RCPT are there and somebody stands; up to chunk_window chunks are under
 * way unanswered. A refused chunk ends the message; what is under way of it
 * is answered too and counted off.
 *
 * SMTP gives one reply, PRDR and LMTP (RFC 2033, section 4.2) one for each
 * recipient that stands. Replies are counted: one too many or too few, and
 * it is not known whose they are. Only a 250 says that the message was taken:
 * after 221, which says that the channel closes, nobody knows (RFC 5321,
 * section 4.2.3).
 */
#include "config.h"
#include "smtp/transaction_state.h"

#include <inttypes.h>
#include <string.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "message/writer.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/ext/ext.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/interrupt.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/* --- the message on its way --------------------------------------------------------- */

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
};

struct transfer *transfer_new(struct session *s, const struct message *m,
			      const struct edits *edits, enum data_form form, uint64_t from)
{
	struct transfer *x = xcalloc(1, sizeof(*x));

	x->session = s;
	x->form = form;
	x->from = from;
	x->writer = writer_new(m, edits, form == DATA_LINES ? WRITER_DOTS : WRITER_PLAIN);
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
	wire_note(s->wire, WIRE_NOTE_OUT, text.buf);
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
	return wire_unsent(x->session->wire) == 0 && wire_unread_now(x->session->wire) > 0 &&
		(!watch || watch(ctx, left));
}

/* A signal ends it between two blocks; there need not be any wait. */
static bool interrupted(const struct deadline *d, struct error *err)
{
	return interrupt_pending() && deadline_error(d, err) < 0;
}

/* Tells whoever watches how far the transfer has come. */
static void tell_progress(const struct transfer *x, uint64_t done)
{
	const struct observer *o = x->session->opt.observer;

	if (o && o->transfer)
		o->transfer(o->ctx, done < x->size ? done : x->size, x->size);
}

/* And what of it goes out now. */
static void tell_text(const struct transfer *x, const char *data, ssize_t n)
{
	const struct observer *o = x->session->opt.observer;

	if (o && o->text && n > 0)
		o->text(o->ctx, data, (size_t)n);
}

static int wrong_size(const struct transfer *x, uint64_t missing, struct error *err)
{
	/* nothing but closing can repair a chunk of another size than was told */
	return error_set_status(err, FAULT_BUG, "4.3.0",
				"the message has not %" PRIu64 " octets but %" PRIu64
				" less", x->size, missing);
}

static enum data_end put_chunk(struct transfer *x, uint64_t octets, data_watch_fn *watch,
			       void *ctx, struct error *err)
{
	struct session *s = x->session;

	for (uint64_t left = octets; left;) {
		struct deadline d = transfer_deadline(s);
		size_t block = left < BLOCK ? (size_t)left : BLOCK;
		char *room = wire_reserve(s->wire, block + WRITER_LEAST);
		ssize_t n = read_plain(x, room, left, err);

		if (n == 0)
			wrong_size(x, left, err);
		if (n <= 0)
			return DATA_FAILED;
		tell_text(x, room, n);
		left -= (uint64_t)n;
		x->given += (uint64_t)n;
		if (wire_commit(s->wire, (size_t)n, &d, err) < 0)
			return broken(s);
		if (left && interrupted(&d, err))
			return DATA_FAILED;
		tell_progress(x, x->given);
		if (left && stopped(x, watch, ctx, left))
			return DATA_ANSWERED;
	}
	note_size(s, octets);
	return DATA_SENT;
}

/* The whole of it with the writer's dots, and the one at its end. */
static enum data_end put_lines(struct transfer *x, struct error *err)
{
	struct session *s = x->session;
	size_t block = x->size < BLOCK - BLOCK_SPARE ? (size_t)x->size + BLOCK_SPARE : BLOCK;
	uint64_t octets = 0;		/* with the dots */
	char *room = wire_reserve(s->wire, block);
	ssize_t n = writer_read(x->writer, room, block, err);

	while (n > 0) {
		struct deadline d = transfer_deadline(s);

		octets += (uint64_t)n;
		tell_text(x, room, n);
		if (wire_commit(s->wire, (size_t)n, &d, err) < 0)
			return broken(s);
		tell_progress(x, octets);
		room = wire_reserve(s->wire, block);
		n = writer_read(x->writer, room, block, err);
		/* when that was the end, what comes now is the reply to it */
		if (n > 0 && interrupted(&d, err))
			return DATA_FAILED;
		if (n > 0 && stopped(x, NULL, NULL, 0))
			return DATA_ANSWERED;
	}
	if (n < 0)
		return DATA_FAILED;
	x->given = x->size;
	tell_progress(x, x->size);
	note_size(s, octets);
	return DATA_SENT;
}

enum data_end transfer_put(struct transfer *x, uint64_t octets, data_watch_fn *watch, void *ctx,
			   struct error *err)
{
	if (x->form == DATA_CHUNK)
		return put_chunk(x, octets, watch, ctx, err);
	return put_lines(x, err);
}

int transfer_skip(struct transfer *x, struct error *err)
{
	char block[8192 + WRITER_LEAST];

	if (x->form == DATA_LINES)
		return writer_skip(x->writer, x->from, err);
	while (x->given < x->from) {
		uint64_t left = x->from - x->given;
		ssize_t n = read_plain(x, block, left < 8192 ? left : 8192, err);

		if (n == 0)
			wrong_size(x, left, err);
		if (n <= 0)
			return -1;
		x->given += (uint64_t)n;
	}
	return 1;
}

enum data_end data_flush(struct session *s, struct error *err)
{
	struct deadline d = transfer_deadline(s);

	return wire_flush(s->wire, &d, err) == 0 ? DATA_SENT : broken(s);
}

void content_abandon(struct transaction *t)
{
	struct session *s = t->s;
	struct error ignored;

	if (s->dead)
		return;
	s->need_reset = s->account->rset == RSET_NEVER;
	if (s->need_reset)		/* QUIT ends it as well */
		return;
	if (session_say(s, STAGE_RSET, "RSET", &ignored) < 0 || reply_class(&s->reply) != 2)
		s->dead = true;
}

/* --- the reply to it ---------------------------------------------------- */

/* Is the last reply a word on the message? Where it is none nobody knows, by err. */
static bool is_decided(struct transaction *t, enum stage stage, struct error *err)
{
	const struct reply *r = &t->s->reply;

	if (reply_decides(r))
		return true;
	transaction_note_reply(t, r);
	reply_error(r, stage, err);
	return false;
}

static void take_for(struct transaction *t, size_t i)
{
	const struct reply *r = &t->s->reply;
	struct error err;

	transaction_note_reply(t, r);
	if (reply_taken(r)) {
		transaction_accept(t, i, r);
		return;
	}
	reply_error_about(r, STAGE_DOT, t->e->rcpt[i].address, &err);
	result_set_error(t->result, i, &err);
}

/* In order; -1 when there is one too few. */
int content_take_replies(struct transaction *t, struct error *err)
{
	bool first = true;

	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		if (t->rcpt[k].state != STANDING)
			continue;
		if (!first && session_reply(t->s, STAGE_DOT, err) < 0)
			return -1;
		if (!is_decided(t, STAGE_DOT, err))
			return -1;
		take_for(t, t->rcpt[k].index);
		first = false;
	}
	return 0;
}

/* What stands behind the last reply already and is no goodbye; 0 = nothing. */
static int further_code(struct session *s)
{
	struct error unreadable;

	if (wire_unread_now(s->wire) <= 0 || session_reply(s, STAGE_QUIT, &unreadable) < 0 ||
	    s->reply.code == 221 || s->reply.code == 421)
		return 0;
	return s->reply.code;
}

static void lmtp_replies(struct transaction *t)
{
	const size_t standing = t->try.standing;
	struct error err;

	if (content_take_replies(t, &err) < 0) {
		pipeline_break(&t->pipe, &err);
		return;
	}
	if (t->try.followed || !further_code(t->s))
		return;
	error_set(&err, FAULT_PROTOCOL, "the server sent more than %zu replies to a message "
		  "for %zu recipients: it is not known who has got it", standing, standing);
	result_doubt(t->result, &err);
	transaction_fail_standing(t, &err);
	t->s->dead = true;
}

/*
 * PRDR, behind 353: an answer for each, and the one for the whole. When that is
 * no acceptance it counts for all; lost in between, nobody's end is known.
 */
static void prdr_replies(struct transaction *t)
{
	struct error err;

	if (session_reply(t->s, STAGE_DOT, &err) < 0 || content_take_replies(t, &err) < 0 ||
	    session_reply(t->s, STAGE_DOT, &err) < 0 || !is_decided(t, STAGE_DOT, &err)) {
		transaction_lose(t, &err);
		return;
	}
	transaction_note_reply(t, &t->s->reply);
	if (reply_taken(&t->s->reply))
		return;
	reply_error(&t->s->reply, STAGE_DOT, &err);
	transaction_fail_standing(t, &err);
}

void content_reply(struct transaction *t, enum stage stage)
{
	struct error err;

	if (t->s->protocol == SESSION_LMTP)
		lmtp_replies(t);
	else if (t->try.prdr && t->s->reply.code == 353)
		prdr_replies(t);
	else if (is_decided(t, stage, &err))
		transaction_finish(t, stage, &t->s->reply);
	else
		pipeline_break(&t->pipe, &err);
}

void content_replies(struct transaction *t, enum stage stage)
{
	struct session *s = t->s;
	struct error err;

	if (session_reply(s, stage, &err) < 0) {
		pipeline_break(&t->pipe, &err);
		return;
	}
	content_reply(t, stage);
	/* a server that says yes and no has not taken it for sure */
	if (s->protocol == SESSION_LMTP || s->dead || reply_class(&s->reply) != 2 ||
	    t->try.followed || wire_unread(s->wire) == 0 || further_code(s) < 400)
		return;
	error_set(&err, FAULT_PROTOCOL, "the server answered the message twice, the second time "
		  "with %d", s->reply.code);
	transaction_lose(t, &err);
}

void content_end(struct transaction *t)
{
	const struct transaction_options *opt = t->opt;

	if (opt->behind && !t->try.left && !t->try.retry && !t->pipe.broken)
		t->try.followed = opt->behind(opt->behind_ctx);
}

void content_interrupted(struct transaction *t, enum stage stage)
{
	struct session *s = t->s;
	struct error err;

	if (session_reply(s, stage, &err) < 0) {
		pipeline_break(&t->pipe, &err);
		return;
	}
	s->dead = true;
	reply_error(&s->reply, stage, &err);
	if (content_needs_data(t, stage, &err))
		return;
	if (reply_class(&s->reply) == 2)
		error_set(&err, FAULT_PROTOCOL, "the server answered %d before the message "
			  "was sent", s->reply.code);
	transaction_note_reply(t, &s->reply);
	transaction_fail_standing(t, &err);
}

/* --- DATA ---------------------------------------------------------------- */

/* The content behind DATA's 354, and the replies. */
static void send_lines(struct transaction *t)
{
	struct transfer *x = transfer_new(t->s, t->m, t->edits, DATA_LINES, t->try.from);
	struct error err;

	t->try.begun = true;
	t->s->content_count++;
	enum data_end end = transfer_skip(x, &err) < 0 ? DATA_FAILED :
		transfer_put(x, 0, NULL, NULL, &err);

	transfer_free(x);
	if (end == DATA_SENT) {
		content_end(t);
		end = data_flush(t->s, &err);
	}
	if (end == DATA_ANSWERED) {
		content_interrupted(t, STAGE_DOT);
	} else if (end == DATA_FAILED) {
		pipeline_break(&t->pipe, &err);
	} else {
		t->try.sent = true;
		wire_lift_early_limit(t->s->wire);
		content_replies(t, STAGE_DOT);
	}
}

/* DATA was sent with RCPT and nobody stands: a 354 is answered with the dot alone. */
static void dot_alone(struct transaction *t)
{
	struct session *s = t->s;
	struct error ignored;

	if (t->try.data_code / 100 != 3)
		return;
	/* an LMTP server that says 354 here will say nothing after the dot */
	if (s->protocol == SESSION_LMTP || session_say(s, STAGE_DOT, ".", &ignored) < 0)
		s->dead = true;
}

/* Was DATA not understood behind the other commands? Then it may be without pipelining. */
static bool stumbles(const struct transaction *t, int code)
{
	return transaction_misread(code) && session_has(t->s, EXT_PIPELINING) && !t->s->dead;
}

void content_data_reply(struct transaction *t, const struct reply *r)
{
	t->try.data_code = r->code;
	if (reply_class(r) == 3)
		return;
	reply_error(r, STAGE_DATA, &t->try.data_error);
	if (t->try.standing && !t->s->dead && !stumbles(t, r->code))
		transaction_note_reply(t, r);
}

static void after_data(struct transaction *t)
{
	struct session *s = t->s;
	const int code = t->try.data_code;

	if (t->try.standing == 0) {
		dot_alone(t);
	} else if (code / 100 == 3 && wire_unread_now(s->wire) > 0) {
		content_interrupted(t, STAGE_DOT);
	} else if (code / 100 == 3) {
		send_lines(t);
	} else if (stumbles(t, code)) {
		t->try.slow = true;
		s->need_reset = true;
	} else {
		transaction_fail_standing(t, &t->try.data_error);
		s->need_reset = true;
		if (code / 100 == 2)
			s->dead = true;
	}
}

static void ask_data(struct transaction *t)
{
	struct error err;

	t->try.data_asked = true;
	session_line(t->s, "DATA", NULL);
	if (pipeline_add(&t->pipe, STAGE_DATA, 0, 0, &err) < 0)
		pipeline_break(&t->pipe, &err);
}

/* DATA is out, and the content waits for its reply and all before it. */
static void send_after_data(struct transaction *t)
{
	pipeline_finish(&t->pipe);
	if (!t->pipe.broken)
		after_data(t);
}

/* --- all of it ------------------------------------------------------------ */

/* DATA tells early that the message is refused: chunks go where they are of use (E4). */
static bool wants_chunks(const struct transaction *t)
{
	const struct account *a = t->s->account;

	if (content_is_chunked(t) || content_is_small(t))
		return true;
	return session_has(t->s, EXT_CHUNKING) &&
		(a->chunking == CHUNKING_ON || t->s->transid || t->e->size > a->chunk_size);
}

/* All replies are to be there before the content is offered. */
static void send_later(struct transaction *t, bool chunked)
{
	pipeline_finish(&t->pipe);
	if (t->pipe.broken || t->try.mail_refused)
		return;
	const bool refused = t->result->refusal.exit != 0;

	if (refused || t->try.unfit || t->try.standing == 0) {
		content_abandon(t);
	} else if (chunked) {
		content_send_chunks(t);
	} else {
		ask_data(t);
		send_after_data(t);
	}
	if (refused)
		transaction_refuse_all(t);
	else if (t->try.unfit)		/* the others go without whom the server had accepted */
		t->try.retry = true;
}

void content_ask(struct transaction *t)
{
	/* all replies are there, and nobody is left to send it to */
	const bool nobody = !pipeline_outstanding(&t->pipe) && t->try.standing == 0;

	if (t->m && !t->opt->rehearsal && !wants_chunks(t) && !nobody && !transaction_strict(t) &&
	    !conneg_used(t->s, t->e) && session_has(t->s, EXT_PIPELINING))
		ask_data(t);
}

void content_send(struct transaction *t)
{
	if (t->opt->rehearsal) {
		/* everybody has an outcome: what the server was asked for is taken back */
		pipeline_finish(&t->pipe);
		if (!t->pipe.broken)
			content_abandon(t);
		return;
	}
	if (!t->try.data_asked && content_goes_ahead(t)) {
		content_send_ahead(t);
		return;
	}
	if (!t->try.data_asked) {
		send_later(t, wants_chunks(t));
		return;
	}
	send_after_data(t);
	if (!t->pipe.broken && !t->try.mail_refused && t->try.standing == 0)
		content_abandon(t);
}
