#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <gsasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/auth/gsasl_api.h"
#include "smtp/auth/mechanism.h"
#include "util/base64.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/strbuf.h"

/* --- a server of the library's, for the other end ------------------------ */

static struct {
	__typeof__(&gsasl_server_start) server_start;
	__typeof__(&gsasl_callback_set) callback_set;
	__typeof__(&gsasl_step) step;
	__typeof__(&gsasl_property_set) property_set;
	__typeof__(&gsasl_property_fast) property_fast;
	__typeof__(&gsasl_finish) finish;
	__typeof__(&gsasl_init) init;
	__typeof__(&gsasl_done) done;
	__typeof__(&gsasl_free) free;
} lib;

static const char *server_binding;	/* what the server knows as tls-exporter or tls-unique */
static const char *server_realm;

static int server_callback(Gsasl *ctx, Gsasl_session *s, Gsasl_property property)
{
	(void)ctx;
	switch (property) {
	case GSASL_PASSWORD:
		lib.property_set(s, GSASL_PASSWORD, "pencil");
		return GSASL_OK;
	case GSASL_REALM:
		if (!server_realm)
			return GSASL_NO_CALLBACK;
		lib.property_set(s, GSASL_REALM, server_realm);
		return GSASL_OK;
	case GSASL_CB_TLS_EXPORTER:
	case GSASL_CB_TLS_UNIQUE:
		if (!server_binding)
			return GSASL_NO_CALLBACK;
		lib.property_set(s, property, server_binding);
		return GSASL_OK;
	case GSASL_VALIDATE_SIMPLE:
		return strcmp(lib.property_fast(s, GSASL_AUTHID), "user") == 0 &&
			strcmp(lib.property_fast(s, GSASL_PASSWORD), "pencil") == 0
			? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
	case GSASL_VALIDATE_EXTERNAL:
		return GSASL_OK;
	default:
		return GSASL_NO_CALLBACK;
	}
}

static Gsasl *server;

static int load_server(void **state)
{
	static void *handle;
	static const struct dynlib_symbol symbols[] = {
		{ "gsasl_server_start", &lib.server_start },
		{ "gsasl_callback_set", &lib.callback_set },
		{ "gsasl_step", &lib.step }, { "gsasl_property_set", &lib.property_set },
		{ "gsasl_property_fast", &lib.property_fast }, { "gsasl_finish", &lib.finish },
		{ "gsasl_init", &lib.init }, { "gsasl_done", &lib.done },
		{ "gsasl_free", &lib.free },
	};
	struct error err;

	(void)state;
	if (dynlib_load(&handle, GSASL_SONAME, "libgsasl18", symbols, ARRAY_LEN(symbols), &err) < 0)
		return -1;
	if (lib.init(&server) != GSASL_OK)
		return -1;
	lib.callback_set(server, server_callback);
	return 0;
}

static int unload_server(void **state)
{
	(void)state;
	lib.done(server);
	return 0;
}

/* --- helpers ------------------------------------------------------------- */

static const struct mechanism_input defaults = {
	.user = "user", .secret = "pencil", .host = "mail.example.org", .service = "smtp",
	.port = 587,
	.scram_min_iterations = 4096,
};

static struct exchange *begin(const char *name, const struct mechanism_input *in)
{
	struct exchange *x = NULL;
	struct error err = { 0 };
	const struct mechanism *m = mechanism_find(name);

	assert_non_null(m);
	if (exchange_new(m, in, &x, &err) < 0)
		fail_msg("%s", err.text);
	return x;
}

