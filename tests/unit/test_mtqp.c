#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "smtp_peer.h"
#include "track/track.h"

#define ENVID "1741.77@client.example.org"
#define SECRET "q0x5c2VjcmV0c2VjcmV0cw=="

/* --- the URI --------------------------------------------------------------- */

static const struct {
	const char *text, *host;
	unsigned port;
	const char *envid, *secret;
} uris[] = {
	{ "mtqp://mx.example.org/track/" ENVID "/" SECRET, "mx.example.org", 0, ENVID, SECRET },
	{ "MTQP://mx.example.org:1039/Track/a/YQ==", "mx.example.org", 1039, "a", "YQ==" },
	{ "mtqp://[::1]:65535/track/a/YQ==", "[::1]", 65535, "a", "YQ==" },
	{ "mtqp://[::1]/track/a/YQ==", "[::1]", 0, "a", "YQ==" },
	{ "mtqp://h/track/a%2Fb%3fc%25/YWE%2Fb%2fYWFh", NULL, 0, NULL, NULL },	/* no base64 */
	{ "mtqp://h/track/a%2Fb%3fc%25/YWE%2F", "h", 0, "a/b?c%", "YWE/" },
	{ "mtqp://h/track/a/YWE/", "h", 0, "a", "YWE/" },
	{ "mtqp://h/track/a/", NULL, 0, NULL, NULL },
	{ "mtqp://h/track//YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h/track/a", NULL, 0, NULL, NULL },
	{ "mtqp://h/trace/a/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h", NULL, 0, NULL, NULL },
	{ "mtqp:///track/a/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h:/track/a/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h:0/track/a/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h:65536/track/a/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h:123456/track/a/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h:2x/track/a/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://[::1/track/a/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://[::1]x/track/a/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h\r\nQUIT/track/a/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h/track/a%0d%0aQUIT/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h/track/a%20b/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h/track/a%00b/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h/track/a%2/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h/track/a%/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h/track/a%zz/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h/track/\xc3\xa4/YQ==", NULL, 0, NULL, NULL },
	{ "mtqp://h/track/a/no!base64", NULL, 0, NULL, NULL },
	{ "http://h/track/a/YQ==", NULL, 0, NULL, NULL },
	{ "", NULL, 0, NULL, NULL },
};

static void test_uri(void **state)
{
	(void)state;
	struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_LEN(uris); i++) {
		struct mtqp_uri uri = { .host = "untouched" };
		struct error err = { .exit = 0 };
		int rc = mtqp_parse_uri(a, uris[i].text, &uri, &err);

		if ((rc == 0) != (uris[i].host != NULL))
			fail_msg("%s: %d %s", uris[i].text, rc, err.text);
		if (rc < 0) {
			assert_int_equal(err.exit, EX_USAGE);
			assert_string_equal(uri.host, "untouched");
			continue;
		}
		assert_string_equal(uri.host, uris[i].host);
		assert_int_equal(uri.port, uris[i].port);
		assert_string_equal(uri.envid, uris[i].envid);
		assert_string_equal(uri.secret, uris[i].secret);
	}
	arena_free(a);
}

/* --- the dialogue ----------------------------------------------------------- */

struct dialogue {
	struct peer *peer;
	struct mtqp mtqp;
	struct strbuf answer;
};

static struct dialogue *dialogue_new(enum mtqp_tls tls)
{
	struct dialogue *d = xcalloc(1, sizeof(*d));

	d->peer = peer_new();
	d->peer->account.cmd.mtqp_tls = tls;
	strbuf_init(&d->answer, MTQP_ANSWER_MAX);
	return d;
}

static void dialogue_free(struct dialogue *d)
{
	mtqp_close(&d->mtqp);
	strbuf_release(&d->answer);
	peer_free(d->peer);
	xfree(d);
}

static int dialogue_open(struct dialogue *d)
{
	return mtqp_open(&d->mtqp, d->peer->wire, &d->peer->account, "mx.example.org", MTQP_PORT,
			 &d->peer->err);
}

