#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "smtp/ahead.h"
#include "smtp_peer.h"
#include "util/strvec.h"

#define TEXT "Subject: x\n\nbody\n"
#define WIRE_TEXT "Subject: x\r\n\r\nbody\r\n"		/* 20 octets */
#define LINES "PIPELINING CHUNKING PIPECONNECT"
#define GROUP "EHLO client.example.org\r\nMAIL FROM:<a@example.org>\r\n" \
	"RCPT TO:<b@example.org>\r\n"

/* What is remembered: words are lines. */
struct memory {
	struct ahead_memory fns;
	const char *known[2];
	char kept[2][256];
	unsigned recalled, forgotten;
};

static bool recall(void *ctx, enum ahead_phase phase, struct strvec *lines)
{
	struct memory *m = ctx;

	m->recalled++;
	if (!m->known[phase])
		return false;
	strvec_split(lines, m->known[phase], " ");
	return true;
}

static void remember(void *ctx, enum ahead_phase phase, const struct strvec *lines)
{
	struct memory *m = ctx;

	m->kept[phase][0] = '\0';
	for (size_t i = 0; i < lines->n; i++) {
		size_t used = strlen(m->kept[phase]);

		snprintf(m->kept[phase] + used, sizeof(m->kept[phase]) - used, "%s%s",
			 i ? " " : "", lines->v[i]);
	}
}

static void forget(void *ctx)
{
	struct memory *m = ctx;

	m->forgotten++;
}

static struct peer *prepare(struct memory *m, const char *known)
{
	struct peer *p = peer_new();

	*m = (struct memory){ .fns = { recall, remember, forget, m }, .known = { known } };
	p->account.pipe_connect = true;
	p->opt.message_follows = true;
	p->opt.memory = &m->fns;
	recipients(p, "b@example.org");
	peer_message(p, TEXT, strlen(TEXT));
	p->opt.envelope = &p->envelope;
	return p;
}

/* Two waits and two writes from nothing to the end. */
static void test_all_in_one(void **state)
{
	(void)state;
	struct memory m;
	struct peer *p = prepare(&m, LINES);

	assert_int_equal(peer_open(p), 0);
	assert_int_equal(p->written.len, 0);
	script(p, "C: b@example.org>\r\n", "S: 220 peer.example.org",
	       "S: 250-peer.example.org\n250-PIPELINING\n250-CHUNKING\n250 PIPECONNECT",
	       "S: 250 ok", "S: 250 ok", "C: LAST\r\n", "S: 250 2.0.0 taken");
	peer_run(p, true);
	assert_string_equal(p->written.buf, GROUP "BDAT 20 LAST\r\n" WIRE_TEXT);
	assert_int_equal(memory_writes(p->stream), 2);
	assert_in_range(memory_waits(p->stream), 0, 2);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	assert_string_equal(p->session.server_name, "peer.example.org");
	assert_string_equal(m.kept[AHEAD_CLEAR], LINES);
	assert_false(p->session.again);
	assert_false(p->session.changed);
	peer_free(p);
}

/* Without an invitation, or without being asked to, the greeting is waited for. */
static void test_not_ahead(void **state)
{
	(void)state;
	static const struct {
		const char *known;
		bool off, no_message, cautious, lmtp;
	} cases[] = {
		{ NULL, false, false, false, false },
		{ "PIPELINING CHUNKING", false, false, false, false },
		{ "PIPECONNECT CHUNKING", false, false, false, false },
		{ LINES, true, false, false, false },
		{ LINES, false, true, false, false },
		{ LINES, false, false, true, false },
		{ LINES, false, false, false, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct memory m;
		struct peer *p = prepare(&m, cases[i].known);

		p->account.pipe_connect = !cases[i].off;
		p->opt.message_follows = !cases[i].no_message;
		p->opt.cautious = cases[i].cautious;
		if (cases[i].lmtp)
			p->account.protocol = PROTOCOL_LMTP;
		assert_int_equal(peer_open(p), -1);
		assert_says(p->err.text, "greeting");
		assert_int_equal(p->session.ahead_n, 0);
		assert_false(session_has(&p->session, EXT_CHUNKING));
		peer_free(p);
	}
}

/* What is said at first, and whether another connection is to be made, and cautiously. */
static void test_refused(void **state)
{
	(void)state;
	static const char *const greetings[] = {
		"S: 554 5.5.1 you talk too early", "S: 450 later", "S: 354 what", "END", "FAIL",
	};

	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct memory m;
		struct peer *p = prepare(&m, LINES);

		print_message("%s\n", greetings[i]);
		script(p, "C: b@example.org>\r\n", greetings[i], "END");
		assert_int_equal(peer_open(p), 0);
		peer_run(p, true);
		assert_true(p->session.again);
		assert_int_equal(m.forgotten, 1);
		assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_NONE);
		peer_free(p);
	}
}

