#include "config.h"
#include "submit/session_open.h"

#include <stdio.h>
#include <string.h>

#include "conf/account.h"
#include "message/ident.h"
#include "message/result.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/wire.h"
#include "secrets/credentials.h"
#include "smtp/session.h"
#include "smtp/tls_start.h"
#include "submit/attempt.h"
#include "submit/connect.h"
#include "submit/memory.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/sandbox.h"
#include "util/secret.h"
#include "util/strbuf.h"

static int default_credential(void *ctx, enum credential kind, struct secret *out,
			      struct error *err)
{
	const struct session_opening *o = ctx;

	if (kind == CREDENTIAL_TOKEN)
		return credentials_token(o->account, out, err);
	if (kind == CREDENTIAL_KEY_PASSWORD)
		return credentials_key_password(o->account, out, err);
	if (kind == CREDENTIAL_TICKET)
		return credentials_has_ticket() ? 0 : -1;
	return credentials_password(o->account, true, out, err);
}

/* TLS from the first octet, where the account or its port says so. */
static bool is_implicit(const struct session_opening *o)
{
	const struct server *to = &o->target;

	return to->mode == TLS_IMPLICIT || (to->mode == TLS_AUTO && !to->path && to->port == 465);
}

const char *session_opening_server(const struct session_opening *o)
{
	if (o->target.path || !o->target.host)
		return o->target.path;
	return arena_printf(o->arena, "%s:%u", o->target.host, o->target.port);
}

static void tell_failed(const struct session_opening *o, const struct error *err)
{
	const struct observer *watch = o->opt->observer;

	if (watch && watch->failed)
		watch->failed(watch->ctx, session_opening_server(o), err);
}

static void tell_connected(const struct session_opening *o)
{
	const struct observer *watch = o->opt->observer;
	char peer[128];

	if (!watch || !watch->connected)
		return;
	socket_peer_name(wire_stream(o->wire), peer, sizeof(peer));
	watch->connected(watch->ctx, session_opening_server(o), peer);
}

/* The limits of this attempt, and who looks on. */
static void watch_wire(struct session_opening *o)
{
	wire_set_limit(o->wire, o->total);
	wire_set_early_limit(o->wire, o->whole);
	wire_set_trace(o->wire, o->opt->trace, o->opt->trace_ctx);
}

static int connect_wire(struct session_opening *o, const struct session_options *opt,
			struct error *err)
{
	const struct connect_request request = {
		.account = o->account, .target = &o->target, .addresses = &o->addresses,
		.whole = &o->whole,
	};
	struct stream *s = NULL, *top = NULL;

	observer_step(o->opt->observer, STEP_CONNECT, NULL);
	if (connect_stream(&request, &s, err) < 0)
		return -1;
	sandbox_connected();
	if (is_implicit(o)) {
		observer_step(o->opt->observer, STEP_TLS, NULL);
		struct deadline d = deadline_first(
			deadline_in(o->account->timeouts.starttls, "the TLS handshake"), o->whole);

		if (tls_start(s, opt, TLS_FROM_START, &d, &top, err) < 0) {
			stream_free(s);
			return -1;
		}
		s = top;
	}
	o->wire = wire_new_take(s);
	o->closed = o->opt->observer ? o->opt->observer->closed : NULL;
	o->closed_ctx = o->opt->observer ? o->opt->observer->ctx : NULL;
	tell_connected(o);
	watch_wire(o);
	if (top)
		observer_secured(o->opt->observer, o->wire);
	return 0;
}

/* Our name for EHLO: the account's, the host's, else the address of the socket. */
static const char *ehlo_name(const struct session_opening *o)
{
	const char *name = o->account->domain;

	if (o->account->helo_privacy)
		return "[127.0.0.1]";
	if (!name || !*name || strcmp(name, "auto") == 0)
		name = ident_host(o->arena);
	if (!name)
		name = ident_host_literal(o->arena);
	return name ? name : ident_address_literal(o->arena, socket_fd(wire_stream(o->wire)));
}

/* Whether EHLO may go before the greeting: only where a message follows. */
static const struct early_memory *early_of(const struct session_opening *o, const char *name)
{
	char peer[128];

	if (!o->account->pipe_connect || !o->envelope || o->opt->before || o->polite)
		return NULL;
	socket_peer_name(wire_stream(o->wire), peer, sizeof(peer));
	return memory_of_early(o->arena, o->account, peer, o->target.port, name);
}

