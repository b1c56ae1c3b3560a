#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "conf/rcfile.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/* What the reader reports, one event a line: "3[heading]", "4 key=value". */
static struct strbuf events;
static struct strbuf seen;	/* the pairs of [rewrite] in the same form */
static const char *stop_at;	/* the key that the receiver refuses */

static int setup(void **state)
{
	(void)state;
	strbuf_init(&events, 1 << 24);
	strbuf_init(&seen, 1 << 24);
	stop_at = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strbuf_release(&events);
	strbuf_release(&seen);
	return 0;
}

static int note_section(void *ctx, char *heading, unsigned line, struct error *err)
{
	assert_string_equal(ctx, "context");
	if (strcmp(heading, "refuse") == 0)
		return error_set(err, FAULT_CONFIG, "refused");
	strbuf_addf(&events, "%u[%s]\n", line, heading);
	return 0;
}

static int note_setting(void *ctx, const char *key, char *value, unsigned line,
			struct error *err)
{
	assert_string_equal(ctx, "context");
	if (stop_at && strcmp(key, stop_at) == 0)
		return error_set(err, FAULT_CONFIG, "key '%s': refused", key);
	strbuf_addf(&events, "%u %s=", line, key);
	strbuf_addstr(&events, value);
	strbuf_addch(&events, '\n');
	return 0;
}

/* Lines of [rewrite] are pairs. */
static bool in_pairs(void *ctx)
{
	const char *last = strrchr(events.buf, '[');

	assert_string_equal(ctx, "context");
	return last && strcmp(last, "[rewrite]\n") == 0;
}

static int note_pair(void *ctx, const char *left, const char *right, unsigned line,
		     struct error *err)
{
	assert_string_equal(ctx, "context");
	if (strcmp(left, "refuse") == 0)
		return error_set(err, FAULT_CONFIG, "refused as it is");
	strbuf_addf(&seen, "%u %s=%s\n", line, left, right);
	return 0;
}

static int read_text(const char *text, size_t len, struct error *err)
{
	static char context[] = "context";
	const struct rcfile_handler h = {
		.section = note_section, .setting = note_setting, .ctx = context, .name = "rc",
		.has_pairs = in_pairs, .pair = note_pair,
	};
	/* exactly as long as it is, so that an octet too far is seen */
	char *copy = xmalloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	strbuf_reset(&events);
	strbuf_reset(&seen);
	int rc = ini_read(copy, len, &h, err);

	xfree(copy);
	return rc;
}

