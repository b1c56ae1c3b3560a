#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "memory_stream.h"
#include "net/proxy.h"
#include "net/stream.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/strbuf.h"

static const struct deadline soon = { .seconds = 30, .what = "the proxy" };

static const struct proxy_request plain = { .host = "mail.example.org", .port = 465 };

static const char plain_sent[] = "CONNECT mail.example.org:465 HTTP/1.1\r\n"
	"Host: mail.example.org:465\r\nUser-Agent: msubmit\r\n\r\n";

/* Runs the dialogue; what follows the header must still be there when it is good. */
static int run(const struct proxy_request *r, const char *said, size_t read_max,
	       struct strbuf *written, struct error *err)
{
	strbuf_reset(written);
	struct stream *s = memory_new(written);
	char rest[7] = "";

	memset(err, 0, sizeof(*err));
	memory_say(s, said);
	memory_read_max(s, read_max);
	if (read_max)
		memory_stutter(s);
	memory_end(s);
	int rc = proxy_connect(PROXY_HTTP, s, r, &soon, err);

	if (rc == 0) {
		assert_int_equal(stream_read_exact(s, rest, 6, &soon, err), 0);
		assert_string_equal(rest, "220 hi");
	}
	stream_free(s);
	return rc;
}

static void opens_a_tunnel(void **state)
{
	(void)state;
	static const char *const replies[] = {
		"HTTP/1.1 200 Connection established\r\n\r\n220 hi",
		"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\n\r\n220 hi",
		"HTTP/1.1 200\r\n\r\n220 hi",
		"HTTP/1.1 200 \r\n\r\n220 hi",
		"HTTP/1.1 200 OK\n\n220 hi",
		"HTTP/1.1 204 none\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n220 "
		"hi",
		"HTTP/1.1 299 OK\r\n a\r\n\tb\r\n\r\n220 hi",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n220 hi",
		"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 y\r\n\r\n220 "
		"hi",
	};
	struct strbuf written = STRBUF_INIT(100000);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		for (size_t max = 0; max < 4; max++) {
			if (run(&plain, replies[i], max, &written, &err) < 0)
				fail_msg("case %zu: %s", i, err.text);
			assert_string_equal(written.buf, plain_sent);
		}
	}
	strbuf_release(&written);
}

