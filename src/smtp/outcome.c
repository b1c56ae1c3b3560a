#include "config.h"
#include "smtp/outcome.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/ahead.h"
#include "smtp/command.h"
#include "smtp/ext/checkpoint.h"
#include "smtp/ext/conneg.h"
#include "smtp/ext/priority.h"
#include "smtp/send_mode.h"
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

	if (t->s->again || checkpoint_keep(t, err))
		return;		/* another connection goes on with it */
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

/* The server says with x.3.6 that it has put the message at another priority. */
static void note_priority(struct transaction *t, const struct reply *r)
{
	if (priority_changed(t->s, r))
		result_note(t->result, "the server changed the priority: %s", reply_words(t, r));
}

void outcome_finish(struct transaction *t, enum stage stage, const struct reply *r)
{
	struct error err;

	outcome_note_reply(t, r);
	if (reply_class(r) == 2) {
		note_priority(t, r);
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

static bool parameter_refused(const struct reply *r)
{
	return r->code == 501 || r->code == 555;
}

/* 501 may also mean the address: then there must be more than SIZE to blame (RFC 5321, 4.3.2). */
static bool give_up(struct transaction *t, const struct reply *r)
{
	struct session *s = t->s;
	bool size = session_has(s, EXT_SIZE);

	if (!parameter_refused(r) || s->dead)
		return false;
	if (r->code == 501)
		s->announced[EXT_SIZE] = false;
	bool given_up = extensions_give_up(s, t->e, NULL);

	if (r->code == 501)
		s->announced[EXT_SIZE] = size;
	return given_up;
}

static void mail_reply(struct transaction *t, const struct reply *r)
{
	struct error err;
	const struct envelope *e = t->e;

	if (reply_class(r) == 2) {
		note_priority(t, r);
		if (t->opt->rehearsal)
			t->result->mail_reply = reply_words(t, r);
		return;
	}
	if (checkpoint_take(t, r))
		return;
	t->mail_refused = true;
	t->retry = send_mode_fall_back(t->s, e, r) || give_up(t, r);
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
	if (t->standing == 0 || outcome_strict(t) || (r->code != 452 && r->code != 552))
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

/* What the recipient takes, where that was asked (RFC 4141): may it get the message? */
static bool content_fits(struct transaction *t, struct candidate *c, const struct reply *r)
{
	struct strbuf filter = STRBUF_INIT(REPLY_TOTAL_MAX);
	struct error err;
	bool fits = true;

	if (conneg_used(t->s, t->e))
		fits = conneg_take(t->s, t->e, r, &filter);
	if (filter.len)
		t->result->rcpt[c->index].note = arena_printf(t->result->arena, "takes %s",
							      filter.buf);
	if (!fits) {
		t->unfit = true;
		error_set_status(&err, FAULT_CONVERSION, "5.6.5",
				 "takes %s, and the server does not offer "
			  "CONPERM to convert the message", filter.buf);
		outcome_refuse(t, c->index, &err);
	}
	strbuf_release(&filter);
	return fits;
}

static void rcpt_accepted(struct transaction *t, struct candidate *c, const struct reply *r)
{
	if (!content_fits(t, c, r))
		return;
	c->state = STANDING;
	t->standing++;
	if (t->opt->rehearsal) {
		outcome_note_reply(t, r);
		outcome_accept(t, c->index, r);
	}
	if (r->code == 251 || r->code == 252)
		t->result->rcpt[c->index].note = reply_words(t, r);
}

bool outcome_strict(const struct transaction *t)
{
	return t->opt->strict_recipients || t->opt->stop_on;
}

void outcome_refuse(struct transaction *t, size_t i, const struct error *err)
{
	const bool counts = t->opt->strict_recipients ||
		t->opt->stop_on & 1U << t->e->rcpt[i].source;

	result_set_error(t->result, i, err);
	if (counts && !t->refusal.exit)
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
	} else if (parameter_refused(r) && !t->s->dead &&
		   extensions_droppable(t->s, t->e, rcpt)) {
		c->state = STUMBLED;
		t->drop_params = true;
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

/* The reply to a chunk: the first that is not good is the end of the message. */
static void chunk_reply(struct transaction *t, enum stage stage, const struct reply *r)
{
	if (reply_class(r) == 2 || t->content_error.exit)
		return;
	outcome_note_reply(t, r);
	reply_error(r, stage, &t->content_error);
	t->s->dead = t->s->dead || reply_class(r) == 3;
}

/* Greeting and EHLO that went ahead of this group. True when r was for one of them. */
static bool ahead_reply(struct transaction *t, enum stage stage, const struct reply *r)
{
	struct session *s = t->s;

	if (stage != STAGE_GREETING && stage != STAGE_EHLO)
		return false;
	if (r->code == 421 || t->ahead_error.exit)
		return true;	/* the pipeline ends all; or it has failed before */
	switch (ahead_take(s, stage, r, &t->ahead_error)) {
	case AHEAD_CHANGED:
		t->changed = true;
		break;
	case AHEAD_FAILED:
		outcome_note_reply(t, r);
		break;
	case AHEAD_FINE:
		break;
	}
	return true;
}

void outcome_take_reply(void *ctx, const struct pipeline_expected *what, const struct reply *r)
{
	struct transaction *t = ctx;

	/* of a group whose beginning failed nothing counts, whatever the server says to it */
	if (ahead_reply(t, what->stage, r) || t->ahead_error.exit)
		return;
	if (what->stage == STAGE_CHUNK || (what->stage == STAGE_BURL && !what->index))
		chunk_reply(t, what->stage, r);
	else if (what->stage == STAGE_MAIL) {
		mail_reply(t, r);
	} else if (what->stage == STAGE_RCPT) {
		rcpt_reply(t, &t->rcpt[what->index], r);
	} else if (what->stage == STAGE_XFORWARD && reply_class(r) != 2) {
		struct error err;

		t->mail_refused = true;
		reply_error(r, STAGE_XFORWARD, &err);
		outcome_fail_open(t, &err);
	} else if (what->stage == STAGE_RSET && reply_class(r) != 2) {
		struct error err;

		reply_error(r, STAGE_RSET, &err);
		pipeline_break(&t->pipe, &err);
	}
	/* the replies to DATA and BDAT are the last of their group: see below */
}
