#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "smtp_peer.h"
#include "util/base64.h"

#define EHLO "C: EHLO client.example.org\r\n"

/* A peer with an account that signs in, over a line that may show passwords. */
static struct peer *signing(void)
{
	struct peer *p = peer_new();

	p->account.auth.user = "user";
	p->account.auth.plaintext = AUTH_PLAINTEXT_ALWAYS;
	p->password = "pencil";
	return p;
}

static void opens(struct peer *p)
{
	if (peer_open(p) < 0)
		fail_msg("%d %s %s", p->err.exit, p->err.status, p->err.text);
}

static void fails(struct peer *p, int exit, const char *status, const char *text)
{
	assert_int_equal(peer_open(p), -1);
	if (p->err.exit != exit || strcmp(p->err.status, status) != 0 || !strstr(p->err.text, text))
		fail_msg("%d %s %s", p->err.exit, p->err.status, p->err.text);
	assert_true(p->session.dead);
}

/* --- greeting, EHLO, HELO, LHLO ------------------------------------------ */

static void test_plain_session(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	script(p, "S: 220-mx.example.net ESMTP\n220 welcome", EHLO,
	       "S: 250-mx.example.net at your service\n250-PIPELINING\n250-size 1000\n"
	       "250 X-ODD a b");
	opens(p);
	assert_string_equal(p->session.server_name, "mx.example.net");
	assert_int_equal(p->session.protocol, SESSION_ESMTP);
	assert_true(session_has(&p->session, EXT_PIPELINING));
	assert_true(session_has(&p->session, EXT_SIZE));
	assert_int_equal(p->session.size_limit, 1000);
	assert_false(session_has(&p->session, EXT_AUTH));
	assert_int_equal(p->session.keywords.n, 3);
	assert_string_equal(p->session.keywords.v[2], "X-ODD a b");
	script(p, "C: QUIT\r\n", "S: 221 bye");
	session_quit(&p->session, true);
	assert_string_equal(p->written.buf, "EHLO client.example.org\r\nQUIT\r\n");
	session_quit(&p->session, true);
	assert_string_equal(p->written.buf, "EHLO client.example.org\r\nQUIT\r\n");
	session_release(&p->session);
	session_release(&p->session);
	peer_free(p);
}

/* What lies behind the last reply when QUIT goes out; nothing is waited for. */
static void test_quit_code(void **state)
{
	static const struct { const char *said; int code; } cases[] = {
		{ "S: 221 bye", 0 }, { "S: 421 bye", 0 }, { "S: 554 5.7.1 no", 554 },
		{ "S: 250 once more", 250 }, { "END", 0 }, { "C: QUIT\r\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct peer *p = peer_new();

		peer_greeted(p, "");
		/* what comes behind it is the reply to it, whatever it is */
		script(p, cases[i].said, "S: 554 what");
		assert_int_equal(session_quit(&p->session, false), cases[i].code);
		assert_int_equal(session_quit(&p->session, false), 0);
		peer_free(p);
	}
}

/* The first line names the server, even when it looks like a keyword. */
static void test_first_line(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	script(p, "S: 220 x", EHLO, "S: 250 PIPELINING");
	opens(p);
	assert_false(session_has(&p->session, EXT_PIPELINING));
	assert_string_equal(p->session.server_name, "PIPELINING");
	peer_free(p);
}

static const struct {
	const char *greeting;
	bool quit;		/* QUIT is said */
	int exit;
	const char *status, *text;
} greetings[] = {
	{ "S: 554 5.7.1 go away", true, 69, "5.3.2", "greeting: 554 5.7.1 go away" },
	{ "S: 521 never", true, 69, "5.3.2", "greeting: 521 never" },
	{ "S: 450 later", true, 75, "4.0.0", "greeting: 450 later" },
	{ "S: 421 4.3.2 busy", false, 75, "4.3.2", "greeting: 421 4.3.2 busy" },
	{ "S: 354 go ahead", true, 76, "5.5.0", "greeting: out of place" },
	{ "S: hello", false, 76, "5.5.0", "unparsable line instead of the greeting: 'hello'" },
	{ "S: SSH-2.0-OpenSSH_9.2", false, 76, "5.5.0", "SSH-2.0" },
	{ "END", false, 75, "4.4.2",
	  "connection closed by the server while waiting for the greeting" },
	{ "FAIL", false, 75, "4.4.2", "connection lost" },
	{ "C: never", false, 75, "4.4.2", "timeout after 60 s waiting for the greeting" },
};

static void test_greetings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(greetings); i++) {
		struct peer *p = peer_new();

		script(p, greetings[i].greeting, "C: QUIT\r\n", "S: 221 bye");
		fails(p, greetings[i].exit, greetings[i].status, greetings[i].text);
		assert_string_equal(p->written.buf, greetings[i].quit ? "QUIT\r\n" : "");
		assert_int_equal(p->retry, SESSION_RETRY_NOT);
		peer_free(p);
	}
}

