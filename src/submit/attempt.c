#include "config.h"
#include "submit/attempt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "conf/account.h"
#include "conf/credentials.h"
#include "message/envelope.h"
#include "message/ident.h"
#include "message/result.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/tls.h"
#include "smtp/observer.h"
#include "smtp/session.h"
#include "smtp/tls_start.h"
#include "smtp/transaction.h"
#include "submit/auth_memory.h"
#include "submit/connect.h"
#include "submit/convert.h"
#include "submit/ehlo_memory.h"
#include "submit/requests.h"
#include "submit/target.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/sandbox.h"
#include "util/secret.h"
#include "util/strbuf.h"

#define TRANSID_MAX 80		/* characters, with brackets (RFC 1845, section 2) */
#define RESUMES_MAX 5		/* of one transfer */

/* One attempt: everything between the account and the result. */
struct attempt {
	const struct account *account;
	const struct envelope *envelope;	/* NULL without message */
	bool info_only;			/* --serverinfo: no sign-in */
	const struct attempt_options *opt;
	struct arena *arena;
	struct deadline whole;
	struct targets targets;
	struct target target;		/* the server in use */
	bool chosen;			/* there is one */
	struct address_list addresses;	/* of it, left to try; the one in use in front */
	struct error failure;		/* of the servers before it; exit 0 = none */
	struct wire *wire;
	struct session session;
	bool cautious;			/* a server did not take what was sent ahead */
	struct checkpoint checkpoint;
	unsigned resumed;		/* how often */
	struct converted converted;	/* the message in the form for this server */
};

static int fetch_credential(void *ctx, enum credential kind, struct secret *out,
			    struct error *err)
{
	const struct attempt *t = ctx;

	if (kind == CREDENTIAL_TOKEN)
		return credentials_token(t->account, out, err);
	if (kind == CREDENTIAL_KEY_PASSWORD)
		return credentials_key_password(t->account, out, err);
	if (kind == CREDENTIAL_TICKET)
		return credentials_has_ticket() ? 0 : -1;
	return credentials_password(t->account, true, out, err);
}

/* TLS from the first octet, where the account or its port says so. */
static bool is_implicit(const struct attempt *t)
{
	const struct target *to = &t->target;

	return to->mode == TLS_IMPLICIT || (to->mode == TLS_AUTO && !to->path && to->port == 465);
}

static void tell_connected(const struct attempt *t)
{
	const struct observer *o = t->opt->observer;
	char peer[128];

	if (!o || !o->connected)
		return;
	socket_peer_name(wire_stream(t->wire), peer, sizeof(peer));
	o->connected(o->ctx, t->account->socket ? t->account->socket :
		     arena_printf(t->arena, "%s:%u", t->target.host, t->target.port), peer);
}

static int connect_wire(struct attempt *t, struct error *err)
{
	const struct connect_request request = {
		.account = t->account, .target = &t->target, .addresses = &t->addresses,
		.whole = &t->whole,
	};
	struct stream *s = NULL, *top = NULL;

	if (connect_stream(&request, &s, err) < 0)
		return -1;
	sandbox_connected();
	if (is_implicit(t)) {
		const struct tls_start start = {
			.account = t->account, .host = t->target.host, .port = t->target.port,
			.domain = t->target.domain, .credential = fetch_credential,
			.credential_ctx = t,
		};
		struct deadline d = deadline_first(
			deadline_in(t->account->timeouts.starttls, "the TLS handshake"), t->whole);

		if (tls_start(s, &start, &d, &top, err) < 0) {
			stream_free(s);
			return -1;
		}
		s = top;
	}
	t->wire = wire_new_take(s);
	tell_connected(t);
	wire_set_limit(t->wire, t->whole);
	wire_set_trace(t->wire, t->opt->trace, t->opt->trace_ctx);
	if (top)
		observer_secured(t->opt->observer, t->wire);
	return 0;
}

/* Our name for EHLO: the account's, the host's, else the address of the socket. */
static const char *ehlo_name(const struct attempt *t)
{
	const char *name = t->account->domain;

	if (!name || !*name || strcmp(name, "auto") == 0)
		name = ident_host(t->arena);
	return name ? name : ident_address_literal(t->arena, socket_fd(wire_stream(t->wire)));
}

