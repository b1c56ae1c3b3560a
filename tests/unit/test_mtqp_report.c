#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "arena_state.h"
#include "track/track.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define STATUS "Content-Type: message/tracking-status\r\n\r\n"
#define TOP "Content-Type: multipart/related; boundary=\"%%%%\"; type=tracking-status\r\n\r\n"
#define MESSAGE "Original-Envelope-Id: 1@x\r\nReporting-MTA: dns; mx.example\r\n\r\n"

/* Each text in memory of its own size, so that a look beyond its end is found. */
static struct track_report read_text(const char *text)
{
	size_t n = strlen(text);
	char *copy = xmalloc(n);
	struct track_report report;

	memcpy(copy, text, n);
	track_report_read(arena, copy, n, &report);
	xfree(copy);
	return report;
}

static void test_one(void **state)
{
	(void)state;
	struct track_report r = read_text(
		TOP "preamble\r\n--%%%%\r\n" STATUS MESSAGE
		"Original-Recipient: rfc822; o@example.org\r\n"
		"Final-Recipient: rfc822; joe@example.org\r\n"
		"Action: Delivered\r\nStatus: 2.5.0\r\n\r\n--%%%%--\r\n");

	assert_int_equal(r.n, 1);
	assert_string_equal(r.v[0].address, "joe@example.org");
	assert_int_equal(r.v[0].action, TRACK_DELIVERED);
	assert_string_equal(r.v[0].status, "2.5.0");
	assert_string_equal(r.v[0].reporting_mta, "mx.example");
	assert_null(r.v[0].remote_mta);
	assert_null(r.v[0].will_retry_until);
}

static void test_several(void **state)
{
	(void)state;
	struct track_report r = read_text(
		TOP "--%%%%\r\nContent-Type: text/plain\r\n\r\nReporting-MTA: dns; no\r\n\r\n"
		"Final-Recipient: rfc822; no@x\r\nAction: failed\r\n"
		"--%%%%  \r\ncontent-type: Message/Tracking-Status; x=y\r\n\r\n" MESSAGE
		"Final-Recipient: rfc822; a@x\r\nAction: transferred (to others)\r\n"
		"Remote-MTA: dns;b.example\r\n\r\n\r\n"
		"Original-Recipient: rfc822;o@x\r\nAction:\r\n delayed\r\n"
		"Will-Retry-Until: Tue, 04 Mar 2025\r\n 10:20:30 +0100\r\n\r\n"
		"--%%%%\r\n" STATUS "Reporting-MTA: dns; b.example\r\n\r\n"
		"Final-Recipient: rfc822; a@x\r\nAction: failed\r\nStatus: 5.1.1 (no such user)\r\n"
		"--%%%%--\r\nepilogue\r\n--%%%%x\r\n");

	assert_int_equal(r.n, 3);
	assert_int_equal(r.v[0].action, TRACK_TRANSFERRED);
	assert_string_equal(r.v[0].remote_mta, "b.example");
	assert_string_equal(r.v[1].address, "o@x");
	assert_int_equal(r.v[1].action, TRACK_DELAYED);
	assert_string_equal(r.v[1].will_retry_until, "Tue, 04 Mar 2025 10:20:30 +0100");
	assert_string_equal(r.v[2].reporting_mta, "b.example");
	assert_int_equal(r.v[2].action, TRACK_FAILED);
	assert_string_equal(r.v[2].status, "5.1.1 (no such user)");
}

static void test_not_multipart(void **state)
{
	(void)state;
	struct track_report r = read_text(STATUS MESSAGE
					  "Final-Recipient: rfc822; a@x\r\nAction: relayed\r\n");

	assert_int_equal(r.n, 1);
	assert_int_equal(r.v[0].action, TRACK_RELAYED);
}