/* Nothing comes on the port of implicit TLS: the server waits for a handshake. */
static void test_greeting_port_465(void **state)
{
	static const unsigned ports[] = { 465, 587 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		struct peer *p = peer_new();

		p->opt.port = ports[i];
		script(p, "C: never", "C: QUIT\r\n", "S: 221 bye");
		fails(p, 75, "4.4.2", ports[i] == 465 ? "use tls = implicit" : "the greeting");
		assert_int_equal(strstr(p->err.text, "implicit") != NULL, ports[i] == 465);
		/* three seconds are enough to know, also where nothing has a limit */
		const bool early = ports[i] == 465;

		assert_int_equal(session_deadline(&p->session, STAGE_GREETING).seconds,
				 early ? 3 : 60);
		assert_int_equal(session_deadline(&p->session, STAGE_EHLO).seconds, 60);
		p->account.timeouts.greeting = 0;
		assert_int_equal(session_deadline(&p->session, STAGE_GREETING).seconds,
				 early ? 3 : 0);
		p->account.timeouts.greeting = 2;
		assert_int_equal(session_deadline(&p->session, STAGE_GREETING).seconds, 2);
		p->session.encrypted = true;
		p->account.timeouts.greeting = 60;
		assert_int_equal(session_deadline(&p->session, STAGE_GREETING).seconds, 60);
		peer_free(p);
	}
}

enum need { NEED_NOTHING, NEED_TLS, NEED_AUTH, NEED_EXTENSIONS, NEED_LMTP };

static const struct {
	const char *reply;
	enum need need;
	int exit;		/* 0: HELO follows, and works */
	const char *status;
	bool retry;
} fallbacks[] = {
	{ "S: 502 what", NEED_NOTHING, 0, "", false },
	{ "S: 500 what", NEED_NOTHING, 0, "", false },
	{ "S: 501 what", NEED_NOTHING, 0, "", false },
	{ "S: 504 what", NEED_NOTHING, 0, "", false },
	{ "S: 550 what", NEED_NOTHING, 0, "", false },
	{ "S: 554 what", NEED_NOTHING, 0, "", false },
	{ "S: 502 what", NEED_TLS, 69, "5.3.2", false },
	{ "S: 502 what", NEED_AUTH, 69, "5.3.2", false },
	{ "S: 502 what", NEED_EXTENSIONS, 69, "5.3.2", false },
	{ "S: 502 what", NEED_LMTP, 69, "5.3.2", false },
	{ "S: 421 bye", NEED_NOTHING, 75, "4.3.2", false },
	{ "S: 450 later", NEED_NOTHING, 75, "4.0.0", false },
	{ "S: 354 eh", NEED_NOTHING, 76, "5.5.0", false },
	{ "S: garbage", NEED_NOTHING, 76, "5.5.0", false },
	{ "END", NEED_NOTHING, 75, "4.4.2", true },
	{ "FAIL", NEED_NOTHING, 75, "4.4.2", true },
	{ "END", NEED_TLS, 75, "4.4.2", false },
	{ "END", NEED_AUTH, 75, "4.4.2", false },
	{ "END", NEED_EXTENSIONS, 75, "4.4.2", false },
	{ "END", NEED_LMTP, 75, "4.4.2", false },
};

static void test_fallback(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fallbacks); i++) {
		struct peer *p = fallbacks[i].need == NEED_AUTH ? signing() : peer_new();

		print_message("%s %d\n", fallbacks[i].reply, (int)fallbacks[i].need);
		if (fallbacks[i].need == NEED_TLS)
			p->account.tls.mode = TLS_STARTTLS;
		if (fallbacks[i].need == NEED_LMTP)
			p->account.protocol = PROTOCOL_LMTP;
		p->opt.needs_extensions = fallbacks[i].need == NEED_EXTENSIONS;
		script(p, "S: 220 hi", fallbacks[i].need == NEED_LMTP ? "C: LHLO" : EHLO,
		       fallbacks[i].reply, "C: HELO client.example.org\r\n",
		       "S: 250 old.example.net");
		if (fallbacks[i].exit) {
			fails(p, fallbacks[i].exit, fallbacks[i].status, "");
			assert_null(strstr(p->written.buf, "HELO"));
		} else {
			opens(p);
			assert_int_equal(p->session.protocol, SESSION_SMTP);
			assert_string_equal(p->session.server_name, "old.example.net");
		}
		assert_int_equal(p->retry, fallbacks[i].retry ? SESSION_RETRY_HELO :
				 SESSION_RETRY_NOT);
		peer_free(p);
	}
}

