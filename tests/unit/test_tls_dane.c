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
#include "tls/certificate.h"
#include "tls/tls.h"
#include "tls_peer.h"

enum { CHAIN_MAX = 4, RECORDS_MAX = 4 };

/* --- making records of certificates -------------------------------------- */

static void load_der(const char *name, unsigned which, struct strbuf *out)
{
	struct strbuf text = STRBUF_INIT(1 << 20);
	struct octets block = { NULL, 0 }, body;
	struct error err = { 0 };
	gnutls_datum_t der;
	int fd = fs_open_read(certs_path(name));

	assert_int_equal(fs_read_fd(fd, name, &text, &err), 0);
	close(fd);
	const char *pos = text.buf;

	for (unsigned i = 0; i <= which; i++)
		assert_true(certificate_next_pem(&pos, text.buf + text.len, &block, &body));
	gnutls_datum_t pem = { (unsigned char *)(uintptr_t)block.data, (unsigned)block.n };

	assert_int_equal(gnutls_rare_load(&err), 0);
	assert_int_equal(gtls_rare.pem_base64_decode2("CERTIFICATE", &pem, &der), 0);
	strbuf_add(out, der.data, der.size);
	(*gtls.free_memory)(der.data);
	strbuf_release(&text);
}

/* The record for the certificate number which of a file; its data is in *data. */
static struct tlsa make_record(unsigned usage, unsigned selector, unsigned matching,
			       const char *name, unsigned which, struct strbuf *data)
{
	struct strbuf der = STRBUF_INIT(1 << 16);
	unsigned char hash[64];
	size_t n = sizeof(hash);
	struct octets key;

	load_der(name, which, &der);
	gnutls_datum_t what = { (unsigned char *)der.buf, (unsigned)der.len };

	if (selector == TLSA_PUBLIC_KEY) {
		assert_int_equal(certificate_public_key(der.buf, der.len, &key), 0);
		what = (gnutls_datum_t){ (unsigned char *)(uintptr_t)key.data, (unsigned)key.n };
	}
	strbuf_reset(data);
	if (matching == TLSA_FULL) {
		strbuf_add(data, what.data, what.size);
	} else {
		assert_int_equal(gtls.fingerprint(matching == TLSA_SHA256 ? GNUTLS_DIG_SHA256 :
						  GNUTLS_DIG_SHA512, &what, hash, &n), 0);
		strbuf_add(data, hash, n);
	}
	strbuf_release(&der);
	return (struct tlsa){ usage, selector, matching, (unsigned char *)data->buf, data->len };
}

/* --- one record against one server ---------------------------------------- */

static void try_records(const struct tlsa *records, size_t n, const char *cert, const char *host,
			const char *trust, const char *words)
{
	struct trial t = {
		.scene = { .cert = cert },
		.client = { .host = host, .verify = true, .trust_file = trust,
			    .tlsa = records, .tlsa_n = n },
	};
	int rc = trial_start(&t);

	if ((rc == 0) != !words)
		fail_msg("%s as %s with %u %u %u: %s", cert, host, records->usage,
			 records->selector, records->matching, rc < 0 ? t.err.text : "accepted");
	if (rc == 0) {
		assert_true(tls_verified(t.tls));
		echo_once(&t);
		trial_end(&t);
		return;
	}
	assert_error(&t.err, EX_TEMPFAIL, "4.7.5", words);
	assert_int_equal(trial_end(&t), PEER_HANDSHAKE);
}

struct usage_case {
	unsigned usage;
	const char *of;		/* file and number of the certificate that the record is of */
	unsigned which;
	const char *cert, *host;	/* the server's; NULL = localhost */
	bool good;
};

/*
 * chain.pem: leaf, intermediate, below ca.pem, which is in the trust file.
 * All leaves have one key, so those that must fail are of another file only
 * for selector 0; the table of selectors is gone through for those that fit.
 */
