#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "smtp/probe.h"
#include "smtp_peer.h"

/* --- arguments ------------------------------------------------------------ */

#define LABEL "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijab"	/* 62 octets */

static const struct {
	enum probe_id id;
	const char *arg;
	const char *refused;	/* part of the text; NULL = fine */
} arguments[] = {
	{ PROBE_VRFY, "jo@example.net", NULL },
	{ PROBE_VRFY, "Jo Example", NULL },
	{ PROBE_VRFY, "j\xc3\xb6", NULL },
	{ PROBE_VRFY, "", "empty" },
	{ PROBE_VRFY, NULL, "empty" },
	{ PROBE_VRFY, "jo\r\nQUIT", "line end" },
	{ PROBE_VRFY, "jo\n", "line end" },
	{ PROBE_VRFY, "jo\r", "line end" },
	{ PROBE_VRFY, "jo\x7f", "control" },
	{ PROBE_VRFY, "jo\t", "control" },
	{ PROBE_EXPN, "staff", NULL },
	{ PROBE_EXPN, NULL, "empty" },
	{ PROBE_HELP, NULL, NULL },
	{ PROBE_HELP, "MAIL", NULL },
	{ PROBE_HELP, "", "empty" },
	{ PROBE_HELP, "MAIL\nRSET", "line end" },
	{ PROBE_NOOP, NULL, NULL },
	{ PROBE_RSET, NULL, NULL },
	{ PROBE_ETRN, "mail.example.org", NULL },
	{ PROBE_ETRN, "@example.org", NULL },
	{ PROBE_ETRN, "#q", NULL },
	{ PROBE_ETRN, "#queue-1_x", NULL },
	{ PROBE_ETRN, LABEL "." LABEL "." LABEL "." LABEL, NULL },		/* 251 */
	{ PROBE_ETRN, LABEL "." LABEL "." LABEL "." LABEL ".abcd", "domain" },	/* 256 */
	{ PROBE_ETRN, NULL, "HOST" },
	{ PROBE_ETRN, "", "HOST" },
	{ PROBE_ETRN, "#", "HOST" },
	{ PROBE_ETRN, "@", "domain" },
	{ PROBE_ETRN, "#a b", "HOST" },
	{ PROBE_ETRN, "#\xc3\xb6", "HOST" },
	{ PROBE_ETRN, "a b", "domain" },
	{ PROBE_ETRN, "a.example b.example", "domain" },
	{ PROBE_ETRN, "@@example.org", "domain" },
	{ PROBE_ETRN, "example.org\r\nQUIT", "line end" },
	{ PROBE_ETRN, "b\xc3\xbc" "cher.example", "domain" },
	{ PROBE_ATRN, NULL, NULL },
	{ PROBE_ATRN, "example.org", NULL },
	{ PROBE_ATRN, "example.org,example.net", NULL },
	{ PROBE_ATRN, "example.org,", "missing" },
	{ PROBE_ATRN, ",example.org", "domain" },
	{ PROBE_ATRN, "a.example,,b.example", "domain" },
	{ PROBE_ATRN, "a.example, b.example", "domain" },
	{ PROBE_RAW, "XSTATUS a b", NULL },
	{ PROBE_RAW, "DATABASE", NULL },
	{ PROBE_RAW, "DAT", NULL },
	{ PROBE_RAW, "", "empty" },
	{ PROBE_RAW, NULL, "empty" },
	{ PROBE_RAW, " NOOP", "empty" },
	{ PROBE_RAW, "data", "DATA cannot" },
	{ PROBE_RAW, "DATA x", "DATA cannot" },
	{ PROBE_RAW, "StartTLS", "STARTTLS cannot" },
	{ PROBE_RAW, "BDAT 5", "BDAT cannot" },
	{ PROBE_RAW, "NOOP\r\nRSET", "line end" },
};