static int ask(struct dialogue *d)
{
	return mtqp_track(&d->mtqp, ENVID, SECRET, &d->answer, &d->peer->err);
}

static const struct {
	enum mtqp_tls tls;
	const char *greeting;
	int exit;		/* 0: it opens */
	const char *status, *text;
} greetings[] = {
	{ MTQP_TLS_OFF, "S: +OK/MTQP ready", 0, "", "" },
	{ MTQP_TLS_OFF, "S: +ok/x/mtqp", 0, "", "" },
	{ MTQP_TLS_OFF, "S: +OK+/MTQP ready\nSTARTTLS required\nvnd.x a\n b\n.", 0, "", "" },
	{ MTQP_TLS_TRY, "S: +OK+/MTQP ready\nvnd.starttls\n STARTTLS\n.", 0, "", "" },
	{ MTQP_TLS_TRY, "S: +OK/MTQP ready", 0, "", "" },
	{ MTQP_TLS_REQUIRED, "S: +OK/MTQP ready", EX_UNAVAILABLE, "5.7.10", "STARTTLS" },
	{ MTQP_TLS_REQUIRED, "S: +OK+/MTQP ready\n.", EX_UNAVAILABLE, "5.7.10", "STARTTLS" },
	{ MTQP_TLS_OFF, "S: +OK ready", EX_PROTOCOL, "5.5.0", "no tracking server" },
	{ MTQP_TLS_OFF, "S: +OK ready /MTQP", EX_PROTOCOL, "5.5.0", "no tracking server" },
	{ MTQP_TLS_OFF, "S: 220 mx ESMTP", EX_PROTOCOL, "5.5.0", "'220 mx ESMTP'" },
	{ MTQP_TLS_OFF, "S: ", EX_PROTOCOL, "5.5.0", "no answer" },
	{ MTQP_TLS_OFF, "S: +OKAY/MTQP", EX_PROTOCOL, "5.5.0", "no answer" },
	{ MTQP_TLS_OFF, "S: -TEMP/unavailable busy", EX_TEMPFAIL, "4.3.2", "busy" },
	{ MTQP_TLS_OFF, "S: -ERR/admin closed", EX_TEMPFAIL, "4.3.2", "closed" },
	{ MTQP_TLS_OFF, "S: -BAD what", EX_PROTOCOL, "5.5.0", "what" },
	{ MTQP_TLS_OFF, "END", EX_TEMPFAIL, "4.4.2", "closed by the server" },
	{ MTQP_TLS_OFF, "C: never", EX_TEMPFAIL, "4.4.2", "timeout" },
};

static void test_greetings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct dialogue *d = dialogue_new(greetings[i].tls);

		script(d->peer, greetings[i].greeting);
		int rc = dialogue_open(d);

		if (rc != (greetings[i].exit ? -1 : 0) ||
		    (rc < 0 && (d->peer->err.exit != greetings[i].exit ||
				strcmp(d->peer->err.status, greetings[i].status) != 0)))
			fail_msg("%zu: %d %d %s %s", i, rc, d->peer->err.exit, d->peer->err.status,
				 d->peer->err.text);
		if (rc < 0)
			assert_says(d->peer->err.text, greetings[i].text);
		assert_int_equal(d->peer->written.len, 0);
		dialogue_free(d);
	}
}

