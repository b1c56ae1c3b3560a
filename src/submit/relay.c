#include "config.h"
#include "submit/relay.h"

#include <string.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "prepare/convert.h"
#include "prepare/requests.h"
#include "smtp/session.h"
#include "smtp/transaction.h"
#include "submit/attempt.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/text.h"
#include "util/xalloc.h"

/* So long behind its last reply a session is not closed by the server for want of use. */
#define FRESH_MS 5000

/* So long a sign-in that was refused is not tried again: servers count, and lock out. */
#define BARRED_MS 30000

struct relay {
	const struct account *account;
	struct attempt_options attempt;
	struct transaction_options transaction;
	struct attempt *line;		/* the session; NULL = none is open */
	bool no_chunks;			/* the server announces CHUNKING and does not know it */
	unsigned messages;		/* that it has had */
	int64_t used_ms;		/* when it had the last one: clock_ms() */
	struct transaction *t;		/* NULL = none is under way */
	const struct envelope *e;	/* the caller's, as are those in result */
	struct result *result;
	struct envelope offered;	/* what the server was told at MAIL, and whom at RCPT */
	bool *promised;			/* to each recipient of e, in the arena of result */
	size_t promised_n, promised_alloc;
	struct error why;		/* of the transaction */
	struct error barred;		/* a sign-in was refused, and how; exit 0 = none was */
	int64_t barred_ms;		/* ... and when: clock_ms() */
};

struct relay *relay_new(const struct account *account)
{
	struct relay *r = xcalloc(1, sizeof(*r));

	r->account = account;
	r->transaction.keep_words = true;
	return r;
}

static void hang_up(struct relay *r)
{
	submit_shut(r->line);
	r->line = NULL;
}

static void forget(struct relay *r)
{
	transaction_free(r->t);
	r->t = NULL;
	r->used_ms = clock_ms();
	r->promised = NULL;
	r->promised_n = r->promised_alloc = 0;
}

void relay_abandon(struct relay *r)
{
	if (r->t)
		transaction_abandon(r->t);
	forget(r);
}

void relay_free(struct relay *r)
{
	if (!r)
		return;
	forget(r);
	hang_up(r);
	xfree(r);
}

int relay_idle(struct relay *r, bool leaving)
{
	const int64_t left = r->used_ms + 1000 * (int64_t)r->account->reuse.idle - clock_ms();

	if (r->line && !r->t && (leaving || left <= 0))
		hang_up(r);
	return r->line && left > 0 ? (int)left : -1;
}

static bool is_direct(const struct relay *r)
{
	return r->account->net.mx && !r->account->socket;
}

/* --- asking ----------------------------------------------------------------------- */

/* Can the session that is open have another transaction? */
static bool is_fit(struct relay *r)
{
	struct session *s = submit_opened(r->line);
	struct error ignored;

	const unsigned most = r->account->reuse.messages;

	return !s->dead && !s->xclient_sent && (!most || r->messages < most) &&
		session_quiet(s, &ignored) == 0;
}

/*
 * What the content will be is not known yet: as much as the server takes is
 * said of the body; and what it has not, conversion may do without.
 */
static void offer(struct relay *r)
{
	const struct session *s = submit_opened(r->line);
	struct envelope *o = &r->offered;

	*o = *r->e;
	if (o->body != BODY_BINARYMIME || !session_has(s, EXT_BINARYMIME))
		o->body = session_has(s, EXT_8BITMIME) ? BODY_8BITMIME : BODY_7BIT;
	if (!session_has(s, EXT_SMTPUTF8) && text_is_ascii(o->sender, strlen(o->sender)))
		o->utf8 = o->header_utf8 = false;
}

static void promise(struct relay *r, bool is_kept)
{
	r->promised = arena_grow(r->result->arena, r->promised, r->promised_n,
				 &r->promised_alloc, sizeof(*r->promised));
	r->promised[r->promised_n++] = is_kept;
}

