#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "message/result.h"
#include "util/arena.h"
#include "util/attr.h"

struct end {
	enum outcome outcome;	/* OUTCOME_NONE ends the list, unless it has an exit */
	int exit;
	const char *status;
};

#define OK { OUTCOME_ACCEPTED, 0, "2.1.5" }
#define TEMP { OUTCOME_DEFERRED, 75, "4.2.2" }
#define TEMP2 { OUTCOME_DEFERRED, 75, "4.7.1" }
#define NOUSER { OUTCOME_REFUSED, 67, "5.1.1" }
#define NOUSER2 { OUTCOME_REFUSED, 67, "5.1.3" }
#define UNAVAILABLE { OUTCOME_REFUSED, 69, "5.2.2" }
#define NOPERM { OUTCOME_REFUSED, 77, "5.7.1" }
#define DATAERR { OUTCOME_REFUSED, 65, "5.1.2" }

static const struct {
	struct end rcpt[4];
	struct end whole;
} settle_cases[] = {
	{ { OK }, OK },
	{ { OK, OK }, OK },
	{ { TEMP }, TEMP },
	{ { NOUSER }, NOUSER },
	{ { OK, TEMP }, TEMP },
	{ { TEMP, OK }, TEMP },
	{ { TEMP, TEMP2 }, TEMP },
	{ { TEMP2, TEMP }, TEMP2 },
	{ { OK, NOUSER }, NOUSER },
	{ { NOUSER, OK, OK }, NOUSER },
	{ { TEMP, NOUSER }, NOUSER },
	{ { NOUSER, TEMP }, NOUSER },
	{ { TEMP, UNAVAILABLE }, UNAVAILABLE },
	{ { UNAVAILABLE, TEMP }, UNAVAILABLE },
	{ { NOPERM, TEMP, OK }, NOPERM },
	{ { UNAVAILABLE, NOUSER }, NOUSER },
	{ { NOPERM, NOUSER }, NOUSER },
	{ { NOUSER, UNAVAILABLE }, NOUSER },
	{ { NOUSER2, NOUSER }, NOUSER2 },
	{ { UNAVAILABLE, NOPERM }, UNAVAILABLE },
	{ { NOPERM, UNAVAILABLE }, NOPERM },
	{ { DATAERR, NOPERM }, DATAERR },
	{ { OK, TEMP, UNAVAILABLE, NOUSER }, NOUSER },
};

static void fill(struct error *err, const struct end *end)
{
	memset(err, 0, sizeof(*err));
	if (end->exit) {
		error_set_status(err, FAULT_REFUSED, end->status, "%s said so", end->status);
		err->exit = end->exit;
	} else
		snprintf(err->status, sizeof(err->status), "%s", end->status);
}

static void test_settle(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(settle_cases); i++) {
		struct arena *a = arena_new();
		struct result r;
		size_t n = 0;

		while (n < 4 && settle_cases[i].rcpt[n].outcome != OUTCOME_NONE)
			n++;
		result_init(&r, a, n);
		for (size_t k = 0; k < n; k++) {
			r.rcpt[k].outcome = settle_cases[i].rcpt[k].outcome;
			fill(&r.rcpt[k].error, &settle_cases[i].rcpt[k]);
		}
		result_settle(&r);
		if (r.outcome != settle_cases[i].whole.outcome ||
		    r.error.exit != settle_cases[i].whole.exit ||
		    strcmp(r.error.status, settle_cases[i].whole.status) != 0)
			fail_msg("case %zu: %d %d %s", i, (int)r.outcome, r.error.exit,
				 r.error.status);
		arena_free(a);
	}
}

static void test_init(void **state)
{
	struct arena *a = arena_new();
	struct result r;

	(void)state;
	memset(&r, 0xff, sizeof(r));
	result_init(&r, a, 3);
	assert_int_equal(r.rcpt_count, 3);
	assert_int_equal(r.outcome, OUTCOME_NONE);
	assert_int_equal(r.error.exit, 0);
	assert_null(r.tls);
	assert_null(r.reply_text);
	assert_false(r.unknown);
	assert_ptr_equal(r.arena, a);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(r.rcpt[i].outcome, OUTCOME_NONE);
		assert_null(r.rcpt[i].note);
	}
	arena_free(a);
}

static void test_set_error(void **state)
{
	struct arena *a = arena_new();
	struct result r;
	struct error err;

	(void)state;
	result_init(&r, a, 3);
	error_set_status(&err, FAULT_REFUSED_FOR_NOW, "4.2.2", "mailbox full");
	err.reply = 452;
	result_set_error(&r, 0, &err);
	error_set(&err, FAULT_RECIPIENT_UNKNOWN, "no such user");
	result_set_error(&r, 2, &err);
	assert_int_equal(r.rcpt[0].outcome, OUTCOME_DEFERRED);
	assert_int_equal(r.rcpt[0].error.reply, 452);
	assert_string_equal(r.rcpt[0].error.text, "mailbox full");
	assert_int_equal(r.rcpt[1].outcome, OUTCOME_NONE);
	assert_int_equal(r.rcpt[2].outcome, OUTCOME_REFUSED);
	assert_int_equal(r.rcpt[2].error.exit, EX_NOUSER);
	arena_free(a);
}

