#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena_state.h"
#include "queue/pace.h"
#include "queue/pause.h"
#include "queue/queue.h"
#include "queue/schedule.h"
#include "util/arena.h"
#include "util/error.h"

#define NOW INT64_C(1800000000000)

static char folder[64];
static struct queue queue;

static int setup(void **state)
{
	struct error err;

	arena_setup(state);
	strcpy(folder, "/tmp/msubmit-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(queue_open(&queue, folder, true, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	queue_close(&queue);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	return arena_teardown(state);
}

static struct pause failed(const char *key, const char *account, const char *text, int64_t now)
{
	struct error why, err;
	struct pause p;

	(void)!error_set(&why, FAULT_CONNECT_REFUSED, "%s", text);
	assert_int_equal(pause_fail(&queue, key, account, &why, now, arena, &p, &err), 0);
	return p;
}

static void begins_goes_on_ends(void **state)
{
	struct pause p;

	(void)state;
	assert_int_equal(pause_read(&queue, "k", arena, &p), 0);
	p = failed("k", "work", "first", NOW);
	assert_int_equal(p.failures, 1);
	p = failed("k", "work", "second", NOW + 5000);
	assert_int_equal(p.failures, 2);
	assert_int_equal(pause_read(&queue, "k", arena, &p), 1);
	assert_string_equal(p.account, "work");
	assert_string_equal(p.reason, "second");
	assert_string_equal(p.fault, fault_rows[FAULT_CONNECT_REFUSED].name);
	assert_int_equal(p.since_ms, NOW);
	assert_int_equal(p.last_ms, NOW + 5000);
	assert_int_equal(p.next_ms, NOW + 5000 + 1000 * (int64_t)schedule_delay(2));
	assert_int_equal(p.failures, 2);
	assert_int_equal(pause_read(&queue, "other", arena, &p), 0);
	pause_clear(&queue, "other");
	assert_int_equal(pause_read(&queue, "k", arena, &p), 1);
	pause_clear(&queue, "k");
	assert_int_equal(pause_read(&queue, "k", arena, &p), 0);
	assert_int_equal(failed("k", "work", "anew", NOW + 9000).since_ms, NOW + 9000);
}

/* A clock that was put back must not keep an account paused for years. */
static void from_the_future(void **state)
{
	(void)state;
	failed("k", "work", "x", NOW);
	const struct pause p = failed("k", "work", "x", NOW - 86400000);

	assert_int_equal(p.since_ms, NOW - 86400000);
	assert_int_equal(p.failures, 1);
}

static void a_control_makes_no_line(void **state)
{
	struct pause p;

	(void)state;
	failed("k", "a\nfault x", "b", NOW);
	assert_int_equal(pause_read(&queue, "k", arena, &p), 1);
	assert_string_equal(p.account, "a?fault x");
	assert_string_equal(p.fault, fault_rows[FAULT_CONNECT_REFUSED].name);
	assert_string_equal(p.reason, "b");
	assert_int_equal(p.since_ms, NOW);
}

/* The one file of the folder. */
static void overwrite(const char *text, unsigned mode)
{
	char command[300];

	snprintf(command, sizeof(command), "for f in %s/paused/*; do printf '%s' > $f; "
		 "chmod %o $f; done",
		 folder, text, mode);
	assert_int_equal(system(command), 0);
}

static int count(void *ctx, const struct pause *p)
{
	assert_non_null(p->account);
	return ++*(int *)ctx < 3 ? 0 : 7;
}

static void broken_ones_are_none(void **state)
{
#define TEXTS "\\naccount a\\nfault f\\nreason r\\n"
	static const char whole[] = "since 1\\nlast 1\\nnext 1\\nfailures 1" TEXTS;
	static const char *const broken[] = {
		"", "\\n", "since 1\\n",
		"since 1\\nlast 1\\nnext 1\\nfailures 1\\naccount a\\nfault f",
		"since 0\\nlast 1\\nnext 1\\nfailures 1" TEXTS,
		"since x\\nlast 1\\nnext 1\\nfailures 1" TEXTS,
		"since 1x\\nlast 1\\nnext 1\\nfailures 1" TEXTS,
		"since 1\\nlast 1\\nnext 1\\nfailures 4294967296" TEXTS,
		"since 9223372036854775808\\nlast 1\\nnext 1\\nfailures 1" TEXTS,
	};
	struct pause p;
	struct error err;
	int n = 0;

	(void)state;
	failed("k", "work", "x", NOW);
	overwrite(whole, 0600);
	assert_int_equal(pause_read(&queue, "k", arena, &p), 1);
	overwrite(whole, 0622);
	assert_int_equal(pause_read(&queue, "k", arena, &p), 0);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		overwrite(broken[i], 0600);
		assert_int_equal(pause_read(&queue, "k", arena, &p), 0);
		assert_int_equal(pause_each(&queue, count, &n, &err), 0);
	}
	assert_int_equal(n, 0);
	assert_int_equal(failed("k", "work", "x", NOW).failures, 1);
}

