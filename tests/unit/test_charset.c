#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "arena_state.h"
#include "message/charset.h"
#include "message/spool.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"

static void test_names(void **state)
{
	static const char *const good[] = { "UTF-8", "iso-8859-1", "KOI8-R", "Shift_JIS" };
	static const char *const bad[] = { "", "UTF-8//TRANSLIT", "a b", "x\r\ny", "a/b", "\xfc",
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddx" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(charset_name_valid(good[i]));
		assert_true(charset_known(good[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(charset_name_valid(bad[i]));
		assert_false(charset_known(bad[i]));
	}
	assert_true(charset_name_valid("x-no-such-charset"));
	assert_false(charset_known("x-no-such-charset"));
}

/* A locale that is there everywhere says nothing beyond ASCII; what was found stays. */
static void test_locale(void **state)
{
	(void)state;
	setenv("LC_ALL", "C", 1);
	assert_null(charset_of_locale());
	setenv("LC_ALL", "xx_YY.nothing", 1);
	assert_null(charset_of_locale());
}

static void test_text(void **state)
{
	static const struct { const char *in, *charset, *want; } cases[] = {
		{ "abc", NULL, "abc" }, { "abc", "iso-8859-1", "abc" }, { "", "koi8-r", "" },
		{ "gr\xc3\xbcn", "iso-8859-1", "gr\xc3\xbcn" },	/* it is UTF-8 already */
		{ "gr\xfcn", "iso-8859-1", "gr\xc3\xbcn" },
		{ "\xf0\xd2\xc9", "koi8-r", "\xd0\x9f\xd1\x80\xd0\xb8" },
		{ "\x93\xfa\x96\x7b", "shift_jis", "\xe6\x97\xa5\xe6\x9c\xac" },
		{ "gr\xfcn", NULL, NULL }, { "gr\xfcn", "x-unknown", NULL },
		{ "gr\xfcn", "utf-8", NULL }, { "\x93", "shift_jis", NULL },
		{ "gr\xfcn", "us-ascii", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = charset_text(*state, cases[i].in, cases[i].charset);

		if (!got != !cases[i].want || (got && strcmp(got, cases[i].want) != 0))
			fail_msg("%zu: '%s'", i, got ? got : "-");
	}
}

static char *content(struct arena *a, const struct spool *s)
{
	struct error err;
	const size_t n = (size_t)spool_size(s);
	char *text = arena_alloc(a, n + 1);

	for (size_t at = 0; at < n;) {
		ssize_t got = spool_read(s, at, text + at, n - at, &err);

		assert_true(got > 0);
		at += (size_t)got;
	}
	return text;
}

/* Characters of two octets across every block edge there may be. */
static void test_blocks(void **state)
{
	for (size_t lead = 0; lead < 3; lead++) {
		struct spool *in = spool_new(), *out = spool_new();
		struct error err;
		const size_t pairs = 30000;

		assert_int_equal(spool_add(in, "aaa", lead, &err), 0);
		for (size_t i = 0; i < pairs; i++)
			assert_int_equal(spool_add(in, "\x93\xfa", 2, &err), 0);
		assert_int_equal(charset_convert(in, "shift_jis", out, &err), 0);
		const char *text = content(*state, out);

		assert_int_equal(spool_size(out), lead + 3 * pairs);
		for (size_t i = 0; i < pairs; i++)
			assert_memory_equal(text + lead + 3 * i, "\xe6\x97\xa5", 3);
		spool_free(in);
		spool_free(out);
	}
}

static void test_faults(void **state)
{
	static const struct { const char *text, *charset, *says; } cases[] = {
		{ "ab\xfc" "cd", "us-ascii", "octet 3 " }, { "abc\x93", "shift_jis", "octet 4 " },
		{ "\xff\xff", "utf-8", "octet 1 " }, { "abc", "x-unknown", "'x-unknown'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spool *in = spool_new(), *out = spool_new();
		struct error err = { .exit = 0 };

		assert_int_equal(spool_add(in, cases[i].text, strlen(cases[i].text), &err), 0);
		assert_int_equal(charset_convert(in, cases[i].charset, out, &err), -1);
		assert_int_equal(err.exit, EX_DATAERR);
		assert_non_null(strstr(err.text, cases[i].says));
		spool_free(in);
		spool_free(out);
	}
}

/* A charset with states ends in the first one. */
static void test_states(void **state)
{
	static const char text[] = "\x1b$BF|K\\";
	struct spool *in = spool_new(), *out = spool_new();
	struct error err;

	assert_int_equal(spool_add(in, text, sizeof(text) - 1, &err), 0);
	assert_int_equal(charset_convert(in, "iso-2022-jp", out, &err), 0);
	assert_string_equal(content(*state, out), "\xe6\x97\xa5\xe6\x9c\xac");
	spool_free(in);
	spool_free(out);
}

/* --- out of UTF-8 ------------------------------------------------------------------ */

static void test_encode(void **state)
{
	static const struct { const char *charset, *in, *out; } cases[] = {
		{ "iso-8859-1", "a\xc3\xa4", "a\xe4" }, { "iso-8859-15", "\xe2\x82\xac", "\xa4" },
		{ "iso-8859-1", "", "" }, { "iso-8859-1", "\xe2\x82\xac", NULL },
		{ "iso-8859-1", "a\xc3", NULL }, { "us-ascii", "\xc3\xa4", NULL },
		{ "iso-2022-jp", "\xe6\x97\xa5", "\33$BF|\33(B" }, { "x-none", "a", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(1000);
		struct spool *in = spool_new(), *made = spool_new();
		struct error err;
		char text[100] = "";

		strbuf_addstr(&out, "=");
		assert_int_equal(charset_encode(cases[i].in, strlen(cases[i].in), cases[i].charset,
						&out), cases[i].out ? 0 : -1);
		assert_string_equal(out.buf + 1, cases[i].out ? cases[i].out : "");
		assert_int_equal(spool_add(in, cases[i].in, strlen(cases[i].in), &err), 0);
		assert_int_equal(charset_encode_spool(in, cases[i].charset, made, &err),
				 cases[i].out != NULL);
		if (cases[i].out && *cases[i].out)
			assert_true(spool_read(made, 0, text, sizeof(text) - 1, &err) > 0);
		if (cases[i].out)
			assert_string_equal(text, cases[i].out);
		spool_free(in);
		spool_free(made);
		strbuf_release(&out);
	}
}

static void test_ascii(void **state)
{
	static const char *const with[] = { "utf-8", "iso-8859-7", "iso-2022-jp", "GBK" };
	static const char *const without[] = { "utf-16", "utf-32", "x-none", "", "a/b" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(with); i++)
		assert_true(charset_keeps_ascii(with[i]));
	for (size_t i = 0; i < ARRAY_LEN(without); i++)
		assert_false(charset_keeps_ascii(without[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_locale),
		cmocka_unit_test_setup_teardown(test_text, arena_setup, arena_teardown),
		cmocka_unit_test_setup_teardown(test_blocks, arena_setup, arena_teardown),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_ascii),
		cmocka_unit_test_setup_teardown(test_states, arena_setup, arena_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