static void says_who_we_are(void **state)
{
	(void)state;
	struct secret password = { .data = NULL };
	struct proxy_request r = plain;
	struct strbuf written = STRBUF_INIT(100000);
	struct error err;
	static const char ok[] = "HTTP/1.1 200 OK\r\n\r\n220 hi";

	secret_set(&password, "secret", 6);
	r.user = "joe";
	r.password = &password;
	assert_int_equal(run(&r, ok, 0, &written, &err), 0);
	assert_non_null(strstr(written.buf,
			       "\r\nProxy-Authorization: Basic am9lOnNlY3JldA==\r\n"));
	r.password = NULL;
	assert_int_equal(run(&r, ok, 0, &written, &err), 0);
	assert_non_null(strstr(written.buf, "Basic am9lOg==\r\n"));
	r.user = "j:oe";
	assert_int_equal(run(&r, ok, 0, &written, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_int_equal(written.len, 0);
	secret_release(&password);
	strbuf_release(&written);
}

static void one_field_more(void **state)
{
	(void)state;
	static const struct { const char *field, *user, *text; } cases[] = {
		{ "X-Tenant: mail, a", NULL, NULL },
		{ "X-Tenant: mail", "joe", NULL }, { "Proxy: a", "joe", NULL },
		{ "Proxy-Authorization: Bearer abc", NULL, NULL },
		{ "proxy-authorization: Bearer abc", "joe", "both sign in" },
		{ "joe", NULL, "no header field" },
		{ "X: a\r\nHost: b", NULL, "no header field" },
	};
	struct strbuf written = STRBUF_INIT(100000);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proxy_request r = plain;

		r.field = cases[i].field;
		r.user = cases[i].user;
		int rc = run(&r, "HTTP/1.1 200 OK\r\n\r\n220 hi", 0, &written, &err);

		assert_int_equal(rc, cases[i].text ? -1 : 0);
		if (cases[i].text) {
			assert_int_equal(err.exit, EX_CONFIG);
			assert_non_null(strstr(err.text, cases[i].text));
			assert_int_equal(written.len, 0);
			continue;
		}
		const char *at = strstr(written.buf, cases[i].field);

		assert_non_null(at);
		assert_string_equal(at + strlen(cases[i].field), "\r\n\r\n");
	}
	strbuf_release(&written);
}

static void names(void **state)
{
	(void)state;
	static const struct { const char *host, *authority; } cases[] = {
		{ "a", "a:465" }, { "192.0.2.1", "192.0.2.1:465" },
		{ "2001:db8::1", "[2001:db8::1]:465" }, { "[::1]", "[::1]:465" },
		{ "", NULL }, { "a b", NULL }, { "a\r\nX: y", NULL }, { "a/b", NULL },
		{ "u@a", NULL }, { "a#b", NULL }, { "a\tb", NULL }, { "a\nb", NULL },
	};
	struct strbuf written = STRBUF_INIT(100000);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct proxy_request r = { .host = cases[i].host, .port = 465 };
		int rc = run(&r, "HTTP/1.1 200 OK\r\n\r\n220 hi", 0, &written, &err);

		assert_int_equal(rc, cases[i].authority ? 0 : -1);
		if (cases[i].authority) {
			assert_non_null(strstr(written.buf, cases[i].authority));
			assert_memory_equal(written.buf + 8, cases[i].authority,
					    strlen(cases[i].authority));
		} else {
			assert_int_equal(err.exit, EX_CONFIG);
			assert_int_equal(written.len, 0);
		}
	}
	strbuf_release(&written);
}

static void refusals(void **state)
{
	(void)state;
	static const struct { const char *said; int exit; const char *status, *text; } cases[] = {
		{ "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", EX_NOPERM, "5.7.8",
		  "407 Proxy Authentication Required (set proxy_user" },
		{ "HTTP/1.1 401 Unauthorized\r\n\r\n", EX_NOPERM, "5.7.8", "401 Unauthorized" },
		{ "HTTP/1.1 403 Forbidden\r\n\r\n", EX_UNAVAILABLE, "5.7.1", ": 403 Forbidden" },
		{ "HTTP/1.1 405 No\r\n\r\n", EX_UNAVAILABLE, "5.7.1", "405 No" },
		{ "HTTP/1.1 404 No\r\n\r\n", EX_UNAVAILABLE, "5.7.1", "404" },
		{ "HTTP/1.1 408 Slow\r\n\r\n", EX_TEMPFAIL, "4.4.1", "408" },
		{ "HTTP/1.1 429 Many\r\n\r\n", EX_TEMPFAIL, "4.4.1", "429" },
		{ "HTTP/1.1 500 x\r\n\r\n", EX_TEMPFAIL, "4.4.1", "500" },
		{ "HTTP/1.1 503 x\x1b[2J\r\n\r\n", EX_TEMPFAIL, "4.4.1", "503 x\\x1B[2J" },
		{ "HTTP/1.1 301 There\r\n\r\n", EX_PROTOCOL, "5.5.0", "301" },
		{ "HTTP/1.1 099 x\r\n\r\n", EX_PROTOCOL, "5.5.0", "does not speak HTTP" },
		{ "HTTP/1.1 20 x\r\n\r\n", EX_PROTOCOL, "5.5.0", "does not speak HTTP" },
		{ "HTTP/1.1 2000 x\r\n\r\n", EX_PROTOCOL, "5.5.0", "does not speak HTTP" },
		{ "HTTP/1.1  200 x\r\n\r\n", EX_PROTOCOL, "5.5.0", "does not speak HTTP" },
		{ "HTTP 200 x\r\n\r\n", EX_PROTOCOL, "5.5.0", "does not speak HTTP" },
		{ "HELO\r\n\r\n", EX_PROTOCOL, "5.5.0", "does not speak HTTP" },
		{ "H\r\n\r\n", EX_PROTOCOL, "5.5.0", "does not speak HTTP" },
		{ "220 smtp.example.org\r\n", EX_PROTOCOL, "5.5.0", "first octet 0x32" },
		{ "\5\377", EX_PROTOCOL, "5.5.0", "first octet 0x05" },
		{ "\r\n\r\n", EX_PROTOCOL, "5.5.0", "first octet 0x0d" },
	};
	struct strbuf written = STRBUF_INIT(100000);
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(run(&plain, cases[i].said, 0, &written, &err), -1);
		if (err.exit != cases[i].exit || !strstr(err.text, cases[i].text))
			fail_msg("case %zu: %d '%s'", i, err.exit, err.text);
		assert_string_equal(err.status, cases[i].status);
	}
	strbuf_release(&written);
}

