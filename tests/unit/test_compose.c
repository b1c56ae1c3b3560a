#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message/message.h"
#include "message/spool.h"
#include "mime/compose.h"
#include "util/arena.h"
#include "util/error.h"

/* Boundaries that can be foreseen: the first, the second, the third. */
static const char *const tokens[] = { "000000000000000000000000", "111111111111111111111111",
				      "222222222222222222222222" };
static size_t next_token;
static char folder[] = "/tmp/msubmit-compose-XXXXXX";

static const char *token(struct arena *a)
{
	(void)a;
	return tokens[next_token++ % ARRAY_LEN(tokens)];
}

static int setup(void **state)
{
	*state = arena_new();
	next_token = 0;
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

static int setup_group(void **state)
{
	(void)state;
	setenv("LC_ALL", "C", 1);
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown_group(void **state)
{
	static const char *const names[] = { "a.txt", "b.bin", "m.eml", "c.ics" };
	char path[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

static const char *write_file(struct arena *a, const char *name, const char *data, size_t n)
{
	const char *path = arena_printf(a, "%s/%s", folder, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	fclose(f);
	return path;
}

/* Header and body of what comes of the parts, as one text. */
static const char *make(struct arena *a, struct part_spec *part, size_t n, bool eight,
			struct error *err)
{
	const struct compose_request req = { .compose = true, .part = part, .part_n = n,
					     .no_body = part[0].role != PART_TEXT };
	const struct compose_options opt = { .width = 78, .token = token, .prefer_8bit = eight };
	struct message *m = NULL;

	if (compose_check(&req, err) < 0 || compose_message(&req, &opt, &m, err) < 0)
		return NULL;
	char *text = arena_strdup(a, "");

	for (size_t i = 0; i < m->header.n; i++)
		text = arena_printf(a, "%s%s", text, m->header.field[i].text);
	size_t len = strlen(text), size = (size_t)(m->body_end - m->body_start);
	char *all = arena_alloc(a, len + 2 + size + 1);

	memcpy(all, text, len);
	memcpy(all + len, "\r\n", 2);
	for (size_t at = 0; at < size;) {
		ssize_t got = spool_read(m->spool, m->body_start + at, all + len + 2 + at,
					 size - at, err);

		assert_true(got > 0);
		at += (size_t)got;
	}
	message_free(m);
	return all;
}

static const char *good(struct arena *a, struct part_spec *part, size_t n, bool eight)
{
	struct error err = { .exit = 0 };
	const char *text = make(a, part, n, eight, &err);

	if (!text)
		fail_msg("%s", err.text);
	return text;
}

#define MIME "MIME-Version: 1.0\r\n"
#define ASCII MIME "Content-Type: text/plain; charset=us-ascii\r\n"
#define UTF8 MIME "Content-Type: text/plain; charset=utf-8\r\n"

static void test_text(void **state)
{
	static const struct { const char *text; bool eight; const char *want; } cases[] = {
		{ "abc\n", false, ASCII "Content-Transfer-Encoding: 7bit\r\n\r\nabc\r\n" },
		{ "", false, ASCII "Content-Transfer-Encoding: 7bit\r\n\r\n" },
		{ "a\rb\r\r\nc", false,
		  ASCII "Content-Transfer-Encoding: 7bit\r\n\r\na\r\nb\r\nc" },
		{ "many words and a gr\xc3\xbcn\n", false, UTF8
		  "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		  "many words and a gr=C3=BCn\r\n" },
		{ "\xc3\xbc\n", false, UTF8 "Content-Transfer-Encoding: base64\r\n\r\nw7wNCg==" },
		{ "\xc3\xbc\n", true, UTF8 "Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n" },
		{ "\xfc and enough letters\n", false,
		  MIME "Content-Type: text/plain; charset=unknown-8bit\r\n"
		  "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		  "=FC and enough letters\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct part_spec part = { .role = PART_TEXT, .text = cases[i].text };

		assert_string_equal(good(*state, &part, 1, cases[i].eight), cases[i].want);
	}
}

/* The delimiter occurs in a text that would go as it is: it is encoded. */
static void test_boundary_in_text(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		const char *line = arena_printf(*state, "a text\n--=_%s\nmore of it\n", tokens[i]);
		struct part_spec part[] = {
			{ .role = PART_TEXT, .text = line },
			{ .role = PART_ATTACHMENT, .type = "text/plain",
			  .path = write_file(*state, "a.txt", line, strlen(line)) },
		};
		const char *text = good(*state, part, 2, false);
		size_t delimiters = 0;

		for (const char *p = text; (p = strstr(p, "--=_")); p++)
			delimiters++;
		/* of the multipart: two parts and the end */
		assert_int_equal(delimiters, 3);
		assert_null(strstr(text, "7bit"));
		next_token = 0;
	}
}

/* A message may not be encoded: it is refused then, to be tried again with other tokens. */
static void test_boundary_in_message(void **state)
{
	const char *line = arena_printf(*state, "From: a@b\n\n--=_%s\n", tokens[0]);
	struct part_spec part = { .role = PART_MESSAGE,
				  .path = write_file(*state, "m.eml", line, strlen(line)) };
	struct error err = { .exit = 0 };

	assert_null(make(*state, &part, 1, false, &err));
	assert_int_equal(err.exit, EX_TEMPFAIL);
	next_token = 0;
	line = "From a@b Mon\nFrom: a@b\n\nFrom here\n";
	part.path = write_file(*state, "m.eml", line, strlen(line));
	assert_string_equal(good(*state, &part, 1, false),
			    MIME "Content-Type: multipart/mixed;\r\n"
			    " boundary=\"=_000000000000000000000000\"\r\n\r\n"
			    "--=_000000000000000000000000\r\nContent-Type: message/rfc822\r\n"
			    "Content-Transfer-Encoding: 7bit\r\n"
			    "Content-Disposition: attachment; filename=m.eml\r\n\r\n"
			    "From: a@b\r\n\r\nFrom here\r\n\r\n"
			    "--=_000000000000000000000000--\r\n");
}

static void test_encodings(void **state)
{
	static const struct {
		const char *data;
		size_t n;
		const char *type;
		enum part_encoding encoding;
		const char *says;	/* of an error */
		const char *has;
	} cases[] = {
		{ "abc\n", 4, "text/x-a", PART_AUTO, NULL, "7bit\r\n" },
		{ "abc\n", 4, "text/x-a", PART_BASE64, NULL, "\r\nYWJjCg==\r\n" },
		{ "abc\n", 4, "text/x-a", PART_QP, NULL, "\r\nabc\r\n\r\n" },
		{ "abc\n", 4, "application/x-a", PART_AUTO, NULL, "\r\nYWJjCg==\r\n" },
		{ "abc\n", 4, "application/x-a", PART_7BIT, NULL, "\r\nabc\r\n\r\n" },
		{ "a\0b", 3, "application/x-a", PART_QP, NULL, "\r\na=00b\r\n" },
		{ "a\nb\r\n", 5, "application/x-a", PART_QP, "line ends", NULL },
		{ "a\rb", 3, "text/x-a", PART_7BIT, "line ends", NULL },
		{ "a\rb", 3, "text/x-a", PART_AUTO, NULL, "\r\nYQ1i\r\n" },
		{ "\xc3\xbc", 2, "text/x-a", PART_7BIT, "8-bit", NULL },
		{ "\xc3\xbc", 2, "text/x-a", PART_8BIT, NULL, "\r\n\xc3\xbc\r\n" },
		{ "a\0b", 3, "text/x-a", PART_8BIT, "NUL", NULL },
		{ "a\0b", 3, "text/x-a", PART_AUTO, NULL, "\r\nYQBi\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct part_spec part = { .role = PART_ATTACHMENT, .type = cases[i].type,
					  .encoding = cases[i].encoding };
		struct error err = { .exit = 0 };

		part.path = write_file(*state, "b.bin", cases[i].data, cases[i].n);
		const char *text = make(*state, &part, 1, false, &err);

		if (!text != !cases[i].has)
			fail_msg("%zu: %s", i, err.text);
		if (text && !strstr(text, cases[i].has))
			fail_msg("%zu: %s", i, text);
		if (!text && (err.exit != EX_DATAERR || !strstr(err.text, cases[i].says) ||
			      !strstr(err.text, "b.bin")))
			fail_msg("%zu: %s", i, err.text);
	}
}

/* A line that is too long, for those who asked for it and for the others. */
static void test_long_line(void **state)
{
	char data[1000];
	struct part_spec part = { .role = PART_ATTACHMENT, .type = "text/plain" };
	struct error err = { .exit = 0 };

	memset(data, 'a', sizeof(data));
	part.path = write_file(*state, "a.txt", data, 998);
	assert_non_null(strstr(good(*state, &part, 1, false), "7bit"));
	part.path = write_file(*state, "a.txt", data, 999);
	assert_non_null(strstr(good(*state, &part, 1, false), "quoted-printable"));
	assert_non_null(strstr(good(*state, &part, 1, true), "quoted-printable"));
	part.encoding = PART_7BIT;
	assert_null(make(*state, &part, 1, false, &err));
	assert_non_null(strstr(err.text, "998"));
}

static void test_binary(void **state)
{
	struct part_spec part = { .role = PART_ATTACHMENT, .type = "application/x-a",
				  .encoding = PART_BINARY };
	const char *text;

	part.path = write_file(*state, "b.bin", "a\nb\rc\xff", 6);
	text = good(*state, &part, 1, false);
	assert_non_null(strstr(text, "Content-Transfer-Encoding: binary\r\n"));
	assert_non_null(strstr(text, "\r\n\r\na\nb\rc\xff\r\n--=_"));
}

/* What Content-Type has to repeat of a calendar. */
static void test_calendar(void **state)
{
	static const struct { const char *data, *has; } cases[] = {
		{ "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\n", "us-ascii; method=REQUEST\r\n" },
		{ "method:cancel\n", "us-ascii; method=cancel\r\n" },
		{ "X-METHOD:REQUEST\n", "charset=us-ascii\r\n" },
		{ "METHOD:\n", "us-ascii; method=\"\"\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct part_spec part = { .role = PART_CALENDAR };

		part.path = write_file(*state, "c.ics", cases[i].data, strlen(cases[i].data));
		if (!strstr(good(*state, &part, 1, false), cases[i].has))
			fail_msg("%s", good(*state, &part, 1, false));
	}
}

/* The file is gone, or another, when it is to be read: named, and no message. */
static void test_vanished(void **state)
{
	struct part_spec part = { .role = PART_ATTACHMENT, .path = "/nonexistent/x" };
	const struct compose_request req = { .compose = true, .no_body = true, .part = &part,
					     .part_n = 1 };
	const struct compose_options opt = { .width = 78 };
	struct message *m = NULL;
	struct error err = { .exit = 0 };

	(void)state;
	assert_int_equal(compose_message(&req, &opt, &m, &err), -1);
	assert_null(m);
	assert_int_equal(err.exit, EX_NOINPUT);
	assert_non_null(strstr(err.text, "'/nonexistent/x'"));
}

/* Without a hook the boundaries are words that nobody can foresee. */
static void test_random(void **state)
{
	struct part_spec part = { .role = PART_ATTACHMENT, .type = "a/b" };
	const struct compose_request req = { .compose = true, .no_body = true, .part = &part,
					     .part_n = 1 };
	const struct compose_options opt = { .width = 78 };
	char seen[8][64];

	part.path = write_file(*state, "b.bin", "x", 1);
	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		struct message *m = NULL;
		struct error err;

		assert_int_equal(compose_message(&req, &opt, &m, &err), 0);
		const char *p = strstr(m->header.field[1].text, "boundary=\"=_");

		assert_non_null(p);
		snprintf(seen[i], sizeof(seen[i]), "%.24s", p + 12);
		assert_int_equal(strspn(seen[i], "0123456789abcdefghijklmnopqrstuv"), 24);
		assert_true(p[12 + 24] == '"');
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(seen[i], seen[k]);
		message_free(m);
	}
}

static void test_reads_input(void **state)
{
	struct part_spec text = { .role = PART_TEXT, .text = "x" };
	struct part_spec file = { .role = PART_ATTACHMENT, .path = "x" };
	struct part_spec input = { .role = PART_ATTACHMENT, .path = "-" };
	const struct {
		struct compose_request req;
		bool want;
	} cases[] = {
		{ { .compose = true }, true },
		{ { .no_body = true }, false },
		{ { .part = &text, .part_n = 1 }, false },
		{ { .part = &file, .part_n = 1 }, true },
		{ { .part = &file, .part_n = 1, .no_body = true }, false },
		{ { .part = &input, .part_n = 1, .no_body = true }, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(compose_reads_input(&cases[i].req), cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_boundary_in_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_boundary_in_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encodings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_binary, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calendar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vanished, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test(test_reads_input),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