/* The envelope has grown: what the server was told of it stays. */
static void follow_envelope(struct relay *r)
{
	while (r->result->rcpt_count < r->e->rcpt_count)
		result_grow(r->result);
	r->offered.rcpt = r->e->rcpt;
	r->offered.rcpt_count = r->e->rcpt_count;
	r->offered.rcpt_alloc = r->e->rcpt_alloc;
}

/* Those whose address cannot be told to this server are not asked about. */
static void refuse_utf8(struct relay *r)
{
	struct error err;

	for (size_t i = r->promised_n; i < r->e->rcpt_count && !r->offered.utf8; i++) {
		const char *address = r->e->rcpt[i].address;

		if (text_is_ascii(address, strlen(address)))
			continue;
		error_set(&err, FAULT_UTF8_MISSING, "'%s' needs SMTPUTF8, which the "
			  "server does not offer", address);
		result_set_error(r->result, i, &err);
	}
}

/* MAIL, if it is still to be said, and RCPT for those who are new, in one group. */
static bool ask_group(struct relay *r)
{
	/* MAIL goes out whatever is to be said of the recipients */
	if (!r->offered.rcpt_count && !transaction_ask(r->t, false))
		return false;
	follow_envelope(r);
	refuse_utf8(r);
	(void)transaction_ask(r->t, false);
	return transaction_replies(r->t);
}

/* One try with the session that is open: 0, or -1 and why not. */
static int try_mail(struct relay *r, struct error *err)
{
	struct session *s = submit_opened(r->line);
	struct result *all = r->result;
	const size_t n = r->e->rcpt_count;

	offer(r);
	r->offered.rcpt_count = 0;
	r->why.exit = 0;
	r->messages++;
	while (all->rcpt_count <= n)	/* the last is for what is wrong with all of it */
		result_grow(all);
	r->t = transaction_new(s, &r->offered, NULL, NULL, &r->transaction, all, &r->why);
	const bool stands = all->rcpt[n].outcome == OUTCOME_NONE && ask_group(r);

	*err = all->rcpt[n].error;
	all->rcpt_count = n;
	if (stands)
		return 0;
	result_clear(all);
	if (!err->exit && r->why.exit)
		*err = r->why;
	else if (!err->exit)
		error_set(err, FAULT_SERVER_CLOSES, "the server takes no more messages");
	(void)submit_blame(r->line, err);
	forget(r);
	return -1;
}

/* A session that is kept and fit for one more; false: there is none. */
static bool take_kept(struct relay *r)
{
	(void)relay_idle(r, false);
	if (r->line && !is_fit(r))
		hang_up(r);
	if (r->line)
		submit_renew(r->line);
	return r->line;
}

static int open_line(struct relay *r, struct error *err)
{
	r->messages = 0;
	if (r->barred.exit && clock_ms() - r->barred_ms < BARRED_MS) {
		*err = r->barred;
		return -1;
	}
	r->barred.exit = 0;
	if (submit_open(r->account, &r->attempt, &r->line, err) == 0)
		return 0;
	if (err->fault >= FAULT_NO_AUTH && err->fault <= FAULT_SERVER_UNPROVEN) {
		r->barred = *err;
		r->barred_ms = clock_ms();
	}
	return -1;
}

static int begin(struct relay *r, struct error *err)
{
	if (take_kept(r)) {
		if (try_mail(r, err) == 0)
			return 0;
		/* it may have been its age; a refusal is one of a new session, too */
		if (!submit_opened(r->line)->dead && err->reply)
			return -1;
		hang_up(r);
	}
	if (open_line(r, err) < 0)
		return -1;
	if (try_mail(r, err) == 0)
		return 0;
	if (submit_opened(r->line)->dead)
		hang_up(r);
	return -1;
}

void relay_begin(struct relay *r, const struct envelope *e, struct result *result)
{
	r->e = e;
	r->result = result;
}

/* --- the answers ------------------------------------------------------------------ */

