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
#include "tls_peer.h"

/* What openssl says the pin is: "spki-sha256:BASE64" or "cert-sha256:HEX". */
static void openssl_pin(struct strbuf *out, const char *cert, bool key)
{
	char shell[] = "/bin/sh", option[] = "-c", line[1024];
	char *const argv[] = { shell, option, line, NULL };
	struct error err = { 0 };

	snprintf(line, sizeof(line), key ?
		 "openssl x509 -in %s -noout -pubkey | openssl pkey -pubin -outform DER | "
		 "openssl dgst -sha256 -binary | base64 -w0" :
		 "openssl x509 -in %s -outform DER | openssl dgst -sha256 -r | cut -c1-64 | "
		 "tr -d '\\n'", certs_path(cert));
	strbuf_addstr(out, key ? "spki-sha256:" : "cert-sha256:");
	if (proc_capture(argv, 60, out, &err) < 0)
		fail_msg("%s", err.text);
}

/* With these pins the server of cert: accepted or not. */
static void try_pins(const char *const *pins, const char *cert, bool good)
{
	struct trial t = {
		.scene = { .cert = cert },
		.client = { .host = "mail.example.org", .verify = true, .pins = pins,
			    .trust_file = "/nonexistent" },
	};
	int rc = trial_start(&t);

	if ((rc == 0) != good)
		fail_msg("%s with %s: %s", cert, pins[0], t.err.text);
	if (rc == 0) {
		assert_false(tls_verified(t.tls));
		assert_true(tls_authenticated(t.tls));
		assert_false(is_resumed(t.tls));
		echo_once(&t);
		assert_int_equal(trial_end(&t), PEER_PREMATURE);
		return;
	}
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "mail.example.org is not acceptable");
	assert_int_equal(trial_end(&t), PEER_HANDSHAKE);
}

static void try_pin(const char *pin, const char *cert, bool good)
{
	const char *const pins[] = { pin, NULL };

	try_pins(pins, cert, good);
}

/* server.pem and all bad ones have one key: by key they are one, by certificate they are not. */
static void test_pins(void **state)
{
	struct strbuf key = STRBUF_INIT(1000), cert = STRBUF_INIT(1000), rsa = STRBUF_INIT(1000);

	(void)state;
	certs_need();
	openssl_pin(&key, "server.pem", true);
	openssl_pin(&cert, "bad-self-signed.pem", false);
	openssl_pin(&rsa, "rsa.pem", true);
	try_pin(key.buf, "server.pem", true);
	try_pin(key.buf, "bad-self-signed.pem", true);
	try_pin(key.buf, "bad-expired.pem", true);
	try_pin(cert.buf, "bad-self-signed.pem", true);
	try_pin(cert.buf, "server.pem", false);
	try_pin(rsa.buf, "server.pem", false);
	const char *const both[] = { rsa.buf, key.buf, NULL };
	const char *const neither[] = { rsa.buf, cert.buf, NULL };

	try_pins(both, "server.pem", true);
	try_pins(neither, "server.pem", false);
	strbuf_release(&key);
	strbuf_release(&cert);
	strbuf_release(&rsa);
}

/* Upper case, colons, missing padding, other case of the kind: as people copy them. */
static void test_spellings(void **state)
{
	struct strbuf key = STRBUF_INIT(1000), cert = STRBUF_INIT(1000), text = STRBUF_INIT(1000);

	(void)state;
	certs_need();
	openssl_pin(&key, "server.pem", true);
	strbuf_truncate(&key, key.len - 1);	/* "=" */
	try_pin(key.buf, "server.pem", true);
	key.buf[0] = 'S';
	try_pin(key.buf, "server.pem", true);
	openssl_line(&cert, "server.pem", "-sha256");
	strbuf_addf(&text, "CERT-SHA256:%s", cert.buf);
	try_pin(text.buf, "server.pem", true);
	strbuf_release(&key);
	strbuf_release(&cert);
	strbuf_release(&text);
}

static void test_files(void **state)
{
	struct strbuf pin = STRBUF_INIT(1000), out = STRBUF_INIT(65536);
	char shell[] = "/bin/sh", option[] = "-c", line[1024];
	char *const argv[] = { shell, option, line, NULL };
	struct error err = { 0 };

	(void)state;
	certs_need();
	strbuf_addf(&pin, "file:%s", certs_path("server.pem"));
	try_pin(pin.buf, "server.pem", true);
	try_pin(pin.buf, "bad-self-signed.pem", true);	/* renewed, with the same key */
	strbuf_reset(&pin);
	strbuf_addf(&pin, "file:%s", certs_path("rsa.pem"));
	try_pin(pin.buf, "server.pem", false);
	snprintf(line, sizeof(line), "openssl x509 -in %s -noout -pubkey > %s",
		 certs_path("server.pem"), certs_path("server.pub"));
	assert_int_equal(proc_capture(argv, 60, &out, &err), 0);
	strbuf_reset(&pin);
	strbuf_addf(&pin, "file:%s", certs_path("server.pub"));
	try_pin(pin.buf, "bad-expired.pem", true);
	strbuf_release(&pin);
	strbuf_release(&out);
}

