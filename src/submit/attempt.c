#include "config.h"
#include "submit/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/ident.h"
#include "message/result.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "net/stream.h"
#include "prepare/convert.h"
#include "prepare/requests.h"
#include "smtp/session.h"
#include "smtp/transaction.h"
#include "submit/attempt_private.h"
#include "submit/line.h"
#include "submit/memory.h"
#include "submit/server_list.h"
#include "submit/session_open.h"
#include "submit/silent.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/interrupt.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define TRANSID_MAX 80		/* characters, with brackets (RFC 1845, section 2) */
#define RESUMES_MAX 5		/* of one transfer */

/* The servers of the account, from the first one on. */
static void begin_list(struct attempt *t, const char *mx_domain)
{
	*t->targets = (struct server_list){
		.account = t->o->account, .mx_domain = mx_domain, .arena = t->o->arena,
		.whole = &t->o->whole,
		.sender = t->envelope ? t->envelope->sender : NULL,
	};
	t->chosen = false;
}

/* From here on time counts, and what happens is told to who watches this one. */
void attempt_begin(struct attempt *t, const struct account *a)
{
	struct session_opening *o = t->o;

	o->account = a;
	o->opt = t->opt;
	o->envelope = t->envelope;
	o->total = deadline_in(a->timeouts.total, "the server");
	o->total.whole = true;
	o->whole = t->opt->direct_timeout ?
		deadline_in(t->opt->direct_timeout, "the server") : o->total;
	o->whole.whole = true;
	o->whole = deadline_first(o->whole, o->total);
}

/* One without line and message. */
void attempt_init(struct attempt *t, const struct account *a, const struct attempt_options *opt,
		  struct arena *arena)
{
	t->o = &t->own;
	t->o->arena = t->arena = arena;
	t->opt = opt;
	t->targets = &t->own_targets;
	attempt_begin(t, a);
	begin_list(t, NULL);
}

/* "mail.example.org:587: what happened", unless the text names the server already. */
int attempt_name_server(const struct attempt *t, struct error *err)
{
	const char *where = session_opening_server(t->o);

	if (!where || err->named)
		return -1;
	err->named = true;
	return error_prefix(err, "%s", where);
}

/* Keeps why this server was of no use, for the case that no other is. */
static void note_server_failure(struct attempt *t, struct error *err)
{
	(void)attempt_name_server(t, err);
	session_opening_note_failure(&t->failure, err);
}

/* --- one server after the other ------------------------------------------------ */

static void forget_addresses(struct attempt *t)
{
	host_addresses_release(&t->o->addresses);
}

/*
 * The server in use, at each of its addresses. The error is that of the
 * first, unless a later one refuses us for good.
 */
static int open_addresses(struct attempt *t, struct error *err)
{
	struct error later;

	if (session_opening_run(t->o, err) == 0)
		return 0;
	while (session_opening_worth_another(t->o, err)) {
		if (t->o->addresses.n)
			host_addresses_drop(&t->o->addresses, 0);
		if (!t->o->addresses.n)
			break;
		if (session_opening_run(t->o, &later) == 0)
			return 0;
		if (!session_opening_worth_another(t->o, &later))
			*err = later;
	}
	return -1;
}

/* Goes on to the next server; false when there is none. */
static bool choose_target(struct attempt *t)
{
	struct error err;
	int found = -1;

	while (!t->chosen && (found = server_list_next(t->targets, &t->o->target, &err)) < 0)
		session_opening_note_failure(&t->failure, &err);
	if (found > 0) {
		t->chosen = true;
		t->repeat = false;
		memset(t->learnt, 0, sizeof(t->learnt));
		session_opening_recall(t->o);
	}
	return t->chosen;
}

/*
 * The server in use, unless it has just let a message before this one wait
 * and there is another way: a server behind it, or, with direct delivery, the
 * messages that go elsewhere. An account's last server is always asked.
 */