/* What has become of a recipient who was asked about. */
static void settle(struct relay *r, size_t i)
{
	struct error *err = &r->result->rcpt[i].error;

	promise(r, !r->t || transaction_stands(r->t, i));
	if (r->promised[i])
		return;
	if (!err->exit && r->why.exit)
		*err = r->why;
	else if (!err->exit)
		error_set(err, FAULT_TOO_MANY_RECIPIENTS, "the server takes no more recipients "
			  "with this message");
	(void)submit_blame(r->line, err);
	result_set_error(r->result, i, err);
}

int relay_ask(struct relay *r, struct error *err)
{
	if (r->t)
		(void)ask_group(r);
	else if (!is_direct(r) && begin(r, err) < 0)
		return -1;
	follow_envelope(r);
	while (r->promised_n < r->e->rcpt_count)
		settle(r, r->promised_n);
	return 0;
}

bool relay_takes(const struct relay *r, size_t i)
{
	return r->promised[i];
}

/* --- the content ------------------------------------------------------------------ */

/* Is the message no more than what MAIL said? */
static bool fits(const struct relay *r, const struct envelope *e)
{
	return e->body <= r->offered.body && (!e->utf8 || r->offered.utf8) &&
		memcmp(&e->ext, &r->offered.ext, sizeof(e->ext)) == 0 && !e->burl;
}

static bool anybody_stands(const struct relay *r)
{
	for (size_t i = 0; r->t && i < r->e->rcpt_count; i++) {
		if (transaction_stands(r->t, i))
			return true;
	}
	return false;
}

/* Small messages by BDAT, but where that has failed. */
static void choose_chunks(struct relay *r, bool ahead)
{
	r->transaction.chunks = r->no_chunks ? CHUNKS_LARGE :
		ahead ? CHUNKS_AHEAD : CHUNKS_SMALL;
}

static void finish_transaction(struct relay *r)
{
	struct session *s = submit_opened(r->line);

	(void)transaction_deliver(r->t);
	r->no_chunks |= s->given_up[EXT_CHUNKING];
	requests_settle(s, r->e, r->result);
}

/* In the transaction that has begun. Who is not served there stays NONE. */
static int deliver_here(struct relay *r, const struct message *m, const struct edits *edits,
			struct error *err)
{
	struct session *s = submit_opened(r->line);
	struct converted c = { .made = false };
	int rc = convert_for_session(&c, s, m, edits, r->e, err);

	if (rc == 0)
		rc = requests_adapt(s, &c.edits, &c.envelope, c.message, r->result->arena, err);
	if (rc < 0 || !fits(r, &c.envelope)) {
		transaction_abandon(r->t);
	} else {
		requests_note(s, r->e, r->result);
		if (r->promised_n < r->e->rcpt_count && transaction_ask(r->t, false))
			(void)transaction_replies(r->t);
		choose_chunks(r, false);
		transaction_set_message(r->t, c.message, &c.edits);
		finish_transaction(r);
	}
	converted_release(&c);
	return rc;
}

/* --- envelope and content as one --------------------------------------------------- */

static void blame_all(struct relay *r)
{
	for (size_t i = 0; i < r->result->rcpt_count; i++) {
		if (r->result->rcpt[i].outcome > OUTCOME_QUEUED)
			(void)submit_blame(r->line, &r->result->rcpt[i].error);
	}
}

/* In the session that is open; ahead: the content goes with the envelope if it may. */
static int deliver_all_here(struct relay *r, const struct message *m, const struct edits *edits,
			    bool ahead, struct error *err)
{
	struct session *s = submit_opened(r->line);
	struct converted c = { .made = false };
	int rc = convert_for_session(&c, s, m, edits, r->e, err);

	r->messages++;
	r->why.exit = 0;
	if (rc == 0)
		rc = requests_adapt(s, &c.edits, &c.envelope, c.message, r->result->arena, err);
	if (rc == 0) {
		requests_note(s, r->e, r->result);
		choose_chunks(r, ahead);
		r->t = transaction_new(s, &c.envelope, c.message, &c.edits, &r->transaction,
				       r->result, &r->why);
		finish_transaction(r);
		transaction_free(r->t);
		r->t = NULL;
		submit_describe(r->line, r->result);
		blame_all(r);
	}
	converted_release(&c);
	return rc;
}

