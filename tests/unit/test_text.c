#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "util/attr.h"
#include "util/strbuf.h"
#include "util/text.h"

/* What Unicode's table 3-7 allows, computed another way: decode and compare. */
static size_t expected_utf8(const unsigned char *u, size_t n)
{
	static const struct { unsigned char mask, lead; uint32_t least; } forms[] = {
		{ 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};

	for (size_t len = 1; len <= 4 && len <= n; len++) {
		if ((u[0] & forms[len - 1].mask) != forms[len - 1].lead)
			continue;
		uint32_t code = u[0] & (unsigned char)~forms[len - 1].mask;

		for (size_t i = 1; i < len; i++) {
			if ((u[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (u[i] & 0x3f);
		}
		if (code < forms[len - 1].least || code > 0x10ffff ||
		    (code >= 0xd800 && code <= 0xdfff))
			return 0;
		return len;
	}
	return 0;
}

static void check_utf8(const unsigned char u[4], size_t n)
{
	if (text_utf8_char((const char *)u, n) != expected_utf8(u, n))
		fail_msg("%02x %02x %02x %02x, %zu octets", u[0], u[1], u[2], u[3], n);
}

static void test_utf8_char(void **state)
{
	static const unsigned char third[] = { 0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff };

	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			for (size_t k = 0; k < 36; k++) {
				unsigned char u[4] = { (unsigned char)a, (unsigned char)b,
						       third[k / 6], third[k % 6] };

				for (size_t n = 1; n <= 4; n++)
					check_utf8(u, n);
			}
		}
	}
	(void)state;
}

static void test_questions(void **state)
{
	static const struct {
		const char *s;
		size_t n;
		bool utf8, ascii, control;
	} cases[] = {
		{ "", 0, true, true, false },
		{ "abc ~", 5, true, true, false },
		{ "a\tb", 3, true, true, true },
		{ "a\0b", 3, true, true, true },
		{ "a\177", 2, true, true, true },
		{ "a\037", 2, true, true, true },
		{ "\303\266", 2, true, false, false },
		{ "\303\266", 1, false, false, false },
		{ "a\200", 2, false, false, false },
		{ "\360\237\230\200", 4, true, false, false },
		{ "\360\237\230\200", 3, false, false, false },
		{ "\355\240\200", 3, false, false, false },
		{ "\300\200", 2, false, false, false },
		{ "\364\220\200\200", 4, false, false, false },
		{ "abc\377", 3, true, true, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(text_is_utf8(cases[i].s, cases[i].n), cases[i].utf8);
		assert_int_equal(text_is_ascii(cases[i].s, cases[i].n), cases[i].ascii);
		assert_int_equal(text_has_control(cases[i].s, cases[i].n), cases[i].control);
	}
	(void)state;
}

static const struct { const char *s; size_t n; const char *want; } escapes[] = {
	{ "", 0, "" },
	{ "plain text \\ \"quoted\"", 21, "plain text \\ \"quoted\"" },
	{ "a\r\nb", 4, "a\\x0D\\x0Ab" },
	{ "a\0b", 3, "a\\x00b" },
	{ "\033[31mred", 8, "\\x1B[31mred" },
	{ "\177", 1, "\\x7F" },
	{ "J\303\266rg", 5, "J\303\266rg" },
	{ "J\366rg", 4, "J\\xF6rg" },
	{ "cut \303", 5, "cut \\xC3" },
	{ "\302\200\302\237\302\240", 6, "\\xC2\\x80\\xC2\\x9F\302\240" },
	{ "\342\200\247\342\200\250\342\200\256\342\200\257", 12,
	  "\342\200\247\\xE2\\x80\\xA8\\xE2\\x80\\xAE\342\200\257" },
	{ "\342\201\245\342\201\246\342\201\251\342\201\252", 12,
	  "\342\201\245\\xE2\\x81\\xA6\\xE2\\x81\\xA9\342\201\252" },
	{ "\360\237\230\200", 4, "\360\237\230\200" },
	{ "\355\240\200", 3, "\\xED\\xA0\\x80" },
};

static void test_escape(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
		char out[200];
		struct strbuf added = STRBUF_INIT(200);
		size_t need = text_escape(out, sizeof(out), escapes[i].s, escapes[i].n);

		assert_string_equal(out, escapes[i].want);
		assert_int_equal(need, strlen(escapes[i].want));
		strbuf_addstr(&added, "before ");
		text_escape_add(&added, escapes[i].s, escapes[i].n);
		assert_string_equal(added.buf + 7, escapes[i].want);
		strbuf_release(&added);
	}
	(void)state;
}

/* Every size of room: never past it, never half an escape or character. */
static void test_escape_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
		size_t full = strlen(escapes[i].want);

		for (size_t room = 1; room <= full + 2; room++) {
			char out[200];

			memset(out, '#', sizeof(out));
			assert_int_equal(text_escape(out, room, escapes[i].s, escapes[i].n), full);
			size_t len = strlen(out);

			assert_true(len < room);
			assert_int_equal(out[room], '#');
			assert_memory_equal(out, escapes[i].want, len);
			assert_true(text_is_utf8(out, len));
			if (room > full)
				assert_int_equal(len, full);
			else
				assert_true(len + 4 >= room);
			/* an escape is there with all of its four octets or not at all */
			const char *last = strrchr(out, '\\');

			if (last && i != 1)
				assert_true(strlen(last) >= 4);
		}
	}
	(void)state;
}

