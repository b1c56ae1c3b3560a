#include "config.h"
#include "smtp/content.h"

#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/ext/ext.h"
#include "smtp/session.h"
#include "smtp/transaction_state.h"
#include "util/error.h"

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

/* --- the reply to it ---------------------------------------------------- */

/* Is the last reply a 2xx that does not say that the message was taken? Then nobody knows. */
static bool not_taken(struct transaction *t, enum stage stage)
{
	const struct reply *r = &t->s->reply;
	struct error err;

	if (reply_class(r) != 2 || reply_taken(r))
		return false;
	transaction_note_reply(t, r);
	reply_error(r, stage, &err);
	pipeline_break(&t->pipe, &err);
	return true;
}

/* One recipient's reply; a copy of a recipient that failed is not made good by another. */
static void lmtp_outcome(struct transaction *t, size_t i)
{
	const struct reply *r = &t->s->reply;
	struct error err;

	transaction_note_reply(t, r);
	if (reply_class(r) != 2) {
		reply_error_about(r, STAGE_DOT, t->e->rcpt[i].address, &err);
		result_set_error(t->result, i, &err);
	} else if (t->result->rcpt[i].outcome == OUTCOME_NONE) {
		transaction_accept(t, i, r);
	}
}

/* One reply for each that stands, in order; false when there are no more. */
static bool lmtp_reply(struct transaction *t, size_t i)
{
	struct session *s = t->s;
	struct error err;

	if (session_reply(s, STAGE_DOT, &err) < 0) {
		pipeline_break(&t->pipe, &err);
		return false;
	}
	if (not_taken(t, STAGE_DOT))
		return false;
	lmtp_outcome(t, i);
	if (s->reply.code == 421) {
		reply_error(&s->reply, STAGE_DOT, &err);
		transaction_fail_open(t, &err);
		return false;
	}
	return true;
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

	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		if (t->rcpt[k].state == STANDING && !lmtp_reply(t, t->rcpt[k].index))
			return;
	}
	if (!further_code(t->s))
		return;
	error_set(&err, FAULT_PROTOCOL, "the server sent more than %zu replies to a message "
		  "for %zu recipients: it is not known who has got it", standing, standing);
	transaction_fail_standing(t, &err);
	t->s->dead = true;
}

void content_reply(struct transaction *t, enum stage stage)
{
	if (t->try.prdr && t->s->reply.code == 353)
		prdr_replies(t);
	else if (!not_taken(t, stage))
		transaction_finish(t, stage, &t->s->reply);
}

/* A server that says yes and no has not taken it for sure. */
static void take_reply(struct transaction *t, enum stage stage)
{
	struct error err;

	content_reply(t, stage);
	if (!t->s->dead && reply_class(&t->s->reply) == 2 && wire_unread(t->s->wire) > 0 &&
	    further_code(t->s) >= 400) {
		error_set(&err, FAULT_PROTOCOL, "the server answered the message twice, the "
			  "second time with %d", t->s->reply.code);
		transaction_lose(t, &err);
	}
}

void content_replies(struct transaction *t, enum stage stage)
{
	struct error err;

	if (t->s->protocol == SESSION_LMTP)
		lmtp_replies(t);
	else if (session_reply(t->s, stage, &err) < 0)
		pipeline_break(&t->pipe, &err);
	else
		take_reply(t, stage);
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
	if (content_needs_data(t, stage, s->reply.code))
		return;
	reply_error(&s->reply, stage, &err);
	if (reply_class(&s->reply) == 2)
		error_set(&err, FAULT_PROTOCOL, "the server answered %d before the message "
			  "was sent", s->reply.code);
	transaction_note_reply(t, &s->reply);
	transaction_fail_standing(t, &err);
}

/* --- DATA ---------------------------------------------------------------- */

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
	struct transfer *x = transfer_new(t->s, t->m, t->edits, DATA_LINES, t->try.from);
	bool line_start;
	struct error err;
	enum data_end end = transfer_skip(x, &line_start, &err) < 0 ? DATA_FAILED :
		transfer_put(x, 0, heard, NULL, &err);

	transfer_free(x);
	if (end == DATA_SENT)
		end = data_flush(t->s, &err);
	if (end == DATA_ANSWERED) {
		content_interrupted(t, STAGE_DOT);
	} else if (end == DATA_FAILED) {
		pipeline_break(&t->pipe, &err);
	} else {
		t->try.sent = true;
		content_replies(t, STAGE_DOT);
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

	if (t->try.standing == 0) {
		dot_alone(t);
	} else if (reply_class(&s->reply) == 3 && wire_unread_now(s->wire) > 0) {
		content_interrupted(t, STAGE_DOT);
	} else if (reply_class(&s->reply) == 3) {
		send_lines(t);
	} else {
		transaction_note_reply(t, &s->reply);
		reply_error(&s->reply, STAGE_DATA, &err);
		transaction_fail_standing(t, &err);
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

/* --- all of it ------------------------------------------------------------ */

/* DATA tells early that the message is refused: chunks go where they are of use (E4). */
static bool wants_chunks(const struct transaction *t)
{
	const struct account *a = t->s->account;

	if (content_is_chunked(t))
		return true;
	return session_has(t->s, EXT_CHUNKING) && !t->opt->data_only &&
		(a->chunking == CHUNKING_ON || t->s->transid || t->e->size > a->chunk_size);
}

/* One refusal ends it for all. */
static void refuse_all(struct transaction *t)
{
	struct error err = t->try.refusal;

	error_prefix(&err, "not sent, as another recipient was refused");
	abandon(t);
	transaction_fail_standing(t, &err);
	transaction_fail_open(t, &err);
}

/* A recipient has to be left out that the server has accepted: the others go without it. */
static void start_over(struct transaction *t)
{
	abandon(t);
	t->try.retry = true;
}

/* All replies are to be there before the content is offered. */
static void send_later(struct transaction *t, bool chunked)
{
	pipeline_finish(&t->pipe);
	if (t->pipe.broken || t->try.mail_refused)
		return;
	if (t->try.refusal.exit)
		refuse_all(t);
	else if (t->try.unfit)
		start_over(t);
	else if (t->try.standing == 0)
		abandon(t);
	else if (chunked)
		content_send_chunks(t);
	else
		ask_data(t);
}

void content_send(struct transaction *t)
{
	if (t->opt->rehearsal) {
		/* everybody has an outcome: what the server was asked for is taken back */
		pipeline_finish(&t->pipe);
		if (!t->pipe.broken)
			abandon(t);
		return;
	}
	const bool chunked = wants_chunks(t);
	/* all replies are there, and nobody is left to send it to */
	bool nobody = !pipeline_outstanding(&t->pipe) && t->try.standing == 0;

	if (chunked || nobody || transaction_strict(t) || conneg_used(t->s, t->e) ||
	    !session_has(t->s, EXT_PIPELINING)) {
		send_later(t, chunked);
		return;
	}
	ask_data(t);
	if (!t->pipe.broken && !t->try.mail_refused && t->try.standing == 0)
		abandon(t);
}
