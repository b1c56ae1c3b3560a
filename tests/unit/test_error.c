#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util/error.h"
#include "util/text.h"

#define ROOM sizeof(((struct error *)0)->text)

static void test_set(void **state)
{
	struct error err = { .reply = 550, .text = "old" };

	assert_int_equal(error_set(&err, FAULT_ADDRESS_SYNTAX,
				   "address '%s': %s %d", "a", "why", 7),
			 -1);
	assert_int_equal(err.fault, FAULT_ADDRESS_SYNTAX);
	assert_int_equal(err.exit, EX_DATAERR);
	assert_int_equal(err.reply, 0);
	assert_string_equal(err.status, "5.1.3");
	assert_string_equal(err.text, "address 'a': why 7");
	(void)state;
}

static void test_escaped(void **state)
{
	struct error err;

	error_set(&err, FAULT_MESSAGE, "a\r\nb\033[1m \303\266 \377 %s", "c\nd\177");
	assert_string_equal(err.text, "a\\x0D\\x0Ab\\x1B[1m \303\266 \\xFF c\\x0Ad\\x7F");
	/* what is escaped already stays as it is */
	error_prefix(&err, "x\ny");
	assert_string_equal(err.text, "x\\x0Ay: a\\x0D\\x0Ab\\x1B[1m \303\266 \\xFF c\\x0Ad\\x7F");
	error_append(&err, " z\tz");
	assert_string_equal(err.text, "x\\x0Ay: a\\x0D\\x0Ab\\x1B[1m \303\266 \\xFF c\\x0Ad\\x7F "
			    "z\\x09z");
	(void)state;
}

static void test_errno(void **state)
{
	static const int codes[] = { ENOENT, EACCES, ENOSPC, ECONNREFUSED };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct error err;
		char want[200] = "cannot open 'x': ";

		memcpy(want + strlen(want), strerror(codes[i]), strlen(strerror(codes[i])) + 1);
		errno = codes[i];
		assert_int_equal(error_errno(&err, FAULT_IO, "cannot open '%s'", "x"), -1);
		assert_int_equal(errno, codes[i]);
		assert_int_equal(err.exit, EX_IOERR);
		assert_string_equal(err.text, want);
	}
	(void)state;
}

static void test_prefix_and_append(void **state)
{
	struct error err;

	error_set(&err, FAULT_CERTIFICATE_DANE, "certificate has expired");
	err.reply = 454;
	assert_int_equal(error_prefix(&err, "%s:%d", "mail.example.org", 587), -1);
	assert_int_equal(error_prefix(&err, "account '%s'", "work"), -1);
	assert_string_equal(err.text,
			    "account 'work': mail.example.org:587: certificate has expired");
	assert_int_equal(error_append(&err, " (%d days ago)", 3), -1);
	assert_string_equal(err.text, "account 'work': mail.example.org:587: certificate has "
			    "expired (3 days ago)");
	/* they change nothing else */
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_int_equal(err.reply, 454);
	assert_string_equal(err.status, "4.7.5");
	(void)state;
}

/* Sizes n-1, n, n+1 and far beyond: always one line that ends, "..." only when cut. */
static void test_cut(void **state)
{
	static const size_t sizes[] = { ROOM - 2, ROOM - 1, ROOM, ROOM + 1, 2 * ROOM - 1, 2 * ROOM,
					2 * ROOM + 1, 20 * ROOM };
	static char text[20 * ROOM + 1];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct error err;

		memset(text, 'x', sizes[i]);
		text[sizes[i]] = '\0';
		error_set(&err, FAULT_SYSTEM, "%s", text);
		size_t len = strlen(err.text);
		bool cut = sizes[i] >= ROOM;

		assert_int_equal(len, cut ? ROOM - 1 : sizes[i]);
		assert_string_equal(err.text + len - 3, cut ? "..." : "xxx");
		error_prefix(&err, "%s", text);
		assert_int_equal(strlen(err.text), ROOM - 1);
		assert_string_equal(err.text + ROOM - 4, "...");
		error_append(&err, "%s", text);
		assert_int_equal(strlen(err.text), ROOM - 1);
		assert_string_equal(err.text + ROOM - 4, "...");
	}
	(void)state;
}

