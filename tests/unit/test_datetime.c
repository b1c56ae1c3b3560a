#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/attr.h"
#include "util/clock.h"
#include "util/error.h"

#define NOW INT64_C(1700000000000)	/* 2023-11-14T22:13:20Z */

static const struct {
	const char *text;
	int64_t ms;
} moments[] = {
	{ "1970-01-01T00:00:00Z", 0 },
	{ "1970-01-01T00:00:01Z", 1000 },
	{ "1969-12-31T23:59:59Z", -1000 },
	{ "2000-02-29T12:00:00Z", INT64_C(951825600000) },
	{ "2024-02-29T23:59:59Z", INT64_C(1709251199000) },
	{ "2100-03-01T00:00:00Z", INT64_C(4107542400000) },
	{ "2038-01-19T03:14:08Z", INT64_C(2147483648000) },
	{ "0000-01-01T00:00:00Z", INT64_C(-62167219200000) },
	{ "9999-12-31T23:59:59Z", INT64_C(253402300799000) },
	{ "2023-11-14T22:13:20Z", NOW },
	{ "2023-11-14t22:13:20z", NOW },
	{ "2023-11-14 22:13:20Z", NOW },
	{ "2023-11-14T23:13:20+01:00", NOW },
	{ "2023-11-14T23:13:20+0100", NOW },
	{ "2023-11-14T19:43:20-02:30", NOW },
	{ "2023-11-15T00:00:00+01:46", INT64_C(1700000040000) },
	{ "2023-11-14T22:13:20+00:00", NOW },
	{ "2023-11-14T22:13:20-00:00", NOW },
	{ "2023-11-14T22:13:20.5Z", NOW + 500 },
	{ "2023-11-14T22:13:20.123456789Z", NOW + 123 },
	{ "2023-11-14T22:13:20,25+00:00", NOW + 250 },
	{ "2016-12-31T23:59:60Z", INT64_C(1483228800000) },
	{ "@0", 0 }, { "@1700000000", NOW }, { "@-1", -1000 },
	{ "@999999999999", INT64_C(999999999999000) },
};

static const char *const not_moments[] = {
	"", " ", "@", "@-", "@x", "@1x", "@1.5", "@1000000000000", "@ 1", "soon", "tomorrow", "Z",
	"2023-11-14", "2023-11-14T22:13Z", "2023-11-14T22:13:20", "2023-11-14T22:13:20 Z",
	"2023-11-14T22:13:20Zx", "2023-11-14T22:13:20+1", "2023-11-14T22:13:20+01",
	  "2023-11-14_22:13:20Z",
	"2023-11-14T22:13:20+24:00", "2023-11-14T22:13:20+01:60", "2023-11-14T22:13:20.Z",
	"2023-13-01T00:00:00Z", "2023-00-01T00:00:00Z", "2023-01-00T00:00:00Z",
	  "2023-01-32T00:00:00Z",
	"2023-04-31T00:00:00Z", "2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
	  "1900-02-29T00:00:00Z",
	"2023-01-01T24:00:00Z", "2023-01-01T00:60:00Z", "2023-01-01T00:00:61Z",
	  "+2023-01-01T00:00:00Z",
	"-001-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "23-01-01T00:00:00Z",
	  "2023-1-01T00:00:00Z",
	" 2023-11-14T22:13:20Z", "2023-11-14T22:13:20Z ", "2023/11/14T22:13:20Z",
	"now ", "now2h", "now+", "now-", "NOW", "now+-2h", "later+2h", "2h 30m", "2.5h", "h",
	"2x", "2hh", "h2", "--2h", "+", "-", "1h30", "1000000000", "999999999s1s", "16535w",
	  "99999999999999999999s",
	"0x10", "1e3", "2H",
};

static const struct {
	const char *text;
	int64_t seconds;
} durations[] = {
	{ "0", 0 }, { "1", 1 }, { "3600", 3600 }, { "+60", 60 }, { "-60", -60 }, { "0s", 0 },
	{ "90s", 90 }, { "2m", 120 }, { "2h", 7200 }, { "2h30m", 9000 }, { "1d", 86400 },
	{ "1w", 604800 }, { "1w2d3h4m5s", 788645 }, { "30m2h", 9000 }, { "-2h30m", -9000 },
	{ "now", 0 }, { "now+2h", 7200 }, { "now-2h", -7200 }, { "now+1d1s", 86401 },
	{ "999999999", 999999999 }, { "-999999999", -999999999 }, { "1653w", 999734400 },
	{ "now+2s", 2 }, { "00010", 10 },
};

