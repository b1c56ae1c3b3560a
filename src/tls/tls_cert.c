/*
 * Certificates and keys of our own: files, PKCS #12, tokens, their passphrases.
 */
#include "config.h"
#include "tls/tls.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tls/gnutls_api.h"
#include "tls/tls_private.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/pem.h"
#include "util/secret.h"
#include "util/strbuf.h"

enum { PEM_MAX = 4 * 1024 * 1024 };

static const char how_to_unlock[] =
	"set tls_key_password_command, tls_key_password_file or tls_key_passwordeval";

/* The user's passphrase; unset when there is none to be had. */
static int passphrase(const struct tls *t, struct secret *out, struct error *err)
{
	const struct tls_client *s = t->settings;

	if (!s || !s->key_password)
		return 0;
	if (s->key_password(s->key_password_ctx, out, err) < 0)
		return error_prefix(err, "passphrase of the client certificate's key");
	return 0;
}

/* --- PEM ---------------------------------------------------------------- */

static int read_certificate(const char *path, struct strbuf *out, struct error *err)
{
	int fd;

	if (pem_is(path) && pem_read(path, "", out) == 0)
		return 0;
	if ((fd = fs_open_read(path)) < 0)
		return fs_cannot_open(err, "certificate ", path);
	int rc = fs_read_fd(fd, path, out, err);

	close(fd);
	return rc;
}

/* As errors have it: a text has the name of its key, and is never shown. */
static const char *cert_name(const char *cert_file)
{
	return pem_is(cert_file) ? "of tls_cert" : cert_file;
}

struct pair {
	const char *cert_file, *key_file;	/* for people */
	struct strbuf cert, key;
};

static int use_pair(struct tls *t, const struct pair *p, const char *password)
{
	gnutls_datum_t cert = { (unsigned char *)p->cert.buf, (unsigned)p->cert.len };
	gnutls_datum_t key = { (unsigned char *)p->key.buf, (unsigned)p->key.len };

	return gtls.certificate_set_x509_key_mem2(t->credentials, &cert, &key, GNUTLS_X509_FMT_PEM,
						  password, 0);
}

static int locked(const struct tls *t, const char *key_file, bool tried, struct error *err)
{
	if (tried)
		return error_set(err, FAULT_KEY_LOCKED, "the passphrase for key %s is wrong",
				 key_file);
	if (!t->server)
		return error_set(err, FAULT_KEY_LOCKED, "key %s is protected by a passphrase: %s",
				 key_file, how_to_unlock);
	return error_set(err, FAULT_KEY_LOCKED, "key %s is protected by a passphrase: store it "
			 "without one ('openssl pkey -in %s -out NEW')", key_file, key_file);
}