static void expect_step(struct exchange *x, const char *in, const char *out, size_t n)
{
	struct strbuf answer = STRBUF_INIT(65536);
	struct error err = { 0 };

	if (exchange_step(x, in, in ? strlen(in) : 0, &answer, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(answer.len, n);
	assert_memory_equal(answer.buf, out, n);
	strbuf_release(&answer);
}

#define expect_answer(x, in, literal) expect_step(x, in, literal, sizeof(literal) - 1)

static void expect_failure(struct exchange *x, const char *in, int exit, const char *text)
{
	struct strbuf answer = STRBUF_INIT(65536);
	struct error err = { 0 };

	assert_int_equal(exchange_step(x, in, in ? strlen(in) : 0, &answer, &err), -1);
	if (err.exit != exit || !strstr(err.text, text))
		fail_msg("%d %s", err.exit, err.text);
	assert_int_equal(answer.len, 0);
	strbuf_release(&answer);
}

/* The whole dialogue with the library's server: 0 when both ends agree. */
static int converse(const char *name, const struct mechanism_input *in, struct error *err)
{
	const struct mechanism *m = mechanism_find(name);
	struct exchange *x = NULL;
	Gsasl_session *s = NULL;
	struct strbuf answer = STRBUF_INIT(65536);
	char *challenge = NULL;
	size_t length = 0;
	int rc = GSASL_NEEDS_MORE, mine = 0;
	bool first = (m->flags & MECHANISM_INITIAL) == 0;

	assert_int_equal(lib.server_start(server, name, &s), GSASL_OK);
	lib.property_set(s, GSASL_SERVICE, "smtp");
	lib.property_set(s, GSASL_HOSTNAME, "mail.example.org");
	mine = exchange_new(m, in, &x, err);
	if (mine == 0 && first)
		rc = lib.step(s, NULL, 0, &challenge, &length);
	for (int i = 0; mine == 0 && i < 8; i++) {
		strbuf_reset(&answer);
		mine = exchange_step(x, challenge, length, &answer, err);
		lib.free(challenge);
		challenge = NULL;
		length = 0;
		if (mine < 0 || rc == GSASL_OK)
			break;
		rc = lib.step(s, answer.buf, answer.len, &challenge, &length);
		if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
			mine = error_set(err, FAULT_PASSWORD_REFUSED, "the server says: %d", rc);
		else if (rc == GSASL_OK && length == 0)
			break;
	}
	if (mine == 0 && (rc != GSASL_OK || !x->complete))
		mine = error_set(err, FAULT_BUG, "no end: %d", rc);
	lib.free(challenge);
	lib.finish(s);
	exchange_free(x);
	strbuf_release(&answer);
	return mine;
}

static void agree(const char *name, const struct mechanism_input *in)
{
	struct error err = { 0 };

	if (converse(name, in, &err) < 0)
		fail_msg("%s: %s", name, err.text);
}

/* --- the table ----------------------------------------------------------- */

static size_t rank(const char *name)
{
	const struct mechanism *m = mechanism_find(name);

	assert_non_null(m);
	return (size_t)(m - mechanisms);
}

static void test_order(void **state)
{
	(void)state;
	static const char *const order[] = { "EXTERNAL", "GSSAPI", "GS2-KRB5", "OAUTHBEARER",
		"XOAUTH2",
		"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN",
		"LOGIN", "CRAM-MD5", "DIGEST-MD5", "NTLM", "ANONYMOUS" };

	assert_int_equal(mechanism_count, ARRAY_LEN(order));
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_int_equal(rank(order[i]), i);
	assert_ptr_equal(mechanism_find("plain"), mechanism_find("PLAIN"));
	assert_null(mechanism_find("PLAINER"));
	assert_null(mechanism_find(""));
	for (size_t i = 0; i < mechanism_count; i++) {
		bool readable = strstr("PLAIN LOGIN OAUTHBEARER XOAUTH2",
				       mechanisms[i].name) != NULL;

		assert_int_equal((mechanisms[i].flags & MECHANISM_READABLE) != 0, readable);
	}
}

/* --- vectors ------------------------------------------------------------- */

static void test_plain(void **state)
{
	(void)state;
	struct mechanism_input in = defaults;

	in.user = "tim";			/* RFC 4616, section 4 */
	in.secret = "tanstaaftanstaaf";
	struct exchange *x = begin("PLAIN", &in);

	assert_false(x->complete);
	expect_answer(x, NULL, "\0tim\0tanstaaftanstaaf");
	assert_true(x->complete);
	exchange_free(x);
	in.authzid = "Ursel";
	in.user = "Kurt";
	in.secret = "xipj3plmq";
	x = begin("PLAIN", &in);
	expect_answer(x, NULL, "Ursel\0Kurt\0xipj3plmq");
	exchange_free(x);
}

static void test_login(void **state)
{
	(void)state;
	static const char *const prompts[][2] = {
		{ "Username:", "Password:" }, { "User Name", "Password" }, { "", "" }, { "x", "y" },
	};

	for (size_t i = 0; i < ARRAY_LEN(prompts); i++) {
		struct exchange *x = begin("LOGIN", &defaults);

		expect_answer(x, prompts[i][0], "user");
		assert_false(x->complete);
		expect_answer(x, prompts[i][1], "pencil");
		assert_true(x->complete);
		exchange_free(x);
	}
}

static void test_cram_md5(void **state)
{
	(void)state;
	struct mechanism_input in = defaults;

	in.user = "tim";			/* RFC 2195, section 2 */
	in.secret = "tanstaaftanstaaf";
	struct exchange *x = begin("CRAM-MD5", &in);

	expect_answer(x, "<1896.697170952@postoffice.reston.mci.net>",
		      "tim b913a602c7eda7a495b4e6e7334d3890");
	assert_true(x->complete);
	exchange_free(x);
}

static void test_external(void **state)
{
	(void)state;
	struct mechanism_input in = { .host = "mail.example.org", .service = "smtp" };
	struct exchange *x = begin("EXTERNAL", &in);

	expect_answer(x, NULL, "");
	assert_true(x->complete);
	exchange_free(x);
	in.authzid = "fred@example.com";
	x = begin("EXTERNAL", &in);
	expect_answer(x, NULL, "fred@example.com");
	exchange_free(x);
}

static void test_anonymous(void **state)
{
	(void)state;
	struct mechanism_input in = { .user = "sirhc", .host = "h", .service = "smtp" };
	struct exchange *x = begin("ANONYMOUS", &in);

	expect_answer(x, NULL, "sirhc");	/* RFC 4505, section 4 */
	assert_true(x->complete);
	exchange_free(x);
	in.user = NULL;
	x = begin("ANONYMOUS", &in);
	expect_answer(x, NULL, "");
	exchange_free(x);
}

/* What each does with the identity to act as. */
static void test_authzid(void **state)
{
	(void)state;
	struct mechanism_input in = defaults;
	struct strbuf answer = STRBUF_INIT(4096);
	struct error err;

	in.authzid = "ot,her=";
	struct exchange *x = begin("SCRAM-SHA-256", &in);

	assert_int_equal(exchange_step(x, NULL, 0, &answer, &err), 0);
	assert_memory_equal(answer.buf, "n,a=ot=2Cher=3D,n=user,r=", 25);
	exchange_free(x);
	in.authzid = "other";
	x = begin("DIGEST-MD5", &in);
	strbuf_reset(&answer);
	static const char challenge[] = "realm=\"r\",nonce=\"OA6MG9tEQGm2hh\",qop=\"auth\","
		"algorithm=md5-sess,charset=utf-8";

	assert_int_equal(exchange_step(x, challenge, strlen(challenge), &answer, &err), 0);
	assert_non_null(strstr(answer.buf, "authzid=\"other\""));
	exchange_free(x);
	/* the same by SASLprep: fullwidth A, and a soft hyphen that means nothing */
	in.authzid = "\xef\xbc\xa1" "b\xc2\xad" "c\xc3\xbc";
	x = begin("PLAIN", &in);
	expect_answer(x, NULL, "Abc\xc3\xbc\0user\0pencil");
	exchange_free(x);
	in.authzid = "no\xff" "utf8";		/* as it is: the server will tell */
	x = begin("PLAIN", &in);
	expect_answer(x, NULL, "no\xff" "utf8\0user\0pencil");
	exchange_free(x);
	strbuf_release(&answer);
}

/* No ticket: said before anything goes to the server, and for now only. */
static void test_no_ticket(void **state)
{
	(void)state;
	static const char *const names[] = { "GSSAPI", "GS2-KRB5" };

	setenv("KRB5CCNAME", "FILE:/nonexistent/cache", 1);
	setenv("KRB5_CONFIG", "/dev/null", 1);
	setenv("KRB5_CLIENT_KTNAME", "/nonexistent/keytab", 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct mechanism_input in = defaults;
		struct strbuf answer = STRBUF_INIT(4096);
		struct exchange *x = begin(names[i], &in);
		struct error err = { 0 };

		assert_int_equal(exchange_step(x, NULL, 0, &answer, &err), -1);
		assert_int_equal(err.exit, EX_TEMPFAIL);
		assert_non_null(strstr(err.text, "no valid ticket for smtp/mail.example.org"));
		assert_int_equal(answer.len, 0);
		exchange_free(x);
		strbuf_release(&answer);
	}
}

static void test_strength(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		unsigned strength;
	} table[] = {
		{ "EXTERNAL", 3 }, { "GSSAPI", 2 }, { "GS2-KRB5", 2 }, { "OAUTHBEARER", 1 },
		{ "XOAUTH2", 1 }, { "SCRAM-SHA-256-PLUS", 3 }, { "SCRAM-SHA-1-PLUS", 3 },
		{ "SCRAM-SHA-256", 2 }, { "SCRAM-SHA-1", 2 }, { "PLAIN", 1 }, { "LOGIN", 1 },
		{ "CRAM-MD5", 0 }, { "DIGEST-MD5", 0 }, { "NTLM", 0 }, { "ANONYMOUS", 0 },
	};

	assert_int_equal(mechanism_count, ARRAY_LEN(table));
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_int_equal(mechanism_strength(mechanism_find(table[i].name)),
				 table[i].strength);
}

/*
 * A field of an AUTHENTICATE_MESSAGE ([MS-NLMP], 2.2.1.3) in ASCII: octets of
 * length, of room, of offset, in little endian; the text is UTF-16.
 */
static void expect_field(const struct strbuf *message, size_t at, const char *text)
{
	const unsigned char *p = (const unsigned char *)message->buf + at;
	size_t n = p[0] | (size_t)p[1] << 8, offset = p[4] | (size_t)p[5] << 8;

	assert_true(offset + n <= message->len);
	assert_int_equal(n, 2 * strlen(text));
	for (size_t i = 0; i < n / 2; i++)
		assert_int_equal(message->buf[offset + 2 * i], text[i]);
}

static void test_ntlm(void **state)
{
	(void)state;
	static const struct {
		const char *user, *setting, *domain, *name;
	} names[] = {
		{ "joe", "DOM", "DOM", "joe" },
		{ "joe@example.org", "DOM", "DOM", "joe" },
		{ "joe@example.org", NULL, "example.org", "joe" },
		{ "joe", NULL, "", "joe" },
		{ "joe", "", "", "joe" },
	};
	static const char challenge[48] = "NTLMSSP\0\2\0\0\0\0\0\0\0\0\0\0\0\1\2\0\0ABCDEFGH";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct mechanism_input in = defaults;
		struct strbuf answer = STRBUF_INIT(4096);
		struct error err;

		in.user = names[i].user;
		in.ntlmdomain = names[i].setting;
		struct exchange *x = begin("NTLM", &in);

		assert_int_equal(exchange_step(x, NULL, 0, &answer, &err), 0);
		assert_memory_equal(answer.buf, "NTLMSSP\0\1\0\0", 11);
		assert_false(x->complete);
		strbuf_reset(&answer);
		assert_int_equal(exchange_step(x, challenge, sizeof(challenge), &answer, &err), 0);
		expect_field(&answer, 28, names[i].domain);
		expect_field(&answer, 36, names[i].name);
		assert_true(x->complete);
		strbuf_release(&answer);
		exchange_free(x);
	}
}

