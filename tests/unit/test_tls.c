#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certs.h"
#include "tls/tls_private.h"
#include "tls_peer.h"

/* --- certificates ---------------------------------------------------------- */

struct verification {
	const char *cert, *host, *staple, *crl;
	int exit;			/* 0 = EX_PROTOCOL */
	const char *reasons[3];		/* none = acceptable */
};

static const struct verification verifications[] = {
	{ .cert = "server.pem" },
	{ .cert = "server.pem", .host = "LocalHost" },
	{ .cert = "server.pem", .host = "localhost." },
	{ .cert = "server.pem", .host = "127.0.0.1" },
	{ .cert = "server.pem", .host = "::1" },
	{ .cert = "server.pem", .host = "[::1]" },
	{ .cert = "server.pem", .staple = "staple-good.der" },
	{ .cert = "server.pem", .crl = "crl-empty.pem" },
	{ .cert = "server.pem", .crl = "crl-renewed.pem" },
	{ .cert = "server.pem", .crl = "crl-other.pem" },
	{ .cert = "chain.pem", .crl = "crl-empty.pem" },
	{ .cert = "chain.pem" },
	{ .cert = "ok-wildcard.pem", .host = "mail.example.org" },
	{ .cert = "ok-no-usage.pem" },
	{ .cert = "ok-second-name.pem" },
	{ .cert = "ok-must-staple.pem", .staple = "staple-must.der" },
	/* the twelve of the guide */
	{ .cert = "bad-expired.pem", .reasons = { "it has expired on 20" } },
	{ .cert = "bad-not-yet.pem", .reasons = { "it is not valid before 20" } },
	{ .cert = "bad-wrong-host.pem", .reasons = { "name does not match",
						     "(names: mail.example.com)",
						     "tls_host_override" } },
	{ .cert = "bad-self-signed.pem", .reasons = { "self-signed and not trusted",
						      "tls_pin = spki-sha256:",
						      "tls_trust_file" } },
	{ .cert = "bad-usage.pem", .reasons = { "may not be used for a server" } },
	{ .cert = "bad-nul.pem", .reasons = { "name does not match",
					      "localhost\\x00.example.com" } },
	{ .cert = "bad-nul-common-name.pem", .reasons = { "name does not match" } },
	{ .cert = "bad-common-name.pem", .reasons = { "name does not match",
						      "only a common name does not count" } },
	{ .cert = "bad-common-name-other-san.pem", .reasons = { "name does not match" } },
	{ .cert = "server.pem", .staple = "staple-revoked.der", .reasons = { "been revoked" } },
	{ .cert = "bad-sha1.pem", .reasons = { "is signed with ECDSA-SHA1, which is too weak",
					       "%VERIFY_ALLOW_SIGN_WITH_SHA1" } },
	{ .cert = "bad-address-as-dns.pem", .host = "127.0.0.1",
	  .reasons = { "name does not match" } },
	{ .cert = "bad-wrong-host.pem", .host = "127.0.0.1", .reasons = { "does not match" } },
	{ .cert = "bad-wildcard-all.pem", .reasons = { "name does not match" } },
	{ .cert = "bad-wildcard-top.pem", .host = "example.com", .reasons = { "not match" } },
	{ .cert = "bad-wildcard-top.pem", .host = "a.localhost", .reasons = { "not match" } },
	{ .cert = "bad-wildcard-part.pem", .host = "world.example.org",
	  .reasons = { "not match" } },
	{ .cert = "bad-wildcard-part.pem", .host = "a.b.example.org", .reasons = { "not match" } },
	{ .cert = "bad-no-intermediate.pem", .reasons = { "issuer 'CN=Test Intermediate'",
							  "intermediate certificate" } },
	/* and more */
	{ .cert = "bad-unknown-ca.pem", .reasons = { "issuer 'CN=Unknown CA' is not known" } },
	{ .cert = "bad-must-staple.pem", .reasons = { "demands a stapled OCSP answer" } },
	{ .cert = "bad-issuer-not-ca.pem", .reasons = { "issuer" } },
	{ .cert = "bad-expired-intermediate.pem",
	  .reasons = { "its issuer's certificate 'CN=Old Intermediate' has expired" } },
	{ .cert = "bad-constraint.pem", .reasons = { "constraint" } },
	{ .cert = "bad-signature.pem", .reasons = { "not acceptable" } },
	{ .cert = "server.pem", .staple = "staple-delegated.der", .reasons = { "revoked" } },
	{ .cert = "server.pem", .staple = "staple-old.der", .reasons = { "OCSP" } },
	{ .cert = "server.pem", .staple = "staple-foreign.der", .reasons = { "OCSP" } },
	{ .cert = "server.pem", .crl = "crl-revoked.pem", .reasons = { "been revoked" } },
	{ .cert = "server.pem", .crl = "crl-old.pem", .exit = EX_NOPERM,
	  .reasons = { "the list of what 'CN=Test CA' has revoked (tls_crl_file) was good "
		       "until 20" } },
	{ .cert = "chain.pem", .crl = "crl-old.pem", .exit = EX_NOPERM,
	  .reasons = { "the list of what 'CN=Test CA' has revoked" } },
	{ .cert = "ok-wildcard.pem", .host = "example.org", .reasons = { "not match" } },
	{ .cert = "ok-wildcard.pem", .host = "a.b.example.org", .reasons = { "not match" } },
	{ .cert = "server.pem", .host = "::2", .reasons = { "not match" } },
	/* all that is wrong is named */
	{ .cert = "bad-expired.pem", .host = "mail.example.org",
	  .reasons = { "expired on", "; ",
		       "name does not match (names: localhost, 127.0.0.1, ::1)" } },
	{ .cert = "bad-self-signed.pem", .host = "mail.example.org",
	  .reasons = { "certificate of mail.example.org is not acceptable: ", "self-signed",
		       "name does not match" } },
};