static void expect(const char *text, const char *wanted)
{
	struct error err = { .exit = 0 };

	if (read_text(text, strlen(text), &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	assert_string_equal(events.buf, wanted);
	assert_int_equal(err.exit, 0);
}

static void expect_error(const char *text, size_t len, const char *wanted)
{
	struct error err = { .exit = 0 };

	if (read_text(text, len, &err) == 0)
		fail_msg("'%s' was taken", text);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_string_equal(err.text, wanted);
}

/* --- what is read -------------------------------------------------------------------- */

static const char *const readable[][2] = {
	{ "", "" }, { "\n\n", "" }, { "# x\n; y\n  # z\n\t; w", "" },
	{ "[a]\nk=v\n", "1[a]\n2 k=v\n" }, { "[a]\nk=v", "1[a]\n2 k=v\n" },
	{ "[a]\r\nk = v\r\n", "1[a]\n2 k=v\n" }, { "[a]\r\nk = v\r", "1[a]\n2 k=v\n" },
	{ "\xef\xbb\xbf[a]\nk=v\n", "1[a]\n2 k=v\n" }, { "\xef\xbb\xbf", "" },
	{ "\xef\xbb\xbfk=v", "1 k=v\n" },
	{ "\n\n[ account  work ]\n\n  k \t=\t v w \n", "3[account  work]\n5 k=v w\n" },
	{ "[a]  # c\n[b] ; c\n[c]\t;\n", "1[a]\n2[b]\n3[c]\n" },
	{ "[account a : b, c]\n", "1[account a : b, c]\n" },
	{ "[a;b]\n[a ;b]\n[a#b]\n", "1[a;b]\n2[a ;b]\n3[a#b]\n" },
	{ "[]\n", "1[]\n" }, { "[[a]\n", "1[[a]\n" },
	/* what libinih alone would cut, join or drop */
	{ "k=a ; b\nk=a ;b\nk=;a\nk= ; a\n", "1 k=a ; b\n2 k=a ;b\n3 k=;a\n4 k=; a\n" },
	{ "k=a # b\nk=#a\n", "1 k=a # b\n2 k=#a\n" },
	{ "k=a:b=c\n", "1 k=a:b=c\n" }, { "k==\nk=a=\n", "1 k==\n2 k=a=\n" },
	{ "k=1\n  more=2\n", "1 k=1\n2 more=2\n" },
	{ "k=\nk=\"\"\nk= \t \n", "1 k=\n2 k=\"\"\n3 k=\n" },
	{ "k=[a]\n", "1 k=[a]\n" }, { "k=]\n", "1 k=]\n" }, { "a-b_c.d9=1", "1 a-b_c.d9=1\n" },
	{ "K=v\nk=V\n", "1 K=v\n2 k=V\n" }, { "k=a\\\nj=b\n", "1 k=a\\\n2 j=b\n" },
	{ "k=\f v \v\n", "1 k=v\n" }, { "k=a\rb\n", "1 k=a\rb\n" },
	{ "k=v\n[s]\n", "1 k=v\n2[s]\n" },
};

/* PEM behind "@inline", and only there. */
#define BLOCK(text) "-----BEGIN X-----\n" text "-----END X-----\n"

static const char *const blocks[][2] = {
	{ "k=@inline\n" BLOCK("MAA=\n") "j=v\n", "1 k=" BLOCK("MAA=\n") "\n5 j=v\n" },
	{ "[a]\nk = @inline\r\n\n  -----BEGIN X-----\r\n\tMA\r\n A= \r\n-----END X-----",
	  "1[a]\n2 k=" BLOCK("MA\nA=\n") "\n" },
	{ "k=@inline\n" BLOCK("a=b\n\n#c\n") "\n" BLOCK("d\n") "# -----BEGIN\n[b]\n",
	  "1 k=" BLOCK("a=b\n\n#c\n") "\n" BLOCK("d\n") "\n12[b]\n" },
	{ "k=\"@inline\"\nk=@inlined\nk= @inline x\n",
	  "1 k=\"@inline\"\n2 k=@inlined\n3 k=@inline x\n" },
};

static void blocks_are_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		expect(blocks[i][0], blocks[i][1]);
}

static void lines_become_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(readable); i++)
		expect(readable[i][0], readable[i][1]);
}

static const struct {
	const char *text, *error;
} unreadable[] = {
	{ "[a", "rc:1: ']' is missing" }, { "\n[a\nk=v\n", "rc:2: ']' is missing" },
	{ "[a] b", "rc:1: text behind ']'" }, { "[a]b]", "rc:1: text behind ']'" },
	{ "k", "rc:1: the line is neither '[section]' nor 'key = value'" },
	{ "host mail", "rc:1: the line is neither '[section]' nor 'key = value'" },
	{ "host: mail", "rc:1: the line is neither '[section]' nor 'key = value'" },
	{ "= v", "rc:1: the line is neither '[section]' nor 'key = value'" },
	{ "a b = v", "rc:1: the line is neither '[section]' nor 'key = value'" },
	{ "\"k\" = v", "rc:1: the line is neither '[section]' nor 'key = value'" },
	{ "\xe4=v", "rc:1: the line is neither '[section]' nor 'key = value'" },
	{ "a=b\n\xef\xbb\xbf[x]\n", "rc:2: the line is neither '[section]' nor 'key = value' "
	  "(line 1 makes this the ini form)" },
	{ "a=b\nx\ny\n", "rc:2: the line is neither '[section]' nor 'key = value' "
	  "(line 1 makes this the ini form)" },
	{ "a=b\n[refuse]\nx\n", "rc:2: refused" },
	{ "k=@inline", "rc:1: '@inline' wants PEM in the next line" },
	{ "k=@inline\nj=v\n-----BEGIN X-----\n", "rc:1: '@inline' wants PEM in the next line" },
	{ "k=@inline\n-----BEGIN X-----\nMAA=\n",
	  "rc:3: '-----END' is missing behind '@inline'" },
	{ "k=@inline\n-----BEGIN X-----\n[b]\n-----END X-----\n",
	  "rc:3: '-----END' is missing behind '@inline'" },
};

