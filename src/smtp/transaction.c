#include "config.h"
#include "smtp/transaction.h"

#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/auth/auth.h"
#include "smtp/command.h"
#include "smtp/ext/ext.h"
#include "smtp/session.h"
#include "smtp/transaction_state.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/xalloc.h"

#define RETRIES_MAX 4		/* without pipelining, parameters, SIZE, SOML */

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

static void fail_lost(struct transaction *t, const struct error *err)
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
		struct rcpt_result *r = &t->result->rcpt[t->rcpt[k].index];

		if (t->rcpt[k].state == STANDING && (refusals || r->outcome == OUTCOME_ACCEPTED))
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
		note_priority(t, r);
		if (t->opt->rehearsal)
			t->result->mail_reply = reply_words(t, r);
		return;
	}
	/* whoever has not read all of a group answers its end as if the beginning were missing */
	if (misplaced(r->code) && !t->opt->repeat && !t->s->dead &&
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
	if (counts && !t->result->refusal.exit)
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

static void take_reply(void *ctx, const struct pipeline_expected *what, const struct reply *r)
{
	struct transaction *t = ctx;
	struct error err;

	if (what->stage == STAGE_CHUNK || (what->stage == STAGE_BURL && !what->index)) {
		content_chunk_reply(t, what->stage, r);
	} else if (what->stage == STAGE_MAIL) {
		mail_reply(t, r);
	} else if (what->stage == STAGE_RCPT) {
		rcpt_reply(t, &t->rcpt[what->index], r);
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
	/* the replies to DATA and BDAT are the last of their group: see content.c */
}

/* --- commands ---------------------------------------------------------- */

#define PATH_MAX_OCTETS 256	/* RFC 5321, section 4.5.3.1.3 */

/* What the path has beyond the RFC's limit: it may be tried, the server judges. */
static size_t path(struct session *s, const char *command, const char *address)
{
	const size_t len = strlen(address) + 2;

	session_line(s, command, NULL);
	strbuf_addstr(&s->line, address);
	strbuf_addch(&s->line, '>');
	return len > PATH_MAX_OCTETS ? len - PATH_MAX_OCTETS : 0;
}

/* pipelining = first-no: one by one up to the reply to the first RCPT. */
static bool first_alone(const struct transaction *t)
{
	return t->s->account->pipelining == PIPELINING_FIRST_NO;
}

static int put_mail(struct transaction *t, struct error *err)
{
	struct strbuf *line = &t->s->line;

	t->s->mail_count++;
	enum send_mode mode = t->try.null_sender ? SEND_MODE_MAIL : send_mode(t->s, t->e);

	size_t extra = path(t->s, send_mode_open(mode), t->try.null_sender ? "" : t->e->sender);

	extra += mode == SEND_MODE_MAIL ? extensions_params(t->s, t->e, NULL, line) :
		send_mode_params(t->s, t->e, line);
	t->try.prdr = prdr_used(t->s, t->e);

	if (pipeline_add(&t->pipe, STAGE_MAIL, 0, extra, err) < 0)
		return -1;
	if (first_alone(t) || checkpoint_resumes(t) || send_mode_uncertain(t->s, mode))
		pipeline_finish(&t->pipe);
	return 0;
}

/* All that are to be asked for; stops where asking on is useless. */
static void put_recipients(struct transaction *t)
{
	const bool plain = send_mode(t->s, t->e) == SEND_MODE_MAIL;

	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		const struct recipient *r = &t->e->rcpt[t->rcpt[k].index];
		struct error err;

		if (t->pipe.broken || t->try.mail_refused || t->result->refusal.exit)
			return;
		if (t->try.left > t->try.set_aside && !session_has(t->s, EXT_PIPELINING)) {
			/* too many: the rest is not even asked */
			t->try.left += t->try.rcpt_count - k;
			return;
		}
		size_t extra = path(t->s, "RCPT TO:<", r->address);

		extra += plain ? extensions_params(t->s, t->e, r, &t->s->line) : 0;
		t->rcpt[k].state = ASKED;
		if (pipeline_add(&t->pipe, STAGE_RCPT, k, extra, &err) < 0) {
			error_prefix(&err, "'%.100s'", r->address);
			transaction_refuse(t, t->rcpt[k].index, &err);
		}
		if (k == 0 && first_alone(t))
			pipeline_finish(&t->pipe);
	}
}

/* XFORWARD counts for one transaction; nothing of that may go on when it is refused. */
static int put_client(struct transaction *t, struct error *err)
{
	if (!t->s->account->cmd.xforward)
		return 0;
	for (size_t at = 0; xforward_next(t->s, &at);) {
		if (pipeline_add(&t->pipe, STAGE_XFORWARD, 0, 0, err) < 0)
			return -1;
	}
	pipeline_finish(&t->pipe);
	return 0;
}

static void begin(struct transaction *t, struct error *err)
{
	struct session *s = t->s;
	int rc = 0;

	if (s->need_reset || (s->account->rset == RSET_ALWAYS && s->mail_count)) {
		session_line(s, "RSET", NULL);
		rc = pipeline_add(&t->pipe, STAGE_RSET, 0, 0, err);
	}
	s->need_reset = false;
	if (rc == 0)
		rc = put_client(t, err);
	if (rc == 0 && (t->try.mail_refused || t->pipe.broken))
		return;
	if (rc == 0 && put_mail(t, err) == 0) {
		if (!t->try.resumed)
			put_recipients(t);
		if (!t->pipe.broken)
			content_send(t);
		return;
	}
	error_prefix(err, "MAIL FROM");
	pipeline_finish(&t->pipe);
	transaction_fail_open(t, err);
}

/* Without DSN, only the null reverse-path keeps notices away (RFC 3461, section 5.2.2). */
static bool wants_null_sender(const struct transaction *t, const struct recipient *r)
{
	return t->s->account->ext.never_null_sender && r->notify & DSN_NOTIFY_NEVER &&
		!session_has(t->s, EXT_DSN) && t->e->ext.hold == HOLD_NONE;
}

/* May it go in one transaction with the first one? */
static bool goes_with(const struct transaction *t, const struct recipient *first,
		      const struct recipient *r)
{
	const struct account *a = t->s->account;

	if (a->bcc_copies && first != r && (first->bcc || r->bcc))
		return false;
	return t->try.null_sender == wants_null_sender(t, r) &&
	       (!(a->bcc_separate || a->bcc_copies) || first->blind == r->blind);
}

/* A recipient of Bcc sees why the message came: Bcc names him alone (RFC 5322, section 3.6.3). */
static int make_copy(struct transaction *t, struct error *err)
{
	const struct recipient *r = t->try.rcpt_count ? &t->e->rcpt[t->rcpt[0].index] : NULL;

	t->e = t->whole_e;
	t->edits = t->whole_edits;
	const struct account *a = t->s->account;

	if (!r || !r->bcc || !a->bcc_copies || !a->remove_bcc_headers || t->e->burl ||
	    t->opt->rehearsal)
		return 0;
	t->own_e = *t->whole_e;
	edits_copy(&t->own_edits, t->whole_edits, t->result->arena);
	if (edits_add(&t->own_edits, "Bcc", r->original ? r->original : r->address, err) < 0)
		return -1;
	t->own_e.size = edits_wire_size(&t->own_edits, t->m);
	t->e = &t->own_e;
	t->edits = &t->own_edits;
	return 0;
}

/* Those without an outcome, as many as server and account allow at once. */
static void choose_recipients(struct transaction *t)
{
	const unsigned own = t->s->account->max_recipients, limit = t->s->rcpt_max;
	const unsigned max = !own || (limit && limit < own) ? limit : own;
	const struct recipient *first = NULL;
	struct error err;

	t->try.rcpt_count = t->try.left = 0;
	for (size_t i = 0; i < t->result->rcpt_count; i++) {
		const struct recipient *r = &t->e->rcpt[i];

		if (t->result->rcpt[i].outcome != OUTCOME_NONE)
			continue;
		if (extensions_check_rcpt(t->s, t->e, r, &err) < 0) {
			transaction_refuse(t, i, &err);
			continue;
		}
		if (t->try.rcpt_count == 0) {
			first = r;
			t->try.null_sender = wants_null_sender(t, r);
		}
		if ((max && t->try.rcpt_count == max) || !goes_with(t, first, r) ||
		    !limits_take_domain(t->s, r->address))
			t->try.left++;
		else
			t->rcpt[t->try.rcpt_count++] = (struct candidate){ i, UNASKED };
	}
	t->try.set_aside = t->try.left;
}

/* Recipients stumbled over parameters that may be left out: with the next try they are. */
static void drop_params(struct transaction *t)
{
	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		if (t->rcpt[k].state == STUMBLED)
			(void)extensions_give_up(t->s, t->e, &t->e->rcpt[t->rcpt[k].index]);
	}
}

