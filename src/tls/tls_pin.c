/* The server's certificate by tls_pin and tls_fingerprint. */
#include "config.h"
#include "tls/tls.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "net/pin.h"
#include "tls/certificate.h"
#include "tls/gnutls_api.h"
#include "tls/tls_private.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

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

int tls_pin_prepare(const struct tls_client *s, struct error *err)
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

int tls_pin_check(struct tls *t, const gnutls_datum_t *leaf)
{
	const struct tls_client *s = t->settings;

	if ((s->fingerprint && check_fingerprint(t, leaf) < 0) ||
	    (s->pins && check_pins(t, leaf) < 0))
		return -1;
	t->pinned = true;
	return 0;
}
