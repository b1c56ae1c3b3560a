#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_scratch.h"
#include "smtp/auth/auth.h"
#include "smtp/auth/mechanism.h"
#include "smtp_peer.h"
#include "submit/memory.h"

#define EHLO "C: EHLO client.example.org\r\n"
#define PLAIN "C: AUTH PLAIN AHVzZXIAcGVuY2ls\r\n"

/* A list of auth_mechanisms. */
#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct peer *with(const struct auth_settings *auth, const char *offer)
{
	struct peer *p = peer_new();
	struct strbuf reply = STRBUF_INIT(1000);

	p->account.auth = *auth;
	p->account.auth.scram_min_iterations = 4096;
	p->account.auth.password_fd = -1;
	if (!auth->user)
		p->account.auth.user = "user";
	else if (!*auth->user)
		p->account.auth.user = NULL;
	p->password = "pencil";
	p->token = "t";
	strbuf_addf(&reply, "S: 250-mx\n250 AUTH %s", offer);
	script(p, "S: 220 hi", EHLO, reply.buf);
	strbuf_release(&reply);
	return p;
}

#define ALWAYS .plaintext = AUTH_PLAINTEXT_ALWAYS, .mutual = true

static const struct {
	const char *label;
	struct auth_settings auth;
	const char *offer, *dialogue[8];
	int exit;		/* 0: signed in by "result"; "" = not signed in */
	const char *result;	/* else the status */
	const char *text;
	bool ticket, on_socket;
} table[] = {
	/* auth_mechanisms */
	{ "only those in the list", { ALWAYS, .mechanisms = LIST("login") }, "PLAIN LOGIN",
	  { "C: AUTH LOGIN\r\n", "S: 535 no" }, 77, "5.7.8", "AUTH LOGIN", false, false },
	{ "all but one", { ALWAYS, .mechanisms = LIST("!plain") }, "PLAIN LOGIN",
	  { "C: AUTH LOGIN\r\n", "S: 535 no" }, 77, "5.7.8", "AUTH LOGIN", false, false },
	{ "our order, not that of the list", { ALWAYS, .mechanisms = LIST("login", "plain") },
	  "LOGIN PLAIN", { PLAIN, "S: 235 ok" }, 0, "PLAIN", "", false, false },
	{ "patterns", { ALWAYS, .mechanisms = LIST("scram-*", "!*-1") },
	  "SCRAM-SHA-1 SCRAM-SHA-256 PLAIN", { "C: AUTH SCRAM-SHA-256 ", "S: 535 no" },
	  77, "5.7.8", "AUTH SCRAM-SHA-256", false, false },
	{ "none in the list", { ALWAYS, .mechanisms = LIST("scram-sha-1") }, "PLAIN LOGIN",
	  { NULL }, 69, "5.7.4", "PLAIN (not in 'auth_mechanisms')", false, false },
	{ "a name in the list is a name", { ALWAYS, .mechanisms = LIST("cram-md5") }, "CRAM-MD5",
	  { "C: AUTH CRAM-MD5\r\n", "S: 535 no" }, 77, "5.7.8", "AUTH CRAM-MD5", false, false },
	{ "a pattern is none", { ALWAYS, .mechanisms = LIST("*") }, "CRAM-MD5 ANONYMOUS",
	  { NULL }, 69, "5.7.4", "CRAM-MD5 (weak: only when named in 'auth'), "
	  "ANONYMOUS (only when named in 'auth')", false, false },
	{ "the rule for clear text kept", { .mechanisms = LIST("!plaintext-without-tls") },
	  "PLAIN LOGIN", { NULL }, 69, "5.7.4", "TLS", false, false },
	{ "kept by another list too", { .mechanisms = LIST("plain") }, "PLAIN LOGIN", { NULL },
	  69, "5.7.4", "PLAIN (needs TLS)", false, false },
	{ "and lifted", { .mechanisms = LIST("plaintext-without-tls") }, "PLAIN LOGIN",
	  { PLAIN, "S: 235 ok" }, 0, "PLAIN", "", false, false },
	{ "a name in 'auth' wins", { ALWAYS, .mode = AUTH_MECHANISM, .mechanism = "PLAIN",
	  .mechanisms = LIST("login") }, "PLAIN LOGIN", { PLAIN, "S: 235 ok" }, 0, "PLAIN", "",
	  false, false },

	/* auth_legacy */
	{ "legacy", { ALWAYS, .legacy = true }, "NTLM DIGEST-MD5 CRAM-MD5",
	  { "C: AUTH CRAM-MD5\r\n", "S: 535 no" }, 77, "5.7.8", "AUTH CRAM-MD5", false, false },
	{ "never before PLAIN", { ALWAYS, .legacy = true }, "DIGEST-MD5 CRAM-MD5 PLAIN",
	  { PLAIN, "S: 235 ok" }, 0, "PLAIN", "", false, false },

	{ "a name that would have to be quoted", { ALWAYS, .legacy = true, .user = "DOM\\joe" },
	  "DIGEST-MD5 NTLM", { "C: AUTH NTLM ", "S: 535 no" }, 77, "5.7.8", "AUTH NTLM: 535", false,
	  false },
	{ "by name neither", { ALWAYS, .mode = AUTH_MECHANISM, .mechanism = "DIGEST-MD5",
	  .authzid = "a\"b" }, "DIGEST-MD5", { NULL }, 69, "5.7.4",
	  "DIGEST-MD5 ('user' or 'authzid' has a quote or backslash)", false, false },

	/* auth_minimum */
	{ "minimum plain", { ALWAYS, .legacy = true, .minimum = AUTH_MINIMUM_PLAIN },
	  "CRAM-MD5", { NULL }, 77, "5.7.9", "CRAM-MD5 (weaker than 'auth_minimum')", false,
	  false },
	{ "minimum scram", { ALWAYS, .minimum = AUTH_MINIMUM_SCRAM }, "PLAIN LOGIN", { NULL }, 77,
	  "5.7.9", "PLAIN (weaker than 'auth_minimum'), LOGIN (weaker", false, false },
	{ "minimum scram, and there", { ALWAYS, .minimum = AUTH_MINIMUM_SCRAM },
	  "PLAIN SCRAM-SHA-1", { "C: AUTH SCRAM-SHA-1 ", "S: 535 no" }, 77, "5.7.8",
	  "AUTH SCRAM-SHA-1", false, false },
	{ "minimum scram-plus", { ALWAYS, .minimum = AUTH_MINIMUM_SCRAM_PLUS },
	  "SCRAM-SHA-256 PLAIN", { NULL }, 77, "5.7.9", "SCRAM-SHA-256 (weaker", false, false },
	{ "minimum binds a name too", { ALWAYS, .mode = AUTH_MECHANISM, .mechanism = "PLAIN",
	  .minimum = AUTH_MINIMUM_SCRAM }, "PLAIN", { NULL }, 77, "5.7.9", "PLAIN (weaker",
	  false, false },
	{ "no binding without TLS", { ALWAYS }, "SCRAM-SHA-1-PLUS", { NULL }, 69, "5.7.4",
	  "SCRAM-SHA-1-PLUS (no channel binding)", false, false },

	/* auth_retry, 534 */
	{ "no second guess", { ALWAYS }, "SCRAM-SHA-256 PLAIN",
	  { "C: AUTH SCRAM-SHA-256 ", "S: 535 no" }, 77, "5.7.8", "AUTH SCRAM-SHA-256", false,
	  false },
	{ "a second guess", { ALWAYS, .retry = true }, "SCRAM-SHA-256 PLAIN",
	  { "C: AUTH SCRAM-SHA-256 ", "S: 535 no", PLAIN, "S: 235 ok" }, 0, "PLAIN", "", false,
	  false },
	{ "and the last", { ALWAYS, .retry = true }, "PLAIN LOGIN",
	  { PLAIN, "S: 535 no", "C: AUTH LOGIN\r\n", "S: 535 never" }, 77, "5.7.8",
	  "AUTH LOGIN: 535 never", false, false },
	{ "not after other refusals", { ALWAYS, .retry = true }, "PLAIN LOGIN",
	  { PLAIN, "S: 525 5.7.13 disabled" }, 77, "5.7.13", "525", false, false },
	{ "a stronger one by 534", { ALWAYS }, "OAUTHBEARER SCRAM-SHA-1 PLAIN",
	  { "C: AUTH OAUTHBEARER ", "S: 534 5.7.9 weak", "C: AUTH SCRAM-SHA-1 ", "S: 535 no" },
	  77, "5.7.8", "AUTH SCRAM-SHA-1: 535", false, true },

	/* 501, the last word said or not; 334 to an initial response */
	{ "501 to a password", { ALWAYS }, "PLAIN LOGIN", { PLAIN, "S: 501 5.5.4 no" }, 77,
	  "5.5.4", "AUTH PLAIN: 501 5.5.4 no (a password that is right: auth_initial_response = "
	  "never)", false, false },
	{ "its status", { ALWAYS }, "PLAIN", { PLAIN, "S: 501 no" }, 77, "5.7.8", "501 no", false,
	  false },
	{ "501 is a refusal", { ALWAYS, .retry = true }, "PLAIN LOGIN",
	  { PLAIN, "S: 501 no", "C: AUTH LOGIN\r\n", "S: 334 VXNlcm5hbWU6", "C: dXNlcg==\r\n",
	    "S: 501 no" }, 76, "5.5.2", "AUTH LOGIN: 501 no", false, false },
	{ "501 to the end of LOGIN", { ALWAYS }, "LOGIN", { "C: AUTH LOGIN\r\n",
	  "S: 334 VXNlcm5hbWU6", "C: dXNlcg==\r\n", "S: 334 UGFzc3dvcmQ6", "C: cGVuY2ls\r\n",
	  "S: 501 no" }, 77, "5.7.8", "AUTH LOGIN: 501 no", false, false },
	{ "501 to half of SCRAM", { ALWAYS }, "SCRAM-SHA-1", { "C: AUTH SCRAM-SHA-1 ", "S: 501 no",
	  "C: AUTH SCRAM-SHA-1\r\n", "S: 501 no" }, 76, "5.5.2", "AUTH SCRAM-SHA-1: 501 no", false,
	  false },
	{ "asked for it again", { ALWAYS }, "PLAIN", { PLAIN, "S: 334 ",
	  "C: AHVzZXIAcGVuY2ls\r\n", "S: 235 ok" }, 0, "PLAIN", "", false, false },
	{ "but once", { ALWAYS }, "PLAIN", { PLAIN, "S: 334 ", "C: AHVzZXIAcGVuY2ls\r\n",
	  "S: 334 ", "C: *\r\n", "S: 501 ok" }, 76, "5.5.2", "does not come to an end", false,
	  false },

	/* 502, 553 */
	{ "next by 502", { ALWAYS }, "PLAIN LOGIN", { PLAIN, "S: 502 no such input",
	  "C: AUTH LOGIN\r\n", "S: 535 no" }, 77, "5.7.8", "AUTH LOGIN: 535", false, false },
	{ "502 is no word on the password", { ALWAYS }, "PLAIN", { PLAIN, "S: 502 no such input" },
	  77, "5.5.4", "AUTH PLAIN: 502", false, false },
	{ "a hint at LOGIN", { ALWAYS }, "PLAIN LOGIN", { PLAIN, "S: 553 5.3.0 no" }, 77, "5.3.0",
	  "(a password that is right: auth = login)", false, false },

	/* 432 without verified TLS */
	{ "no transition in clear", { ALWAYS, .transition = true }, "SCRAM-SHA-1 PLAIN",
	  { "C: AUTH SCRAM-SHA-1 ", "S: 432 4.7.12 transition" }, 77, "4.7.12", "432", false,
	  false },
	{ "the hint", { ALWAYS }, "SCRAM-SHA-1 PLAIN",
	  { "C: AUTH SCRAM-SHA-1 ", "S: 432 4.7.12 transition" }, 77, "4.7.12",
	  "(auth_transition = on lets", false, false },
	{ "the other hint", { ALWAYS }, "PLAIN", { PLAIN, "S: 538 5.7.11 tls" }, 77, "5.7.11",
	  "(set tls = starttls)", false, false },

	/* auth_initial_response */
	{ "never", { ALWAYS, .initial_response = AUTH_INITIAL_NEVER }, "PLAIN",
	  { "C: AUTH PLAIN\r\n", "S: 334 ", "C: AHVzZXIAcGVuY2ls\r\n", "S: 235 ok" }, 0, "PLAIN",
	  "", false, false },
	{ "always changes nothing for LOGIN", { ALWAYS, .initial_response = AUTH_INITIAL_ALWAYS },
	  "LOGIN", { "C: AUTH LOGIN\r\n", "S: 535 no" }, 77, "5.7.8", "AUTH LOGIN", false, false },

	/* newer than SASLprep's tables: the challenge is cancelled, what needs them is left out */
	{ "a new character", { ALWAYS, .legacy = true, .user = "joe\xe2\x82\xb9" },
	  "CRAM-MD5 DIGEST-MD5", { "C: AUTH CRAM-MD5\r\n", "S: 334 PDFAeD4=", "C: *\r\n",
	  "S: 501 ok", "C: AUTH DIGEST-MD5\r\n", "S: 535 no" }, 77, "5.7.8",
	  "AUTH DIGEST-MD5: 535", false, false },
	{ "in the first message", { ALWAYS, .user = "joe\xe2\x82\xb9" }, "SCRAM-SHA-256 "
	  "SCRAM-SHA-1 PLAIN", { "C: AUTH PLAIN AGpvZeKCuQBwZW5jaWw=\r\n", "S: 235 ok" }, 0,
	  "PLAIN", "", false, false },
	{ "and nothing else", { ALWAYS, .user = "joe\xe2\x82\xb9" }, "SCRAM-SHA-1", { NULL }, 69,
	  "5.7.4", "AUTH SCRAM-SHA-1: user name or password has a character that SASLprep does "
	  "not know (newer than Unicode 3.2)", false, false },
	{ "the server goes", { ALWAYS, .legacy = true, .user = "joe\xe2\x82\xb9" },
	  "CRAM-MD5 DIGEST-MD5", { "C: AUTH CRAM-MD5\r\n", "S: 334 PDFAeD4=", "C: *\r\n",
	  "S: 421 bye" }, 69, "5.7.4", "AUTH CRAM-MD5: user name", false, false },

	/* auth_mutual */
	{ "one-sided", { .plaintext = AUTH_PLAINTEXT_ALWAYS }, "SCRAM-SHA-1",
	  { "C: AUTH SCRAM-SHA-1 ", "S: 235 welcome" }, 0, "SCRAM-SHA-1", "", false, false },

	/* auth = try */
	{ "try: refused", { ALWAYS, .mode = AUTH_TRY }, "PLAIN LOGIN", { PLAIN, "S: 535 no" }, 0,
	  "", "", false, false },
	{ "try: accepted", { ALWAYS, .mode = AUTH_TRY }, "PLAIN LOGIN", { PLAIN, "S: 235 ok" }, 0,
	  "PLAIN", "", false, false },
	{ "try: nothing usable", { .mode = AUTH_TRY }, "PLAIN LOGIN", { NULL }, 0, "", "", false,
	  false },
	{ "try: 421", { ALWAYS, .mode = AUTH_TRY }, "PLAIN", { PLAIN, "S: 421 4.7.0 no" }, 75,
	  "4.7.0", "421", false, false },
	{ "try: nonsense", { ALWAYS, .mode = AUTH_TRY }, "SCRAM-SHA-1",
	  { "C: AUTH SCRAM-SHA-1 ", "S: 235 ok" }, 76, "5.7.0", "prove", false, false },
	{ "on: refused", { ALWAYS, .mode = AUTH_ON }, "PLAIN", { PLAIN, "S: 535 no" }, 77,
	  "5.7.8", "535", false, false },

	/* Kerberos, ANONYMOUS */
	{ "a ticket that no library finds", { ALWAYS }, "GSSAPI PLAIN", { PLAIN, "S: 235 ok" }, 0,
	  "PLAIN", "", true, false },
	{ "no ticket", { ALWAYS, .mode = AUTH_ON }, "GSSAPI GS2-KRB5", { NULL }, 69, "5.7.4",
	  "GSSAPI (no Kerberos ticket), GS2-KRB5 (no Kerberos ticket)", false, false },
	{ "a password goes before", { ALWAYS, .password_file = "/dev/null" }, "GSSAPI PLAIN",
	  { PLAIN, "S: 235 ok" }, 0, "PLAIN", "", true, false },
	{ "said so", { ALWAYS, .password_file = "/dev/null" }, "GSSAPI", { NULL }, 69, "5.7.4",
	  "GSSAPI (with a password only when named in 'auth')", true, false },
	{ "GSSAPI named", { ALWAYS, .mode = AUTH_MECHANISM, .mechanism = "GSSAPI" },
	  "GSSAPI PLAIN",
	  { NULL }, 75, "4.7.0", "no valid ticket for smtp/mail.example.org", false, false },
	{ "its service", { ALWAYS, .mode = AUTH_MECHANISM, .mechanism = "GSSAPI",
	  .service = "lmtp" }, "GSSAPI", { NULL }, 75, "4.7.0", "for lmtp/mail.example.org",
	  false, false },
	{ "anonymous", { .mode = AUTH_MECHANISM, .mechanism = "ANONYMOUS", .user = "" },
	  "ANONYMOUS", { "C: AUTH ANONYMOUS =\r\n", "S: 235 ok" }, 0, "ANONYMOUS", "", false,
	  false },
	{ "anonymous with a trace", { .mode = AUTH_MECHANISM, .mechanism = "ANONYMOUS",
	  .user = "sirhc" }, "ANONYMOUS", { "C: AUTH ANONYMOUS c2lyaGM=\r\n", "S: 235 ok" }, 0,
	  "ANONYMOUS", "", false, false },

	/* authzid */
	{ "authzid", { ALWAYS, .authzid = "team" }, "PLAIN",
	  { "C: AUTH PLAIN dGVhbQB1c2VyAHBlbmNpbA==\r\n", "S: 235 ok" }, 0, "PLAIN", "", false,
	  false },
	{ "none to go by", { ALWAYS, .authzid = "team" }, "LOGIN", { NULL }, 69, "5.7.4",
	  "LOGIN (has no place for 'authzid')", false, false },

	/* a token needs TLS, whatever auth_plaintext says (RFC 7628, section 3) */
	{ "token in clear", { ALWAYS, .token_file = "/dev/null" }, "OAUTHBEARER XOAUTH2", { NULL },
	  69, "5.7.4", "OAUTHBEARER (needs TLS), XOAUTH2 (needs TLS)", false, false },
};

