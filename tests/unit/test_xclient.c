#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "smtp/ext/ext.h"
#include "smtp_peer.h"

#define words(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define EHLO "C: EHLO client.example.org\r\n"

/* --- what may stand in the account ----------------------------------------- */

static const struct {
	const char *word;
	bool xclient, xforward;		/* fine for */
} values[] = {
	{ "NAME=spike.example.org", true, true },
	{ "name=spike.example.org", true, true },
	{ "ADDR=192.0.2.9", true, true },
	{ "ADDR=2001:db8::9", true, true },
	{ "ADDR=IPV6:2001:db8::9", true, true },
	{ "ADDR=[2001:db8::9]", true, true },
	{ "ADDR=[IPv6:2001:db8::9]", true, true },
	{ "ADDR=[UNAVAILABLE]", true, true },
	{ "ADDR=[tempunavail]", true, true },
	{ "ADDR=192.0.2.256", false, false },
	{ "ADDR=spike", false, false },
	{ "ADDR=", false, false },
	{ "DESTADDR=1.2.3.4", true, true },
	{ "DESTADDR=x", false, false },
	{ "PORT=25", true, true },
	{ "PORT=[UNAVAILABLE]", true, true },
	{ "PORT=123456", false, false },
	{ "PORT=2x", false, false },
	{ "DESTPORT=587", true, true },
	{ "PROTO=SMTP", true, true },
	{ "PROTO=esmtp", true, true },
	{ "PROTO=LMTP", false, false },
	{ "SOURCE=LOCAL", true, true },
	{ "SOURCE=FAR", false, false },
	{ "LOGIN=a b=c+d", true, false },
	{ "LOGIN=j\xc3\xb6", true, false },
	{ "LOGIN=a\rb", false, false },
	{ "LOGIN=a\nb", false, false },
	{ "X-NEW_1=x", true, true },
	{ "NAME", false, false },
	{ "=x", false, false },
	{ "NA ME=x", false, false },
	{ "N\xc3\x84ME=x", false, false },
};

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const char *const list[] = { values[i].word, NULL };
		struct account a = { .cmd = { .xclient = list } };
		struct error err = { .exit = 0 };

		if ((xclient_check_account(&a, &err) == 0) != values[i].xclient)
			fail_msg("xclient %s: %s", values[i].word, err.text);
		a.cmd = (struct command_settings){ .xforward = list };
		if ((xclient_check_account(&a, &err) == 0) != values[i].xforward)
			fail_msg("xforward %s: %s", values[i].word, err.text);
		if (!values[i].xforward)
			assert_int_equal(err.exit, EX_CONFIG);
	}
}

/* A command has 510 octets; a value of XFORWARD 255. */
static void test_lengths(void **state)
{
	(void)state;
	char word[600] = "LOGIN=";
	const char *const list[] = { word, NULL };
	struct error err;

	/* "XFORWARD LOGIN=" has 15 octets */
	for (size_t n = 495; n <= 497; n++) {
		struct account a = { .cmd = { .xclient = list } };

		memset(word + 6, 'a', n);
		word[6 + n] = '\0';
		assert_int_equal(xclient_check_account(&a, &err), n <= 495 ? 0 : -1);
	}
	for (size_t n = 254; n <= 256; n++) {
		struct account a = { .cmd = { .xforward = list } };

		memset(word + 6, 'a', n);
		word[6 + n] = '\0';
		assert_int_equal(xclient_check_account(&a, &err), n <= 255 ? 0 : -1);
	}
}

static void test_twice(void **state)
{
	(void)state;
	static const char *const list[] = { "ADDR=1.2.3.4", "NAME=x", "addr=1.2.3.5", NULL };
	struct account a = { .cmd = { .xclient = list } };
	struct error err;

	assert_int_equal(xclient_check_account(&a, &err), -1);
	assert_says(err.text, "second time");
}

/* --- XCLIENT --------------------------------------------------------------- */

static void test_session(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	p->account.cmd.xclient = words("ADDR=2001:DB8::9", "NAME=a+b", "HELO=spike");
	script(p, "S: 220 x", EHLO, "S: 250-x\n250 XCLIENT NAME addr HELO",
	       "C: XCLIENT NAME=a+2Bb HELO=spike ADDR=IPV6:2001:DB8::9\r\n", "S: 220 again",
	       "C: EHLO spike\r\n", "S: 250-y\n250-XCLIENT NAME ADDR HELO\n250 SIZE 10");
	assert_int_equal(peer_open(p), 0);
	assert_true(p->session.xclient_sent);
	assert_int_equal(p->session.size_limit, 10);
	peer_free(p);
}

