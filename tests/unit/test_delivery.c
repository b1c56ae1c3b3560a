#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "message/result.h"
#include "server/delivery.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"

/* The reply as the client gets it. */
static const char *shown(const struct delivery_reply *r)
{
	static char text[DELIVERY_TEXT_MAX + 32];

	snprintf(text, sizeof(text), "%d %s %s", r->code, r->status, r->text);
	return text;
}

/* --- errors ----------------------------------------------------------------------- */

static const struct {
	enum fault fault;
	const char *status;	/* NULL = the fault's own */
	const char *words;	/* of the next server; NULL = the fault is ours */
	const char *reply;
} errors[] = {
	/* what is wrong here is for our log, and may pass */
	{ FAULT_CANNOT_WRITE, NULL, NULL, "451 4.3.0 cannot store the message, try again later" },
	{ FAULT_CANNOT_CREATE, NULL, NULL, "451 4.3.0 cannot store the message, try again later" },
	{ FAULT_CONFIG, NULL, NULL, "451 4.3.0 cannot store the message, try again later" },
	{ FAULT_SECRET_MODE, NULL, NULL, "451 4.3.0 cannot store the message, try again later" },
	{ FAULT_COMMAND_FAILED, NULL, NULL, "451 4.3.0 cannot store the message, try again later" },
	{ FAULT_COMMAND_SLOW, NULL, NULL, "451 4.3.0 cannot store the message, try again later" },
	{ FAULT_BUG, NULL, NULL, "451 4.3.0 cannot store the message, try again later" },
	{ FAULT_DISK_FULL, NULL, NULL, "452 4.3.1 cannot store the message, try again later" },
	{ FAULT_SPOOL, NULL, NULL, "452 4.3.1 cannot store the message, try again later" },
	{ FAULT_QUEUE_FULL, NULL, NULL, "452 4.3.1 cannot store the message, try again later" },
	/* what is wrong on the way may pass, and who is on this host wants to know */
	{ FAULT_CONNECT_REFUSED, NULL, NULL, "451 4.4.1 why" },
	{ FAULT_NO_HOST, NULL, NULL, "451 4.4.1 why" },
	{ FAULT_CERTIFICATE, NULL, NULL, "451 4.4.1 why" },
	{ FAULT_TIMEOUT, NULL, NULL, "451 4.4.1 why" },
	{ FAULT_SERVER_CLOSES, "4.3.2", "421 4.3.2 bye", "451 4.4.1 421 4.3.2 bye" },
	{ FAULT_NO_STARTTLS, NULL, NULL, "451 4.4.1 why" },
	{ FAULT_AUTH_LATER, NULL, NULL, "451 4.7.0 why" },
	/* who may not sign in never may */
	{ FAULT_PASSWORD_REFUSED, "5.7.8", "535 5.7.8 wrong", "451 4.7.0 535 5.7.8 wrong" },
	{ FAULT_NO_MECHANISM, NULL, NULL, "451 4.7.0 why" },
	{ FAULT_USER_NOT_ALLOWED, NULL, NULL, "550 5.7.1 why" },
	/* the message, its sender, its recipients */
	{ FAULT_MESSAGE, NULL, NULL, "554 5.6.0 why" },
	{ FAULT_BARE_LINE_END, NULL, NULL, "550 5.5.2 why" },
	{ FAULT_INPUT_TOO_LARGE, NULL, NULL, "552 5.3.4 why" },
	{ FAULT_TOO_LARGE, NULL, NULL, "552 5.3.4 why" },
	{ FAULT_ALIAS, NULL, NULL, "550 5.2.4 why" },
	{ FAULT_NULL_MX, NULL, NULL, "556 5.1.10 why" },
	{ FAULT_UTF8_MISSING, NULL, NULL, "553 5.6.7 why" },
	{ FAULT_CONVERSION, NULL, NULL, "554 5.6.3 why" },
	{ FAULT_TOO_MANY_RECIPIENTS, NULL, NULL, "451 4.5.3 why" },
	/* the words of the next server about them */
	{ FAULT_RECIPIENT_UNKNOWN, "5.1.1", "550 5.1.1 no such user", "550 5.1.1 no such user" },
	{ FAULT_RECIPIENT_UNKNOWN, "5.1.1", "550 no such user", "550 5.0.0 no such user" },
	{ FAULT_RECIPIENT_UNKNOWN, "5.1.1", "550", "550 5.0.0 " },
	{ FAULT_GREYLISTED, "4.7.1", "450 4.7.1 later", "450 4.7.1 later" },
	{ FAULT_REFUSED, "5.0.0", "554 4.7.1 of another class", "554 5.7.1 of another class" },
	{ FAULT_REFUSED, "5.0.0", "554 5.7 short", "554 5.0.0 5.7 short" },
	{ FAULT_REFUSED, "5.0.0", "554 5.77777.1 long", "554 5.77777.1 long" },
	{ FAULT_REFUSED, "5.0.0", "554 5.777777777.1 x", "554 5.0.0 5.777777777.1 x" },
	{ FAULT_REFUSED, "5.0.0", "254 2.0.0 no refusal", "554 5.0.0 254 2.0.0 no refusal" },
	{ FAULT_REFUSED_FOR_NOW, "4.0.0", "421 4.3.2 bye", "451 4.0.0 421 4.3.2 bye" },
	{ FAULT_REFUSED, "5.0.0", "x", "554 5.0.0 x" },
};

