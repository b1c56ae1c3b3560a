#include "config.h"
#include "smtp/tls_start.h"

#include <strings.h>

#include "conf/account.h"
#include "tls/dane.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/error.h"

static int key_password(void *ctx, struct secret *out, struct error *err)
{
	const struct session_options *o = ctx;

	if (!o->credential)
		return 0;
	return o->credential(o->credential_ctx, CREDENTIAL_KEY_PASSWORD, out, err);
}

/* --- DANE --------------------------------------------------------------- */

static int look_up(const struct session_options *o, const struct deadline *d, struct dane *out,
		   struct error *err)
{
	const struct account *a = o->account;
	const struct tls_settings *t = &a->tls;
	const struct dnssec_source source = {
		.trust_ad = t->dnssec == DNSSEC_TRUST_AD, .resolver = a->net.resolver,
		.anchor = t->dnssec_anchor,
	};
	struct error reason;

	*out = (struct dane){ .state = DANE_ABSENT };
	if (t->dane == TLS_DANE_OFF)
		return 0;
	/* with may, a machine that cannot do DNSSEC has no DANE; a wrong setting is told */
	if (dane_lookup(&source, o->host, o->port, d, out, &reason) < 0 &&
	    !(t->dane == TLS_DANE_MAY && reason.exit == EX_CONFIG && !t->dnssec_anchor)) {
		*err = reason;
		return -1;
	}
	return 0;
}

int tls_start_is_mandatory(const struct session_options *o, const struct deadline *d,
			   struct error *err)
{
	struct dane dane;
	int mandatory;

	if (o->account->tls.dane == TLS_DANE_MUST)
		return 1;
	if (look_up(o, d, &dane, err) < 0)
		return -1;
	mandatory = dane.state != DANE_ABSENT;
	dane_release(&dane);
	return mandatory;
}

/* --- what is asked of TLS ----------------------------------------------- */

static const char *session_cache(const struct tls_settings *t)
{
	const char *cache = t->session_cache;

	return cache && strcasecmp(cache, "off") != 0 ? cache : NULL;
}

static struct tls_client client_of(struct session_options *o, enum tls_start how,
				    struct arena *arena)
{
	const struct account *a = o->account;
	const struct tls_settings *t = &a->tls;

	return (struct tls_client){
		.host = t->host_override ? t->host_override : o->host,
		.also_host = o->tls_domain,
		.verify = t->certcheck && how != TLS_UNVERIFIED,
		.trust_file = t->trust_file, .trust_dir = t->trust_dir, .crl_file = t->crl_file,
		.ocsp_required = t->ocsp == TLS_OCSP_REQUIRE,
		.ocsp_ignored = t->ocsp == TLS_OCSP_OFF,
		.fingerprint = t->fingerprint, .pins = t->pin,
		.cert_file = t->cert_file, .key_file = t->key_file,
		.key_text = t->key.data, .pkcs12_file = t->pkcs12_file,
		.key_password = key_password, .key_password_ctx = o,
		.priorities = t->priorities, .min_dh_prime_bits = t->min_dh_prime_bits,
		.only_tls13 = t->only_tls13, .alpn = t->alpn,
		.trace = o->observer ? o->observer->tls_trace : NULL,
		.trace_ctx = o->observer ? o->observer->ctx : NULL,
		.cache = session_cache(t),
		.cache_name = session_cache(t) ? arena_printf(arena, "%s %s %s", a->name,
							      a->auth.user ? a->auth.user : "",
							      o->host) : NULL,
		.port = o->port, .starttls = how != TLS_FROM_START, .reasons_only = t->reasons_only,
	};
}

/* RFC 7672, section 3.2.2: the TLSA base domain is SNI, and one of the names that will do. */
static void use_records(const struct session_options *o, const struct dane *dane,
			struct tls_client *client)
{
	client->tlsa = dane->records;
	client->tlsa_n = dane->n;
	if (o->account->tls.host_override || strcasecmp(dane->base, o->host) == 0)
		return;
	client->host = dane->base;
	client->also_host = o->host;
}

static int connect_with(struct stream *lower, struct session_options *o, enum tls_start how,
			const struct dane *dane, const struct deadline *d, struct stream **out,
			struct error *err)
{
	struct arena *arena = arena_new();
	struct tls_client client = client_of(o, how, arena);

	if (dane->state == DANE_USABLE)
		use_records(o, dane, &client);
	int rc = tls_connect(lower, &client, d, out, err);

	if (rc < 0 && strcasecmp(client.host, o->host) != 0)
		err->named = false;	/* not by the name that is asked for */
	arena_free(arena);
	return rc;
}

int tls_start(struct stream *lower, const struct session_options *o, enum tls_start how,
	      const struct deadline *d, struct stream **out, struct error *err)
{
	struct session_options copy = *o;
	struct dane dane;
	int rc;

	if (look_up(o, d, &dane, err) < 0)
		return -1;
	if (o->account->tls.dane == TLS_DANE_MUST && dane.state != DANE_USABLE)
		rc = error_set(err, FAULT_CERTIFICATE_DANE, "%s has no TLSA records%s (DANE), and "
			       "tls_dane = must", o->host, dane.state == DANE_UNUSABLE ?
			       " that can be used" : ", or no DNSSEC");
	else
		rc = connect_with(lower, &copy, how, &dane, d, out, err);
	dane_release(&dane);
	return rc;
}
