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
#include "submit/memory.h"
#include "submit/server_list.h"
#include "submit/session_open.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/interrupt.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define TRANSID_MAX 80		/* characters, with brackets (RFC 1845, section 2) */
#define RESUMES_MAX 5		/* of one transfer */

/* One attempt: everything between the account and the result. */
struct attempt {
	struct session_opening o;		/* the session, and how to come by it */
	struct server_list targets;
	bool chosen;			/* there is a server in use */
	struct error failure;		/* of the servers before it; exit 0 = none */
	struct checkpoint checkpoint;
	unsigned resumed;		/* how often */
	bool repeat;			/* nothing was taken, and the server gets it once more */
	bool learnt[EXT_COUNT];		/* of the server: announced, and not what it can do */
	bool gave_up;			/* the last session has shown some of that */
	struct error why;		/* the last session came to no end; see transaction_run() */
	struct converted converted;	/* the message in the form for this server */
};

static void attempt_init(struct attempt *t, const struct account *a, const char *mx_domain,
			 struct arena *arena)
{
	t->o.account = a;
	t->o.arena = arena;
	t->o.total = deadline_in(a->timeouts.total, "the server");
	t->o.total.whole = true;
	t->o.whole = t->o.opt->direct_timeout ?
		deadline_in(t->o.opt->direct_timeout, "the server") : t->o.total;
	t->o.whole.whole = true;
	t->o.whole = deadline_first(t->o.whole, t->o.total);
	t->targets = (struct server_list){
		.account = a, .mx_domain = mx_domain, .arena = arena, .whole = &t->o.whole,
		.sender = t->o.envelope ? t->o.envelope->sender : NULL,
	};
}

/* "mail.example.org:587: what happened", unless the text names the server already. */
static int name_server(const struct attempt *t, struct error *err)
{
	const char *where = session_opening_server(&t->o);

	if (!where || err->named)
		return -1;
	err->named = true;
	return error_prefix(err, "%s", where);
}

/* Keeps why this server was of no use, for the case that no other is. */
static void note_server_failure(struct attempt *t, struct error *err)
{
	(void)name_server(t, err);
	session_opening_note_failure(&t->failure, err);
}

/* --- one server after the other ------------------------------------------------ */

static void forget_addresses(struct attempt *t)
{
	host_addresses_release(&t->o.addresses);
}

/*
 * The server in use, at each of its addresses. The error is that of the
 * first, unless a later one refuses us for good.
 */
static int open_addresses(struct attempt *t, struct error *err)
{
	struct error later;

	if (session_opening_run(&t->o, err) == 0)
		return 0;
	while (session_opening_worth_another(&t->o, err)) {
		if (t->o.addresses.n)
			host_addresses_drop(&t->o.addresses, 0);
		if (!t->o.addresses.n)
			break;
		if (session_opening_run(&t->o, &later) == 0)
			return 0;
		if (!session_opening_worth_another(&t->o, &later))
			*err = later;
	}
	return -1;
}

/* Goes on to the next server; false when there is none. */
static bool choose_target(struct attempt *t)
{
	struct error err;
	int found = -1;

	while (!t->chosen && (found = server_list_next(&t->targets, &t->o.target, &err)) < 0)
		session_opening_note_failure(&t->failure, &err);
	if (found > 0) {
		t->chosen = true;
		t->repeat = false;
		memset(t->learnt, 0, sizeof(t->learnt));
		session_opening_recall(&t->o);
	}
	return t->chosen;
}

/* A session with the server in use, or with the first of those behind it that works. */
static int open_session(struct attempt *t, struct error *err)
{
	bool more = true;

	while (more && choose_target(t)) {
		int rc = open_addresses(t, err);

		forget_addresses(t);
		if (rc == 0)
			return 0;
		note_server_failure(t, err);
		/* what made it be asked once more would have led to the next one */
		more = session_opening_worth_another(&t->o, err) || t->repeat;
		/* who may have the message is the only one to be asked about it */
		more = more && !t->checkpoint.sent;
		t->chosen = false;
	}
	*err = t->failure;
	return -1;
}

static void describe_session(const struct attempt *t, struct result *r)
{
	struct strbuf tls = STRBUF_INIT(1024);
	char peer[128];

	socket_peer_name(wire_stream(t->o.wire), peer, sizeof(peer));
	r->address = arena_strdup(r->arena, peer);
	r->mechanism = t->o.session.mechanism ?
		arena_strdup(r->arena, t->o.session.mechanism) : NULL;
	r->binding = t->o.session.binding;
	if (tls_is(wire_stream(t->o.wire))) {
		tls_describe(wire_stream(t->o.wire), &tls);
		r->tls = arena_strdup(r->arena, tls.buf);
	}
	strbuf_release(&tls);
}