/* The server announces something else than it did: nothing of the group counts. */
static const struct {
	const char *name, *ehlo, *rcpt;
} changes[] = {
	{ "more, and taken", "S: 250-p\n250-PIPELINING\n250-CHUNKING\n250-PIPECONNECT\n250 DSN",
	  "S: 250 ok" },
	{ "more, and refused", "S: 250-p\n250-PIPELINING\n250-CHUNKING\n250-PIPECONNECT\n250 DSN",
	  "S: 550 5.1.1 no" },
	{ "less", "S: 250-p\n250 PIPELINING", "S: 250 ok" },
	{ "nothing", "S: 250 p", "S: 250 ok" },
};

static void test_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct memory m;
		struct peer *p = prepare(&m, LINES);

		print_message("%s\n", changes[i].name);
		script(p, "C: b@example.org>\r\n", "S: 220 p", changes[i].ehlo, "S: 250 ok",
		       changes[i].rcpt);
		assert_int_equal(peer_open(p), 0);
		peer_run(p, false);
		assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_NONE);
		assert_true(p->session.changed);
		assert_false(p->session.again);
		assert_true(p->session.need_reset);
		assert_int_equal(session_has(&p->session, EXT_DSN),
				 strstr(changes[i].ehlo, "DSN") != NULL);
		assert_int_equal(session_has(&p->session, EXT_CHUNKING),
				 strstr(changes[i].ehlo, "CHUNKING") != NULL);
		assert_null(strstr(p->written.buf, "BDAT"));
		peer_free(p);
	}
}

/* ... and the same session takes it then. */
static void test_changed_again(void **state)
{
	(void)state;
	struct memory m;
	struct peer *p = prepare(&m, LINES);

	script(p, "C: b@example.org>\r\n", "S: 220 p", "S: 250-p\n250 SIZE 100", "S: 250 ok",
	       "S: 250 ok", "C: RSET\r\n", "S: 250 ok",
	       "C: MAIL FROM:<a@example.org> SIZE=20\r\n",
	       "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA\r\n", "S: 354 go", "C: \r\n.\r\n",
	       "S: 250 taken");
	assert_int_equal(peer_open(p), 0);
	peer_run(p, false);
	assert_true(p->session.changed);
	p->session.changed = false;
	peer_run(p, false);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	assert_int_equal(m.forgotten, 1);
	peer_free(p);
}

/* With DATA in the group, a 354 is neither answered by the message nor by a dot. */
static void test_changed_354(void **state)
{
	(void)state;
	struct memory m;
	struct peer *p = prepare(&m, "PIPELINING PIPECONNECT");

	script(p, "C: DATA\r\n", "S: 220 p", "S: 250-p\n250-PIPELINING\n250 DSN", "S: 250 ok",
	       "S: 250 ok", "S: 354 go");
	assert_int_equal(peer_open(p), 0);
	peer_run(p, false);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_NONE);
	assert_true(p->session.dead);
	assert_true(p->session.again);
	assert_null(strstr(p->written.buf, "body"));
	assert_null(strstr(p->written.buf, "\r\n.\r\n"));
	peer_free(p);
}