static void set_no_tickets(void)
{
	setenv("KRB5CCNAME", "FILE:/nonexistent/cache", 1);
	setenv("KRB5_CONFIG", "/dev/null", 1);
	setenv("KRB5_CLIENT_KTNAME", "/nonexistent/keytab", 1);
}

static void test_choice(void **state)
{
	(void)state;
	set_no_tickets();
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct peer *p = with(&table[i].auth, table[i].offer);

		print_message("%s\n", table[i].label);
		p->ticket = table[i].ticket;
		if (table[i].on_socket) {
			p->account.socket = "/run/smtp";
			p->account.auth.token_file = "/dev/null";
			p->account.auth.password_file = "/dev/null";
		}
		for (size_t k = 0; k < 8 && table[i].dialogue[k]; k++)
			script(p, table[i].dialogue[k]);
		int rc = peer_open(p);

		if (rc != (table[i].exit ? -1 : 0))
			fail_msg("%d %s", rc, p->err.text);
		if (rc < 0 && (p->err.exit != table[i].exit ||
			       !strstr(p->err.text, table[i].text) ||
			       strcmp(p->err.status, table[i].result) != 0))
			fail_msg("%d %s %s", p->err.exit, p->err.status, p->err.text);
		if (rc == 0 && *table[i].result)
			assert_string_equal(p->session.mechanism, table[i].result);
		assert_int_equal(p->session.authenticated, rc == 0 && *table[i].result);
		assert_null(strstr(p->transcript.buf, "cGVu"));
		peer_free(p);
	}
}

