#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <locale.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "message/address.h"
#include "message/ident.h"
#include "util/arena.h"
#include "util/attr.h"

/*
 * The system as ident.c sees it: these stand in for libc's functions.
 */
static const char *host_name = "host.example.org", *canon_name;
static int resolver_calls;
static bool random_fails;
static struct passwd *user;

int gethostname(char *name, size_t len)
{
	if (!host_name) {
		errno = EFAULT;
		return -1;
	}
	snprintf(name, len, "%s", host_name);
	return 0;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **res)
{
	static struct addrinfo found;

	resolver_calls++;
	assert_string_equal(node, host_name);
	assert_null(service);
	assert_true(hints->ai_flags & AI_CANONNAME);
	if (!canon_name)
		return EAI_NONAME;
	found = (struct addrinfo){ .ai_canonname = (char *)(uintptr_t)canon_name };
	*res = &found;
	return 0;
}

void freeaddrinfo(struct addrinfo *res)
{
	assert_ptr_equal(res->ai_canonname, canon_name);
}

struct passwd *getpwuid(uid_t uid)
{
	assert_int_equal(uid, getuid());
	return user;
}

ssize_t getrandom(void *buf, size_t len, unsigned flags)
{
	static unsigned counter;

	if (random_fails) {
		errno = ENOSYS;
		return -1;
	}
	for (size_t i = 0; i < len; i++)
		((unsigned char *)buf)[i] = (unsigned char)(++counter * 2654435761U >> 13);
	(void)flags;
	return (ssize_t)len;
}

