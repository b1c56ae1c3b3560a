#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certs.h"
#include "tls/certificate.h"
#include "tls/gnutls_api.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/proc.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/* --- certificates of the folder ------------------------------------------ */

enum { CHAIN_MAX = 4 };

struct chain {
	gnutls_datum_t der[CHAIN_MAX];
	unsigned n;
};

static void read_file(const char *name, struct strbuf *out)
{
	struct error err = { 0 };
	int fd = fs_open_read(certs_path(name));

	assert_true(fd >= 0);
	assert_int_equal(fs_read_fd(fd, name, out, &err), 0);
	close(fd);
}

/* Base64 of one block, without its line ends, in DER. */
static void decode_body(const struct octets *body, struct strbuf *out)
{
	struct strbuf plain = STRBUF_INIT(1 << 16);

	for (size_t i = 0; i < body->n; i++) {
		if (body->data[i] != '\n')
			strbuf_addch(&plain, (char)body->data[i]);
	}
	assert_int_equal(base64_decode(out, plain.buf, plain.len), 0);
	strbuf_release(&plain);
}

static void chain_load(struct chain *c, const char *name)
{
	struct strbuf text = STRBUF_INIT(1 << 20);
	struct octets block, body;

	read_file(name, &text);
	const char *pos = text.buf;

	while (certificate_next_pem(&pos, text.buf + text.len, &block, &body)) {
		struct strbuf der = STRBUF_INIT(1 << 16);

		assert_in_range(c->n, 0, CHAIN_MAX - 1);
		decode_body(&body, &der);
		c->der[c->n].size = (unsigned)der.len;
		c->der[c->n++].data = (unsigned char *)strbuf_detach(&der);
	}
	assert_in_range(c->n, 1, CHAIN_MAX);
	strbuf_release(&text);
}

static void chain_free(struct chain *c)
{
	for (unsigned i = 0; i < c->n; i++)
		xfree(c->der[i].data);
}

