#include "config.h"
#include "smtp/transaction.h"

#include <string.h>

#include "conf/account.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/ahead.h"
#include "smtp/content.h"
#include "smtp/ext/checkpoint.h"
#include "smtp/ext/limits.h"
#include "smtp/ext/prdr.h"
#include "smtp/ext/xclient.h"
#include "smtp/outcome.h"
#include "smtp/send_mode.h"
#include "smtp/session.h"
#include "util/xalloc.h"

#define RETRIES_MAX 4		/* without pipelining, parameters, SIZE, SOML */

static int put(struct transaction *t, const char *command, enum stage stage, struct error *err)
{
	strbuf_reset(&t->s->line);
	strbuf_addstr(&t->s->line, command);
	return pipeline_add(&t->pipe, stage, 0, 0, false, err);
}

#define PATH_MAX_OCTETS 256	/* RFC 5321, section 4.5.3.1.3 */

/* What a path has beyond the RFC's limit: it may be tried, the server judges. */
static size_t path_excess(const char *address)
{
	size_t len = strlen(address) + 2;

	return len > PATH_MAX_OCTETS ? len - PATH_MAX_OCTETS : 0;
}

static void path(struct strbuf *line, const char *command, const char *address)
{
	strbuf_reset(line);
	strbuf_addstr(line, command);
	strbuf_addstr(line, address);
	strbuf_addch(line, '>');
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
	enum send_mode mode = t->null_sender ? SEND_MODE_MAIL : send_mode(t->s, t->e);

	path(line, send_mode_open(mode), t->null_sender ? "" : t->e->sender);
	size_t extra = mode == SEND_MODE_MAIL ? extensions_mail_params(t->s, t->e, line) :
		send_mode_params(t->s, t->e, line);

	extra += path_excess(t->null_sender ? "" : t->e->sender);
	t->prdr = prdr_used(t->s, t->e);
	t->params_used = extensions_droppable(t->s, t->e, NULL);

	if (pipeline_add(&t->pipe, STAGE_MAIL, 0, extra, session_has(t->s, EXT_SMTPUTF8), err) < 0)
		return -1;
	if (first_alone(t) || checkpoint_resumes(t) || send_mode_uncertain(t->s, mode))
		pipeline_finish(&t->pipe);
	return 0;
}