static void test_oauthbearer(void **state)
{
	(void)state;
	struct mechanism_input in = { .user = "user@example.com", .host = "server.example.com",
		.port = 143, .secret = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" };
	struct exchange *x = begin("OAUTHBEARER", &in);

	expect_answer(x, NULL, "n,a=user@example.com,\1host=server.example.com\1port=143\1"
		      "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1");
	assert_true(x->complete);
	/* RFC 7628, section 4.2: the failure, and what is to be said to it */
	expect_answer(x, "{\"status\":\"invalid_token\",\"scope\":\"example_scope\"}", "\1");
	assert_false(x->complete);
	assert_string_equal(x->detail, "the access token is not valid or has expired "
			    "(status invalid_token, scope example_scope)");
	assert_true(x->stale);
	expect_failure(x, "{}", EX_PROTOCOL, "does not come to an end");
	exchange_free(x);

	in.user = "a,b=c";			/* saslname */
	x = begin("OAUTHBEARER", &in);
	expect_answer(x, NULL, "n,a=a=2Cb=3Dc,\1host=server.example.com\1port=143\1"
		      "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1");
	exchange_free(x);
	in.authzid = "team";			/* as whom, not who */
	x = begin("OAUTHBEARER", &in);
	expect_answer(x, NULL, "n,a=team,\1host=server.example.com\1port=143\1"
		      "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1");
	exchange_free(x);
	in.authzid = NULL;
	in.user = NULL;				/* the token tells who it is */
	in.secret = "t";
	x = begin("OAUTHBEARER", &in);
	expect_answer(x, NULL, "n,,\1host=server.example.com\1port=143\1auth=Bearer t\1\1");
	exchange_free(x);
}

static void test_xoauth2(void **state)
{
	(void)state;
	struct mechanism_input in = { .user = "someuser@example.com",
		.secret = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg" };
	struct exchange *x = begin("XOAUTH2", &in);
	struct strbuf answer = STRBUF_INIT(4096), coded = STRBUF_INIT(4096);
	struct error err;

	assert_int_equal(exchange_step(x, NULL, 0, &answer, &err), 0);
	base64_encode(&coded, answer.buf, answer.len);
	assert_string_equal(coded.buf,
			    "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZG"
			    "OWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==");
	expect_answer(x, "{ \"schemes\":\"bearer\", \"status\" : \"401\" }", "");
	assert_string_equal(x->detail, "the access token is not valid or has expired "
			    "(status 401)");
	exchange_free(x);
	strbuf_release(&answer);
	strbuf_release(&coded);
	in.user = NULL;
	x = begin("XOAUTH2", &in);
	expect_failure(x, NULL, EX_CONFIG, "needs 'user'");
	exchange_free(x);
}

/* The failure text is the server's: whatever it is, nothing but "status" is taken. */
static void test_failure_json(void **state)
{
	(void)state;
	static const struct {
		const char *json, *detail;
		bool stale;
	} table[] = {
		{ "", "", false }, { "{}", "", false }, { "\"status\"", "", false },
		{ "\"status\":", "", false }, { "\"status\":\"", "", false },
		{ "\"status\":\"x", "", false }, { "\"status\":\"x\"", "status x", false },
		{ "{\"status\":\"a\x1b[31m\"}", "status a\\x1B[31m", false },
		{ "{\"statuses\":\"x\"}", "", false }, { "{\"status\":true}", "", false },
		{ "{\"status\":401}", "the access token is not valid or has expired "
		  "(status 401)", true },
		{ "{\"status\":\"400\",\"schemes\":\"Bearer\",\"scope\":\"https://mail\"}",
		  "the access token is not valid or has expired (status 400, scope https://mail)",
		  true },
		{ "{\"status\":\"insufficient_scope\",\"scope\":\"smtp\"}",
		  "the access token is not for sending mail (status insufficient_scope, "
		  "scope smtp)", false },
		{ "{\"status\":\"invalid_request\"}",
		  "the server did not understand the request (status invalid_request)", false },
		{ "{\"scope\":\"smtp\"}", "", false },
	};
	struct mechanism_input in = { .user = "u", .secret = "t", .host = "h", .port = 1 };

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct exchange *x = begin("XOAUTH2", &in);

		expect_answer(x, NULL, "user=u\1auth=Bearer t\1\1");
		expect_answer(x, table[i].json, "");
		assert_string_equal(x->detail, table[i].detail);
		assert_int_equal(x->stale, table[i].stale);
		exchange_free(x);
	}
	struct strbuf far = STRBUF_INIT(10000);

	while (far.len < 4096)
		strbuf_addch(&far, ' ');
	strbuf_addstr(&far, "\"status\":\"x\"");
	struct exchange *x = begin("OAUTHBEARER", &in);

	expect_answer(x, NULL, "n,a=u,\1host=h\1port=1\1auth=Bearer t\1\1");
	expect_answer(x, far.buf, "\1");
	assert_string_equal(x->detail, "");
	exchange_free(x);
	strbuf_release(&far);
}

static void test_bad_tokens(void **state)
{
	(void)state;
	static const struct {
		const char *user, *token;
	} table[] = {
		{ "u", NULL }, { "u", "" }, { "u", "a\1auth=x" }, { "u", "a\nb" }, { "u\1x", "t" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		static const char *const names[] = { "OAUTHBEARER", "XOAUTH2" };
		struct mechanism_input in = { .user = table[i].user, .secret = table[i].token,
			.host = "h", .port = 1 };

		for (size_t k = 0; k < 2; k++) {
			struct exchange *x = begin(names[k], &in);

			expect_failure(x, NULL, EX_CONFIG, names[k]);
			exchange_free(x);
		}
	}
}

/* --- with the library's server ------------------------------------------- */

static void test_agree(void **state)
{
	(void)state;
	static const char *const names[] = { "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5",
		"SCRAM-SHA-1", "SCRAM-SHA-256", "EXTERNAL" };
	struct mechanism_input wrong = defaults;
	struct error err;

	wrong.secret = "pen";
	server_binding = server_realm = NULL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		agree(names[i], &defaults);
		if (strcmp(names[i], "EXTERNAL") != 0)
			assert_int_equal(converse(names[i], &wrong, &err), -1);
	}
}

static void test_realm(void **state)
{
	(void)state;
	static const char challenge[] = "realm=\"first.example\",realm=\"second.example\","
		"nonce=\"OA6MG9tEQGm2hh\",qop=\"auth,auth-int\",algorithm=md5-sess,charset=utf-8";
	struct mechanism_input in = defaults;
	struct error err;

	server_realm = "example.org";
	agree("DIGEST-MD5", &in);
	in.realm = "example.org";
	agree("DIGEST-MD5", &in);
	server_realm = NULL;
	for (size_t i = 0; i < 2; i++) {
		static const char *const own[] = { NULL, "ours.example" };
		static const char *const said[] = { "realm=\"first.example\"",
			"realm=\"ours.example\"" };

		in.realm = own[i];
		struct exchange *x = begin("DIGEST-MD5", &in);
		struct strbuf answer = STRBUF_INIT(4096);

		assert_int_equal(exchange_step(x, challenge, strlen(challenge), &answer, &err), 0);
		assert_non_null(strstr(answer.buf, said[i]));
		assert_non_null(strstr(answer.buf, "digest-uri=\"smtp/mail.example.org\""));
		assert_null(strstr(answer.buf, "second.example"));
		strbuf_release(&answer);
		exchange_free(x);
	}
}

static void test_binding(void **state)
{
	(void)state;
	static const char *const names[] = { "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS" };
	struct mechanism_input exporter = defaults, unique = defaults, wrong = defaults;
	struct error err;

	exporter.cb_exporter = unique.cb_unique = server_binding = "AAECAwQFBgc=";
	wrong.cb_exporter = "BBECAwQFBgc=";
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		agree(names[i], &exporter);
		agree(names[i], &unique);
		assert_int_equal(converse(names[i], &wrong, &err), -1);
		assert_int_equal(converse(names[i], &defaults, &err), -1);
	}
	/* a binding that is there must not reach the plain form, which would fail */
	server_binding = NULL;
	agree("SCRAM-SHA-1", &exporter);
	agree("SCRAM-SHA-256", &exporter);
}