/* A header of just the limit is taken; one octet more is not. Interim replies have an end. */
static void limits(void **state)
{
	(void)state;
	struct strbuf said = STRBUF_INIT(1000000), written = STRBUF_INIT(100000);
	struct error err;

	for (size_t over = 0; over < 2; over++) {
		strbuf_reset(&said);
		strbuf_addstr(&said, "HTTP/1.1 200 OK\r\nA: ");
		while (said.len < HTTP_HEADER_MAX - 4 + over)
			strbuf_addch(&said, 'x');
		strbuf_addstr(&said, "\r\n\r\n220 hi");
		assert_int_equal(run(&plain, said.buf, 0, &written, &err), over ? -1 : 0);
	}
	assert_int_equal(err.exit, EX_PROTOCOL);
	assert_non_null(strstr(err.text, "more than 16384 octets"));
	for (int count = 10; count < 12; count++) {
		strbuf_reset(&said);
		for (int i = 0; i < count; i++)
			strbuf_addstr(&said, "HTTP/1.1 100 wait\r\n\r\n");
		strbuf_addstr(&said, "HTTP/1.1 200 OK\r\n\r\n220 hi");
		assert_int_equal(run(&plain, said.buf, 0, &written, &err), count > 10 ? -1 : 0);
	}
	assert_int_equal(err.exit, EX_PROTOCOL);
	strbuf_release(&said);
	strbuf_release(&written);
}

static void cut_off_anywhere(void **state)
{
	(void)state;
	static const char whole[] = "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n";

	for (size_t n = 0; n < 2 * (sizeof(whole) - 1); n++) {
		struct stream *s = memory_new(NULL);
		struct error err = { 0 };

		memory_say_bytes(s, whole, n / 2);
		if (n & 1)
			memory_end(s);
		assert_int_equal(proxy_connect(PROXY_HTTP, s, &plain, &soon, &err), -1);
		assert_int_equal(err.exit, EX_TEMPFAIL);
		assert_string_equal(err.status, "4.4.2");
		stream_free(s);
	}
	for (size_t n = 0; n < sizeof(plain_sent) - 1; n++) {
		struct stream *s = memory_new(NULL);
		struct error err = { 0 };

		memory_write_fail(s, n);
		memory_say(s, whole);
		assert_int_equal(proxy_connect(PROXY_HTTP, s, &plain, &soon, &err), -1);
		assert_int_equal(err.exit, EX_TEMPFAIL);
		stream_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_a_tunnel),
		cmocka_unit_test(says_who_we_are),
		cmocka_unit_test(one_field_more),
		cmocka_unit_test(names),
		cmocka_unit_test(refusals),
		cmocka_unit_test(limits),
		cmocka_unit_test(cut_off_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
