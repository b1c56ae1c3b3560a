/*
 * The content by BDAT and BURL, in chunks, and their replies (RFC 3030, RFC 4468).
 */
#include "config.h"
#include "smtp/content.h"

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
#include "smtp/transaction_state.h"
#include "util/error.h"

/* A chunk of which no more is left is sent to its end after a refusal, else we hang up. */
#define FINISH_MAX ((uint64_t)1024 * 1024)

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
	const struct pipeline_expected what = { stage_of(chunk), chunk->last ? FINAL : MORE };
	const char *url = chunk->part->url;

	strbuf_reset(line);
	strbuf_addstr(line, url ? "BURL " : "BDAT ");
	if (url)
		strbuf_addstr(line, url);
	else
		command_add_number(line, chunk->octets);
	strbuf_addstr(line, chunk->last ? " LAST" : "");
	if (url) {
		strbuf_addstr(&shown, "BURL ");
		burl_mask(url, &shown);
		strbuf_addstr(&shown, chunk->last ? " LAST" : "");
	}
	int rc = pipeline_say(&t->pipe, &what, url ? strlen(url) : 0, false,
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
	if (t->pipe.broken)
		return true;
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

	while (pipeline_outstanding(p) >= c->window)
		pipeline_take(p);
	pipeline_take_ready(p);
}

/* Is there a reason to send no further chunk? */
static bool chunk_refused(const struct chunks *c)
{
	return c->t->pipe.broken || c->t->try.chunk_error.exit;
}

/* All chunks into the wire; DATA_ANSWERED as well when the server has refused one. */
static enum data_end put_chunks(struct chunks *c, struct error *err)
{
	struct transaction *t = c->t;
	struct chunk chunk;

	while (next_chunk(c, &chunk)) {
		wait_for_room(c);
		if (chunk_refused(c))
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
			pipeline_expect(&t->pipe, &(const struct pipeline_expected){
				stage_of(&chunk), chunk.last ? FINAL : MORE });
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

bool content_needs_data(struct transaction *t, enum stage stage, const struct error *err)
{
	/* with LMTP each recipient has a reply of its own to the last chunk */
	if ((stage != STAGE_CHUNK && stage != STAGE_BDAT) || t->try.chunks_taken ||
	    t->try.resumed || content_is_chunked(t) || !transaction_misread(err->reply))
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

	strbuf_reset(&s->line);
	strbuf_addstr(&s->line, stage_name(stage));
	int rc = session_command(s, stage, &err);

	if (s->reply.code == 221 || s->reply.code == 421 ||
	    (rc == 0 ? reply_class(&s->reply) == 2 : err.exit != EX_PROTOCOL))
		return;
	error_set(&err, FAULT_PROTOCOL, "the server sent more replies than it got commands");
	transaction_lose(t, &err);
}

/* All is sent, and every reply but LMTP's last ones has been read. */
static void take_result(struct transaction *t, enum stage stage)
{
	struct session *s = t->s;
	struct error err;

	if (t->try.chunk_error.exit) {
		give_up_chunks(t, false);
		return;
	}
	if (s->protocol == SESSION_LMTP) {
		content_replies(t, stage);
	} else {
		if (transaction_misread(s->reply.code)) {
			reply_error(&s->reply, stage, &err);
			if (content_needs_data(t, stage, &err))
				return;
		}
		content_reply(t, stage);
	}
	/* RFC 3030, section 2: after a refused chunk nothing but RSET is right */
	s->need_reset = reply_class(&s->reply) != 2;
	if (stage == STAGE_BDAT && !s->need_reset && !s->dead && s->protocol != SESSION_LMTP)
		confirm(t);
}

/* The whole of it, flushed. */
static enum data_end send_all(struct chunks *c, enum stage stage, struct error *err)
{
	struct transaction *t = c->t;
	bool line_start;

	if (transfer_skip(c->transfer, &line_start, err) < 0)
		return DATA_FAILED;
	enum data_end end = put_chunks(c, err);

	if (end != DATA_SENT)
		return end;
	end = data_flush(t->s, err);
	c->amid = end != DATA_SENT;
	/* LMTP's replies are one for each recipient: see content.h */
	if (!c->amid && t->s->protocol != SESSION_LMTP)
		pipeline_expect(&t->pipe, &(const struct pipeline_expected){ stage, FINAL });
	return end;
}

/* The server has answered before all was sent, or (lost) it cannot be sent. */
static void chunks_stopped(struct chunks *c, enum stage stage, const struct error *lost)
{
	struct transaction *t = c->t;

	pipeline_take_ready(&t->pipe);
	if (t->try.chunk_error.exit)
		give_up_chunks(t, c->amid);
	else if (lost)
		pipeline_break(&t->pipe, lost);
	else if (!t->pipe.broken)
		content_interrupted(t, stage);
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
	c.transfer = transfer_new(t->s, t->m, t->edits, DATA_CHUNK, t->try.from);
	enum data_end end = send_all(&c, stage, &err);

	transfer_free(c.transfer);
	if (end != DATA_SENT) {
		chunks_stopped(&c, stage, end == DATA_FAILED ? &err : NULL);
	} else {
		t->try.sent = true;
		wire_lift_early_limit(t->s->wire);
		pipeline_finish(&t->pipe);
		if (!t->pipe.broken || t->try.chunk_error.exit)
			take_result(t, stage);
	}
	if (t->pipe.lost && !t->pipe.error.reply && !t->try.chunks_taken &&
	    t->pipe.error.exit == EX_TEMPFAIL)
		error_append(&t->pipe.error, " (where BDAT is swallowed without an answer, "
			     "'chunking = off' helps)");
}
