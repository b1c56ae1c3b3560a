#include "config.h"
#include "smtp/content.h"

#include <string.h>

#include "message/envelope.h"
#include "message/result.h"
#include "net/wire.h"
#include "smtp/chunks.h"
#include "smtp/data.h"
#include "smtp/ext/conneg.h"
#include "smtp/final.h"
#include "smtp/outcome.h"
#include "smtp/session.h"
#include "smtp/transaction.h"

/* How the content goes out. */
enum plan {
	PLAN_BDAT,		/* when the replies to RCPT are known (RFC 3030, section 2) */
	PLAN_DATA
};

/* Nothing of this transaction is wanted any more: RSET, which is answered with 2xx or else. */
static void abandon(struct transaction *t)
{
	struct session *s = t->s;
	struct error ignored;

	if (s->dead)
		return;
	strbuf_reset(&s->line);
	strbuf_addstr(&s->line, "RSET");
	if (session_command(s, STAGE_RSET, &ignored) < 0 || reply_class(&s->reply) != 2)
		s->dead = true;
}

/* Has the server said a word amid the content? It has no reason to but a refusal. */
static bool heard(void *ctx, uint64_t left)
{
	(void)ctx;
	(void)left;
	return true;
}

/* The content behind DATA's 354, and the replies. */
static void send_lines(struct transaction *t)
{
	struct transfer *x = transfer_new(t->s, t->m, t->edits, DATA_LINES, t->from);
	bool line_start;
	struct error err;
	enum data_end end = transfer_skip(x, &line_start, &err) < 0 ? DATA_FAILED :
		transfer_put(x, 0, heard, NULL, &err);

	transfer_free(x);
	if (end == DATA_SENT)
		end = data_flush(t->s, &err);
	if (end == DATA_ANSWERED) {
		final_interrupted(t, STAGE_DOT);
	} else if (end == DATA_FAILED) {
		pipeline_break(&t->pipe, &err);
	} else {
		t->sent = true;
		final_replies(t, STAGE_DOT);
	}
}

/* DATA was sent with RCPT and nobody stands: a 354 is answered with the dot alone. */
static void dot_alone(struct transaction *t)
{
	struct session *s = t->s;
	struct error ignored;

	if (reply_class(&s->reply) != 3)
		return;
	strbuf_reset(&s->line);
	strbuf_addch(&s->line, '.');
	/* an LMTP server that says 354 here will say nothing after the dot */
	if (s->protocol == SESSION_LMTP || session_command(s, STAGE_DOT, &ignored) < 0)
		s->dead = true;
}

/* The reply to DATA is the session's last one. */
static void after_data(struct transaction *t)
{
	struct session *s = t->s;
	struct error err;

	if (t->changed || t->ahead_error.exit) {
		/* what was assumed is not so: no content, and a dot alone would be a message */
		s->dead = s->dead || reply_class(&s->reply) == 3;
	} else if (t->standing == 0) {
		dot_alone(t);
	} else if (reply_class(&s->reply) == 3 && wire_unread_now(s->wire) > 0) {
		final_interrupted(t, STAGE_DOT);
	} else if (reply_class(&s->reply) == 3) {
		send_lines(t);
	} else {
		outcome_note_reply(t, &s->reply);
		reply_error(&s->reply, STAGE_DATA, &err);
		outcome_fail_standing(t, &err);
		s->need_reset = true;
		if (reply_class(&s->reply) == 2)
			s->dead = true;
	}
}

static void ask_data(struct transaction *t)
{
	struct error err;

	strbuf_reset(&t->s->line);
	strbuf_addstr(&t->s->line, "DATA");
	if (pipeline_add(&t->pipe, STAGE_DATA, 0, 0, false, &err) < 0)
		pipeline_break(&t->pipe, &err);
	pipeline_finish(&t->pipe);
	if (!t->pipe.broken)
		after_data(t);
}

/* Must the replies to RCPT be known before the content is offered? */
static bool must_wait(const struct transaction *t)
{
	return outcome_strict(t) || conneg_used(t->s, t->e);
}

static enum plan choose_plan(const struct transaction *t)
{
	return session_has(t->s, EXT_CHUNKING) || chunks_needed(t) ? PLAN_BDAT : PLAN_DATA;
}

/* One refusal ends it for all. */
static void refuse_all(struct transaction *t)
{
	struct error err = t->refusal;

	error_prefix(&err, "not sent, as another recipient was refused");
	abandon(t);
	outcome_fail_standing(t, &err);
	outcome_fail_open(t, &err);
}

/* A recipient has to be left out that the server has accepted: the others go without it. */
static void start_over(struct transaction *t)
{
	abandon(t);
	t->retry = true;
}

/* All replies are to be there before the content is offered. */
static void send_later(struct transaction *t, enum plan plan)
{
	pipeline_finish(&t->pipe);
	if (t->pipe.broken || t->mail_refused || t->ahead_error.exit || t->changed)
		return;
	if (t->refusal.exit)
		refuse_all(t);
	else if (t->unfit)
		start_over(t);
	else if (t->standing == 0)
		abandon(t);
	else if (plan == PLAN_BDAT)
		chunks_send(t);
	else
		ask_data(t);
}

/* Everybody has an outcome by now: what the server was asked for is taken back. */
static void rehearse(struct transaction *t)
{
	pipeline_finish(&t->pipe);
	if (!t->pipe.broken)
		abandon(t);
}

void content_send(struct transaction *t)
{
	if (t->opt->rehearsal) {
		rehearse(t);
		return;
	}
	enum plan plan = choose_plan(t);
	/* all replies are there, and nobody is left to send it to */
	bool nobody = !pipeline_outstanding(&t->pipe) && t->standing == 0;

	if (plan != PLAN_DATA || nobody || must_wait(t) || !session_has(t->s, EXT_PIPELINING)) {
		send_later(t, plan);
		return;
	}
	ask_data(t);
	if (!t->pipe.broken && !t->mail_refused && !t->ahead_error.exit && !t->changed &&
	    t->standing == 0)
		abandon(t);
}
