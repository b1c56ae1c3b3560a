/*
 * STARTTLS (RFC 3207): required whenever the account does not say otherwise
 * in so many words, and nothing that was heard before it counts after it.
 *
 * Not a single octet may lie between the 220 and the handshake, nor between
 * the handshake and our EHLO: that would be somebody else's.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <string.h>

#include "conf/account.h"
#include "net/wire.h"
#include "smtp/session.h"
#include "smtp/tls_start.h"
#include "tls/tls.h"
#include "util/error.h"
#include "util/secret.h"

bool starttls_wanted(const struct session *s)
{
	if (s->encrypted)
		return false;
	switch (s->account->tls.mode) {
	case TLS_OFF:
		return false;
	case TLS_AUTO:
		return !s->local && s->account->protocol != PROTOCOL_LMTP;
	case TLS_STARTTLS:
	case TLS_MAY:
	case TLS_IMPLICIT:	/* not encrypted yet: whatever happened, never in clear */
		break;
	}
	return true;
}

/*
 * "TLS-Required: No" (RFC 8689, section 3): the user wants the message
 * delivered rather than protected. Not where a password is at stake, and not
 * where 'tls' says more than auto. Always so with 'tls = may'.
 */
static bool tls_optional(const struct account *a)
{
	if (a->tls.mode == TLS_MAY)
		return true;
	return !a->ext.tls_required && a->ext.requiretls == REQUIRETLS_NO &&
		a->tls.mode == TLS_AUTO && !a->auth.user && !a->tls.cert_file &&
		!a->tls.pkcs12_file &&
		(a->auth.mode == AUTH_AUTO || a->auth.mode == AUTH_OFF) &&
		!secret_is_set(&a->auth.token) && !a->auth.token_file && !a->auth.token_command;
}

static int upgrade(struct stream *lower, void *ctx, struct stream **out, struct error *err)
{
	const struct session *s = ctx;
	struct deadline d = deadline_in(s->account->timeouts.starttls, "the TLS handshake");

	return tls_start(lower, &s->opt, tls_optional(s->account) ? TLS_UNVERIFIED :
			 TLS_AFTER_STARTTLS, &d, out, err);
}

/* May the session go on in clear text? 1, 0, or -1: DANE has to be asked, and cannot be. */
static int clear_allowed(const struct session *s, struct error *err)
{
	struct deadline d = deadline_in(s->account->timeouts.starttls, "DNS");

	if (s->opt.keep_tls || !tls_optional(s->account))
		return 0;
	int mandatory = tls_start_is_mandatory(&s->opt, &d, err);

	return mandatory < 0 ? -1 : !mandatory;
}

/* The injection defence around the handshake (doc/protocol.md#starttls). */
static int handshake(struct session *s, struct error *err)
{
	/* what has come by now came in clear; wire_upgrade() refuses to go on with it */
	if (wire_unread_now(s->wire) < 0)
		return error_set(err, FAULT_CONNECTION_LOST,
				 "connection closed by the server before the TLS handshake");
	if (wire_upgrade(s->wire, upgrade, s, err) < 0)
		return -1;
	if (wire_unread_now(s->wire) > 0)
		return error_set(err, FAULT_PROTOCOL,
				 "the server spoke after the TLS handshake before it was asked");
	return 0;
}

static void now_encrypted(struct session *s)
{
	const struct stream *tls = wire_stream(s->wire);

	s->encrypted = true;
	s->verified = tls_authenticated(tls);
	s->clear_keywords = s->keywords;
	strvec_init(&s->keywords, s->clear_keywords.limit);
	observer_secured(s->opt.observer, s->wire);
}

/*
 * Firewalls that "inspect" SMTP write X over the keywords that they do not
 * know, all but the last letter or all of them, and stars over the greeting.
 */
static bool is_masked(const struct session *s)
{
	for (size_t i = 0; i < s->keywords.n; i++) {
		const char *keyword = s->keywords.v[i];
		const size_t n = strcspn(keyword, " ="), x = strspn(keyword, "X");

		if (n >= 4 && x + 1 >= n)
			return true;
	}
	return strstr(s->server_name, "***") != NULL;
}

static int not_offered(const struct session *s, struct error *err)
{
	const char *name = s->server_name[0] ? s->server_name : "the server";

	if (s->opt.keep_tls)
		return error_set(err, FAULT_STARTTLS_LATER, "the server has offered STARTTLS "
				 "before and does not now: nothing is sent in clear text");
	if (is_masked(s))
		return error_set(err, FAULT_STARTTLS_MASKED, "a firewall on the way hides STARTTLS "
				 "(it writes over what the server says): nothing is sent in clear "
				 "text; have its inspection of SMTP switched off, or set "
				 "'tls = implicit' (port 465)");
	error_set(err, FAULT_NO_STARTTLS, "%s does not offer STARTTLS: nothing is "
		  "sent in clear text; set 'tls = implicit' (port 465) or, if you must, "
		  "'tls = off'", name);
	return session_named(s, err);
}

static enum ehlo_next starttls_after_ehlo(struct session *s, struct error *err)
{
	if (!starttls_wanted(s))
		return EHLO_CONTINUE;
	observer_step(s->opt.observer, STEP_STARTTLS, s);
	if (!session_has(s, EXT_STARTTLS)) {
		int allowed = clear_allowed(s, err);

		if (allowed == 0)
			not_offered(s, err);
		return allowed > 0 ? EHLO_CONTINUE : EHLO_FAILED;
	}
	if (session_say(s, STAGE_STARTTLS, "STARTTLS", err) < 0)
		return EHLO_FAILED;
	if (s->reply.code != 220) {
		reply_error(&s->reply, STAGE_STARTTLS, err);
		return EHLO_FAILED;
	}
	observer_step(s->opt.observer, STEP_TLS, s);
	if (handshake(s, err) < 0) {
		s->dead = true;
		return EHLO_FAILED;
	}
	now_encrypted(s);
	return EHLO_AGAIN;
}

const struct extension ext_STARTTLS = { .keyword = "STARTTLS", .after_ehlo = starttls_after_ehlo };
