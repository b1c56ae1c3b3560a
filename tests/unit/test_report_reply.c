#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "util/error.h"

static const struct {
	int exit, reply;
	const char *status;
	int code;
	const char *wanted;
} cases[] = {
	/* the server's own */
	{ EX_NOUSER, 550, "5.1.1", 550, "5.1.1" },
	{ EX_NOUSER, 551, "5.1.6", 551, "5.1.6" },
	{ EX_UNAVAILABLE, 554, "5.7.1", 554, "5.7.1" },
	{ EX_TEMPFAIL, 421, "4.3.2", 421, "4.3.2" },
	{ EX_TEMPFAIL, 552, "4.5.3", 451, "4.5.3" },	/* 552 that counts as 452 */
	{ EX_PROTOCOL, 250, "5.5.0", 554, "5.5.0" },
	/* no status */
	{ EX_NOUSER, 553, "", 553, "5.1.1" },
	{ EX_TEMPFAIL, 450, "", 450, "4.3.0" },
	/* nobody said anything: one for each exit code */
	{ EX_USAGE, 0, "", 501, "5.5.4" },
	{ EX_DATAERR, 0, "", 554, "5.6.0" },
	{ EX_NOINPUT, 0, "", 554, "5.3.0" },
	{ EX_NOUSER, 0, "", 550, "5.1.1" },
	{ EX_NOHOST, 0, "", 550, "5.1.2" },
	{ EX_UNAVAILABLE, 0, "", 554, "5.3.2" },
	{ EX_SOFTWARE, 0, "", 554, "5.3.0" },
	{ EX_OSERR, 0, "", 451, "4.3.0" },
	{ EX_OSFILE, 0, "", 554, "5.3.5" },
	{ EX_CANTCREAT, 0, "", 452, "4.3.1" },
	{ EX_IOERR, 0, "", 451, "4.3.0" },
	{ EX_TEMPFAIL, 0, "", 451, "4.3.0" },
	{ EX_PROTOCOL, 0, "", 554, "5.5.0" },
	{ EX_NOPERM, 0, "", 550, "5.7.1" },
	{ EX_CONFIG, 0, "", 554, "5.3.5" },
	{ 1, 0, "", 554, "5.3.0" },
	/* ours, of the other class than the exit code is as a rule */
	{ EX_CANTCREAT, 0, "5.3.5", 554, "5.3.5" },
	{ EX_PROTOCOL, 0, "4.4.2", 451, "4.4.2" },
	{ EX_CONFIG, 0, "4.3.0", 451, "4.3.0" },
};

static void replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err;
		const char *status;
		int code;

		error_set_status(&err, FAULT_REFUSED, cases[i].status, "x");
		err.exit = cases[i].exit;
		err.reply = cases[i].reply;
		report_reply(&err, &code, &status);
		if (code != cases[i].code || strcmp(status, cases[i].wanted) != 0)
			fail_msg("case %zu: %d %s, not %d %s", i, code, status, cases[i].code,
				 cases[i].wanted);
		assert_int_equal(code / 100, status[0] - '0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
