#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "util/arena.h"
#include "util/strmap.h"

enum { MANY = 20000 };

static void test_empty(void **state)
{
	struct strmap m = { .arena = arena_new() };
	size_t value = 7;

	(void)state;
	assert_false(strmap_find(&m, "a", &value));
	assert_int_equal(value, 7);
	arena_free(m.arena);
}

static void test_case(void **state)
{
	struct strmap m = { .arena = arena_new() };
	size_t value = 0;

	(void)state;
	assert_true(strmap_add(&m, "Root@x", 1));
	assert_false(strmap_add(&m, "rOOT@X", 2));
	assert_true(strmap_add(&m, "", 3));
	assert_true(strmap_add(&m, "\xc3\x84", 4));	/* ASCII only: not the letter below */
	assert_true(strmap_add(&m, "\xc3\xa4", 5));
	assert_true(strmap_find(&m, "ROOT@x", &value));
	assert_int_equal(value, 1);
	assert_true(strmap_find(&m, "", NULL));
	assert_false(strmap_find(&m, "root", NULL));
	arena_free(m.arena);
}

static void test_many(void **state)
{
	static char name[MANY][16];
	struct strmap m = { .arena = arena_new() };

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		snprintf(name[i], sizeof(name[i]), "name%zu", i);
		assert_true(strmap_add(&m, name[i], i));
	}
	assert_int_equal(m.n, MANY);
	for (size_t i = 0; i < MANY; i++) {
		size_t value;

		assert_true(strmap_find(&m, name[i], &value));
		assert_int_equal(value, i);
		assert_false(strmap_add(&m, name[i], 0));
	}
	assert_false(strmap_find(&m, "name", NULL));
	arena_free(m.arena);
}

static void test_exact(void **state)
{
	struct strmap m = { .arena = arena_new(), .exact = true };
	size_t value = 0;

	(void)state;
	assert_true(strmap_add(&m, "Joe", 1));
	assert_true(strmap_add(&m, "joe", 2));
	assert_false(strmap_add(&m, "joe", 3));
	assert_false(strmap_find(&m, "JOE", &value));
	assert_true(strmap_find(&m, "Joe", &value));
	assert_int_equal(value, 1);
	assert_true(strmap_find(&m, "joe", &value));
	assert_int_equal(value, 2);
	arena_free(m.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