void session_opening_recall(struct session_opening *o)
{
	time_t until[EXT_COUNT] = { 0 };

	memory_recall_server(o->account, o->target.host, o->target.port, until);
	for (int id = 0; id < EXT_COUNT; id++)
		o->without[id] = until[id] != 0;
	o->secured = false;
}

void session_opening_describe(const struct session_opening *o, struct result *r)
{
	struct strbuf tls = STRBUF_INIT(1024);
	char peer[128];

	socket_peer_name(wire_stream(o->wire), peer, sizeof(peer));
	r->address = arena_strdup(r->arena, peer);
	r->mechanism = o->session.mechanism ?
		arena_strdup(r->arena, o->session.mechanism) : NULL;
	r->binding = o->session.binding;
	if (tls_is(wire_stream(o->wire))) {
		tls_describe(wire_stream(o->wire), &tls);
		r->tls = arena_strdup(r->arena, tls.buf);
	}
	strbuf_release(&tls);
}

void session_opening_reuse(struct session_opening *o)
{
	o->session.opt.envelope = o->envelope;
	o->session.opt.observer = o->opt->observer;
	watch_wire(o);
}

void session_opening_close(struct session_opening *o)
{
	session_release(&o->session);
	if (o->wire && o->closed)
		o->closed(o->closed_ctx);
	wire_free(o->wire);
	o->wire = NULL;
}

static int open_once(struct session_opening *o, bool helo_only, enum session_retry *retry,
		     struct error *err)
{
	struct session_options opt = {
		.account = o->account, .host = o->target.host, .port = o->target.port,
		.tls_domain = o->target.domain,
		.envelope = o->envelope, .credential = o->credential,
		.credential_ctx = o->credential_ctx,
		.info_only = o->info_only, .keep_tls = o->secured,
		.without = o->info_only ? NULL : o->without,
		.auth_memory = memory_of_mechanism(o->arena, o->account, o->target.host,
						   o->target.port),
		.observer = o->opt->observer,
	};

	if (connect_wire(o, &opt, err) < 0) {
		tell_failed(o, err);
		return -1;
	}
	opt.ehlo_name = ehlo_name(o);
	opt.early = early_of(o, opt.ehlo_name);
	int rc = session_open(&o->session, o->wire, &opt, helo_only, retry, err);

	o->secured |= o->session.encrypted;
	if (rc == 0)
		return 0;
	session_opening_close(o);
	return -1;
}

int session_opening_run(struct session_opening *o, struct error *err)
{
	enum session_retry retry = SESSION_RETRY_NOT;

	if (!o->credential) {
		o->credential = default_credential;
		o->credential_ctx = o;
	}
	int rc = open_once(o, false, &retry, err);

	/* the session of before is forgotten */
	if (rc < 0 && err->fault == FAULT_TLS_SESSION)
		rc = open_once(o, false, &retry, err);
	if (rc < 0 && retry == SESSION_RETRY_GREETED) {
		o->polite = true;
		rc = open_once(o, false, &retry, err);
	}
	/* a server that hangs up at EHLO may be one that knows HELO only (RFC 5321, 3.2) */
	if (rc < 0 && retry == SESSION_RETRY_HELO)
		rc = open_once(o, true, &retry, err);
	return rc;
}

bool session_opening_worth_another(const struct session_opening *o, const struct error *err)
{
	if (deadline_passed(&o->whole))
		return false;
	return error_next(err, PHASE_OPENING) <= NEXT_SERVER;
}

void session_opening_note_failure(struct error *all, const struct error *err)
{
	if (!all->exit) {
		*all = *err;
		return;
	}
	if (!error_is_temporary(all) && error_is_temporary(err)) {
		all->fault = err->fault;
		all->exit = err->exit;
		all->reply = err->reply;
		all->words = (unsigned short)(strlen(all->text) + strlen("; ") + err->words);
		all->words_n = all->words + err->words_n < sizeof(all->text) - 4 ? err->words_n : 0;
		snprintf(all->status, sizeof(all->status), "%s", err->status);
	}
	all->named = all->named || err->named;
	error_append(all, "; %s", err->text);
}
