#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "util/attr.h"
#include "util/text.h"

static const struct name_value table[] = {
	{ "off", 0 }, { "no", 0 }, { "on", 1 }, { "auto", -1 }, NAMES_END,
};

static void test_find(void **state)
{
	static const struct { const char *name; int rc, value; } cases[] = {
		{ "off", 0, 0 }, { "OFF", 0, 0 }, { "No", 0, 0 }, { "on", 0, 1 }, { "Auto", 0, -1 },
		{ "", -1, 99 }, { "o", -1, 99 }, { "offf", -1, 99 }, { "on ", -1, 99 },
		{ " on", -1, 99 },
	};
	static const struct name_value empty[] = { NAMES_END };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int value = 99;

		assert_int_equal(names_find(table, cases[i].name, &value), cases[i].rc);
		assert_int_equal(value, cases[i].value);
	}
	int value = 99;

	assert_int_equal(names_find(empty, "on", &value), -1);
	assert_int_equal(value, 99);
	(void)state;
}

static void test_name(void **state)
{
	assert_string_equal(names_name(table, 0), "off");
	assert_string_equal(names_name(table, 1), "on");
	assert_string_equal(names_name(table, -1), "auto");
	assert_null(names_name(table, 2));
	(void)state;
}

static void test_distance(void **state)
{
	static const struct { const char *a, *b; unsigned limit, want; } cases[] = {
		{ "", "", 3, 0 }, { "port", "port", 3, 0 }, { "PORT", "port", 3, 0 },
		{ "tls-starttls", "tls_starttls", 3, 0 }, { "TLS_Verify", "tls-verify", 3, 0 },
		{ "prot", "port", 3, 1 },		/* swapped */
		{ "por", "port", 3, 1 }, { "portt", "port", 3, 1 }, { "part", "port", 3, 1 },
		{ "pasword", "password", 3, 1 }, { "passwrod", "password", 3, 1 },
		{ "abcd", "badc", 9, 2 },		/* two swaps */
		{ "ca", "abc", 9, 3 },			/* each place is changed once */
		{ "", "abc", 9, 3 }, { "abc", "", 9, 3 }, { "kitten", "sitting", 9, 3 },
		{ "kitten", "sitting", 3, 3 }, { "kitten", "sitting", 2, 3 },
		{ "user", "host", 9, 4 }, { "user", "host", 2, 3 }, { "a", "b", 0, 1 },
		{ "timeout", "host", 2, 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *a = cases[i].a, *b = cases[i].b;

		assert_int_equal(names_distance(a, b, cases[i].limit), cases[i].want);
		assert_int_equal(names_distance(b, a, cases[i].limit), cases[i].want);
	}
	(void)state;
}

/* Words up to 63 letters are compared, longer ones are simply far away. */
static void test_distance_long(void **state)
{
	for (size_t n = 61; n <= 66; n++) {
		char a[80], b[80];

		memset(a, 'x', n);
		a[n] = '\0';
		memcpy(b, a, n + 1);
		b[n / 2] = 'y';
		assert_int_equal(names_distance(a, b, 2), n <= 63 ? 1 : 3);
		assert_int_equal(names_distance(a, "x", 2), 3);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_distance_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