/* Both values are told, in the form of the setting. */
static void test_mismatch_text(void **state)
{
	struct strbuf key = STRBUF_INIT(1000), cert = STRBUF_INIT(1000), rsa = STRBUF_INIT(1000);
	struct trial t = { .scene = { .cert = "server.pem" } };

	(void)state;
	certs_need();
	openssl_pin(&key, "server.pem", true);
	openssl_pin(&cert, "server.pem", false);
	openssl_pin(&rsa, "rsa.pem", true);
	const char *const pins[] = { rsa.buf, NULL };

	t.client.pins = pins;
	assert_int_equal(trial_start(&t), -1);
	assert_text(t.err.text, key.buf);
	assert_text(t.err.text, cert.buf);
	assert_text(t.err.text, rsa.buf);
	assert_text(t.err.text, "tls_pin wants");
	trial_end(&t);
	strbuf_release(&key);
	strbuf_release(&cert);
	strbuf_release(&rsa);
}

/* Where both are set, both must hold. */
static void test_with_fingerprint(void **state)
{
	struct strbuf key = STRBUF_INIT(1000), print = STRBUF_INIT(1000);
	struct trial t = { .scene = { .cert = "server.pem" } };

	(void)state;
	certs_need();
	openssl_pin(&key, "server.pem", true);
	openssl_line(&print, "bad-expired.pem", "-sha256");
	const char *const pins[] = { key.buf, NULL };

	t.client.pins = pins;
	t.client.fingerprint = print.buf;
	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "tls_fingerprint wants");
	trial_end(&t);
	t.scene.cert = "bad-expired.pem";
	assert_int_equal(trial_start(&t), 0);
	trial_end(&t);
	strbuf_release(&key);
	strbuf_release(&print);
}

static void test_wrong_pins(void **state)
{
	static const char *const wrong[] = {
		"", "spki-sha256:", "spki-sha256", "cert-sha256:", "cert-sha256:00", "file",
		"sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
		"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
		"spki-sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=x",
		"spki-sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuA==",
		"spki-sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hS",
		"cert-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8",
		"cert-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85500",
		"cert-sha256:g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	};
	const char *pins[3] = { NULL };

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		pins[0] = wrong[i];
		wrong_setting((struct tls_client){ .pins = pins }, EX_CONFIG, "is not spki-sha256");
	}
	pins[0] = "cert-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	pins[1] = "nonsense";
	wrong_setting((struct tls_client){ .pins = pins }, EX_CONFIG, "tls_pin 'nonsense'");
	pins[1] = NULL;
	pins[0] = "file:/nonexistent/pin.pem";
	wrong_setting((struct tls_client){ .pins = pins }, EX_CONFIG, "cannot open /nonexistent");
	pins[0] = "file:/dev/null";
	wrong_setting((struct tls_client){ .pins = pins }, EX_CONFIG, "no certificate or public");
}

/* --serverinfo prints what can be pasted. */
static void test_described(void **state)
{
	struct strbuf pin = STRBUF_INIT(1000), out = STRBUF_INIT(10000);
	struct trial t = { .scene = { .cert = "server.pem" }, .client = { .verify = true } };

	(void)state;
	certs_need();
	assert_int_equal(trial_start(&t), 0);
	tls_describe_certificate(t.tls, &out);
	strbuf_addstr(&pin, "tls_pin = ");
	openssl_pin(&pin, "server.pem", true);
	assert_text(out.buf, pin.buf);
	strbuf_reset(&pin);
	strbuf_addstr(&pin, "tls_pin = ");
	openssl_pin(&pin, "server.pem", false);
	assert_text(out.buf, pin.buf);
	trial_end(&t);
	strbuf_release(&pin);
	strbuf_release(&out);
}

static int setup(void **state)
{
	return tls_peer_load() < 0 ? -1 : certs_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_mismatch_text),
		cmocka_unit_test(test_with_fingerprint),
		cmocka_unit_test(test_wrong_pins),
		cmocka_unit_test(test_described),
	};

	return cmocka_run_group_tests(tests, setup, certs_teardown);
}
