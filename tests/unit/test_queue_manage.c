#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "arena_state.h"
#include "message/envelope.h"
#include "queue/entry.h"
#include "queue/manage.h"
#include "util/error.h"

#define NOW INT64_C(1800000000000)
#define HOUR INT64_C(3600000)

static struct entry make(const char *sender)
{
	struct envelope v;
	struct entry e;

	envelope_init(&v, arena);
	v.sender = sender;
	envelope_add(&v, "Ann@Example.ORG", NULL);
	envelope_add(&v, "bob@example.net", NULL);
	entry_init(&e, arena);
	entry_set_envelope(&e, &v);
	strcpy(e.id, "19D4F2A33C1B00FE");
	e.uid = 1000;
	e.arrival_ms = NOW - HOUR;
	e.next_ms = NOW + HOUR;
	e.expires_ms = NOW + 10 * HOUR;
	return e;
}

static void patterns(void **state)
{
	static const char *const good[] = { "*", "a@b", "19D4?", "[a-c]x", "<>", "@" };
	static const char *const bad[] = { "", "README", "19D4F2A33C1B00FE", "all", "-1", "<" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(manage_is_pattern(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(manage_is_pattern(bad[i]));
}

static void fits(void **state)
{
	struct entry e = make("me@example.com"), null = make("");

	(void)state;
	assert_true(manage_fits(&e, "*"));
	assert_true(manage_fits(&e, "ann@example.org"));
	assert_true(manage_fits(&e, "*@EXAMPLE.net"));
	assert_true(manage_fits(&e, "me@example.com"));
	assert_true(manage_fits(&e, "19d4*"));
	assert_true(manage_fits(&null, "<>"));
	assert_false(manage_fits(&e, "<>"));
	assert_false(manage_fits(&e, "@example.org"));
	assert_false(manage_fits(&e, "ann@example"));
	e.rcpt[0].outcome = OUTCOME_ACCEPTED;
	assert_false(manage_fits(&e, "ann@example.org"));
	e.rcpt[1].outcome = OUTCOME_REFUSED;
	assert_false(manage_fits(&e, "bob@*"));
}

static void allowed(void **state)
{
	const struct entry e = make("me@example.com");

	(void)state;
	assert_true(manage_allowed(&e, 1000));
	assert_true(manage_allowed(&e, 0));
	assert_false(manage_allowed(&e, 1001));
}

static void held_and_released(void **state)
{
	struct entry e = make("me@example.com");

	(void)state;
	assert_false(manage_release(&e, NOW));
	assert_int_equal(e.next_ms, NOW + HOUR);
	assert_true(manage_hold(&e, NOW));
	assert_true(e.held);
	assert_false(manage_hold(&e, NOW + HOUR));
	assert_int_equal(e.held_ms, NOW);
	assert_true(manage_release(&e, NOW + 5 * HOUR));
	assert_false(e.held);
	assert_int_equal(e.held_ms, 0);
	assert_int_equal(e.expires_ms, NOW + 15 * HOUR);
	assert_true(e.next_ms <= NOW + 5 * HOUR);
	/* one without end gets none, and a clock that was put back takes nothing away */
	e = make("me@example.com");
	e.expires_ms = 0;
	manage_hold(&e, NOW);
	manage_release(&e, NOW + HOUR);
	assert_int_equal(e.expires_ms, 0);
	e = make("me@example.com");
	manage_hold(&e, NOW);
	manage_release(&e, NOW - HOUR);
	assert_int_equal(e.expires_ms, NOW + 10 * HOUR);
}

static void waiting_for_its_time(void **state)
{
	struct entry e = make("me@example.com");

	(void)state;
	assert_int_equal(manage_waits_until(&e, NOW), 0);
	e.envelope.ext.hold = HOLD_UNTIL;
	e.envelope.ext.hold_ms = NOW + HOUR;
	e.undo_ms = NOW + 30;
	assert_int_equal(manage_waits_until(&e, NOW), NOW + HOUR);
	assert_int_equal(manage_waits_until(&e, NOW + HOUR), 0);
	/* held besides: the first word ends that alone */
	manage_hold(&e, NOW);
	assert_true(manage_release(&e, NOW));
	assert_int_equal(e.next_ms, NOW + HOUR);
	assert_int_equal(manage_waits_until(&e, NOW), NOW + HOUR);
	assert_true(manage_release(&e, NOW));
	assert_int_equal(manage_waits_until(&e, NOW), 0);
	assert_int_equal(e.envelope.ext.hold, HOLD_NONE);
	assert_int_equal(e.undo_ms, 0);
	assert_int_equal(e.next_ms, NOW);
}

static void anew(void **state)
{
	struct entry e = make("me@example.com");

	(void)state;
	e.attempts = 7;
	e.transid = "<a@b>";
	e.last_ms = e.unknown_ms = e.warned_ms = NOW - 5;
	e.rcpt[0] = (struct entry_rcpt){ .outcome = OUTCOME_DEFERRED, .text = "x", .exit = 75 };
	e.rcpt[1] = (struct entry_rcpt){ .outcome = OUTCOME_REFUSED, .told = true, .text = "y" };
	manage_requeue(&e, NOW, 0);
	assert_int_equal(e.attempts, 0);
	assert_null(e.transid);
	assert_int_equal(e.last_ms, 0);
	assert_int_equal(e.next_ms, NOW);
	assert_int_equal(e.expires_ms, NOW + 11 * HOUR);
	assert_int_equal(e.unknown_ms, NOW - 5);
	assert_int_equal(e.warned_ms, NOW - 5);
	assert_int_equal(e.rcpt[0].outcome, OUTCOME_NONE);
	assert_null(e.rcpt[0].text);
	assert_int_equal(e.rcpt[1].outcome, OUTCOME_REFUSED);
	assert_true(e.rcpt[1].told);
	manage_requeue(&e, NOW, 3 * HOUR);
	assert_int_equal(e.expires_ms, NOW + 3 * HOUR);
	/* it stays held, and gets its new time when it is released */
	manage_hold(&e, NOW);
	manage_requeue(&e, NOW + HOUR, 3 * HOUR);
	assert_true(e.held);
	manage_release(&e, NOW + 2 * HOUR);
	assert_int_equal(e.expires_ms, NOW + 5 * HOUR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(patterns), TEST(fits), TEST(allowed), TEST(held_and_released),
		TEST(waiting_for_its_time), TEST(anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
