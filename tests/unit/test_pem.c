#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "util/attr.h"
#include "util/pem.h"
#include "util/strbuf.h"

#define BEGIN "-----BEGIN CERTIFICATE-----"
#define END "-----END CERTIFICATE-----"

static void takes_its_forms(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ BEGIN "\nMAA=\n" END "\n", BEGIN "\nMAA=\n" END "\n" },
		{ BEGIN "\\nMAA=\\n" END, BEGIN "\nMAA=\n" END },
		{ BEGIN " MAA= " END, BEGIN " MAA= " END },
		{ BEGIN "\\tx\\", BEGIN "\\tx\\" },
		{ "MAA=", BEGIN "\nMAA=\n" END "\n" },
	};
	struct strbuf out = STRBUF_INIT(1000);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		strbuf_reset(&out);
		assert_int_equal(pem_read(cases[i][0], "CERTIFICATE", &out), 0);
		assert_string_equal(out.buf, cases[i][1]);
		assert_true(pem_is(out.buf));
	}
	strbuf_release(&out);
}

static void refuses_others(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"", "x", "MAA", "AAAA", "MAA= ", "/etc/ssl/x.pem", "----BEGIN", (" " BEGIN),
		"@inline",
	};
	struct strbuf out = STRBUF_INIT(1000);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(pem_read(cases[i], "CERTIFICATE", &out), -1);
		assert_false(pem_is(cases[i]));
	}
	strbuf_release(&out);
}

/* Lines of 64 characters; the last may be shorter. */
static void written(void **state)
{
	(void)state;
	static const size_t sizes[][3] = { { 0, 0, 0 }, { 1, 1, 4 }, { 48, 1, 64 }, { 49, 2, 4 },
					   { 144, 3, 64 } };
	static const char der[144] = { 0x30 };
	struct strbuf out = STRBUF_INIT(1000);

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t lines = 0, last = 0;

		strbuf_reset(&out);
		pem_write(&out, "X", der, sizes[i][0]);
		assert_memory_equal(out.buf, "-----BEGIN X-----\n", 18);
		for (const char *p = out.buf + 18; *p != '-'; p += last + 1, lines++)
			last = strcspn(p, "\n");
		assert_int_equal(lines, sizes[i][1]);
		assert_int_equal(last, sizes[i][2]);
		assert_string_equal(strstr(out.buf + 18, "-"), "-----END X-----\n");
	}
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_its_forms), cmocka_unit_test(refuses_others),
		cmocka_unit_test(written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
