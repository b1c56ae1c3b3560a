#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "prepare/explain.h"
#include "util/arena.h"

static void nobody_asks(void **state)
{
	(void)state;
	explain_note(NULL, "recipient '%s'", "a@x");
}

static void notes_in_order(void **state)
{
	struct explain x = { .arena = arena_new() };

	(void)state;
	for (int i = 0; i < 100; i++)
		explain_note(&x, "note %d", i);
	assert_int_equal(x.n, 100);
	assert_int_equal(x.left_out, 0);
	assert_string_equal(x.note[0], "note 0");
	assert_string_equal(x.note[15], "note 15");
	assert_string_equal(x.note[16], "note 16");
	assert_string_equal(x.note[99], "note 99");
	arena_free(x.arena);
}

static void notes_are_bounded(void **state)
{
	struct explain x = { .arena = arena_new() };
	char big[10000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	explain_note(&x, "%s", big);
	assert_int_equal(strlen(x.note[0]), 4096);
	for (int i = 1; i < EXPLAIN_MAX + 7; i++)
		explain_note(&x, "n");
	assert_int_equal(x.n, EXPLAIN_MAX);
	assert_int_equal(x.left_out, 7);
	arena_free(x.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_asks),
		cmocka_unit_test(notes_in_order),
		cmocka_unit_test(notes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
