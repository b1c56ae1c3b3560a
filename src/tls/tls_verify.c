/* The server's certificate by trusted CAs: chain, name, time, revocation. */
#include "config.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "net/pin.h"
#include "tls/certificate.h"
#include "tls/gnutls_api.h"
#include "tls/tls.h"
#include "tls/tls_private.h"
#include "tls/truststore.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/* --- by fingerprint or pin ---------------------------------------------------------- */

#define TEXT_MAX ((size_t)4096)		/* more than an error text takes */
#define PIN_FILE_MAX ((size_t)1024 * 1024)

enum { DIGEST_MAX = PIN_OCTETS };

/* --- fingerprints: tls_fingerprint -------------------------------------- */

struct fingerprint {
	gnutls_digest_algorithm_t digest;
	const char *name;
	size_t n;
};

static const struct fingerprint fingerprints[] = {
	{ GNUTLS_DIG_SHA256, "SHA256", 32 },
	{ GNUTLS_DIG_SHA1, "SHA1", 20 },
	{ GNUTLS_DIG_MD5, "MD5", 16 },
};

/* The kind is told by the length; "SHA256:" in front is allowed and then must agree. */
static const struct fingerprint *parse_fingerprint(const char *s, unsigned char *out)
{
	const struct fingerprint *named = NULL;

	for (size_t i = 0; i < ARRAY_LEN(fingerprints); i++) {
		size_t n = strlen(fingerprints[i].name);

		if (strncasecmp(s, fingerprints[i].name, n) == 0 && s[n] == ':') {
			named = &fingerprints[i];
			s += n + 1;
			break;
		}
	}
	int n = pin_hex(s, out, DIGEST_MAX);

	for (size_t i = 0; i < ARRAY_LEN(fingerprints); i++) {
		if (n == (int)fingerprints[i].n && (!named || named == &fingerprints[i]))
			return &fingerprints[i];
	}
	return NULL;
}

static int check_fingerprint(struct tls *t, const gnutls_datum_t *leaf)
{
	unsigned char want[DIGEST_MAX], have[DIGEST_MAX];
	size_t n = sizeof(have);
	const struct fingerprint *f = parse_fingerprint(t->settings->fingerprint, want);
	int code = f ? gtls.fingerprint(f->digest, leaf, have, &n) : GNUTLS_E_INVALID_REQUEST;

	if (code < 0) {
		error_set(&t->fault, FAULT_CERTIFICATE_FINGERPRINT,
			  "cannot compute the fingerprint of the certificate: %s",
			  gtls.strerror(code));
		t->fault.named = false;
		return -1;
	}
	if (n == f->n && memcmp(want, have, n) == 0)
		return 0;
	struct strbuf is = STRBUF_INIT(TEXT_MAX), wanted = STRBUF_INIT(TEXT_MAX);

	tls_add_hex(&is, have, n);
	tls_add_hex(&wanted, want, f->n);
	error_set(&t->fault, FAULT_CERTIFICATE_FINGERPRINT,
		  "certificate of %s is not acceptable: its %s fingerprint is %s, and "
		  "tls_fingerprint wants %s", t->settings->host, f->name, is.buf, wanted.buf);
	strbuf_release(&is);
	strbuf_release(&wanted);
	return -1;
}

/* --- pins: tls_pin ------------------------------------------------------ */

static int sha256(const void *data, size_t n, unsigned char out[DIGEST_MAX])
{
	gnutls_datum_t datum = { (unsigned char *)(uintptr_t)data, (unsigned)n };
	size_t room = DIGEST_MAX;

	return gtls.fingerprint(GNUTLS_DIG_SHA256, &datum, out, &room) < 0 ? -1 : 0;
}

static int hash_key(const gnutls_datum_t *der, unsigned char out[DIGEST_MAX])
{
	struct octets key;

	if (certificate_public_key(der->data, der->size, &key) < 0)
		return -1;
	return sha256(key.data, key.n, out);
}

