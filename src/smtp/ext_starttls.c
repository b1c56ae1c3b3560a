#include "config.h"
#include "smtp/ext_starttls.h"

#include "conf/account.h"
#include "net/tls.h"
#include "net/wire.h"
#include "smtp/session.h"
#include "util/error.h"

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
	case TLS_IMPLICIT:	/* not encrypted yet: whatever happened, never in clear */
		break;
	}
	return true;
}

void starttls_settings(const struct account *a, const char *host, unsigned port, bool starttls,
		       struct tls_client *out)
{
	const struct tls_settings *t = &a->tls;

	*out = (struct tls_client){
		.host = t->host_override ? t->host_override : host,
		.verify = t->certcheck, .trust_file = t->trust_file, .crl_file = t->crl_file,
		.fingerprint = t->fingerprint, .cert_file = t->cert_file, .key_file = t->key_file,
		.priorities = t->priorities, .min_dh_prime_bits = t->min_dh_prime_bits,
		.port = port, .starttls = starttls,
	};
}

static int upgrade(struct stream *lower, void *ctx, struct stream **out, struct error *err)
{
	const struct session *s = ctx;
	struct deadline d = deadline_in(s->account->timeouts.starttls, "the TLS handshake");
	struct tls_client settings;

	starttls_settings(s->account, s->opt.host, s->opt.port, true, &settings);
	return tls_connect(lower, &settings, &d, out, err);
}

/* The injection defence around the handshake (protocol.md C1). */
static int handshake(struct session *s, struct error *err)
{
	/* what has come by now came in clear; wire_upgrade() refuses to go on with it */
	if (wire_unread_now(s->wire) < 0)
		return error_set(err, EX_TEMPFAIL, "4.4.2",
				 "connection closed by the server before the TLS handshake");
	if (wire_upgrade(s->wire, upgrade, s, err) < 0)
		return -1;
	if (wire_unread_now(s->wire) > 0)
		return error_set(err, EX_PROTOCOL, "5.5.0",
				 "the server spoke after the TLS handshake before it was asked");
	return 0;
}

static void now_encrypted(struct session *s)
{
	const struct stream *tls = wire_stream(s->wire);
	struct strbuf text = STRBUF_INIT(512);

	s->encrypted = true;
	s->verified = tls_verified(tls) || s->account->tls.fingerprint;
	s->clear_keywords = s->keywords;
	strvec_init(&s->keywords, s->clear_keywords.limit);
	tls_describe(tls, &text);
	wire_note(s->wire, WIRE_IN, text.buf);
	strbuf_release(&text);
}

static int not_offered(const struct session *s, struct error *err)
{
	const char *name = s->server_name[0] ? s->server_name : "the server";

	return error_set(err, EX_UNAVAILABLE, "5.7.10", "%s does not offer STARTTLS: nothing is "
			 "sent in clear text; set 'tls = implicit' (port 465) or, if you must, "
			 "'tls = off'", name);
}

enum ehlo_next starttls_after_ehlo(struct session *s, struct error *err)
{
	if (!starttls_wanted(s))
		return EHLO_CONTINUE;
	if (!session_has(s, EXT_STARTTLS)) {
		not_offered(s, err);
		return EHLO_FAILED;
	}
	strbuf_reset(&s->line);
	strbuf_addstr(&s->line, "STARTTLS");
	if (session_command(s, STAGE_STARTTLS, err) < 0)
		return EHLO_FAILED;
	if (s->reply.code != 220) {
		reply_error(&s->reply, STAGE_STARTTLS, err);
		return EHLO_FAILED;
	}
	if (handshake(s, err) < 0) {
		s->dead = true;
		return EHLO_FAILED;
	}
	now_encrypted(s);
	return EHLO_AGAIN;
}
