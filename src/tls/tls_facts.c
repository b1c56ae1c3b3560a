#include "config.h"
#include "tls/tls_facts.h"

#include <string.h>
#include <time.h>

#include "tls/certificate.h"
#include "tls/gnutls_api.h"
#include "tls/tls_private.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define TEXT_MAX ((size_t)16 * 1024)

enum { NAMES_SHOWN = 8, SECONDS_A_DAY = 24 * 3600 };

/* The text of b in the arena; b is empty again. */
static const char *keep(struct arena *a, struct strbuf *b)
{
	const char *text = arena_strdup(a, b->buf);

	strbuf_reset(b);
	return text;
}

static bool is_self_signed(const gnutls_datum_t *der)
{
	struct octets issuer, subject;

	return certificate_names(der->data, der->size, &issuer, &subject) == 0 &&
	       issuer.n == subject.n && memcmp(issuer.data, subject.data, issuer.n) == 0;
}

/* Subjects from the leaf up, then the issuer of the last one, unless that is itself. */
static void add_chain(struct strbuf *out, const gnutls_datum_t *chain, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		gnutls_x509_crt_t cert = tls_parse_certificate(&chain[i]);

		strbuf_addstr(out, i ? ", by " : "");
		if (!cert) {
			strbuf_addstr(out, "(unreadable)");
			continue;
		}
		tls_add_dn(out, cert, false);
		if (i + 1 == n && is_self_signed(&chain[i])) {
			strbuf_addstr(out, n == 1 ? ", self-signed" : "");
		} else if (i + 1 == n) {
			strbuf_addstr(out, ", by ");
			tls_add_dn(out, cert, true);
		}
		gtls.x509_crt_deinit(cert);
	}
}

static int64_t days_until(time_t when)
{
	/* rounded down, so that a second too late is no longer "0 days left" */
	int64_t left = (int64_t)when - (int64_t)time(NULL);

	return left < 0 ? -1 - -(left + 1) / SECONDS_A_DAY : left / SECONDS_A_DAY;
}

static void take_ours(const struct tls *t, struct arena *a, struct strbuf *text,
		      struct tls_facts *out)
{
	const gnutls_datum_t *der = t->server ? NULL : gtls.certificate_get_ours(t->session);
	gnutls_x509_crt_t cert = der ? tls_parse_certificate(der) : NULL;

	if (!cert)
		return;
	time_t until = gtls.x509_crt_get_expiration_time(cert);

	add_chain(text, der, 1);
	out->our_chain = keep(a, text);
	tls_add_date(text, until);
	out->our_until = keep(a, text);
	out->our_days_left = days_until(until);
	gtls.x509_crt_deinit(cert);
}

static void take_leaf(gnutls_x509_crt_t leaf, struct arena *a, struct strbuf *text,
		      struct tls_facts *out)
{
	time_t until = gtls.x509_crt_get_expiration_time(leaf);

	tls_add_date(text, gtls.x509_crt_get_activation_time(leaf));
	out->from = keep(a, text);
	tls_add_date(text, until);
	out->until = keep(a, text);
	out->days_left = days_until(until);
	tls_add_names(text, leaf, 1);
	size_t n = strcspn(text->buf, ",");

	out->first_name = n ? arena_strndup(a, text->buf, n) : NULL;
	strbuf_reset(text);
	tls_add_names(text, leaf, NAMES_SHOWN);
	out->names = keep(a, text);
}

static void take_staple(const struct tls *t, struct tls_facts *out)
{
	struct error missing;

	if (gnutls_rare_load(&missing) < 0)
		return;
	out->stapled = gtls_rare.ocsp_status_request_is_checked(t->session,
								GNUTLS_OCSP_SR_IS_AVAIL) != 0;
	out->staple_good = gtls_rare.ocsp_status_request_is_checked(t->session, 0) != 0;
}

void tls_facts(const struct stream *s, struct arena *a, struct tls_facts *out)
{
	const struct tls *t = (const struct tls *)s;
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	unsigned n = 0;
	const gnutls_datum_t *chain = gtls.certificate_get_peers(t->session, &n);

	*out = (struct tls_facts){
		.verified = t->verified, .pinned = t->pinned, .dane = t->dane, .names = "",
		.chain = "", .pin = "", .from = "", .until = "",
	};
	tls_describe(s, &text);
	out->text = keep(a, &text);
	out->version_13 = gtls.protocol_get_version(t->session) >= GNUTLS_TLS1_3;
	take_ours(t, a, &text, out);
	if (chain && n) {
		gnutls_x509_crt_t leaf = tls_parse_certificate(&chain[0]);

		out->chain_n = n;
		add_chain(&text, chain, n);
		out->chain = keep(a, &text);
		out->self_signed = n == 1 && is_self_signed(&chain[0]);
		tls_add_pin(&text, &chain[0], true);
		out->pin = keep(a, &text);
		if (leaf) {
			take_leaf(leaf, a, &text, out);
			gtls.x509_crt_deinit(leaf);
		}
		take_staple(t, out);
	}
	strbuf_release(&text);
}