/* TLS that is offered is used, and nothing may lie in front of the handshake. */
static void test_starttls(void **state)
{
	(void)state;
	static const char *const replies[] = { "S: -ERR/bad-fqdn no", "S: -TEMP/unavailable no",
					       "S: +OK+ go\n.", "S: +OK go\n+OK/MTQP injected" };
	static const int exits[] = { EX_PROTOCOL, EX_TEMPFAIL, EX_PROTOCOL, EX_PROTOCOL };

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		for (enum mtqp_tls tls = MTQP_TLS_REQUIRED; tls <= MTQP_TLS_TRY; tls++) {
			struct dialogue *d = dialogue_new(tls);

			script(d->peer, "S: +OK+/MTQP ready\nStartTLS required\n.",
			       "C: STARTTLS mx.example.org\r\n", replies[i]);
			assert_int_equal(dialogue_open(d), -1);
			assert_int_equal(d->peer->err.exit, exits[i]);
			assert_null(strstr(d->peer->written.buf, "TRACK"));
			dialogue_free(d);
		}
	}
}

static void test_track(void **state)
{
	(void)state;
	struct dialogue *d = dialogue_new(MTQP_TLS_OFF);

	script(d->peer, "S: +OK/MTQP hi", "C: TRACK " ENVID " " SECRET "\r\n",
	       "S: +OK+ here\nA: b\n\n..x\n.y\n.", "C: QUIT\r\n", "S: +OK");
	assert_int_equal(dialogue_open(d), 0);
	assert_int_equal(ask(d), 0);
	assert_string_equal(d->answer.buf, "A: b\r\n\r\n.x\r\ny\r\n");
	assert_null(strstr(d->peer->transcript.buf, SECRET));
	assert_says(d->peer->transcript.buf, "TRACK " ENVID " <24 octets hidden>");
	mtqp_close(&d->mtqp);
	assert_string_equal(d->peer->written.buf, "TRACK " ENVID " " SECRET "\r\nQUIT\r\n");
	dialogue_free(d);
}

/* RFC 3887 shows the envid in brackets, its grammar has none: the one, then the other. */
static void test_brackets(void **state)
{
	(void)state;
	for (int known = 0; known <= 1; known++) {
		struct dialogue *d = dialogue_new(MTQP_TLS_OFF);

		script(d->peer, "S: +OK/MTQP hi", "C: TRACK " ENVID " " SECRET "\r\n",
		       "S: -ERR/noinfo unknown", "C: TRACK <" ENVID "> " SECRET "\r\n",
		       known ? "S: +OK+\nA: b\n." : "S: -ERR/noinfo unknown");
		assert_int_equal(dialogue_open(d), 0);
		assert_int_equal(ask(d), known ? 0 : -1);
		if (!known) {
			assert_int_equal(d->peer->err.exit, EX_UNAVAILABLE);
			assert_string_equal(d->peer->err.status, "5.1.0");
		}
		dialogue_free(d);
	}
}

static const struct {
	const char *reply;
	int exit;
	const char *status;
} refusals[] = {
	{ "S: -ERR/tls-required no", EX_NOPERM, "5.7.10" },
	{ "S: -ERR/x/insecure no", EX_NOPERM, "5.7.8" },
	{ "S: -TEMP/admin no", EX_TEMPFAIL, "4.3.2" },
	{ "S: -ERR/unavailable no", EX_TEMPFAIL, "4.3.2" },
	{ "S: -ERR/unsupported no", EX_PROTOCOL, "5.5.0" },
	{ "S: -ERR/tls-in-progress no", EX_PROTOCOL, "5.5.0" },
	{ "S: -ERR no /noinfo", EX_UNAVAILABLE, "5.3.0" },
	{ "S: -TEMP no", EX_TEMPFAIL, "4.3.0" },
	{ "S: -BAD/noinfox no", EX_PROTOCOL, "5.5.0" },
	{ "S: what", EX_PROTOCOL, "5.5.0" },
	{ "S: +OK+ here\nA: b", EX_TEMPFAIL, "4.4.2" },
	{ "END", EX_TEMPFAIL, "4.4.2" },
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct dialogue *d = dialogue_new(MTQP_TLS_OFF);

		script(d->peer, "S: +OK/MTQP hi", "C: TRACK " ENVID " " SECRET "\r\n",
		       refusals[i].reply, "END");
		assert_int_equal(dialogue_open(d), 0);
		assert_int_equal(ask(d), -1);
		if (d->peer->err.exit != refusals[i].exit ||
		    strcmp(d->peer->err.status, refusals[i].status) != 0)
			fail_msg("%zu: %d %s %s", i, d->peer->err.exit, d->peer->err.status,
				 d->peer->err.text);
		assert_null(strstr(d->peer->err.text, SECRET));
		dialogue_free(d);
	}
}

