/*
 * PRDR (an expired draft; Exim and others): an answer per recipient after
 * the content, over SMTP. Asked for when there is more than one recipient.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/session.h"
#include "smtp/transaction_state.h"
#include "util/strbuf.h"

bool prdr_used(const struct session *s, const struct envelope *e)
{
	return session_has(s, EXT_PRDR) && s->account->ext.prdr && e->rcpt_count > 1 &&
		s->protocol == SESSION_ESMTP;
}

static void prdr_mail_params(const struct session *s, const struct envelope *e,
			     struct strbuf *out)
{
	if (prdr_used(s, e))
		strbuf_addstr(out, " PRDR");
}

static void take(struct transaction *t, size_t i)
{
	const struct reply *r = &t->s->reply;
	struct error err;

	if (reply_taken(r)) {
		transaction_accept(t, i, r);
		return;
	}
	reply_error_about(r, STAGE_DOT, t->e->rcpt[i].address, &err);
	result_set_error(t->result, i, &err);
}

/* The next reply; -1 when there is none, or one that says neither yes nor no. */
static int next(struct transaction *t)
{
	struct session *s = t->s;
	struct error err;
	int rc = session_reply(s, STAGE_DOT, &err);

	if (rc == 0 && !reply_decides(&s->reply)) {
		transaction_note_reply(t, &s->reply);
		rc = reply_error(&s->reply, STAGE_DOT, &err);
	}
	if (rc < 0)
		transaction_lose(t, &err);
	return rc;
}

void prdr_replies(struct transaction *t)
{
	struct session *s = t->s;
	struct error err;

	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		if (t->rcpt[k].state != STANDING)
			continue;
		if (next(t) < 0)
			return;
		take(t, t->rcpt[k].index);
	}
	if (next(t) < 0)
		return;
	transaction_note_reply(t, &s->reply);
	if (reply_taken(&s->reply))
		return;
	reply_error(&s->reply, STAGE_DOT, &err);
	transaction_fail_standing(t, &err);
}

const struct extension ext_PRDR = {
	.keyword = "PRDR", .option = "prdr", .level = LEVEL_TRY,
	.params = "PRDR", .mail_params = prdr_mail_params, .mail_octets = 5
};