/* What the server at the other end announced before. */
static const struct ahead_memory *memory_of(const struct attempt *t, const char *name)
{
	char peer[128];

	if (!t->account->pipe_connect || !t->envelope)
		return NULL;
	socket_peer_name(wire_stream(t->wire), peer, sizeof(peer));
	return ehlo_memory_new(t->arena, t->account, peer, t->target.port, name);
}

static void disconnect(struct attempt *t)
{
	session_release(&t->session);
	wire_free(t->wire);
	t->wire = NULL;
}

static int open_session_once(struct attempt *t, bool helo_only, bool *retry_helo,
			     struct error *err)
{
	if (connect_wire(t, err) < 0)
		return -1;
	const char *name = ehlo_name(t);
	const struct session_options opt = {
		.account = t->account, .host = t->target.host, .port = t->target.port,
		.tls_domain = t->target.domain,
		.envelope = t->envelope, .credential = fetch_credential, .credential_ctx = t,
		.ehlo_name = name, .info_only = t->info_only,
		.message_follows = t->envelope && !t->opt->before, .cautious = t->cautious,
		.memory = memory_of(t, name),
		.auth_memory = auth_memory_new(t->arena, t->account, t->target.host,
					       t->target.port),
		.observer = t->opt->observer,
	};

	if (session_open(&t->session, t->wire, &opt, helo_only, retry_helo, err) == 0)
		return 0;
	disconnect(t);
	return -1;
}

/* The server did not take what was sent ahead: once more, and nothing ahead. */
static bool be_cautious(struct attempt *t)
{
	if (!t->session.again || t->cautious)
		return false;
	t->session.again = false;
	t->cautious = true;
	return true;
}

/* A server that hangs up at EHLO may be one that knows HELO only (RFC 5321, 3.2). */
static int open_to_target(struct attempt *t, struct error *err)
{
	bool retry_helo = false;

	if (open_session_once(t, false, &retry_helo, err) == 0)
		return 0;
	if (be_cautious(t) && open_session_once(t, false, &retry_helo, err) == 0)
		return 0;
	if (!retry_helo)
		return -1;
	return open_session_once(t, true, &retry_helo, err);
}

static void attempt_init(struct attempt *t, const struct account *a, const char *mx_domain,
			 struct arena *arena)
{
	t->account = a;
	t->arena = arena;
	t->whole = deadline_in(a->timeouts.total, "the server");
	t->whole.whole = true;
	t->targets = (struct targets){
		.account = a, .mx_domain = mx_domain, .arena = arena, .whole = &t->whole,
		.sender = t->envelope ? t->envelope->sender : NULL,
	};
}

/* "mail.example.org:587: what happened", unless the text names the server already. */
static int name_server(const struct attempt *t, struct error *err)
{
	const char *where = t->target.path ? t->target.path : t->target.host;

	if (!where || strstr(err->text, where))
		return -1;
	if (t->target.path)
		return error_prefix(err, "%s", where);
	return error_prefix(err, "%s:%u", where, t->target.port);
}

/* --- one server after the other ------------------------------------------------ */

/*
 * Keeps why a server was of no use, behind the others. What may pass counts
 * more than what is for good: then another attempt is worth it.
 */
static void note_failure(struct attempt *t, const struct error *err)
{
	struct error *all = &t->failure;

	if (!all->exit) {
		*all = *err;
		return;
	}
	if (!error_is_temporary(all) && error_is_temporary(err)) {
		all->exit = err->exit;
		all->reply = err->reply;
		snprintf(all->status, sizeof(all->status), "%s", err->status);
	}
	error_append(all, "; %s", err->text);
}

/*
 * May another address or server do better? Yes for what may pass, for a name
 * that is not there, for broken TLS and nonsense; not for a refusal.
 */
static bool worth_another(const struct attempt *t, const struct error *err)
{
	if (deadline_passed(&t->whole))
		return false;
	return error_is_temporary(err) || err->exit == EX_NOHOST || err->exit == EX_PROTOCOL ||
	       strcmp(err->status, "5.7.10") == 0;
}

static void forget_addresses(struct attempt *t)
{
	address_list_release(&t->addresses);
}

/*
 * The server in use, at each of its addresses. The error is that of the
 * first, unless a later one refuses us for good.
 */
