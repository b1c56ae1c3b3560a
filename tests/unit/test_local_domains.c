#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena_state.h"
#include "conf/account.h"
#include "conf/local_domains.h"
#include "util/arena.h"
#include "util/attr.h"

static void domains_of_this_host(void **state)
{
	static const struct { const char *host, *domain; bool local; } cases[] = {
		{ "web1.example.net", NULL, true }, { "web1.example.net", "localhost", true },
		{ "web1.example.net", "LocalHost.LocalDomain", true },
		{ "web1.example.net", "localhosts", false },
		{ "web1.example.net", "web1.example.net", true },
		{ "web1.example.net", "WEB1", true }, { "web1.example.net", "example.net", false },
		{ "web1.example.net", "x.web1.example.net", false },
		{ "web1.example.net", "web1.example.com", false },
		{ "web1.example.net", "web", false }, { "web1.example.net", "", false },
		{ "web1", "web1", true }, { "web1", "web1.", false }, { "web1", "web1.b", false },
		{ "web1", "web1.LocalDomain", true }, { "web1", "web2.localdomain", false },
		{ "web1.example.net", "web1.localdomain", true },
		{ "web1", "web1.localdomain.net", false }, { "web1", "x.web1.localdomain", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		setenv("HOSTNAME", cases[i].host, 1);
		if (local_domains_has(local_domains_own(*state), cases[i].domain) !=
		    cases[i].local)
			fail_msg("host %s, domain %s", cases[i].host, cases[i].domain);
	}
	/* what the system says counts, too */
	char name[256] = "";

	assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
	assert_true(local_domains_has(local_domains_own(*state), name));
	unsetenv("HOSTNAME");
	assert_true(local_domains_has(local_domains_own(*state), name));
	assert_false(local_domains_has(local_domains_own(*state), "web1"));
}

static void domains_of_an_account(void **state)
{
	const char *items[] = { "a.example", "*.b.example", "%H-mail.example", NULL };
	struct account a = { .rewrite = { .local_domains = items } };
	struct local_domains *l = local_domains_new(*state, &a);

	setenv("HOSTNAME", "web1", 1);
	assert_true(local_domains_has(l, NULL));
	assert_true(local_domains_has(l, "A.Example"));
	assert_true(local_domains_has(l, "x.b.example"));
	assert_false(local_domains_has(l, "b.example"));
	assert_true(local_domains_has(l, "web1-mail.example"));
	assert_false(local_domains_has(l, "localhost"));
	a.rewrite.local_domains = NULL;
	l = local_domains_new(*state, &a);
	assert_true(local_domains_has(l, NULL));
	assert_false(local_domains_has(l, "localhost"));
}

static void bare_domains(void **state)
{
	static const char *const bare[] = { NULL, "localhost", "LOCALHOST.localdomain", "here",
						"", "here.localdomain" };
	static const char *const known[] = { "a.b", "[192.0.2.1]", "localhost2.example",
					     "here.localdomain.net" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bare); i++)
		assert_true(local_domain_is_bare(bare[i]));
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		assert_false(local_domain_is_bare(known[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(domains_of_this_host, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(domains_of_an_account, arena_setup, arena_teardown),
		cmocka_unit_test(bare_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