/* Characters of several octets, and escapes, at every place where the text is cut. */
static void test_cut_characters(void **state)
{
	static const char *const unit[] = {
		"\303\266", "\342\202\254", "\360\237\230\200", "\001",
	};

	for (size_t k = 0; k < ARRAY_LEN(unit); k++) {
		for (size_t shift = 0; shift < 8; shift++) {
			struct error err;
			char text[2 * ROOM];
			size_t at = shift, n = strlen(unit[k]);

			memset(text, 'x', sizeof(text));
			for (; at + n < sizeof(text); at += n)
				memcpy(text + at, unit[k], n);
			text[at] = '\0';
			error_set(&err, FAULT_SYSTEM, "%s", text);
			size_t len = strlen(err.text);

			assert_true(len < ROOM);
			assert_string_equal(err.text + len - 3, "...");
			assert_false(text_has_control(err.text, len));
			assert_true(text_is_utf8(err.text, len));
			if (k < 3)
				assert_null(strchr(err.text, '\\'));
		}
	}
	(void)state;
}

static void test_long_status(void **state)
{
	struct error err;

	error_set_status(&err, FAULT_SYSTEM, "5.1234.567890", "x");
	assert_int_equal(strlen(err.status), sizeof(err.status) - 1);
	(void)state;
}

static void test_recast(void **state)
{
	struct error err;

	error_set_status(&err, FAULT_ADDRESS_SYNTAX, "5.1.9", "x");
	error_recast(&err, FAULT_CONFIG);
	assert_int_equal(err.fault, FAULT_CONFIG);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_string_equal(err.status, "5.1.9");
	/* the more exact one stays */
	error_set(&err, FAULT_SECRET_MODE, "x");
	error_recast(&err, FAULT_CONFIG);
	assert_int_equal(err.fault, FAULT_SECRET_MODE);
	(void)state;
}

static void test_turn(void **state)
{
	struct error err;

	error_set(&err, FAULT_TIMEOUT, "timeout");
	assert_int_equal(error_turn(&err, FAULT_DNS), -1);
	assert_int_equal(err.fault, FAULT_DNS);
	assert_string_equal(err.status, "4.4.3");
	assert_string_equal(err.text, "timeout");
	/* the text does not name a host because of that */
	assert_false(err.named);
	error_set(&err, FAULT_DNS, "cannot look up 'x'");
	assert_true(err.named);
	(void)state;
}

static void test_also(void **state)
{
	struct error err;

	error_set(&err, FAULT_CERTIFICATE_NAME, "x");
	assert_true(error_is(&err, FAULT_CERTIFICATE_NAME));
	assert_false(error_is(&err, FAULT_CERTIFICATE_EXPIRED));
	error_also(&err, FAULT_CERTIFICATE_NAME);
	assert_int_equal(err.also[0], FAULT_NONE);
	error_also(&err, FAULT_CERTIFICATE_EXPIRED);
	error_also(&err, FAULT_CERTIFICATE_EXPIRED);
	assert_int_equal(err.also[0], FAULT_CERTIFICATE_EXPIRED);
	assert_int_equal(err.also[1], FAULT_NONE);
	assert_true(error_is(&err, FAULT_CERTIFICATE_EXPIRED));
	/* more than fit are left out */
	for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++)
		error_also(&err, (enum fault)i);
	assert_int_not_equal(err.also[ERROR_ALSO_MAX - 1], FAULT_NONE);
	assert_false(error_is(&err, (enum fault)(FAULT_COUNT - 1)));
	/* what was beside another error is forgotten */
	error_set(&err, FAULT_BUG, "x");
	assert_false(error_is(&err, FAULT_CERTIFICATE_EXPIRED));
	(void)state;
}