/* What is too weak by default, and accepted by priorities that say so. */
static void test_weak(void **state)
{
	static const struct {
		const char *cert, *key, *reason, *allowed;
	} cases[] = {
		{ "small.pem", "small.key", "it has an RSA key of 1024 bits, which is too short",
		  "NORMAL:-VERS-TLS1.1:-VERS-TLS1.0:%PROFILE_LOW" },
		{ "bad-small-intermediate.pem", "server.key", "its issuer's certificate "
		  "'CN=Small Intermediate' has an RSA key of 1024 bits",
		  "NORMAL:-VERS-TLS1.1:-VERS-TLS1.0:%PROFILE_LOW" },
		{ "bad-sha1.pem", "server.key", "ECDSA-SHA1",
		  "NORMAL:-VERS-TLS1.1:-VERS-TLS1.0:%VERIFY_ALLOW_SIGN_WITH_SHA1" },
	};

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct trial t = {
			.scene = { .cert = cases[i].cert, .key = cases[i].key },
			.client = { .verify = true },
		};

		assert_int_equal(trial_start(&t), -1);
		assert_error(&t.err, EX_PROTOCOL, "5.7.5", cases[i].reason);
		assert_error(&t.err, EX_PROTOCOL, "5.7.5", cases[i].allowed);
		assert_error(&t.err, EX_PROTOCOL, "5.7.5", ", or tls_pin = spki-sha256:");
		assert_int_equal(t.err.fault, FAULT_CERTIFICATE_WEAK);
		trial_end(&t);
		t.client.priorities = cases[i].allowed;
		if (trial_start(&t) < 0)
			fail_msg("%s", t.err.text);
		echo_once(&t);
		trial_end(&t);
	}
}

static void verify_case(const struct verification *v, const char *priorities, bool verify)
{
	char crl[128] = "";
	struct trial t = {
		.scene = { .cert = v->cert, .staple = v->staple, .priorities = priorities },
		.client = { .host = v->host, .verify = verify },
	};

	if (v->crl) {
		snprintf(crl, sizeof(crl), "%s", certs_path(v->crl));
		t.client.crl_file = crl;
	}
	int rc = trial_start(&t);

	if ((rc == 0) != (!verify || !v->reasons[0]))
		fail_msg("%s as %s: %d (%s)", v->cert, t.client.host, rc, t.err.text);
	if (rc == 0) {
		assert_int_equal(tls_verified(t.tls), verify);
		echo_once(&t);
		stream_close(t.tls);
		assert_int_equal(trial_end(&t), PEER_OK);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(v->reasons) && v->reasons[i]; i++)
		assert_error(&t.err, v->exit ? v->exit : EX_PROTOCOL, "5.7.5", v->reasons[i]);
	assert_null(strstr(t.err.text, "is not valid at this time"));	/* whose date is told */
	assert_int_equal(trial_end(&t), PEER_HANDSHAKE);	/* it was told */
}

