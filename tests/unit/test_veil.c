#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "smtp/veil.h"
#include "util/attr.h"
#include "util/strbuf.h"

#define TOKEN "ya29.a0AfH6SMBxyzzy"

static const struct {
	const char *line;
	size_t from;
	const char *shown;
} table[] = {
	{ "500 unrecognized: \"pencil\"", 4, "500 unrecognized: \"<hidden>\"" },
	{ "pencil", 0, "<hidden>" },
	{ "pencilpencil, PENCIL", 0, "<hidden><hidden>, <hidden>" },
	{ "pencils", 0, "<hidden>s" },
	{ "penci", 0, "penci" },
	{ "535 5.7.8 no", 0, "535 5.7.8 no" },
	/* what stands in front of `from` stays, also where a word begins in it */
	{ "pencil", 1, "pencil" },
	{ "pencil pencil", 6, "pencil <hidden>" },
	{ "pencil", 6, "pencil" },
	{ "pencil", 7, "pencil" },
	{ "", 0, "" },
	/* the beginning of a long word is enough, of the longest that fits */
	{ "bad " TOKEN "!", 0, "bad <hidden>!" },
	{ "bad ya29.a0AfH6S...", 0, "bad <hidden>..." },
	{ "bad ya29.a0AfH6S", 0, "bad <hidden>" },
	{ "bad ya29.a0AfH6", 0, "bad ya29.a0AfH6" },
	/* unless it is one of those that count whole */
	{ "joe@example.org 0123", 0, "joe@example.org 0123" },
	{ "joe@example.org 0123456789", 0, "<hidden>" },
	/* short ones are words of their own */
	{ "abc (abc) 'abc'", 0, "<hidden> (<hidden>) '<hidden>'" },
	{ "abcd 1abc abc1 xabcx", 0, "abcd 1abc abc1 xabcx" },
};

static struct veil *make(void)
{
	struct veil *v = veil_new();

	veil_add(v, "pencil", 6);
	veil_add(v, "", 0);
	veil_add(v, "pencil", 6);
	veil_add(v, TOKEN, strlen(TOKEN));
	veil_add_whole(v, "joe@example.org 0123456789", 26);
	veil_add(v, "abc", 3);
	veil_add(v, "\0joe\0secret", 11);
	return v;
}

static void test_lines(void **state)
{
	struct veil *v = make();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct strbuf line = STRBUF_INIT(1000);

		strbuf_addstr(&line, table[i].line);
		veil_apply(v, &line, table[i].from);
		if (strcmp(line.buf, table[i].shown) != 0)
			fail_msg("%s: %s", table[i].line, line.buf);
		strbuf_release(&line);
	}
	veil_free(v);
}

/* Octets of any kind, and lines that are full. */
static void test_octets(void **state)
{
	struct veil *v = make();
	struct strbuf line = STRBUF_INIT(12), full = STRBUF_INIT(20);

	(void)state;
	strbuf_add(&line, "<\0joe\0secret>", 12);
	veil_apply(v, &line, 0);
	assert_string_equal(line.buf, "<<hidden>");
	for (int i = 0; i < 4; i++)
		strbuf_addstr(&full, "abc ");
	/* longer than there is room for: cut, and nothing is seen */
	veil_apply(v, &full, 0);
	assert_int_equal(full.len, 20);
	assert_null(strstr(full.buf, "abc"));
	strbuf_release(&line);
	strbuf_release(&full);
	veil_free(v);
}

static void test_none(void **state)
{
	struct strbuf line = STRBUF_INIT(100);

	(void)state;
	strbuf_addstr(&line, "pencil");
	veil_apply(NULL, &line, 0);
	assert_string_equal(line.buf, "pencil");
	veil_free(NULL);
	strbuf_release(&line);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
