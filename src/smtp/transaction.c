#include "config.h"
#include "smtp/transaction.h"

#include <string.h>

#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/command.h"
#include "smtp/ext/ext.h"
#include "smtp/session.h"
#include "smtp/transaction_state.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/xalloc.h"

#define CANDIDATES_FIRST 16	/* room for so many at first */
#define RETRIES_MAX 4		/* without pipelining, parameters, SIZE, SOML */

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

/* All that are to be asked for, and were not; stops where asking on is useless. */
static void put_recipients(struct transaction *t)
{
	const bool plain = send_mode(t->s, t->e) == SEND_MODE_MAIL;

	for (; t->try.put < t->try.rcpt_count; t->try.put++) {
		const size_t k = t->try.put;
		const struct recipient *r = &t->e->rcpt[t->rcpt[k].index];
		struct error err;

		if (t->pipe.broken || t->try.mail_refused || t->result->refusal.exit)
			return;
		if (t->try.left > t->try.set_aside && !session_has(t->s, EXT_PIPELINING)) {
			/* too many: the rest is not even asked */
			t->try.left += t->try.rcpt_count - k;
			t->try.put = t->try.rcpt_count;
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

/* The envelope, and DATA where the group has it. */
static void put_envelope(struct transaction *t)
{
	struct session *s = t->s;
	struct error err;
	int rc = 0;

	if (s->need_reset || (s->account->rset == RSET_ALWAYS && s->mail_count)) {
		session_line(s, "RSET", NULL);
		rc = pipeline_add(&t->pipe, STAGE_RSET, 0, 0, &err);
	}
	s->need_reset = false;
	if (rc == 0)
		rc = put_client(t, &err);
	if (rc == 0 && (t->try.mail_refused || t->pipe.broken))
		return;
	if (rc == 0 && put_mail(t, &err) == 0) {
		t->try.asked = true;
		if (!t->try.resumed)
			put_recipients(t);
		if (!t->pipe.broken)
			content_ask(t);
		return;
	}
	error_prefix(&err, "MAIL FROM");
	pipeline_finish(&t->pipe);
	transaction_fail_open(t, &err);
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

	if (!r || !r->bcc || !t->m || !a->bcc_copies || !a->remove_bcc_headers || t->e->burl ||
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

static void add_candidate(struct transaction *t, size_t i)
{
	if (t->try.rcpt_count == t->rcpt_alloc) {
		t->rcpt_alloc = t->rcpt_alloc ? 2 * t->rcpt_alloc : CANDIDATES_FIRST;
		t->rcpt = xrealloc(t->rcpt, t->rcpt_alloc, sizeof(*t->rcpt));
	}
	t->rcpt[t->try.rcpt_count++] = (struct candidate){ i, UNASKED };
}

/* Can nobody else go in this transaction, whoever it is? */
static bool is_full(const struct transaction *t)
{
	const unsigned own = t->s->account->max_recipients, limit = t->s->rcpt_max;
	const unsigned max = !own || (limit && limit < own) ? limit : own;

	return t->try.rcpt_count &&
	       (t->try.rcpt_count == max ||
		(t->s->account->bcc_copies && t->e->rcpt[t->rcpt[0].index].bcc));
}

static void set_aside(struct transaction *t)
{
	t->try.left++;
	t->try.set_aside++;
}

/* May it go in this transaction? Then it is a candidate. */
static void choose_recipient(struct transaction *t, size_t i)
{
	const struct recipient *r = &t->e->rcpt[i];
	const struct recipient *first = r;
	struct error err;

	if (extensions_check_rcpt(t->s, t->e, r, &err) < 0) {
		transaction_refuse(t, i, &err);
		return;
	}
	if (t->try.rcpt_count == 0)
		t->try.null_sender = wants_null_sender(t, r);
	else
		first = &t->e->rcpt[t->rcpt[0].index];
	if (goes_with(t, first, r) && limits_take_domain(t->s, r->address))
		add_candidate(t, i);
	else
		set_aside(t);
}

/* Those without an outcome, as many as server and account allow at once, that are new. */
static void choose_recipients(struct transaction *t)
{
	const size_t first = result_first_open(t->result);

	if (t->try.seen < first)
		t->try.seen = first;
	for (; t->try.seen < t->e->rcpt_count; t->try.seen++) {
		if (t->result->rcpt[t->try.seen].outcome != OUTCOME_NONE)
			continue;
		if (is_full(t)) {	/* that there is one more is all that counts */
			set_aside(t);
			return;
		}
		choose_recipient(t, t->try.seen);
	}
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

/* A group that nobody answers is given up soon. */
static bool is_hasty(const struct transaction *t)
{
	return session_has(t->s, EXT_PIPELINING) && !t->opt->repeat;
}

/*
 * Begins one, or puts it behind what is still unanswered; false: there is
 * nothing to ask for. What is left waits for another session.
 */
static bool begin_try(struct transaction *t, bool behind)
{
	struct error err;

	t->try = (struct try){ 0 };
	choose_recipients(t);
	if (t->result->refusal.exit) {
		transaction_refuse_all(t);
		return false;
	}
	/* MAIL may go first where everything comes step by step */
	const bool nobody = t->try.rcpt_count == 0 && (t->m || t->e->rcpt_count);

	if (nobody || limits_spent(t->s))
		return false;
	if (make_copy(t, &err) < 0) {
		transaction_refuse(t, t->rcpt[0].index, &err);
		return false;
	}
	if (!checkpoint_begin(t))
		return false;
	pipeline_init(&t->pipe, t->s, transaction_take_reply, t);
	t->under_way = true;
	t->pipe.behind = behind;
	t->s->hasty = !behind && is_hasty(t);
	put_envelope(t);
	return true;
}

/* What it has come to; true when another one is to follow at once. */
static bool end_try(struct transaction *t)
{
	struct session *s = t->s;

	s->hasty = t->under_way = false;
	if (t->pipe.broken)
		transaction_fail_lost(t, &t->pipe.error);
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

/* What comes next for those who are still open. */
static enum transaction_next what_next(const struct transaction *t)
{
	const struct session *s = t->s;

	if (t->next != TRANSACTION_DONE ||
	    result_first_open(t->result) == t->result->rcpt_count)
		return t->next;
	return s->dead || stuck(s) || limits_spent(s) ? TRANSACTION_NEW_SESSION : TRANSACTION_AGAIN;
}

/* --- the halves -------------------------------------------------------------------- */

struct transaction *transaction_new(struct session *s, const struct envelope *e,
				    const struct message *m, const struct edits *edits,
				    const struct transaction_options *opt, struct result *result,
				    struct error *why)
{
	struct transaction *t = xcalloc(1, sizeof(*t));
	struct error err;

	*t = (struct transaction){ .s = s, .e = e, .m = m, .edits = edits, .opt = opt,
		.result = result, .why = why, .whole_e = e, .whole_edits = edits };
	if (!s->dead && extensions_check(s, e, &err) < 0)
		transaction_fail_open(t, &err);
	return t;
}

void transaction_free(struct transaction *t)
{
	if (!t)
		return;
	if (t->under_way)
		pipeline_release(&t->pipe);
	xfree(t->rcpt);
	xfree(t);
}

void transaction_set_message(struct transaction *t, const struct message *m,
			     const struct edits *edits)
{
	t->m = m;
	t->edits = t->whole_edits = edits;
}

bool transaction_ask(struct transaction *t, bool behind)
{
	if (t->s->dead || t->next != TRANSACTION_DONE)
		return false;
	if (!t->under_way)
		return begin_try(t, behind);
	choose_recipients(t);
	put_recipients(t);
	return !t->pipe.broken;
}

/* What went before is answered: from here on the replies are this transaction's. */
static void arrive(struct transaction *t)
{
	if (!t->pipe.behind)
		return;
	t->pipe.behind = false;
	t->s->hasty = is_hasty(t);
}

/* Those who stumbled over what may be left out are candidates once more, without it. */
static bool choose_stumbled(struct transaction *t)
{
	const size_t n = t->try.rcpt_count;
	bool any = false;

	drop_params(t);
	for (size_t k = 0; k < n; k++) {
		if (t->rcpt[k].state != STUMBLED)
			continue;
		t->rcpt[k].state = ANSWERED;
		t->try.left--;
		add_candidate(t, t->rcpt[k].index);
		any = true;
	}
	t->try.retry = t->try.retry && !any;
	return any;
}

bool transaction_replies(struct transaction *t)
{
	for (int i = 0; t->under_way; i++) {
		arrive(t);
		pipeline_finish(&t->pipe);
		if (t->pipe.broken || t->m || i == RETRIES_MAX)
			break;
		if (!t->try.mail_refused && choose_stumbled(t))
			put_recipients(t);
		else if (!t->try.mail_refused || !t->try.retry)
			break;
		else if (end_try(t))
			(void)begin_try(t, false);
	}
	if (t->under_way && t->pipe.broken)
		(void)end_try(t);
	return t->under_way && !t->try.mail_refused;
}

bool transaction_stands(const struct transaction *t, size_t i)
{
	for (size_t k = 0; t->under_way && k < t->try.rcpt_count; k++) {
		if (t->rcpt[k].index == i && t->rcpt[k].state == STANDING)
			return true;
	}
	return false;
}

bool transaction_in_step(const struct transaction *t)
{
	if (!t->under_way || t->pipe.broken)
		return false;
	return t->try.data_asked ? t->try.data_code / 100 == 3 :
		t->try.mail_taken && t->try.standing;
}

bool transaction_asked_data(const struct transaction *t)
{
	return t->try.data_asked;
}

const struct error *transaction_lost(const struct transaction *t)
{
	return t->pipe.broken ? &t->pipe.error : NULL;
}

enum transaction_next transaction_deliver(struct transaction *t)
{
	bool again = true;

	if (t->under_way && t->s->dead)
		again = end_try(t);
	for (int i = 0; again && i <= RETRIES_MAX && !t->s->dead; i++) {
		if (t->next != TRANSACTION_DONE || (!t->under_way && !begin_try(t, false)))
			break;
		arrive(t);
		if (t->try.asked && !t->pipe.broken)
			content_send(t);
		again = end_try(t);
	}
	return what_next(t);
}

bool transaction_reopen(struct transaction *t)
{
	const size_t open = result_count(t->result, OUTCOME_NONE);

	if (!t->try.sent)
		return false;
	for (size_t k = 0; k < t->try.rcpt_count; k++) {
		if (t->result->rcpt[t->rcpt[k].index].outcome == OUTCOME_ACCEPTED)
			return false;
	}
	transaction_forget(t, true);
	return result_count(t->result, OUTCOME_NONE) > open;
}

void transaction_abandon(struct transaction *t)
{
	if (!t->under_way)
		return;
	arrive(t);
	pipeline_finish(&t->pipe);
	if (!t->pipe.broken)
		content_abandon(t);
	pipeline_release(&t->pipe);
	t->s->hasty = t->under_way = false;
}

enum transaction_next transaction_run(struct session *s, const struct envelope *e,
				      const struct message *m, const struct edits *edits,
				      const struct transaction_options *opt, struct result *result,
				      struct error *why)
{
	struct transaction *t = transaction_new(s, e, m, edits, opt, result, why);
	const enum transaction_next next = transaction_deliver(t);

	transaction_free(t);
	return next;
}
