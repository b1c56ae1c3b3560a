#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "util/arena.h"
#include "util/strbuf.h"

static void lists_grow(void **state)
{
	struct arena *a = arena_new();
	unsigned *list = NULL;
	size_t alloc = 0, moved = 0;

	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		const unsigned *old = list;

		list = arena_grow(a, list, n, &alloc, sizeof(*list));
		moved += list != old;
		assert_true(alloc > n);
		assert_int_equal(list[n], 0);
		list[n] = n + 1;
	}
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(list[i], i + 1);
	assert_in_range(moved, 2, 10);
	arena_free(a);
}

/* Room that a list was given at first is used up before it moves. */
static void given_room(void **state)
{
	struct arena *a = arena_new();
	size_t alloc = 3;
	char *list = arena_alloc(a, alloc), *same = list;

	(void)state;
	memcpy(list, "abc", 3);
	assert_ptr_equal(arena_grow(a, list, 2, &alloc, 1), same);
	assert_int_equal(alloc, 3);
	list = arena_grow(a, list, 3, &alloc, 1);
	assert_ptr_not_equal(list, same);
	assert_int_equal(alloc, 6);
	assert_memory_equal(list, "abc\0\0\0", 6);
	arena_free(a);
}

static void strings(void **state)
{
	struct arena *a = arena_new();

	(void)state;
	assert_string_equal(arena_strdup(a, "whole"), "whole");
	assert_string_equal(arena_strndup(a, "part of it", 4), "part");
	assert_string_equal(arena_strndup(a, "", 0), "");
	assert_string_equal(arena_printf(a, "%s %d", "n", 7), "n 7");
	for (size_t size = 0; size < 20000; size = 3 * size + 1) {
		char *p = arena_alloc(a, size);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 'x', size);
	}
	arena_free(a);
	arena_free(NULL);
}

static void strings_are_taken(void **state)
{
	struct arena *a = arena_new();
	struct strbuf b = STRBUF_INIT(100);

	(void)state;
	assert_string_equal(arena_take(a, &b), "");
	strbuf_addstr(&b, "text");
	assert_string_equal(arena_take(a, &b), "text");
	assert_int_equal(b.len, 0);
	assert_int_equal(b.alloc, 0);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_grow),
		cmocka_unit_test(given_room),
		cmocka_unit_test(strings),
		cmocka_unit_test(strings_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