static int open_server(struct attempt *t, struct error *err)
{
	struct silent_list *silent = t->line ? line_silent(t->line) : NULL;
	const int64_t began_ms = silent ? clock_ms() : 0;

	if (silent && (t->targets->mx_domain || server_list_left(t->targets)) &&
	    silent_find(silent, &t->o->target, err))
		return -1;
	const int rc = open_addresses(t, err);

	forget_addresses(t);
	if (silent && rc == 0)
		silent_forget(silent, &t->o->target);
	else if (silent && session_opening_worth_another(t->o, err))
		silent_note(silent, &t->o->target, began_ms, err);
	return rc;
}

/* A session with the server in use, or with the first of those behind it that works. */
int attempt_open_session(struct attempt *t, struct error *err)
{
	bool more = true;

	while (more && choose_target(t)) {
		if (open_server(t, err) == 0) {
			if (t->line)
				line_opened(t->line);
			return 0;
		}
		note_server_failure(t, err);
		/* what made it be asked once more would have led to the next one */
		more = session_opening_worth_another(t->o, err) || t->repeat;
		/* who may have the message is the only one to be asked about it */
		more = more && !t->checkpoint.sent;
		t->chosen = false;
	}
	*err = t->failure;
	return -1;
}

/* atoms with dots between them, at most TRANSID_MAX characters */
static const char *transid(const struct attempt *t)
{
	const char *domain = t->o->session.opt.ehlo_name;
	const char *id = ident_message_id(t->arena, *domain == '[' ? NULL : domain);

	return strlen(id) <= TRANSID_MAX ? id : ident_message_id(t->arena, NULL);
}

/* That of an attempt before and behind; NULL = there is none. */
static struct attempt_transfer *transfer_of(const struct attempt *t)
{
	return t->targets->mx_domain ? NULL : t->opt->transfer;
}

/* The transfer that can be resumed, with an id of its own for each message. */
static struct checkpoint *checkpoint_of(struct attempt *t, const struct result *r)
{
	struct checkpoint *c = &t->checkpoint;
	const struct attempt_transfer *x = transfer_of(t);

	if (!t->o->account->checkpoint)
		return NULL;
	if (!c->standing) {
		c->standing = arena_calloc(t->arena, r->rcpt_count, sizeof(bool));
		c->id = transid(t);
		c->spare = transid(t);
		if (x && x->transid) {
			c->id = x->transid;
			memcpy(c->standing, x->standing, r->rcpt_count * sizeof(bool));
			c->resume = true;
		}
	}
	return c;
}

/* What another attempt can resume: someone whom the server has accepted has not got it. */
static void keep_transfer(const struct attempt *t, const struct result *r)
{
	const struct checkpoint *c = &t->checkpoint;
	struct attempt_transfer *x = transfer_of(t);
	bool any = false;

	if (!x)
		return;
	for (size_t i = 0; c->resume && i < r->rcpt_count; i++)
		any |= c->standing[i] && r->rcpt[i].outcome != OUTCOME_ACCEPTED;
	*x = any ? (struct attempt_transfer){ c->id, c->standing } :
		(struct attempt_transfer){ .transid = NULL };
}

/*
 * The connection broke amid a transfer that the server has a checkpoint of:
 * waits until it has noticed, too. False when it is not to be resumed; then
 * its recipients are deferred.
 */
static bool wait_to_resume(struct attempt *t, struct result *r)
{
	const unsigned wait = t->o->account->checkpoint_wait;
	const int left = deadline_poll_ms(&t->o->whole);

	if (t->resumed++ == RESUMES_MAX || (left >= 0 && (unsigned)left / 1000 <= wait)) {
		checkpoint_lost(&t->checkpoint, r, &t->why);
		result_set_rest(r, &t->why);
		return false;
	}
	/* nothing else is to be done meanwhile */
	struct timespec pause = { .tv_sec = (time_t)wait };

	while (nanosleep(&pause, &pause) < 0 && errno == EINTR && !interrupt_pending())
		;
	return !interrupt_pending();
}

/*
 * A server that has said yes says no behind it, with nobody asking: the yes
 * may have been about something else. Nobody knows then.
 */