/* More than fits in one command; the address goes last, and is alone then. */
static void test_several(void **state)
{
	(void)state;
	static char name[256 + 6], login[256 + 7];
	struct strbuf first = STRBUF_INIT(1024), second = STRBUF_INIT(1024);
	struct peer *p = peer_new();

	memset(name, 'n', sizeof(name) - 1);
	memset(login, 'l', sizeof(login) - 1);
	memcpy(name, "NAME=", 5);
	memcpy(login, "LOGIN=", 6);
	p->account.cmd.xclient = words("ADDR=1.2.3.4", name, login);
	strbuf_addf(&first, "C: XCLIENT %s\r\n", name);
	strbuf_addf(&second, "C: XCLIENT %s ADDR=1.2.3.4\r\n", login);
	script(p, "S: 220 x", EHLO, "S: 250-x\n250 XCLIENT NAME ADDR LOGIN", first.buf, "S: 220 a",
	       second.buf, "S: 220 b", EHLO, "S: 250 y");
	assert_int_equal(peer_open(p), 0);
	strbuf_release(&first);
	strbuf_release(&second);
	peer_free(p);
}

static const struct {
	const char *keywords, *reply;
	bool optional;
	int exit;		/* 0: the session opens */
	const char *status, *text;
} ends[] = {
	{ "XCLIENT ADDR", "S: 220 ok", false, 0, "", "" },
	{ "XCLIENT ADDR", "S: 250 ok", false, EX_PROTOCOL, "5.5.0", "out of place" },
	{ "XCLIENT ADDR", "S: 550 no", false, EX_NOPERM, "5.7.0", "XCLIENT: 550 no" },
	{ "XCLIENT ADDR", "S: 501 no", false, EX_UNAVAILABLE, "5.0.0", "XCLIENT: 501 no" },
	{ "XCLIENT ADDR", "S: 421 no", false, EX_TEMPFAIL, "4.3.2", "XCLIENT: 421 no" },
	{ "XCLIENT NAME", NULL, false, EX_UNAVAILABLE, "5.3.3", "does not take 'ADDR" },
	{ "XCLIENT", NULL, false, EX_UNAVAILABLE, "5.3.3", "does not take 'ADDR" },
	{ "PIPELINING", NULL, false, EX_UNAVAILABLE, "5.3.3", "does not offer XCLIENT" },
	{ "PIPELINING", NULL, true, EX_UNAVAILABLE, "5.3.3", "does not offer XCLIENT" },
};

static void test_ends(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct strbuf ehlo = STRBUF_INIT(256);
		struct peer *p = peer_new();

		p->account.cmd.xclient = words("ADDR=1.2.3.4");
		p->account.cmd.xclient_optional = ends[i].optional;
		strbuf_addf(&ehlo, "S: 250-x\n250 %s", ends[i].keywords);
		script(p, "S: 220 x", EHLO, ehlo.buf);
		if (ends[i].reply)
			script(p, "C: XCLIENT ADDR=1.2.3.4\r\n", ends[i].reply);
		if (!ends[i].exit)
			script(p, EHLO, "S: 250 x");
		else
			script(p, "C: QUIT\r\n", "S: 221 bye");
		assert_int_equal(peer_open(p), ends[i].exit ? -1 : 0);
		if (ends[i].exit && (p->err.exit != ends[i].exit ||
				     strcmp(p->err.status, ends[i].status) != 0))
			fail_msg("%zu: %d %s %s", i, p->err.exit, p->err.status, p->err.text);
		if (ends[i].exit)
			assert_says(p->err.text, ends[i].text);
		strbuf_release(&ehlo);
		peer_free(p);
	}
}

/* Nothing that may be sent is left: then nothing is sent, and the session goes on. */
static void test_optional(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	p->account.cmd.xclient = words("ADDR=1.2.3.4");
	p->account.cmd.xclient_optional = true;
	script(p, "S: 220 x", EHLO, "S: 250-x\n250 XCLIENT NAME", EHLO, "S: 250 x");
	assert_int_equal(peer_open(p), 0);
	assert_null(strstr(p->written.buf, "XCLIENT"));
	peer_free(p);
}

/* --serverinfo shows what the server says to us, not to somebody else. */
static void test_info_only(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	p->account.cmd.xclient = words("ADDR=1.2.3.4");
	p->opt.info_only = true;
	peer_greeted(p, "\n250 XCLIENT ADDR");
	assert_false(p->session.xclient_sent);
	peer_free(p);
}

/* --- XFORWARD -------------------------------------------------------------- */

static void send_one(struct peer *p)
{
	static const char text[] = "Subject: x\n\nbody\n";

	peer_message(p, text, sizeof(text) - 1);
	recipients(p, "b@example.org");
	peer_run(p);
}