/* --- SCRAM's limits ------------------------------------------------------ */

static const struct {
	const char *behind_nonce;
	unsigned min;
	int exit;		/* 0 = taken */
	const char *text;
} counts[] = {
	{ "xyz,s=QSXCR+Q6sek8bf92,i=4095", 4096, EX_NOPERM, "4095 iterations only" },
	{ "xyz,s=QSXCR+Q6sek8bf92,i=4096", 4096, 0, "" },
	{ "xyz,s=QSXCR+Q6sek8bf92,i=4097", 4096, 0, "" },
	{ "xyz,s=QSXCR+Q6sek8bf92,i=1", 1, 0, "" },
	{ "xyz,s=QSXCR+Q6sek8bf92,i=0", 0, EX_PROTOCOL, "no iteration count" },
	{ "xyz,s=QSXCR+Q6sek8bf92,i=10000001", 4096, EX_NOPERM, "more than 10000000" },
	{ "xyz,s=QSXCR+Q6sek8bf92,i=99999999999999999999999999999", 4096, EX_NOPERM, "more than" },
	{ "xyz,s=QSXCR+Q6sek8bf92,i=-5", 4096, EX_PROTOCOL, "no iteration count" },
	{ "xyz,s=QSXCR+Q6sek8bf92,i=4096x", 4096, EX_PROTOCOL, "no iteration count" },
	{ "xyz,s=QSXCR+Q6sek8bf92,i=", 4096, EX_PROTOCOL, "no iteration count" },
	{ "xyz,s=QSXCR+Q6sek8bf92", 4096, EX_PROTOCOL, "no iteration count" },
	{ "xyz,s=i=9999,j=4096", 4096, EX_PROTOCOL, "no iteration count" },
	{ "xyz,s=QSXCR+Q6sek8bf92,i=5,i=4096", 4096, EX_NOPERM, "5 iterations only" },
};