/* The public key of the first certificate or public key in a PEM text. */
static int hash_pem(const struct strbuf *text, unsigned char out[DIGEST_MAX])
{
	const gnutls_datum_t pem = { (unsigned char *)text->buf, (unsigned)text->len };
	gnutls_datum_t der = { NULL, 0 };
	int rc = -1;

	if (gtls_rare.pem_base64_decode2("CERTIFICATE", &pem, &der) >= 0)
		rc = hash_key(&der, out);
	else if (gtls_rare.pem_base64_decode2("PUBLIC KEY", &pem, &der) >= 0)
		rc = sha256(der.data, der.size, out);
	(*gtls.free_memory)(der.data);
	return rc;
}

static int hash_file(const char *path, unsigned char out[DIGEST_MAX], struct error *err)
{
	struct strbuf text = STRBUF_INIT(PIN_FILE_MAX);
	int rc = fs_read_file(path, 0, &text, err);

	if (rc < 0)
		error_prefix(err, "tls_pin");
	else
		rc = gnutls_rare_load(err);
	if (rc == 0 && hash_pem(&text, out) < 0)
		rc = error_set(err, FAULT_CONFIG,
			       "tls_pin: there is no certificate or public key in %s (PEM)", path);
	strbuf_release(&text);
	return rc;
}

/*
 * The pin's hash. A file holds a certificate or a public key in PEM, of which
 * the public key counts, so that a renewed certificate is still the one.
 */
static int read_pin(const char *text, struct pin *out, struct error *err)
{
	if (pin_parse(text, out) < 0)
		return error_set(err, FAULT_CONFIG, "tls_pin '%s' is not spki-sha256:BASE64, "
				 "cert-sha256:HEX or file:PATH (msubmit --serverinfo prints them)",
				 text);
	if (!out->file)
		return 0;
	char *path = fs_expand_home(out->file);
	int rc = hash_file(path, out->hash, err);

	xfree(path);
	return rc;
}

void tls_add_pin(struct strbuf *out, const gnutls_datum_t *der, bool key)
{
	unsigned char hash[DIGEST_MAX];

	if ((key ? hash_key(der, hash) : sha256(der->data, der->size, hash)) < 0)
		return;
	strbuf_addstr(out, key ? "spki-sha256:" : "cert-sha256:");
	if (key)
		base64_encode(out, hash, sizeof(hash));
	for (size_t i = 0; !key && i < sizeof(hash); i++)
		strbuf_addf(out, "%02x", hash[i]);
}

static void list_pins(const char *const *pins, struct strbuf *out)
{
	for (size_t i = 0; pins[i]; i++)
		strbuf_addf(out, "%s%s", i ? ", " : "", pins[i]);
}

static int check_pins(struct tls *t, const gnutls_datum_t *leaf)
{
	const char *const *pins = t->settings->pins;
	unsigned char key[DIGEST_MAX], cert[DIGEST_MAX];
	struct pin pin;

	if (hash_key(leaf, key) < 0 || sha256(leaf->data, leaf->size, cert) < 0)
		return error_set(&t->fault, FAULT_CERTIFICATE,
				 "the certificate of %s cannot be read", t->settings->host);
	for (size_t i = 0; pins[i]; i++) {
		if (read_pin(pins[i], &pin, &t->fault) < 0)
			return -1;
		if (memcmp(pin.hash, pin.key ? key : cert, DIGEST_MAX) == 0)
			return 0;
	}
	struct strbuf is = STRBUF_INIT(TEXT_MAX), wanted = STRBUF_INIT(TEXT_MAX);

	tls_add_pin(&is, leaf, true);
	strbuf_addstr(&is, " and ");
	tls_add_pin(&is, leaf, false);
	list_pins(pins, &wanted);
	error_set(&t->fault, FAULT_CERTIFICATE_PIN,
		  "certificate of %s is not acceptable: it is %s, "
		  "and tls_pin wants %s", t->settings->host, is.buf, wanted.buf);
	strbuf_release(&is);
	strbuf_release(&wanted);
	return -1;
}

/* --- both --------------------------------------------------------------- */

