#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tls/tls.h"
#include "tls_peer.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/strvec.h"

/* What is found of a peer with that certificate. */
struct one {
	const char *cert, *staple, *priorities;
	bool verify;
	bool version_13, verified, stapled, staple_good, self_signed;
	size_t chain_n;
	const char *chain, *names, *first_name;
	int64_t days_from, days_to;	/* days_left is among them */
};

static const struct one cases[] = {
	{ .cert = "server.pem", .verify = true, .version_13 = true, .verified = true,
	  .chain_n = 1, .chain = "CN=localhost, by CN=Test CA",
	  .names = "localhost, 127.0.0.1, ::1", .first_name = "localhost", .days_from = 88,
	  .days_to = 90 },
	{ .cert = "server.pem", .priorities = tls12, .verify = true, .verified = true,
	  .chain_n = 1, .chain = "CN=localhost, by CN=Test CA",
	  .names = "localhost, 127.0.0.1, ::1", .first_name = "localhost", .days_from = 88,
	  .days_to = 90 },
	{ .cert = "chain.pem", .verify = true, .version_13 = true, .verified = true, .chain_n = 2,
	  .chain = "CN=localhost, by CN=Test Intermediate, by CN=Test CA",
	  .names = "localhost, 127.0.0.1, ::1", .first_name = "localhost", .days_from = 88,
	  .days_to = 90 },
	{ .cert = "server.pem", .staple = "staple-good.der", .verify = true, .version_13 = true,
	  .verified = true, .stapled = true, .staple_good = true, .chain_n = 1,
	  .chain = "CN=localhost, by CN=Test CA", .names = "localhost, 127.0.0.1, ::1",
	  .first_name = "localhost", .days_from = 88, .days_to = 90 },
	/* what nobody has verified is told all the same, and not as verified */
	{ .cert = "bad-expired.pem", .version_13 = true, .chain_n = 1,
	  .chain = "CN=localhost, by CN=Test CA", .names = "localhost, 127.0.0.1, ::1",
	  .first_name = "localhost", .days_from = -2, .days_to = -1 },
	{ .cert = "bad-self-signed.pem", .version_13 = true, .self_signed = true, .chain_n = 1,
	  .chain = "CN=localhost, self-signed", .names = "localhost, 127.0.0.1, ::1",
	  .first_name = "localhost", .days_from = 88, .days_to = 90 },
	{ .cert = "bad-common-name.pem", .version_13 = true, .chain_n = 1,
	  .chain = "CN=localhost, by CN=Test CA", .names = "", .days_from = 88, .days_to = 90 },
	/* octets that a terminal must not see are escaped */
	{ .cert = "bad-nul.pem", .version_13 = true, .chain_n = 1,
	  .chain = "CN=localhost, by CN=Test CA", .names = "localhost\\x00.example.com",
	  .first_name = "localhost\\x00.example.com", .days_from = 88, .days_to = 90 },
};

static void check_one(const struct one *c, const struct tls_facts *f)
{
	assert_int_equal(f->version_13, c->version_13);
	assert_int_equal(f->verified, c->verified);
	assert_false(f->pinned);
	assert_false(f->dane);
	assert_int_equal(f->stapled, c->stapled);
	assert_int_equal(f->staple_good, c->staple_good);
	assert_int_equal(f->self_signed, c->self_signed);
	assert_int_equal(f->chain_n, c->chain_n);
	assert_string_equal(f->chain, c->chain);
	assert_string_equal(f->names, c->names);
	if (c->first_name)
		assert_string_equal(f->first_name, c->first_name);
	else
		assert_null(f->first_name);
	assert_in_range(f->days_left + 1000, c->days_from + 1000, c->days_to + 1000);
	assert_text(f->pin, "spki-sha256:");
	assert_text(f->until, "20");
	assert_null(f->our_chain);
}

static void test_peers(void **state)
{
	certs_need();
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct trial t = { .scene = { .cert = cases[i].cert, .staple = cases[i].staple,
					      .priorities = cases[i].priorities },
				   .client = { .verify = cases[i].verify } };
		struct arena *a = arena_new();
		struct tls_facts f;

		assert_int_equal(trial_start(&t), 0);
		tls_facts(t.tls, a, &f);
		check_one(&cases[i], &f);
		trial_end(&t);
		arena_free(a);
	}
}

/* Accepted by the pin that it tells, and by no chain. */
static void test_pinned(void **state)
{
	struct trial t = { .scene = { .cert = "bad-self-signed.pem" } };
	struct arena *a = arena_new();
	struct tls_facts f;
	const char *pins[2] = { NULL, NULL };

	certs_need();
	(void)state;
	assert_int_equal(trial_start(&t), 0);
	tls_facts(t.tls, a, &f);
	trial_end(&t);
	pins[0] = f.pin;
	t.client = (struct tls_client){ .verify = true, .pins = pins };
	assert_int_equal(trial_start(&t), 0);
	tls_facts(t.tls, a, &f);
	assert_true(f.pinned);
	assert_false(f.verified);
	assert_string_equal(f.pin, pins[0]);
	trial_end(&t);
	arena_free(a);
}

static void test_ours(void **state)
{
	const char *cert = certs_path("client.pem"), *key = certs_path("client.key");
	struct trial t = { .scene = { .cert = "server.pem", .request = GNUTLS_CERT_REQUEST },
			   .client = { .verify = true, .cert_file = cert, .key_file = key } };
	struct arena *a = arena_new();
	struct tls_facts f;

	certs_need();
	(void)state;
	assert_int_equal(trial_start(&t), 0);
	tls_facts(t.tls, a, &f);
	assert_string_equal(f.our_chain, "CN=client, by CN=Test CA");
	assert_in_range(f.our_days_left, 88, 90);
	assert_text(f.our_until, "20");
	trial_end(&t);
	arena_free(a);
}

/* What was sent, as it stands in the server's file. */
static void test_chain_as_pem(void **state)
{
	struct trial t = { .scene = { .cert = "chain.pem" }, .client = { .verify = true } };
	struct strvec chain = STRVEC_INIT(10);
	struct strbuf file = STRBUF_INIT(65536), sent = STRBUF_INIT(65536);
	struct error err;

	certs_need();
	(void)state;
	assert_int_equal(fs_read_file(certs_path("chain.pem"), 0, &file, &err), 0);
	assert_int_equal(trial_start(&t), 0);
	tls_add_peer_chain(t.tls, &chain);
	assert_int_equal(chain.n, 2);
	strbuf_addf(&sent, "%s%s", chain.v[0], chain.v[1]);
	assert_string_equal(sent.buf, file.buf);
	trial_end(&t);
	strvec_release(&chain);
	strbuf_release(&file);
	strbuf_release(&sent);
}

static int setup(void **state)
{
	return tls_peer_load() < 0 ? -1 : certs_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_chain_as_pem),
		cmocka_unit_test(test_ours),
	};

	return cmocka_run_group_tests(tests, setup, certs_teardown);
}
