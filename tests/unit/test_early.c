#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "smtp/session.h"
#include "smtp_peer.h"

#define EHLO "EHLO client.example.org\r\n"
#define INVITES "S: 250-peer.example.org\n250-PIPELINING\n250 PIPECONNECT"

/* What is remembered, and what the session has to say about it. */
struct memory {
	struct early_memory fns;
	bool known;
	unsigned kept, forgotten;
};

static bool invited(void *ctx)
{
	const struct memory *m = ctx;

	return m->known;
}

static void note(void *ctx, bool yes)
{
	struct memory *m = ctx;

	m->kept += yes;
	m->forgotten += !yes;
}

static struct peer *prepare(struct memory *m, bool known)
{
	struct peer *p = peer_new();

	*m = (struct memory){ .fns = { invited, note, m }, .known = known };
	p->opt.early = &m->fns;
	return p;
}

/* EHLO and nothing else goes before the greeting: one wait for both. */
static void test_ahead(void **state)
{
	(void)state;
	struct memory m;
	struct peer *p = prepare(&m, true);

	script(p, "C: " EHLO, "S: 220 peer.example.org", INVITES);
	assert_int_equal(peer_open(p), 0);
	assert_string_equal(p->written.buf, EHLO);
	assert_int_equal(memory_writes(p->stream), 1);
	assert_in_range(memory_waits(p->stream), 0, 1);
	assert_true(session_has(&p->session, EXT_PIPELINING));
	assert_int_equal(m.kept, 1);
	peer_free(p);
}

/* Nothing is assumed of the reply: today the server announces something else. */
static void test_changed(void **state)
{
	(void)state;
	struct memory m;
	struct peer *p = prepare(&m, true);

	script(p, "C: " EHLO, "S: 220 p", "S: 250-p\n250 SIZE 100");
	assert_int_equal(peer_open(p), 0);
	assert_false(session_has(&p->session, EXT_PIPELINING));
	assert_true(session_has(&p->session, EXT_SIZE));
	assert_int_equal(m.kept, 0);
	assert_int_equal(m.forgotten, 1);
	peer_free(p);
}

/* Not without an invitation, nor with HELO or LHLO. */
static void test_not_ahead(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct memory m;
		struct peer *p = prepare(&m, i > 0);

		if (i == 1)
			p->account.protocol = PROTOCOL_LMTP;
		assert_int_equal(session_open(&p->session, p->wire, &p->opt, i == 2, &p->retry,
					      &p->err), -1);
		assert_says(p->err.text, "greeting");
		assert_null(strstr(p->written.buf, "HLO"));
		assert_int_equal(p->retry, SESSION_RETRY_NOT);
		assert_int_equal(m.forgotten, 0);
		peer_free(p);
	}
}

/* Whoever refuses or hangs up is greeted again, behind the greeting; silence is silence. */
static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *greeting, *ehlo;
		bool again;
	} cases[] = {
		{ "S: 554 5.5.1 you talk too early", "END", true },
		{ "S: 450 later", "END", true },
		{ "S: 354 what", "END", true },
		{ "END", NULL, true },
		{ "FAIL", NULL, true },
		{ "S: 220 p", "S: 503 5.5.1 wait", true },
		{ "S: 220 p", "END", true },
		{ "S: 220 p", NULL, true },
		{ "C: never", NULL, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct memory m;
		struct peer *p = prepare(&m, true);

		print_message("%zu %s\n", i, cases[i].greeting);
		script(p, "C: " EHLO, cases[i].greeting);
		if (cases[i].ehlo)
			script(p, cases[i].ehlo);
		assert_int_equal(peer_open(p), -1);
		assert_int_equal(p->retry, cases[i].again ? SESSION_RETRY_GREETED :
				 SESSION_RETRY_NOT);
		assert_int_equal(m.forgotten, cases[i].again);
		assert_null(strstr(p->written.buf, "HELO"));
		peer_free(p);
	}
}

/* STARTTLS waits for the reply to EHLO; what stands behind its own reply is an attack. */
static void test_starttls(void **state)
{
	(void)state;
	struct memory m;
	struct peer *p = prepare(&m, true);

	p->account.tls.mode = TLS_STARTTLS;
	script(p, "C: " EHLO, "S: 220 p", "S: 250-p\n250 STARTTLS", "C: STARTTLS\r\n",
	       "S: 220 go\n250 forged");
	assert_int_equal(peer_open(p), -1);
	assert_int_equal(p->err.exit, EX_PROTOCOL);
	assert_says(p->err.text, "data before TLS");
	peer_free(p);
}

/* Any way of cutting what the server says. */
static void test_pieces(void **state)
{
	(void)state;
	for (size_t n = 1; n < 40; n++) {
		struct memory m;
		struct peer *p = prepare(&m, true);

		memory_read_max(p->stream, n);
		memory_stutter(p->stream);
		script(p, "C: " EHLO, "S: 220-peer\n220 ready", INVITES);
		assert_int_equal(peer_open(p), 0);
		assert_int_equal(m.kept, 1);
		peer_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ahead), cmocka_unit_test(test_changed),
		cmocka_unit_test(test_not_ahead), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_starttls), cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