/* The form of fingerprint and pins; EX_CONFIG. */
static int tls_pin_prepare(const struct tls_client *s, struct error *err)
{
	unsigned char octets[DIGEST_MAX];
	struct pin pin;

	if (s->fingerprint && !parse_fingerprint(s->fingerprint, octets))
		return error_set(err, FAULT_CONFIG,
				 "tls_fingerprint '%s' is not 64, 40 or 32 hex digits "
				 "(SHA256, SHA1, MD5)", s->fingerprint);
	for (size_t i = 0; s->pins && s->pins[i]; i++) {
		if (read_pin(s->pins[i], &pin, err) < 0)
			return -1;
	}
	return 0;
}

/* Is the leaf one of those that fingerprint or pins name? -1 and t->fault. */
static int tls_pin_check(struct tls *t, const gnutls_datum_t *leaf)
{
	const struct tls_client *s = t->settings;

	if ((s->fingerprint && check_fingerprint(t, leaf) < 0) ||
	    (s->pins && check_pins(t, leaf) < 0))
		return -1;
	t->pinned = true;
	return 0;
}

#define TEXT_MAX ((size_t)4096)		/* more than an error text takes */

enum { NAMES_SHOWN = 8, RSA_MIN = 2048 };

/* The default without its profile: what a user may set for a server that cannot be mended. */
#define OLD_SERVER "tls_priorities = NORMAL:-VERS-TLS1.1:-VERS-TLS1.0:"

/* --- names -------------------------------------------------------------- */

bool tls_dns_matches(const char *presented, size_t n, const char *host)
{
	size_t host_n = strlen(host);

	if (memchr(presented, '\0', n))
		return false;
	if (n > 2 && presented[0] == '*' && presented[1] == '.') {
		const char *dot = strchr(host, '.');

		if (!dot || dot == host)
			return false;
		presented++;
		n--;
		host_n -= (size_t)(dot - host);
		host = dot;
		/* "*.com" would be good for everybody */
		const char *inner = memchr(presented + 1, '.', n - 1);

		if (!inner || inner == presented + n - 1)
			return false;
	}
	return n == host_n && n > 0 && !memchr(presented, '*', n) &&
	       strncasecmp(presented, host, n) == 0;
}

size_t tls_parse_address(const char *host, unsigned char out[16])
{
	char plain[INET6_ADDRSTRLEN];
	size_t n = strlen(host);

	if (inet_pton(AF_INET, host, out) == 1)
		return 4;
	if (inet_pton(AF_INET6, host, out) == 1)
		return 16;
	if (n < 4 || host[0] != '[' || host[n - 1] != ']' || n - 2 >= sizeof(plain))
		return 0;
	memcpy(plain, host + 1, n - 2);
	plain[n - 2] = '\0';
	return inet_pton(AF_INET6, plain, out) == 1 ? 16 : 0;
}

/*
 * RFC 7817, section 3, RFC 9525: only a subjectAltName of the matching type
 * counts; the common name never does, an address never matches a DNS-ID.
 */
bool tls_name_matches(gnutls_x509_crt_t leaf, const char *host)
{
	unsigned char address[16];
	size_t address_n = tls_parse_address(host, address), host_n = strlen(host);
	char *plain = xstrndup(host, host_n && host[host_n - 1] == '.' ? host_n - 1 : host_n);
	gnutls_subject_alt_names_t names = tls_names_open(leaf);
	gnutls_datum_t name;
	unsigned type;
	bool found = false;

	for (unsigned i = 0; names && !found; i++) {
		if (gtls.subject_alt_names_get(names, i, &type, &name, NULL) < 0)
			break;
		if (type == GNUTLS_SAN_DNSNAME)
			found = !address_n &&
				tls_dns_matches((const char *)name.data, name.size, plain);
		else if (type == GNUTLS_SAN_IPADDRESS)
			found = address_n && name.size == address_n &&
				memcmp(name.data, address, address_n) == 0;
	}
	if (names)
		gtls.subject_alt_names_deinit(names);
	xfree(plain);
	return found;
}

/* --- reasons ------------------------------------------------------------ */