/* A line of n octets in an answer. */
static int ask_line(size_t n)
{
	struct strbuf line = STRBUF_INIT(4096);
	struct dialogue *d = dialogue_new(MTQP_TLS_OFF);

	strbuf_addstr(&line, "S: +OK+ x\n");
	for (size_t i = 0; i < n; i++)
		strbuf_addch(&line, 'a');
	strbuf_addstr(&line, "\n.");
	script(d->peer, "S: +OK/MTQP hi", "C: TRACK " ENVID " " SECRET "\r\n", line.buf);
	assert_int_equal(dialogue_open(d), 0);
	int rc = ask(d);

	assert_int_equal(rc == 0 ? d->answer.len : n + 2, n + 2);
	strbuf_release(&line);
	dialogue_free(d);
	return rc;
}

static void test_limits(void **state)
{
	(void)state;
	assert_int_equal(ask_line(997), 0);
	assert_int_equal(ask_line(998), 0);
	assert_int_equal(ask_line(999), -1);
}

static void test_endless(void **state)
{
	(void)state;
	struct dialogue *d = dialogue_new(MTQP_TLS_OFF);

	script(d->peer, "S: +OK/MTQP hi", "C: TRACK " ENVID " " SECRET "\r\n", "S: +OK+ here");
	for (size_t sent = 0; sent <= MTQP_ANSWER_MAX; sent += 902) {
		char text[901];

		memset(text, 'x', sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		memory_say(d->peer->stream, text);
		memory_say(d->peer->stream, "\r\n");
	}
	assert_int_equal(dialogue_open(d), 0);
	assert_int_equal(ask(d), -1);
	assert_int_equal(d->peer->err.exit, EX_PROTOCOL);
	assert_says(d->peer->err.text, "too long");
	dialogue_free(d);
}

/* What was said before it was asked for is not taken for an answer. */
static void test_out_of_turn(void **state)
{
	(void)state;
	struct dialogue *d = dialogue_new(MTQP_TLS_OFF);

	script(d->peer, "S: +OK/MTQP hi\n+OK+ early\nA: b\n.");
	assert_int_equal(dialogue_open(d), 0);
	assert_int_equal(ask(d), -1);
	assert_int_equal(d->peer->err.exit, EX_PROTOCOL);
	assert_int_equal(d->peer->written.len, 0);
	dialogue_free(d);
}

static void test_injection(void **state)
{
	(void)state;
	static const char *const envids[] = { "", "a b", "a\r\nQUIT", "a\n", "\xc3\xa4" };
	static const char *const secrets[] = { "", "x", "YQ==\r\nQUIT", "YQ== b" };
	struct dialogue *d = dialogue_new(MTQP_TLS_OFF);

	script(d->peer, "S: +OK/MTQP hi");
	assert_int_equal(dialogue_open(d), 0);
	for (size_t i = 0; i < ARRAY_LEN(envids); i++)
		assert_int_equal(mtqp_track(&d->mtqp, envids[i], SECRET, &d->answer, &d->peer->err),
				 -1);
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		assert_int_equal(mtqp_track(&d->mtqp, ENVID, secrets[i], &d->answer, &d->peer->err),
				 -1);
	assert_int_equal(d->peer->written.len, 0);
	dialogue_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uri), cmocka_unit_test(test_greetings),
		cmocka_unit_test(test_starttls), cmocka_unit_test(test_track),
		cmocka_unit_test(test_brackets), cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_endless),
		cmocka_unit_test(test_out_of_turn),
		cmocka_unit_test(test_injection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