static int open_addresses(struct attempt *t, struct error *err)
{
	struct error later;

	if (open_to_target(t, err) == 0)
		return 0;
	while (worth_another(t, err)) {
		if (t->addresses.n)
			address_list_drop(&t->addresses, 0);
		if (!t->addresses.n)
			break;
		if (open_to_target(t, &later) == 0)
			return 0;
		if (!worth_another(t, &later))
			*err = later;
	}
	return -1;
}

/* Goes on to the next server; false when there is none. */
static bool choose_target(struct attempt *t)
{
	struct error err;
	int found = -1;

	while (!t->chosen && (found = targets_next(&t->targets, &t->target, &err)) < 0)
		note_failure(t, &err);
	t->chosen = t->chosen || found > 0;
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
		(void)name_server(t, err);
		note_failure(t, err);
		more = worth_another(t, err);
		t->chosen = false;
	}
	*err = t->failure;
	return -1;
}

static size_t count_open(const struct result *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->rcpt_count; i++)
		n += r->rcpt[i].outcome == OUTCOME_NONE;
	return n;
}

static void describe_session(const struct attempt *t, struct result *r)
{
	struct strbuf tls = STRBUF_INIT(1024);
	char peer[128];

	socket_peer_name(wire_stream(t->wire), peer, sizeof(peer));
	r->address = arena_strdup(r->arena, peer);
	r->mechanism = t->session.mechanism ? arena_strdup(r->arena, t->session.mechanism) : NULL;
	if (tls_is(wire_stream(t->wire))) {
		tls_describe(wire_stream(t->wire), &tls);
		r->tls = arena_strdup(r->arena, tls.buf);
	}
	strbuf_release(&tls);
}

/* atoms with dots between them, at most TRANSID_MAX characters */
static const char *transid(const struct attempt *t)
{
	const char *domain = t->session.opt.ehlo_name;
	const char *id = ident_message_id(t->arena, *domain == '[' ? NULL : domain);

	return strlen(id) <= TRANSID_MAX ? id : ident_message_id(t->arena, NULL);
}

/* The transfer that can be resumed, with an id of its own for each message. */
static struct checkpoint *checkpoint_of(struct attempt *t, const struct result *r)
{
	struct checkpoint *c = &t->checkpoint;

	if (!t->account->checkpoint)
		return NULL;
	if (!c->standing) {
		c->standing = arena_calloc(t->arena, r->rcpt_count, sizeof(bool));
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
	struct checkpoint *c = &t->checkpoint;
	const unsigned wait = t->account->checkpoint_wait;
	const int left = deadline_poll_ms(&t->whole);

	if (!c->lost)
		return false;
	c->lost = false;
	if (t->resumed++ == RESUMES_MAX || (left >= 0 && (unsigned)left / 1000 <= wait)) {
		result_set_rest(r, &c->error);
		return false;
	}
	/* nothing else is to be done meanwhile */
	struct timespec pause = { .tv_sec = (time_t)wait };

	while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
		;
	return true;
}

/* Transactions until every recipient has an outcome or nothing moves any more. */
static void run_transactions(struct attempt *t, struct result *r)
{
	const struct account *a = t->account;
	const bool strict = a->strict_recipients || a->partial == PARTIAL_REFUSE;
	size_t open = count_open(r), before;

	do {
		struct transaction_options opt = { .last = true, .strict_recipients = strict,
			.checkpoint = checkpoint_of(t, r) };

		before = open;
		transaction_run(&t->session, &t->converted.envelope, t->converted.message,
				&t->converted.edits, &opt, r);
		open = count_open(r);
	} while (open > 0 && open < before && !t->session.dead && !t->session.quit_sent &&
		 !t->session.changed);
	r->mechanism = t->session.mechanism ? arena_strdup(r->arena, t->session.mechanism) : NULL;
}

/* The transactions, with what is to be noted about them. */
static void run_requests(struct attempt *t, struct result *r)
{
	requests_note(&t->session, t->envelope, r);
	run_transactions(t, r);
	requests_settle(&t->session, t->envelope, r);
}

/* All that one session is for; anew when the server turns out to be another than it was. */
static void serve(struct attempt *t, const struct message *m, const struct edits *edits,
		  struct result *r)
{
	struct error err;

