/* What the replies to a transaction mean for its recipients. */
#include "config.h"
#include "smtp/transaction_state.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/auth/auth.h"
#include "smtp/command.h"
#include "smtp/ext/ext.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

/* --- outcomes ---------------------------------------------------------- */

void transaction_fail_open(struct transaction *t, const struct error *err)
{
	for (size_t i = 0; i < t->result->rcpt_count; i++) {
		if (t->result->rcpt[i].outcome == OUTCOME_NONE)
			result_set_error(t->result, i, err);
	}
}

void transaction_fail_standing(struct transaction *t, const struct error *err)
{
	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		if (t->rcpt[k].state == STANDING)
			result_set_error(t->result, t->rcpt[k].index, err);
	}
}

/*
 * The group was not answered to its end, and nothing can have been taken, as
 * no content has gone out (RFC 2920, section 3.1): is it worth another try
 * with this server, one command at a time?
 */
static bool repeats(struct transaction *t, const struct error *err)
{
	const bool group = t->pipe.count - t->pipe.head > 1;
	struct error why = *err;

	if (group && why.fault == FAULT_TIMEOUT)
		error_turn(&why, FAULT_GROUP);
	if (t->opt->repeat || t->try.begun || t->result->refusal.exit ||
	    error_next(&why, PHASE_ENVELOPE) != NEXT_SLOWLY)
		return false;
	if (session_has(t->s, EXT_PIPELINING))
		session_give_up(t->s, EXT_PIPELINING);
	*t->why = why;
	return true;
}

/* The end of the content is out: nobody knows about those that it is for. */
static void doubt_asked(struct transaction *t, const struct error *err)
{
	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		const size_t i = t->rcpt[k].index;
		struct error unknown = *err;

		if (t->result->rcpt[i].outcome != OUTCOME_NONE ||
		    (t->rcpt[k].state != ASKED && t->rcpt[k].state != STANDING))
			continue;
		result_doubt(t->result, &unknown);
		result_set_error(t->result, i, &unknown);
	}
}

void transaction_fail_lost(struct transaction *t, const struct error *err)
{
	if (checkpoint_keep(t, err)) {
		t->next = TRANSACTION_RESUME;
		return;
	}
	if (t->next == TRANSACTION_REPEAT || repeats(t, err)) {
		t->next = TRANSACTION_REPEAT;
		return;
	}
	if (t->try.sent && t->pipe.lost && !t->try.mail_refused)
		doubt_asked(t, err);
	transaction_fail_open(t, err);
}

void transaction_forget(struct transaction *t, bool refusals)
{
	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		const size_t i = t->rcpt[k].index;
		struct rcpt_result *r = &t->result->rcpt[i];

		if (t->rcpt[k].state != STANDING || !(refusals || r->outcome == OUTCOME_ACCEPTED))
			continue;
		result_set(t->result, i, OUTCOME_NONE);
		*r = (struct rcpt_result){ .outcome = OUTCOME_NONE, .note = r->note };
	}
}

void transaction_lose(struct transaction *t, const struct error *err)
{
	transaction_forget(t, false);
	pipeline_break(&t->pipe, err);
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
	return arena_take(t->result->arena, &text);
}

void transaction_accept(struct transaction *t, size_t i, const struct reply *r)
{
	struct rcpt_result *out = &t->result->rcpt[i];

	result_set(t->result, i, OUTCOME_ACCEPTED);
	out->words = t->s->protocol == SESSION_LMTP ? reply_words(t, r) : NULL;
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

void transaction_finish(struct transaction *t, enum stage stage, const struct reply *r)
{
	struct error err;

	transaction_note_reply(t, r);
	if (reply_class(r) == 2) {
		note_priority(t, r);
		for (size_t k = 0; k < t->try.rcpt_count; k++) {
			if (t->rcpt[k].state == STANDING)
				transaction_accept(t, t->rcpt[k].index, r);
		}
		return;
	}
	reply_error(r, stage, &err);
	transaction_fail_standing(t, &err);
	if (reply_class(r) == 3)
		t->s->dead = true;
}

void transaction_note_reply(struct transaction *t, const struct reply *r)
{
	t->result->reply_text = reply_words(t, r);
}

/* --- replies ----------------------------------------------------------- */

/* The server does not know it, or not at that place: of a command in a group. */
static bool misplaced(int code)
{
	return code == 500 || code == 502 || code == 503;
}

bool transaction_misread(int code)
{
	return misplaced(code) || code == 504;
}

/* The replies do not fit the group: not a word more on this connection. */
static void break_group(struct transaction *t, const struct reply *r, enum stage stage,
			const char *address)
{
	struct error err;

	reply_error_about(r, stage, address, &err);
	err.fault = FAULT_GROUP;
	pipeline_break(&t->pipe, &err);
}

static bool parameter_refused(const struct reply *r)
{
	return r->code == 501 || r->code == 555;
}

/* 501 may also mean the address: then there must be more than SIZE to blame (RFC 5321, 4.3.2). */
static bool give_up_transaction(struct transaction *t, const struct reply *r)
{
	struct session *s = t->s;
	bool size = session_has(s, EXT_SIZE);

	if (!parameter_refused(r) || s->dead)
		return false;
	if (!t->opt->rehearsal && body_give_up(s, t->e)) {
		t->next = TRANSACTION_CONVERTED;
		return true;
	}
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

	if (checkpoint_take(t, r))
		return;
	if (reply_class(r) == 2) {
		t->try.mail_taken = true;
		note_priority(t, r);
		if (t->opt->rehearsal || t->opt->keep_words)
			t->result->mail_reply = reply_words(t, r);
		return;
	}
	/* whoever has not read all of a group answers its end as if the beginning were missing */
	if (misplaced(r->code) && !t->opt->repeat && !t->s->dead && !t->try.ahead &&
	    pipeline_outstanding(&t->pipe)) {
		break_group(t, r, STAGE_MAIL, e->sender);
		return;
	}
	t->try.mail_refused = true;
	t->try.retry = send_mode_fall_back(t->s, e, r) || give_up_transaction(t, r);
	if (t->try.retry)
		return;
	transaction_note_reply(t, r);
	reply_error_about(r, STAGE_MAIL, e->sender, &err);
	transaction_fail_open(t, &err);
	if (reply_class(r) == 3)
		t->s->dead = true;
}

/*
 * "Too many recipients" (RFC 5321, section 4.5.3.1.10): 452, or 552 that
 * does not speak of a size, when some were accepted before.
 */
static bool too_many(const struct transaction *t, const struct reply *r)
{
	if (t->try.standing == 0 || transaction_strict(t) || (r->code != 452 && r->code != 552))
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
		t->try.unfit = true;
		error_set_status(&err, FAULT_CONVERSION, "5.6.5",
				 "takes %s, and the server does not offer "
				 "CONPERM to convert the message", filter.buf);
		transaction_refuse(t, c->index, &err);
	}
	strbuf_release(&filter);
	return fits;
}