static void test_ehlo_silence(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	p->account.timeouts.helo = 1;
	script(p, "S: 220 hi", "C: never");
	fails(p, 75, "4.4.2", "timeout after 1 s waiting for the reply to EHLO");
	assert_null(strstr(p->written.buf, "QUIT"));
	peer_free(p);
}

static void test_helo_only(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	script(p, "S: 220 hi", "C: HELO client.example.org\r\n", "S: 250 old");
	assert_int_equal(session_open(&p->session, p->wire, &p->opt, true, &p->retry, &p->err),
			 0);
	assert_int_equal(p->session.protocol, SESSION_SMTP);
	peer_free(p);

	p = peer_new();			/* both refused */
	script(p, "S: 220 hi", EHLO, "S: 502 no", "C: HELO", "S: 550 5.7.1 not you either",
	       "C: QUIT",
	       "S: 221 bye");
	fails(p, 69, "5.3.2", "HELO: 550 5.7.1 not you either");
	peer_free(p);

	p = peer_new();
	script(p, "S: 220 hi", EHLO, "S: 502 no", "C: HELO", "S: 450 later");
	fails(p, 75, "4.0.0", "HELO: 450 later");
	peer_free(p);
}

static void test_ehlo_name(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	p->opt.ehlo_name = "[IPv6:2001:db8::7]";
	script(p, "S: 220 hi", "C: EHLO [IPv6:2001:db8::7]\r\n", "S: 250 hi");
	opens(p);
	peer_free(p);
	p = peer_new();
	p->opt.ehlo_name = "x\r\nMAIL FROM:<>";
	script(p, "S: 220 hi");
	assert_int_equal(peer_open(p), -1);
	assert_int_equal(p->err.exit, 65);
	assert_null(strstr(p->written.buf, "MAIL"));
	peer_free(p);
}

static void test_early_replies(void **state)
{
	(void)state;
	struct peer *p = peer_new();

	script(p, "S: 220 hi\n250 fake");
	fails(p, 76, "5.5.0", "nobody asked for: 250 fake");
	assert_int_equal(p->written.len, 0);
	peer_free(p);

	p = peer_new();
	script(p, "S: 220 hi\n421 4.3.2 going down");
	fails(p, 75, "4.3.2", "421 4.3.2 going down");
	assert_int_equal(p->written.len, 0);
	peer_free(p);
}

static void test_pieces(void **state)
{
	(void)state;
	for (size_t n = 1; n < 60; n++) {
		struct peer *p = signing();

		memory_read_max(p->stream, n);
		memory_stutter(p->stream);
		script(p, "S: 220 hi", EHLO, "S: 250-mx\n250-AUTH PLAIN\n250-SIZE 77\n250 DSN",
		       "C: AUTH PLAIN AHVzZXIAcGVuY2ls\r\n", "S: 235 2.7.0 ok");
		opens(p);
		assert_int_equal(p->session.size_limit, 77);
		assert_true(session_has(&p->session, EXT_DSN));
		peer_free(p);
	}
}

/* --- STARTTLS ------------------------------------------------------------ */

static struct peer *starting_tls(const char *keywords)
{
	struct peer *p = signing();
	struct strbuf reply = STRBUF_INIT(1000);

	p->account.tls.mode = TLS_STARTTLS;
	p->account.timeouts.starttls = 1;
	strbuf_addf(&reply, "S: 250%smx.example.net%s", *keywords ? "-" : " ", keywords);
	script(p, "S: 220 hi", EHLO, reply.buf);
	strbuf_release(&reply);
	return p;
}

/* Nothing of the account or the message may be in what went out in clear. */
static void nothing_given_away(const struct peer *p)
{
	assert_null(strstr(p->written.buf, "AUTH"));
	assert_null(strstr(p->written.buf, "MAIL"));
	assert_int_equal(p->fetched, 0);
}