/* What a command with a file of the folder in it prints, without the end of its last line. */
static void run(struct strbuf *out, const char *command, const char *file, const char *rest)
{
	char shell[] = "/bin/sh", option[] = "-c", line[1024];
	char *const argv[] = { shell, option, line, NULL };
	struct error err = { 0 };

	snprintf(line, sizeof(line), "%s %s %s", command, certs_path(file), rest);
	if (proc_capture(argv, 60, out, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	if (out->len && out->buf[out->len - 1] == '\n')
		strbuf_truncate(out, out->len - 1);
}

/* --- the walk through a certificate --------------------------------------- */

static void test_names(void **state)
{
	struct chain c = { 0 };
	struct octets issuer, subject;

	(void)state;
	certs_need();
	chain_load(&c, "chain.pem");
	assert_int_equal(certificate_names(c.der[0].data, c.der[0].size, &issuer, &subject), 0);
	assert_int_equal(issuer.data[0], 0x30);
	assert_int_equal(issuer.data[1], issuer.n - 2);
	assert_memory_equal(issuer.data + issuer.n - 17, "Test Intermediate", 17);
	assert_memory_equal(subject.data + subject.n - 9, "localhost", 9);
	assert_int_equal(certificate_names(c.der[1].data, c.der[1].size, &issuer, &subject), 0);
	assert_memory_equal(issuer.data + issuer.n - 7, "Test CA", 7);
	/* cut at each octet: never beyond the end (the copy is as long as it says) */
	for (size_t n = 0; n < c.der[0].size; n++) {
		unsigned char *copy = xmalloc(n);

		memcpy(copy, c.der[0].data, n);
		assert_int_equal(certificate_names(copy, n, &issuer, &subject), -1);
		xfree(copy);
	}
	chain_free(&c);
}

/* Each octet of the head set to each of a few values: no access outside, names stay inside. */
static void test_names_damaged(void **state)
{
	static const unsigned char values[] = { 0, 1, 0x1f, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x84,
						0x85, 0xa0, 0xff };
	struct chain c = { 0 };

	(void)state;
	certs_need();
	chain_load(&c, "ca.pem");
	size_t n = c.der[0].size;
	unsigned char *copy = xmalloc(n);

	for (size_t at = 0; at < n && at < 160; at++) {
		for (size_t v = 0; v < sizeof(values); v++) {
			struct octets issuer, subject;

			memcpy(copy, c.der[0].data, n);
			copy[at] = values[v];
			if (certificate_names(copy, n, &issuer, &subject) < 0)
				continue;
			assert_true(issuer.data > copy && issuer.data + issuer.n < copy + n);
			assert_true(subject.data > copy && subject.data + subject.n < copy + n);
		}
	}
	xfree(copy);
	chain_free(&c);
}

static void test_names_crafted(void **state)
{
	static const struct {
		const char *der;
		size_t n;
		int rc;
	} cases[] = {
		{ "", 0, -1 },
		{ "\x30", 1, -1 },
		{ "\x30\x80", 2, -1 },				/* indefinite length */
		{ "\x30\x85\x01\x01\x01\x01\x01", 7, -1 },	/* length of five octets */
		{ "\x30\x84\xff\xff\xff\xff", 6, -1 },
		{ "\x3f\x01\x00", 3, -1 },			/* high tag number */
		/* version 1 has no [0]; all parts empty */
		{ "\x30\x0e\x30\x0c\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00\x00\x00", 16, 0 },
		{ "\x30\x0c\x30\x0a\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00", 14, 0 },
		{ "\x30\x0c\x30\x0a\x02\x00\x30\x00\x30\x00\x30\x00\x30\x01", 14, -1 },
		{ "\x30\x0c\x30\x08\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00", 14, -1 },
		{ "\x30\x0c\x31\x0a\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00", 14, -1 },
		{ "\x30\x0c\x30\x0a\x03\x00\x30\x00\x30\x00\x30\x00\x30\x00", 14, -1 },
		{ "\x30\x0e\x30\x0c\xa0\x00\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00", 16, 0 },
		/* lengths in long form, longer than they need to be */
		{ "\x30\x82\x00\x0d\x30\x81\x0a\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00", 17, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct octets issuer, subject;
		unsigned char *copy = xmalloc(cases[i].n);

		memcpy(copy, cases[i].der, cases[i].n);
		if (certificate_names(copy, cases[i].n, &issuer, &subject) != cases[i].rc)
			fail_msg("case %zu", i);
		xfree(copy);
	}
}

/* --- the public key ------------------------------------------------------- */

/* As openssl writes it, to the octet. */
static void test_public_key(void **state)
{
	static const char *const files[] = { "server.pem", "rsa.pem", "ca.pem",
					     "bad-nul.pem", "bad-expired.pem" };

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct strbuf key = STRBUF_INIT(1 << 16);
		struct chain c = { 0 };
		struct octets found;

		chain_load(&c, files[i]);
		run(&key, "openssl x509 -in", files[i],
		    "-noout -pubkey | openssl pkey -pubin -outform DER | base64 -w0");
		struct octets body = { (unsigned char *)key.buf, key.len };
		struct strbuf der = STRBUF_INIT(1 << 16);

		decode_body(&body, &der);
		assert_int_equal(certificate_public_key(c.der[0].data, c.der[0].size, &found), 0);
		assert_int_equal(found.n, der.len);
		assert_memory_equal(found.data, der.buf, der.len);
		for (size_t n = 0; n < c.der[0].size; n++) {
			unsigned char *copy = xmalloc(n);

			memcpy(copy, c.der[0].data, n);
			assert_int_equal(certificate_public_key(copy, n, &found), -1);
			xfree(copy);
		}
		strbuf_release(&key);
		strbuf_release(&der);
		chain_free(&c);
	}
}

/* What follows a TBSCertificate that ends early is not its key. */
static void test_public_key_inside(void **state)
{
	static const char outside[] =
		"\x30\x10\x30\x0a\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00\x30\x02\x05\x00";
	static const char inside[] =
		"\x30\x10\x30\x0e\x02\x00\x30\x00\x30\x00\x30\x00\x30\x00\x30\x02\x05\x00";
	struct octets key;

	(void)state;
	assert_int_equal(certificate_public_key(outside, sizeof(outside) - 1, &key), -1);
	assert_int_equal(certificate_public_key(inside, sizeof(inside) - 1, &key), 0);
	assert_int_equal(key.n, 4);
	assert_memory_equal(key.data, inside + 14, 4);
}

/* --- names for files ------------------------------------------------------ */

static void hash_of(const struct octets *name, char out[9])
{
	struct strbuf canonical = STRBUF_INIT(1 << 16);
	unsigned char hash[20];
	size_t n = sizeof(hash);

	assert_int_equal(certificate_canonical_name(name, &canonical), 0);
	gnutls_datum_t data = { (unsigned char *)canonical.buf, (unsigned)canonical.len };

	assert_int_equal(gtls.fingerprint(GNUTLS_DIG_SHA1, &data, hash, &n), 0);
	snprintf(out, 9, "%02x%02x%02x%02x", hash[3], hash[2], hash[1], hash[0]);
	strbuf_release(&canonical);
}

static void compare_hash(const char *file)
{
	struct strbuf wanted = STRBUF_INIT(100);
	struct octets issuer, subject;
	struct chain c = { 0 };
	char hash[9];

	chain_load(&c, file);
	assert_int_equal(certificate_names(c.der[0].data, c.der[0].size, &issuer, &subject), 0);
	hash_of(&subject, hash);
	run(&wanted, "openssl x509 -in", file, "-noout -subject_hash");
	if (strcmp(hash, wanted.buf) != 0)
		fail_msg("%s: %s, and openssl says %s", file, hash, wanted.buf);
	strbuf_reset(&wanted);
	hash_of(&issuer, hash);
	run(&wanted, "openssl x509 -in", file, "-noout -issuer_hash");
	assert_string_equal(hash, wanted.buf);
	strbuf_release(&wanted);
	chain_free(&c);
}

/* The hash is openssl's, whose tools lay the links. */
static void test_hash(void **state)
{
	static const char *const subjects[] = {
		"/CN=Plain", "/C=DE/O=Some Company/CN=Its CA 1", "/CN=  blanks   in  it  ",
		"/O=ACME, Inc./CN=\"quoted\" ; x", "/CN=MiXeD cAsE 0123456789",
		"/CN=M\xc3\xbcller \xc3\x84\xc3\x96", "/emailAddress=CA@Example.ORG/CN=a b",
		"/DC=org/DC=example/CN=x",
		"/O=0123456789012345678901234567890123456789012345678901234567890123/CN=a/OU=b",
	};

	(void)state;
	certs_need();
	compare_hash("server.pem");
	compare_hash("ca.pem");
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++) {
		struct strbuf out = STRBUF_INIT(1 << 16);
		char command[512];

		snprintf(command, sizeof(command), "openssl req -x509 -new -utf8 -subj '%s' -key "
			 "'%s' -out", subjects[i], certs_path("server.key"));
		run(&out, command, "hashed.pem", "2>&1");
		compare_hash("hashed.pem");
		strbuf_release(&out);
	}
}

/* What would need more than this is left to the reading of all files. */
static void test_canonical_refused(void **state)
{
	static const struct {
		const char *der;
		size_t n;
	} cases[] = {
		{ "", 0 }, { "\x30", 1 }, { "\x31\x00", 2 }, { "\x30\x00\x00", 3 },
		{ "\x30\x02\x31\x00", 4 },			/* an empty set */
		{ "\x30\x02\x30\x00", 4 },			/* no set */
		/* a set of two */
		{ "\x30\x14\x31\x12\x30\x07\x06\x01\x2a\x0c\x02zz"
		  "\x30\x07\x06\x01\x2a\x0c\x02zz", 22 },
		/* BMPString, TeletexString, UniversalString; 8-bit PrintableString */
		{ "\x30\x0b\x31\x09\x30\x07\x06\x01\x2a\x1e\x02\0z", 13 },
		{ "\x30\x0b\x31\x09\x30\x07\x06\x01\x2a\x14\x02zz", 13 },
		{ "\x30\x0d\x31\x0b\x30\x09\x06\x01\x2a\x1c\x04\0\0\0z", 15 },
		{ "\x30\x0b\x31\x09\x30\x07\x06\x01\x2a\x13\x02z\xe4", 13 },
		{ "\x30\x0b\x31\x09\x30\x07\x06\x01\x2a\x0c\x01zz", 13 },	/* rest */
	};
	struct strbuf out = STRBUF_INIT(1000);
	struct octets good = { (const unsigned char *)
			       "\x30\x0b\x31\x09\x30\x07\x06\x01\x2a\x13\x02Z ", 13 };

	(void)state;
	strbuf_addstr(&out, "before");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct octets name = { (const unsigned char *)cases[i].der, cases[i].n };

		if (certificate_canonical_name(&name, &out) != -1)
			fail_msg("case %zu", i);
		assert_string_equal(out.buf, "before");
	}
	strbuf_reset(&out);
	assert_int_equal(certificate_canonical_name(&good, &out), 0);
	assert_int_equal(out.len, 10);
	assert_memory_equal(out.buf, "\x31\x08\x30\x06\x06\x01\x2a\x0c\x01z", 10);
	strbuf_release(&out);
}

