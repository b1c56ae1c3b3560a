#include "config.h"
#include "smtp/final.h"

#include "message/envelope.h"
#include "message/result.h"
#include "net/wire.h"
#include "smtp/command.h"
#include "smtp/ext/prdr.h"
#include "smtp/outcome.h"
#include "smtp/session.h"
#include "smtp/transaction.h"
#include "util/error.h"

/* One reply more, or none: the session is over, so how it ends does not matter. */
static int further_reply(struct session *s)
{
	struct deadline d = session_deadline(s, STAGE_QUIT);
	struct reply reply = REPLY_INIT;
	struct error ignored;
	int code = reply_read(s->wire, &d, &reply, &ignored) < 0 ? 0 : reply.code;

	reply_release(&reply);
	return code;
}

/* What stands behind the last reply and is no goodbye: a 250 may not be the message's. */
bool final_miscounted(const struct transaction *t, struct error *err)
{
	struct session *s = t->s;

	if (wire_unread_now(s->wire) <= 0)
		return false;
	int code = further_reply(s);

	if (code == 0 || code == 221 || code == 421)
		return false;
	error_set(err, FAULT_PROTOCOL, "the server sent more replies than it got commands");
	return true;
}

bool final_not_taken(struct transaction *t, enum stage stage)
{
	const struct reply *r = &t->s->reply;
	struct error err;

	if (reply_class(r) != 2 || reply_taken(r))
		return false;
	outcome_note_reply(t, r);
	reply_error(r, stage, &err);
	pipeline_break(&t->pipe, &err);
	return true;
}

/* --- LMTP -------------------------------------------------------------- */

static void too_many(struct transaction *t)
{
	struct error err;

	error_set(&err, FAULT_PROTOCOL, "the server sent more than %zu replies to a message "
		  "for %zu recipients: it is not known who has got it", t->standing, t->standing);
	outcome_fail_standing(t, &err);
	t->s->dead = true;
}

/* One recipient's reply; a copy of a recipient that failed is not made good by another. */
static void lmtp_outcome(struct transaction *t, size_t i)
{
	const struct reply *r = &t->s->reply;
	struct error err;

	outcome_note_reply(t, r);
	if (reply_class(r) != 2) {
		reply_error_about(r, STAGE_DOT, t->e->rcpt[i].address, &err);
		result_set_error(t->result, i, &err);
	} else if (t->result->rcpt[i].outcome == OUTCOME_NONE) {
		outcome_accept(t, i, r);
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
	if (final_not_taken(t, STAGE_DOT))
		return false;
	lmtp_outcome(t, i);
	if (s->reply.code == 421) {
		reply_error(&s->reply, STAGE_DOT, &err);
		outcome_fail_open(t, &err);
		return false;
	}
	return true;
}

static void lmtp_replies(struct transaction *t)
{
	struct error err;

	for (size_t k = 0; k < t->rcpt_count; k++) {
		if (t->rcpt[k].state == STANDING && !lmtp_reply(t, t->rcpt[k].index))
			return;
	}
	if (final_miscounted(t, &err))
		too_many(t);
}

/* --- all --------------------------------------------------------------- */

void final_take(struct transaction *t, enum stage stage)
{
	if (t->prdr && t->s->reply.code == 353)
		prdr_replies(t);
	else if (!final_not_taken(t, stage))
		outcome_finish(t, stage, &t->s->reply);
}

void final_replies(struct transaction *t, enum stage stage)
{
	struct error err;

	if (t->s->protocol == SESSION_LMTP)
		lmtp_replies(t);
	else if (session_reply(t->s, stage, &err) < 0)
		pipeline_break(&t->pipe, &err);
	else
		final_take(t, stage);
}

void final_interrupted(struct transaction *t, enum stage stage)
{
	struct session *s = t->s;
	struct error err;

	if (session_reply(s, stage, &err) < 0) {
		pipeline_break(&t->pipe, &err);
		return;
	}
	s->dead = true;
	reply_error(&s->reply, stage, &err);
	if (reply_class(&s->reply) == 2)
		error_set(&err, FAULT_PROTOCOL, "the server answered %d before the message "
			  "was sent", s->reply.code);
	outcome_note_reply(t, &s->reply);
	outcome_fail_standing(t, &err);
}