/* Cyrus's lmtpd has tickets of its own. */
static void test_service(void **state)
{
	(void)state;
	static const struct {
		enum protocol protocol;
		const char *service, *says;
	} services[] = {
		{ PROTOCOL_LMTP, NULL, "for lmtp/mail.example.org" },
		{ PROTOCOL_LMTP, "auto", "for lmtp/mail.example.org" },
		{ PROTOCOL_LMTP, "smtp", "for smtp/mail.example.org" },
		{ PROTOCOL_SMTP, "auto", "for smtp/mail.example.org" },
	};

	set_no_tickets();
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		struct peer *p = peer_new();

		p->account.auth = (struct auth_settings){ ALWAYS, .mode = AUTH_MECHANISM,
			.mechanism = "GSSAPI", .user = "user", .password_fd = -1,
			.service = services[i].service };
		p->account.protocol = services[i].protocol;
		script(p, "S: 220 hi", services[i].protocol == PROTOCOL_LMTP ?
		       "C: LHLO client.example.org\r\n" : EHLO, "S: 250-mx\n250 AUTH GSSAPI");
		assert_int_equal(peer_open(p), -1);
		assert_says(p->err.text, services[i].says);
		peer_free(p);
	}
}

/* --- tokens that are renewed ---------------------------------------------- */