static void test_arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(arguments); i++) {
		const struct probe_request p = { arguments[i].id, arguments[i].arg };
		struct error err = { .exit = 0 };
		int rc = probe_check(&p, &err);

		if ((rc < 0) != (arguments[i].refused != NULL))
			fail_msg("%zu: %d %s", i, rc, rc < 0 ? err.text : "");
		if (rc < 0) {
			assert_int_equal(err.exit, EX_USAGE);
			assert_says(err.text, arguments[i].refused);
		}
	}
}

/* A line has 512 octets with its end: 505 behind "VRFY ". */
static void test_length(void **state)
{
	(void)state;
	struct error err;
	char text[520];

	for (size_t n = 504; n <= 507; n++) {
		const struct probe_request p = { PROBE_VRFY, text };

		memset(text, 'a', n);
		text[n] = '\0';
		assert_int_equal(probe_check(&p, &err), n <= 505 ? 0 : -1);
	}
	for (size_t n = 508; n <= 511; n++) {
		const struct probe_request p = { PROBE_RAW, text };

		memset(text, 'a', n);
		text[n] = '\0';
		assert_int_equal(probe_check(&p, &err), n <= 509 ? 0 : -1);
	}
}

static void test_ports(void **state)
{
	(void)state;
	assert_int_equal(probe_port(&(struct probe_request){ PROBE_ETRN, NULL }), 25);
	assert_int_equal(probe_port(&(struct probe_request){ PROBE_ATRN, NULL }), 366);
	assert_int_equal(probe_port(&(struct probe_request){ PROBE_VRFY, NULL }), 0);
}

/* --- replies -------------------------------------------------------------- */