static void other_lines_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unreadable); i++)
		expect_error(unreadable[i].text, strlen(unreadable[i].text), unreadable[i].error);
}

static void nul_is_refused_anywhere(void **state)
{
	(void)state;
	expect_error("\0", 1, "rc:1: the line holds a NUL octet");
	expect_error("[a]\nk=v\0w\n", 10, "rc:2: the line holds a NUL octet");
	expect_error("#\0\n", 3, "rc:1: the line holds a NUL octet");
	expect_error("[a]\nk=v\0", 8, "rc:2: the line holds a NUL octet");
	expect_error("k=@inline\n-----BEGIN X\n\0\n", 25, "rc:3: the line holds a NUL octet");
}

static void first_error_ends_the_reading(void **state)
{
	static const char text[] = "[a]\nx=1\nbad=2\ny=3\nk\n";

	(void)state;
	stop_at = "bad";
	expect_error(text, strlen(text), "rc:3: key 'bad': refused");
	assert_string_equal(events.buf, "1[a]\n2 x=1\n");
}

/* --- limits -------------------------------------------------------------------------------- */

/* prefix, n times c, suffix */
static const char *text_of(const char *prefix, size_t n, char c, const char *suffix)
{
	static char text[110000];
	size_t before = strlen(prefix);

	assert_true(before + n + strlen(suffix) < sizeof(text));
	memcpy(text, prefix, before);
	memset(text + before, c, n);
	snprintf(text + before + n, sizeof(text) - before - n, "%s", suffix);
	return text;
}

static void long_values_come_whole(void **state)
{
	static const size_t sizes[] = { 190, 195, 196, 197, 198, 199, 200, 201, 400, 4096, 65535,
					65536 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *wanted = xstrdup(text_of("1 k=", sizes[i], 'v', "\n2 j=1\n"));

		expect(text_of("k = ", sizes[i], 'v', "\nj=1\n"), wanted);
		xfree(wanted);
	}
	expect_error(text_of("j=1\nk=", 65537, 'v', "\n"), 6 + 65537 + 1,
		     "rc:2: the value is longer than 65536 octets");
	/* comments and blanks around a value may be longer */
	expect(text_of("#", 100000, 'v', "\nj=1\n"), "2 j=1\n");
	expect(text_of("", 100000, ' ', "j=1\n"), "1 j=1\n");
}

static void long_keys_are_refused(void **state)
{
	(void)state;
	char *wanted = xstrdup(text_of("1 ", 49, 'k', "=v\n"));

	expect(text_of("", 49, 'k', "=v\n"), wanted);
	xfree(wanted);
	expect_error(text_of("", 50, 'k', "=v\n"), 53, "rc:1: the key is too long to be one");
	expect_error(text_of("", 300, 'k', "=v\n"), 303, "rc:1: the key is too long to be one");
}

static void long_sections_come_whole(void **state)
{
	static const size_t sizes[] = { 48, 49, 50, 51, 199, 200, 201, 5000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *wanted = xstrdup(text_of("1[", sizes[i], 's', "]\n2 k=v\n"));

		expect(text_of("[", sizes[i], 's', "]\nk=v\n"), wanted);
		xfree(wanted);
	}
}

static void every_octet_of_a_value_survives(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char text[16], wanted[16];

		if (c == '\n')
			continue;
		snprintf(text, sizeof(text), "k=a%cb\nj=1\n", c);
		snprintf(wanted, sizeof(wanted), "1 k=a%cb\n2 j=1\n", c);
		expect(text, wanted);
	}
}

static void line_numbers_hold_over_any_mix(void **state)
{
	struct strbuf text = STRBUF_INIT(1 << 20), wanted = STRBUF_INIT(1 << 20);

	(void)state;
	for (unsigned i = 1; i <= 500; i++) {
		static const char *const ends[] = { "\n", "\r\n", " \n" };
		const char *end = ends[i % 3];

		if (i % 5 == 0) {
			strbuf_addf(&text, "# comment%s", end);
		} else if (i % 7 == 0) {
			strbuf_addf(&text, "[s%u]%s", i, end);
			strbuf_addf(&wanted, "%u[s%u]\n", i, i);
		} else if (i % 11 == 0) {
			strbuf_addstr(&text, end);
		} else {
			strbuf_addf(&text, "k%u=%*d%s", i, (int)i, 7, end);
			strbuf_addf(&wanted, "%u k%u=7\n", i, i);
		}
	}
	expect(text.buf, wanted.buf);
	strbuf_release(&text);
	strbuf_release(&wanted);
}