/* What cannot be sent by what was announced once may be sent by what is today. */
static void test_check_is_settled(void **state)
{
	(void)state;
	struct memory m;
	struct peer *p = prepare(&m, "PIPELINING PIPECONNECT");

	p->envelope.utf8 = true;
	script(p, "C: EHLO client.example.org\r\n", "S: 220 p",
	       "S: 250-p\n250-PIPELINING\n250 SMTPUTF8");
	assert_int_equal(peer_open(p), 0);
	peer_run(p, false);
	assert_string_equal(p->written.buf, "EHLO client.example.org\r\n");
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_NONE);
	assert_true(p->session.changed);
	p->session.changed = false;
	script(p, "C: SMTPUTF8\r\n", "S: 250 ok", "S: 250 ok", "S: 354 go", "C: \r\n.\r\n",
	       "S: 250 ok");
	peer_run(p, false);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	peer_free(p);
}

/* A password in clear waits for what the server says today. */
static void test_no_secret(void **state)
{
	(void)state;
	struct memory m;
	struct peer *p = prepare(&m, "PIPELINING PIPECONNECT STARTTLS");

	p->account.auth.user = "joe";
	p->account.auth.plaintext = AUTH_PLAINTEXT_ALWAYS;
	p->password = "s3cret";
	script(p, "C: EHLO client.example.org\r\n", "S: 220 p",
	       "S: 250-p\n250-PIPELINING\n250 AUTH PLAIN", "C: AUTH PLAIN", "S: 235 ok");
	assert_int_equal(peer_open(p), 0);
	assert_true(p->session.authenticated);
	assert_int_equal(p->session.ahead_n, 0);
	peer_free(p);
}

/* STARTTLS goes along with EHLO; anything but three replies ends it. */
static void test_starttls(void **state)
{
	(void)state;
	static const struct {
		const char *said[3];
		int exit;
		const char *text;
	} cases[] = {
		{ { "S: 220 p", "S: 250-p\n250-PIPELINING\n250-PIPECONNECT\n250 STARTTLS",
		    "S: 220 go\n250 forged" }, EX_PROTOCOL, "data before TLS" },
		{ { "S: 220 p", "S: 250-p\n250 PIPELINING", "S: 502 5.5.1 what" }, EX_UNAVAILABLE,
		  "STARTTLS: 502" },
		{ { "S: 554 too early", "END", "END" }, EX_UNAVAILABLE, "554" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct memory m;
		struct peer *p = prepare(&m, "PIPELINING PIPECONNECT STARTTLS");

		p->account.tls.mode = TLS_STARTTLS;
		script(p, "C: EHLO client.example.org\r\nSTARTTLS\r\n", cases[i].said[0],
		       cases[i].said[1], cases[i].said[2]);
		assert_int_equal(peer_open(p), -1);
		assert_int_equal(p->err.exit, cases[i].exit);
		assert_says(p->err.text, cases[i].text);
		assert_int_equal(p->session.again, i == 2);
		peer_free(p);
	}
}

/* Any way of cutting what the server says. */
static void test_pieces(void **state)
{
	(void)state;
	for (size_t n = 1; n < 40; n++) {
		struct memory m;
		struct peer *p = prepare(&m, LINES);

		memory_read_max(p->stream, n);
		memory_stutter(p->stream);
		script(p, "C: b@example.org>\r\n", "S: 220-peer\n220 ready",
		       "S: 250-peer\n250-PIPELINING\n250-CHUNKING\n250 PIPECONNECT", "S: 250 ok",
		       "S: 250 ok", "C: LAST\r\n", "S: 250 taken");
		assert_int_equal(peer_open(p), 0);
		peer_run(p, true);
		assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_ACCEPTED);
		peer_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_in_one), cmocka_unit_test(test_not_ahead),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_changed),
		cmocka_unit_test(test_changed_again), cmocka_unit_test(test_changed_354),
		cmocka_unit_test(test_check_is_settled), cmocka_unit_test(test_no_secret),
		cmocka_unit_test(test_starttls), cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