/* What speaks against the certificate, one after the other, and what may be done. */
struct verdict {
	struct tls *t;
	const gnutls_datum_t *chain;
	unsigned n;
	unsigned status;	/* gnutls_certificate_status_t */
	struct error kinds;	/* the fault of each reason */
	struct strbuf reasons, advice;
};

ATTR_PRINTF(3, 4)
static void add_reason(struct verdict *v, enum fault fault, const char *fmt, ...)
{
	va_list ap;

	if (v->reasons.len) {
		error_also(&v->kinds, fault);
		strbuf_addstr(&v->reasons, "; ");
	} else {
		error_turn(&v->kinds, fault);
	}
	va_start(ap, fmt);
	strbuf_vaddf(&v->reasons, fmt, ap);
	va_end(ap);
}

static void advise(struct verdict *v, const char *text)
{
	strbuf_addstr(&v->advice, v->advice.len ? ", or " : " (if it is the right server: ");
	strbuf_addstr(&v->advice, text);
}

static void advise_pin(struct verdict *v)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);

	strbuf_addstr(&text, "tls_pin = ");
	tls_add_pin(&text, &v->chain[0], true);
	advise(v, text.buf);
	strbuf_release(&text);
}

static void judge_issuer(struct verdict *v)
{
	gnutls_x509_crt_t top = tls_parse_certificate(&v->chain[v->n - 1]);
	struct strbuf issuer = STRBUF_INIT(TEXT_MAX);

	if (top)
		tls_add_dn(&issuer, top, true);
	if (v->n == 1 && certificate_self_signed(v->chain[0].data, v->chain[0].size))
		add_reason(v, FAULT_CERTIFICATE_SELF_SIGNED, "it is self-signed and not trusted");
	else if (certificate_self_signed(v->chain[v->n - 1].data, v->chain[v->n - 1].size))
		add_reason(v, FAULT_CERTIFICATE_CA, "its CA '%s' is not trusted", issuer.buf);
	else
		add_reason(v, FAULT_CERTIFICATE_CHAIN, "its issuer '%s' is not known (perhaps the "
			   "server does not send an intermediate certificate)", issuer.buf);
	strbuf_release(&issuer);
	if (top)
		gtls.x509_crt_deinit(top);
	advise(v, "tls_trust_file = FILE with its CA");
	advise_pin(v);
}

/* "it", or "its issuer's certificate 'CN=...'". */
static void add_whose(struct strbuf *out, unsigned i, gnutls_x509_crt_t cert)
{
	if (i == 0) {
		strbuf_addstr(out, "it");
		return;
	}
	strbuf_addstr(out, "its issuer's certificate '");
	tls_add_dn(out, cert, false);
	strbuf_addstr(out, "'");
}

/* The library reports the first fault it meets, so the dates are looked at here as well. */
static bool judge_dates(struct verdict *v, unsigned i, gnutls_x509_crt_t cert)
{
	time_t now = time(NULL), from = gtls.x509_crt_get_activation_time(cert),
	       until = gtls.x509_crt_get_expiration_time(cert);
	struct strbuf who = STRBUF_INIT(TEXT_MAX), date = STRBUF_INIT(64);
	bool bad = until < now || from > now;

	add_whose(&who, i, cert);
	tls_add_date(&date, until < now ? until : from);
	if (until < now)
		add_reason(v, FAULT_CERTIFICATE_EXPIRED, "%s has expired on %s", who.buf, date.buf);
	else if (from > now)
		add_reason(v, FAULT_CERTIFICATE_NOT_YET, "%s is not valid before %s", who.buf,
			   date.buf);
	strbuf_release(&who);
	strbuf_release(&date);
	return bad;
}

static void judge_all_dates(struct verdict *v)
{
	const unsigned bits = GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED;
	unsigned found = 0;

	for (unsigned i = 0; i < (v->status & bits ? v->n : 1); i++) {
		gnutls_x509_crt_t cert = tls_parse_certificate(&v->chain[i]);

		if (!cert)
			continue;
		found += judge_dates(v, i, cert);
		gtls.x509_crt_deinit(cert);
	}
	if (!found && v->status & bits)
		add_reason(v, FAULT_CERTIFICATE,
			   "the certificate of its CA is not valid at this time");
}