/* Each in both versions of TLS, and once unverified: the peer itself has no fault. */
static void test_certificates(void **state)
{
	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(verifications); i++) {
		verify_case(&verifications[i], tls13, true);
		verify_case(&verifications[i], tls12, true);
		verify_case(&verifications[i], normal, false);
	}
}

/* tls_ocsp: an answer is demanded, or none counts; a CRL does in any case. */
static void test_ocsp(void **state)
{
	static const struct {
		const char *cert, *staple, *crl;
		bool required, ignored;
		const char *words;	/* NULL = acceptable */
	} cases[] = {
		{ "server.pem", "staple-good.der", NULL, true, false, NULL },
		{ "server.pem", NULL, NULL, true, false, "no stapled OCSP answer, and tls_ocsp" },
		{ "server.pem", "staple-revoked.der", NULL, true, false, "revoked" },
		{ "server.pem", "staple-old.der", NULL, true, false, "OCSP" },
		{ "server.pem", "staple-foreign.der", NULL, true, false, "OCSP" },
		{ "server.pem", "staple-must.der", NULL, true, false, "OCSP" },
		{ "server.pem", "staple-revoked.der", NULL, false, true, NULL },
		{ "server.pem", "staple-old.der", NULL, false, true, NULL },
		{ "server.pem", "staple-foreign.der", NULL, false, true, NULL },
		{ "bad-must-staple.pem", NULL, NULL, false, true, NULL },
		{ "server.pem", NULL, "crl-revoked.pem", false, true, "revoked" },
		{ "bad-expired.pem", NULL, NULL, false, true, "expired" },
		{ "bad-unknown-ca.pem", NULL, NULL, false, true, "not known" },
	};
	static const char *const versions[] = { tls12, tls13 };

	(void)state;
	certs_need();
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		char crl[128];
		struct trial t = {
			.scene = { .cert = cases[i / 2].cert, .staple = cases[i / 2].staple,
				   .priorities = versions[i % 2] },
			.client = { .verify = true, .ocsp_required = cases[i / 2].required,
				    .ocsp_ignored = cases[i / 2].ignored },
		};

		if (cases[i / 2].crl) {
			snprintf(crl, sizeof(crl), "%s", certs_path(cases[i / 2].crl));
			t.client.crl_file = crl;
		}
		if ((trial_start(&t) == 0) != !cases[i / 2].words)
			fail_msg("case %zu: %s", i / 2, t.err.text);
		if (cases[i / 2].words)
			assert_error(&t.err, EX_PROTOCOL, "5.7.5", cases[i / 2].words);
		trial_end(&t);
	}
}

/* tls_min_version = 1.3 holds whatever the priorities say. */
static void test_min_version(void **state)
{
	static const char *const priorities[] = { NULL, "NORMAL", tls12 };

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(priorities); i++) {
		struct trial t = {
			.scene = { .cert = "server.pem", .priorities = tls12 },
			.client = { .verify = true, .priorities = priorities[i],
				    .only_tls13 = true },
		};

		assert_int_equal(trial_start(&t), -1);
		trial_end(&t);
		t.scene.priorities = normal;
		if (priorities[i] == tls12)
			continue;	/* nothing is left */
		struct strbuf what = STRBUF_INIT(1000);

		assert_int_equal(trial_start(&t), 0);
		tls_describe(t.tls, &what);
		assert_text(what.buf, "TLS1.3");
		strbuf_release(&what);
		trial_end(&t);
	}
}