/* The passphrase is asked for when the key turns out to need one. */
static int take_pair(struct tls *t, const struct pair *p, struct error *err)
{
	struct secret password = { NULL, 0 };
	int code = use_pair(t, p, NULL);
	bool tried = false;

	if (code == GNUTLS_E_DECRYPTION_FAILED) {
		if (passphrase(t, &password, err) < 0)
			return -1;
		tried = secret_is_set(&password);
		if (tried)
			code = use_pair(t, p, password.data);
		secret_release(&password);
	}
	if (code >= 0)
		return 0;
	if (code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return error_set(err, FAULT_KEY_MISMATCH,
				 "key %s does not belong to certificate %s", p->key_file,
				 p->cert_file);
	if (code == GNUTLS_E_DECRYPTION_FAILED)
		return locked(t, p->key_file, tried, err);
	return error_set(err, FAULT_CONFIG, "cannot use certificate %s with key %s: %s",
			 p->cert_file, p->key_file, gtls.strerror(code));
}

static int read_key(const char *text, const char *path, struct strbuf *out, struct error *err)
{
	if (!text)
		return fs_read_file(path, FS_SECRET, out, err);
	if (pem_read(text, "PRIVATE KEY", out) == 0)
		return 0;
	return error_set(err, FAULT_CONFIG, "tls_key is neither PEM nor base64 of a key");
}

static int load_pair(struct tls *t, const char *cert_file, const char *key_file,
		     const char *key_text, struct error *err)
{
	struct pair p = {
		.cert_file = cert_name(cert_file), .key_file = key_text ? "of tls_key" : key_file,
		.cert = STRBUF_INIT(PEM_MAX), .key = STRBUF_INIT(PEM_MAX),
	};
	int rc = -1;

	if (!key_text && pem_is(key_file))
		return error_set(err, FAULT_CONFIG, "tls_cert has no key: set tls_key or "
				 "tls_key_file");
	if (read_certificate(cert_file, &p.cert, err) == 0 &&
	    read_key(key_text, key_file, &p.key, err) == 0)
		rc = take_pair(t, &p, err);
	strbuf_release_secret(&p.cert);
	strbuf_release_secret(&p.key);
	return rc;
}

int tls_load_pair(struct tls *t, const char *cert_file, const char *key_file, struct error *err)
{
	return load_pair(t, cert_file, key_file ? key_file : cert_file, NULL, err);
}

/* --- PKCS#12 (RFC 7292) ------------------------------------------------- */

static int use_pkcs12(struct tls *t, const struct strbuf *text, const char *password)
{
	gnutls_datum_t data = { (unsigned char *)text->buf, (unsigned)text->len };

	return gtls_rare.certificate_set_x509_simple_pkcs12_mem(t->credentials, &data,
								GNUTLS_X509_FMT_DER, password);
}

static int take_pkcs12(struct tls *t, const char *path, const struct strbuf *text,
		       struct error *err)
{
	struct secret password = { NULL, 0 };

	if (passphrase(t, &password, err) < 0)
		return -1;
	bool tried = secret_is_set(&password);
	int code = use_pkcs12(t, text, tried ? password.data : NULL);

	if (code < 0 && !tried)		/* the empty one and none at all are two in PKCS#12 */
		code = use_pkcs12(t, text, "");
	secret_release(&password);
	if (code >= 0)
		return 0;
	if (code == GNUTLS_E_MAC_VERIFY_FAILED || code == GNUTLS_E_DECRYPTION_FAILED)
		return error_set(err, FAULT_KEY_LOCKED, tried ?
				 "the passphrase for %s is wrong" :
				 "%s is protected by a passphrase: %s", path, how_to_unlock);
	return error_set(err, FAULT_CONFIG, "cannot use %s (PKCS#12 is expected): %s", path,
			 gtls.strerror(code));
}

static int load_pkcs12(struct tls *t, const char *path, struct error *err)
{
	struct strbuf text = STRBUF_INIT(PEM_MAX);
	int rc = gnutls_rare_load(err);

	if (rc == 0)
		rc = fs_read_file(path, FS_SECRET, &text, err);
	if (rc == 0)
		rc = take_pkcs12(t, path, &text, err);
	strbuf_release_secret(&text);
	return rc;
}

/* --- tokens: PKCS#11, TPM ----------------------------------------------- */

static bool is_uri(const char *s)
{
	return strncasecmp(s, "pkcs11:", 7) == 0 || strncasecmp(s, "tpmkey:", 7) == 0;
}

/*
 * A wrong PIN is never tried twice, nor the last chance taken: a token locks
 * itself, and unlocking it is more trouble than a mail that waits.
 */
static int give_pin(void *ctx, int attempt, const char *url, const char *label, unsigned flags,
		    char *pin, size_t room)
{
	struct tls *t = ctx;
	struct secret password = { NULL, 0 };
	int code = GNUTLS_E_PKCS11_PIN_ERROR;

	(void)url;
	if (attempt > 0 || flags & GNUTLS_PIN_WRONG)
		error_set(&t->fault, FAULT_KEY_LOCKED, "the PIN for token '%s' is wrong",
			  label ? label : "");
	else if (flags & GNUTLS_PIN_FINAL_TRY)
		error_set(&t->fault, FAULT_KEY_LOCKED,
			  "token '%s' allows one more PIN before it locks itself: it is not tried",
			  label ? label : "");
	else if (passphrase(t, &password, &t->fault) == 0 && !secret_is_set(&password))
		error_set(&t->fault, FAULT_KEY_LOCKED, "token '%s' wants a PIN: %s",
			  label ? label : "", how_to_unlock);
	else if (secret_is_set(&password) && password.len < room) {
		memcpy(pin, password.data, password.len + 1);
		code = 0;
	}
	secret_release(&password);
	return code;
}

/* A key that is a file is as secret with its certificate on a token. */
static int check_key_file(const char *path, struct error *err)
{
	int fd = fs_open_read(path), rc;

	if (fd < 0)
		return fs_cannot_open(err, "", path);
	rc = fs_check(fd, FS_SECRET, path, err);
	close(fd);
	return rc;
}

static int load_token(struct tls *t, const char *cert, const char *key, struct error *err)
{
	if (gnutls_rare_load(err) < 0 || (!is_uri(key) && check_key_file(key, err) < 0))
		return -1;
	gtls_rare.certificate_set_pin_function(t->credentials, give_pin, t);
	int code = gtls_rare.certificate_set_x509_key_file2(t->credentials, cert, key,
							    GNUTLS_X509_FMT_PEM, NULL, 0);

	if (code >= 0)
		return 0;
	if (t->fault.exit) {
		*err = t->fault;
		return -1;
	}
	return error_set(err, FAULT_CONFIG, "cannot use certificate %s with key %s: %s", cert,
			 key, gtls.strerror(code));
}

int tls_load_client(struct tls *t, struct error *err)
{
	const struct tls_client *s = t->settings;
	const char *key = s->key_file ? s->key_file : s->cert_file;

	if (s->pkcs12_file && s->cert_file)
		return error_set(err, FAULT_CONFIG,
				 "tls_pkcs12_file and tls_cert_file: only one can be used");
	if (s->pkcs12_file)
		return load_pkcs12(t, s->pkcs12_file, err);
	if (!s->cert_file)
		return 0;
	if (!is_uri(s->cert_file) && (s->key_text || !is_uri(key)))
		return load_pair(t, s->cert_file, key, s->key_text, err);
	if (s->key_text || pem_is(s->cert_file))
		return error_set(err, FAULT_CONFIG,
				 "tls_cert and tls_key do not go with a token");
	return load_token(t, s->cert_file, key, err);
}