static void take_back(int code, size_t accepted, struct result *r)
{
	struct error err;

	if (code < 400 || accepted || !result_count(r, OUTCOME_ACCEPTED))
		return;
	error_set(&err, FAULT_PROTOCOL, "the server answered the message twice, the second time "
		  "with %d", code);
	result_take_back(r, &err);
}

/* --- what goes out behind the dot ------------------------------------------------------ */

#define AHEAD_RECIPIENTS_MAX 100	/* a longer group goes by itself */
#define AHEAD_MS 1000			/* its replies come with that to the message, as a rule */

void attempt_drop(struct attempt *t)
{
	transaction_free(t->ahead);
	converted_release(&t->converted);
	result_clear(t->result);
	xfree(t);
}

static bool put_behind(void *ctx);

static void set_how(struct attempt *t)
{
	const struct account *a = t->o->account;

	t->how = (struct transaction_options){
		.strict_recipients = a->refused_recipients == PARTIAL_REFUSE,
		.stop_on = a->stop_on, .repeat = t->repeat,
		.chunks = a->via == VIA_SERVICE && !t->repeat ? CHUNKS_AHEAD : CHUNKS_LARGE,
		.checkpoint = checkpoint_of(t, t->result),
	};
	if (t->line && !t->repeat && line_may_follow(t->line)) {
		t->how.behind = put_behind;
		t->how.behind_ctx = t;
	}
}

/* The form of the message for this session. */
static int make_form(struct attempt *t, const struct message *m, const struct edits *edits,
		     struct error *err)
{
	const struct session *s = &t->o->session;

	if (convert_for_session(&t->converted, s, m, edits, t->envelope, err) < 0)
		return -1;
	return requests_adapt(s, &t->converted.edits, &t->converted.envelope,
			      t->converted.message, t->arena, err);
}

static struct transaction *new_transaction(struct attempt *t)
{
	set_how(t);
	return transaction_new(&t->o->session, &t->converted.envelope, t->converted.message,
			       &t->converted.edits, &t->how, t->result, &t->why);
}

static struct attempt *attempt_new(const struct attempt_options *opt, struct session_opening *o,
				   const struct envelope *e, struct result *r)
{
	struct attempt *t = xcalloc(1, sizeof(*t));

	t->line = opt->line;
	t->opt = opt;
	t->envelope = e;
	t->result = r;
	t->arena = r->arena;
	t->o = t->line ? o : &t->own;
	t->targets = t->line ? line_targets(t->line) : &t->own_targets;
	if (!t->line)
		t->o->arena = t->arena;
	return t;
}

/* The envelope of the message that comes next; false: nothing of it was put. */
static bool put_next(struct attempt *t)
{
	struct attempt_next n;
	struct error err;

	if (!t->opt->next || !line_serves_behind(t->line) || !line_has_room(t->line) ||
	    !t->opt->next(t->opt->next_ctx, t->o->account, &n))
		return false;
	struct attempt *a = attempt_new(t->opt, t->o, n.envelope, n.result);

	if (n.envelope->rcpt_count <= AHEAD_RECIPIENTS_MAX &&
	    make_form(a, n.message, n.edits, &err) == 0) {
		a->ahead = new_transaction(a);
		if (transaction_ask(a->ahead, true)) {
			*line_ahead(t->line) = a;
			return true;
		}
	}
	attempt_drop(a);
	return false;
}

/* The end of the content is put: what goes out in the same flight. */
static bool put_behind(void *ctx)
{
	struct attempt *t = ctx;

	if (put_next(t))
		t->followed = FOLLOWED_BY_NEXT;
	else if (line_put_reset(t->line))
		t->followed = FOLLOWED_BY_RESET;
	return t->followed != FOLLOWED_NOT;
}

/* The replies to the envelope that is out. */
static enum line_step read_ahead(struct attempt *ahead)
{
	struct transaction *x = ahead->ahead;
	const struct error *lost;

	(void)transaction_replies(x);
	if (transaction_in_step(x))
		return LINE_IN_STEP;
	lost = transaction_lost(x);
	if (!lost)
		return line_confirm(ahead->line, transaction_asked_data(x));
	return lost->exit == EX_PROTOCOL || lost->fault == FAULT_GROUP ||
		(lost->reply && lost->reply != 421 && lost->reply != 221) ?
		LINE_OUT_OF_STEP : LINE_LOST;
}