static void test_dns_matches(void **state)
{
	static const struct {
		const char *presented, *host;
		bool matches;
	} cases[] = {
		{ "mail.example.org", "mail.example.org", true },
		{ "MAIL.example.ORG", "mail.EXAMPLE.org", true },
		{ "mail.example.org", "mail.example.or", false },
		{ "mail.example.or", "mail.example.org", false },
		{ "xmail.example.org", "mail.example.org", false },
		{ "", "", false },
		{ "", "a", false },
		{ "a", "", false },
		{ "localhost", "localhost", true },
		{ "*.example.org", "mail.example.org", true },
		{ "*.EXAMPLE.org", "mail.example.ORG", true },
		{ "*.example.org", ".example.org", false },
		{ "*.example.org", "example.org", false },
		{ "*.example.org", "a.mail.example.org", false },
		{ "*.example.org", "*.example.org", true },
		{ "*.org", "example.org", false },
		{ "*.org.", "example.org.", false },
		{ "*.", "example.", false },
		{ "*", "example", false },
		{ "*", "*", false },
		{ "*.*", "a.b", false },
		{ "*.*.org", "a.b.org", false },
		{ "*.b.*", "a.b.c", false },
		{ "m*.example.org", "mail.example.org", false },
		{ "*l.example.org", "mail.example.org", false },
		{ "m*l.example.org", "mail.example.org", false },
		{ "mail.*.org", "mail.example.org", false },
		{ "xn--*.example.org", "xn--a.example.org", false },
		{ "*.example..", "a.example..", true },	/* no such host; harmless */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (tls_dns_matches(cases[i].presented, strlen(cases[i].presented), cases[i].host)
		    != cases[i].matches)
			fail_msg("'%s' against '%s'", cases[i].presented, cases[i].host);
	}
	assert_false(tls_dns_matches("mail.example.org\0.evil.example", 30, "mail.example.org"));
	assert_false(tls_dns_matches("mail.example.org\0", 17, "mail.example.org"));
	assert_false(tls_dns_matches("*.example.org\0", 14, "mail.example.org"));
}

static void test_parse_address(void **state)
{
	static const struct {
		const char *host;
		size_t n;
	} cases[] = {
		{ "127.0.0.1", 4 }, { "255.255.255.255", 4 }, { "::1", 16 }, { "[::1]", 16 },
		{ "[2001:db8::25]", 16 }, { "::ffff:192.0.2.1", 16 }, { "localhost", 0 },
		{ "127.0.0.1.", 0 }, { "127.1", 0 }, { "[127.0.0.1]", 0 }, { "[::1", 0 },
		{ "::1]", 0 }, { "[]", 0 }, { "[", 0 }, { "", 0 }, { "1.2.3.4.example.org", 0 },
		{ "[::1%lo]", 0 }, { "[11111111111111111111111111111111111111111111111111111]", 0 },
	};
	unsigned char out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (tls_parse_address(cases[i].host, out) != cases[i].n)
			fail_msg("'%s'", cases[i].host);
	}
	assert_int_equal(tls_parse_address("192.0.2.25", out), 4);
	assert_memory_equal(out, "\xc0\x00\x02\x19", 4);
}

/* --- fingerprints ---------------------------------------------------------- */

static void try_fingerprint(const char *fingerprint, const char *cert, bool verify, bool good)
{
	struct trial t = {
		.scene = { .cert = cert },
		.client = { .host = "mail.example.org", .verify = verify,
			    .fingerprint = fingerprint, .trust_file = "/nonexistent" },
	};
	int rc = trial_start(&t);

	if ((rc == 0) != good)
		fail_msg("%s with %s: %s", cert, fingerprint, t.err.text);
	if (rc == 0) {
		assert_false(tls_verified(t.tls));
		echo_once(&t);
		stream_close(t.tls);
		assert_int_equal(trial_end(&t), PEER_OK);
		return;
	}
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "mail.example.org is not acceptable");
	assert_int_equal(trial_end(&t), PEER_HANDSHAKE);
}

static void without_colons(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s != ':')
			*to++ = (char)(*s >= 'A' && *s <= 'F' ? *s + 32 : *s);
	}
	*to = '\0';
}

