/*
 * The content by BDAT and BURL, in chunks, and their replies (RFC 3030, RFC 4468).
 */
#include "config.h"
#include "smtp/transaction_state.h"

#include <inttypes.h>
#include <string.h>

#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/result.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/ext/ext.h"
#include "smtp/session.h"
#include "util/error.h"

/* A chunk of which no more is left is sent to its end after a refusal, else we hang up. */
#define FINISH_MAX ((uint64_t)1024 * 1024)

/* A message that is not larger goes out whole before anything is read. */
#define SMALL_MAX ((uint64_t)60 * 1024)

enum { MORE, FINAL };		/* index of an expected reply */

/* The content under way. */
struct chunks {
	struct transaction *t;
	struct transfer *transfer;
	size_t part;		/* of the envelope's burl */
	uint64_t max;		/* octets of one chunk */
	size_t window;
	bool amid;		/* the end came within a chunk: no command would be seen as one */
};

/* One command and the octets behind it. */
struct chunk {
	const struct burl_part *part;
	uint64_t octets;
	bool last;
};

bool content_is_chunked(const struct transaction *t)
{
	return t->e->burl || t->e->body == BODY_BINARYMIME;
}

static bool next_chunk(struct chunks *c, struct chunk *out)
{
	static const struct burl_part whole = { NULL, NULL, 0 };
	const struct burl *b = c->t->e->burl;
	const size_t parts = b ? b->n : 1;

	if (c->part == parts)
		return false;
	*out = (struct chunk){ .part = b ? &b->part[c->part] : &whole };
	if (out->part->text) {
		out->octets = out->part->len;
	} else if (!out->part->url) {
		uint64_t left = transfer_left(c->transfer);

		out->octets = left < c->max ? left : c->max;
		if (out->octets < left)
			return true;
	}
	c->part++;
	out->last = c->part == parts;
	return true;
}

static enum stage stage_of(const struct chunk *chunk)
{
	return chunk->part->url ? STAGE_BURL : chunk->last ? STAGE_BDAT : STAGE_CHUNK;
}

/* "BDAT" SP size [SP "LAST"] / "BURL" SP url [SP "LAST"] */
static int put_command(struct chunks *c, const struct chunk *chunk, struct error *err)
{
	struct transaction *t = c->t;
	struct strbuf *line = &t->s->line, shown = STRBUF_INIT(COMMAND_BUFFER_MAX);
	const char *url = chunk->part->url, *last = chunk->last ? " LAST" : "";

	session_line(t->s, url ? "BURL" : "BDAT", url ? url : "");
	if (url) {
		strbuf_addstr(&shown, "BURL ");
		burl_mask(url, &shown);
		strbuf_addstr(&shown, last);
	} else {
		command_add_number(line, chunk->octets);
	}
	strbuf_addstr(line, last);
	int rc = pipeline_say(&t->pipe, stage_of(chunk), url ? strlen(url) : 0,
			      url ? shown.buf : NULL, err);

	strbuf_release(&shown);
	return rc;
}

/*
 * The server speaks amid a chunk. Replies to those before it are expected;
 * one to the chunk itself can only be a refusal.
 */
static bool chunk_heard(void *ctx, uint64_t left)
{
	struct chunks *c = ctx;
	struct transaction *t = c->t;

	pipeline_take_ready(&t->pipe);
	if (t->pipe.broken || t->try.ahead)
		return t->pipe.broken;
	if (t->try.chunk_error.exit)
		return left > FINISH_MAX;
	return wire_unread(t->s->wire) > 0;
}

static enum data_end put_octets(struct chunks *c, const struct chunk *chunk, struct error *err)
{
	struct session *s = c->t->s;
	struct deadline d = session_deadline(s, STAGE_CHUNK);

	if (chunk->part->url)
		return DATA_SENT;
	if (!chunk->part->text)
		return transfer_put(c->transfer, chunk->octets, chunk_heard, c, err);
	return wire_put(s->wire, chunk->part->text, chunk->part->len, "", &d, err) == 0 ?
		DATA_SENT : wire_unread_now(s->wire) > 0 ? DATA_ANSWERED : DATA_FAILED;
}