static enum line_step read_followed(struct attempt *t)
{
	struct session *s = &t->o->session;

	if (t->followed == FOLLOWED_BY_RESET)
		return line_read_reset(t->line);
	/* the message need not wait for a server that takes its time over the next one */
	if (!session_hears(s, AHEAD_MS))
		return LINE_LOST;
	struct attempt *ahead = *line_ahead(t->line);
	const enum line_step step = read_ahead(ahead);

	ahead->in_step = step == LINE_IN_STEP;
	return step;
}

/*
 * The reply to the content is read: reads what comes behind it, and whether
 * that was the one reply to it. accepted: before this transaction.
 */
static void settle_followed(struct attempt *t, size_t accepted)
{
	struct error err;

	if (t->followed == FOLLOWED_NOT)
		return;
	if (t->o->session.dead) {
		/*
		 * A server that hangs up at what stands behind a dot is to get nothing
		 * there: RSET may be served and MAIL not.
		 * If it was the network, all that is lost is a wait a message.
		 */
		if (t->result->unknown)
			line_note_alone(t->line);
	} else if (read_followed(t) == LINE_OUT_OF_STEP) {
		t->o->session.dead = true;
		line_note_alone(t->line);
		error_set(&err, FAULT_PROTOCOL, "the server answered more often than it was "
			  "asked: the message, or what stood behind it");
		if (!accepted && result_count(t->result, OUTCOME_ACCEPTED))
			result_take_back(t->result, &err);
	}
	t->followed = FOLLOWED_NOT;
}

/*
 * The first message with something behind its dot on this connection was
 * refused there: was it that? Once more, with nothing behind it.
 */
static bool refused_for_it(struct attempt *t, struct transaction *x, bool asked)
{
	if (!asked || t->o->session.dead || !transaction_reopen(x))
		return false;
	line_serve_alone(t->line);
	t->suspect = true;
	return true;
}

/* Transactions until every recipient has an outcome or nothing moves any more. */
static enum transaction_next run_transactions(struct attempt *t, struct result *r)
{
	const size_t accepted_before = result_count(r, OUTCOME_ACCEPTED) - r->accepted_n;
	enum transaction_next next;
	size_t set;
	bool again;

	do {
		const size_t accepted = accepted_before + r->accepted_n;
		struct transaction *x = t->ahead ? t->ahead : new_transaction(t);

		t->ahead = NULL;
		set = r->set_n;
		next = transaction_deliver(x);
		const bool asked = t->followed == FOLLOWED_BY_RESET &&
			!line_serves_behind(t->line);

		settle_followed(t, accepted);
		again = refused_for_it(t, x, asked);
		transaction_free(x);
	} while (again || (next == TRANSACTION_AGAIN && (ptrdiff_t)(r->set_n - set) > 0));
	if (t->suspect && result_count(r, OUTCOME_ACCEPTED))
		line_note_alone(t->line);
	return next;
}

/* What the session has shown that the server cannot do; kept for others when all went well. */
static void learn(struct attempt *t, bool taken)
{
	bool any = false;

	t->gave_up = false;
	for (int id = 0; id < EXT_COUNT; id++) {
		t->gave_up |= t->o->session.given_up[id] && !t->learnt[id];
		t->told = t->told && (t->learnt[id] || !t->o->session.given_up[id]);
		t->learnt[id] |= t->o->session.given_up[id];
		t->o->without[id] |= t->learnt[id];
		any |= t->learnt[id];
	}
	if (taken && any && !t->told)
		memory_note_server(t->o->account, t->o->target.host, t->o->target.port, t->learnt);
}

/* The transactions, with what is to be noted about them. */
static enum transaction_next run_requests(struct attempt *t, struct result *r)
{
	const size_t accepted = result_count(r, OUTCOME_ACCEPTED);

	requests_note(&t->o->session, t->envelope, r);
	enum transaction_next next = run_transactions(t, r);
	const bool taken = result_count(r, OUTCOME_ACCEPTED) > accepted;