/* Exactly that leaf is accepted: of a wrong name, unknown issuer, expired; no other one is. */
static void test_fingerprint(void **state)
{
	static const char *const kinds[][2] = {
		{ "-sha256", "SHA256:" }, { "-sha1", "sha1:" }, { "-md5", "Md5:" },
	};

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct strbuf value = STRBUF_INIT(1000), named = STRBUF_INIT(1000);

		openssl_line(&value, "bad-self-signed.pem", kinds[i][0]);
		strbuf_addf(&named, "%s%s", kinds[i][1], value.buf);
		try_fingerprint(value.buf, "bad-self-signed.pem", true, true);
		try_fingerprint(named.buf, "bad-self-signed.pem", true, true);
		try_fingerprint(value.buf, "server.pem", true, false);
		try_fingerprint(value.buf, "server.pem", false, false);
		without_colons(value.buf);
		try_fingerprint(value.buf, "bad-self-signed.pem", false, true);
		char *const octets[] = { value.buf, value.buf + strlen(value.buf) / 2,
					 value.buf + strlen(value.buf) - 1 };

		for (size_t k = 0; k < ARRAY_LEN(octets); k++) {
			const char right = *octets[k];

			*octets[k] = right == '0' ? '1' : '0';
			try_fingerprint(value.buf, "bad-self-signed.pem", true, false);
			*octets[k] = right;
		}
		strbuf_release(&value);
		strbuf_release(&named);
	}
}

static void test_fingerprint_text(void **state)
{
	struct strbuf is = STRBUF_INIT(1000), wanted = STRBUF_INIT(1000);
	struct trial t = { .scene = { .cert = "server.pem" } };

	(void)state;
	certs_need();
	openssl_line(&is, "server.pem", "-sha256");
	openssl_line(&wanted, "bad-expired.pem", "-sha256");
	t.client.fingerprint = wanted.buf;
	assert_int_equal(trial_start(&t), -1);
	assert_text(t.err.text, is.buf);
	assert_text(t.err.text, wanted.buf);
	assert_text(t.err.text, "tls_fingerprint wants");
	trial_end(&t);
	strbuf_release(&is);
	strbuf_release(&wanted);
}

/* --- settings that are wrong: nothing is sent ------------------------------ */

