#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "message/address.h"
#include "message/patterns.h"
#include "util/arena.h"

enum { PATTERNS = 60, TEXTS = 2000, LENGTH = 7 };

static void test_empty(void **state)
{
	struct patterns p = { .arena = arena_new() };

	(void)state;
	assert_false(patterns_find(&p, "", 0, NULL));
	assert_false(patterns_find(&p, "a", 0, NULL));
	patterns_add_all(&p, NULL);
	assert_int_equal(p.n, 0);
	arena_free(p.arena);
}

static void test_first(void **state)
{
	static const char *const list[] = { "joe@example.org", "*@example.org", "j*@EXAMPLE.org",
					    "joe@example.org", "*", "j?e@*.org", NULL };
	static const struct { const char *text; size_t from, found; } cases[] = {
		{ "joe@example.org", 0, 0 }, { "JOE@Example.Org", 0, 0 },
		{ "joe@example.org", 1, 1 }, { "joe@example.org", 2, 2 },
		{ "joe@example.org", 3, 3 }, { "joe@example.org", 4, 4 },
		{ "joe@example.org", 5, 5 }, { "joe@example.org", 6, 6 },
		{ "jim@example.org", 2, 2 }, { "jim@example.org", 3, 4 },
		{ "ann@example.net", 0, 4 }, { "", 0, 4 }, { "jee@x.org", 5, 5 },
		{ "@example.org", 0, 1 }, { "e@*", 5, 6 },
	};
	struct patterns p = { .arena = arena_new() };

	(void)state;
	patterns_add_all(&p, list);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t number = p.n;

		assert_int_equal(patterns_find(&p, cases[i].text, cases[i].from, &number),
				 cases[i].found < p.n);
		assert_int_equal(number, cases[i].found);
	}
	arena_free(p.arena);
}

/* Few letters, so that much matches. */
static const char *make_word(struct arena *a, uint32_t *seed, const char *letters)
{
	char word[LENGTH + 1];
	size_t n;

	*seed = *seed * 1664525u + 1013904223u;
	n = (*seed >> 16) % (LENGTH + 1);
	for (size_t i = 0; i < n; i++) {
		*seed = *seed * 1664525u + 1013904223u;
		word[i] = letters[(*seed >> 16) % strlen(letters)];
	}
	word[n] = '\0';
	return arena_strdup(a, word);
}

static void test_as_one_by_one(void **state)
{
	struct patterns p = { .arena = arena_new() };
	const char *list[PATTERNS];
	uint32_t seed = 1;
	size_t matches = 0;

	(void)state;
	for (size_t i = 0; i < PATTERNS; i++) {
		list[i] = make_word(p.arena, &seed, "abAB@*?ab@");
		patterns_add(&p, list[i]);
	}
	for (size_t i = 0; i < TEXTS; i++) {
		const char *text = make_word(p.arena, &seed, "abAB@*@ab");
		size_t from = i % (PATTERNS + 1), want = from, number = PATTERNS;

		while (want < PATTERNS && !address_match(list[want], text))
			want++;
		assert_int_equal(patterns_find(&p, text, from, &number), want < PATTERNS);
		assert_int_equal(number, want);
		matches += want < PATTERNS;
	}
	assert_in_range(matches, TEXTS / 10, TEXTS - TEXTS / 10);
	arena_free(p.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_as_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
