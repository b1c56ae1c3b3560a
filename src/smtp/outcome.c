#include "config.h"
#include "smtp/outcome.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "smtp/transaction.h"
#include "util/arena.h"
#include "util/error.h"

void outcome_fail_open(struct transaction *t, const struct error *err)
{
	for (size_t i = 0; i < t->result->rcpt_count; i++) {
		if (t->result->rcpt[i].outcome == OUTCOME_NONE)
			result_set_error(t->result, i, err);
	}
}

void outcome_fail_standing(struct transaction *t, const struct error *err)
{
	for (size_t k = 0; k < t->rcpt_count; k++) {
		if (t->rcpt[k].state == STANDING)
			result_set_error(t->result, t->rcpt[k].index, err);
	}
}

void outcome_fail_lost(struct transaction *t, const struct error *err)
{
	struct error unknown = *err;

	if (t->sent && t->pipe.lost && !t->mail_refused) {
		error_append(&unknown, "; the message may have been accepted all the same");
		for (size_t k = 0; k < t->rcpt_count; k++) {
			size_t i = t->rcpt[k].index;

			if (t->result->rcpt[i].outcome != OUTCOME_NONE ||
			    (t->rcpt[k].state != ASKED && t->rcpt[k].state != STANDING))
				continue;
			t->result->unknown = true;
			result_set_error(t->result, i, &unknown);
		}
	}
	outcome_fail_open(t, err);
}

/* "250 2.0.0 queued as 123", for the log */
static const char *reply_words(const struct transaction *t, const struct reply *r)
{
	struct strbuf text = STRBUF_INIT(REPLY_TOTAL_MAX * 4);

	command_add_number(&text, (uint64_t)r->code);
	if (r->status[0]) {
		strbuf_addch(&text, ' ');
		strbuf_addstr(&text, r->status);
	}
	strbuf_addch(&text, ' ');
	reply_text(r, &text);
	const char *kept = arena_strndup(t->result->arena, text.buf, text.len);

	strbuf_release(&text);
	return kept;
}

void outcome_accept(struct transaction *t, size_t i, const struct reply *r)
{
	struct rcpt_result *out = &t->result->rcpt[i];

	out->outcome = OUTCOME_ACCEPTED;
	out->error.exit = 0;
	out->error.reply = r->code;
	memcpy(out->error.status, r->status[0] ? r->status : "2.0.0",
	       r->status[0] ? sizeof(r->status) : sizeof("2.0.0"));
}

void outcome_finish(struct transaction *t, enum stage stage, const struct reply *r)
{
	struct error err;

	outcome_note_reply(t, r);
	if (reply_class(r) == 2) {
		for (size_t k = 0; k < t->rcpt_count; k++) {
			if (t->rcpt[k].state == STANDING)
				outcome_accept(t, t->rcpt[k].index, r);
		}
		return;
	}
	reply_error(r, stage, &err);
	outcome_fail_standing(t, &err);
	if (reply_class(r) == 3)
		t->s->dead = true;
}

void outcome_note_reply(struct transaction *t, const struct reply *r)
{
	t->result->reply_text = reply_words(t, r);
}

/* --- replies ----------------------------------------------------------- */

/* Parameters that may be left out when the server stumbles over them. */
static bool dsn_droppable(const struct transaction *t)
{
	return session_has(t->s, EXT_DSN) && !t->s->account->dsn_required;
}

static bool parameter_refused(const struct reply *r)
{
	return r->code == 501 || r->code == 555;
}

static void mail_reply(struct transaction *t, const struct reply *r)
{
	struct error err;
	const struct envelope *e = t->e;

	if (reply_class(r) == 2)
		return;
	t->mail_refused = true;
	if (parameter_refused(r) && !t->s->dead && dsn_droppable(t) && (e->ret || e->envid)) {
		t->s->announced[EXT_DSN] = false;
		t->retry = true;
	} else if (r->code == 555 && !t->s->dead && session_has(t->s, EXT_SIZE) && e->size) {
		t->s->announced[EXT_SIZE] = false;
		t->retry = true;
	}
	if (t->retry)
		return;
	outcome_note_reply(t, r);
	reply_error_about(r, STAGE_MAIL, e->sender, &err);
	outcome_fail_open(t, &err);
	if (reply_class(r) == 3)
		t->s->dead = true;
}

/*
 * "Too many recipients" (RFC 5321, section 4.5.3.1.10): 452, or 552 that
 * does not speak of a size, when some were accepted before.
 */
static bool too_many(const struct transaction *t, const struct reply *r)
{
	if (t->standing == 0 || t->opt->strict_recipients || (r->code != 452 && r->code != 552))
		return false;
	if (r->status[0])
		return strcmp(r->status + 2, "5.3") == 0 || strcmp(r->status + 2, "0.0") == 0;
	if (r->code == 452)
		return true;
	for (const char *s = r->lines.n ? r->lines.v[0] : ""; *s; s++) {
		if (strncasecmp(s, "size", 4) == 0 || strncasecmp(s, "large", 5) == 0)
			return false;
	}
	return true;
}

static void rcpt_accepted(struct transaction *t, struct candidate *c, const struct reply *r)
{
	c->state = STANDING;
	t->standing++;
	if (r->code == 251 || r->code == 252)
		t->result->rcpt[c->index].note = reply_words(t, r);
}

void outcome_refuse(struct transaction *t, size_t i, const struct error *err)
{
	result_set_error(t->result, i, err);
	if (!t->refusal.exit)
		t->refusal = *err;
}

static void rcpt_reply(struct transaction *t, struct candidate *c, const struct reply *r)
{
	const struct recipient *rcpt = &t->e->rcpt[c->index];
	struct error err;

	c->state = ANSWERED;
	if (t->mail_refused)
		return;
	if (reply_class(r) == 2) {
		rcpt_accepted(t, c, r);
	} else if (too_many(t, r)) {
		t->left++;
	} else if (parameter_refused(r) && !t->s->dead && dsn_droppable(t) &&
		   (rcpt->notify || rcpt->orcpt)) {
		t->drop_dsn = true;
		t->left++;
	} else if (r->code == 503 && !t->s->dead && session_has(t->s, EXT_PIPELINING)) {
		t->slow = true;
		t->left++;
	} else {
		outcome_note_reply(t, r);
		reply_error_about(r, STAGE_RCPT, rcpt->address, &err);
		outcome_refuse(t, c->index, &err);
	}
}

void outcome_take_reply(void *ctx, const struct pipeline_expected *what, const struct reply *r)
{
	struct transaction *t = ctx;

	if (what->stage == STAGE_MAIL) {
		mail_reply(t, r);
	} else if (what->stage == STAGE_RCPT) {
		rcpt_reply(t, &t->rcpt[what->index], r);
	} else if (what->stage == STAGE_RSET && reply_class(r) != 2) {
		struct error err;

		reply_error(r, STAGE_RSET, &err);
		pipeline_break(&t->pipe, &err);
	}
	/* the replies to DATA and BDAT are the last of their group: see below */
}