static void test_wrong_settings(void **state)
{
	static const char *const fingerprints[] = {
		"", ":", "aa", "zz", "SHA256:", "SHA1:AA:BB",
		"000102030405060708090a0b0c0d0e", "000102030405060708090a0b0c0d0e0f0",
		"0001020304050607:08090a0b0c0d0e0f:", "0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0",
		"SHA256:000102030405060708090a0b0c0d0e0f",
		"MD5:000102030405060708090a0b0c0d0e0f10111213",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
		"000102030405060708090a0b0c0d0e0g",
		"00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f",
	};
	char ca[128], open_key[128];
	struct strbuf key = STRBUF_INIT(65536);
	struct error err = { 0 };

	(void)state;
	certs_need();
	snprintf(ca, sizeof(ca), "%s", certs_path("ca.pem"));
	snprintf(open_key, sizeof(open_key), "%s", certs_path("open.key"));
	for (size_t i = 0; i < ARRAY_LEN(fingerprints); i++)
		wrong_setting((struct tls_client){ .fingerprint = fingerprints[i] }, EX_CONFIG,
			      "is not 64, 40 or 32 hex digits");
	int fd = open(certs_path("junk.key"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(fs_write_all(fd, "no key\n", 7), 0);
	close(fd);
#define WRONG(exit, words, ...) \
	wrong_setting((struct tls_client){ .verify = true, .trust_file = ca, __VA_ARGS__ }, \
		      exit, words)
	wrong_setting((struct tls_client){ .verify = true, .trust_file = "/nonexistent/ca.pem" },
		      EX_OSFILE, "trust file /nonexistent/ca.pem: No such file");
	wrong_setting((struct tls_client){ .verify = true, .trust_file = "/dev/null" }, EX_CONFIG,
		      "no certificate in trust file /dev/null");
	WRONG(EX_OSFILE, "CRL file /nonexistent/crl", .crl_file = "/nonexistent/crl");
	WRONG(EX_CONFIG, "CRL file", .crl_file = ca);
	WRONG(EX_CONFIG, "wrong from 'GARBAGE'", .priorities = "NORMAL:GARBAGE");
	WRONG(EX_CONFIG, "tls_priorities", .priorities = "");
	WRONG(EX_CONFIG, "cannot open certificate /nonexistent", .cert_file = "/nonexistent");
	WRONG(EX_CONFIG, "does not belong to certificate", .cert_file = certs_path("client.pem"),
	      .key_file = certs_path("server.key"));
	WRONG(EX_CONFIG, "passphrase", .cert_file = certs_path("client.pem"),
	      .key_file = certs_path("encrypted.key"));
	WRONG(EX_CONFIG, "cannot use certificate", .cert_file = certs_path("client.key"),
	      .key_file = certs_path("client.key"));
	WRONG(EX_CONFIG, "cannot use certificate", .cert_file = certs_path("client.pem"),
	      .key_file = certs_path("junk.key"));
	assert_int_equal(fs_read_file(certs_path("client.key"), FS_SECRET, &key, &err), 0);
	fd = open(open_key, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(fs_write_all(fd, key.buf, key.len), 0);
	assert_int_equal(fchmod(fd, 0604), 0);
	close(fd);
	WRONG(EX_CONFIG, "chmod 600", .cert_file = certs_path("client.pem"), .key_file = open_key);
	strbuf_release(&key);
}

/* A key in the same file as its certificate: then that file is the secret. */
static void test_key_in_certificate_file(void **state)
{
	char both[128];
	struct strbuf text = STRBUF_INIT(65536);
	struct error err = { 0 };

	(void)state;
	certs_need();
	snprintf(both, sizeof(both), "%s", certs_path("both.pem"));
	assert_int_equal(fs_read_file(certs_path("client.key"), FS_SECRET, &text, &err), 0);
	int from = fs_open_read(certs_path("client.pem"));

	assert_int_equal(fs_read_fd(from, "client.pem", &text, &err), 0);
	close(from);
	int fd = open(both, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(fs_write_all(fd, text.buf, text.len), 0);
	close(fd);
	struct trial t = {
		.scene = { .cert = "server.pem", .request = GNUTLS_CERT_REQUIRE,
			   .act = ACT_COUNT_CERTS },
		.client = { .verify = true, .cert_file = both },
	};
	char count[4] = "";

	assert_int_equal(trial_start(&t), 0);
	assert_int_equal(read_some(&t, count, sizeof(count)), 1);
	assert_string_equal(count, "1");
	trial_end(&t);
	assert_int_equal(chmod(both, 0644), 0);
	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_CONFIG, "5.3.5", "chmod 600");
	trial_end(&t);
	strbuf_release(&text);
}

/* --- client certificates ---------------------------------------------------- */

static void test_client_certificate(void **state)
{
	static const char *const versions[] = { tls12, tls13 };

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		char cert[128], key[128], count[4] = "";
		struct trial t = {
			.scene = { .cert = "server.pem", .priorities = versions[i],
				   .request = GNUTLS_CERT_REQUEST, .act = ACT_COUNT_CERTS },
			.client = { .verify = true, .cert_file = cert, .key_file = key },
		};

		snprintf(cert, sizeof(cert), "%s", certs_path("client.pem"));
		snprintf(key, sizeof(key), "%s", certs_path("client.key"));
		assert_int_equal(trial_start(&t), 0);
		assert_true(tls_sent_certificate(t.tls));
		assert_int_equal(read_some(&t, count, sizeof(count)), 1);
		assert_string_equal(count, "1");
		trial_end(&t);

		t.scene.request = GNUTLS_CERT_IGNORE;	/* not asked for, not sent */
		assert_int_equal(trial_start(&t), 0);
		assert_false(tls_sent_certificate(t.tls));
		trial_end(&t);

		t.scene.request = GNUTLS_CERT_REQUEST;
		t.client.cert_file = NULL;
		assert_int_equal(trial_start(&t), 0);
		assert_false(tls_sent_certificate(t.tls));
		trial_end(&t);
	}
}

/* In TLS 1.3 the refusal shows at the first read only. */
static void test_client_certificate_wanted(void **state)
{
	char buf[10];
	struct trial t = {
		.scene = { .cert = "server.pem", .request = GNUTLS_CERT_REQUIRE,
			   .priorities = tls13 },
		.client = { .verify = true },
	};

	(void)state;
	certs_need();
	assert_int_equal(trial_start(&t), 0);
	assert_int_equal(read_some(&t, buf, sizeof(buf)), -1);
	assert_error(&t.err, EX_TEMPFAIL, "4.7.5", "set tls_cert_file");
	trial_end(&t);
	t.scene.priorities = tls12;
	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_TEMPFAIL, "4.7.5", "alert");
	trial_end(&t);
}

/* --- handshakes that go wrong ---------------------------------------------- */

/* The peer says text (n octets) whatever comes, then closes after having read a little. */
static int raw_handshake(const char *text, size_t n, bool starttls, struct error *err)
{
	struct tls_client client = {
		.host = "localhost", .verify = true, .trust_file = certs_path("ca.pem"),
		.port = 587, .starttls = starttls,
	};
	struct deadline d = limit_now();
	struct stream *out = NULL;
	int pair[2], status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid_t pid = fork();

	if (pid == 0) {
		char buf[4096];

		alarm(60);
		close(pair[0]);
		if (n && fs_write_all(pair[1], text, n) < 0)
			_exit(1);
		shutdown(pair[1], SHUT_WR);
		while (read(pair[1], buf, sizeof(buf)) > 0)
			;
		_exit(0);
	}
	close(pair[1]);
	struct stream *lower = socket_stream_take(pair[0]);
	int rc = tls_connect(lower, &client, &d, &out, err);

	assert_null(out);
	stream_free(lower);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return rc;
}

static void test_not_tls(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		bool starttls;
		int exit;
		const char *status, *words;
	} cases[] = {
		{ "220 mail.example.org ESMTP\r\n", 28, false, EX_PROTOCOL, "5.7.5",
		  "server on port 587 speaks plain SMTP: use tls = starttls" },
		{ "554 no\r\n", 8, false, EX_PROTOCOL, "5.7.5", "use tls = starttls" },
		{ "421", 3, false, EX_PROTOCOL, "5.7.5", "use tls = starttls" },
		{ "250-mail.example.org\r\n250 AUTH PLAIN\r\n", 38, true, EX_PROTOCOL, "5.7.5",
		  "sent clear text where TLS should begin" },
		{ "HTTP/1.1 400 Bad Request\r\n\r\n", 28, false, EX_PROTOCOL, "5.7.5",
		  "port 587 does not speak TLS" },
		{ "SSH-2.0-OpenSSH_9\r\n", 19, false, EX_PROTOCOL, "5.7.5", "does not speak TLS" },
		{ "\0\0\0\0\0\0\0\0\0\0", 10, false, EX_PROTOCOL, "5.7.5", "does not speak TLS" },
		{ "", 0, false, EX_TEMPFAIL, "4.4.2",
		  "connection closed by the server during the TLS handshake" },
		{ "\x16", 1, false, EX_TEMPFAIL, "4.4.2", "connection closed" },
		{ "\x16\x03\x03\x00\x40\x02\x00", 7, false, EX_TEMPFAIL, "4.4.2",
		  "connection closed" },
		/* fatal alerts: handshake_failure, protocol_version, certificate_required */
		{ "\x15\x03\x03\x00\x02\x02\x28", 7, false, EX_TEMPFAIL, "4.7.5",
		  "the server ended TLS with the alert 'Handshake failed' (40)" },
		{ "\x15\x03\x03\x00\x02\x02\x46", 7, true, EX_TEMPFAIL, "4.7.5", "tls_priorities" },
		{ "\x15\x03\x03\x00\x02\x02\x74", 7, true, EX_TEMPFAIL, "4.7.5", "tls_cert_file" },
		{ "\x15\x03\x03\x00\x02\x02\xfe", 7, true, EX_TEMPFAIL, "4.7.5", "(254)" },
		/* a record of handshake type that is none */
		{ "\x16\x03\x03\x00\x04\xff\x00\x00\x00", 9, false, EX_PROTOCOL, "5.7.5",
		  "TLS failed during the TLS handshake: " },
	};

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = { 0 };

		assert_int_equal(raw_handshake(cases[i].text, cases[i].n, cases[i].starttls, &err),
				 -1);
		assert_error(&err, cases[i].exit, cases[i].status, cases[i].words);
	}
}

