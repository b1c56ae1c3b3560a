#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "message/envelope.h"
#include "smtp/reply.h"
#include "util/arena.h"
#include "util/attr.h"

static void by_number(void **state)
{
	static const struct { const char *status, *meaning; } cases[] = {
		{ "5.2.2", "the mailbox is full" }, { "4.2.2", "the mailbox is full" },
		{ "5.1.10", "the recipient's domain takes no mail" },
		{ "5.7.27", "the sender's domain takes no mail" },
		{ "5.7.1", "it is against the server's rules" },
		{ "5.1.1", NULL }, { "5.7.10", "it has to be encrypted: use TLS" },
		{ "5.7.100", NULL }, { "5.0.0", NULL }, { "", NULL }, { "5", NULL },
		{ "2.2.2", NULL }, { "5.7.16", NULL }, { "5.7.17", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = status_meaning(cases[i].status, NULL);

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
	assert_null(status_meaning("5.7.16", &e));
	assert_null(status_meaning("5.7.17", &e));
	e.rcpt[0].rrvs = true;
	assert_string_equal(status_meaning("5.7.17", &e), "the mailbox has another owner now");
	assert_null(status_meaning("5.7.16", &e));
	e.ext.priority_given = true;
	assert_string_equal(status_meaning("5.7.16", &e), "it is too large for its priority");
	e.ext.hold = HOLD_FOR;
	assert_string_equal(status_meaning("5.7.16", &e), "too much is being held for later");
	assert_string_equal(status_meaning("5.7.17", &e), "too much is being held for later");
	arena_free(e.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_number),
		cmocka_unit_test(by_extension),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