	requests_settle(&t->o->session, t->envelope, r);
	learn(t, taken);
	if (t->opt->sent && taken)
		t->opt->sent(t->opt->sent_ctx, t->converted.message, &t->converted.edits);
	return next;
}

/* All that one session is for. */
static enum transaction_next serve(struct attempt *t, const struct message *m,
				   const struct edits *edits, struct result *r)
{
	struct session *s = &t->o->session;
	enum transaction_next next = TRANSACTION_CONVERTED;
	struct error err;
	int rc = t->opt->before ? t->opt->before(t->opt->before_ctx, s, &err) : 0;

	t->contents = s->content_count;
	while (rc == 0 && next == TRANSACTION_CONVERTED) {
		if (!t->ahead)
			rc = make_form(t, m, edits, &err);
		if (rc == 0)
			next = run_requests(t, r);
	}
	if (rc == 0)
		return next;
	result_set_rest(r, &err);
	return TRANSACTION_DONE;
}

static void prefix_results(const struct attempt *t, struct result *r)
{
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpt[i].outcome != OUTCOME_ACCEPTED && r->rcpt[i].error.exit)
			(void)attempt_name_server(t, &r->rcpt[i].error);
	}
}

/*
 * Opens the recipients again whom this server has not refused for good, where
 * another server is left; not when the message may have been taken.
 */
static bool reopen(struct attempt *t, struct result *r)
{
	bool any = false;

	if (r->unknown || r->refusal.exit || !server_list_left(t->targets) ||
	    deadline_passed(&t->o->whole))
		return false;
	for (size_t i = 0; i < r->rcpt_count; i++) {
		struct rcpt_result *rcpt = &r->rcpt[i];

		if (rcpt->outcome == OUTCOME_NONE || rcpt->outcome == OUTCOME_ACCEPTED ||
		    error_next(&rcpt->error, PHASE_CONTENT) > NEXT_SERVER)
			continue;
		if (!any)
			note_server_failure(t, &rcpt->error);
		result_set(r, i, OUTCOME_NONE);
		*rcpt = (struct rcpt_result){ .outcome = OUTCOME_NONE };
		any = true;
	}
	t->chosen = t->chosen && !any;
	return any;
}

/* The same server once more, on a new connection, with less of what it announces. */
static bool repeat(struct attempt *t, struct result *r)
{
	if (deadline_passed(&t->o->whole)) {
		result_set_rest(r, &t->why);
		return false;
	}
	t->repeat = true;
	if (t->why.fault == FAULT_GROUP)
		result_note(r, "the server announces PIPELINING and does not answer a group of "
			    "commands: the message goes one command at a time, as with "
			    "'pipelining = off'");
	if (!t->envelope->burl && t->envelope->body != BODY_BINARYMIME)
		t->o->without[EXT_CHUNKING] = true;
	note_server_failure(t, &t->why);
	return true;
}

/* Is there a reason for another session, beside that this one has moved something? */
static bool goes_on(struct attempt *t, enum transaction_next next, struct result *r)
{
	bool moved = next == TRANSACTION_ANEW ||
		(next == TRANSACTION_NEW_SESSION && t->gave_up);

	if (next == TRANSACTION_RESUME)
		moved = wait_to_resume(t, r);
	if (next == TRANSACTION_REPEAT)
		moved = repeat(t, r);
	return reopen(t, r) || moved;
}

static void name_target(const struct attempt *t, struct result *r)
{
	const char *where = session_opening_server(t->o);

	if (where)
		r->server = arena_strdup(r->arena, where);
}

/* "host = auto" stands for another server with each sender's domain. */
static const char *auto_domain(const struct account *a, const struct envelope *e)
{
	const char *at = e->sender ? strrchr(e->sender, '@') : NULL;

	for (size_t i = 0; i < a->server_n; i++) {
		if (!a->servers[i].host)
			return at ? at : "";
	}
	return NULL;
}