/* atoms with dots between them, at most TRANSID_MAX characters */
static const char *transid(const struct attempt *t)
{
	const char *domain = t->o.session.opt.ehlo_name;
	const char *id = ident_message_id(t->o.arena, *domain == '[' ? NULL : domain);

	return strlen(id) <= TRANSID_MAX ? id : ident_message_id(t->o.arena, NULL);
}

/* The transfer that can be resumed, with an id of its own for each message. */
static struct checkpoint *checkpoint_of(struct attempt *t, const struct result *r)
{
	struct checkpoint *c = &t->checkpoint;

	if (!t->o.account->checkpoint)
		return NULL;
	if (!c->standing) {
		c->standing = arena_calloc(t->o.arena, r->rcpt_count, sizeof(bool));
		c->id = transid(t);
		c->spare = transid(t);
	}
	return c;
}

/*
 * The connection broke amid a transfer that the server has a checkpoint of:
 * waits until it has noticed, too. False when it is not to be resumed; then
 * its recipients are deferred.
 */
static bool wait_to_resume(struct attempt *t, struct result *r)
{
	const unsigned wait = t->o.account->checkpoint_wait;
	const int left = deadline_poll_ms(&t->o.whole);

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

/* Transactions until every recipient has an outcome or nothing moves any more. */
static enum transaction_next run_transactions(struct attempt *t, struct result *r)
{
	const struct account *a = t->o.account;
	const struct transaction_options opt = {
		.strict_recipients = a->refused_recipients == PARTIAL_REFUSE,
		.stop_on = a->stop_on, .repeat = t->repeat,
		.checkpoint = checkpoint_of(t, r)
	};
	size_t open = result_count(r, OUTCOME_NONE), before;
	enum transaction_next next;

	do {
		before = open;
		next = transaction_run(&t->o.session, &t->converted.envelope, t->converted.message,
				       &t->converted.edits, &opt, r, &t->why);
		open = result_count(r, OUTCOME_NONE);
	} while (next == TRANSACTION_AGAIN && open < before);
	return next;
}

/* What the session has shown that the server cannot do; kept for others when all went well. */
static void learn(struct attempt *t, bool taken)
{
	bool any = false;

	t->gave_up = false;
	for (int id = 0; id < EXT_COUNT; id++) {
		t->gave_up |= t->o.session.given_up[id] && !t->learnt[id];
		t->learnt[id] |= t->o.session.given_up[id];
		t->o.without[id] |= t->learnt[id];
		any |= t->learnt[id];
	}
	if (taken && any)
		memory_note_server(t->o.account, t->o.target.host, t->o.target.port, t->learnt);
}

/* The transactions, with what is to be noted about them. */
static enum transaction_next run_requests(struct attempt *t, struct result *r)
{
	const size_t accepted = result_count(r, OUTCOME_ACCEPTED);

	requests_note(&t->o.session, t->o.envelope, r);
	enum transaction_next next = run_transactions(t, r);
	const bool taken = result_count(r, OUTCOME_ACCEPTED) > accepted;

	requests_settle(&t->o.session, t->o.envelope, r);
	learn(t, taken);
	if (t->o.opt->sent && taken)
		t->o.opt->sent(t->o.opt->sent_ctx, t->converted.message, &t->converted.edits);
	return next;
}

/* All that one session is for. */
static enum transaction_next serve(struct attempt *t, const struct message *m,
				   const struct edits *edits, struct result *r)
{
	struct session *s = &t->o.session;
	enum transaction_next next = TRANSACTION_CONVERTED;
	struct error err;
	int rc = t->o.opt->before ? t->o.opt->before(t->o.opt->before_ctx, s, &err) : 0;

	while (rc == 0 && next == TRANSACTION_CONVERTED) {
		rc = convert_for_session(&t->converted, s, m, edits, t->o.envelope, &err);
		if (rc == 0)
			rc = requests_adapt(s, &t->converted.edits, &t->converted.envelope,
					    t->converted.message, t->o.arena, &err);
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
			(void)name_server(t, &r->rcpt[i].error);
	}
}

/*
 * Opens the recipients again whom this server has not refused for good, where
 * another server is left; not when the message may have been taken.
 */
static bool reopen(struct attempt *t, struct result *r)
{
	bool any = false;

	if (r->unknown || r->refusal.exit || !server_list_left(&t->targets) ||
	    deadline_passed(&t->o.whole))
		return false;
	for (size_t i = 0; i < r->rcpt_count; i++) {
		struct rcpt_result *rcpt = &r->rcpt[i];

		if (rcpt->outcome == OUTCOME_NONE || rcpt->outcome == OUTCOME_ACCEPTED ||
		    error_next(&rcpt->error, PHASE_CONTENT) > NEXT_SERVER)
			continue;
		if (!any)
			note_server_failure(t, &rcpt->error);
		*rcpt = (struct rcpt_result){ .outcome = OUTCOME_NONE };
		any = true;
	}
	t->chosen = t->chosen && !any;
	return any;
}

/* The same server once more, on a new connection, with less of what it announces. */
static bool repeat(struct attempt *t, struct result *r)
{
	if (deadline_passed(&t->o.whole)) {
		result_set_rest(r, &t->why);
		return false;
	}
	t->repeat = true;
	if (t->why.fault == FAULT_GROUP)
		result_note(r, "the server announces PIPELINING and does not answer a group of "
			    "commands: the message goes one command at a time, as with "
			    "'pipelining = off'");
	if (!t->o.envelope->burl && t->o.envelope->body != BODY_BINARYMIME)
		t->o.without[EXT_CHUNKING] = true;
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
	result_doubt(r, &err);
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpt[i].outcome == OUTCOME_ACCEPTED)
			result_set_error(r, i, &err);
	}
}