static const struct {
	const char *keywords, *reply;
	int exit;
	const char *status, *text;
} starttls[] = {
	{ "", NULL, 69, "5.7.10", "does not offer STARTTLS" },
	{ "\n250 AUTH PLAIN", NULL, 69, "5.7.10", "does not offer STARTTLS" },
	{ "\n250 XSTARTTLS", NULL, 69, "5.7.10", "does not offer STARTTLS" },
	{ "\n250 STARTTLS", "S: 454 4.7.0 not now", 75, "4.7.0", "STARTTLS: 454 4.7.0 not now" },
	{ "\n250 STARTTLS", "S: 454 not now", 75, "4.7.0", "454 not now" },
	{ "\n250 STARTTLS", "S: 501 no", 69, "5.7.0", "STARTTLS: 501 no" },
	{ "\n250 STARTTLS", "S: 554 5.7.3 no", 69, "5.7.3", "STARTTLS: 554 5.7.3 no" },
	{ "\n250 STARTTLS", "S: 250 sure", 76, "5.5.0", "STARTTLS: out of place: 250 sure" },
	{ "\n250 STARTTLS", "S: 421 bye", 75, "4.3.2", "421 bye" },
	{ "\n250 STARTTLS", "END", 75, "4.4.2", "closed" },
	{ "\n250 STARTTLS", "S: 220 go\n250 injected", 76, "5.5.0", "data before TLS" },
	{ "\n250 STARTTLS", "S: 220 go\n", 76, "5.5.0", "data before TLS" },
};

static void test_starttls(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(starttls); i++) {
		struct peer *p = starting_tls(starttls[i].keywords);

		print_message("%s %s\n", starttls[i].keywords, starttls[i].reply);
		if (starttls[i].reply)
			script(p, "C: STARTTLS\r\n", starttls[i].reply);
		fails(p, starttls[i].exit, starttls[i].status, starttls[i].text);
		nothing_given_away(p);
		peer_free(p);
	}
}

static void test_starttls_no_handshake(void **state)
{
	(void)state;
	struct peer *p = starting_tls("\n250 STARTTLS");

	script(p, "C: STARTTLS\r\n", "S: 220 go", "C: \x16\x03",
	       "S: this is no TLS, not at all, really");
	assert_int_equal(peer_open(p), -1);
	assert_in_range(p->err.exit, 75, 76);
	assert_true(p->session.dead);
	assert_null(strstr(p->written.buf, "QUIT"));
	nothing_given_away(p);
	peer_free(p);

	p = starting_tls("\n250 STARTTLS");
	script(p, "C: STARTTLS\r\n", "S: 220 go", "END");
	assert_int_equal(peer_open(p), -1);
	assert_int_equal(p->err.exit, 75);
	nothing_given_away(p);
	peer_free(p);
}

static const struct {
	enum tls_mode mode;
	const char *socket;
	enum protocol protocol;
	bool wanted;
} tls_modes[] = {
	{ TLS_OFF, NULL, PROTOCOL_SMTP, false },
	{ TLS_AUTO, NULL, PROTOCOL_SMTP, true },
	{ TLS_AUTO, "/run/smtp", PROTOCOL_SMTP, false },
	{ TLS_AUTO, NULL, PROTOCOL_LMTP, false },
	{ TLS_STARTTLS, "/run/smtp", PROTOCOL_SMTP, true },
	{ TLS_STARTTLS, NULL, PROTOCOL_LMTP, true },
	{ TLS_IMPLICIT, NULL, PROTOCOL_SMTP, true },
};

static void test_tls_modes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tls_modes); i++) {
		struct peer *p = peer_new();

		p->account.tls.mode = tls_modes[i].mode;
		p->account.socket = tls_modes[i].socket;
		p->account.protocol = tls_modes[i].protocol;
		script(p, "S: 220 hi", "C: LO client.example.org\r\n",
		       "S: 250 no extension at all");
		if (tls_modes[i].wanted)
			fails(p, 69, "5.7.10", "STARTTLS");
		else
			opens(p);
		peer_free(p);
	}
}

/* --- AUTH ---------------------------------------------------------------- */

static struct peer *offered(const char *mechanisms)
{
	struct peer *p = signing();
	struct strbuf reply = STRBUF_INIT(1000);

	strbuf_addf(&reply, "S: 250-mx\n250 AUTH %s", mechanisms);
	script(p, "S: 220 hi", EHLO, reply.buf);
	strbuf_release(&reply);
	return p;
}