/* Was a transaction left open that no RSET may end? QUIT does, and another session begins. */
static bool stuck(const struct session *s)
{
	return s->need_reset && s->account->rset == RSET_NEVER;
}

/* Runs one; true when it is to be run again at once. */
static bool run_once(struct transaction *t)
{
	struct session *s = t->s;
	struct error err;

	t->try = (struct try){ 0 };
	choose_recipients(t);
	if (t->result->refusal.exit) {
		transaction_refuse_all(t);
		return false;
	}
	if (t->try.rcpt_count == 0 || limits_spent(s))
		return false;	/* what is left waits for another session */
	if (make_copy(t, &err) < 0) {
		transaction_refuse(t, t->rcpt[0].index, &err);
		return false;
	}
	if (!checkpoint_begin(t))
		return false;
	pipeline_init(&t->pipe, s, take_reply, t);
	s->hasty = session_has(s, EXT_PIPELINING) && !t->opt->repeat;
	begin(t, &err);
	s->hasty = false;
	if (t->pipe.broken)
		fail_lost(t, &t->pipe.error);
	pipeline_release(&t->pipe);
	drop_params(t);
	if (t->try.slow)
		session_give_up(s, EXT_PIPELINING);
	if (t->next != TRANSACTION_DONE || s->dead || !(t->try.retry || t->try.slow))
		return false;
	if (stuck(s))
		t->next = TRANSACTION_ANEW;
	return !stuck(s);
}

enum transaction_next transaction_run(struct session *s, const struct envelope *e,
				      const struct message *m, const struct edits *edits,
				      const struct transaction_options *opt, struct result *result,
				      struct error *why)
{
	struct transaction t = { .s = s, .e = e, .m = m, .edits = edits, .opt = opt,
		.result = result, .why = why, .whole_e = e, .whole_edits = edits };
	struct error err;

	if (!s->dead && extensions_check(s, e, &err) < 0)
		transaction_fail_open(&t, &err);
	t.rcpt = xcalloc(e->rcpt_count, sizeof(*t.rcpt));
	for (int i = 0; i <= RETRIES_MAX && !s->dead && run_once(&t); i++)
		;
	xfree(t.rcpt);
	if (t.next != TRANSACTION_DONE || !result_count(result, OUTCOME_NONE))
		return t.next;
	return s->dead || stuck(s) || limits_spent(s) ? TRANSACTION_NEW_SESSION : TRANSACTION_AGAIN;
}
