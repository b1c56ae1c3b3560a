#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certs.h"
#include "tls/gnutls_api.h"
#include "tls_peer.h"
#include "util/fs.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

struct passphrase {
	const char *text;	/* NULL = none is configured */
	bool fails;
	unsigned asked;
};

static int give(void *ctx, struct secret *out, struct error *err)
{
	struct passphrase *p = ctx;

	p->asked++;
	if (p->fails)
		return error_set(err, FAULT_CONFIG, "the command failed");
	if (p->text)
		secret_set(out, p->text, strlen(p->text));
	return 0;
}

static void shell(const char *line)
{
	char sh[] = "/bin/sh", option[] = "-c";
	char *copy = xstrdup(line);
	char *const argv[] = { sh, option, copy, NULL };
	struct strbuf out = STRBUF_INIT(65536);
	struct error err = { 0 };

	if (proc_capture(argv, 120, &out, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	strbuf_release(&out);
	xfree(copy);
}

static char *file(const char *name)
{
	return xstrdup(certs_path(name));
}

/* The server counts the certificates that it was shown. */
static void shows_one(struct tls_client client, struct passphrase *p)
{
	static const char *const versions[] = { tls12, tls13 };

	client.verify = true;
	client.key_password = p ? give : NULL;
	client.key_password_ctx = p;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct trial t = {
			.scene = { .cert = "server.pem", .priorities = versions[i],
				   .request = GNUTLS_CERT_REQUIRE, .act = ACT_COUNT_CERTS },
			.client = client,
		};
		char count[4] = "";

		if (trial_start(&t) < 0)
			fail_msg("%s", t.err.text);
		assert_true(tls_sent_certificate(t.tls));
		assert_int_equal(read_some(&t, count, sizeof(count)), 1);
		assert_string_equal(count, "1");
		trial_end(&t);
	}
}

static void fails(struct tls_client client, struct passphrase *p, const char *words)
{
	client.key_password = p ? give : NULL;
	client.key_password_ctx = p;
	wrong_setting(client, EX_CONFIG, words);
}

/* encrypted.key is client.key's twin: see below. */
static void make_files(void)
{
	struct strbuf line = STRBUF_INIT(65536);
	const char *at = certs_folder;

	strbuf_addf(&line, "cd %s && umask 077 && "
		    "openssl pkey -in client.key -aes128 -passout pass:sesame -out locked.key && "
		    "openssl ec -in client.key -aes128 -passout pass:sesame -out old.key "
		    "2>/dev/null && "
		    "openssl pkcs12 -export -in client.pem -inkey client.key -out locked.p12 "
		    "-passout pass:sesame && "
		    "openssl pkcs12 -export -in client.pem -inkey client.key -out open.p12 "
		    "-passout pass: && "
		    "openssl pkcs12 -export -in client.pem -inkey client.key -out old.p12 "
		    "-certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1 "
		    "-passout pass:sesame && cp locked.p12 readable.p12 && "
		    "chmod 644 readable.p12 && echo junk > junk.p12", at);
	shell(line.buf);
	strbuf_release(&line);
}

static void test_passphrase(void **state)
{
	static const char *const keys[] = { "locked.key", "old.key" };
	struct passphrase right = { .text = "sesame" }, wrong = { .text = "simsim" };
	struct passphrase none = { .text = NULL }, broken = { .fails = true };
	struct passphrase unused = { .text = "sesame" };
	char *cert, *plain;

	(void)state;
	certs_need();
	make_files();
	cert = file("client.pem");
	plain = file("client.key");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char *key = file(keys[i]);
		const struct tls_client client = { .cert_file = cert, .key_file = key };

		shows_one(client, &right);
		fails(client, &wrong, "passphrase for key");
		fails(client, &none, "set tls_key_password_command");
		fails(client, NULL, "set tls_key_password_command");
		fails(client, &broken, "passphrase of the client certificate's key: the command");
		xfree(key);
	}
	assert_int_equal(right.asked, 4);
	/* a key without one: nobody is asked */
	shows_one((struct tls_client){ .cert_file = cert, .key_file = plain }, &unused);
	assert_int_equal(unused.asked, 0);
	xfree(cert);
	xfree(plain);
}

