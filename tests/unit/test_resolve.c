#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

#include "net/resolve.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/xalloc.h"

static const struct deadline none = { .what = "x" };

static void numeric_addresses(void **state)
{
	(void)state;
	static const struct { const char *host; int family; const char *text; } cases[] = {
		{ "127.0.0.1", AF_INET, "127.0.0.1" },
		{ "192.0.2.255", AF_INET, "192.0.2.255" },
		{ "::1", AF_INET6, "::1" },
		{ "[::1]", AF_INET6, "::1" },
		{ "[2001:DB8::0:7]", AF_INET6, "2001:db8::7" },
		{ "[192.0.2.1]", AF_INET, "192.0.2.1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int any = 0; any < 2; any++) {
			struct host_addresses list = { 0 };
			struct error err = { 0 };
			int family = any ? AF_UNSPEC : cases[i].family;
			char text[ADDRESS_TEXT];

			assert_int_equal(resolve_host(cases[i].host, 587, family, &none, &list,
						      &err), 0);
			assert_int_equal(list.n, 1);
			assert_int_equal(list.v[0].to.any.sa_family, cases[i].family);
			address_text(&list.v[0].to.any, text, sizeof(text));
			assert_string_equal(text, cases[i].text);
			assert_int_equal(ntohs(cases[i].family == AF_INET
					       ? list.v[0].to.in.sin_port
					       : list.v[0].to.in6.sin6_port), 587);
			host_addresses_release(&list);
			assert_null(list.v);
		}
}

static void wrong_family(void **state)
{
	(void)state;
	struct host_addresses list = { 0 };
	struct error err = { 0 };

	assert_int_equal(resolve_host("::1", 25, AF_INET, &none, &list, &err), -1);
	assert_int_equal(err.exit, EX_NOHOST);
	assert_string_equal(err.status, "5.1.2");
	assert_string_equal(err.text, "host '::1' is not an IPv4 address");
	assert_null(list.v);
	assert_int_equal(resolve_host("10.1.2.3", 25, AF_INET6, &none, &list, &err), -1);
	assert_string_equal(err.text, "host '10.1.2.3' is not an IPv6 address");
}

static void name_from_the_hosts_file(void **state)
{
	(void)state;
	struct host_addresses list = { 0 };
	struct error err = { 0 };

	if (resolve_host("localhost", 2525, AF_INET, &none, &list, &err) < 0)
		skip();		/* a machine without /etc/hosts */
	assert_true(list.n >= 1);
	for (size_t i = 0; i < list.n; i++) {
		assert_int_equal(list.v[i].to.any.sa_family, AF_INET);
		assert_int_equal(ntohs(list.v[i].to.in.sin_port), 2525);
		assert_int_equal(ntohl(list.v[i].to.in.sin_addr.s_addr) >> 24, 127);
	}
	host_addresses_release(&list);
}

/* Whoever is faster, the answer or the limit: nothing hangs, leaks or is used after its end. */
static void no_time_to_ask(void **state)
{
	(void)state;
	static const struct deadline past = { .at = 1, .seconds = 4, .what = "x" };

	for (int i = 0; i < 20; i++) {
		struct host_addresses list = { 0 };
		struct error err = { 0 };

		if (resolve_host("localhost", 25, AF_UNSPEC, &past, &list, &err) == 0) {
			host_addresses_release(&list);
			continue;
		}
		if (err.exit == EX_NOHOST)
			skip();
		assert_int_equal(err.exit, EX_TEMPFAIL);
		assert_string_equal(err.status, "4.4.3");
		assert_string_equal(err.text, "timeout after 4 s waiting for the address of the "
				    "server (DNS)");
	}
}

static void error_codes(void **state)
{
	(void)state;
	static const struct { int code, exit; const char *status, *text; } cases[] = {
		{ EAI_NONAME, EX_NOHOST, "5.1.2", "host 'mx.example' does not exist" },
#ifdef EAI_NODATA
		{ EAI_NODATA, EX_NOHOST, "5.1.2", "or has no address of the wanted kind" },
#endif
#ifdef EAI_ADDRFAMILY
		{ EAI_ADDRFAMILY, EX_NOHOST, "5.1.2", "or has no address of the wanted kind" },
#endif
		{ EAI_AGAIN, EX_TEMPFAIL, "4.4.3", "cannot look up host 'mx.example': " },
		{ EAI_AGAIN, EX_TEMPFAIL, "4.4.3", "check the network and /etc/resolv.conf" },
		{ EAI_FAIL, EX_TEMPFAIL, "4.4.3", "cannot look up host 'mx.example': " },
		{ EAI_SYSTEM, EX_TEMPFAIL, "4.4.3",
		  "cannot look up host 'mx.example': Too many open files" },
		{ EAI_MEMORY, EX_OSERR, "4.3.0", "no memory" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err = { 0 };

		assert_int_equal(resolve_error("mx.example", cases[i].code, EMFILE, &err), -1);
		assert_int_equal(err.exit, cases[i].exit);
		assert_string_equal(err.status, cases[i].status);
		if (!strstr(err.text, cases[i].text))
			fail_msg("'%s' is not in '%s'", cases[i].text, err.text);
	}
}

/* A list from letters: '4' and '6' are the families, their order is kept in the port. */
static void interleaving(void **state)
{
	(void)state;
	static const struct { const char *before, *after, *order; } cases[] = {
		{ "", "", "" },
		{ "4", "4", "0" },
		{ "44", "44", "01" },
		{ "46", "46", "01" },
		{ "664", "646", "021" },
		{ "666444", "646464", "031425" },
		{ "644466", "646464", "014253" },
		{ "66664", "64666", "04123" },
		{ "4446", "4644", "0312" },
		{ "464646", "464646", "012345" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].before);
		struct host_addresses list = { .v = xcalloc(n, sizeof(*list.v)), .n = n };

		for (size_t k = 0; k < n; k++) {
			list.v[k].to.any.sa_family =
				cases[i].before[k] == '4' ? AF_INET : AF_INET6;
			list.v[k].len = (socklen_t)k;
		}
		host_addresses_interleave(&list);
		for (size_t k = 0; k < n; k++) {
			assert_int_equal(list.v[k].to.any.sa_family,
					 cases[i].after[k] == '4' ? AF_INET : AF_INET6);
			assert_int_equal(list.v[k].len, cases[i].order[k] - '0');
		}
		host_addresses_release(&list);
	}
}

static void other_kinds_of_address(void **state)
{
	(void)state;
	struct sockaddr local = { .sa_family = AF_UNIX }, strange = { .sa_family = 99 };
	char text[ADDRESS_TEXT];

	address_text(&local, text, sizeof(text));
	assert_string_equal(text, "local");
	address_text(&strange, text, sizeof(text));
	assert_string_equal(text, "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numeric_addresses),
		cmocka_unit_test(wrong_family),
		cmocka_unit_test(name_from_the_hosts_file),
		cmocka_unit_test(no_time_to_ask),
		cmocka_unit_test(error_codes),
		cmocka_unit_test(interleaving),
		cmocka_unit_test(other_kinds_of_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