/*
 * Whoever was promised and has no answer to the content, 421 aside: nothing
 * has gone out for him, but where nobody knows.
 */
static bool is_open(const struct relay *r, size_t i)
{
	const struct rcpt_result *one = &r->result->rcpt[i];

	if (i < r->promised_n && !r->promised[i])
		return false;
	return one->outcome == OUTCOME_NONE ||
		(one->outcome == OUTCOME_DEFERRED && !r->result->unknown &&
		 (!one->error.reply || one->error.reply == 421));
}

/* Has the session ended before anything was said about anybody? */
static bool came_to_nothing(const struct relay *r)
{
	size_t i = 0;

	while (i < r->e->rcpt_count && is_open(r, i))
		i++;
	return submit_opened(r->line)->dead && i == r->e->rcpt_count;
}

/* A session that was kept may have grown too old; a new one has not. */
static int deliver_all(struct relay *r, const struct message *m, const struct edits *edits,
		       struct error *err)
{
	const bool kept = take_kept(r);

	if (!kept && open_line(r, err) < 0)
		return -1;
	int rc = deliver_all_here(r, m, edits, kept && clock_ms() - r->used_ms < FRESH_MS, err);

	if (rc < 0 || !kept || !came_to_nothing(r))
		return rc;
	hang_up(r);
	result_clear(r->result);
	if (open_line(r, err) < 0)
		return -1;
	return deliver_all_here(r, m, edits, false, err);
}

/* An attempt of their own for those who are left. */
static void deliver_anew(struct relay *r, const struct message *m, const struct edits *edits)
{
	struct result *all = r->result, some;
	struct envelope e = *r->e;
	size_t *index = arena_calloc(all->arena, e.rcpt_count + 1, sizeof(*index)), n = 0;

	e.rcpt = arena_calloc(all->arena, r->e->rcpt_count + 1, sizeof(*e.rcpt));
	for (size_t i = 0; i < r->e->rcpt_count; i++) {
		if (!is_open(r, i))
			continue;
		e.rcpt[n] = r->e->rcpt[i];
		index[n++] = i;
	}
	e.rcpt_count = e.rcpt_alloc = n;
	e.index = NULL;
	if (!n)
		return;
	result_init(&some, all->arena, n);
	submit_attempt(r->account, &e, m, edits, &r->attempt, &some);
	for (size_t i = 0; i < n; i++)
		all->rcpt[index[i]] = some.rcpt[i];
	all->reply_text = some.reply_text ? some.reply_text : all->reply_text;
	all->server = some.server ? some.server : all->server;
	all->address = some.address ? some.address : all->address;
	all->tls = some.tls ? some.tls : all->tls;
	all->mechanism = some.mechanism ? some.mechanism : all->mechanism;
	all->unknown = all->unknown || some.unknown;
	for (size_t i = 0; i < some.note_n; i++)
		result_note(all, "%s", some.note[i]);
}

void relay_deliver(struct relay *r, const struct message *m, const struct edits *edits)
{
	struct error err;
	const bool all = !r->t && !r->promised_n && r->e->rcpt_count && !is_direct(r);
	int rc = 0;

	follow_envelope(r);
	if (r->line && !all)
		submit_describe(r->line, r->result);
	if (all)
		rc = deliver_all(r, m, edits, &err);
	else if (anybody_stands(r))
		rc = deliver_here(r, m, edits, &err);
	transaction_free(r->t);
	r->t = NULL;
	if (r->line && submit_opened(r->line)->dead)
		hang_up(r);
	if (rc < 0)
		result_set_rest(r->result, &err);
	else
		deliver_anew(r, m, edits);
	result_settle(r->result);
	forget(r);
}