/* A key or signature that the default does not take; what a CA says of itself does not count. */
static bool judge_strength(struct verdict *v, unsigned i, gnutls_x509_crt_t cert)
{
	const gnutls_sign_algorithm_t sign = gtls.x509_crt_get_signature_algorithm(cert);
	unsigned bits = 0;
	const bool rsa = gtls.x509_crt_get_pk_algorithm(cert, &bits) == GNUTLS_PK_RSA;
	const bool own = certificate_self_signed(v->chain[i].data, v->chain[i].size);
	const char *name = gtls.sign_get_name(sign);
	struct strbuf who = STRBUF_INIT(TEXT_MAX);
	bool weak = true;

	add_whose(&who, i, cert);
	if (rsa && bits < RSA_MIN) {
		add_reason(v, FAULT_CERTIFICATE_WEAK, "%s has an RSA key of %u bits, which is too "
			   "short", who.buf, bits);
		advise(v, OLD_SERVER "%PROFILE_LOW");
	} else if (!own && !gtls.sign_is_secure2(sign, GNUTLS_SIGN_FLAG_SECURE_FOR_CERTS)) {
		add_reason(v, FAULT_CERTIFICATE_WEAK, "%s is signed with %s, which is too weak",
			   who.buf, name ? name : "an unknown algorithm");
		advise(v, OLD_SERVER "%VERIFY_ALLOW_SIGN_WITH_SHA1");
	} else {
		weak = false;
	}
	strbuf_release(&who);
	return weak;
}

static void judge_algorithms(struct verdict *v)
{
	bool found = false;

	for (unsigned i = 0; i < v->n && !found; i++) {
		gnutls_x509_crt_t cert = tls_parse_certificate(&v->chain[i]);

		if (!cert)
			continue;
		found = judge_strength(v, i, cert);
		gtls.x509_crt_deinit(cert);
	}
	if (!found)
		add_reason(v, FAULT_CERTIFICATE_WEAK,
			   "an algorithm or key in its chain is too weak");
	advise_pin(v);
}

static void judge_name(struct verdict *v, gnutls_x509_crt_t leaf)
{
	struct strbuf names = STRBUF_INIT(TEXT_MAX);

	const char *also = v->t->settings->also_host;

	if (!tls_name_matches(leaf, v->t->settings->host) &&
	    !(also && tls_name_matches(leaf, also))) {
		tls_add_names(&names, leaf, NAMES_SHOWN);
		add_reason(v, FAULT_CERTIFICATE_NAME, "its name does not match (names: %s)",
			   names.len ? names.buf : "none, only a common name does not count");
		if (names.len)
			advise(v, "tls_host_override = one of its names");
	}
	strbuf_release(&names);
}