static void name_target(const struct attempt *t, struct result *r)
{
	const char *where = session_opening_server(&t->o);

	if (where)
		r->server = where;
}

void submit_to(const struct account *a, const char *mx_domain, const struct envelope *e,
	       const struct message *m, const struct edits *edits,
	       const struct attempt_options *opt, struct result *result)
{
	struct attempt t = { .o = { .envelope = e, .opt = opt } };
	size_t open = result->rcpt_count, before;
	bool moved;
	struct error err;

	attempt_init(&t, a, mx_domain, result->arena);
	/* a server that takes no more recipients per session is asked again */
	do {
		before = open;
		if (open_session(&t, &err) < 0) {
			checkpoint_lost(&t.checkpoint, result, &err);
			name_target(&t, result);
			result_set_rest(result, &err);
			open = 0;
			break;
		}
		name_target(&t, result);
		describe_session(&t, result);
		const size_t accepted = result_count(result, OUTCOME_ACCEPTED);
		enum transaction_next next = serve(&t, m, edits, result);

		take_back(session_quit(&t.o.session, false), accepted, result);
		session_opening_close(&t.o);
		moved = goes_on(&t, next, result);
		open = result_count(result, OUTCOME_NONE);
	} while (open > 0 && (moved || open < before));
	converted_release(&t.converted);
	if (open > 0) {
		error_set(&err, FAULT_TOO_MANY_RECIPIENTS, "the server took no more recipients");
		result_set_rest(result, &err);
	}
	prefix_results(&t, result);
	result_settle(result);
}

int submit_info(const struct account *a, const struct attempt_options *opt,
		void (*show)(void *ctx, const struct session *), void *ctx, struct error *err)
{
	struct arena *arena = arena_new();
	struct attempt t = { .o = { .opt = opt, .info_only = true } };
	int rc;

	attempt_init(&t, a, NULL, arena);
	rc = open_session(&t, err);
	if (rc == 0) {
		show(ctx, &t.o.session);
		session_quit(&t.o.session, true);
		session_opening_close(&t.o);
	}
	arena_free(arena);
	return rc;
}

int submit_open(const struct account *a, const struct attempt_options *opt,
		struct attempt **out, struct error *err)
{
	struct attempt *t = xcalloc(1, sizeof(*t));

	t->o.opt = opt;
	attempt_init(t, a, NULL, arena_new());
	if (extensions_check_account(a, err) == 0 && open_session(t, err) == 0) {
		*out = t;
		return 0;
	}
	arena_free(t->o.arena);
	xfree(t);
	return -1;
}

struct session *submit_opened(struct attempt *t)
{
	return &t->o.session;
}

void submit_renew(struct attempt *t)
{
	t->o.total = deadline_in(t->o.account->timeouts.total, "the server");
	t->o.total.whole = true;
	t->o.whole = t->o.total;
	wire_set_limit(t->o.wire, t->o.total);
	wire_set_early_limit(t->o.wire, t->o.whole);
}

int submit_blame(const struct attempt *t, struct error *err)
{
	return name_server(t, err);
}

void submit_describe(const struct attempt *t, struct result *r)
{
	const char *where = session_opening_server(&t->o);

	r->server = where ? arena_strdup(r->arena, where) : NULL;
	describe_session(t, r);
}

void submit_shut(struct attempt *t)
{
	if (!t)
		return;
	(void)session_quit(&t->o.session, false);
	session_opening_close(&t->o);
	arena_free(t->o.arena);
	xfree(t);
}

int submit_session(const struct account *a, const struct attempt_options *opt,
		   int (*run)(void *ctx, struct session *, struct error *), void *ctx,
		   struct error *err)
{
	struct arena *arena = arena_new();
	struct attempt t = { .o = { .opt = opt } };
	int rc;

	attempt_init(&t, a, NULL, arena);
	rc = extensions_check_account(a, err);
	if (rc == 0)
		rc = open_session(&t, err);
	if (rc == 0) {
		rc = run(ctx, &t.o.session, err);
		session_quit(&t.o.session, true);
		session_opening_close(&t.o);
	}
	arena_free(arena);
	return rc;
}
