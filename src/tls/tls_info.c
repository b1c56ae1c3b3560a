/* What certificates say, as text for people. */
#include "config.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "tls/certificate.h"
#include "tls/gnutls_api.h"
#include "tls/tls.h"
#include "tls/tls_private.h"
#include "util/arena.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/pem.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"
#include "util/xalloc.h"

#define CERTIFICATE_MAX ((size_t)1 << 20)	/* octets of its PEM */
#define OID_SUBJECT_ALT_NAME "2.5.29.17"

/* --- pieces ------------------------------------------------------------- */

gnutls_x509_crt_t tls_parse_certificate(const gnutls_datum_t *der)
{
	gnutls_x509_crt_t cert = NULL;

	if (gtls.x509_crt_init(&cert) < 0)
		return NULL;
	if (gtls.x509_crt_import(cert, der, GNUTLS_X509_FMT_DER) >= 0)
		return cert;
	gtls.x509_crt_deinit(cert);
	return NULL;
}

gnutls_subject_alt_names_t tls_names_open(gnutls_x509_crt_t cert)
{
	gnutls_subject_alt_names_t names = NULL;
	gnutls_datum_t der = { NULL, 0 };

	if (gtls.x509_crt_get_extension_by_oid2(cert, OID_SUBJECT_ALT_NAME, 0, &der, NULL) < 0)
		return NULL;
	if (gtls.subject_alt_names_init(&names) < 0)
		names = NULL;
	if (names && gtls.x509_ext_import_subject_alt_names(&der, names, 0) < 0) {
		gtls.subject_alt_names_deinit(names);
		names = NULL;
	}
	(*gtls.free_memory)(der.data);
	return names;
}

/* One name; false for a kind that is not shown. */
static bool add_name(struct strbuf *out, unsigned type, const gnutls_datum_t *name)
{
	char address[INET6_ADDRSTRLEN];
	int family = name->size == 4 ? AF_INET : AF_INET6;

	if (type == GNUTLS_SAN_DNSNAME) {
		text_escape_add(out, (const char *)name->data, name->size);
		return true;
	}
	if (type != GNUTLS_SAN_IPADDRESS || (name->size != 4 && name->size != 16) ||
	    !inet_ntop(family, name->data, address, sizeof(address)))
		return false;
	strbuf_addstr(out, address);
	return true;
}

void tls_add_names(struct strbuf *out, gnutls_x509_crt_t cert, unsigned max)
{
	gnutls_subject_alt_names_t names = tls_names_open(cert);
	gnutls_datum_t name;
	unsigned type, shown = 0;

	for (unsigned i = 0; names; i++) {
		size_t before = out->len;

		if (gtls.subject_alt_names_get(names, i, &type, &name, NULL) < 0)
			break;
		if (shown)
			strbuf_addstr(out, ", ");
		if (shown == max) {
			strbuf_addstr(out, "...");
			break;
		}
		if (add_name(out, type, &name))
			shown++;
		else
			strbuf_truncate(out, before);
	}
	if (names)
		gtls.subject_alt_names_deinit(names);
}

void tls_add_dn(struct strbuf *out, gnutls_x509_crt_t cert, bool issuer)
{
	__typeof__(gtls.x509_crt_get_dn) get =
		issuer ? gtls.x509_crt_get_issuer_dn : gtls.x509_crt_get_dn;
	size_t n = 0;

	if (get(cert, NULL, &n) != GNUTLS_E_SHORT_MEMORY_BUFFER)
		return;
	char *text = xmalloc(n);

	if (get(cert, text, &n) >= 0)
		text_escape_add(out, text, n);
	xfree(text);
}

void tls_add_hex(struct strbuf *out, const unsigned char *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		strbuf_addf(out, "%s%02X", i ? ":" : "", data[i]);
}

