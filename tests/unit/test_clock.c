#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <string.h>

#include "util/attr.h"
#include "util/clock.h"
#include "util/error.h"

static void clock_goes_forward(void **state)
{
	(void)state;
	int64_t before = clock_ms();

	assert_true(before > 0);
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_ms();

		assert_true(now >= before);
		before = now;
	}
}

static void no_limit(void **state)
{
	(void)state;
	struct deadline d = deadline_in(0, "nothing");

	assert_true(d.at == 0);
	assert_int_equal(d.seconds, 0);
	assert_string_equal(d.what, "nothing");
	assert_false(d.whole);
	assert_false(deadline_passed(&d));
	assert_int_equal(deadline_poll_ms(&d), -1);
}

static void limit_ahead(void **state)
{
	(void)state;
	static const unsigned lengths[] = { 1, 60, 600, 86400, 2147483, 2147484, UINT_MAX };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		int64_t wanted = (int64_t)lengths[i] * 1000;
		int64_t before = clock_ms();
		struct deadline d = deadline_in(lengths[i], "x");
		int64_t after = clock_ms();
		int left = deadline_poll_ms(&d);

		assert_true(d.at >= before + wanted);
		assert_true(d.at <= after + wanted);
		assert_int_equal(d.seconds, lengths[i]);
		assert_true(left >= 0);
		assert_true(left <= wanted);
		if (wanted > (int64_t)INT_MAX + 1000000)
			assert_int_equal(left, INT_MAX);	/* poll() takes no more */
	}
}

static void limit_passed(void **state)
{
	(void)state;
	struct deadline past = { .at = 1, .seconds = 5, .what = "x" };
	struct deadline now = { .at = clock_ms(), .seconds = 5, .what = "x" };
	struct deadline ahead = { .at = clock_ms() + 1000000, .seconds = 5, .what = "x" };

	assert_true(deadline_passed(&past));
	assert_int_equal(deadline_poll_ms(&past), 0);
	assert_true(deadline_passed(&now));
	assert_int_equal(deadline_poll_ms(&now), 0);
	assert_false(deadline_passed(&ahead));
	assert_true(deadline_poll_ms(&ahead) > 0);
}

static void first_of_two(void **state)
{
	(void)state;
	static const struct { int64_t a, b; char first; } cases[] = {
		{ 0, 0, 'a' }, { 0, 5, 'b' }, { 5, 0, 'a' }, { 5, 6, 'a' }, { 6, 5, 'b' },
		{ 5, 5, 'a' },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct deadline a = { .at = cases[i].a, .seconds = 1, .what = "a" };
		struct deadline b = { .at = cases[i].b, .seconds = 2, .what = "b", .whole = true };
		struct deadline first = deadline_first(a, b);

		assert_int_equal(first.what[0], cases[i].first);
		assert_int_equal(first.seconds, cases[i].first == 'a' ? 1 : 2);
		assert_int_equal(first.whole, cases[i].first == 'b');
	}
}

static void error_text(void **state)
{
	(void)state;
	struct deadline d = { .at = 1, .seconds = 60, .what = "the reply to MAIL" };
	struct error err = { .reply = 250 };

	assert_int_equal(deadline_error(&d, &err), -1);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_string_equal(err.status, "4.4.2");
	assert_int_equal(err.reply, 0);
	assert_string_equal(err.text, "timeout after 60 s waiting for the reply to MAIL");
	d.whole = true;
	d.seconds = 900;
	assert_int_equal(deadline_error(&d, &err), -1);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_string_equal(err.text, "the whole attempt took longer than 900 s, while waiting "
			    "for the reply to MAIL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clock_goes_forward),
		cmocka_unit_test(no_limit),
		cmocka_unit_test(limit_ahead),
		cmocka_unit_test(limit_passed),
		cmocka_unit_test(first_of_two),
		cmocka_unit_test(error_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