static void test_moments(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		struct datetime d = { .duration = true };
		struct error err = { 0 };

		print_message("%s\n", moments[i].text);
		assert_int_equal(datetime_parse(moments[i].text, NOW, &d, &err), 0);
		assert_true(d.ms == moments[i].ms);
		assert_true(d.seconds == datetime_until(d.ms, NOW));
		assert_false(d.duration);
	}
}

static void test_durations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		struct datetime d = { .duration = false };
		struct error err = { 0 };

		print_message("%s\n", durations[i].text);
		assert_int_equal(datetime_parse(durations[i].text, NOW, &d, &err), 0);
		assert_true(d.seconds == durations[i].seconds);
		assert_true(d.ms == NOW + durations[i].seconds * 1000);
		assert_true(d.duration);
	}
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(not_moments); i++) {
		struct datetime d = { .ms = 77 };
		struct error err = { 0 };

		print_message("%s\n", not_moments[i]);
		assert_int_equal(datetime_parse(not_moments[i], NOW, &d, &err), -1);
		assert_int_equal(err.exit, EX_USAGE);
		assert_string_equal(err.status, "5.5.4");
		assert_true(d.ms == 77);	/* untouched */
	}
}

static void test_missing_zone_is_told(void **state)
{
	struct datetime d;
	struct error err;

	(void)state;
	assert_int_equal(datetime_parse("2023-11-14T22:13:20", NOW, &d, &err), -1);
	assert_non_null(strstr(err.text, "zone"));
	assert_int_equal(datetime_parse("2023-11-14T22:13:2", NOW, &d, &err), -1);
	assert_null(strstr(err.text, "zone"));
}

/* Every day of 800 years and every part of a day, against the C library. */
static void test_utc_agrees_with_the_library(void **state)
{
	char got[DATETIME_UTC_SIZE], want[64];

	(void)state;
	for (int64_t day = -146097; day < 146097; day++) {
		time_t t = (time_t)(day * 86400 + (day & 0xffff) % 86400);
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
			 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		assert_string_equal(datetime_utc(got, (int64_t)t * 1000), want);
	}
}

static void test_utc_and_back(void **state)
{
	char text[DATETIME_UTC_SIZE];

	(void)state;
	for (int64_t t = INT64_C(-62167219200); t < INT64_C(253402300800); t += 86399999) {
		struct datetime d;
		struct error err;

		assert_int_equal(datetime_parse(datetime_utc(text, t * 1000), NOW, &d, &err), 0);
		assert_true(d.ms == t * 1000);
	}
}

static void test_utc_bounds(void **state)
{
	char text[DATETIME_UTC_SIZE];

	(void)state;
	assert_string_equal(datetime_utc(text, INT64_MIN), "0000-01-01T00:00:00Z");
	assert_string_equal(datetime_utc(text, INT64_MAX), "9999-12-31T23:59:59Z");
	assert_string_equal(datetime_utc(text, -1), "1969-12-31T23:59:59Z");
	assert_string_equal(datetime_utc(text, -1000), "1969-12-31T23:59:59Z");
	assert_string_equal(datetime_utc(text, -1001), "1969-12-31T23:59:58Z");
	assert_string_equal(datetime_utc(text, 999), "1970-01-01T00:00:00Z");
}

static void test_until_rounds_up(void **state)
{
	static const int64_t cases[][2] = {
		{ 0, 0 }, { 1, 1 }, { 999, 1 }, { 1000, 1 }, { 1001, 2 }, { -1, 0 }, { -999, 0 },
		{ -1000, -1 }, { 3599001, 3600 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(datetime_until(NOW + cases[i][0], NOW) == cases[i][1]);
}

static void test_now(void **state)
{
	int64_t before = (int64_t)time(NULL) * 1000, now = datetime_now();

	(void)state;
	assert_true(now >= before && now <= ((int64_t)time(NULL) + 2) * 1000);
}

/* Anything at all is read or refused; what was cut off is never read past. */
static void test_pieces(void **state)
{
	static const char *const texts[] = { "2023-11-14T22:13:20.125+01:30", "now+1w2d3h4m5s",
	  "@-123456" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t n = 0; n <= strlen(texts[i]); n++) {
			char *piece = strndup(texts[i], n);
			struct datetime d;
			struct error err;

			(void)!datetime_parse(piece, NOW, &d, &err);
			free(piece);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moments), cmocka_unit_test(test_durations),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_missing_zone_is_told),
		cmocka_unit_test(test_utc_agrees_with_the_library),
		cmocka_unit_test(test_utc_and_back), cmocka_unit_test(test_utc_bounds),
		cmocka_unit_test(test_until_rounds_up), cmocka_unit_test(test_now),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
