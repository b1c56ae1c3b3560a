#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "message/header.h"
#include "message/message.h"
#include "util/error.h"
#include "util/strbuf.h"

#define UE "\xc3\xbc"

static void fill(struct strbuf *out, const char *what, size_t times)
{
	while (times--)
		strbuf_addstr(out, what);
}

static void test_needed(void **state)
{
	struct strbuf s = STRBUF_INIT(10000);

	(void)state;
	assert_false(header_fold_needed("", 0));
	strbuf_addstr(&s, "A: ");
	fill(&s, "x", 995);
	strbuf_addstr(&s, "\r\n");
	assert_false(header_fold_needed(s.buf, s.len));
	fill(&s, " y", 499);
	strbuf_addstr(&s, "\r\n");
	assert_false(header_fold_needed(s.buf, s.len));
	strbuf_truncate(&s, s.len - 2);
	assert_false(header_fold_needed(s.buf, s.len));
	strbuf_addstr(&s, "z\r\n");
	assert_true(header_fold_needed(s.buf, s.len));
	strbuf_release(&s);
}

/* Folds; checks that nothing but line ends was put in. */
static void fold(const struct strbuf *in, struct strbuf *out)
{
	struct error err;
	struct strbuf plain = STRBUF_INIT(100000);

	assert_int_equal(header_fold(out, in->buf, in->len, HEADER_GAPS_NONE, &err), 0);
	assert_false(header_fold_needed(out->buf, out->len));
	for (size_t i = 0; i < out->len; i++)
		if (out->buf[i] != '\r' && out->buf[i] != '\n')
			strbuf_addch(&plain, out->buf[i]);
	strbuf_addstr(&plain, "\r\n");
	assert_string_equal(plain.buf, in->buf);
	for (char *p = strstr(out->buf, "\r\n"); p[2]; p = strstr(p + 2, "\r\n")) {
		assert_true(p[2] == ' ' || p[2] == '\t');
		assert_true(p[2 + strspn(p + 2, " \t")] != '\r');
	}
	strbuf_release(&plain);
}

static void test_fold(void **state)
{
	static const char *const words[] = { " word", "\ta  b ", " \"q u o t e d\"", " x\"y z",
		" \"a\\\" b\"", " a,b" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		for (size_t lead = 0; lead < 100; lead += 7) {
			struct strbuf in = STRBUF_INIT(100000), out = STRBUF_INIT(100000);

			strbuf_addstr(&in, "Subject:");
			fill(&in, "x", lead);
			fill(&in, words[i], 400);
			strbuf_addstr(&in, "\r\n");
			fold(&in, &out);
			strbuf_release(&in);
			strbuf_release(&out);
		}
	}
}

/* At 78 octets, and outside quotes where that can be. */
static void test_places(void **state)
{
	struct strbuf in = STRBUF_INIT(10000), out = STRBUF_INIT(10000);
	struct error err;

	(void)state;
	strbuf_addstr(&in, "To: \"a b c\" <a@x>,");
	fill(&in, " \"b c\" <b@x>,", 90);
	strbuf_addstr(&in, "\r\n");
	assert_int_equal(header_fold(&out, in.buf, in.len, HEADER_GAPS_NONE, &err), 0);
	assert_null(strstr(out.buf, "\"b\r\n"));
	assert_true(strcspn(out.buf, "\r") <= 78 && strcspn(out.buf, "\r") > 60);
	/* a line that is short enough stays as it is, before and behind a long one */
	strbuf_reset(&in);
	strbuf_reset(&out);
	strbuf_addstr(&in, "X: short\r\n\t");
	fill(&in, "y ", 700);
	strbuf_addstr(&in, "z\r\n  last  one \r\n");
	assert_int_equal(header_fold(&out, in.buf, in.len, HEADER_GAPS_NONE, &err), 0);
	assert_memory_equal(out.buf, "X: short\r\n\ty y", 14);
	assert_non_null(strstr(out.buf, "z\r\n  last  one \r\n"));
	strbuf_release(&in);
	strbuf_release(&out);
}

static void test_no_blank(void **state)
{
	(void)state;
	for (size_t lead = 0; lead < 4; lead++) {
		struct strbuf in = STRBUF_INIT(10000), out = STRBUF_INIT(10000);
		struct error err;

		strbuf_addstr(&in, "Subject:");
		fill(&in, "x", lead);
		fill(&in, UE, 1500);
		strbuf_addstr(&in, "\r\n");
		strbuf_addstr(&out, "before");
		assert_int_equal(header_fold(&out, in.buf, in.len, HEADER_GAPS_NONE, &err), -1);
		assert_int_equal(err.exit, EX_DATAERR);
		assert_string_equal(err.status, "5.6.0");
		assert_non_null(strstr(err.text, "'Subject'"));
		assert_string_equal(out.buf, "before");
		strbuf_reset(&out);
		assert_int_equal(header_fold(&out, in.buf, in.len, HEADER_GAPS_ANYWHERE, &err), 0);
		assert_false(header_fold_needed(out.buf, out.len));
		for (char *p = strstr(out.buf, "\r\n "); p; p = strstr(p + 3, "\r\n "))
			assert_memory_equal(p + 3, UE, 2);
		assert_int_equal(out.len, in.len + 3 * 3);
		strbuf_release(&in);
		strbuf_release(&out);
	}
}