static void test_iterations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct mechanism_input in = defaults;
		struct strbuf first = STRBUF_INIT(4096), server_first = STRBUF_INIT(4096);
		struct strbuf answer = STRBUF_INIT(4096);
		struct error err = { 0 };

		in.scram_min_iterations = counts[i].min;
		struct exchange *x = begin("SCRAM-SHA-256", &in);

		assert_int_equal(exchange_step(x, NULL, 0, &first, &err), 0);
		/* "n,,n=user,r=NONCE" */
		strbuf_addf(&server_first, "r=%s%s", strstr(first.buf, ",r=") + 3,
			    counts[i].behind_nonce);
		int rc = exchange_step(x, server_first.buf, server_first.len, &answer, &err);

		assert_int_equal(rc, counts[i].exit ? -1 : 0);
		if (counts[i].exit &&
		    (err.exit != counts[i].exit || !strstr(err.text, counts[i].text)))
			fail_msg("%s: %d %s", counts[i].behind_nonce, err.exit, err.text);
		assert_false(x->complete);
		if (!counts[i].exit)	/* a signature that is none */
			expect_failure(x, "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
				       EX_PROTOCOL,
				       "could not prove");
		exchange_free(x);
		strbuf_release(&first);
		strbuf_release(&server_first);
		strbuf_release(&answer);
	}
}