/* The second session of an attempt fails: what the first has achieved stands. */
static void test_set_rest(void **state)
{
	struct arena *a = arena_new();
	struct result r;
	struct error refused, full, lost;

	(void)state;
	error_set(&refused, FAULT_RECIPIENT_UNKNOWN, "no such user");
	error_set_status(&full, FAULT_REFUSED_FOR_NOW, "4.2.2", "full");
	error_set(&lost, FAULT_CONNECTION_LOST, "connection lost");
	result_init(&r, a, 4);
	r.rcpt[0].outcome = OUTCOME_ACCEPTED;
	result_set_error(&r, 1, &refused);
	result_set_error(&r, 2, &full);
	result_set_rest(&r, &lost);
	assert_int_equal(r.rcpt[0].outcome, OUTCOME_ACCEPTED);
	assert_int_equal(r.rcpt[1].outcome, OUTCOME_REFUSED);
	assert_string_equal(r.rcpt[1].error.status, "5.1.1");
	assert_string_equal(r.rcpt[2].error.status, "4.2.2");
	assert_int_equal(r.rcpt[3].outcome, OUTCOME_DEFERRED);
	assert_string_equal(r.rcpt[3].error.status, "4.4.2");
	result_settle(&r);
	assert_int_equal(r.outcome, OUTCOME_REFUSED);
	assert_int_equal(r.error.exit, EX_NOUSER);
	arena_free(a);
}

/* No recipient that nobody spoke of may end as success. */
static void test_untried(void **state)
{
	struct arena *a = arena_new();
	struct result r;

	(void)state;
	result_init(&r, a, 2);
	r.rcpt[0].outcome = OUTCOME_ACCEPTED;
	result_settle(&r);
	assert_int_equal(r.outcome, OUTCOME_DEFERRED);
	assert_int_equal(r.error.exit, EX_TEMPFAIL);
	assert_int_equal(r.rcpt[1].outcome, OUTCOME_DEFERRED);
	assert_int_equal(r.rcpt[1].error.exit, EX_TEMPFAIL);
	arena_free(a);
}

/* An attempt that never came to the recipients keeps what was said of the whole. */
static void test_no_recipients(void **state)
{
	struct arena *a = arena_new();
	struct result r;

	(void)state;
	result_init(&r, a, 0);
	error_set(&r.error, FAULT_NO_HOST, "no such host");
	r.outcome = OUTCOME_REFUSED;
	result_settle(&r);
	assert_int_equal(r.outcome, OUTCOME_REFUSED);
	assert_int_equal(r.error.exit, EX_NOHOST);
	arena_free(a);
}

/* Settled twice is the same: a second transaction may add to the first. */
static void test_settle_again(void **state)
{
	struct arena *a = arena_new();
	struct result r;
	struct error err;

	(void)state;
	result_init(&r, a, 2);
	r.rcpt[0].outcome = OUTCOME_ACCEPTED;
	error_set(&err, FAULT_TOO_MANY_RECIPIENTS, "too many recipients");
	result_set_error(&r, 1, &err);
	result_settle(&r);
	assert_int_equal(r.outcome, OUTCOME_DEFERRED);
	memset(&r.rcpt[1], 0, sizeof(r.rcpt[1]));
	r.rcpt[1].outcome = OUTCOME_ACCEPTED;
	result_settle(&r);
	assert_int_equal(r.outcome, OUTCOME_ACCEPTED);
	assert_int_equal(r.error.exit, 0);
	arena_free(a);
}

static void test_first_open(void **state)
{
	struct arena *a = arena_new();
	struct result r;

	(void)state;
	result_init(&r, a, 4);
	assert_int_equal(result_first_open(&r), 0);
	result_set(&r, 0, OUTCOME_ACCEPTED);
	result_set(&r, 1, OUTCOME_REFUSED);
	result_set(&r, 3, OUTCOME_ACCEPTED);
	assert_int_equal(result_first_open(&r), 2);
	assert_int_equal(r.set_n, 3);
	assert_int_equal(r.accepted_n, 2);
	/* once more, as when what was sent comes to nothing */
	result_set(&r, 0, OUTCOME_NONE);
	assert_int_equal(result_first_open(&r), 0);
	assert_int_equal(r.set_n, 2);
	assert_int_equal(r.accepted_n, 1);
	result_set(&r, 0, OUTCOME_DEFERRED);
	result_set(&r, 2, OUTCOME_DEFERRED);
	assert_int_equal(result_first_open(&r), 4);
	result_clear(&r);
	assert_int_equal(result_first_open(&r), 0);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settle),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_set_error),
		cmocka_unit_test(test_set_rest),
		cmocka_unit_test(test_untried),
		cmocka_unit_test(test_no_recipients),
		cmocka_unit_test(test_settle_again),
		cmocka_unit_test(test_first_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
