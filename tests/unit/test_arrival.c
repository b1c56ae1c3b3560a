#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/arrival.h"
#include "queue/entry.h"
#include "util/error.h"

static void test_in_order(void **state)
{
	char id[ENTRY_ID_LEN + 1];
	struct arrival a;
	struct error err;

	(void)state;
	assert_int_equal(arrival_open(&a, &err), 0);
	assert_false(arrival_next(&a, id));
	arrival_tell(&a, "0123456789ABCDEF");
	arrival_tell(&a, "FEDCBA9876543210");
	struct pollfd p = { .fd = a.out, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 0), 1);
	assert_true(arrival_next(&a, id));
	assert_string_equal(id, "0123456789ABCDEF");
	assert_true(arrival_next(&a, id));
	assert_string_equal(id, "FEDCBA9876543210");
	assert_false(arrival_next(&a, id));
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_false(arrival_missed(&a));
	arrival_close(&a);
	arrival_close(&a);
}

/* Another process tells more than there is room for, does not wait, and it is noticed once. */
static void test_full(void **state)
{
	enum { TOLD = 10000 };
	char id[ENTRY_ID_LEN + 1], wanted[32];
	struct arrival a;
	struct error err;
	int n = 0, status;

	(void)state;
	assert_int_equal(arrival_open(&a, &err), 0);
	const pid_t pid = fork();

	for (int i = 0; pid == 0 && i < TOLD; i++) {
		snprintf(wanted, sizeof(wanted), "%016X", (unsigned)i);
		arrival_tell(&a, wanted);
	}
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	while (arrival_next(&a, id)) {
		snprintf(wanted, sizeof(wanted), "%016X", (unsigned)n++);
		assert_string_equal(id, wanted);
	}
	assert_in_range(n, 100, TOLD - 1);
	assert_true(arrival_missed(&a));
	assert_false(arrival_missed(&a));
	arrival_close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