static const struct usage_case usages[] = {
	/* DANE-EE: nothing but the certificate counts */
	{ TLSA_DANE_EE, "server.pem", 0, "server.pem", NULL, true },
	{ TLSA_DANE_EE, "bad-expired.pem", 0, "bad-expired.pem", NULL, true },
	{ TLSA_DANE_EE, "bad-self-signed.pem", 0, "bad-self-signed.pem", "a.example", true },
	{ TLSA_DANE_EE, "ca.pem", 0, "server.pem", NULL, false },
	{ TLSA_DANE_EE, "chain.pem", 1, "chain.pem", NULL, false },
	/* DANE-TA: chain to it, name, time and purpose */
	{ TLSA_DANE_TA, "chain.pem", 1, "chain.pem", NULL, true },
	{ TLSA_DANE_TA, "chain.pem", 1, "chain.pem", "a.example", false },
	{ TLSA_DANE_TA, "chain.pem", 0, "chain.pem", NULL, false },
	{ TLSA_DANE_TA, "ca2.pem", 0, "chain.pem", NULL, false },
	{ TLSA_DANE_TA, "peers/mid-root.pem", 2, "peers/mid-root.pem", NULL, true },
	{ TLSA_DANE_TA, "bad-expired-intermediate.pem", 1, "bad-expired-intermediate.pem", NULL,
	  false },
	{ TLSA_DANE_TA, "bad-constraint.pem", 1, "bad-constraint.pem", NULL, false },
	/* a certificate that is sent along, but has signed nothing of it */
	{ TLSA_DANE_TA, "peers/stray.pem", 2, "peers/stray.pem", NULL, false },
	/* PKIX-EE and PKIX-TA: the usual verification as well */
	{ TLSA_PKIX_EE, "server.pem", 0, "server.pem", NULL, true },
	{ TLSA_PKIX_EE, "bad-expired.pem", 0, "bad-expired.pem", NULL, false },
	{ TLSA_PKIX_EE, "server.pem", 0, "server.pem", "a.example", false },
	{ TLSA_PKIX_TA, "chain.pem", 1, "chain.pem", NULL, true },
	{ TLSA_PKIX_TA, "ca.pem", 0, "server.pem", NULL, true },	/* only the store has it */
	{ TLSA_PKIX_TA, "ca.pem", 0, "chain.pem", NULL, true },
	{ TLSA_PKIX_TA, "ca2.pem", 0, "server.pem", NULL, false },
	{ TLSA_PKIX_TA, "peers/stray.pem", 2, "peers/stray.pem", NULL, false },
	{ TLSA_PKIX_TA, "chain.pem", 1, "chain.pem", "a.example", false },
	{ 4, "server.pem", 0, "server.pem", NULL, false },
	{ 255, "server.pem", 0, "server.pem", NULL, false },
};

static void try_usage(const struct usage_case *c, unsigned selector, unsigned matching)
{
	struct strbuf data = STRBUF_INIT(1 << 16);
	struct tlsa record = make_record(c->usage, selector, matching, c->of, c->which, &data);

	try_records(&record, 1, c->cert, c->host ? c->host : "localhost", certs_path("ca.pem"),
		    c->good ? NULL : "no TLSA record (DANE) fits the certificate of ");
	strbuf_release(&data);
}

static void test_usages(void **state)
{
	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
		try_usage(&usages[i], TLSA_CERTIFICATE, TLSA_SHA256);
		/* leaves share their key, and the twin of stray.pem is the CA's: only the rest */
		if (strstr(usages[i].of, "stray") || strstr(usages[i].of, "chain.pem"))
			continue;
		try_usage(&usages[i], TLSA_PUBLIC_KEY, TLSA_SHA256);
	}
}

/* Every selector with every matching type: it fits, and with one octet changed it does not. */
static void test_selectors(void **state)
{
	(void)state;
	certs_need();
	for (unsigned i = 0; i < 6; i++) {
		struct strbuf data = STRBUF_INIT(1 << 16);
		struct tlsa r = make_record(TLSA_DANE_EE, i % 2, i / 2, "server.pem", 0, &data);

		try_records(&r, 1, "server.pem", "localhost", "/dev/null", NULL);
		data.buf[data.len - 1] ^= 1;
		try_records(&r, 1, "server.pem", "localhost", "/dev/null", "no TLSA record");
		data.buf[data.len - 1] ^= 1;
		r.n--;
		try_records(&r, 1, "server.pem", "localhost", "/dev/null", "no TLSA record");
		strbuf_release(&data);
	}
	for (unsigned i = 0; i < 6; i++) {
		struct strbuf data = STRBUF_INIT(1 << 16);
		struct tlsa r = make_record(TLSA_DANE_TA, i % 2, i / 2, "peers/mid-root.pem", 2,
					    &data);

		try_records(&r, 1, "peers/mid-root.pem", "localhost", "/dev/null", NULL);
		strbuf_release(&data);
	}
}