/* --- PEM ------------------------------------------------------------------ */

/* One reader for many: what it knew of the one before does not count for the next. */
static void test_subject_among(void **state)
{
	struct certificate_reader *r = certificate_reader_new();
	struct strbuf text = STRBUF_INIT(1 << 20);
	struct octets block, body, issuer, subject;
	struct chain c = { 0 };
	unsigned found = 0, seen = 0;

	(void)state;
	certs_need();
	chain_load(&c, "server.pem");
	assert_int_equal(certificate_names(c.der[0].data, c.der[0].size, &issuer, &subject), 0);
	read_file("bundle.pem", &text);
	const char *pos = text.buf;

	while (certificate_next_pem(&pos, text.buf + text.len, &block, &body)) {
		seen++;
		found += certificate_subject_among(r, &body, &issuer, 1);
		assert_false(certificate_subject_among(r, &body, &issuer, 0));
		assert_false(certificate_subject_among(r, &body, &subject, 1));
	}
	assert_int_equal(seen, 61);
	assert_int_equal(found, 1);
	struct octets junk = { (const unsigned char *)"####", 4 };

	assert_true(certificate_subject_among(r, &junk, &issuer, 1));
	certificate_reader_free(r);
	certificate_reader_free(NULL);
	strbuf_release(&text);
	chain_free(&c);
}

static int setup(void **state)
{
	struct error err = { 0 };

	if (gnutls_api_load(&err) < 0)
		return -1;
	return certs_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_damaged),
		cmocka_unit_test(test_names_crafted),
		cmocka_unit_test(test_public_key),
		cmocka_unit_test(test_public_key_inside),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_canonical_refused),
		cmocka_unit_test(test_subject_among),
	};

	return cmocka_run_group_tests(tests, setup, certs_teardown);
}