/* A file that cannot be had: why says errno; other faults stay. */
static void test_files(void **state)
{
	static const struct { int code; enum fault given, wanted; } cases[] = {
		{ ENOENT, FAULT_FILE, FAULT_FILE_MISSING },
		{ EACCES, FAULT_FILE, FAULT_FILE_DENIED },
		{ EIO, FAULT_FILE, FAULT_FILE }, { ENOENT, FAULT_IO, FAULT_IO },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err;

		errno = cases[i].code;
		error_errno(&err, cases[i].given, "x");
		assert_int_equal(err.fault, cases[i].wanted);
	}
	(void)state;
}

/* What is temporary is never given up, whatever its fault says. */
static void test_next(void **state)
{
	static const struct { enum fault fault; const char *status; enum phase phase;
			       enum next next; } cases[] = {
		{ FAULT_CONNECTION_LOST, "4.4.2", PHASE_OPENING, NEXT_ADDRESS },
		{ FAULT_CONNECTION_LOST, "4.4.2", PHASE_ENVELOPE, NEXT_SLOWLY },
		{ FAULT_CONNECTION_LOST, "4.4.2", PHASE_CONTENT, NEXT_SERVER },
		{ FAULT_CONNECTION_LOST, "4.4.2", PHASE_SENT, NEXT_LATER },
		{ FAULT_SERVER_CLOSES, "4.3.2", PHASE_SENT, NEXT_LATER },
		{ FAULT_CONNECT_REFUSED, "4.4.1", PHASE_OPENING, NEXT_ADDRESS },
		{ FAULT_NO_HOST, "5.1.2", PHASE_OPENING, NEXT_SERVER },
		{ FAULT_NO_STARTTLS, "5.7.10", PHASE_OPENING, NEXT_SERVER },
		{ FAULT_REFUSED_FOR_NOW, "4.0.0", PHASE_SENT, NEXT_SERVER },
		{ FAULT_GREYLISTED, "4.7.1", PHASE_ENVELOPE, NEXT_LATER },
		{ FAULT_RELAY_DENIED, "5.7.1", PHASE_ENVELOPE, NEXT_NEVER },
		{ FAULT_RELAY_DENIED, "4.7.1", PHASE_ENVELOPE, NEXT_LATER },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct error err;

		error_set_status(&err, cases[i].fault, cases[i].status, "x");
		assert_int_equal(error_next(&err, cases[i].phase), cases[i].next);
	}
	(void)state;
}

/* Every fault has a row, and a name, exit code and status that go together. */
static void test_faults(void **state)
{
	for (int i = FAULT_NONE + 1; i < FAULT_COUNT; i++) {
		const enum fault f = (enum fault)i;
		const char *name = fault_name(f), *status = fault_status(f);

		assert_non_null(name);
		assert_true(*name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")]);
		assert_in_range(fault_exit(f), EX__BASE, EX__MAX);
		assert_true((status[0] == '4' || status[0] == '5') && status[1] == '.');
		/* what is temporary by its exit code never ends all tries */
		if (fault_exit(f) == EX_TEMPFAIL)
			assert_true(status[0] == '4' && fault_next(f, PHASE_OPENING) != NEXT_NEVER);
		for (int k = FAULT_NONE + 1; k < i; k++)
			assert_string_not_equal(name, fault_name((enum fault)k));
	}
	assert_string_equal(fault_name(FAULT_NONE), "");
	assert_int_equal(fault_exit(FAULT_NONE), 0);
	(void)state;
}

static void test_temporary(void **state)
{
	struct error err;

	error_set(&err, FAULT_CONNECTION_LOST, "x");
	assert_true(error_is_temporary(&err));
	error_set(&err, FAULT_REFUSED, "x");
	assert_false(error_is_temporary(&err));
	error_set_status(&err, FAULT_REFUSED, "", "x");
	assert_false(error_is_temporary(&err));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_escaped),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_prefix_and_append),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_characters),
		cmocka_unit_test(test_long_status),
		cmocka_unit_test(test_recast),
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_also),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_temporary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