/* All that are to be asked for; stops where asking on is useless. */
static void put_recipients(struct transaction *t)
{
	const bool plain = send_mode(t->s, t->e) == SEND_MODE_MAIL;
	struct strbuf *line = &t->s->line;

	for (size_t k = 0; k < t->rcpt_count; k++) {
		const struct recipient *r = &t->e->rcpt[t->rcpt[k].index];
		struct error err;

		if (t->pipe.broken || t->mail_refused || t->refusal.exit)
			return;
		if (t->left > t->set_aside && !session_has(t->s, EXT_PIPELINING)) {
			t->left += t->rcpt_count - k;	/* too many: the rest is not even asked */
			return;
		}
		path(line, "RCPT TO:<", r->address);
		size_t extra = plain ? extensions_rcpt_params(t->s, t->e, r, line) : 0;

		t->params_used |= extra > 0;
		extra += path_excess(r->address);
		t->rcpt[k].state = ASKED;
		if (pipeline_add(&t->pipe, STAGE_RCPT, k, extra, session_has(t->s, EXT_SMTPUTF8),
				 &err) < 0) {
			error_prefix(&err, "'%.100s'", r->address);
			outcome_refuse(t, t->rcpt[k].index, &err);
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
		if (pipeline_add(&t->pipe, STAGE_XFORWARD, 0, 0, false, err) < 0)
			return -1;
	}
	pipeline_finish(&t->pipe);
	return 0;
}

static void begin(struct transaction *t, struct error *err)
{
	struct session *s = t->s;
	int rc = s->need_reset ? put(t, "RSET", STAGE_RSET, err) : 0;

	s->need_reset = false;
	if (rc == 0)
		rc = put_client(t, err);
	if (rc == 0 && (t->mail_refused || t->pipe.broken))
		return;
	if (rc == 0 && put_mail(t, err) == 0) {
		if (!t->resumed)
			put_recipients(t);
		if (!t->pipe.broken)
			content_send(t);
		return;
	}
	error_prefix(err, "MAIL FROM");
	pipeline_finish(&t->pipe);
	outcome_fail_open(t, err);
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
	return t->null_sender == wants_null_sender(t, r) &&
	       (!(a->bcc_separate || a->bcc_copies) || first->blind == r->blind);
}

/* A recipient of Bcc sees why the message came: Bcc names him alone (RFC 5322, section 3.6.3). */
static int make_copy(struct transaction *t, struct error *err)
{
	const struct recipient *r = t->rcpt_count ? &t->e->rcpt[t->rcpt[0].index] : NULL;

	t->e = t->whole_e;
	t->edits = t->whole_edits;
	const struct account *a = t->s->account;

	if (!r || !r->bcc || !a->bcc_copies || !a->remove_bcc || t->e->burl || t->opt->rehearsal)
		return 0;
	*t->own_e = *t->whole_e;
	edits_copy(t->own_edits, t->whole_edits, t->result->arena);
	if (edits_add(t->own_edits, "Bcc", r->original ? r->original : r->address, err) < 0)
		return -1;
	t->own_e->size = edits_wire_size(t->own_edits, t->m);
	t->e = t->own_e;
	t->edits = t->own_edits;
	return 0;
}

/* As often as it was named, where LMTP servers may do something else each time. */
static void add_candidate(struct transaction *t, size_t i)
{
	const bool repeat = t->s->protocol == SESSION_LMTP && t->s->account->lmtp_keep_duplicates;

	for (unsigned n = 0; n == 0 || (repeat && n <= t->e->rcpt[i].repeated); n++)
		t->rcpt[t->rcpt_count++] = (struct candidate){ i, UNASKED };
}

/* Those without an outcome, as many as server and account allow at once. */
static void choose_recipients(struct transaction *t)
{
	const unsigned own = t->s->account->max_recipients, limit = t->s->rcpt_max;
	const unsigned max = !own || (limit && limit < own) ? limit : own;
	const struct recipient *first = NULL;
	struct error err;

	t->rcpt_count = t->left = 0;
	for (size_t i = 0; i < t->result->rcpt_count; i++) {
		const struct recipient *r = &t->e->rcpt[i];

		if (t->result->rcpt[i].outcome != OUTCOME_NONE)
			continue;
		if (extensions_check_rcpt(t->s, t->e, r, &err) < 0) {
			outcome_refuse(t, i, &err);
			continue;
		}
		if (t->rcpt_count == 0) {
			first = r;
			t->null_sender = wants_null_sender(t, r);
		}
		if ((max && t->rcpt_count == max) || !goes_with(t, first, r) ||
		    !limits_take_domain(t->s, r->address))
			t->left++;
		else
			add_candidate(t, i);
	}
	t->set_aside = t->left;
}

/* Recipients stumbled over parameters that may be left out: with the next try they are. */
static void drop_params(struct transaction *t)
{
	for (size_t k = 0; k < t->rcpt_count; k++) {
		if (t->rcpt[k].state == STUMBLED)
			(void)extensions_give_up(t->s, t->e, &t->e->rcpt[t->rcpt[k].index]);
	}
}

/*
 * The group was made for what the server announced once. Whoever has got the
 * message has got it; for the others nothing of it counts.
 */
static void assume_nothing(struct transaction *t)
{
	struct session *s = t->s;

	for (size_t k = 0; k < t->rcpt_count; k++) {
		struct rcpt_result *r = &t->result->rcpt[t->rcpt[k].index];

		if (r->outcome == OUTCOME_ACCEPTED)
			continue;
		r->outcome = OUTCOME_NONE;
		s->changed = true;
	}
	s->need_reset = true;
	s->again = s->changed && s->dead;
}

/* Runs one; true when it is to be run again at once. */
static bool run_once(struct transaction *t)
{
	struct error err;

	t->refusal = (struct error){ 0 };
	choose_recipients(t);
	if (t->refusal.exit) {
		error_prefix(&t->refusal, "not sent, as another recipient was refused");
		outcome_fail_open(t, &t->refusal);
		return false;
	}
	if (t->rcpt_count == 0 || limits_spent(t->s))
		return false;	/* what is left waits for another session */
	if (make_copy(t, &err) < 0) {
		outcome_refuse(t, t->rcpt[0].index, &err);
		return false;
	}
	t->standing = 0;
	t->mail_refused = t->retry = t->drop_params = t->params_used = t->slow = t->sent = false;
	t->unfit = t->last_begun = t->resumed = t->changed = false;
	t->from = 0;
	t->content_error = t->ahead_error = (struct error){ 0 };
	checkpoint_begin(t);
	pipeline_init(&t->pipe, t->s, outcome_take_reply, t);
	begin(t, &err);
	if (t->ahead_error.exit && !t->s->again)
		outcome_fail_open(t, &t->ahead_error);
	else if (t->pipe.broken)
		outcome_fail_lost(t, &t->pipe.error);
	if (t->changed)
		assume_nothing(t);
	pipeline_release(&t->pipe);
	if (t->drop_params)
		drop_params(t);
	if (t->slow)
		t->s->announced[EXT_PIPELINING] = false;
	return (t->retry || t->drop_params || t->slow) && !t->s->dead && !t->s->again &&
		!t->s->changed;
}

/* The message is not for this server, unless that is judged by what it announced once. */
static void refuse(struct transaction *t, const struct error *err)
{
	struct session *s = t->s;
	struct error failed;

	if (!s->ahead_n)
		outcome_fail_open(t, err);
	else if (ahead_settle(s, &failed) == 0)
		s->changed = true;
	else if (!s->again)
		outcome_fail_open(t, &failed);
}

static size_t count_candidates(const struct envelope *e)
{
	size_t n = e->rcpt_count;

	for (size_t i = 0; i < e->rcpt_count; i++)
		n += e->rcpt[i].repeated;
	return n;
}

void transaction_run(struct session *s, const struct envelope *e, const struct message *m,
		     const struct edits *edits, const struct transaction_options *opt,
		     struct result *result)
{
	struct envelope own_e;
	struct edits own_edits;
	struct transaction t = { .s = s, .e = e, .m = m, .edits = edits, .opt = opt,
		.result = result, .whole_e = e, .whole_edits = edits, .own_e = &own_e,
		.own_edits = &own_edits };
	struct error err;

	if (s->dead)
		return;		/* the recipients wait for another session */
	if (extensions_check(s, e, &err) < 0) {
		refuse(&t, &err);
		return;
	}
	t.rcpt = xcalloc(count_candidates(e), sizeof(*t.rcpt));
	for (int i = 0; i <= RETRIES_MAX && run_once(&t); i++)
		;
	xfree(t.rcpt);
}
