/*
 * AUTH SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, 7677), by themselves and bound
 * to TLS (-PLUS; RFC 9266 and 5929), by libgsasl's server side, which is loaded
 * when a client first asks for it. The password never comes over the line; the
 * file has to hold it ({PLAIN}).
 */
#include "config.h"
#include "server/smtpd.h"

#include <gsasl.h>
#include <stdbool.h>
#include <string.h>

#include "message/ident.h"
#include "net/wire.h"
#include "server/listener.h"
#include "tls/tls.h"
#include "util/attr.h"
#include "util/base64.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/strbuf.h"

enum { STEPS_MAX = 4, NOBODY_LEN = 32, BINDING_MAX = 256 };

static struct {
	__typeof__(gsasl_init) *init;
	__typeof__(gsasl_callback_set) *callback_set;
	__typeof__(gsasl_server_start) *server_start;
	__typeof__(gsasl_session_hook_set) *session_hook_set;
	__typeof__(gsasl_session_hook_get) *session_hook_get;
	__typeof__(gsasl_property_set) *property_set;
	__typeof__(gsasl_property_fast) *property_fast;
	__typeof__(gsasl_step) *step;
	__typeof__(gsasl_free) *free;
	__typeof__(gsasl_finish) *finish;
} sasl;

static int load_library(struct error *err)
{
	static void *handle;
	static const struct dynlib_symbol symbols[] = {
		{ "gsasl_init", &sasl.init }, { "gsasl_callback_set", &sasl.callback_set },
		{ "gsasl_server_start", &sasl.server_start },
		{ "gsasl_session_hook_set", &sasl.session_hook_set },
		{ "gsasl_session_hook_get", &sasl.session_hook_get },
		{ "gsasl_property_set", &sasl.property_set },
		{ "gsasl_property_fast", &sasl.property_fast }, { "gsasl_step", &sasl.step },
		{ "gsasl_free", &sasl.free }, { "gsasl_finish", &sasl.finish },
	};

	return dynlib_load(&handle, GSASL_SONAME, "libgsasl18", symbols, ARRAY_LEN(symbols), err);
}

/* One exchange. */
struct scram {
	const char *file;
	struct arena *arena;
	const struct stream *tls;	/* of the binding; NULL = the mechanism has none */
	struct error error;	/* of the file: exit 0 = none */
};

/* What this connection has of its own, in base64, of the kind that the client has named. */
static int give_binding(const struct scram *x, Gsasl_session *session, Gsasl_property property)
{
	struct strbuf raw = STRBUF_INIT(BINDING_MAX), text = STRBUF_INIT(2 * BINDING_MAX);
	int code = GSASL_NO_CALLBACK;

	if (x->tls &&
	    tls_channel_binding(x->tls, property == GSASL_CB_TLS_UNIQUE, &raw) == 0) {
		base64_encode(&text, raw.buf, raw.len);
		(void)sasl.property_set(session, property, text.buf);
		code = GSASL_OK;
	}
	strbuf_release(&raw);
	strbuf_release(&text);
	return code;
}

static int give_password(struct scram *x, Gsasl_session *session)
{
	const char *user = sasl.property_fast(session, GSASL_AUTHID);
	struct secret password = { NULL, 0 };

	if (!user)
		return GSASL_NO_CALLBACK;
	if (auth_find_password(x->file, user, &password, &x->error) < 0)
		return GSASL_NO_PASSWORD;
	/* an unknown user has one that nobody knows; the exchange takes as long */
	(void)sasl.property_set(session, GSASL_PASSWORD, secret_is_set(&password) ?
				password.data : ident_random(x->arena, NOBODY_LEN));
	secret_release(&password);
	return GSASL_OK;
}

/* The library asks for the password of the user that the client has named, and for a binding. */
static int give(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	struct scram *x = sasl.session_hook_get(session);

	(void)library;
	if (property == GSASL_PASSWORD)
		return give_password(x, session);
	if (property == GSASL_CB_TLS_UNIQUE || property == GSASL_CB_TLS_EXPORTER)
		return give_binding(x, session, property);
	return GSASL_NO_CALLBACK;
}

static int begin(const char *name, struct scram *x, Gsasl_session **out, struct error *err)
{
	static Gsasl *library;		/* one for the life of the process */

	if (load_library(err) < 0)
		return -1;
	if (!library && sasl.init(&library) != GSASL_OK)
		return error_set(err, FAULT_BUG, "libgsasl cannot be used");
	sasl.callback_set(library, give);
	if (sasl.server_start(library, name, out) != GSASL_OK)
		return error_set(err, FAULT_NO_MECHANISM, "libgsasl has no %s", name);
	sasl.session_hook_set(*out, x);
	return 0;
}

/* What the library has said, in base64, to the client; its answer into in. */
static int exchange(struct smtpd *s, const char *out, size_t n, struct strbuf *in)
{
	struct strbuf challenge = STRBUF_INIT(SMTPD_AUTH_LINE_MAX);

	base64_encode(&challenge, out, n);
	strbuf_reset(in);
	int rc = signin_ask(s, challenge.buf, in);

	strbuf_release(&challenge);
	return rc;
}

/* 1: the client has proven itself; 0: it has not; -1: it was answered. */
static int converse(struct smtpd *s, Gsasl_session *session, struct strbuf *in)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		char *out = NULL;
		size_t n = 0;
		const int code = sasl.step(session, in->buf, in->len, &out, &n);
		const bool more = code == GSASL_NEEDS_MORE || (code == GSASL_OK && n > 0);
		int rc = 0;

		/* our own proof goes first: nothing can stand beside 235 (RFC 4954, section 4) */
		if (more)
			rc = exchange(s, out, n, in);
		if (out)
			sasl.free(out);
		if (rc < 0 || code != GSASL_NEEDS_MORE)
			return rc < 0 ? rc : code == GSASL_OK;
	}
	return 0;
}

/* A user signs in as himself. */
static bool take_user(Gsasl_session *session, struct auth_login *login)
{
	const char *user = sasl.property_fast(session, GSASL_AUTHID);
	const char *authzid = sasl.property_fast(session, GSASL_AUTHZID);

	if (!user || (authzid && *authzid && strcmp(user, authzid) != 0))
		return false;
	secret_set(&login->user, user, strlen(user));
	return true;
}

int scram_converse(struct smtpd *s, const char *name, struct strbuf *first,
		   struct auth_login *login, struct error *err)
{
	struct scram x = { .file = s->options->set.auth_file, .arena = s->arena,
			   .tls = strstr(name, "-PLUS") ? wire_stream(s->wire) : NULL };
	Gsasl_session *session = NULL;

	/* it could, and thinks that we cannot: our offer was changed (RFC 5802, section 6) */
	if (s->tls && !x.tls && first->len && first->buf[0] == 'y')
		return error_set(err, FAULT_PASSWORD_REFUSED, "the offer of a channel binding did "
				 "not reach the client");
	if (begin(name, &x, &session, err) < 0)
		return -1;
	int rc = converse(s, session, first);

	if (rc == 1 && !take_user(session, login))
		rc = 0;
	sasl.finish(session);
	if (rc == 0 && x.error.exit)
		*err = x.error;
	else if (rc == 0)
		error_set(err, FAULT_PASSWORD_REFUSED, "sign-in refused");
	else if (rc < 0)
		err->exit = 0;
	return rc == 1 ? 0 : -1;
}