/* Lines that are nothing but blanks behind the text: no line of blanks comes of them. */
static void test_blanks(void **state)
{
	struct strbuf in = STRBUF_INIT(10000), out = STRBUF_INIT(10000);
	struct error err;

	(void)state;
	strbuf_addstr(&in, "X: y");
	fill(&in, " ", 1200);
	strbuf_addstr(&in, "\r\n");
	assert_int_equal(header_fold(&out, in.buf, in.len, HEADER_GAPS_NONE, &err), -1);
	assert_int_equal(err.exit, EX_DATAERR);
	strbuf_release(&in);
	strbuf_release(&out);
}

#define TEN "0123456789"

/* Fields of our own: each line up to the width, but never where a reader would be misled. */
static void test_to(void **state)
{
	static const struct { size_t width; const char *in, *want; } cases[] = {
		{ 76, "X: short\r\n", "X: short\r\n" },
		{ 76, "X: " TEN TEN TEN TEN TEN TEN " " TEN " b\r\n",
		  "X: " TEN TEN TEN TEN TEN TEN " " TEN " b\r\n" },
		{ 76, "X: " TEN TEN TEN TEN TEN TEN " " TEN " bc\r\n",
		  "X: " TEN TEN TEN TEN TEN TEN " " TEN "\r\n bc\r\n" },
		/* not behind the name, not in a word, not in quotes */
		{ 76, "X: " TEN TEN TEN TEN TEN TEN TEN TEN "\r\n",
		  "X: " TEN TEN TEN TEN TEN TEN TEN TEN "\r\n" },
		{ 76, "X: " TEN TEN TEN TEN TEN TEN TEN TEN " b\r\n",
		  "X: " TEN TEN TEN TEN TEN TEN TEN TEN "\r\n b\r\n" },
		{ 76, "X: a \"" TEN TEN TEN " " TEN TEN TEN " " TEN TEN "\" b\r\n",
		  "X: a\r\n \"" TEN TEN TEN " " TEN TEN TEN " " TEN TEN "\"\r\n b\r\n" },
		/* a quote that is never closed is none */
		{ 76, "X: a 5\" " TEN TEN TEN " " TEN TEN TEN " " TEN TEN "\r\n",
		  "X: a 5\" " TEN TEN TEN " " TEN TEN TEN "\r\n " TEN TEN "\r\n" },
		/* what is folded already stays */
		{ 76, "X: a\r\n b\r\n", "X: a\r\n b\r\n" },
		{ 80, "X: " TEN TEN TEN TEN TEN TEN " " TEN " bcde\r\n",
		  "X: " TEN TEN TEN TEN TEN TEN " " TEN " bcde\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(10000);
		struct error err;

		assert_int_equal(header_fold_to(&out, cases[i].in, strlen(cases[i].in),
						cases[i].width, &err), 0);
		assert_string_equal(out.buf, cases[i].want);
		strbuf_release(&out);
	}
}

/* No line over 998 octets, whatever the width; in quotes if there is no other place. */
static void test_to_limit(void **state)
{
	(void)state;
	for (size_t width = 76; width <= 998; width += 922) {
		struct strbuf in = STRBUF_INIT(10000), out = STRBUF_INIT(10000);
		struct error err = { .exit = 0 };

		strbuf_addstr(&in, "X: ");
		fill(&in, "x", 998);
		strbuf_addstr(&in, "\r\n");
		assert_int_equal(header_fold_to(&out, in.buf, in.len, width, &err), -1);
		assert_int_equal(err.exit, EX_DATAERR);
		strbuf_reset(&in);
		/* better behind the name than not at all */
		strbuf_addstr(&in, "X: ");
		fill(&in, "x", 997);
		strbuf_addstr(&in, "\r\n");
		assert_int_equal(header_fold_to(&out, in.buf, in.len, width, &err), 0);
		assert_memory_equal(out.buf, "X:\r\n xx", 7);
		assert_false(header_fold_needed(out.buf, out.len));
		strbuf_reset(&in);
		strbuf_reset(&out);
		strbuf_addstr(&in, "X: \"");
		fill(&in, "x ", 600);
		strbuf_addstr(&in, "\"\r\n");
		assert_int_equal(header_fold_to(&out, in.buf, in.len, width, &err), 0);
		assert_false(header_fold_needed(out.buf, out.len));
		strbuf_release(&in);
		strbuf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needed),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_no_blank),
		cmocka_unit_test(test_blanks),
		cmocka_unit_test(test_to),
		cmocka_unit_test(test_to_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