static void test_auth_plain(void **state)
{
	(void)state;
	struct peer *p = offered("LOGIN PLAIN");

	script(p, "C: AUTH PLAIN AHVzZXIAcGVuY2ls\r\n", "S: 235 2.7.0 welcome");
	opens(p);
	assert_true(p->session.authenticated);
	assert_string_equal(p->session.mechanism, "PLAIN");
	assert_int_equal(p->fetched, 1);
	assert_says(p->transcript.buf, "C: AUTH PLAIN <16 octets hidden>\n");
	assert_says(p->transcript.buf, "S: 235 2.7.0 welcome\n");
	assert_null(strstr(p->transcript.buf, "AHVz"));
	peer_free(p);
}

static void test_auth_login(void **state)
{
	(void)state;
	struct peer *p = offered("LOGIN");

	script(p, "C: AUTH LOGIN\r\n", "S: 334 VXNlcm5hbWU6", "C: dXNlcg==\r\n",
	       "S: 334 UGFzc3dvcmQ6",
	       "C: cGVuY2ls\r\n", "S: 235 ok");
	opens(p);
	assert_string_equal(p->session.mechanism, "LOGIN");
	assert_says(p->transcript.buf, "C: AUTH LOGIN\nS: 334 <12 octets hidden>\n"
		    "C: <8 octets hidden>\nS: 334 <12 octets hidden>\nC: <8 octets hidden>\n");
	assert_null(strstr(p->transcript.buf, "cGVu"));
	assert_null(strstr(p->transcript.buf, "UGFz"));
	peer_free(p);
}

static const struct {
	const char *label, *offer, *dialogue[8];
	int exit;		/* 0 = signed in, then status is the mechanism */
	const char *status, *text;
} sign_ins[] = {
	{ "password wrong", "PLAIN LOGIN", { "C: AUTH PLAIN", "S: 535 5.7.8 bad" }, 77, "5.7.8",
	  "AUTH PLAIN: 535 5.7.8 bad" },
	{ "535 without status", "PLAIN", { "C: AUTH PLAIN", "S: 535 bad" }, 77, "5.7.8",
	  "535 bad" },
	{ "temporary", "PLAIN LOGIN", { "C: AUTH PLAIN", "S: 454 4.7.0 later" }, 75, "4.7.0",
	  "454 4.7.0 later" },
	{ "transition", "PLAIN", { "C: AUTH PLAIN", "S: 432 4.7.12 change it" }, 77, "4.7.12",
	  "432" },
	{ "disabled", "PLAIN", { "C: AUTH PLAIN", "S: 525 5.7.13 disabled" }, 77, "5.7.13", "525" },
	{ "encryption", "PLAIN", { "C: AUTH PLAIN", "S: 538 tls first" }, 77, "5.7.11", "538" },
	{ "530", "PLAIN", { "C: AUTH PLAIN", "S: 530 tls first" }, 77, "5.7.0", "530" },
	{ "421", "PLAIN LOGIN", { "C: AUTH PLAIN", "S: 421 4.7.0 too many tries" }, 75, "4.7.0",
	  "421" },
	{ "503", "PLAIN", { "C: AUTH PLAIN", "S: 503 order" }, 76, "5.5.1", "503 order" },
	{ "other 2xx", "PLAIN", { "C: AUTH PLAIN", "S: 250 ok" }, 76, "5.5.0", "out of place" },
	{ "closed", "PLAIN LOGIN", { "C: AUTH PLAIN", "END" }, 75, "4.4.2", "closed" },
	{ "next by 504", "PLAIN LOGIN", { "C: AUTH PLAIN", "S: 504 no", "C: AUTH LOGIN\r\n",
	  "S: 334 VXNlcm5hbWU6", "C: dXNlcg==\r\n", "S: 334 UGFzc3dvcmQ6", "C: cGVuY2ls\r\n",
	  "S: 235 ok" }, 0, "LOGIN", "" },
	{ "none stronger by 534", "PLAIN LOGIN", { "C: AUTH PLAIN", "S: 534 weak" }, 77, "5.7.9",
	  "AUTH PLAIN: 534 weak" },
	{ "none left", "PLAIN LOGIN", { "C: AUTH PLAIN", "S: 504 no", "C: AUTH LOGIN\r\n",
	  "S: 504 no" }, 77, "5.5.4", "AUTH LOGIN: 504 no" },
	{ "no initial by 500", "PLAIN", { "C: AUTH PLAIN ", "S: 500 long", "C: AUTH PLAIN\r\n",
	  "S: 334 ", "C: AHVzZXIAcGVuY2ls\r\n", "S: 235 ok" }, 0, "PLAIN", "" },
	{ "never twice by 501", "PLAIN LOGIN", { "C: AUTH PLAIN ", "S: 501 no" }, 77, "5.7.8",
	  "501 no" },
	{ "500 twice", "PLAIN LOGIN", { "C: AUTH PLAIN ", "S: 500 no", "C: AUTH PLAIN\r\n",
	  "S: 500 no",
	  "C: AUTH LOGIN\r\n", "S: 535 bad" }, 77, "5.7.8", "AUTH LOGIN" },
	{ "challenge not base64", "LOGIN", { "C: AUTH LOGIN", "S: 334 ***", "C: *\r\n",
	  "S: 501 ok" },
	  76, "5.5.2", "not base64" },
	{ "challenge of two lines", "LOGIN", { "C: AUTH LOGIN", "S: 334-VXNl\n334 cm5h", "C: *\r\n",
	  "S: 501 ok" }, 76, "5.5.2", "not base64" },
	{ "cancel not understood", "LOGIN", { "C: AUTH LOGIN", "S: 334 ***", "C: *\r\n",
	  "S: 334 " },
	  76, "5.5.2", "not base64" },
	{ "one challenge too many", "PLAIN", { "C: AUTH PLAIN", "S: 334 eA==", "C: *\r\n",
	  "S: 501 ok" },
	  76, "5.5.2", "AUTH PLAIN" },
	{ "garbage", "PLAIN", { "C: AUTH PLAIN", "S: ok" }, 76, "5.5.0", "unparsable" },
	{ "SCRAM without proof", "SCRAM-SHA-256", { "C: AUTH SCRAM-SHA-256 ", "S: 235 welcome" },
	  76, "5.7.0", "did not prove" },
	{ "nothing offered", "", { NULL }, 69, "5.7.4", "no way to sign in" },
	{ "unknown only", "X-FOO KERBEROS_V4", { NULL }, 69, "5.7.4",
	  "X-FOO (not known here), KERBEROS_V4" },
	{ "legacy only", "CRAM-MD5 DIGEST-MD5", { NULL }, 69, "5.7.4",
	  "CRAM-MD5 (weak: only when named in 'auth')" },
	{ "token only", "XOAUTH2 GSSAPI", { NULL }, 69, "5.7.4",
	  "XOAUTH2 (no token configured), GSSAPI "
	  "(no Kerberos ticket)" },
	{ "case", "plain", { "C: AUTH PLAIN AHVz", "S: 235 ok" }, 0, "PLAIN", "" },
};