static void each(void **state)
{
	struct queue none = QUEUE_INIT;
	struct error err;
	int n = 0;

	(void)state;
	assert_int_equal(pause_each(&queue, count, &n, &err), 0);
	assert_int_equal(pause_each(&none, count, &n, &err), 0);
	assert_int_equal(n, 0);
	failed("k", "a", "x", NOW);
	failed("l", "b", "x", NOW);
	assert_int_equal(pause_each(&queue, count, &n, &err), 0);
	assert_int_equal(n, 2);
	failed("m", "c", "x", NOW);
	failed("n", "d", "x", NOW);
	n = 0;
	assert_int_equal(pause_each(&queue, count, &n, &err), 7);
	assert_int_equal(n, 3);
}

static void success(void **state)
{
	const struct queue none = QUEUE_INIT;

	(void)state;
	assert_int_equal(pause_last_success(&queue), 0);
	pause_note_success(&queue, NOW + 250);
	assert_int_equal(pause_last_success(&queue), NOW + 250);
	pause_note_success(&none, NOW);
	assert_int_equal(pause_last_success(&none), 0);
}

/* The pause counts for the caller, too, when there is no place to write it. */
static void cannot_be_written(void **state)
{
	struct error why, err = { .exit = 0 };
	struct pause p = { .failures = 0 };
	char path[80];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/paused", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	(void)!error_set(&why, FAULT_TLS, "x");
	assert_int_equal(pause_fail(&queue, "k", "a", &why, NOW, arena, &p, &err), -1);
	assert_int_equal(err.exit, EX_CANTCREAT);
	assert_int_equal(p.failures, 1);
	assert_int_equal(pause_each(&queue, count, &fd, &err), -1);
	assert_int_equal(err.exit, EX_IOERR);
}

/* Three messages in 30 seconds: one at once, then one every ten. */
static void pace(void **state)
{
	(void)state;
	assert_int_equal(pace_take(&queue, "k", 3, 30, NOW), 0);
	assert_int_equal(pace_take(&queue, "k", 3, 30, NOW), 10000);
	assert_int_equal(pace_take(&queue, "k", 3, 30, NOW + 4000), 6000);
	assert_int_equal(pace_take(&queue, "other", 3, 30, NOW), 0);
	assert_int_equal(pace_take(&queue, "k", 3, 30, NOW + 10000), 0);
	/* who looked at the clock before another had taken its turn */
	assert_int_equal(pace_take(&queue, "k", 3, 30, NOW + 9000), 11000);
	/* a clock that was years ahead */
	assert_int_equal(pace_take(&queue, "k", 3, 30, NOW - 100000000), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(begins_goes_on_ends), TEST(from_the_future), TEST(a_control_makes_no_line),
		TEST(broken_ones_are_none), TEST(each), TEST(success), TEST(cannot_be_written),
		TEST(pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
