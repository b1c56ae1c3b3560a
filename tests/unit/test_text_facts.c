#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "message/spool.h"
#include "mime/mime_encode.h"
#include "util/error.h"
#include "util/strbuf.h"

static struct spool *spool_of(const char *text, size_t n)
{
	struct spool *s = spool_new();
	struct error err;

	assert_int_equal(spool_add(s, text, n, &err), 0);
	return s;
}

#define TEXT(s) s, sizeof(s) - 1

static void test_facts(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		struct text_facts want;
	} cases[] = {
		{ TEXT(""), { .utf8 = true } },
		{ TEXT("abc\n"), { .octets = 4, .longest = 3, .utf8 = true } },
		{ TEXT("a\nbcd"), { .octets = 5, .longest = 3, .utf8 = true } },
		{ TEXT("ab\r\nc\r\n"), { .octets = 7, .longest = 2, .utf8 = true } },
		{ TEXT("ab\r\nc\n"),
		  { .octets = 6, .longest = 2, .utf8 = true, .odd_ends = true } },
		{ TEXT("ab\rcde"), { .octets = 6, .longest = 3, .utf8 = true, .odd_ends = true } },
		{ TEXT("ab\r\r\nc"),
		  { .octets = 6, .longest = 2, .utf8 = true, .odd_ends = true } },
		{ TEXT("ab\r"), { .octets = 3, .longest = 2, .utf8 = true, .odd_ends = true } },
		{ TEXT("\xc3\xbc=\n"), { .octets = 4, .escapes = 3, .longest = 3, .utf8 = true,
					 .eight_bit = true } },
		{ TEXT("\xfc"), { .octets = 1, .escapes = 1, .longest = 1, .eight_bit = true } },
		{ TEXT("\xc3"), { .octets = 1, .escapes = 1, .longest = 1, .eight_bit = true } },
		{ TEXT("a\0b"), { .octets = 3, .escapes = 1, .longest = 3, .utf8 = true,
				  .nul = true, .control = true } },
		{ TEXT("a\x1b[0m\t\f"), { .octets = 7, .escapes = 2, .longest = 7, .utf8 = true } },
		{ TEXT("\x01"), { .octets = 1, .escapes = 1, .longest = 1, .utf8 = true,
				  .control = true } },
		{ TEXT("\x7f"), { .octets = 1, .escapes = 1, .longest = 1, .utf8 = true,
				  .control = true } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spool *s = spool_of(cases[i].text, cases[i].n);
		const struct text_facts *w = &cases[i].want;
		struct text_facts f;
		struct error err;

		assert_int_equal(text_facts_read(s, 0, &f, &err), 0);
		if (f.octets != w->octets || f.escapes != w->escapes || f.longest != w->longest ||
		    f.eight_bit != w->eight_bit || f.utf8 != w->utf8 || f.nul != w->nul ||
		    f.control != w->control || f.odd_ends != w->odd_ends)
			fail_msg("case %zu", i);
		spool_free(s);
	}
}

/* From an offset on; characters and line ends across the edge of a block. */
static void test_edges(void **state)
{
	(void)state;
	for (size_t lead = 16 * 1024 - 3; lead < 16 * 1024 + 3; lead++) {
		struct spool *s = spool_new();
		struct text_facts f;
		struct error err;

		for (size_t i = 0; i < lead; i++)
			assert_int_equal(spool_add(s, "a", 1, &err), 0);
		assert_int_equal(spool_add(s, "\xf0\x9f\x98\x80\r\nb\r\n", 9, &err), 0);
		assert_int_equal(text_facts_read(s, 5, &f, &err), 0);
		assert_true(f.utf8 && f.eight_bit && !f.odd_ends);
		assert_int_equal(f.longest, lead - 1);
		spool_free(s);
	}
}

static void test_lines(void **state)
{
	static const struct { const char *in, *want; } cases[] = {
		{ "", "" }, { "a", "a" }, { "a\n", "a\r\n" }, { "a\r\nb\n", "a\r\nb\r\n" },
		{ "a\rb", "a\r\nb" }, { "a\r", "a\r\n" }, { "\r\r\nb", "\r\nb" },
		{ "a\r\rb", "a\r\n\r\nb" }, { "\n\n", "\r\n\r\n" }, { "\r\n\r", "\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const size_t n = strlen(cases[i].in);

		for (size_t cut = 0; cut <= n; cut++) {
			struct strbuf out = STRBUF_INIT(1000);
			struct text_lines l = { 0 };

			text_lines_push(&l, cases[i].in, cut, &out);
			text_lines_push(&l, cases[i].in + cut, n - cut, &out);
			text_lines_finish(&l, &out);
			assert_string_equal(out.buf, cases[i].want);
			strbuf_release(&out);
		}
	}
}

/* So many CRs that nobody could keep them: none is lost. */
static void test_many_returns(void **state)
{
	struct strbuf out = STRBUF_INIT(1 << 20);
	struct text_lines l = { 0 };
	size_t written = 0;

	(void)state;
	for (size_t i = 0; i < 1000000; i++) {
		text_lines_push(&l, "\r", 1, &out);
		written += out.len;
		assert_false(strbuf_overflow(&out));
		strbuf_reset(&out);
	}
	text_lines_push(&l, "x", 1, &out);
	assert_int_equal(written + out.len, 2000001);
	strbuf_release(&out);
}

static void test_word(void **state)
{
	(void)state;
	for (size_t at = 16 * 1024 - 12; at < 16 * 1024 + 12; at++) {
		struct spool *s = spool_new();
		struct error err;
		bool there;

		for (size_t i = 0; i < at; i++)
			assert_int_equal(spool_add(s, "=", 1, &err), 0);
		assert_int_equal(spool_add(s, "=_abcdefgh=", 11, &err), 0);
		assert_int_equal(text_has_word(s, "=_abcdefgh", &there, &err), 0);
		assert_true(there);
		assert_int_equal(text_has_word(s, "=_abcdefgi", &there, &err), 0);
		assert_false(there);
		spool_free(s);
	}
	struct spool *empty = spool_new();
	struct error err;
	bool there = true;

	assert_int_equal(text_has_word(empty, "x", &there, &err), 0);
	assert_false(there);
	spool_free(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_many_returns),
		cmocka_unit_test(test_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