static void test_escape_every_octet(void **state)
{
	for (int c = 0; c < 256; c++) {
		char s[1] = { (char)c }, out[8], want[8];

		text_escape(out, sizeof(out), s, 1);
		if (c >= 0x20 && c < 0x7f)
			snprintf(want, sizeof(want), "%c", c);
		else
			snprintf(want, sizeof(want), "\\x%02X", (unsigned)c);
		assert_string_equal(out, want);
	}
	(void)state;
}

static void test_lower(void **state)
{
	char s[] = "AZaz@[`{09\303\204 MiXeD";

	text_lower(s);
	assert_string_equal(s, "azaz@[`{09\303\204 mixed");
	text_lower(s + strlen(s));
	(void)state;
}

static void hash_ignores_case(void **state)
{
	(void)state;
	assert_int_equal(text_hash("Jo@Example.ORG"), text_hash("jo@example.org"));
	assert_int_equal(text_hash(""), 2166136261U);
	assert_int_equal(text_hash("a"), 0xE40C292CU);
	assert_true(text_hash("ab") != text_hash("ba"));
	assert_true(text_hash("[") != text_hash("{"));
}

static void ports_are_numbers(void **state)
{
	static const struct {
		const char *text;
		long port;
	} cases[] = {
		{ "0", 0 }, { "25", 25 }, { "00587", 587 }, { "65535", 65535 }, { "65536", -1 },
		{ "99999", -1 }, { "000025", -1 }, { "99999999999999999999", -1 }, { "", -1 },
		{ "-1", -1 }, { "+1", -1 }, { " 25", -1 }, { "25 ", -1 }, { "2x", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(text_port(cases[i].text, strlen(cases[i].text)), cases[i].port);
	assert_int_equal(text_port("25x", 2), 25);
}

static void words_are_compared_whole(void **state)
{
	(void)state;
	assert_true(text_same("PlainX", 5, "PLAIN"));
	assert_true(text_same("x", 0, ""));
	assert_false(text_same("PLAI", 4, "PLAIN"));
	assert_false(text_same("PLAIN", 5, "PLAI"));
}

static void lines_are_cut(void **state)
{
	static const char *const wanted[] = { "one", "", "t\rwo", "\r", "last" };
	char text[] = "one\r\n\nt\rwo\n\r\r\nlast", *at = text, *end = text + strlen(text);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_string_equal(text_line(&at, end), wanted[i]);
	assert_null(text_line(&at, end));
}

static void percent_is_decoded(void **state)
{
	static const struct {
		const char *text, *octets;	/* NULL: it is wrong */
	} cases[] = {
		{ "", "" }, { "a%20b%2Cc", "a b,c" }, { "%25%ff", "%\xff" }, { "%2525", "%25" },
		{ "%", NULL }, { "a%2", NULL }, { "%g0", NULL }, { "%0g", NULL }, { "x%00", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char copy[32];

		snprintf(copy, sizeof(copy), "%s", cases[i].text);
		assert_int_equal(text_percent_decode(copy), cases[i].octets != NULL);
		if (cases[i].octets)
			assert_string_equal(copy, cases[i].octets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8_char),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_cut),
		cmocka_unit_test(test_escape_every_octet),
		cmocka_unit_test(test_lower),
		cmocka_unit_test(hash_ignores_case),
		cmocka_unit_test(ports_are_numbers),
		cmocka_unit_test(words_are_compared_whole),
		cmocka_unit_test(lines_are_cut),
		cmocka_unit_test(percent_is_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