static int setup(void **state)
{
	*state = arena_new();
	user = NULL;
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static void set_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

/* Zones written out, so that no zone files are needed. */
static void test_date(void **state)
{
	static const char berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";
	static const char newfoundland[] = "NST3:30NDT,M3.2.0,M11.1.0";
	static const struct { const char *zone; long long when; const char *want; } cases[] = {
		{ "UTC0", 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ "UTC0", 1741080030, "Tue, 04 Mar 2025 09:20:30 +0000" },
		{ berlin, 1741080030, "Tue, 04 Mar 2025 10:20:30 +0100" },
		/* the hour that is left out in spring */
		{ berlin, 1743296399, "Sun, 30 Mar 2025 01:59:59 +0100" },
		{ berlin, 1743296400, "Sun, 30 Mar 2025 03:00:00 +0200" },
		/* the hour that comes twice in autumn */
		{ berlin, 1761438600, "Sun, 26 Oct 2025 02:30:00 +0200" },
		{ berlin, 1761442200, "Sun, 26 Oct 2025 02:30:00 +0100" },
		{ newfoundland, 1735689600, "Tue, 31 Dec 2024 20:30:00 -0330" },
		{ newfoundland, 1751328000, "Mon, 30 Jun 2025 21:30:00 -0230" },
		{ "XXX0:30", 0, "Wed, 31 Dec 1969 23:30:00 -0030" },
		{ "NPT-5:45", 0, "Thu, 01 Jan 1970 05:45:00 +0545" },
		{ "XXX-14", 951782400, "Tue, 29 Feb 2000 14:00:00 +1400" },
		{ "UTC0", 4102444799, "Thu, 31 Dec 2099 23:59:59 +0000" },
		{ "UTC0", -1, "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ "LMT-0:53:28", 0, "Thu, 01 Jan 1970 00:00:00 +0000" },	/* odd seconds */
		{ "not a zone", 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ "", 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if ((time_t)cases[i].when != cases[i].when)
			continue;	/* 32-bit time */
		set_zone(cases[i].zone);
		assert_string_equal(ident_date(*state, (time_t)cases[i].when), cases[i].want);
	}
}

/* Every month and weekday by name, against libc's own in the C locale. */
static void test_date_names(void **state)
{
	set_zone("UTC0");
	for (time_t when = 0; when < 800 * 86400; when += 86400) {
		char want[64];
		struct tm t;

		assert_non_null(gmtime_r(&when, &t));
		strftime(want, sizeof(want), "%a, %d %b %Y %H:%M:%S +0000", &t);
		assert_string_equal(ident_date(*state, when), want);
	}
}

static void test_date_locale(void **state)
{
	static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "ja_JP.UTF-8",
					       "ar_SA.UTF-8", "C.UTF-8" };

	set_zone("UTC0");
	for (size_t i = 0; i < ARRAY_LEN(locales); i++) {
		setlocale(LC_ALL, locales[i]);	/* one that is missing changes nothing */
		assert_string_equal(ident_date(*state, 1741080030),
				    "Tue, 04 Mar 2025 09:20:30 +0000");
	}
	setlocale(LC_ALL, "C");
}

/* "<TIME.RANDOM@domain>" as one msg-id of RFC 5322: dot-atoms only. */
static void check_message_id(const char *id, const char *domain)
{
	size_t len = strlen(id), dlen = strlen(domain);

	assert_true(id[0] == '<' && id[len - 1] == '>');
	assert_memory_equal(id + len - 1 - dlen, domain, dlen);
	assert_int_equal(id[len - 2 - dlen], '@');
	const char *dot = strchr(id, '.');

	assert_non_null(dot);
	/* 96 bits need 20 letters of 5 bits */
	assert_true((size_t)(id + len - 2 - dlen - dot - 1) >= 20);
	assert_int_equal(strspn(id + 1, "0123456789abcdefghijklmnopqrstuv."), len - 3 - dlen);
}

static void test_message_id(void **state)
{
	const char *ids[64];

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		random_fails = i % 2;
		ids[i] = ident_message_id(*state, "example.org");
		check_message_id(ids[i], "example.org");
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(ids[i], ids[k]);
	}
	random_fails = false;
	check_message_id(ident_message_id(*state, "[192.0.2.1]"), "[192.0.2.1]");
	check_message_id(ident_message_id(*state, NULL), "msubmit.invalid");
	check_message_id(ident_message_id(*state, ""), "msubmit.invalid");
}

static void test_host(void **state)
{
	static const struct { const char *host, *canon, *want; int asked; } cases[] = {
		{ "host.example.org", NULL, "host.example.org", 0 },
		{ "host.example.org.", NULL, "host.example.org", 0 },
		{ "shorty", "shorty.example.org", "shorty.example.org", 1 },
		{ "dotted", "dotted.example.org.", "dotted.example.org", 1 },
		{ "lonely", "lonely", NULL, 1 },
		{ "unknown", NULL, NULL, 1 },
		{ "looped", "localhost.localdomain", NULL, 1 },
		{ "looped2", "x.localhost", NULL, 1 },
		{ "evil", "evil.example\r\nRCPT TO:<a@b>", NULL, 1 },
		{ "localhost", "real.example.org", NULL, 0 },
		{ "LocalHost.localdomain", "real.example.org", NULL, 0 },
		{ "localhost6.x", "real.example.org", NULL, 0 },
		{ "box.localhost", "real.example.org", NULL, 0 },
		{ "my_host.example", "real.example.org", NULL, 0 },
		{ "a b.example", NULL, NULL, 0 },
		{ "[1.2.3.4]", NULL, NULL, 0 },
		{ "", "real.example.org", NULL, 0 },
		{ NULL, NULL, NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		host_name = cases[i].host;
		canon_name = cases[i].canon;
		resolver_calls = 0;
		for (int again = 0; again < 3; again++) {
			const char *got = ident_host(*state);

			if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
				fail_msg("'%s': '%s'", cases[i].host ? cases[i].host : "-",
					 got ? got : "-");
		}
		assert_int_equal(resolver_calls, cases[i].asked);
	}
	host_name = "host.example.org";
}

static void test_mailname(void **state)
{
	const char *got = ident_mailname(*state);
	FILE *f = fopen("/etc/mailname", "r");
	char line[300] = "";

	if (!f) {
		assert_null(got);
		return;
	}
	if (fgets(line, sizeof(line), f))
		line[strcspn(line, " \t\r\n")] = '\0';
	fclose(f);
	if (line[0] && address_domain_valid(line))
		assert_string_equal(got, line);
	else if (got)
		assert_true(address_domain_valid(got));
}

static void test_user(void **state)
{
	static const struct { const char *login, *gecos, *want; } cases[] = {
		{ "root", "root", "root" },
		{ "joe", "Joe Doe,Room 1,,", "Joe Doe" },
		{ "joe", "& Doe", "Joe Doe" },
		{ "joe", "Super-& & Co,&", "Super-Joe Joe Co" },
		{ "9x", "&", "9x" },
		{ "joe", "", NULL },
		{ "joe", ",Room", NULL },
		{ "joe", "  ,Room", NULL },
		{ "joe", "  Joe Doe \t,", "Joe Doe" },
		{ "joe", "J\303\266rg", "J\303\266rg" },
		{ "joe", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct passwd pw = { .pw_name = (char *)(uintptr_t)cases[i].login,
				     .pw_gecos = (char *)(uintptr_t)cases[i].gecos };

		user = &pw;
		assert_string_equal(ident_login(*state), cases[i].login);
		const char *got = ident_full_name(*state);

		if (cases[i].want)
			assert_string_equal(got, cases[i].want);
		else
			assert_null(got);
		user = NULL;
	}
}

static void test_no_user(void **state)
{
	char want[32];
	struct passwd nameless = { .pw_name = (char *)(uintptr_t)"" };

	snprintf(want, sizeof(want), "uid%lu", (unsigned long)getuid());
	user = NULL;
	assert_string_equal(ident_login(*state), want);
	assert_null(ident_full_name(*state));
	user = &nameless;
	assert_string_equal(ident_login(*state), want);
	user = NULL;
}

/* A UDP socket that was bound has a local end without a peer. */
static void check_literal(struct arena *a, const struct sockaddr *sa, socklen_t len,
			  const char *want)
{
	int fd = socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, sa, len) == 0)
		assert_string_equal(ident_address_literal(a, fd), want);
	if (fd >= 0)
		close(fd);
}

static void test_address_literal(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	int pair[2];

	in.sin_addr.s_addr = htonl(0x7f000107);
	check_literal(*state, (struct sockaddr *)&in, sizeof(in), "[127.0.1.7]");
	assert_int_equal(inet_pton(AF_INET6, "::1", &in6.sin6_addr), 1);
	check_literal(*state, (struct sockaddr *)&in6, sizeof(in6), "[IPv6:::1]");
	assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.9", &in6.sin6_addr), 1);
	check_literal(*state, (struct sockaddr *)&in6, sizeof(in6), "[127.0.0.9]");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_string_equal(ident_address_literal(*state, pair[0]), "[127.0.0.1]");
	close(pair[0]);
	close(pair[1]);
	assert_string_equal(ident_address_literal(*state, -1), "[127.0.0.1]");
	assert_string_equal(ident_address_literal(*state, pair[0]), "[127.0.0.1]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_date, setup, teardown),
		cmocka_unit_test_setup_teardown(test_date_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_date_locale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message_id, setup, teardown),
		cmocka_unit_test_setup_teardown(test_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mailname, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_address_literal, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