static void test_forward(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	p->account.cmd.xforward = words("NAME=spike", "PORT=25", "IDENT=1+2");
	peer_greeted(p, "\n250 XFORWARD NAME IDENT");
	script(p, "C: XFORWARD NAME=spike IDENT=1+2B2\r\n", "S: 250 ok",
	       "C: MAIL FROM:<a@example.org>\r\n", "S: 250 ok", "C: RCPT TO:<b@example.org>\r\n",
	       "S: 250 ok", "C: DATA\r\n", "S: 354 go", "C: \r\n.\r\n", "S: 250 ok");
	send_one(p);
	assert_int_equal(p->result.rcpt[0].outcome, OUTCOME_ACCEPTED);
	peer_free(p);
}

static const struct {
	const char *reply;
	int exit;
	enum outcome outcome;
	bool dead;
} forward_ends[] = {
	{ "S: 550 no", EX_NOPERM, OUTCOME_REFUSED, false },
	{ "S: 501 no", EX_UNAVAILABLE, OUTCOME_REFUSED, false },
	{ "S: 421 no", EX_TEMPFAIL, OUTCOME_DEFERRED, true },
	{ "END", EX_TEMPFAIL, OUTCOME_DEFERRED, true },
};

/* Not an octet of the message goes on without the data of its client. */
static void test_forward_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forward_ends); i++) {
		struct peer *p = peer_new();

		p->account.cmd.xforward = words("NAME=spike");
		p->repeat = true;
		peer_greeted(p, "\n250-PIPELINING\n250-CHUNKING\n250 XFORWARD NAME");
		script(p, "C: XFORWARD NAME=spike\r\n", forward_ends[i].reply);
		send_one(p);
		assert_string_equal(p->written.buf, "XFORWARD NAME=spike\r\n");
		assert_int_equal(p->result.rcpt[0].outcome, forward_ends[i].outcome);
		assert_int_equal(p->result.rcpt[0].error.exit, forward_ends[i].exit);
		assert_int_equal(p->session.dead, forward_ends[i].dead);
		peer_free(p);
	}
}

/* --- SEND, SOML, SAML ------------------------------------------------------ */

static void test_verbs(void **state)
{
	(void)state;
	assert_string_equal(send_mode_open(SEND_MODE_MAIL), "MAIL FROM:<");
	assert_string_equal(send_mode_open(SEND_MODE_SEND), "SEND FROM:<");
	assert_string_equal(send_mode_open(SEND_MODE_SOML), "SOML FROM:<");
	assert_string_equal(send_mode_open(SEND_MODE_SAML), "SAML FROM:<");
}

static const struct {
	enum send_mode mode;
	const char *reply;
	bool falls_back;
} refusals[] = {
	{ SEND_MODE_SOML, "S: 500 x", true }, { SEND_MODE_SAML, "S: 502 x", true },
	{ SEND_MODE_SAML, "S: 504 x", true }, { SEND_MODE_SEND, "S: 502 x", false },
	{ SEND_MODE_SAML, "S: 550 x", false }, { SEND_MODE_SOML, "S: 451 x", false },
	{ SEND_MODE_SOML, "S: 501 x", false },
};

static void test_fall_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct strbuf sent = STRBUF_INIT(256);
		struct peer *p = peer_new();

		p->account.cmd.send_mode = refusals[i].mode;
		peer_greeted(p, "");
		strbuf_addf(&sent, "C: %sa@example.org>\r\n", send_mode_open(refusals[i].mode));
		script(p, sent.buf, refusals[i].reply);
		if (refusals[i].falls_back)
			script(p, "C: MAIL FROM:<a@example.org>\r\n", "S: 250 ok",
			       "C: RCPT TO:<b@example.org>\r\n", "S: 250 ok", "C: DATA\r\n",
			       "S: 354 go", "C: \r\n.\r\n", "S: 250 ok");
		send_one(p);
		assert_int_equal(p->result.rcpt[0].outcome == OUTCOME_ACCEPTED,
				 refusals[i].falls_back);
		assert_int_equal(p->session.send_refused, refusals[i].falls_back);
		strbuf_release(&sent);
		peer_free(p);
	}
}

static void test_modes(void **state)
{
	(void)state;
	struct peer *p = peer_new();
	struct envelope e = { .sender = "a@example.org" }, notice = { .sender = "" };

	p->account.cmd.send_mode = SEND_MODE_SAML;
	peer_greeted(p, "");
	assert_int_equal(send_mode(&p->session, &e), SEND_MODE_SAML);
	assert_int_equal(send_mode(&p->session, &notice), SEND_MODE_MAIL);
	p->session.protocol = SESSION_LMTP;
	assert_int_equal(send_mode(&p->session, &e), SEND_MODE_MAIL);
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_twice), cmocka_unit_test(test_session),
		cmocka_unit_test(test_several), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_optional), cmocka_unit_test(test_info_only),
		cmocka_unit_test(test_forward), cmocka_unit_test(test_forward_refused),
		cmocka_unit_test(test_verbs), cmocka_unit_test(test_fall_back),
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