static const struct {
	enum probe_id id;
	const char *arg, *sent, *reply;
	int exit;
	const char *status, *shown;	/* part of the error's text, else all of the output */
	bool strict, note, last;
} answers[] = {
	{ PROBE_VRFY, "jo", "VRFY jo", "250 2.1.5 <jo@x>", 0, "", "jo: <jo@x>\n", 0, 0, 0 },
	{ PROBE_VRFY, "a \"b\\", "VRFY \"a \\\"b\\\\\"", "250 ok", 0, "", "a \"b\\: ok\n",
	  0, 0, 0 },
	{ PROBE_VRFY, "\"a b\"", "VRFY \"a b\"", "250 ok", 0, "", "\"a b\": ok\n", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "251 else", 0, "", "jo: else\n", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "252 2.5.2 eh", 0, "", "jo: eh\n", 0, 1, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "252 2.5.2 eh", EX_TEMPFAIL, "4.0.0",
	  "VRFY 'jo': 252 2.5.2 eh (the server cannot tell", 1, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "550 5.1.1 no", EX_NOUSER, "5.1.1",
	  "VRFY 'jo': 550 5.1.1 no", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "550 no", EX_NOUSER, "5.1.1", "VRFY 'jo': 550 no", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "551 no", EX_NOUSER, "5.1.6", "551", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "553 two", EX_NOUSER, "5.1.3", "553", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "502 no", EX_UNAVAILABLE, "5.0.0", "502", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "500 no", EX_UNAVAILABLE, "5.0.0", "500", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "530 5.7.0 first", EX_NOPERM, "5.7.0", "530", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "450 later", EX_TEMPFAIL, "4.0.0", "450", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "354 go", EX_PROTOCOL, "5.5.0", "354", 0, 0, 0 },
	{ PROBE_VRFY, "jo", "VRFY jo", "220 hi", EX_PROTOCOL, "5.5.0", "220", 0, 0, 0 },
	{ PROBE_EXPN, "staff", "EXPN staff", "250-2.1.5 <a@x>\n250 2.1.5 <b@x>", 0, "",
	  "<a@x>\n<b@x>\n", 0, 0, 0 },
	{ PROBE_EXPN, "staff", "EXPN staff", "252 no list", 0, "", "no list\n", 0, 1, 0 },
	{ PROBE_EXPN, "staff", "EXPN staff", "550 no", EX_NOUSER, "5.1.1", "550 no", 0, 0, 0 },
	{ PROBE_HELP, NULL, "HELP", "214-2.0.0 a\n214 b", 0, "", "a\nb\n", 0, 0, 0 },
	{ PROBE_HELP, "X", "HELP X", "211 x", 0, "", "x\n", 0, 0, 0 },
	{ PROBE_HELP, NULL, "HELP", "504 no", EX_UNAVAILABLE, "5.0.0", "HELP: 504 no", 0, 0, 0 },
	{ PROBE_NOOP, NULL, "NOOP", "250 2.0.0 ok", 0, "", "250 2.0.0 ok\n", 0, 0, 0 },
	{ PROBE_NOOP, NULL, "NOOP", "500 no", EX_PROTOCOL, "5.5.0", "NOOP: 500 no", 0, 0, 0 },
	{ PROBE_NOOP, NULL, "NOOP", "451 no", EX_TEMPFAIL, "4.0.0", "NOOP: 451 no", 0, 0, 0 },
	{ PROBE_RSET, NULL, "RSET", "250 ok", 0, "", "250 ok\n", 0, 0, 0 },
	{ PROBE_RSET, NULL, "RSET", "221 no", EX_PROTOCOL, "5.5.0", "RSET: 221", 0, 0, 0 },
	{ PROBE_ETRN, "@x.example", "ETRN @x.example", "253 3 wait", 0, "",
	  "@x.example: 3 wait\n", 0, 0, 0 },
	{ PROBE_ETRN, "x.example", "ETRN x.example", "250 go", 0, "", "x.example: go\n", 0, 0, 0 },
	{ PROBE_ETRN, "x.example", "ETRN x.example", "251 none", 0, "",
	  "x.example: none\n", 0, 0, 0 },
	{ PROBE_ETRN, "x.example", "ETRN x.example", "252 ok", 0, "", "x.example: ok\n", 0, 0, 0 },
	{ PROBE_ETRN, "x.example", "ETRN x.example", "458 no", EX_TEMPFAIL, "4.3.0", "458",
	  0, 0, 0 },
	{ PROBE_ETRN, "x.example", "ETRN x.example", "459 no", EX_NOPERM, "5.7.1", "459", 0, 0, 0 },
	{ PROBE_ETRN, "x.example", "ETRN x.example", "459 4.7.1 no", EX_NOPERM, "5.7.1", "459",
	  0, 0, 0 },
	{ PROBE_ETRN, "x.example", "ETRN x.example", "500 no", EX_UNAVAILABLE, "5.0.0", "500",
	  0, 0, 1 },
	{ PROBE_ETRN, "x.example", "ETRN x.example", "501 no", EX_UNAVAILABLE, "5.0.0", "501",
	  0, 0, 1 },
	{ PROBE_ATRN, NULL, "ATRN", "250 turn", 0, "", "250 turn\n", 0, 0, 0 },
	{ PROBE_ATRN, "x.example", "ATRN x.example", "453 none", 0, "", "453 none\n", 0, 1, 0 },
	{ PROBE_ATRN, NULL, "ATRN", "450 no", EX_NOPERM, "5.7.1", "450", 0, 0, 0 },
	{ PROBE_ATRN, NULL, "ATRN", "451 no", EX_TEMPFAIL, "4.3.0", "451", 0, 0, 0 },
	{ PROBE_ATRN, NULL, "ATRN", "530 no", EX_NOPERM, "5.7.0", "530", 0, 0, 0 },
	{ PROBE_ATRN, NULL, "ATRN", "502 no", EX_UNAVAILABLE, "5.0.0", "502", 0, 0, 0 },
	{ PROBE_RAW, "XA b", "XA b", "250-2.0.0 a\n250 b", 0, "", "250 2.0.0 a\n250 b\n", 0, 0, 0 },
	{ PROBE_RAW, "XA b", "XA b", "334 more", 0, "", "334 more\n", 0, 0, 0 },
	{ PROBE_RAW, "XA s3cret", "XA s3cret", "502 no", EX_UNAVAILABLE, "5.0.0",
	  "command 'XA': 502 no", 0, 0, 0 },
	{ PROBE_RAW, "XA", "XA", "432 no", EX_TEMPFAIL, "4.0.0", "432", 0, 0, 0 },
	{ PROBE_HELP, NULL, "HELP", "214-DATA\tstarts\n214 \tx\ty", 0, "",
	  "DATA    starts\n        x       y\n", 0, 0, 0 },
	{ PROBE_RAW, "XA", "XA", "250 12345678\t9", 0, "", "250 12345678        9\n", 0, 0, 0 },
	{ PROBE_RAW, "XA", "XA", "250 a\x1b[2J", 0, "", "250 a\\x1B[2J\n", 0, 0, 0 },
};