/* Not so far ahead that a refusal would be noticed late. */
static void wait_for_room(struct chunks *c)
{
	struct pipeline *p = &c->t->pipe;

	while (!c->t->try.ahead && pipeline_outstanding(p) >= c->window)
		pipeline_take(p);
	pipeline_take_ready(p);
}

/* All chunks into the wire; DATA_ANSWERED as well when the server has refused one. */
static enum data_end put_chunks(struct chunks *c, struct error *err)
{
	struct transaction *t = c->t;
	struct chunk chunk;

	while (next_chunk(c, &chunk)) {
		wait_for_room(c);
		if (t->pipe.broken || t->try.chunk_error.exit)
			return DATA_ANSWERED;
		if (put_command(c, &chunk, err) < 0)
			return DATA_FAILED;
		if (t->pipe.broken)
			return DATA_ANSWERED;
		t->try.last_begun = chunk.last;
		enum data_end end = put_octets(c, &chunk, err);

		c->amid = end != DATA_SENT;
		if (c->amid)
			return end;
		/* the reply to the last one is due when it is flushed: see send_all() */
		if (!chunk.last)
			pipeline_expect(&t->pipe, stage_of(&chunk), MORE);
	}
	return DATA_SENT;
}

void content_chunk_reply(struct transaction *t, enum stage stage, const struct reply *r)
{
	if (t->try.chunk_error.exit)
		return;		/* the first that is not good is the end of the message */
	if (reply_class(r) == 2) {
		t->try.chunks_taken = true;
		return;
	}
	transaction_note_reply(t, r);
	reply_error(r, stage, &t->try.chunk_error);
	t->s->dead = t->s->dead || reply_class(r) == 3;
}

/* Can the message go with DATA after that reply, in the form that it has or another one? */
static bool may_need_data(const struct transaction *t, enum stage stage, int code)
{
	if ((stage != STAGE_CHUNK && stage != STAGE_BDAT) || !transaction_misread(code))
		return false;
	return !t->try.chunks_taken && !t->try.resumed &&
		(!content_is_chunked(t) || body_binary_converts(t->s, t->e, t->m));
}

bool content_needs_data(struct transaction *t, enum stage stage, const struct error *err)
{
	if (!may_need_data(t, stage, err->reply))
		return false;
	result_note(t->result, "the server announces CHUNKING and does not know BDAT (%d): the "
		    "message goes with DATA, as with 'chunking = off'", err->reply);
	/* not a word more: it may have taken the octets of the chunk for commands */
	t->s->dead = true;
	*t->why = *err;
	session_give_up(t->s, EXT_CHUNKING);
	t->next = TRANSACTION_REPEAT;
	return true;
}

/* A chunk was refused: nothing more is sent of the message (RFC 3030, section 2). */
static void give_up_chunks(struct transaction *t, bool amid)
{
	struct session *s = t->s;

	if (content_needs_data(t, STAGE_CHUNK, &t->try.chunk_error))
		return;
	/* how many replies a lost LAST has with LMTP, nobody has said */
	if (amid || (s->protocol == SESSION_LMTP && t->try.last_begun))
		s->dead = true;
	else
		pipeline_finish(&t->pipe);
	/* what it said counts, though it hangs up behind it (Exim, when a chunk is too large) */
	t->pipe.broken = t->pipe.lost = false;
	s->need_reset = true;
	transaction_fail_standing(t, &t->try.chunk_error);
}

/*
 * Some servers answer the last chunk and the message, and the first of the
 * two is no acceptance. RSET or NOOP, whose reply is waited for, finds that out.
 */
static void confirm(struct transaction *t)
{
	struct session *s = t->s;
	const enum stage stage = s->account->rset == RSET_NEVER ? STAGE_NOOP : STAGE_RSET;
	struct error err;

	int rc = session_say(s, stage, stage_name(stage), &err);

	s->chunk_once = rc == 0 && reply_class(&s->reply) == 2;
	if (s->reply.code == 221 || s->reply.code == 421 ||
	    (rc == 0 ? reply_class(&s->reply) == 2 : err.exit != EX_PROTOCOL))
		return;
	error_set(&err, FAULT_PROTOCOL, "the server sent more replies than it got commands");
	transaction_lose(t, &err);
}