static void judge_status(struct verdict *v)
{
	static const struct {
		unsigned bit;
		enum fault fault;
		const char *text;
	} texts[] = {
		{ GNUTLS_CERT_REVOKED, FAULT_CERTIFICATE_REVOKED,
		  "it has been revoked" },
		{ GNUTLS_CERT_SIGNER_NOT_CA, FAULT_CERTIFICATE,
		  "its issuer is not a CA" },
		{ GNUTLS_CERT_SIGNATURE_FAILURE, FAULT_CERTIFICATE,
		  "a signature in its chain is wrong" },
		{ GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED, FAULT_CERTIFICATE_OCSP,
		  "the stapled OCSP answer is out of date" },
		{ GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE, FAULT_CERTIFICATE_OCSP,
		  "the stapled OCSP answer is from the future" },
		{ GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE, FAULT_CERTIFICATE,
		  "a constraint of its issuer forbids it" },
		{ GNUTLS_CERT_PURPOSE_MISMATCH, FAULT_CERTIFICATE,
		  "it may not be used for a server" },
		{ GNUTLS_CERT_MISSING_OCSP_STATUS, FAULT_CERTIFICATE_OCSP,
		  "it demands a stapled OCSP answer and the server sent none" },
		{ GNUTLS_CERT_INVALID_OCSP_STATUS, FAULT_CERTIFICATE_OCSP,
		  "the stapled OCSP answer is not valid" },
		{ GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS, FAULT_CERTIFICATE,
		  "it has an unknown critical extension" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (v->status & texts[i].bit)
			add_reason(v, texts[i].fault, "%s", texts[i].text);
	}
}

static void judge_crls(struct verdict *v)
{
	for (unsigned i = 0; v->t->crl_n && i < v->n; i++) {
		gnutls_x509_crt_t cert = tls_parse_certificate(&v->chain[i]);
		gnutls_datum_t issuer = { NULL, 0 };
		struct strbuf name = STRBUF_INIT(TEXT_MAX), date = STRBUF_INIT(64);
		time_t when = 0;

		if (cert && gtls_rare.x509_crt_get_raw_issuer_dn(cert, &issuer) >= 0 &&
		    tls_crl_is_old(v->t, &issuer, &when)) {
			tls_add_dn(&name, cert, true);
			tls_add_date(&date, when);
			add_reason(v, FAULT_CERTIFICATE_CRL, "the list of what '%s' has revoked "
				   "(tls_crl_file) was good until %s", name.buf, date.buf);
		}
		(*gtls.free_memory)(issuer.data);
		if (cert)
			gtls.x509_crt_deinit(cert);
		strbuf_release(&name);
		strbuf_release(&date);
	}
}

static void judge(struct verdict *v)
{
	gnutls_x509_crt_t leaf = tls_parse_certificate(&v->chain[0]);

	if (!leaf) {
		add_reason(v, FAULT_CERTIFICATE, "it cannot be read");
		return;
	}
	judge_all_dates(v);
	judge_name(v, leaf);
	if (v->status & GNUTLS_CERT_SIGNER_NOT_FOUND)
		judge_issuer(v);
	if (v->status & GNUTLS_CERT_INSECURE_ALGORITHM)
		judge_algorithms(v);
	judge_status(v);
	judge_crls(v);
	if (v->status && v->reasons.len == 0)
		add_reason(v, FAULT_CERTIFICATE, "its chain is not valid");
	gtls.x509_crt_deinit(leaf);
}

/* --- verification ------------------------------------------------------- */

/* What a stapled OCSP answer, or the lack of one, may say against the certificate. */
static const unsigned about_ocsp =
	GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED | GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE |
	GNUTLS_CERT_MISSING_OCSP_STATUS | GNUTLS_CERT_INVALID_OCSP_STATUS;

static void ignore_ocsp(struct verdict *v)
{
	unsigned ignored = about_ocsp;

	if (!v->t->settings->crl_file)
		ignored |= GNUTLS_CERT_REVOKED;
	v->status &= ~ignored;
	if (v->status == GNUTLS_CERT_INVALID)
		v->status = 0;
}

static int verify_peers(struct verdict *v)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER,
	};
	int code = gtls.certificate_verify_peers(v->t->session, &purpose, 1, &v->status);

	if (code >= 0 && v->t->settings->ocsp_ignored)
		ignore_ocsp(v);
	return code;
}

/* tls_ocsp = require: GnuTLS has judged an answer for this very certificate to be good. */
static void judge_staple(struct verdict *v)
{
	const unsigned valid_now = GNUTLS_OCSP_SR_IS_AVAIL;

	if (v->t->settings->ocsp_required &&
	    !gtls_rare.ocsp_status_request_is_checked(v->t->session, valid_now))
		add_reason(v, FAULT_CERTIFICATE_OCSP,
			   "the server sent no stapled OCSP answer, and tls_ocsp = require");
	else if (v->t->settings->ocsp_required && !v->reasons.len &&
		 !gtls_rare.ocsp_status_request_is_checked(v->t->session, 0))
		add_reason(v, FAULT_CERTIFICATE_OCSP, "the stapled OCSP answer is not valid");
}

/*
 * A chain that does not verify is tried again with the whole store: that can
 * only matter for a stapled OCSP answer signed by quite another CA, but a
 * refusal is rare, and so it never depends on the choice.
 */
