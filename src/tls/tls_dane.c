/* The server's certificate by its TLSA records (RFC 6698, RFC 7672). */
#include "config.h"
#include "tls/tls.h"

#include <stdint.h>
#include <string.h>

#include "tls/certificate.h"
#include "tls/gnutls_api.h"
#include "tls/tls_private.h"
#include "tls/tlsa.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define TEXT_MAX ((size_t)4096)

enum { DIGEST_MAX = 64, RECORDS_SHOWN = 3 };

/* --- comparing (RFC 6698, section 2.1) ---------------------------------- */

static bool fits(const struct tlsa *r, const gnutls_datum_t *der)
{
	struct octets what = { der->data, der->size };
	unsigned char hash[DIGEST_MAX];
	size_t n = sizeof(hash);

	if (r->selector == TLSA_PUBLIC_KEY && certificate_public_key(der->data, der->size,
								     &what) < 0)
		return false;
	if (r->matching != TLSA_FULL) {
		gnutls_datum_t datum = { (unsigned char *)(uintptr_t)what.data, (unsigned)what.n };

		if (gtls.fingerprint(r->matching == TLSA_SHA256 ? GNUTLS_DIG_SHA256 :
				     GNUTLS_DIG_SHA512, &datum, hash, &n) < 0)
			return false;
		what = (struct octets){ hash, n };
	}
	return what.n == r->n && memcmp(what.data, r->data, r->n) == 0;
}

/* --- trust anchors ------------------------------------------------------ */

/* The chain of the peer, parsed. */
struct parsed {
	gnutls_x509_crt_t *certs;
	unsigned n;
};

static void parsed_release(struct parsed *p)
{
	for (unsigned i = 0; i < p->n; i++)
		gtls.x509_crt_deinit(p->certs[i]);
	xfree(p->certs);
}

static int parse_chain(const gnutls_datum_t *chain, unsigned n, struct parsed *out)
{
	*out = (struct parsed){ .certs = xcalloc(n, sizeof(*out->certs)) };
	for (; out->n < n; out->n++) {
		out->certs[out->n] = tls_parse_certificate(&chain[out->n]);
		if (!out->certs[out->n]) {
			parsed_release(out);
			return -1;
		}
	}
	return 0;
}

/* Is there a path from the leaf to just this certificate, valid now and for a server? */
static bool leads_to(const struct parsed *chain, const gnutls_datum_t *anchor_der)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER,
	};
	gnutls_x509_crt_t anchor = tls_parse_certificate(anchor_der);
	gnutls_x509_trust_list_t list = NULL;
	unsigned status = GNUTLS_CERT_INVALID;
	bool good = false;

	if (anchor && gtls_rare.x509_trust_list_init(&list, 1) >= 0)
		good = gtls_rare.x509_trust_list_add_cas(list, &anchor, 1, 0) == 1 &&
		       gtls_rare.x509_trust_list_verify_crt2(list, chain->certs, chain->n, &purpose,
							     1, 0, &status, NULL) >= 0 &&
		       status == 0;
	if (list)
		gtls_rare.x509_trust_list_deinit(list, 0);
	if (anchor)
		gtls.x509_crt_deinit(anchor);
	return good;
}

/* One of the issuers that the server sent, or the record itself, is the anchor. */
static bool anchor_fits(const struct tlsa *r, const gnutls_datum_t *chain,
			const struct parsed *parsed)
{
	if (r->selector == TLSA_CERTIFICATE && r->matching == TLSA_FULL) {
		gnutls_datum_t der = { (unsigned char *)(uintptr_t)r->data, (unsigned)r->n };

		return leads_to(parsed, &der);
	}
	for (unsigned i = 1; i < parsed->n; i++) {
		if (fits(r, &chain[i]) && leads_to(parsed, &chain[i]))
			return true;
	}
	return false;
}

/* For PKIX-TA the anchor may be one that only our store holds. */
static bool store_issuer_fits(struct tls *t, const struct tlsa *r, const struct parsed *parsed)
{
	gnutls_x509_trust_list_t list = NULL;
	gnutls_x509_crt_t issuer = NULL;
	gnutls_datum_t der = { NULL, 0 };
	bool good;

	gtls.certificate_get_trust_list(t->credentials, &list);
	if (!list || gtls_rare.x509_trust_list_get_issuer(list, parsed->certs[parsed->n - 1],
							  &issuer, GNUTLS_TL_GET_COPY) < 0)
		return false;
	good = gtls_rare.x509_crt_export2(issuer, GNUTLS_X509_FMT_DER, &der) >= 0 &&
	       fits(r, &der) && leads_to(parsed, &der);
	(*gtls.free_memory)(der.data);
	gtls.x509_crt_deinit(issuer);
	return good;
}