static void test_sign_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sign_ins); i++) {
		struct peer *p = offered(sign_ins[i].offer);

		print_message("%s\n", sign_ins[i].label);
		for (size_t k = 0; k < 8 && sign_ins[i].dialogue[k]; k++)
			script(p, sign_ins[i].dialogue[k]);
		if (sign_ins[i].exit) {
			fails(p, sign_ins[i].exit, sign_ins[i].status, sign_ins[i].text);
			assert_false(p->session.authenticated);
		} else {
			opens(p);
			assert_string_equal(p->session.mechanism, sign_ins[i].status);
		}
		/* a secret is fetched at most once, and only for a mechanism that is tried */
		assert_int_equal(p->fetched, sign_ins[i].dialogue[0] ? 1 : 0);
		assert_null(strstr(p->transcript.buf, "cGVu"));
		assert_null(strstr(p->transcript.buf, "AHVz"));
		assert_null(strstr(p->written.buf, "MAIL"));
		peer_free(p);
	}
}

/* Over a line that anybody can read, no readable secret is ever sent. */
static void test_no_clear_text(void **state)
{
	(void)state;
	static const char *const offers[] = { "PLAIN", "LOGIN", "PLAIN LOGIN XOAUTH2 OAUTHBEARER" };
	static const char *const names[] = { NULL, "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER" };

	for (size_t i = 0; i < ARRAY_LEN(offers); i++) {
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			struct peer *p = offered(offers[i]);

			p->account.auth.plaintext = AUTH_PLAINTEXT_TLS;
			p->account.auth.mode = names[k] ? AUTH_MECHANISM : AUTH_ON;
			p->account.auth.mechanism = names[k];
			p->account.auth.token_file = "/dev/null";
			p->account.auth.password_file = "/dev/null";
			fails(p, 69, "5.7.4", "no way to sign in");
			nothing_given_away(p);
			peer_free(p);
		}
	}
	struct peer *p = offered("PLAIN");	/* on a local socket there is nobody in between */

	p->account.auth.plaintext = AUTH_PLAINTEXT_TLS;
	p->account.socket = "/run/smtp";
	script(p, "C: AUTH PLAIN", "S: 235 ok");
	opens(p);
	peer_free(p);
}

