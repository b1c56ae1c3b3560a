#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/attr.h"
#include "util/json.h"
#include "util/strbuf.h"

static void test_nesting_and_commas(void **state)
{
	struct strbuf out = STRBUF_INIT(1000);
	struct json j = { .out = &out };

	(void)state;
	json_begin(&j, NULL, '{');
	json_string(&j, "a", "x");
	json_begin(&j, "list", '[');
	json_number(&j, NULL, -1);
	json_number(&j, NULL, INT64_MAX);
	json_begin(&j, NULL, '{');
	json_end(&j, '}');
	json_end(&j, ']');
	json_bool(&j, "yes", true);
	json_bool(&j, "no", false);
	json_string(&j, "nothing", NULL);
	json_raw(&j, "raw", "1.250");
	json_end(&j, '}');
	assert_string_equal(out.buf, "{\"a\":\"x\",\"list\":[-1,9223372036854775807,{}],"
				     "\"yes\":true,\"no\":false,\"nothing\":null,\"raw\":1.250}");
	strbuf_release(&out);
}

static void test_escaping(void **state)
{
	static const struct { const char *in; size_t n; const char *out; } cases[] = {
		{ "", 0, "\"\"" },
		{ "a\"b\\c/", 6, "\"a\\\"b\\\\c/\"" },
		{ "\0\n\r\t\x1f\x7f", 6, "\"\\u0000\\u000A\\u000D\\u0009\\u001F\\u007F\"" },
		{ "gr\xc3\xbcn", 5, "\"gr\xc3\xbcn\"" },
		{ "\xc3", 1, "\"\\uFFFD\"" },
		{ "\xff\xfe", 2, "\"\\uFFFD\\uFFFD\"" },
		{ "\xed\xa0\x80", 3, "\"\\uFFFD\\uFFFD\\uFFFD\"" },
		{ "\xf0\x9f\x93\xa7", 4, "\"\xf0\x9f\x93\xa7\"" },
		{ "\xc3\xbc", 1, "\"\\uFFFD\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(1000);
		struct json j = { .out = &out };

		json_octets(&j, NULL, cases[i].in, cases[i].n);
		assert_string_equal(out.buf, cases[i].out);
		strbuf_release(&out);
	}
}

static void test_keys_are_escaped(void **state)
{
	struct strbuf out = STRBUF_INIT(1000);
	struct json j = { .out = &out };

	(void)state;
	json_begin(&j, NULL, '{');
	json_number(&j, "a\"b", 0);
	json_end(&j, '}');
	assert_string_equal(out.buf, "{\"a\\\"b\":0}");
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting_and_commas),
		cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_keys_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
