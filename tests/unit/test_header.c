#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "message/header.h"
#include "util/arena.h"

static void test_names(void **state)
{
	/* every id has a name that leads back to it, in any case of letters */
	for (int id = HEADER_OTHER + 1; id < HEADER_ID_COUNT; id++) {
		char name[64];
		size_t len = strlen(header_name((enum header_id)id));

		assert_true(len > 0 && len < sizeof(name));
		memcpy(name, header_name((enum header_id)id), len + 1);
		assert_int_equal(header_find_id(name, len), id);
		for (size_t i = 0; i < len; i++)
			name[i] = (char)toupper((unsigned char)name[i]);
		assert_int_equal(header_find_id(name, len), id);
		for (size_t i = 0; i < len; i++)
			name[i] = (char)tolower((unsigned char)name[i]);
		assert_int_equal(header_find_id(name, len), id);
		/* a piece of it, or more than it, is another field */
		name[len] = 's';
		assert_int_equal(header_find_id(name, len + 1), HEADER_OTHER);
		if (strcmp(name, "resent-tos") != 0)
			assert_int_not_equal(header_find_id(name, len - 1), id);
	}
	assert_string_equal(header_name(HEADER_OTHER), "");
	(void)state;
}

static void test_unknown_names(void **state)
{
	static const char *const names[] = {
		"", "T", "Too", "X-To", "Apparently-To", "Subject ", "Content", "Content-Length2",
		"\202cc", "\"cc", "Resent", "Resent-", "Resent-Subject", "bcc:", "B\003c",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(header_find_id(names[i], strlen(names[i])), HEADER_OTHER);
	assert_int_equal(header_find_id("To", 0), HEADER_OTHER);
	assert_int_equal(header_find_id("To: x", 2), HEADER_TO);
	assert_int_equal(header_find_id("Cc\0", 3), HEADER_OTHER);
	(void)state;
}

static void test_flags(void **state)
{
	for (int id = 0; id < HEADER_ID_COUNT; id++) {
		const char *name = header_name((enum header_id)id);
		unsigned flags = header_flags((enum header_id)id);
		bool bcc = strstr(name, "Bcc") != NULL, resent = strncmp(name, "Resent-", 7) == 0;
		const char *base = resent ? name + 7 : name;
		bool rcpt = strcmp(base, "To") == 0 || strcmp(base, "Cc") == 0 || bcc;

		assert_int_equal(!!(flags & HEADER_BLIND), bcc);
		assert_int_equal(!!(flags & HEADER_RESENT), resent);
		assert_int_equal(!!(flags & HEADER_RECIPIENT), rcpt);
		if (rcpt)
			assert_true(flags & HEADER_ADDRESS);
		if (resent)
			assert_false(flags & HEADER_SINGLE);
	}
	assert_int_equal(header_flags(HEADER_OTHER), 0);
	assert_int_equal(header_flags(HEADER_RETURN_PATH), HEADER_DROP);
	assert_int_equal(header_flags(HEADER_CONTENT_LENGTH), HEADER_DROP);
	assert_int_equal(header_flags(HEADER_FROM), HEADER_ADDRESS | HEADER_SINGLE);
	assert_int_equal(header_flags(HEADER_REPLY_TO), HEADER_ADDRESS | HEADER_SINGLE);
	assert_int_equal(header_flags(HEADER_SENDER), HEADER_ADDRESS | HEADER_SINGLE);
	assert_int_equal(header_flags(HEADER_DATE), HEADER_SINGLE);
	assert_int_equal(header_flags(HEADER_RECEIVED), 0);
	(void)state;
}

static void test_find(void **state)
{
	struct header_field fields[] = {
		{ .id = HEADER_OTHER }, { .id = HEADER_TO, .text = "first" },
		{ .id = HEADER_CC }, { .id = HEADER_TO, .text = "second" },
	};
	struct header h = { .field = fields, .n = ARRAY_LEN(fields) };

	assert_ptr_equal(header_find(&h, HEADER_TO), &fields[1]);
	assert_ptr_equal(header_find(&h, HEADER_CC), &fields[2]);
	assert_null(header_find(&h, HEADER_BCC));
	h.n = 1;
	assert_null(header_find(&h, HEADER_TO));
	h.n = 0;
	assert_null(header_find(&h, HEADER_OTHER));
	(void)state;
}

static void test_value(void **state)
{
	static const struct { const char *text; size_t value; const char *want; } cases[] = {
		{ "To: a@b\r\n", 3, "a@b" },
		{ "To:a@b\r\n", 3, "a@b" },
		{ "To:\r\n", 3, "" },
		{ "To: \t \r\n", 3, "" },
		{ "To : a@b \t\r\n", 4, "a@b" },
		{ "To: a,\r\n b,\r\n\tc\r\n", 3, "a, b,\tc" },
		{ "To:\r\n a\r\n", 3, "a" },
		{ "Subject: two  blanks\r\n", 8, "two  blanks" },
		{ "Subject: a\r\n \r\n b\r\n \r\n", 8, "a  b" },
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct header_field f = { .text = cases[i].text, .len = strlen(cases[i].text),
					  .value = cases[i].value };

		assert_string_equal(header_value(a, &f), cases[i].want);
	}
	arena_free(a);
	(void)state;
}

static void test_field_start(void **state)
{
	static const struct { const char *line; size_t name, value; } cases[] = {
		{ "To: a", 2, 3 }, { "To:a", 2, 3 }, { "To:", 2, 3 }, { "To : a", 2, 4 },
		{ "To \t : a", 2, 6 }, { "X-1!#~: v", 6, 7 }, { "a:b:c", 1, 2 },
		{ "", 0, 0 }, { ":", 0, 0 }, { ": a", 0, 0 }, { " To: a", 0, 0 },
		{ "\tTo: a", 0, 0 },
		{ "To", 0, 0 }, { "To ", 0, 0 }, { "Hello world", 0, 0 },
		{ "Hello world: x", 0, 0 },
		{ "To\001: a", 0, 0 }, { "T\177: a", 0, 0 }, { "T\303\266: a", 0, 0 },
		{ "From x Mon Jan 1 10:00:00", 0, 0 }, { "From : x", 4, 6 }, { ".", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t value = 99, len = strlen(cases[i].line);

		if (header_field_start(cases[i].line, len, &value) != cases[i].name)
			fail_msg("'%s'", cases[i].line);
		assert_int_equal(value, cases[i].name ? cases[i].value : 99);
	}
	/* the length counts, not what stands behind it */
	size_t value = 0;

	assert_int_equal(header_field_start("To: a", 2, &value), 0);
	assert_int_equal(header_field_start("To: a", 3, &value), 2);
	assert_int_equal(header_field_start("T\0o: a", 6, &value), 0);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_field_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