/* A trust anchor that the server does not send may stand in the record itself: RFC 7671, 5.2. */
static void test_anchor_in_record(void **state)
{
	struct strbuf data = STRBUF_INIT(1 << 16);
	struct tlsa r;

	(void)state;
	certs_need();
	r = make_record(TLSA_DANE_TA, TLSA_CERTIFICATE, TLSA_FULL, "ca.pem", 0, &data);
	try_records(&r, 1, "server.pem", "localhost", certs_path("ca2.pem"), NULL);
	try_records(&r, 1, "bad-unknown-ca.pem", "localhost", certs_path("ca2.pem"), "no TLSA");
	data.buf[20] ^= 1;
	try_records(&r, 1, "server.pem", "localhost", certs_path("ca2.pem"), "no TLSA");
	strbuf_release(&data);
}

/* One of several is enough; of those that do not fit, all are told. */
static void test_several(void **state)
{
	struct strbuf data[3] = { STRBUF_INIT(1 << 16), STRBUF_INIT(1 << 16),
				  STRBUF_INIT(1 << 16) };
	struct tlsa r[3];

	(void)state;
	certs_need();
	r[0] = make_record(TLSA_DANE_EE, 0, 1, "ca2.pem", 0, &data[0]);
	r[1] = make_record(TLSA_DANE_TA, 0, 1, "ca2.pem", 0, &data[1]);
	r[2] = make_record(TLSA_DANE_EE, 1, 1, "server.pem", 0, &data[2]);
	try_records(r, 3, "server.pem", "localhost", certs_path("ca2.pem"), NULL);
	try_records(r, 2, "server.pem", "localhost", certs_path("ca2.pem"),
		    "the records are 3 0 1");
	try_records(r, 2, "server.pem", "localhost", certs_path("ca2.pem"), ", 2 0 1 ");
	/* what it is, in the form of a record */
	struct trial t = { .scene = { .cert = "server.pem" },
			   .client = { .verify = true, .tlsa = r, .tlsa_n = 2 } };
	struct strbuf is = STRBUF_INIT(1000);

	assert_int_equal(trial_start(&t), -1);
	strbuf_addstr(&is, "it is 3 1 1 ");
	for (size_t i = 0; i < 32; i++)
		strbuf_addf(&is, "%02x", (unsigned char)data[2].buf[i]);
	assert_text(t.err.text, is.buf);
	trial_end(&t);
	strbuf_release(&is);
	for (size_t i = 0; i < 3; i++)
		strbuf_release(&data[i]);
}

/* A pin does not take the place of a record: both have to fit. */
static void test_with_pin(void **state)
{
	struct strbuf data = STRBUF_INIT(1 << 16);
	char good[256], bad[256];
	const char *pins[] = { NULL, NULL };
	struct trial t = { .scene = { .cert = "server.pem" }, .client = { .pins = pins } };
	struct tlsa r;

	(void)state;
	certs_need();
	snprintf(good, sizeof(good), "file:%s", certs_path("server.pem"));
	snprintf(bad, sizeof(bad), "file:%s", certs_path("rsa.pem"));
	r = make_record(TLSA_DANE_EE, 1, 1, "server.pem", 0, &data);
	t.client.tlsa = &r;
	t.client.tlsa_n = 1;
	pins[0] = good;
	assert_int_equal(trial_start(&t), 0);
	trial_end(&t);
	pins[0] = bad;
	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "tls_pin wants");
	trial_end(&t);
	pins[0] = good;
	data.buf[0] ^= 1;
	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_TEMPFAIL, "4.7.5", "no TLSA record");
	trial_end(&t);
	strbuf_release(&data);
}

/* RFC 7672, section 3.2.2: the name of the record or the one that was asked for. */
static void test_also_host(void **state)
{
	struct strbuf data = STRBUF_INIT(1 << 16);
	struct trial t = { .scene = { .cert = "chain.pem" },
			   .client = { .host = "base.example", .also_host = "localhost",
				       .verify = true } };
	struct tlsa r;

	(void)state;
	certs_need();
	r = make_record(TLSA_DANE_TA, 0, 1, "chain.pem", 1, &data);
	t.client.tlsa = &r;
	t.client.tlsa_n = 1;
	assert_int_equal(trial_start(&t), 0);
	trial_end(&t);
	strbuf_release(&data);
}

static int setup(void **state)
{
	return tls_peer_load() < 0 ? -1 : certs_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usages),
		cmocka_unit_test(test_selectors),
		cmocka_unit_test(test_anchor_in_record),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_with_pin),
		cmocka_unit_test(test_also_host),
	};

	return cmocka_run_group_tests(tests, setup, certs_teardown);
}