/* Any prefix of a file is read or refused, and never read further than it goes. */
static void every_cut_is_safe(void **state)
{
	static const char text[] = "\xef\xbb\xbf# c\r\n[account a : b] ; x\nkey = \"v\\\"\"\r\n"
				   "\n; d\n[defaults]\nk=v ; w\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		struct error err = { .exit = 0 };

		if (read_text(text, n, &err) < 0)
			assert_int_equal(strncmp(err.text, "rc:", 3), 0);
		else
			assert_int_equal(err.exit, 0);
	}
}

/* --- telling the forms apart -------------------------------------------------------------- */

static const struct {
	const char *text;
	bool ini;
} forms[] = {
	{ "", true }, { "\n \n", true }, { "# only\n", true }, { "[account a]", true },
	{ "  [account a]", true }, { "# c\n\n\t# d\n[x]", true }, { "; c\naccount a", true },
	{ "host = x", true }, { "host=x", true }, { "host\t=x", true },
	{ "\xef\xbb\xbf[a]", true }, { "\r\n[a]", true }, { "#\r\n\r\n[a]\r\n", true },
	{ "account a", false }, { "defaults", false }, { "defaults\n", false },
	{ "host x", false }, { "host x = y", false }, { "# [a]\naccount default\n[x]", false },
	{ "\xef\xbb\xbf" "account a", false }, { "  tls on", false }, { "eval echo = x", false },
	{ "\n\naccount a : b\n", false }, { "password [x", false }, { "a", false },
	{ "#\n#", true }, { "#x", true }, { " ", true }, { "\t\r\n#\nport 25", false },
};

static void forms_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		size_t n = strlen(forms[i].text);
		char *copy = xmalloc(n ? n : 1);

		memcpy(copy, forms[i].text, n);
		if (ini_detect(copy, n) != forms[i].ini)
			fail_msg("'%s' is told wrongly", forms[i].text);
		xfree(copy);
	}
}

/* --- quotes ---------------------------------------------------------------------------------- */

static const char *const quoted[][2] = {
	{ "", "" }, { "plain", "plain" }, { "a\"b", "a\"b" }, { "'a'", "'a'" }, { "a\\n", "a\\n" },
	{ "\"\"", "" }, { "\" a \"", " a " }, { "\"a\\\"b\"", "a\"b" }, { "\"\\\\\"", "\\" },
	{ "\"\\\\\\\"\"", "\\\"" }, { "\"a ; b # c\"", "a ; b # c" },
	{ "\"\\a\\b\\e\\f\\n\\r\\t\\v\"", "\a\b\033\f\n\r\t\v" }, { "\"\\'\\?\"", "'?" },
	{ "\"\\x41\\x4a\\x4A\"", "AJJ" }, { "\"\\xfF\"", "\xff" }, { "\"\\x9z\"", "\tz" },
	{ "\"\\101\\1012\\7\"", "AA2\a" }, { "\"\\377\"", "\377" }, { "\"\\18\"", "\0018" },
	{ "\"\xe4\"", "\xe4" }, { "\"$HOME\"", "$HOME" },
};

static void quotes_are_taken_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(quoted); i++) {
		struct error err;
		char *value = xstrdup(quoted[i][0]);

		assert_int_equal(ini_unquote(value, &err), 0);
		assert_string_equal(value, quoted[i][1]);
		xfree(value);
	}
}

static const char *const misquoted[][2] = {
	{ "\"", "no closing quote" }, { "\"abc", "no closing quote" },
	{ "\"abc\\\"", "no closing quote" }, { "\"a\" b", "text behind the closing quote" },
	{ "\"a\"b\"", "text behind" }, { "\"a\" ", "text behind" }, { "\"\\q\"", "unknown escape" },
	{ "\"\\0\"", "unknown escape" }, { "\"\\x\"", "unknown escape" },
	{ "\"\\x00\"", "unknown escape" }, { "\"\\400\"", "unknown escape" },
	{ "\"\\xg\"", "unknown escape" }, { "\"\\9\"", "unknown escape" },
	{ "\"\\", "unknown escape" }, { "\"\\000\"", "unknown escape" },
};

