/*
 * CHECKPOINT (RFC 1845): a transfer that broke is resumed where it stopped.
 *
 * MAIL carries TRANSID. On a later connection the same MAIL is answered with
 * 355 and the octets that the server has; then no RCPT follows, and the
 * content from there on. A server that knows nothing of it says 250, and all
 * begins anew.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/session.h"
#include "smtp/transaction_state.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define RESUME_CODE 355

static void checkpoint_mail_params(const struct session *s, const struct envelope *e,
				   struct strbuf *out)
{
	(void)e;
	if (s->transid) {
		strbuf_addstr(out, " TRANSID=");
		strbuf_addstr(out, s->transid);
	}
}

static void stand(struct transaction *t)
{
	const struct checkpoint *c = t->opt->checkpoint;

	t->try.standing = 0;
	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		t->rcpt[k].state = c->standing[t->rcpt[k].index] ? STANDING : UNASKED;
		t->try.standing += t->rcpt[k].state == STANDING;
		t->try.left += t->rcpt[k].state != STANDING;
	}
}

void checkpoint_lost(const struct checkpoint *c, struct result *r, struct error *why)
{
	if (c->sent)
		result_doubt(r, why);
}

/*
 * The end of the content was out when the connection broke, and the server
 * does not say from where it wants the rest: it may have all of it. A new
 * beginning could be a second copy.
 */
static void doubt(struct transaction *t)
{
	struct checkpoint *c = t->opt->checkpoint;

	stand(t);
	checkpoint_lost(c, t->result, t->why);
	transaction_fail_open(t, t->why);
	t->try.mail_refused = true;
	t->s->need_reset = true;
}

bool checkpoint_begin(struct transaction *t)
{
	struct checkpoint *c = t->opt->checkpoint;
	const bool used = c && c->id && session_has(t->s, EXT_CHECKPOINT) && !t->e->burl &&
		(c->resume ||
		 edits_wire_size(t->edits, t->m) >= t->s->account->checkpoint_min);

	t->s->transid = used ? c->id : NULL;
	if (!c || !c->sent || !c->resume || used)
		return true;
	doubt(t);
	return false;
}

bool checkpoint_resumes(const struct transaction *t)
{
	return t->s->transid && t->opt->checkpoint->resume;
}

/* 355 SP 1*DIGIT [SP text]: octets of the canonical content (RFC 1845, section 3) */
static bool read_offset(const struct reply *r, uint64_t *out)
{
	const char *p = r->lines.n ? r->lines.v[0] : "";
	const size_t n = text_decimal(p, out);

	return n && (p[n] == '\0' || p[n] == ' ');
}

/* With DATA the rest has to begin a line; it is read once to see whether it does. */
static bool usable(const struct transaction *t, uint64_t from)
{
	struct error unreadable;

	if (from > edits_wire_size(t->edits, t->m))
		return false;
	if (session_has(t->s, EXT_CHUNKING))
		return true;
	struct transfer *x = transfer_new(t->s, t->m, t->edits, DATA_LINES, from);
	const bool begins = transfer_skip(x, &unreadable) > 0;

	transfer_free(x);
	return begins;
}

bool checkpoint_take(struct transaction *t, const struct reply *r)
{
	struct checkpoint *c = t->opt->checkpoint;
	uint64_t from;

	if (!checkpoint_resumes(t))
		return false;
	if (r->code != RESUME_CODE) {
		if (c->sent)
			doubt(t);
		return c->sent;
	}
	stand(t);
	c->resume = false;
	if (read_offset(r, &from) && usable(t, from) && t->try.standing) {
		t->try.from = from;
		t->try.resumed = true;
		return true;
	}
	if (c->sent) {
		doubt(t);
		return true;
	}
	/* what it has is of no use: RSET makes it forget, and all begins anew */
	c->id = c->spare;
	c->spare = NULL;
	t->try.standing = 0;
	t->try.mail_refused = t->try.retry = true;
	t->s->need_reset = true;
	return true;
}

bool checkpoint_keep(struct transaction *t, const struct error *err)
{
	struct checkpoint *c = t->opt->checkpoint;
	bool any = false;

	/* whether it had been written whole or not: the server knows what it has (RFC 1047) */
	if (!t->s->transid || !t->pipe.lost || !t->try.standing || err->exit != EX_TEMPFAIL)
		return false;
	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		size_t i = t->rcpt[k].index;

		c->standing[i] = t->rcpt[k].state == STANDING &&
			t->result->rcpt[i].outcome == OUTCOME_NONE;
		any |= c->standing[i];
	}
	*t->why = *err;
	c->resume = any;
	c->sent = c->sent || t->try.sent;
	return any;
}

const struct extension ext_CHECKPOINT = {
	.keyword = "CHECKPOINT", .option = "checkpoint", .level = LEVEL_FIXED,
	.params = "TRANSID", .mail_params = checkpoint_mail_params, .mail_octets = 88
};