static struct peer *token_peer(const char *offer)
{
	struct peer *p = with(&(struct auth_settings){ .token_command = LIST("x") }, offer);

	p->account.socket = "/run/smtp";
	return p;
}

/* n,a=user,^Ahost=mail.example.org^Aport=587^Aauth=Bearer T^A^A */
#define BEARER(last) "C: AUTH OAUTHBEARER bixhPXVzZXIsAWhvc3Q9bWFpbC5leGFtcGxlLm9yZwFwb3J0PTU4" \
	"NwFhdXRoPUJlYXJlciB" last "\r\n"
#define STALE "S: 334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0="
#define SCOPE "S: 334 eyJzdGF0dXMiOiJpbnN1ZmZpY2llbnRfc2NvcGUifQ=="

static void test_renewed(void **state)
{
	(void)state;
	struct peer *p = token_peer("OAUTHBEARER");

	p->next_token = "u";
	script(p, BEARER("0AQE="), STALE, "C: AQ==\r\n", "S: 535 5.7.8 no", BEARER("1AQE="),
	       "S: 235 ok");
	if (peer_open(p) < 0)
		fail_msg("%s", p->err.text);
	assert_int_equal(p->fetched, 2);
	peer_free(p);

	/* never more than twice */
	p = token_peer("OAUTHBEARER");
	p->next_token = "u";
	script(p, BEARER("0AQE="), STALE, "C: AQ==\r\n", "S: 535 5.7.8 no", BEARER("1AQE="), STALE,
	       "C: AQ==\r\n", "S: 535 5.7.8 never");
	assert_int_equal(peer_open(p), -1);
	assert_says(p->err.text, "535 5.7.8 never; the access token is not valid or has expired");
	assert_int_equal(p->err.exit, 77);
	assert_int_equal(p->fetched, 2);
	peer_free(p);

	/* the same again is not shown again */
	p = token_peer("OAUTHBEARER");
	script(p, BEARER("0AQE="), STALE, "C: AQ==\r\n", "S: 535 5.7.8 no");
	assert_int_equal(peer_open(p), -1);
	assert_says(p->err.text, "(asked again, the command gave no other)");
	assert_int_equal(p->fetched, 2);
	peer_free(p);

	/* a server that gives no reason */
	p = token_peer("XOAUTH2");
	p->next_token = "u";
	script(p, "C: AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHQBAQ==\r\n", "S: 535 5.7.3 no",
	       "C: AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHUBAQ==\r\n", "S: 235 ok");
	assert_int_equal(peer_open(p), 0);
	peer_free(p);
}