static void wrong_quotes_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(misquoted); i++) {
		struct error err = { .exit = 0 };
		char *value = xstrdup(misquoted[i][0]);

		if (ini_unquote(value, &err) == 0)
			fail_msg("%s was taken", misquoted[i][0]);
		assert_int_equal(err.exit, EX_CONFIG);
		assert_non_null(strstr(err.text, misquoted[i][1]));
		xfree(value);
	}
}

static void every_octet_can_be_escaped(void **state)
{
	(void)state;
	for (int f = 0; f < 3; f++) {
		for (unsigned c = 1; c < 256; c++) {
			struct error err;
			char value[16];
			const char wanted[] = { 'a', (char)c, 'b', '\0' };

			if (f == 0)
				snprintf(value, sizeof(value), "\"a\\x%02xx\"", c);
			else if (f == 1)
				snprintf(value, sizeof(value), "\"a\\%03ox\"", c);
			else
				snprintf(value, sizeof(value), "\"a\\x%02Xx\"", c);
			assert_int_equal(ini_unquote(value, &err), 0);
			assert_memory_equal(value, wanted, 2);
			assert_string_equal(value + 2, "x");
		}
	}
}

/* In a section of pairs the left side may be anything. */
static void pairs_are_split(void **state)
{
	static const char *const cases[][2] = {
		{ "root = a@b", "2 root=a@b\n" }, { "root=a@b\n", "2 root=a@b\n" },
		{ "* = a@b\n@x.y = @z\n", "2 *=a@b\n3 @x.y=@z\n" },
		{ "a=b@c = d=e@f\n", "2 a=b@c=d=e@f\n" }, { "a=b@c\n", "2 a=b@c\n" },
		{ "\"a = b\"@c = d@e\n", "2 \"a = b\"@c=d@e\n" },
		{ "\"a\\\" = b\"@c=d@e\n", "2 \"a\\\" = b\"@c=d@e\n" },
		{ "a = \"N\" <b@c>\n", "2 a=\"N\" <b@c>\n" }, { "a =\n", "2 a=\n" },
		{ " a@b\t=\tc@d \n# x\n", "2 a@b=c@d\n" }, { "a = b # c ; d\n", "2 a=b # c ; d\n" },
		{ "a = b\n[s]\nk = v\n", "2 a=b\n" },
		{ "this_left_side_is_longer_than_what_libinih_keeps_of_a_key@example.org = a@b\n",
		  "2 this_left_side_is_longer_than_what_libinih_keeps_of_a_key@example.org=a@b\n" },
	};
	static const char wrong[] = "rc:2: the line is neither '[section]' nor 'left = right'";
	char text[300];
	struct error err = { .exit = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), "[rewrite]\n%s", cases[i][0]);
		if (read_text(text, strlen(text), &err) < 0)
			fail_msg("'%s': %s", text, err.text);
		assert_string_equal(seen.buf, cases[i][1]);
	}
	expect_error("[rewrite]\nroot a@b\n", 20, wrong);
	expect_error("[rewrite]\n = a@b\n", 18, wrong);
	expect_error("[rewrite]\n\"a = b\n", 18, wrong);
	expect_error("[rewrite]\nrefuse = b\n", 21, "refused as it is");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_become_events, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks_are_values, setup, teardown),
		cmocka_unit_test_setup_teardown(other_lines_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(nul_is_refused_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(first_error_ends_the_reading, setup, teardown),
		cmocka_unit_test_setup_teardown(long_values_come_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(long_keys_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(long_sections_come_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(every_octet_of_a_value_survives, setup, teardown),
		cmocka_unit_test_setup_teardown(line_numbers_hold_over_any_mix, setup, teardown),
		cmocka_unit_test_setup_teardown(every_cut_is_safe, setup, teardown),
		cmocka_unit_test_setup_teardown(pairs_are_split, setup, teardown),
		cmocka_unit_test(forms_are_told_apart),
		cmocka_unit_test(quotes_are_taken_off),
		cmocka_unit_test(wrong_quotes_are_refused),
		cmocka_unit_test(every_octet_can_be_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