static void test_named(void **state)
{
	(void)state;
	struct peer *p = offered("PLAIN CRAM-MD5 SCRAM-SHA-1");

	p->account.auth.mode = AUTH_MECHANISM;
	p->account.auth.mechanism = "CRAM-MD5";
	p->account.auth.user = "tim";
	p->password = "tanstaaftanstaaf";
	script(p, "C: AUTH CRAM-MD5\r\n",
	       "S: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+",
	       "C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n", "S: 235 ok");
	opens(p);
	assert_string_equal(p->session.mechanism, "CRAM-MD5");
	peer_free(p);

	p = offered("CRAM-MD5 LOGIN");
	p->account.auth.mode = AUTH_MECHANISM;
	p->account.auth.mechanism = "PLAIN";
	fails(p, 69, "5.7.4", "CRAM-MD5 (not the one named in 'auth')");
	peer_free(p);

	p = offered("CRAM-MD5");	/* as msmtp does with its own file */
	p->account.auth.legacy = true;
	script(p, "C: AUTH CRAM-MD5\r\n", "S: 535 no");
	fails(p, 77, "5.7.8", "AUTH CRAM-MD5");
	peer_free(p);
}

static void test_not_offered(void **state)
{
	(void)state;
	static const struct {
		enum auth_mode mode;
		const char *user;
		bool info_only;
		bool fails;
	} table[] = {
		{ AUTH_AUTO, NULL, false, false }, { AUTH_AUTO, "user", false, true },
		{ AUTH_ON, NULL, false, true }, { AUTH_OFF, "user", false, false },
		{ AUTH_AUTO, "user", true, false }, { AUTH_MECHANISM, "user", false, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct peer *p = signing();

		p->account.auth.mode = table[i].mode;
		p->account.auth.mechanism = "PLAIN";
		p->account.auth.user = table[i].user;
		p->opt.info_only = table[i].info_only;
		script(p, "S: 220 hi", EHLO, "S: 250-mx\n250 SIZE");
		if (table[i].fails)
			fails(p, 69, "5.7.4", "does not offer AUTH");
		else
			opens(p);
		assert_int_equal(p->fetched, 0);
		peer_free(p);
	}
}

static void test_no_user(void **state)
{
	(void)state;
	struct peer *p = offered("PLAIN");

	p->account.auth.user = NULL;
	p->account.auth.mode = AUTH_MECHANISM;
	p->account.auth.mechanism = "PLAIN";
	fails(p, 78, "5.3.5", "AUTH PLAIN needs 'user'");
	peer_free(p);

	p = offered("PLAIN");
	p->password = NULL;
	fails(p, 78, "5.3.5", "no secret");
	assert_null(strstr(p->written.buf, "AUTH"));
	peer_free(p);
}

static void test_tokens(void **state)
{
	(void)state;
	/* in front of the password's mechanisms, and only the token is asked for */
	struct peer *p = offered("PLAIN XOAUTH2 SCRAM-SHA-256");

	p->account.auth.token_file = "/dev/null";
	p->account.socket = "/run/smtp";
	p->token = "t";
	script(p, "C: AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHQBAQ==\r\n", "S: 235 ok");
	opens(p);
	peer_free(p);

	/* the reason of the failure is told */
	p = offered("XOAUTH2 OAUTHBEARER");
	p->account.auth.token_file = "/dev/null";
	p->account.socket = "/run/smtp";
	p->token = "t";
	script(p, "C: AUTH OAUTHBEARER bixhPXVzZXIs", "S: 334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=",
	       "C: AQ==\r\n", "S: 535 5.7.8 refused");
	fails(p, 77, "5.7.8", "AUTH OAUTHBEARER: 535 5.7.8 refused; "
	      "the access token is not valid or has expired (status invalid_token)");
	peer_free(p);

	p = offered("XOAUTH2");
	p->account.auth.token_file = "/dev/null";
	p->account.socket = "/run/smtp";
	p->token = "t";
	script(p, "C: AUTH XOAUTH2 ", "S: 334 eyJzdGF0dXMiOiI0MDEifQ==", "C: \r\n", "S: 535 no");
	fails(p, 77, "5.7.8", "535 no; the access token is not valid or has expired (status 401)");
	peer_free(p);
}

/* RFC 4954, section 4: no initial response when the line would be longer than 512 octets. */
static void test_initial_response_length(void **state)
{
	(void)state;
	/* "AUTH XOAUTH2 " + coded + CRLF; coded = 4 * ceil((24 + token) / 3) */
	static const struct {
		size_t token;
		bool initial;
	} table[] = {
		{ 340, true }, { 347, true }, { 348, true }, { 349, false }, { 65536, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct peer *p = offered("XOAUTH2");
		char *token = xmalloc(table[i].token + 1);

		memset(token, 'x', table[i].token);
		token[table[i].token] = '\0';
		p->token = token;
		p->account.auth.token_file = "/dev/null";
		p->account.socket = "/run/smtp";
		if (table[i].initial)
			script(p, "C: AUTH XOAUTH2 dXNl", "S: 235 ok");
		else
			script(p, "C: AUTH XOAUTH2\r\n", "S: 334 ", "C: dXNl", "C: \r\n",
			       "S: 235 ok");
		opens(p);
		const char *line = strstr(p->written.buf, "AUTH ");

		assert_true(strcspn(line, "\n") + 1 <= 512);
		xfree(token);
		peer_free(p);
	}
}

static void test_endless_challenges(void **state)
{
	(void)state;
	struct peer *p = offered("LOGIN");

	for (int i = 0; i < 40; i++)
		script(p, "S: 334 ");
	assert_int_equal(peer_open(p), -1);
	assert_int_equal(p->err.exit, 76);
	assert_true(p->session.dead);
	peer_free(p);
}

/* Dovecot announces DSN only to those who have signed in. */
static void test_ehlo_after_auth(void **state)
{
	(void)state;
	struct peer *p = offered("PLAIN");

	recipients(p, "b@example.org");
	p->envelope.rcpt[0].notify = DSN_NOTIFY_NEVER;
	p->opt.envelope = &p->envelope;
	script(p, "C: AUTH PLAIN", "S: 235 ok", EHLO, "S: 250-mx\n250-AUTH PLAIN\n250 DSN");
	opens(p);
	assert_true(session_has(&p->session, EXT_DSN));
	peer_free(p);

	p = offered("PLAIN");		/* still not there: asked once only */
	recipients(p, "b@example.org");
	p->envelope.utf8 = true;
	p->opt.envelope = &p->envelope;
	script(p, "C: AUTH PLAIN", "S: 235 ok", EHLO, "S: 250 mx");
	opens(p);
	assert_false(session_has(&p->session, EXT_AUTH));
	peer_free(p);

	p = offered("PLAIN");		/* nothing is needed: the wait is saved */
	recipients(p, "b@example.org");
	p->opt.envelope = &p->envelope;
	script(p, "C: AUTH PLAIN", "S: 235 ok");
	opens(p);
	assert_null(strstr(strstr(p->written.buf, "EHLO") + 1, "EHLO"));
	peer_free(p);
}

/* What the server-first message demands is looked at before the library sees it. */
static void test_scram_low_count(void **state)
{
	(void)state;
	struct peer *p = offered("SCRAM-SHA-256");

	script(p, "C: AUTH SCRAM-SHA-256 ", "S: 334 cj14LHM9V0VWQSxpPTEwMA==", "C: *\r\n",
	       "S: 501 ok");
	fails(p, 77, "5.7.9", "100 iterations only");
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_session),
		cmocka_unit_test(test_quit_code), cmocka_unit_test(test_first_line),
		cmocka_unit_test(test_greetings),
		cmocka_unit_test(test_greeting_port_465),
		cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_ehlo_silence),
		cmocka_unit_test(test_helo_only),
		cmocka_unit_test(test_ehlo_name),
		cmocka_unit_test(test_early_replies),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_starttls_no_handshake),
		cmocka_unit_test(test_tls_modes),
		cmocka_unit_test(test_auth_plain),
		cmocka_unit_test(test_auth_login),
		cmocka_unit_test(test_sign_in),
		cmocka_unit_test(test_no_clear_text),
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_not_offered),
		cmocka_unit_test(test_no_user),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_initial_response_length),
		cmocka_unit_test(test_endless_challenges),
		cmocka_unit_test(test_ehlo_after_auth),
		cmocka_unit_test(test_scram_low_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