static void test_pkcs12(void **state)
{
	static const char *const locked[] = { "locked.p12", "old.p12" };
	struct passphrase right = { .text = "sesame" }, wrong = { .text = "simsim" };
	struct passphrase none = { .text = NULL };
	char *path, *cert;

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(locked); i++) {
		path = file(locked[i]);
		shows_one((struct tls_client){ .pkcs12_file = path }, &right);
		fails((struct tls_client){ .pkcs12_file = path }, &wrong, "is wrong");
		fails((struct tls_client){ .pkcs12_file = path }, &none,
		      "is protected by a passphrase: set tls_key_password_command");
		fails((struct tls_client){ .pkcs12_file = path }, NULL, "is protected");
		xfree(path);
	}
	path = file("open.p12");
	shows_one((struct tls_client){ .pkcs12_file = path }, NULL);
	shows_one((struct tls_client){ .pkcs12_file = path }, &none);
	cert = file("client.pem");
	fails((struct tls_client){ .pkcs12_file = path, .cert_file = cert }, NULL, "only one");
	xfree(path);
	path = file("readable.p12");
	fails((struct tls_client){ .pkcs12_file = path }, &right, "chmod 600");
	xfree(path);
	path = file("junk.p12");
	fails((struct tls_client){ .pkcs12_file = path }, &right, "PKCS#12 is expected");
	fails((struct tls_client){ .pkcs12_file = "/nonexistent.p12" }, &right, "cannot open");
	xfree(path);
	xfree(cert);
}

/* --- texts ------------------------------------------------------------------- */

static char *text_of_file(const char *name)
{
	struct strbuf text = STRBUF_INIT(65536);
	struct error err;

	if (fs_read_file(certs_path(name), 0, &text, &err) < 0)
		fail_msg("%s", err.text);
	char *copy = xstrdup(text.buf);

	strbuf_release_secret(&text);
	return copy;
}

/* Every mistake is told, and no octet of a key. */
static void test_texts(void **state)
{
	struct passphrase right = { .text = "sesame" }, wrong = { .text = "simsim" };
	char *cert, *key, *locked, *other, *cert_file, *key_file;

	(void)state;
	certs_need();
	cert = text_of_file("client.pem");
	key = text_of_file("client.key");
	locked = text_of_file("locked.key");
	other = text_of_file("server.key");
	cert_file = file("client.pem");
	key_file = file("client.key");
	shows_one((struct tls_client){ .cert_file = cert, .key_text = key }, NULL);
	shows_one((struct tls_client){ .cert_file = cert, .key_text = locked }, &right);
	shows_one((struct tls_client){ .cert_file = cert, .key_file = key_file }, NULL);
	shows_one((struct tls_client){ .cert_file = cert_file, .key_text = key,
				       .key_file = "/nonexistent" }, NULL);
	fails((struct tls_client){ .cert_file = cert, .key_text = locked }, &wrong,
	      "the passphrase for key of tls_key is wrong");
	fails((struct tls_client){ .cert_file = cert, .key_text = other }, NULL,
	      "key of tls_key does not belong to certificate of tls_cert");
	fails((struct tls_client){ .cert_file = cert, .key_text = "hush" }, NULL,
	      "tls_key is neither PEM nor base64 of a key");
	fails((struct tls_client){ .cert_file = cert }, NULL, "tls_cert has no key");
	fails((struct tls_client){ .cert_file = "pkcs11:token=mail", .key_text = key }, NULL,
	      "do not go with a token");
	fails((struct tls_client){ .cert_file = cert, .key_file = "pkcs11:token=mail" }, NULL,
	      "do not go with a token");
	xfree(cert);
	xfree(key);
	xfree(locked);
	xfree(other);
	xfree(cert_file);
	xfree(key_file);
}

/* --- tokens ---------------------------------------------------------------- */

static const char *softhsm(void)
{
	static const char *const places[] = {
		"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (access(places[i], R_OK) == 0)
			return places[i];
	}
	return NULL;
}

/* A token with our key and certificate, in the folder of the test. */
static void make_token(void)
{
	struct strbuf line = STRBUF_INIT(65536);
	char path[256];

	snprintf(path, sizeof(path), "%s/softhsm.conf", certs_folder);
	setenv("SOFTHSM2_CONF", path, 1);
	strbuf_addf(&line, "cd %s && mkdir tokens && "
		    "printf 'directories.tokendir = %s/tokens\\nobjectstore.backend = file\\n"
		    "log.level = ERROR\\n' > softhsm.conf && "
		    "softhsm2-util --init-token --free --label mail --pin 1234 --so-pin 12345678 "
		    ">/dev/null && openssl pkcs8 -topk8 -nocrypt -in client.key -out client.p8 && "
		    "softhsm2-util --import client.p8 --token mail --label client --id a1 "
		    "--pin 1234 >/dev/null && "
		    "p11tool --provider %s --batch --login --set-pin 1234 --write --label client "
		    "--id a1 --load-certificate client.pem 'pkcs11:token=mail' >/dev/null 2>&1",
		    certs_folder, certs_folder, softhsm());
	shell(line.buf);
	strbuf_release(&line);
}

