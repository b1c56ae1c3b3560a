#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "mime/mime_header.h"
#include "util/attr.h"
#include "util/strbuf.h"

#define UE "\xc3\xbc"
#define TEN "0123456789"

static void test_forms(void **state)
{
	static const struct { const char *before, *value, *want; } cases[] = {
		{ "C: a", "b", "C: a; n=b" },
		{ "C: a", "b.c-d_e", "C: a; n=b.c-d_e" },
		{ "C: a", "", "C: a; n=\"\"" },
		{ "C: a", "b c", "C: a; n=\"b c\"" },
		{ "C: a", "b\"c\\d", "C: a; n=\"b\\\"c\\\\d\"" },
		{ "C: a", "=_x", "C: a; n=\"=_x\"" },
		{ "C: a", "b;c", "C: a; n=\"b;c\"" },
		{ "C: a", "b'c", "C: a; n=\"b'c\"" }, { "C: a", "50%", "C: a; n=\"50%\"" },
		/* RFC 2231 */
		{ "C: a", "=?x", "C: a;\r\n n*=utf-8''%3D%3Fx" },
		{ "C: a", "gr" UE "n", "C: a;\r\n n*=utf-8''gr%C3%BCn" },
		{ "C: a", "gr\xfcn x", "C: a;\r\n n*=iso-8859-1''gr%FCn%20x" },
		{ "C: a", "a\nb", "C: a;\r\n n*=utf-8''a%0Ab" },
		{ "C: a", UE "(')*%;\"", "C: a;\r\n n*=utf-8''%C3%BC%28%27%29%2A%25%3B%22" },
		/* folding */
		{ "C: " TEN TEN TEN TEN TEN TEN TEN, "b", "C: " TEN TEN TEN TEN TEN TEN TEN
		  ";\r\n n=b" },
		{ "C: " TEN TEN TEN TEN TEN TEN "01234", TEN "0", "C: " TEN TEN TEN TEN TEN TEN
		  "01234;\r\n n=" TEN "0" },
		{ "C: a", TEN TEN TEN TEN TEN TEN TEN "01",
		  "C: a;\r\n n=" TEN TEN TEN TEN TEN TEN TEN "01" },
		/* longer than a line */
		{ "C: a", TEN TEN TEN TEN TEN TEN TEN "0123456",
		  "C: a;\r\n n*0*=utf-8''" TEN TEN TEN TEN TEN TEN "01;\r\n n*1*=2345678" "9"
		  "0123456" },
		{ "C: a", TEN TEN TEN TEN TEN TEN UE UE "x",
		  "C: a;\r\n n*0*=utf-8''" TEN TEN TEN TEN TEN TEN ";\r\n n*1*=%C3%BC%C3%BCx" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(10000);

		strbuf_addstr(&out, cases[i].before);
		mime_param_add(&out, "n", cases[i].value, "iso-8859-1");
		assert_string_equal(out.buf, cases[i].want);
		strbuf_release(&out);
	}
}

/* No line passes 76 octets, no piece ends inside a character, sections count from 0. */
static void test_lengths(void **state)
{
	(void)state;
	for (size_t n = 0; n < 600; n++) {
		struct strbuf out = STRBUF_INIT(10000), value = STRBUF_INIT(10000);
		size_t column = 0;

		for (size_t i = 0; i < n; i++)
			strbuf_addstr(&value, i % 3 ? "a" : "\xf0\x9f\x98\x80");
		strbuf_addstr(&out, "Content-Disposition: attachment");
		mime_param_add(&out, "filename", value.buf, "us-ascii");
		for (size_t i = 0; i < out.len; i++) {
			column = out.buf[i] == '\n' ? 0 : column + 1;
			assert_true(column <= 77 - (out.buf[i] != '\r'));
		}
		for (const char *p = out.buf; (p = strstr(p, "%F0")); p += 12)
			assert_memory_equal(p, "%F0%9F%98%80", 12);
		if (strstr(out.buf, "*0*"))
			assert_non_null(strstr(out.buf, "filename*1*="));
		assert_false(strbuf_overflow(&out));
		strbuf_release(&out);
		strbuf_release(&value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