/*
 * BDAT was not understood, and LMTP has a reply for each recipient: is that
 * one of several, or the only one, or one for each line that was taken for a
 * command? 221 to QUIT shows where they end. Where one of the first is a yes
 * they are what they seem; else nobody has got the message.
 */
static void ask_further(struct transaction *t, enum stage stage)
{
	struct session *s = t->s;
	struct deadline d = session_deadline(s, STAGE_QUIT);
	struct error first, err;
	bool taken = false;

	reply_error(&s->reply, stage, &first);
	session_line(s, "QUIT", NULL);
	int rc = command_send(s->wire, &s->line, false, &d, &err);

	s->dead = true;
	if (rc == 0)
		rc = content_take_replies(t, &err);
	for (size_t k = 0; k < t->try.rcpt_count; k++)
		taken |= t->result->rcpt[t->rcpt[k].index].outcome == OUTCOME_ACCEPTED;
	if (rc < 0 && (taken || err.fault == FAULT_TIMEOUT)) {
		pipeline_break(&t->pipe, &err);
	} else if (!taken) {
		transaction_forget(t, true);
		content_needs_data(t, stage, &first);
	}
}

/* All is sent, and every reply but those to LMTP's further recipients has been read. */
static void take_result(struct transaction *t, enum stage stage)
{
	struct session *s = t->s;
	struct error err;

	if (t->try.chunk_error.exit) {
		give_up_chunks(t, false);
		return;
	}
	const bool data = may_need_data(t, stage, s->reply.code);

	if (data && s->protocol == SESSION_LMTP && t->try.standing > 1) {
		ask_further(t, stage);
	} else if (data) {
		reply_error(&s->reply, stage, &err);
		content_needs_data(t, stage, &err);
	} else {
		content_reply(t, stage);
	}
	if (s->dead)
		return;
	/* RFC 3030, section 2: after a refused chunk nothing but RSET is right */
	s->need_reset = !t->try.followed && reply_class(&s->reply) != 2;
	if (stage == STAGE_BDAT && !s->need_reset && !t->try.followed &&
	    s->protocol != SESSION_LMTP && !(s->chunk_once && t->opt->chunks != CHUNKS_LARGE))
		confirm(t);
}

/* The whole of it, flushed. */
static enum data_end send_all(struct chunks *c, struct error *err)
{
	struct transaction *t = c->t;

	if (transfer_skip(c->transfer, err) < 0)
		return DATA_FAILED;
	enum data_end end = put_chunks(c, err);

	if (end != DATA_SENT)
		return end;
	if (t->s->chunk_once) {
		/* what follows a refused chunk begins with RSET (RFC 3030, section 2) */
		t->s->need_reset = t->opt->behind != NULL;
		content_end(t);
	}
	end = data_flush(t->s, err);
	c->amid = end != DATA_SENT;
	return end;
}

/* The server has answered before all was sent, or (lost) it cannot be sent. */
static void chunks_stopped(struct chunks *c, enum stage stage, const struct error *lost)
{
	struct transaction *t = c->t;

	if (t->try.ahead)
		pipeline_finish(&t->pipe);
	else
		pipeline_take_ready(&t->pipe);
	if (t->try.chunk_error.exit)
		give_up_chunks(t, c->amid);
	else if (lost)
		pipeline_break(&t->pipe, lost);
	else if (!t->pipe.broken)
		content_interrupted(t, stage);
}

/* --- with the envelope ---------------------------------------------------- */

bool content_is_small(const struct transaction *t)
{
	const uint64_t chunk = t->s->account->chunk_size;
	uint64_t size;

	if (t->opt->chunks == CHUNKS_LARGE || !t->m || t->e->burl || t->opt->rehearsal ||
	    !session_has(t->s, EXT_CHUNKING) || t->s->account->checkpoint)
		return false;
	size = edits_wire_size(t->edits, t->m);
	return size <= SMALL_MAX && size <= chunk;
}