static void test_token(void **state)
{
	static const char cert[] = "pkcs11:token=mail;object=client;type=cert";
	static const char key[] = "pkcs11:token=mail;object=client;type=private";
	const struct tls_client both = { .cert_file = cert, .key_file = key };
	struct passphrase right = { .text = "1234" }, wrong = { .text = "4321" };
	struct passphrase none = { .text = NULL }, broken = { .fails = true };
	char *path;

	(void)state;
	certs_need();
	if (!softhsm() || access("/usr/bin/p11tool", X_OK) < 0 ||
	    access("/usr/bin/softhsm2-util", X_OK) < 0)
		skip();
	make_token();
	shows_one(both, &right);
	fails(both, &none, "wants a PIN: set tls_key_password_command");
	fails(both, &broken, "the command failed");
	path = file("client.pem");
	shows_one((struct tls_client){ .cert_file = path, .key_file = key }, &right);
	xfree(path);
	shows_one((struct tls_client){ .cert_file = "pkcs11:token=mail;object=client",
				       .key_file = key }, &right);
	fails((struct tls_client){ .cert_file = cert, .key_file = "/nonexistent" }, &right,
	      "cannot open /nonexistent");
	fails((struct tls_client){ .cert_file = "pkcs11:token=mail;object=nobody;type=cert",
				   .key_file = key }, &right, "cannot use certificate");
	/* a wrong PIN is given once, never again */
	wrong.asked = 0;
	fails(both, &wrong, "the PIN for token 'mail' is wrong");
	assert_int_equal(wrong.asked, 1);
	fails(both, &wrong, "PIN");
	fails(both, &wrong, "PIN");
	assert_true(wrong.asked <= 3);
	shows_one(both, &right);
}

/* --- a token that says how often the PIN was asked for ---------------------- */

static gnutls_pin_callback_t asks;
static void *asks_ctx;

static void keep_asker(gnutls_certificate_credentials_t c, gnutls_pin_callback_t fn, void *ctx)
{
	(void)c;
	asks = fn;
	asks_ctx = ctx;
}

static const struct asked {
	int attempt;
	unsigned flags;
} *pins;

/* As GnuTLS does, until the PIN is taken (here: never) or refused by the caller. */
static int ask(gnutls_certificate_credentials_t c, const char *cert, const char *key,
	       gnutls_x509_crt_fmt_t type, const char *pass, unsigned flags)
{
	char pin[GNUTLS_PKCS11_MAX_PIN_LEN];
	int code;

	(void)c, (void)cert, (void)key, (void)type, (void)pass, (void)flags;
	do {
		code = asks(asks_ctx, pins->attempt, "pkcs11:token=mail", "mail", pins->flags,
			    pin, sizeof(pin));
		pins++;
	} while (code == 0);
	return code;
}

static void test_wrong_pin(void **state)
{
	static const struct asked wrong[] = { { 0, 0 }, { 1, 0 } };
	static const struct asked said[] = { { 0, 0 }, { 0, GNUTLS_PIN_WRONG } };
	static const struct asked last[] = { { 0, GNUTLS_PIN_FINAL_TRY } };
	const struct tls_client both = {
		.cert_file = "pkcs11:token=mail;type=cert",
		.key_file = "pkcs11:token=mail;type=private",
	};
	struct passphrase p = { .text = "4321" };
	struct gnutls_rare_api real;
	struct error err = { 0 };

	(void)state;
	certs_need();
	assert_int_equal(gnutls_rare_load(&err), 0);
	real = gtls_rare;
	gtls_rare.certificate_set_pin_function = keep_asker;
	gtls_rare.certificate_set_x509_key_file2 = ask;
	pins = wrong;
	fails(both, &p, "the PIN for token 'mail' is wrong");
	assert_int_equal(p.asked, 1);
	assert_ptr_equal(pins, wrong + 2);
	pins = said;
	fails(both, &p, "the PIN for token 'mail' is wrong");
	assert_ptr_equal(pins, said + 2);
	pins = last;
	p.asked = 0;
	fails(both, &p, "token 'mail' allows one more PIN");
	assert_int_equal(p.asked, 0);
	gtls_rare = real;
}

static int setup(void **state)
{
	return tls_peer_load() < 0 ? -1 : certs_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passphrase),
		cmocka_unit_test(test_pkcs12),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_wrong_pin),
	};

	return cmocka_run_group_tests(tests, setup, certs_teardown);
}
