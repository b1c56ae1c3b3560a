/*
 * MTRK (RFC 3885): the message can be asked for later, by whoever knows the
 * secret whose hash is sent here. It needs ENVID, and ORCPT should go along;
 * where the server has no DSN they are sent with it. Here too are the secret,
 * the id and the URI; what keeps them is in track/tracking.h.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "message/ident.h"
#include "message/request.h"
#include "message/result.h"
#include "smtp/session.h"
#include "tls/gnutls_api.h"
#include "util/arena.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/strbuf.h"

#define SECRET_OCTETS 32	/* 128 to 1024 bits (RFC 3885, section 3.1) */
#define SHA1_OCTETS 20
#define ENVID_MAX 100		/* RFC 3461, section 4.4 */

/* --- the row of the table -------------------------------------------------------- */

/* mtrk-parm = "MTRK=" certifier [ ":" mtrk-timeout ]; the base64 without its padding */
static void mtrk_mail_params(const struct session *s, const struct envelope *e,
			     struct strbuf *out)
{
	if (!e->ext.mtrk || !e->envid)
		return;
	if (!session_has(s, EXT_DSN)) {
		strbuf_addstr(out, " ENVID=");
		xtext_add(out, e->envid);
	}
	strbuf_addf(out, " MTRK=%s%s", e->ext.mtrk, s->account->ext.mtrk_padding ? "=" : "");
	if (e->ext.mtrk_timeout)
		strbuf_addf(out, ":%u", e->ext.mtrk_timeout);
}

static void mtrk_rcpt_params(const struct session *s, const struct envelope *e,
			     const struct recipient *r, struct strbuf *out)
{
	if (e->ext.mtrk && !session_has(s, EXT_DSN))
		dsn_add_orcpt(s, r, out);
}

/* --- secret, id, URI ------------------------------------------------------------- */

const char *mtrk_id(struct arena *a)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	unsigned char octets[16] = { 0 };
	char word[sizeof(octets) + 1] = "";

	/* time and process tell ids apart even where no random numbers are to be had */
	(void)!getrandom(octets, sizeof(octets), 0);
	for (size_t i = 0; i < sizeof(octets); i++)
		word[i] = digits[octets[i] & 31];
	return arena_printf(a, "%llx.%lx.%s", (unsigned long long)time(NULL), (long)getpid(), word);
}

/* Base64 of SHA-1 without padding, which an ESMTP value may not hold. */
static int hash(struct arena *a, const void *data, size_t n, const char **out, struct error *err)
{
	unsigned char digest[SHA1_OCTETS];
	struct strbuf coded = STRBUF_INIT(64);

	if (gnutls_api_load(err) < 0)
		return -1;
	if (gtls.hash_fast(GNUTLS_DIG_SHA1, data, n, digest) < 0)
		return error_set(err, FAULT_BUG, "no SHA-1 for message tracking");
	base64_encode(&coded, digest, sizeof(digest));
	*out = arena_strndup(a, coded.buf, strcspn(coded.buf, "="));
	strbuf_release(&coded);
	return 0;
}

/* Has an alias made several recipients of one? */
static bool is_exploded(const struct envelope *e)
{
	for (size_t i = 1; i < e->rcpt_count; i++) {
		const char *one = e->rcpt[i - 1].orcpt, *other = e->rcpt[i].orcpt;

		if (one && other && strcmp(one, other) == 0)
			return true;
	}
	return false;
}

/* unique-envid = xtext(local) "@" xtext(host); a host that is too long becomes its hash */
static int make_envid(struct envelope *e, struct error *err)
{
	const char *local = e->envid ? e->envid : mtrk_id(e->arena);
	const char *host = ident_host(e->arena);

	if (strchr(local, '@')) {
		e->envid = local;
		return 0;
	}
	if (!host)
		host = mtrk_id(e->arena);	/* unique, which is all it has to be */
	if (strlen(local) + 1 + strlen(host) > ENVID_MAX &&
	    hash(e->arena, host, strlen(host), &host, err) < 0)
		return -1;
	e->envid = arena_printf(e->arena, "%s@%s", local, host);
	return 0;
}

int mtrk_begin(struct envelope *e, struct error *err)
{
	unsigned char secret[SECRET_OCTETS];
	struct strbuf coded = STRBUF_INIT(128);

	if (is_exploded(e))
		return 0;
	if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		return error_errno(err, FAULT_SYSTEM, "no random numbers for tracking");
	if (make_envid(e, err) < 0 ||
	    hash(e->arena, secret, sizeof(secret), &e->ext.mtrk, err) < 0)
		return -1;
	base64_encode(&coded, secret, sizeof(secret));
	e->ext.mtrk_secret = arena_strdup(e->arena, coded.buf);
	strbuf_release_secret(&coded);
	return 0;
}

/* "mail.example.org:587" without the port; brackets around an address go too. */
static const char *host_of(struct arena *a, const struct result *r)
{
	const char *server = r->server ? r->server : "";
	const char *colon = strrchr(server, ':');
	size_t n = colon && *server != '/' ? (size_t)(colon - server) : strlen(server);

	if (n > 2 && *server == '[' && server[n - 1] == ']')
		return arena_strndup(a, server + 1, n - 2);
	return arena_strndup(a, server, n);
}

/* What would end a part of the path is %XX (RFC 3887, section 9). */
static void add_part(struct strbuf *out, const char *part)
{
	for (; *part; part++) {
		if (strchr("/?% ", *part))
			strbuf_addf(out, "%%%02X", (unsigned)(unsigned char)*part);
		else
			strbuf_addch(out, *part);
	}
}

void mtrk_uri(const struct envelope *e, const struct result *r, struct strbuf *out)
{
	const char *host = host_of(e->arena, r);
	struct strbuf envid = STRBUF_INIT(1024);

	xtext_add(&envid, e->envid);
	strbuf_addf(out, strchr(host, ':') ? "mtqp://[%s]/track/" : "mtqp://%s/track/", host);
	add_part(out, envid.buf);
	strbuf_release(&envid);
	strbuf_addch(out, '/');
	add_part(out, e->ext.mtrk_secret);
}

const struct extension ext_MTRK = {
	.keyword = "MTRK", .option = "track", .level = LEVEL_TRY,
	.params = "MTRK ENVID ORCPT", .value = offsetof(struct envelope, ext.mtrk),
	.mail_params = mtrk_mail_params, .mail_octets = 40 + 107,
	.rcpt_params = mtrk_rcpt_params, .rcpt_octets = 507
};
