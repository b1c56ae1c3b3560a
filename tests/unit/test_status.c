#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "message/envelope.h"
#include "smtp/reply.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"

static const char *meaning_of(const char *status, enum fault fault, const struct envelope *e)
{
	struct error err;

	error_set_status(&err, fault, status, "x");
	return reply_meaning(&err, e);
}

static void assert_says(const char *meaning, const char *words)
{
	assert_non_null(meaning);
	assert_non_null(strstr(meaning, words));
}

static void assert_means(const struct envelope *e, const char *status, const char *words)
{
	assert_string_equal(meaning_of(status, FAULT_REFUSED, e), words);
}

static void by_number(void **state)
{
	static const struct { const char *status, *meaning; } cases[] = {
		{ "5.2.2", "the mailbox is full" }, { "4.2.2", "the mailbox is full" },
		{ "5.1.10", "the recipient's domain takes no mail" },
		{ "5.7.27", "the sender's domain takes no mail" },
		{ "5.7.1", "it is against the server's rules" },
		{ "5.1.1", NULL }, { "5.7.10", "it has to be encrypted: use TLS" },
		{ "5.7.100", NULL },
		{ "4.7.1", NULL }, { "5.7.14", NULL }, { "5.7.30", NULL }, { "5.7.9", NULL },
		{ "5.0.0", NULL }, { "", NULL }, { "5", NULL },
		{ "2.2.2", NULL }, { "5.7.16", NULL }, { "5.7.17", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = meaning_of(cases[i].status, FAULT_REFUSED, NULL);

		if (cases[i].meaning)
			assert_string_equal(got, cases[i].meaning);
		else
			assert_null(got);
	}
}

/* Two numbers depend on what was asked for. */
static void by_extension(void **state)
{
	struct envelope e;

	(void)state;
	envelope_init(&e, arena_new());
	envelope_add(&e, "a@x", NULL);
	assert_null(meaning_of("5.7.16", FAULT_REFUSED, &e));
	assert_null(meaning_of("5.7.17", FAULT_REFUSED, &e));
	e.rcpt[0].rrvs = true;
	assert_means(&e, "5.7.17", "the mailbox has another owner now");
	assert_null(meaning_of("5.7.16", FAULT_REFUSED, &e));
	e.ext.priority_given = true;
	assert_means(&e, "5.7.16", "it is too large for its priority");
	e.ext.hold = HOLD_FOR;
	assert_means(&e, "5.7.16", "too much is being held for later");
	assert_means(&e, "5.7.17", "too much is being held for later");
	arena_free(e.arena);
}

/* The fault goes before the number: a provider's 7.14, 7.9 and 7.30 are about passwords. */
static void by_fault(void **state)
{
	struct envelope e;
	const struct burl url = { .n = 0 };

	(void)state;
	assert_says(meaning_of("5.7.14", FAULT_BROWSER_WANTED, NULL), "browser");
	assert_says(meaning_of("5.7.30", FAULT_OAUTH_WANTED, NULL), "OAuth2");
	assert_says(meaning_of("5.7.9", FAULT_APP_PASSWORD_WANTED, NULL), "app password");
	assert_says(meaning_of("5.7.9", FAULT_MECHANISM_WEAK, NULL), "too weak");
	assert_says(meaning_of("5.7.30", FAULT_REQUIRETLS, NULL), "on the whole way");
	assert_says(meaning_of("4.7.1", FAULT_GREYLISTED, NULL), "greylisting");
	envelope_init(&e, arena_new());
	assert_null(meaning_of("5.7.14", FAULT_POLICY, &e));
	e.burl = &url;
	assert_says(meaning_of("5.7.14", FAULT_POLICY, &e), "not trusted");
	arena_free(e.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_number), cmocka_unit_test(by_fault),
		cmocka_unit_test(by_extension),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