/*
 * The service of the machine takes it so; another server when it has shown in
 * this session that it knows BDAT, whose octets would be commands otherwise.
 */
static bool takes_ahead(const struct session *s)
{
	return s->protocol == SESSION_LMTP ? s->account->via == VIA_SERVICE : s->chunk_once;
}

bool content_goes_ahead(const struct transaction *t)
{
	return t->opt->chunks == CHUNKS_AHEAD && takes_ahead(t->s) && content_is_small(t) &&
		session_has(t->s, EXT_PIPELINING) && pipeline_outstanding(&t->pipe) &&
		!t->try.mail_refused && !t->try.prdr && !conneg_used(t->s, t->e) &&
		!t->result->refusal.exit && !(transaction_strict(t) && t->e->rcpt_count > 1);
}

/* A refused message was answered with a yes: nobody knows what that was about. */
static void doubt_refused(struct transaction *t)
{
	struct error err;

	error_set(&err, FAULT_PROTOCOL, "the server took the message after it had refused the "
		  "envelope");
	result_doubt(t->result, &err);
	for (size_t k = 0; k < t->try.rcpt_count; k++)
		result_set_error(t->result, t->rcpt[k].index, &err);
	t->s->dead = true;
}

/*
 * The content is out, and nobody is to get it: BDAT is refused as well, its
 * octets are thrown away (RFC 3030, section 2), and RSET shows that they were.
 * With LMTP it is answered for each recipient, that is, not at all.
 */
static void after_refusal(struct transaction *t)
{
	struct session *s = t->s;
	struct error err;

	if (s->protocol != SESSION_LMTP || t->try.mail_refused) {
		if (session_reply(s, STAGE_BDAT, &err) < 0) {
			pipeline_break(&t->pipe, &err);
			return;
		}
		if (reply_class(&s->reply) == 2) {
			doubt_refused(t);
			return;
		}
	}
	content_abandon(t);
}

/* The replies to what went out with the content: does anybody stand? */
static bool envelope_stands(struct transaction *t)
{
	if (!t->try.ahead)
		return true;
	pipeline_finish(&t->pipe);
	if (t->pipe.broken)
		return false;
	if (t->try.mail_refused || !t->try.standing)
		after_refusal(t);
	return !t->try.mail_refused && t->try.standing;
}

void content_send_ahead(struct transaction *t)
{
	t->try.ahead = t->s->patient = true;
	t->s->hasty = false;
	content_send_chunks(t);
	t->s->patient = false;
}

void content_send_chunks(struct transaction *t)
{
	const struct account *a = t->s->account;
	const struct burl *b = t->e->burl;
	const enum stage stage = b && b->part[b->n - 1].url ? STAGE_BURL : STAGE_BDAT;
	struct chunks c = { .t = t,
		.max = a->chunk_size ? a->chunk_size : UINT64_MAX,
		.window = session_has(t->s, EXT_PIPELINING) && a->chunk_window ?
			a->chunk_window : 1 };
	struct error err;

	t->try.begun = true;
	t->s->content_count++;
	c.transfer = transfer_new(t->s, t->m, t->edits, DATA_CHUNK, t->try.from);
	enum data_end end = send_all(&c, &err);

	transfer_free(c.transfer);
	if (end != DATA_SENT) {
		chunks_stopped(&c, stage, end == DATA_FAILED ? &err : NULL);
	} else {
		t->try.sent = true;
		wire_lift_early_limit(t->s->wire);
		if (!envelope_stands(t))
			return;
		/* of LMTP's replies, one for each recipient, this is the first: see content.c */
		pipeline_expect(&t->pipe, stage, FINAL);
		pipeline_finish(&t->pipe);
		if (!t->pipe.broken || t->try.chunk_error.exit)
			take_result(t, stage);
	}
	if (t->pipe.lost && !t->pipe.error.reply && !t->try.chunks_taken &&
	    t->pipe.error.exit == EX_TEMPFAIL)
		error_append(&t->pipe.error, " (where BDAT is swallowed without an answer, "
			     "'chunking = off' helps)");
}