static void check_answer(size_t i)
{
	const struct probe_request p = { answers[i].id, answers[i].arg };
	const struct probe_options opt = { .strict = answers[i].strict };
	struct strbuf out = STRBUF_INIT(4096), note = STRBUF_INIT(4096);
	struct strbuf reply = STRBUF_INIT(4096), sent = STRBUF_INIT(4096);
	struct peer *peer = peer_new();
	bool last;

	peer_greeted(peer, "\n250-ETRN\n250 ATRN");
	strbuf_addf(&sent, "C: %s\r\n", answers[i].sent);
	strbuf_addf(&reply, "S: %s", answers[i].reply);
	script(peer, sent.buf, reply.buf);
	int rc = probe_run(&peer->session, &p, &opt, &out, &note, &last, &peer->err);

	assert_int_equal(rc, answers[i].exit ? -1 : 0);
	assert_string_equal(peer->written.buf, sent.buf + 3);
	assert_int_equal(last, answers[i].last);
	assert_int_equal(note.len > 0, answers[i].note);
	if (rc < 0) {
		if (peer->err.exit != answers[i].exit ||
		    strcmp(peer->err.status, answers[i].status) != 0)
			fail_msg("%zu: %d %s %s", i, peer->err.exit, peer->err.status,
				 peer->err.text);
		assert_says(peer->err.text, answers[i].shown);
		assert_null(strstr(peer->err.text, "s3cret"));
		assert_int_equal(out.len, 0);
	} else {
		assert_string_equal(out.buf, answers[i].shown);
	}
	strbuf_release(&out);
	strbuf_release(&note);
	strbuf_release(&reply);
	strbuf_release(&sent);
	peer_free(peer);
}

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		check_answer(i);
}

/* Runs one command against a script that has been given. */
static int run(struct peer *p, enum probe_id id, const char *arg, bool with_rcpt,
	       struct strbuf *out)
{
	const struct probe_request request = { id, arg };
	const struct probe_options opt = { .with_rcpt = with_rcpt };
	struct strbuf note = STRBUF_INIT(4096);
	bool last;
	int rc = probe_run(&p->session, &request, &opt, out, &note, &last, &p->err);

	strbuf_release(&note);
	return rc;
}

static void test_not_announced(void **state)
{
	(void)state;
	static const char *const off[] = { "ETRN", NULL };
	struct strbuf out = STRBUF_INIT(4096);
	struct peer *p = peer_new();

	p->account.disable_extensions = off;
	peer_greeted(p, "\n250-ETRN\n250 PIPELINING");
	assert_int_equal(run(p, PROBE_ETRN, "x.example", false, &out), -1);
	assert_int_equal(p->err.exit, EX_UNAVAILABLE);
	assert_string_equal(p->err.status, "5.3.3");
	assert_int_equal(run(p, PROBE_ATRN, NULL, false, &out), -1);
	assert_says(p->err.text, "does not offer ATRN");
	assert_int_equal(p->written.len, 0);
	strbuf_release(&out);
	peer_free(p);
}