void tls_add_date(struct strbuf *out, time_t when)
{
	struct tm tm;

	if (gmtime_r(&when, &tm))
		strbuf_addf(out, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	else
		strbuf_addstr(out, "an impossible date");
}

/* --- for people --------------------------------------------------------- */

/* Only called for streams that tls_is() is true of. */
static const struct tls *tls_of(const struct stream *s)
{
	return (const struct tls *)s;
}

bool tls_verified(const struct stream *s)
{
	return tls_of(s)->verified;
}

bool tls_authenticated(const struct stream *s)
{
	return tls_of(s)->verified || tls_of(s)->pinned;
}

bool tls_sent_certificate(const struct stream *s)
{
	const struct tls *t = tls_of(s);

	return !t->server && gtls.certificate_get_ours(t->session) != NULL;
}

static void add_word(struct strbuf *out, char before, const char *word)
{
	if (!word)
		return;
	strbuf_addch(out, before);
	strbuf_addstr(out, word);
}

void tls_describe(const struct stream *s, struct strbuf *out)
{
	gnutls_session_t session = tls_of(s)->session;
	gnutls_protocol_t version = gtls.protocol_get_version(session);
	const char *name = gtls.protocol_get_name(version);
	const char *group = gtls.group_get_name(gtls.group_get(session));
	const char *exchange = gtls.kx_get_name(gtls.kx_get(session));

	/* TLS 1.3 has no key exchange that is bound to a kind of certificate */
	if (version >= GNUTLS_TLS1_3)
		exchange = group && strncmp(group, "FFDHE", 5) == 0 ? "DHE" : "ECDHE";
	strbuf_addstr(out, name ? name : "TLS");
	add_word(out, ' ', exchange);
	add_word(out, '-', group);
	add_word(out, ' ', gtls.sign_get_name((gnutls_sign_algorithm_t)
					      gtls.sign_algorithm_get(session)));
	add_word(out, ' ', gtls.cipher_get_name(gtls.cipher_get(session)));
	add_word(out, ' ', tls_of(s)->resumed ? "(resumed)" : NULL);
}

static void describe_certificate(const gnutls_datum_t *der, gnutls_x509_crt_t cert,
				 struct strbuf *out)
{
	unsigned char hash[32];
	size_t n = sizeof(hash);

	strbuf_addstr(out, "subject: ");
	tls_add_dn(out, cert, false);
	strbuf_addstr(out, "\nissuer: ");
	tls_add_dn(out, cert, true);
	strbuf_addstr(out, "\nvalid from: ");
	tls_add_date(out, gtls.x509_crt_get_activation_time(cert));
	strbuf_addstr(out, "\nvalid until: ");
	tls_add_date(out, gtls.x509_crt_get_expiration_time(cert));
	strbuf_addstr(out, "\nnames: ");
	tls_add_names(out, cert, 1000);
	if (gtls.fingerprint(GNUTLS_DIG_SHA256, der, hash, &n) >= 0) {
		strbuf_addstr(out, "\ncertificate SHA256: ");
		tls_add_hex(out, hash, n);
	}
	n = sizeof(hash);
	if (gtls.x509_crt_get_key_id(cert, GNUTLS_KEYID_USE_SHA256, hash, &n) >= 0) {
		strbuf_addstr(out, "\npublic key SHA256: ");
		base64_encode(out, hash, n);
	}
	strbuf_addstr(out, "\nto accept its key only: tls_pin = ");
	tls_add_pin(out, der, true);
	strbuf_addstr(out, "\nto accept it only: tls_pin = ");
	tls_add_pin(out, der, false);
	strbuf_addch(out, '\n');
}

void tls_describe_certificate(const struct stream *s, struct strbuf *out)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gtls.certificate_get_peers(tls_of(s)->session, &n);
	gnutls_x509_crt_t cert = chain && n ? tls_parse_certificate(&chain[0]) : NULL;

	if (cert) {
		describe_certificate(&chain[0], cert, out);
		gtls.x509_crt_deinit(cert);
	}
}

void tls_add_peer_chain(const struct stream *s, struct strvec *out)
{
	unsigned n = 0;
	const gnutls_datum_t *chain = gtls.certificate_get_peers(tls_of(s)->session, &n);

	for (unsigned i = 0; chain && i < n; i++) {
		struct strbuf pem = STRBUF_INIT(CERTIFICATE_MAX);

		pem_write(&pem, "CERTIFICATE", chain[i].data, chain[i].size);
		strvec_add(out, pem.buf);
		strbuf_release(&pem);
	}
}

int tls_library_version(struct strbuf *out, struct error *err)
{
	if (gnutls_api_load(err) < 0)
		return -1;
	strbuf_addf(out, "GnuTLS %s", gtls.check_version(NULL));
	return 0;
}

/* --- for SASL ----------------------------------------------------------- */

/*
 * RFC 9266, section 3: tls-exporter needs TLS 1.3, or the extended master
 * secret (the library sees to that). RFC 5929, section 3: tls-unique does not
 * exist in TLS 1.3; without the extended master secret it can be forged by
 * the triple handshake attack, and the library would still give it.
 */
int tls_channel_binding(const struct stream *s, bool unique, struct strbuf *out)
{
	gnutls_session_t session = tls_of(s)->session;
	gnutls_datum_t binding = { NULL, 0 };

	if (unique && (gtls.protocol_get_version(session) != GNUTLS_TLS1_2 ||
		       !(gtls.session_get_flags(session) & GNUTLS_SFLAGS_EXT_MASTER_SECRET)))
		return -1;
	if (gtls.session_channel_binding(session,
					 unique ? GNUTLS_CB_TLS_UNIQUE : GNUTLS_CB_TLS_EXPORTER,
					 &binding) < 0)
		return -1;
	strbuf_add(out, binding.data, binding.size);
	(*gtls.free_memory)(binding.data);
	return strbuf_overflow(out) ? -1 : 0;
}

/* --- in pieces ---------------------------------------------------------------------- */

#define TEXT_MAX ((size_t)16 * 1024)

enum { NAMES_SHOWN = 8, SECONDS_A_DAY = 24 * 3600 };

/* The text of b in the arena; b is empty again. */
static const char *keep(struct arena *a, struct strbuf *b)
{
	const char *text = arena_strdup(a, b->buf);

	strbuf_reset(b);
	return text;
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
		if (i + 1 == n && certificate_self_signed(chain[i].data, chain[i].size)) {
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
		out->self_signed = n == 1 && certificate_self_signed(chain[0].data, chain[0].size);
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