static const struct {
	const char *text;
	size_t n;
	enum track_action action;
} odd[] = {
	{ "", 0, 0 },
	{ "\r\n", 0, 0 },
	{ "x", 0, 0 },
	{ "Content-Type", 0, 0 },
	{ TOP, 0, 0 },
	{ TOP "--%%%%", 0, 0 },
	{ TOP "--%%%%--", 0, 0 },
	{ TOP "--%%%%\r\n--%%%%--", 0, 0 },
	{ TOP "--%%%%\r\n\r\n--%%%%--", 0, 0 },
	{ "Content-Type: text/plain\r\n\r\n" MESSAGE "Final-Recipient: a@x\r\n", 0, 0 },
	{ "Content-Type: message/tracking-statusx\r\n\r\n" MESSAGE "Final-Recipient: a@x\r\n",
	  0, 0 },
	{ "Content-Type: multipart/related\r\n\r\n--x\r\n" STATUS MESSAGE, 0, 0 },
	/* no last delimiter, no type of the address, no action */
	{ TOP "--%%%%\r\n" STATUS MESSAGE "Final-Recipient: a@x\r\n", 1, TRACK_UNKNOWN },
	{ STATUS MESSAGE "Final-Recipient: a@x\r\nAction: eaten\r\n", 1, TRACK_UNKNOWN },
	{ STATUS MESSAGE "Final-Recipient: a@x\r\nAction: (x) opaque\r\n", 1, TRACK_OPAQUE },
	{ STATUS MESSAGE "Final-Recipient: a@x\r\nAction: expanded", 1, TRACK_EXPANDED },
	{ STATUS MESSAGE "Final-Recipient: a@x\r\nAction: failed;x\r\n", 1, TRACK_FAILED },
	{ STATUS MESSAGE "Final-Recipient:\r\nAction: failed\r\n", 0, 0 },
	{ STATUS MESSAGE "Action: failed\r\n", 0, 0 },
	{ STATUS MESSAGE "no field\r\n", 0, 0 },
	{ STATUS MESSAGE, 0, 0 },
	{ STATUS "\r\n\r\n" MESSAGE "Final-Recipient: a@x\r\n", 1, TRACK_UNKNOWN },
};

static void test_odd(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		struct track_report r = read_text(odd[i].text);

		if (r.n != odd[i].n || (r.n && r.v[0].action != odd[i].action))
			fail_msg("%zu: %zu", i, r.n);
	}
}

/* Many recipients, and no more than the limit of them. */
static void test_many(void **state)
{
	(void)state;
	static const size_t counts[] = { 1, 2, 3, 4, 5, 100, MTQP_RECIPIENTS_MAX,
					 MTQP_RECIPIENTS_MAX + 1 };

	for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
		struct strbuf text = STRBUF_INIT(1024 * 1024);
		struct track_report r;

		strbuf_addstr(&text, STATUS MESSAGE);
		for (size_t i = 0; i < counts[k]; i++)
			strbuf_addf(&text, "Final-Recipient: rfc822; r%zu@x\r\n"
				    "Action: delivered\r\n\r\n", i);
		track_report_read(arena, text.buf, text.len, &r);
		assert_int_equal(r.n, counts[k] < MTQP_RECIPIENTS_MAX ? counts[k] :
				 MTQP_RECIPIENTS_MAX);
		assert_string_equal(r.v[0].address, "r0@x");
		strbuf_release(&text);
	}
}

/* Every way of ending too early. */
static void test_cut(void **state)
{
	(void)state;
	static const char text[] = TOP "--%%%%\r\n" STATUS MESSAGE
		"Final-Recipient: rfc822; a@x\r\nAction: delivered\r\n\r\n--%%%%--\r\n";

	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = xmalloc(n);
		struct track_report r;

		memcpy(copy, text, n);
		track_report_read(arena, copy, n, &r);
		assert_true(r.n <= 1);
		xfree(copy);
	}
}

static void test_names(void **state)
{
	(void)state;
	for (int action = TRACK_UNKNOWN; action <= TRACK_OPAQUE; action++)
		assert_non_null(track_action_name((enum track_action)action));
	assert_string_equal(track_action_name(TRACK_TRANSFERRED), "transferred");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one), cmocka_unit_test(test_several),
		cmocka_unit_test(test_not_multipart), cmocka_unit_test(test_odd),
		cmocka_unit_test(test_many), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, arena_setup, arena_teardown);
}