/* Silence ends with the deadline, whose text says what was waited for. */
static void test_handshake_timeout(void **state)
{
	struct tls_client client = { .host = "localhost" };
	struct deadline d = { .at = 1, .seconds = 7, .what = "the TLS handshake" };
	struct error err = { 0 };
	struct stream *out = NULL;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct stream *lower = socket_stream_take(pair[0]);

	assert_int_equal(tls_connect(lower, &client, &d, &out, &err), -1);
	assert_error(&err, EX_TEMPFAIL, "4.4.2", "timeout after 7 s waiting for the TLS handshake");
	stream_free(lower);
	close(pair[1]);
}

/* Warning alerts without end do not keep the handshake going for ever. */
static void test_handshake_warnings(void **state)
{
	struct strbuf text = STRBUF_INIT(10000);
	struct error err = { 0 };

	(void)state;
	certs_need();
	for (int i = 0; i < 100; i++)
		strbuf_add(&text, "\x15\x03\x03\x00\x02\x01\x5a", 7);
	assert_int_equal(raw_handshake(text.buf, text.len, false, &err), -1);
	assert_int_equal(err.exit, EX_PROTOCOL);
	strbuf_release(&text);
}

static void test_old_version(void **state)
{
	struct trial t = {
		.scene = { .cert = "server.pem", .priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.1" },
		.client = { .verify = true },
	};

	(void)state;
	certs_need();
	assert_int_equal(trial_start(&t), -1);
	assert_true(t.err.exit == EX_TEMPFAIL || t.err.exit == EX_PROTOCOL);
	assert_text(t.err.text, "tls_priorities");
	assert_int_equal(trial_end(&t), PEER_HANDSHAKE);
}

/* The lower stream's own error comes up unchanged, at whatever octet it strikes. */
static void test_lower_error(void **state)
{
	(void)state;
	certs_need();
	for (int after = 1; after < 600; after += 37) {
		struct deadline d = limit_now();
		struct trial t = {
			.scene = { .cert = "server.pem" }, .client = { .verify = true },
			.dribble = true, .fail_write_after = after,
		};
		int rc = trial_start(&t);

		if (rc == 0)
			rc = stream_write_all(t.tls, "some more octets", 16, &d, &t.err);
		if (rc == 0) {
			char buf[16];

			rc = stream_read_exact(t.tls, buf, 16, &d, &t.err);
		}
		if (rc < 0)
			assert_error(&t.err, EX_TEMPFAIL, "4.4.2", "the cable is cut");
		else
			assert_true(after > 400);
		trial_end(&t);
	}
}

/* What the peer said before nothing could be sent any more is there to be read. */
static void test_read_behind_failed_write(void **state)
{
	static const char much[200000];	/* more than is taken at once */
	unsigned read = 0;

	(void)state;
	certs_need();
	for (int after = 300; after < 900; after += 60) {
		struct deadline d = limit_now();
		struct trial t = {
			.scene = { .cert = "server.pem", .act = ACT_RESUMED },
			.client = { .verify = true },
			.dribble = true, .fail_write_after = after,
		};
		char word[8] = "";

		/* not where our Finished is what cannot be sent */
		if (trial_start(&t) == 0 &&
		    stream_wait(t.tls, STREAM_IN, &d, &t.err) == STREAM_IN) {
			assert_int_equal(stream_write_all(t.tls, much, sizeof(much), &d, &t.err),
					 -1);
			assert_error(&t.err, EX_TEMPFAIL, "4.4.2", "the cable is cut");
			assert_int_equal(stream_read_exact(t.tls, word, 7, &d, &t.err), 0);
			assert_string_equal(word, "full...");
			/* and writing stays what it is */
			assert_int_equal(stream_write_all(t.tls, "x", 1, &d, &t.err), -1);
			assert_error(&t.err, EX_TEMPFAIL, "4.4.2", "the cable is cut");
			read++;
		}
		trial_end(&t);
	}
	assert_true(read > 0);
}

static int setup(void **state)
{
	return tls_peer_load() < 0 ? -1 : certs_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_weak),
		cmocka_unit_test(test_ocsp),
		cmocka_unit_test(test_min_version),
		cmocka_unit_test(test_dns_matches),
		cmocka_unit_test(test_parse_address),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_fingerprint_text),
		cmocka_unit_test(test_wrong_settings),
		cmocka_unit_test(test_key_in_certificate_file),
		cmocka_unit_test(test_client_certificate),
		cmocka_unit_test(test_client_certificate_wanted),
		cmocka_unit_test(test_not_tls),
		cmocka_unit_test(test_handshake_timeout),
		cmocka_unit_test(test_handshake_warnings),
		cmocka_unit_test(test_old_version),
		cmocka_unit_test(test_lower_error),
		cmocka_unit_test(test_read_behind_failed_write),
	};

	return cmocka_run_group_tests(tests, setup, certs_teardown);
}
