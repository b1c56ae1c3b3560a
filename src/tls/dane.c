#include "config.h"
#include "tls/dane.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tls/certificate.h"
#include "tls/gnutls_api.h"
#include "tls/tls.h"
#include "tls/tls_private.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

enum { RELAY_PORT = 25, SHA256_OCTETS = 32, SHA512_OCTETS = 64, PREFIX_ROOM = 16 };

/*
 * RFC 7672, section 3.1.3: on port 25 a CA of the public kind means nothing.
 * Submission has always known its server by name, so the usages of RFC 6698
 * that add to the usual verification are of use there (RFC 8314, 5.3).
 */
static bool is_usable(const struct dns_record *r, unsigned port)
{
	if (r->usage > TLSA_DANE_EE || (port == RELAY_PORT && r->usage < TLSA_DANE_TA))
		return false;
	if (r->selector > TLSA_PUBLIC_KEY || r->matching > TLSA_SHA512)
		return false;
	return r->matching == TLSA_FULL || r->data_n == (r->matching == TLSA_SHA256 ?
							  SHA256_OCTETS : SHA512_OCTETS);
}

static void take_usable(struct dane *out, unsigned port)
{
	out->state = DANE_UNUSABLE;
	out->records = xcalloc(out->answer.n, sizeof(*out->records));
	for (size_t i = 0; i < out->answer.n; i++) {
		const struct dns_record *r = &out->answer.v[i];

		if (!is_usable(r, port))
			continue;
		out->state = DANE_USABLE;
		out->records[out->n++] = (struct tlsa){
			.usage = r->usage, .selector = r->selector, .matching = r->matching,
			.data = r->data, .n = r->data_n,
		};
	}
}

/* "_587._tcp.BASE"; 1: found, 0: there is nothing that counts, -1. */
static int ask_base(struct validator *s, const char *base, unsigned port, const struct deadline *d,
		    struct dane *out, struct error *err)
{
	char name[DNS_NAME_TEXT + PREFIX_ROOM];

	snprintf(name, sizeof(name), "_%u._tcp.%s", port, base);
	if (strlen(name) >= DNS_NAME_TEXT)
		return 0;
	if (dnssec_ask(s, name, DNS_TLSA, d, &out->answer, err) < 0)
		return error_prefix(err, "DANE");
	if (!out->answer.authentic || out->answer.n == 0) {
		dns_answer_release(&out->answer);
		return 0;
	}
	snprintf(out->base, sizeof(out->base), "%s", base);
	take_usable(out, port);
	return 1;
}

/* 1: the addresses are secure; *canonical then is the name behind all aliases. */
static int ask_addresses(struct validator *s, const char *host, const struct deadline *d,
			 char canonical[DNS_NAME_TEXT], struct error *err)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	bool found = false;

	for (size_t i = 0; !found && i < ARRAY_LEN(types); i++) {
		struct dns_answer a;

		if (dnssec_ask(s, host, types[i], d, &a, err) < 0)
			return error_prefix(err, "DANE");
		bool secure = a.authentic;

		found = a.n > 0;
		snprintf(canonical, DNS_NAME_TEXT, "%s", a.canonical);
		dns_answer_release(&a);
		if (!secure)
			return 0;
	}
	return found;
}

/* RFC 7672, section 2.2.3: the end of the aliases first, then the name itself. */
static int look_up(struct validator *s, const char *host, unsigned port, const struct deadline *d,
		   struct dane *out, struct error *err)
{
	char canonical[DNS_NAME_TEXT];
	int rc = ask_addresses(s, host, d, canonical, err);

	if (rc > 0 && strcmp(canonical, host) != 0)
		rc = ask_base(s, canonical, port, d, out, err);
	else if (rc > 0)
		return ask_base(s, host, port, d, out, err);
	else
		return rc;
	return rc == 0 ? ask_base(s, host, port, d, out, err) : rc;
}

static bool is_address(const char *host)
{
	unsigned char octets[16];

	return *host == '[' || inet_pton(AF_INET, host, octets) == 1 ||
	       inet_pton(AF_INET6, host, octets) == 1;
}

int dane_lookup(const struct dnssec_source *source, const char *host, unsigned port,
		const struct deadline *d, struct dane *out, struct error *err)
{
	struct dane found = { .state = DANE_ABSENT };
	char name[DNS_NAME_TEXT];
	struct validator *s = NULL;
	size_t n = strlen(host);
	int rc = 0;

	if (!is_address(host) && n && n < sizeof(name)) {
		snprintf(name, sizeof(name), "%s", host);
		if (name[n - 1] == '.')
			name[n - 1] = '\0';
		rc = dnssec_open(source, &s, err);
		if (rc == 0)
			rc = look_up(s, name, port, d, &found, err);
		dnssec_close(s);
	}
	if (rc < 0) {
		dane_release(&found);
		return -1;
	}
	*out = found;
	return 0;
}

void dane_release(struct dane *d)
{
	dns_answer_release(&d->answer);
	xfree(d->records);
	*d = (struct dane){ .state = DANE_ABSENT };
}

/* --- the peer's certificate and the records ----------------------------------------- */

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