static void test_foreign_nonce(void **state)
{
	(void)state;
	struct exchange *x = begin("SCRAM-SHA-1", &defaults);
	struct strbuf first = STRBUF_INIT(4096), answer = STRBUF_INIT(4096);
	struct error err = { 0 };
	static const char server_first[] = "r=notyoursxyz,s=QSXCR+Q6sek8bf92,i=4096";

	assert_int_equal(exchange_step(x, NULL, 0, &first, &err), 0);
	assert_int_equal(exchange_step(x, server_first, strlen(server_first), &answer, &err), -1);
	exchange_free(x);
	strbuf_release(&first);
	strbuf_release(&answer);
}

static void test_version(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT(100);
	struct error err;

	assert_int_equal(gsasl_library_version(&out, &err), 0);
	assert_memory_equal(out.buf, "libgsasl ", 9);
	assert_true(out.len > 11);
	strbuf_release(&out);
	exchange_free(NULL);
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
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_cram_md5),
		cmocka_unit_test(test_external),
		cmocka_unit_test(test_ntlm),
		cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_authzid),
		cmocka_unit_test(test_no_ticket),
		cmocka_unit_test(test_strength),
		cmocka_unit_test(test_oauthbearer),
		cmocka_unit_test(test_xoauth2),
		cmocka_unit_test(test_failure_json),
		cmocka_unit_test(test_bad_tokens),
		cmocka_unit_test(test_agree),
		cmocka_unit_test(test_realm),
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_iterations),
		cmocka_unit_test(test_foreign_nonce),
		cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests(tests, load_server, unload_server);
}