static void test_utf8(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT(4096);
	struct peer *p = peer_new();

	peer_greeted(p, "\n250 SMTPUTF8");
	script(p, "C: VRFY j\xc3\xb6 SMTPUTF8\r\n", "S: 250 j\xc3\xb6");
	assert_int_equal(run(p, PROBE_VRFY, "j\xc3\xb6", false, &out), 0);
	assert_string_equal(out.buf, "j\xc3\xb6: j\xc3\xb6\n");
	/* 550 x.6.8 is asked again once, and no more */
	script(p, "C: EXPN l\r\n", "S: 550 5.6.8 utf8", "C: EXPN l SMTPUTF8\r\n",
	       "S: 550 5.6.8 eh");
	assert_int_equal(run(p, PROBE_EXPN, "l", false, &out), -1);
	assert_int_equal(p->err.exit, EX_NOUSER);
	/* octets that are no UTF-8 do not go out */
	assert_int_equal(run(p, PROBE_VRFY, "j\xf6", false, &out), -1);
	assert_int_equal(p->err.exit, EX_DATAERR);
	strbuf_release(&out);
	peer_free(p);
}

static void test_no_utf8(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT(4096);
	struct peer *p = peer_new();

	peer_greeted(p, "");
	assert_int_equal(run(p, PROBE_VRFY, "j\xc3\xb6", false, &out), -1);
	assert_string_equal(p->err.status, "5.6.7");
	assert_int_equal(p->written.len, 0);
	script(p, "C: VRFY jo\r\n", "S: 550 5.6.8 utf8");
	assert_int_equal(run(p, PROBE_VRFY, "jo", false, &out), -1);
	assert_string_equal(p->written.buf, "VRFY jo\r\n");
	strbuf_release(&out);
	peer_free(p);
}

static const struct {
	const char *vrfy, *mail, *rcpt;
	int exit;
	const char *out;
} by_rcpt[] = {
	{ "S: 252 eh", "S: 250 ok", "S: 250 yes", 0, "jo@x.example: yes\n" },
	{ "S: 502 eh", "S: 250 ok", "S: 250 yes", 0, "jo@x.example: yes\n" },
	{ "S: 500 eh", "S: 250 ok", "S: 550 no", EX_NOUSER, "" },
	{ "S: 504 eh", "S: 250 ok", "S: 450 no", EX_TEMPFAIL, "" },
	{ "S: 252 eh", "S: 550 no", NULL, EX_UNAVAILABLE, "" },
	{ "S: 250 yes", NULL, NULL, 0, "jo@x.example: yes\n" },
	{ "S: 550 no", NULL, NULL, EX_NOUSER, "" },
};

static void test_with_rcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(by_rcpt); i++) {
		struct strbuf out = STRBUF_INIT(4096);
		struct peer *p = peer_new();

		peer_greeted(p, "");
		script(p, "C: VRFY jo@x.example\r\n", by_rcpt[i].vrfy);
		if (by_rcpt[i].mail)
			script(p, "C: MAIL FROM:<>\r\n", by_rcpt[i].mail);
		if (by_rcpt[i].rcpt)
			script(p, "C: RCPT TO:<jo@x.example>\r\n", by_rcpt[i].rcpt, "C: RSET\r\n",
			       "S: 250 ok");
		assert_int_equal(run(p, PROBE_VRFY, "jo@x.example", true, &out),
				 by_rcpt[i].exit ? -1 : 0);
		if (by_rcpt[i].exit)
			assert_int_equal(p->err.exit, by_rcpt[i].exit);
		strbuf_release(&out);
		peer_free(p);
	}
}