/* --- the records -------------------------------------------------------- */

struct check {
	struct tls *t;
	const gnutls_datum_t *chain;
	struct parsed parsed;
	bool name_matches;
	int pkix;		/* 0: not looked at, 1: good, -1: bad */
};

static bool pkix_good(struct check *c)
{
	struct tls *t = c->t;

	if (!c->pkix) {
		c->pkix = tls_check_chain(t, c->chain, c->parsed.n) == 0 ? 1 : -1;
		t->fault = (struct error){ 0 };
		t->verified = false;
	}
	return c->pkix > 0;
}

/* RFC 7671, section 5: each usage asks for more than that a hash agrees. */
static bool record_fits(struct check *c, const struct tlsa *r)
{
	switch (r->usage) {
	case TLSA_DANE_EE:	/* name, time and chain are of no interest: section 5.1 */
		return fits(r, &c->chain[0]);
	case TLSA_DANE_TA:
		return c->name_matches && anchor_fits(r, c->chain, &c->parsed);
	case TLSA_PKIX_EE:
		return fits(r, &c->chain[0]) && pkix_good(c);
	case TLSA_PKIX_TA:
		return pkix_good(c) && (anchor_fits(r, c->chain, &c->parsed) ||
					store_issuer_fits(c->t, r, &c->parsed));
	default:
		return false;
	}
}

static void list_records(const struct tls_client *s, struct strbuf *out)
{
	for (size_t i = 0; i < s->tlsa_n && i < RECORDS_SHOWN; i++) {
		const struct tlsa *r = &s->tlsa[i];

		strbuf_addf(out, "%s%u %u %u ", i ? ", " : "", r->usage, r->selector, r->matching);
		for (size_t j = 0; j < r->n && j < DIGEST_MAX; j++)
			strbuf_addf(out, "%02x", r->data[j]);
	}
	if (s->tlsa_n > RECORDS_SHOWN)
		strbuf_addstr(out, ", ...");
}

static int no_record_fits(struct tls *t, const gnutls_datum_t *leaf)
{
	struct strbuf records = STRBUF_INIT(TEXT_MAX), is = STRBUF_INIT(TEXT_MAX);
	struct octets key;
	unsigned char hash[32];
	size_t n = sizeof(hash);

	if (certificate_public_key(leaf->data, leaf->size, &key) == 0) {
		gnutls_datum_t datum = { (unsigned char *)(uintptr_t)key.data, (unsigned)key.n };

		if (gtls.fingerprint(GNUTLS_DIG_SHA256, &datum, hash, &n) >= 0) {
			strbuf_addstr(&is, "3 1 1 ");
			for (size_t i = 0; i < n; i++)
				strbuf_addf(&is, "%02x", hash[i]);
		}
	}
	list_records(t->settings, &records);
	error_set(&t->fault, FAULT_CERTIFICATE_DANE,
		  "no TLSA record (DANE) fits the certificate of "
		  "%s: it is %s, the records are %s", t->settings->host, is.buf, records.buf);
	strbuf_release(&records);
	strbuf_release(&is);
	return -1;
}

int tls_dane_check(struct tls *t, const gnutls_datum_t *chain, unsigned n)
{
	const struct tls_client *s = t->settings;
	struct check c = { .t = t, .chain = chain };
	bool good = false;

	if (gnutls_rare_load(&t->fault) < 0)
		return -1;
	if (parse_chain(chain, n, &c.parsed) < 0)
		return error_set(&t->fault, FAULT_CERTIFICATE_DANE,
				 "the certificate of %s cannot be read", s->host);
	c.name_matches = tls_name_matches(c.parsed.certs[0], s->host) ||
			 (s->also_host && tls_name_matches(c.parsed.certs[0], s->also_host));
	for (size_t i = 0; !good && i < s->tlsa_n; i++)
		good = record_fits(&c, &s->tlsa[i]);
	parsed_release(&c.parsed);
	if (!good)
		return no_record_fits(t, &chain[0]);
	t->verified = t->dane = true;
	return 0;
}