static void fill(struct error *err, enum fault fault, const char *status, const char *words)
{
	error_set(err, fault, "%s", words ? words : "why");
	if (status)
		snprintf(err->status, sizeof(err->status), "%s", status);
	if (words) {
		err->reply = 550;
		error_mark_words(err, 0);
	}
}

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct delivery_reply reply = { .code = 0 };
		struct error err;

		fill(&err, errors[i].fault, errors[i].status, errors[i].words);
		delivery_reply_error(&reply, &err);
		if (strcmp(shown(&reply), errors[i].reply) != 0)
			fail_msg("%zu: %s instead of %s", i, shown(&reply), errors[i].reply);
	}
}

/* Whatever has failed, no client hears a yes, nor the end of its session. */
static void test_all_faults(void **state)
{
	(void)state;
	for (int fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
		struct delivery_reply reply = { .code = 0 };
		struct error err;

		error_set(&err, (enum fault)fault, "why");
		delivery_reply_error(&reply, &err);
		assert_in_range(reply.code, 450, 556);
		assert_int_equal(reply.status[0] - '0', reply.code / 100);
	}
}

static void test_text(void **state)
{
	struct delivery_reply reply;
	char text[2 * DELIVERY_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	delivery_say(&reply, 550, "5.7.1", "a\r\n\x1b\xc3\xa4%s", text);
	assert_int_equal(strlen(reply.text), DELIVERY_TEXT_MAX - 1);
	assert_memory_equal(reply.text, "a?????xx", 8);
}

/* --- results ---------------------------------------------------------------------- */

static const struct {
	const char *outcomes;	/* a: accepted, q: queued, d: deferred, r: refused */
	const char *reply_text;
	const char *all;	/* the one reply */
} results[] = {
	{ "a", "250 2.6.0 queued as 1", "250 2.6.0 queued as 1" },
	{ "a", "stored as 1", "250 2.0.0 stored as 1" },
	{ "a", NULL, "250 2.0.0 accepted" },
	{ "a", "554 5.0.0 of another", "250 2.0.0 accepted" },
	{ "q", "queued as 1", "250 2.0.0 queued as 1" },
	{ "aqr", "250 ok", "250 2.0.0 ok" },
	{ "rr", NULL, "550 5.1.1 nobody" },
	{ "d", NULL, "450 4.2.1 later" },
	/* nobody has it, and one may get it: the client tries again */
	{ "rdr", NULL, "450 4.2.1 later" },
};

static void test_results(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		struct arena *a = arena_new();
		struct delivery_reply reply;
		struct result r;
		struct error err;

		result_init(&r, a, strlen(results[i].outcomes));
		for (size_t k = 0; k < r.rcpt_count; k++) {
			const char c = results[i].outcomes[k];

			fill(&err, c == 'd' ? FAULT_GREYLISTED : FAULT_RECIPIENT_UNKNOWN, NULL,
			     c == 'd' ? "450 4.2.1 later" : "550 5.1.1 nobody");
			if (c == 'a' || c == 'q')
				r.rcpt[k].outcome = c == 'a' ? OUTCOME_ACCEPTED : OUTCOME_QUEUED;
			else
				result_set_error(&r, k, &err);
		}
		r.reply_text = results[i].reply_text;
		result_settle(&r);
		delivery_reply_all(&reply, &r);
		assert_string_equal(shown(&reply), results[i].all);
		for (size_t k = 0; k < r.rcpt_count; k++) {
			static const char classes[] = "aq--dr";
			const char c = results[i].outcomes[k];

			delivery_reply_one(&reply, &r, k);
			assert_int_equal(reply.code / 100, strchr("aq", c) ? 2 :
					 (int)(strchr(classes, c) - classes));
		}
		arena_free(a);
	}
}

static void test_settle(void **state)
{
	struct arena *a = arena_new();
	struct delivery_reply reply;
	struct result r;
	struct error err;

	(void)state;
	result_init(&r, a, 3);
	delivery_settle(&r, "stored as x", NULL);
	assert_int_equal(result_count(&r, OUTCOME_ACCEPTED), 3);
	delivery_reply_one(&reply, &r, 2);
	assert_string_equal(shown(&reply), "250 2.0.0 stored as x");
	result_init(&r, a, 3);
	error_set(&err, FAULT_DISK_FULL, "full");
	delivery_settle(&r, NULL, &err);
	assert_int_equal(result_count(&r, OUTCOME_DEFERRED), 3);
	delivery_reply_all(&reply, &r);
	assert_int_equal(reply.code, 452);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors), cmocka_unit_test(test_all_faults),
		cmocka_unit_test(test_text), cmocka_unit_test(test_results),
		cmocka_unit_test(test_settle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
