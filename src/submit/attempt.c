#include "config.h"
#include "submit/attempt.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/credentials.h"
#include "message/envelope.h"
#include "message/ident.h"
#include "message/idna.h"
#include "message/result.h"
#include "net/socket.h"
#include "net/socks.h"
#include "net/stream.h"
#include "net/tls.h"
#include "smtp/ext_starttls.h"
#include "smtp/session.h"
#include "smtp/transaction.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/sandbox.h"
#include "util/secret.h"
#include "util/strbuf.h"

#define PROXY_PORT 1080		/* RFC 1928 */

/* One attempt: everything between the account and the result. */
struct attempt {
	const struct account *account;
	const struct envelope *envelope;	/* NULL for --serverinfo */
	const struct attempt_options *opt;
	struct arena *arena;
	struct deadline whole;
	const char *host;		/* in ASCII form */
	unsigned port;
	struct wire *wire;
	struct session session;
};

static int fetch_credential(void *ctx, enum credential kind, struct secret *out,
			    struct error *err)
{
	const struct attempt *t = ctx;

	if (kind == CREDENTIAL_TOKEN)
		return credentials_token(t->account, out, err);
	return credentials_password(t->account, true, out, err);
}

static int address_family(const struct account *a)
{
	return a->family == FAMILY_IPV4 ? AF_INET : a->family == FAMILY_IPV6 ? AF_INET6 : AF_UNSPEC;
}

/* Connects to the server, or to the proxy and through it. */
static int open_stream(struct attempt *t, struct stream **out, struct error *err)
{
	const struct account *a = t->account;
	const bool proxy = a->proxy_host && !a->socket;
	const struct socket_target target = {
		.host = proxy ? a->proxy_host : t->host,
		.port = proxy ? (a->proxy_port ? a->proxy_port : PROXY_PORT) : t->port,
		.path = a->socket, .source_ip = a->source_ip, .family = address_family(a),
		.timeout = a->timeouts.connect,
	};

	if (socket_connect(&target, &t->whole, out, err) < 0)
		return proxy ? error_prefix(err, "proxy") : -1;
	if (!proxy)
		return 0;
	struct deadline d = deadline_first(deadline_in(a->timeouts.connect, "the proxy"), t->whole);

	if (socks5_connect(*out, t->host, t->port, &d, err) == 0)
		return 0;
	stream_free(*out);
	*out = NULL;
	return error_prefix(err, "proxy %s:%u", target.host, target.port);
}

/* TLS from the first octet, where the account or its port says so. */
static bool is_implicit(const struct attempt *t)
{
	enum tls_mode mode = t->account->tls.mode;

	return mode == TLS_IMPLICIT || (mode == TLS_AUTO && !t->account->socket && t->port == 465);
}

static int connect_wire(struct attempt *t, struct error *err)
{
	struct stream *s = NULL, *top = NULL;

	if (open_stream(t, &s, err) < 0)
		return -1;
	sandbox_connected();
	if (is_implicit(t)) {
		struct tls_client client;
		struct deadline d = deadline_first(
			deadline_in(t->account->timeouts.starttls, "the TLS handshake"), t->whole);

		starttls_settings(t->account, t->host, t->port, false, &client);
		if (tls_connect(s, &client, &d, &top, err) < 0) {
			stream_free(s);
			return -1;
		}
		s = top;
	}
	t->wire = wire_new_take(s);
	wire_set_limit(t->wire, t->whole);
	wire_set_trace(t->wire, t->opt->trace, t->opt->trace_ctx);
	if (top && t->opt->trace) {
		struct strbuf note = STRBUF_INIT(1024);

		strbuf_addstr(&note, "TLS: ");
		tls_describe(top, &note);
		wire_note(t->wire, WIRE_IN, note.buf);
		strbuf_release(&note);
	}
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
	const struct session_options opt = {
		.account = t->account, .host = t->host, .port = t->port,
		.envelope = t->envelope, .credential = fetch_credential, .credential_ctx = t,
		.ehlo_name = ehlo_name(t), .info_only = t->envelope == NULL,
	};

	if (session_open(&t->session, t->wire, &opt, helo_only, retry_helo, err) == 0)
		return 0;
	disconnect(t);
	return -1;
}

/* A server that hangs up at EHLO may be one that knows HELO only (RFC 5321, 3.2). */
static int open_session(struct attempt *t, struct error *err)
{
	bool retry_helo = false;

	if (open_session_once(t, false, &retry_helo, err) == 0)
		return 0;
	if (!retry_helo)
		return -1;
	return open_session_once(t, true, &retry_helo, err);
}

static int attempt_init(struct attempt *t, const struct account *a, struct arena *arena,
			struct error *err)
{
	t->account = a;
	t->arena = arena;
	t->whole = deadline_in(a->timeouts.total, "the server");
	t->whole.whole = true;
	t->port = account_port(a);
	t->host = a->socket ? "localhost" : a->host;
	return idna_to_ascii(arena, t->host, &t->host, err);
}

/* "mail.example.org:587: what happened", unless the text names the server already. */
static int name_server(const struct attempt *t, struct error *err)
{
	const char *where = t->account->socket ? t->account->socket : t->host;

	if (strstr(err->text, where))
		return -1;
	if (t->account->socket)
		return error_prefix(err, "%s", where);
	return error_prefix(err, "%s:%u", where, t->port);
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

/* Transactions until every recipient has an outcome or nothing moves any more. */
static void run_transactions(struct attempt *t, const struct message *m,
			     const struct edits *edits, struct result *r)
{
	const struct account *a = t->account;
	const bool strict = a->strict_recipients || a->partial == PARTIAL_REFUSE;
	size_t open = count_open(r), before;

	do {
		struct transaction_options opt = { .last = true, .strict_recipients = strict };

		before = open;
		transaction_run(&t->session, t->envelope, m, edits, &opt, r);
		open = count_open(r);
	} while (open > 0 && open < before && !t->session.dead && !t->session.quit_sent);
}

static void prefix_results(const struct attempt *t, struct result *r)
{
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpt[i].outcome != OUTCOME_ACCEPTED && r->rcpt[i].error.exit)
			(void)name_server(t, &r->rcpt[i].error);
	}
}

void submit_attempt(const struct account *a, const struct envelope *e, const struct message *m,
		    const struct edits *edits, const struct attempt_options *opt,
		    struct result *result)
{
	struct attempt t = { .envelope = e, .opt = opt };
	size_t open = result->rcpt_count, before;
	struct error err;

	if (attempt_init(&t, a, result->arena, &err) < 0) {
		result_set_rest(result, &err);
		result_settle(result);
		return;
	}
	result->server = a->socket ? a->socket :
		arena_printf(result->arena, "%s:%u", t.host, t.port);
	/* a server that takes no more recipients per session is asked again */
	do {
		before = open;
		if (open_session(&t, &err) < 0) {
			(void)name_server(&t, &err);
			result_set_rest(result, &err);
			open = 0;
			break;
		}
		describe_session(&t, result);
		run_transactions(&t, m, edits, result);
		session_quit(&t.session, false);
		disconnect(&t);
		open = count_open(result);
	} while (open > 0 && open < before);
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
	struct attempt t = { .opt = opt };
	int rc = attempt_init(&t, a, arena, err);

	if (rc == 0 && (rc = open_session(&t, err)) < 0)
		(void)name_server(&t, err);
	if (rc == 0) {
		show(ctx, &t.session);
		session_quit(&t.session, true);
		disconnect(&t);
	}
	arena_free(arena);
	return rc;
}