static void rcpt_accepted(struct transaction *t, struct candidate *c, const struct reply *r)
{
	if (!content_fits(t, c, r))
		return;
	c->state = STANDING;
	t->try.standing++;
	t->s->hasty = false;
	if (t->opt->keep_words)
		t->result->rcpt[c->index].rcpt_reply = reply_words(t, r);
	if (t->opt->rehearsal) {
		transaction_note_reply(t, r);
		transaction_accept(t, c->index, r);
	}
	if (r->code == 251 || r->code == 252)
		t->result->rcpt[c->index].note = reply_words(t, r);
}

bool transaction_strict(const struct transaction *t)
{
	return t->opt->strict_recipients || t->opt->stop_on;
}

void transaction_refuse(struct transaction *t, size_t i, const struct error *err)
{
	const bool counts = t->opt->strict_recipients ||
		t->opt->stop_on & 1U << t->e->rcpt[i].source;

	result_set_error(t->result, i, err);
	if (!counts)
		return;
	/* what is for good ends it for good, whoever was deferred before */
	if (!t->result->refusal.exit ||
	    (error_is_temporary(&t->result->refusal) && !error_is_temporary(err)))
		t->result->refusal = *err;
}

void transaction_refuse_all(struct transaction *t)
{
	struct error err = t->result->refusal;

	error_prefix(&err, "not sent, as another recipient was refused");
	transaction_fail_standing(t, &err);
	transaction_fail_open(t, &err);
}

static void rcpt_reply(struct transaction *t, struct candidate *c, const struct reply *r)
{
	const struct recipient *rcpt = &t->e->rcpt[c->index];
	struct error err;

	c->state = ANSWERED;
	if (t->try.mail_refused)
		return;
	if (reply_class(r) == 2) {
		rcpt_accepted(t, c, r);
	} else if (reply_class(r) == 3 && session_has(t->s, EXT_PIPELINING) && !t->opt->repeat) {
		/* DATA's, one too early: the server has left one out */
		break_group(t, r, STAGE_RCPT, rcpt->address);
	} else if (too_many(t, r)) {
		t->try.left++;
	} else if (parameter_refused(r) && !t->s->dead &&
		   extensions_droppable(t->s, t->e, rcpt)) {
		c->state = STUMBLED;
		t->try.retry = true;
		t->try.left++;
	} else if (misplaced(r->code) && !t->s->dead && session_has(t->s, EXT_PIPELINING)) {
		t->try.slow = true;
		t->try.left++;
	} else {
		transaction_note_reply(t, r);
		reply_error_about(r, STAGE_RCPT, rcpt->address, &err);
		auth_explain_refusal(t->s, r, &err);
		transaction_refuse(t, c->index, &err);
	}
}

void transaction_take_reply(void *ctx, const struct pipeline_expected *what, const struct reply *r)
{
	struct transaction *t = ctx;
	struct error err;

	if (what->stage == STAGE_CHUNK || (what->stage == STAGE_BURL && !what->index)) {
		content_chunk_reply(t, what->stage, r);
	} else if (what->stage == STAGE_MAIL) {
		mail_reply(t, r);
	} else if (what->stage == STAGE_RCPT) {
		rcpt_reply(t, &t->rcpt[what->index], r);
	} else if (what->stage == STAGE_DATA) {
		content_data_reply(t, r);
	} else if (what->stage == STAGE_XFORWARD && reply_class(r) != 2) {
		t->try.mail_refused = true;
		reply_error(r, STAGE_XFORWARD, &err);
		transaction_fail_open(t, &err);
	} else if (what->stage == STAGE_RSET && reply_class(r) != 2) {
		/* the transaction before is still open: this one goes on a new connection */
		reply_error(r, STAGE_RSET, &err);
		if (!t->opt->repeat) {
			t->next = TRANSACTION_REPEAT;
			*t->why = err;
		}
		pipeline_break(&t->pipe, &err);
	} else if (t->try.sent && r->code == 421) {
		reply_error(r, what->stage, &err);
		pipeline_break(&t->pipe, &err);
	}
	/* the reply to the end of the content is the last of its group: see content.c */
}