/* The attempt for this message: in a session of before, if there is one, or begun there. */
static struct attempt *take_up(const struct account *a, const char *mx_domain,
			       const struct envelope *e, const struct attempt_options *opt,
			       struct result *r)
{
	struct line *l = opt->line;
	struct session_opening *o = NULL;
	struct attempt *t = NULL;
	bool reused = false;

	if (l) {
		if (*line_ahead(l) && (*line_ahead(l))->envelope != e)
			line_close(l);
		o = line_take(l, a, mx_domain, auto_domain(a, e), &reused);
		t = *line_ahead(l);
		*line_ahead(l) = NULL;
	}
	if (!t)
		t = attempt_new(opt, o, e, r);
	t->opt = opt;
	attempt_begin(t, a);
	if (!reused) {
		begin_list(t, mx_domain);
		return t;
	}
	t->reused = t->chosen = true;
	t->targets->sender = e->sender;
	memcpy(t->learnt, t->o->session.given_up, sizeof(t->learnt));
	t->told = true;
	session_opening_reuse(t->o);
	return t;
}

/*
 * Nothing was sent in a session of before but an envelope, and that has not
 * come to its end or not been answered for sure: as if it had not been.
 */
static bool is_void(struct attempt *t, struct error *refusal)
{
	struct session *s = &t->o->session;

	if (!t->reused || s->content_count > t->contents)
		return false;
	if (!s->dead && (t->in_step || line_confirm(t->line, false) == LINE_IN_STEP))
		return false;
	result_clear(t->result);
	t->result->refusal = *refusal;
	t->repeat = false;
	return true;
}

/* The session is over, or kept for the next message. */
static void leave(struct attempt *t, size_t accepted, struct result *r)
{
	struct session *s = &t->o->session;

	if (t->line && !result_count(r, OUTCOME_NONE)) {
		const int stray = *line_ahead(t->line) ? 0 : session_stray(s);

		if (stray && stray != 221 && stray != 421)
			take_back(stray, accepted, r);
		if (line_keep(t->line))
			return;
	} else if (t->line) {
		line_leave(t->line);
	}
	take_back(session_quit(s, false), accepted, r);
	session_opening_close(t->o);
}

/* One session, from its opening to its end; false: there is none to be had. */
static bool run_session(struct attempt *t, const struct message *m, const struct edits *edits,
			struct result *r, enum transaction_next *next_out)
{
	const char *mx_domain = t->targets->mx_domain;
	struct error refusal = r->refusal, err;

	if (!t->reused && attempt_open_session(t, &err) < 0) {
		checkpoint_lost(&t->checkpoint, r, &err);
		name_target(t, r);
		result_set_rest(r, &err);
		return false;
	}
	name_target(t, r);
	session_opening_describe(t->o, r);
	const size_t accepted = result_count(r, OUTCOME_ACCEPTED);

	*next_out = serve(t, m, edits, r);
	if (is_void(t, &refusal)) {
		line_leave(t->line);
		t->o->session.dead = true;
		session_opening_close(t->o);
		begin_list(t, mx_domain);
		t->reused = false;
		return run_session(t, m, edits, r, next_out);
	}
	leave(t, accepted, r);
	t->reused = false;
	return true;
}

void submit_to(const struct account *a, const char *mx_domain, const struct envelope *e,
	       const struct message *m, const struct edits *edits,
	       const struct attempt_options *opt, struct result *result)
{
	struct attempt *t = take_up(a, mx_domain, e, opt, result);
	size_t open = result->rcpt_count, before;
	enum transaction_next next;
	bool moved = true;
	struct error err;

	/* a server that takes no more recipients per session is asked again */
	do {
		before = open;
		if (!run_session(t, m, edits, result, &next)) {
			open = 0;
			break;
		}
		moved = goes_on(t, next, result);
		open = result_count(result, OUTCOME_NONE);
	} while (open > 0 && (moved || open < before));
	converted_release(&t->converted);
	if (open > 0) {
		error_set(&err, FAULT_TOO_MANY_RECIPIENTS, "the server took no more recipients");
		result_set_rest(result, &err);
	}
	keep_transfer(t, result);
	prefix_results(t, result);
	result_settle(result);
	xfree(t);
}