static void verify_chain(struct verdict *v)
{
	gnutls_x509_trust_list_t list = NULL;

	gtls.certificate_get_trust_list(v->t->credentials, &list);
	truststore_choose(v->t->trust, v->chain, v->n, list);
	int code = verify_peers(v);

	if ((code < 0 || v->status) && truststore_add_all(v->t->trust, list) > 0)
		code = verify_peers(v);
	if (code < 0)
		add_reason(v, FAULT_CERTIFICATE, "its chain cannot be verified: %s",
			   gtls.strerror(code));
}

int tls_check_chain(struct tls *t, const gnutls_datum_t *chain, unsigned n)
{
	struct verdict v = {
		.t = t, .chain = chain, .n = n,
		.reasons = STRBUF_INIT(TEXT_MAX), .advice = STRBUF_INIT(TEXT_MAX),
	};
	int rc = 0;

	verify_chain(&v);
	judge(&v);
	judge_staple(&v);
	if (t->settings->reasons_only)
		strbuf_reset(&v.advice);
	if (v.reasons.len) {
		rc = error_set(&t->fault, v.kinds.fault,
			       "certificate of %s is not acceptable: %s%s%s", t->settings->host,
			       v.reasons.buf, v.advice.buf, v.advice.len ? ")" : "");
		memcpy(t->fault.also, v.kinds.also, sizeof(t->fault.also));
	}
	t->verified = rc == 0;
	strbuf_release(&v.reasons);
	strbuf_release(&v.advice);
	return rc;
}

/* A pin takes the place of the chain; TLSA records, where there are some, hold in any case. */
static int check_peer(struct tls *t, const gnutls_datum_t *chain, unsigned n)
{
	const struct tls_client *s = t->settings;
	const bool pinned = s->fingerprint || s->pins;

	if (pinned && tls_pin_check(t, &chain[0]) < 0)
		return -1;
	if (s->tlsa_n)
		return tls_dane_check(t, chain, n);
	return pinned ? 0 : tls_check_chain(t, chain, n);
}

int tls_verify_callback(gnutls_session_t session)
{
	struct tls *t = gtls.session_get_ptr(session);
	unsigned n = 0;
	const gnutls_datum_t *chain = gtls.certificate_get_peers(session, &n);
	int rc;

	if (!t->settings)
		return GNUTLS_E_CERTIFICATE_ERROR;	/* the handshake is over */
	if (!chain || n == 0)
		rc = error_set(&t->fault, FAULT_CERTIFICATE, "%s sent no certificate",
			       t->settings->host);
	else
		rc = check_peer(t, chain, n);
	return rc < 0 ? GNUTLS_E_CERTIFICATE_ERROR : 0;
}

/* --- what verification needs -------------------------------------------- */

/* TLSA records take the place of the usual verification, but for those that add to it. */
static bool needs_store(const struct tls_client *s)
{
	if (!s->tlsa_n)
		return !s->fingerprint && !s->pins;
	for (size_t i = 0; i < s->tlsa_n; i++) {
		if (s->tlsa[i].usage == TLSA_PKIX_TA || s->tlsa[i].usage == TLSA_PKIX_EE)
			return true;
	}
	return false;
}

static int load_trust(struct tls *t, struct error *err)
{
	const struct tls_client *s = t->settings;

	if (truststore_open(s->trust_file ? s->trust_file : "system", s->trust_dir, &t->trust,
			    err) < 0)
		return -1;
	if ((s->ocsp_required || s->crl_file) && gnutls_rare_load(err) < 0)
		return -1;
	return s->crl_file ? tls_crl_load(t, s->crl_file, err) : 0;
}

int tls_verify_prepare(struct tls *t, struct error *err)
{
	const struct tls_client *s = t->settings;
	const bool pinned = s->fingerprint || s->pins;

	if (pinned && tls_pin_prepare(s, err) < 0)
		return -1;
	if (!pinned && !s->tlsa_n && !s->verify)
		return 0;
	gtls.session_set_verify_function(t->session, tls_verify_callback);
	return needs_store(s) ? load_trust(t, err) : 0;
}