static void test_not_renewed(void **state)
{
	(void)state;
	struct peer *p = token_peer("OAUTHBEARER");

	p->next_token = "u";			/* another one would not help */
	script(p, BEARER("0AQE="), SCOPE, "C: AQ==\r\n", "S: 535 5.7.8 no");
	assert_int_equal(peer_open(p), -1);
	assert_says(p->err.text, "the access token is not for sending mail");
	assert_int_equal(p->fetched, 1);
	peer_free(p);

	p = token_peer("OAUTHBEARER");		/* a file says the same every time */
	p->next_token = "u";
	p->account.auth.token_command = NULL;
	p->account.auth.token_file = "/dev/null";
	script(p, BEARER("0AQE="), STALE, "C: AQ==\r\n", "S: 535 5.7.8 no");
	assert_int_equal(peer_open(p), -1);
	assert_int_equal(p->fetched, 1);
	peer_free(p);
}

static void test_token_sources(void **state)
{
	(void)state;
	const struct {
		struct auth_settings auth;
		bool command;
	} sources[] = {
		{ { .token_command = LIST("x"), .password_fd = -1 }, true },
		{ { .token_file = "x", .token_command = LIST("x"), .password_fd = -1 }, false },
		{ { .passwordeval = "x", .password_fd = -1 }, true },
		{ { .password_command = LIST("x"), .password_fd = -1 }, true },
		{ { .passwordeval = "x", .password_file = "y", .password_fd = -1 }, false },
		{ { .passwordeval = "x", .password_fd = 3 }, false },
		{ { .passwordeval = "x", .password_credential = "y", .password_fd = -1 }, false },
		{ { .password_fd = -1 }, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		assert_int_equal(auth_token_from_command(&sources[i].auth), sources[i].command);
}

/* --- what a reply leads to -------------------------------------------------- */

static void test_codes(void **state)
{
	(void)state;
	static const struct {
		int code;
		enum auth_verdict with_initial, without, said_all;
	} codes[] = {
		{ 250, AUTH_FAILED, AUTH_FAILED, AUTH_FAILED },
		{ 421, AUTH_FAILED, AUTH_FAILED, AUTH_FAILED },
		{ 432, AUTH_TRANSITION, AUTH_TRANSITION, AUTH_TRANSITION },
		{ 454, AUTH_FAILED, AUTH_FAILED, AUTH_FAILED },
		{ 500, AUTH_WITHOUT_INITIAL, AUTH_NEXT, AUTH_NEXT },
		{ 501, AUTH_WITHOUT_INITIAL, AUTH_FAILED, AUTH_REFUSED },
		{ 502, AUTH_NEXT, AUTH_NEXT, AUTH_NEXT },
		{ 503, AUTH_FAILED, AUTH_FAILED, AUTH_FAILED },
		{ 504, AUTH_NEXT, AUTH_NEXT, AUTH_NEXT },
		{ 525, AUTH_FAILED, AUTH_FAILED, AUTH_FAILED },
		{ 530, AUTH_FAILED, AUTH_FAILED, AUTH_FAILED },
		{ 534, AUTH_STRONGER, AUTH_STRONGER, AUTH_STRONGER },
		{ 535, AUTH_REFUSED, AUTH_REFUSED, AUTH_REFUSED },
		{ 538, AUTH_FAILED, AUTH_FAILED, AUTH_FAILED },
	};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		assert_int_equal(auth_judge_code(codes[i].code, SAID_INITIAL),
				 codes[i].with_initial);
		assert_int_equal(auth_judge_code(codes[i].code, 0), codes[i].without);
		assert_int_equal(auth_judge_code(codes[i].code, SAID_ALL), codes[i].said_all);
	}
	assert_int_equal(auth_judge_code(501, SAID_INITIAL | SAID_ALL), AUTH_REFUSED);
	assert_int_equal(auth_judge_code(500, SAID_INITIAL | SAID_ALL), AUTH_WITHOUT_INITIAL);
}

/* --- auth_remember ---------------------------------------------------------- */

static struct arena *arena;

static int setup(void **state)
{
	arena = arena_new();
	return scratch_setup(state);
}

static int teardown(void **state)
{
	arena_free(arena);
	return scratch_teardown(state);
}

static const struct auth_memory *memory_of(const char *user, unsigned port)
{
	struct account a = { .auth = { .remember = true, .user = user } };

	return memory_of_mechanism(arena, &a, "mail.example.org", port);
}

static void expect_kept(const char *user, unsigned port, const char *wanted)
{
	const struct auth_memory *m = memory_of(user, port);
	const char *name = NULL;
	struct error err;

	if (m->recall(m->ctx, &name, &err) < 0)
		fail_msg("%s", err.text);
	if (wanted)
		assert_string_equal(name, wanted);
	else
		assert_null(name);
}

static void keep(const char *user, unsigned port, const char *mechanism)
{
	const struct auth_memory *m = memory_of(user, port);

	m->remember(m->ctx, mechanism);
}

static void test_memory(void **state)
{
	(void)state;
	struct account off = { .auth = { .user = "u" } };
	struct stat st;

	assert_null(memory_of_mechanism(arena, &off, "h", 1));
	setenv("XDG_STATE_HOME", scratch_path("state"), 1);
	expect_kept("joe", 587, NULL);
	keep("joe", 587, "PLAIN");
	expect_kept("joe", 587, "PLAIN");
	expect_kept("joe", 465, NULL);
	expect_kept("jo", 587, NULL);
	expect_kept("Joe", 587, NULL);
	keep("ann b", 587, "SCRAM-SHA-1");
	keep("joe", 587, "SCRAM-SHA-256");
	expect_kept("joe", 587, "SCRAM-SHA-256");
	expect_kept("ann b", 587, "SCRAM-SHA-1");
	keep("e\nPLAIN mail.example.org 587 x", 587, "PLAIN");	/* no line of its own */
	expect_kept("x", 587, NULL);
	keep(NULL, 25, "EXTERNAL");
	expect_kept(NULL, 25, "EXTERNAL");
	assert_int_equal(stat(scratch_path("state/msubmit/mechanisms"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(scratch_path("state/msubmit"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	/* nothing is left beside it */
	assert_int_equal(chmod(scratch_path("state/msubmit/mechanisms"), 0622), 0);
	const struct auth_memory *m = memory_of("joe", 587);
	const char *name = NULL;
	struct error err;

	assert_int_equal(m->recall(m->ctx, &name, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_says(err.text, "can be changed by others");
	assert_null(name);
	unsetenv("XDG_STATE_HOME");
}

/* Lines that nobody of us has written are nobody's. */
static void test_odd_lines(void **state)
{
	(void)state;
	static const char text[] = "\n\nPLAIN\nPLAIN \n mail.example.org 587 joe\n"
		"SCRAM-SHA-1 mail.example.org 587 joe x\nLOGIN mail.example.org 587 joe";

	setenv("XDG_STATE_HOME", scratch_path("odd"), 1);
	keep("x", 1, "PLAIN");
	scratch_bytes("odd/msubmit/mechanisms", text, sizeof(text) - 1, 0600);
	expect_kept("joe", 587, "LOGIN");
	expect_kept("joe x", 587, "SCRAM-SHA-1");
	scratch_bytes("odd/msubmit/mechanisms", "", 0, 0600);
	expect_kept("joe", 587, NULL);
	unsetenv("XDG_STATE_HOME");
}

static const char *kept;
static bool broken;

static int recall(void *ctx, const char **name_out, struct error *err)
{
	(void)ctx;
	if (broken)
		return error_set(err, FAULT_CONFIG, "broken");
	*name_out = kept;
	return 0;
}

static void remember(void *ctx, const char *name)
{
	(void)ctx;
	kept = name;
}

static struct peer *remembering(const char *offer)
{
	static const struct auth_memory memory = { recall, remember, NULL };
	struct peer *p = with(&(struct auth_settings){ ALWAYS, .remember = true }, offer);

	p->opt.auth_memory = &memory;
	return p;
}

static void test_remember(void **state)
{
	(void)state;
	struct peer *p = remembering("PLAIN");

	kept = NULL;
	script(p, PLAIN, "S: 235 ok");
	assert_int_equal(peer_open(p), 0);
	assert_string_equal(kept, "PLAIN");
	peer_free(p);

	/* what is as strong will do, and what was stronger is kept */
	kept = "LOGIN";
	p = remembering("PLAIN");
	script(p, PLAIN, "S: 235 ok");
	assert_int_equal(peer_open(p), 0);
	assert_string_equal(kept, "LOGIN");
	peer_free(p);

	kept = "SCRAM-SHA-256";
	p = remembering("PLAIN");
	assert_int_equal(peer_open(p), -1);
	assert_int_equal(p->err.exit, 77);
	assert_string_equal(p->err.status, "5.7.9");
	assert_says(p->err.text, "PLAIN (weaker than what worked before: see 'auth_remember')");
	assert_null(strstr(p->written.buf, "AUTH"));
	peer_free(p);

	/* not asked, not told */
	p = remembering("PLAIN");
	p->account.auth.remember = false;
	script(p, PLAIN, "S: 235 ok");
	assert_int_equal(peer_open(p), 0);
	assert_string_equal(kept, "SCRAM-SHA-256");
	peer_free(p);

	kept = "X-UNKNOWN";			/* of another version: no reason to refuse */
	p = remembering("PLAIN");
	script(p, PLAIN, "S: 235 ok");
	assert_int_equal(peer_open(p), 0);
	peer_free(p);

	/* a refused password is nothing to remember */
	kept = NULL;
	p = remembering("PLAIN");
	script(p, PLAIN, "S: 535 no");
	assert_int_equal(peer_open(p), -1);
	assert_null(kept);
	peer_free(p);

	broken = true;
	p = remembering("PLAIN");
	assert_int_equal(peer_open(p), -1);
	assert_int_equal(p->err.exit, 78);
	assert_null(strstr(p->written.buf, "AUTH"));
	peer_free(p);
	broken = false;
}

/* The Kerberos library keeps some octets for good; read by the leak checker. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libgssapi_krb5.so";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_renewed),
		cmocka_unit_test(test_not_renewed),
		cmocka_unit_test(test_token_sources),
		cmocka_unit_test(test_codes),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_odd_lines, setup, teardown),
		cmocka_unit_test(test_remember),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