static void test_rcpt_address(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT(4096);
	struct peer *p = peer_new();

	peer_greeted(p, "");
	script(p, "C: VRFY a@b@c\r\n", "S: 252 eh");
	assert_int_equal(run(p, PROBE_VRFY, "a@b@c", true, &out), -1);
	assert_string_equal(p->written.buf, "VRFY a@b@c\r\n");
	strbuf_release(&out);
	peer_free(p);
}

/* What the server said before it was asked is not the answer. */
static void test_out_of_turn(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT(4096);
	struct peer *p = peer_new();

	peer_greeted(p, "");
	script(p, "S: 250 early");
	assert_int_equal(run(p, PROBE_NOOP, NULL, false, &out), -1);
	assert_int_equal(p->err.exit, EX_PROTOCOL);
	assert_true(p->session.dead);
	peer_free(p);

	p = peer_new();
	peer_greeted(p, "");
	script(p, "S: 421 4.3.2 bye");
	assert_int_equal(run(p, PROBE_NOOP, NULL, false, &out), -1);
	assert_int_equal(p->err.exit, EX_TEMPFAIL);
	assert_true(p->session.dead);
	strbuf_release(&out);
	peer_free(p);
}

static void test_lost(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT(4096);
	struct peer *p = peer_new();

	peer_greeted(p, "");
	script(p, "C: NOOP\r\n", "END");
	assert_int_equal(run(p, PROBE_NOOP, NULL, false, &out), -1);
	assert_int_equal(p->err.exit, EX_TEMPFAIL);
	assert_string_equal(p->err.status, "4.4.2");
	strbuf_release(&out);
	peer_free(p);
}

static void test_own_quit(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT(4096);
	struct peer *p = peer_new();

	peer_greeted(p, "");
	script(p, "C: QUIT\r\n", "S: 221 bye", "END");
	assert_int_equal(run(p, PROBE_RAW, "QUIT", false, &out), 0);
	assert_true(p->session.dead);
	session_quit(&p->session, true);
	assert_string_equal(p->written.buf, "QUIT\r\n");
	strbuf_release(&out);
	peer_free(p);
}

static void test_reversed(void **state)
{
	(void)state;
	static const struct probe_request atrn = { PROBE_ATRN, NULL }, noop = { PROBE_NOOP, NULL };
	struct strbuf out = STRBUF_INIT(4096);
	bool reversed = true;

	for (int early = 0; early <= 1; early++) {
		struct peer *p = peer_new();

		peer_greeted(p, "\n250 ATRN");
		script(p, "C: ATRN\r\n", early ? "S: 250 go\nEHLO x" : "S: 250 go");
		assert_int_equal(run(p, PROBE_ATRN, NULL, false, &out), 0);
		assert_int_equal(probe_reversed(&p->session, &noop, &reversed, &p->err), 0);
		assert_false(reversed);
		assert_int_equal(probe_reversed(&p->session, &atrn, &reversed, &p->err),
				 early ? -1 : 0);
		if (early)
			assert_int_equal(p->err.exit, EX_PROTOCOL);
		else
			assert_true(reversed);
		peer_free(p);
	}
	struct peer *p = peer_new();

	peer_greeted(p, "\n250 ATRN");
	script(p, "C: ATRN\r\n", "S: 453 none");
	assert_int_equal(run(p, PROBE_ATRN, NULL, false, &out), 0);
	assert_int_equal(probe_reversed(&p->session, &atrn, &reversed, &p->err), 0);
	assert_false(reversed);
	strbuf_release(&out);
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments), cmocka_unit_test(test_length),
		cmocka_unit_test(test_ports), cmocka_unit_test(test_answers),
		cmocka_unit_test(test_not_announced), cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_no_utf8), cmocka_unit_test(test_with_rcpt),
		cmocka_unit_test(test_rcpt_address), cmocka_unit_test(test_out_of_turn),
		cmocka_unit_test(test_lost), cmocka_unit_test(test_own_quit),
		cmocka_unit_test(test_reversed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
