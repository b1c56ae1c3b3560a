#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "net/proxyurl.h"
#include "util/error.h"

static void good_urls(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int bare;
		enum proxy_type type;
		const char *host;
		unsigned port;
		const char *user, *password;
	} cases[] = {
		{ "socks5h://localhost:1081", -1, PROXY_SOCKS5H, "localhost", 1081, NULL, NULL },
		{ "socks5://h", -1, PROXY_SOCKS5, "h", 1080, NULL, NULL },
		{ "SOCKS4a://h/", -1, PROXY_SOCKS4A, "h", 1080, NULL, NULL },
		{ "socks4://joe@h", -1, PROXY_SOCKS4, "h", 1080, "joe", NULL },
		{ "socks://h", -1, PROXY_SOCKS5H, "h", 1080, NULL, NULL },
		{ "http://h", -1, PROXY_HTTP, "h", 3128, NULL, NULL },
		{ "https://joe:secret@h:443/", -1, PROXY_HTTPS, "h", 443, "joe", "secret" },
		{ "http://joe:@h", -1, PROXY_HTTP, "h", 3128, "joe", NULL },
		{ "http://j%40e:a%3Ab%2fc@h", -1, PROXY_HTTP, "h", 3128, "j@e", "a:b/c" },
		{ "http://joe:a@b@h", -1, PROXY_HTTP, "h", 3128, "joe", "a@b" },
		{ "http://joe:a:b@h", -1, PROXY_HTTP, "h", 3128, "joe", "a:b" },
		{ "http://[::1]:8080", -1, PROXY_HTTP, "::1", 8080, NULL, NULL },
		{ "http://[2001:db8::1]", -1, PROXY_HTTP, "2001:db8::1", 3128, NULL, NULL },
		{ "h:8080", PROXY_HTTP, PROXY_HTTP, "h", 8080, NULL, NULL },
		{ "joe:x@h", PROXY_HTTP, PROXY_HTTP, "h", 3128, "joe", "x" },
		{ "http://h:65535", -1, PROXY_HTTP, "h", 65535, NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proxy_url p;
		struct error err = { 0 };

		if (proxyurl_parse(cases[i].text, cases[i].bare, &p, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_int_equal(p.type, cases[i].type);
		assert_string_equal(p.host, cases[i].host);
		assert_int_equal(p.port, cases[i].port);
		if (cases[i].user)
			assert_string_equal(p.user, cases[i].user);
		else
			assert_null(p.user);
		assert_int_equal(secret_is_set(&p.password), cases[i].password != NULL);
		if (cases[i].password)
			assert_string_equal(p.password.data, cases[i].password);
		assert_int_equal(proxyurl_has_password(cases[i].text), cases[i].password != NULL);
		proxyurl_release(&p);
	}
}

/* What goes along with CONNECT: its name says whether it is to be hidden. */
static void header_fields(void **state)
{
	(void)state;
	static const struct { const char *text; size_t name; bool secret; } cases[] = {
		{ "X-Tenant: mail", 8, false }, { "X-From: joe:x@example.org", 6, false },
		{ "Proxy-Authorization: Bearer x", 19, true }, { "X-API-KEY: 1", 9, true },
		{ "cookie: a", 6, true }, { "X-Auth: a", 6, true }, { "X-Ke: y", 4, false },
		{ "joe", 0, false }, { "", 0, false }, { ": x", 0, false }, { "a b: c", 0, false },
		{ "http://h", 0, false }, { "X:y", 0, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(proxyurl_field_name(cases[i].text), cases[i].name);
		assert_int_equal(proxyurl_has_password(cases[i].text), cases[i].secret);
	}
}

/* Nothing of them is shown: there may be a password in it. */
static void bad_urls(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"", "h", "h:1080", "ftp://h", "socks6://h", "http://", "http:///", "http://@h",
		"http://:secret@h", "http://joe:secret@", "http://h:0", "http://h:65536",
		"http://h:", "http://h:x", "http://h:1x", "http://h:-1", "http://[::1",
		"http://[]", "http://[::1]x", "http://[::1]:", "http://h h", "http://joe%4@h",
		"http://joe%zz:secret@h", "http://joe:%00secret@h", "://h", "http://:80",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proxy_url p;
		struct error err = { 0 };

		if (proxyurl_parse(cases[i], -1, &p, &err) == 0)
			fail_msg("%s is taken", cases[i]);
		assert_int_equal(err.exit, EX_CONFIG);
		assert_null(strstr(err.text, "secret"));
	}
}

static void exceptions(void **state)
{
	(void)state;
	static const struct { const char *list, *host; unsigned port; bool excepted;
	} cases[] = {
		{NULL, "a", 25, false},
		{"", "a", 25, false},
		{"*", "a", 25, true},
		{"a", "a", 25, true},
		{"a", "A", 25, true},
		{"A", "a", 25, true},
		{"example.org", "mail.example.org", 25, true},
		{".example.org", "mail.example.org", 25, true},
		{"*.example.org", "mail.example.org", 25, true},
		{".example.org", "example.org", 25, true},
		{"example.org.", "example.org", 25, true},
		{"example.org", "example.org.", 25, true},
		{"example.org", "badexample.org", 25, false},
		{"example.org", "example.org.evil", 25, false},
		{"x, example.org ,y", "example.org", 25, true},
		{"x y", "y", 25, true},
		{"example.org:25", "example.org", 25, true},
		{"example.org:25", "example.org", 587, false},
		{"192.0.2.1", "192.0.2.1", 25, true},
		{"192.0.2.1", "192.0.2.10", 25, false},
		{"192.0.2.0/24", "192.0.2.10", 25, true},
		{"192.0.2.0/24", "192.0.3.10", 25, false},
		{"192.0.2.0/31", "192.0.2.1", 25, true},
		{"192.0.2.0/31", "192.0.2.2", 25, false},
		{"0.0.0.0/0", "192.0.2.1", 25, true},
		{"0.0.0.0/0", "::1", 25, false},
		{"192.0.2.0/33", "192.0.2.1", 25, false},
		{"192.0.2.0/", "192.0.2.0", 25, false},
		{"192.0.2.0/x", "192.0.2.0", 25, false},
		{"192.0.2.1:26", "192.0.2.1", 25, false},
		{"192.0.2.1:25", "192.0.2.1", 25, true},
		{"::1", "::1", 25, true},
		{"[::1]", "::1", 25, true},
		{"::1", "[::1]", 25, true},
		{"[::1]:25", "::1", 25, true},
		{"[::1]:26", "::1", 25, false},
		{"2001:db8::/32", "2001:db8:5::1", 25, true},
		{"2001:db8::/32", "2001:db9::1", 25, false},
		{"2.1", "192.0.2.1", 25, false},
		{".", "a", 25, false},
		{"[", "a", 25, false},
		{"[]", "a", 25, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (proxyurl_excepted(cases[i].list, cases[i].host, cases[i].port) !=
		    cases[i].excepted)
			fail_msg("'%s' and %s:%u", cases[i].list, cases[i].host, cases[i].port);
	}
}

static void environment(void **state)
{
	(void)state;
	static const char *const names[] = {"all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	setenv("HTTP_PROXY", "http://evil", 1);
	setenv("http_proxy", "http://evil", 1);
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	assert_null(proxyurl_environment("a", 25));
	for (size_t i = ARRAY_LEN(names); i-- > 0;) {
		setenv(names[i], names[i], 1);
		assert_string_equal(proxyurl_environment("a", 25), names[i]);
	}
	setenv("all_proxy", "", 1);
	assert_string_equal(proxyurl_environment("a", 25), "ALL_PROXY");
	setenv("NO_PROXY", "b", 1);
	assert_string_equal(proxyurl_environment("a", 25), "ALL_PROXY");
	assert_null(proxyurl_environment("b", 25));
	setenv("no_proxy", "a", 1);
	assert_null(proxyurl_environment("a", 25));
	assert_string_equal(proxyurl_environment("b", 25), "ALL_PROXY");
}

static void types(void **state)
{
	(void)state;
	static const struct { enum proxy_type type; const char *name; bool resolves; } cases[] = {
		{ PROXY_SOCKS5H, "socks5h", true }, { PROXY_SOCKS5, "socks5", false },
		{ PROXY_SOCKS4A, "socks4a", true }, { PROXY_SOCKS4, "socks4", false },
		{ PROXY_HTTP, "http", true }, { PROXY_HTTPS, "https", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_string_equal(proxyurl_type_name(cases[i].type), cases[i].name);
		assert_int_equal(proxyurl_resolves(cases[i].type), cases[i].resolves);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_urls),
		cmocka_unit_test(header_fields), cmocka_unit_test(bad_urls),
		cmocka_unit_test(exceptions),
		cmocka_unit_test(environment),
		cmocka_unit_test(types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