	do {
		t->session.changed = false;
		if (convert_for_session(&t->converted, &t->session, m, edits, t->envelope,
					&err) < 0 ||
		    requests_adapt(&t->session, &t->converted.edits, &t->converted.envelope,
				   t->converted.message, t->arena, &err) < 0)
			result_set_rest(r, &err);
		else
			run_requests(t, r);
	} while (t->session.changed && !t->session.dead && count_open(r) > 0);
}

static void prefix_results(const struct attempt *t, struct result *r)
{
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpt[i].outcome != OUTCOME_ACCEPTED && r->rcpt[i].error.exit)
			(void)name_server(t, &r->rcpt[i].error);
	}
}

/* Was the connection lost, or given up by the server, before the content was whole? */
static bool was_lost(const struct error *err)
{
	return err->reply == 421 || (err->reply == 0 && strcmp(err->status, "4.4.2") == 0);
}

/*
 * Opens the recipients again that a lost connection has deferred, where
 * another server is left; not when the message may have been taken.
 */
static bool reopen_lost(struct attempt *t, struct result *r)
{
	bool any = false;

	if (r->unknown || !targets_left(&t->targets) || deadline_passed(&t->whole))
		return false;
	for (size_t i = 0; i < r->rcpt_count; i++) {
		struct rcpt_result *rcpt = &r->rcpt[i];

		if (rcpt->outcome != OUTCOME_DEFERRED || !was_lost(&rcpt->error))
			continue;
		if (!any) {
			(void)name_server(t, &rcpt->error);
			note_failure(t, &rcpt->error);
		}
		*rcpt = (struct rcpt_result){ .outcome = OUTCOME_NONE };
		any = true;
	}
	t->chosen = t->chosen && !any;
	return any;
}

static void name_target(const struct attempt *t, struct result *r)
{
	if (t->target.host)
		r->server = t->target.path ? t->target.path :
			arena_printf(r->arena, "%s:%u", t->target.host, t->target.port);
}

void submit_to(const struct account *a, const char *mx_domain, const struct envelope *e,
	       const struct message *m, const struct edits *edits,
	       const struct attempt_options *opt, struct result *result)
{
	struct attempt t = { .envelope = e, .opt = opt };
	size_t open = result->rcpt_count, before;
	bool moved;
	struct error err;

	attempt_init(&t, a, mx_domain, result->arena);
	/* a server that takes no more recipients per session is asked again */
	do {
		before = open;
		if (open_session(&t, &err) < 0) {
			name_target(&t, result);
			result_set_rest(result, &err);
			open = 0;
			break;
		}
		name_target(&t, result);
		describe_session(&t, result);
		if (opt->before && opt->before(opt->before_ctx, &t.session, &err) < 0)
			result_set_rest(result, &err);
		else
			serve(&t, m, edits, result);
		session_quit(&t.session, false);
		disconnect(&t);
		moved = be_cautious(&t) || wait_to_resume(&t, result);
		moved = reopen_lost(&t, result) || moved;
		open = count_open(result);
	} while (open > 0 && (moved || open < before));
	converted_release(&t.converted);
	if (open > 0) {
		error_set(&err, EX_TEMPFAIL, "4.5.3", "the server took no more recipients");
		result_set_rest(result, &err);
	}
	prefix_results(&t, result);
	result_settle(result);
}

int submit_info(const struct account *a, const struct attempt_options *opt,
		void (*show)(void *ctx, const struct session *), void *ctx, struct error *err)
{
	struct arena *arena = arena_new();
	struct attempt t = { .opt = opt, .info_only = true };
	int rc;

	attempt_init(&t, a, NULL, arena);
	rc = open_session(&t, err);
	if (rc == 0) {
		show(ctx, &t.session);
		session_quit(&t.session, true);
		disconnect(&t);
	}
	arena_free(arena);
	return rc;
}

int submit_session(const struct account *a, const struct attempt_options *opt,
		   int (*run)(void *ctx, struct session *, struct error *), void *ctx,
		   struct error *err)
{
	struct arena *arena = arena_new();
	struct attempt t = { .opt = opt };
	int rc;

	attempt_init(&t, a, NULL, arena);
	rc = extensions_check_account(a, err);
	if (rc == 0)
		rc = open_session(&t, err);
	if (rc == 0) {
		rc = run(ctx, &t.session, err);
		session_quit(&t.session, true);
		disconnect(&t);
	}
	arena_free(arena);
	return rc;
}
