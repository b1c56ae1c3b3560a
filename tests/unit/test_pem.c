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
		"", "x", "MAA", "AAAA", "MAA= ", "/etc/ssl/x.pem", "----BEGIN", " " BEGIN,
		"@inline",
	};
	struct strbuf out = STRBUF_INIT(1000);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(pem_read(cases[i], "CERTIFICATE", &out), -1);
		assert_false(pem_is(cases[i]));
	}
	strbuf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_its_forms), cmocka_unit_test(refuses_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
