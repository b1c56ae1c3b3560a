#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "util/arena.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/xalloc.h"

static void test_build(void **state)
{
	struct strbuf b = STRBUF_INIT(1000);

	assert_string_equal(b.buf, "");
	strbuf_add(&b, "ab", 2);
	strbuf_addch(&b, 'c');
	strbuf_addstr(&b, "de");
	strbuf_addf(&b, "-%d-%s", 42, "x");
	assert_string_equal(b.buf, "abcde-42-x");
	assert_int_equal(b.len, 10);
	strbuf_add(&b, NULL, 0);
	strbuf_addstr(&b, "");
	strbuf_addf(&b, "%s", "");
	assert_int_equal(b.len, 10);
	strbuf_add(&b, "\0y", 2);
	assert_int_equal(b.len, 12);
	assert_memory_equal(b.buf, "abcde-42-x\0y", 13);
	assert_false(strbuf_overflow(&b));
	strbuf_release(&b);
	assert_ptr_equal(b.buf, strbuf_empty);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.limit, 1000);
	strbuf_addstr(&b, "again");
	assert_string_equal(b.buf, "again");
	strbuf_release(&b);
	(void)state;
}

/* Limits n-1, n, n+1 for each way to add; what does not fit leaves no part behind. */
static void test_limit(void **state)
{
	for (size_t limit = 0; limit < 40; limit++) {
		for (int way = 0; way < 4; way++) {
			struct strbuf b;
			size_t done = 0;

			strbuf_init(&b, limit);
			for (int i = 0; i < 20; i++) {
				size_t n = way == 0 ? 1 : 3;

				if (way == 0)
					strbuf_addch(&b, 'x');
				else if (way == 1)
					strbuf_add(&b, "xyz", 3);
				else if (way == 2)
					strbuf_addstr(&b, "xyz");
				else
					strbuf_addf(&b, "x%cz", 'y');
				if (done + n <= limit)
					done += n;
				assert_int_equal(b.len, done);
				assert_int_equal(b.buf[done], '\0');
				assert_int_equal(strbuf_overflow(&b), (i + 1) * n > limit);
			}
			strbuf_release(&b);
		}
	}
	(void)state;
}

static void test_mark_stays(void **state)
{
	struct strbuf b = STRBUF_INIT(4);

	strbuf_addstr(&b, "12345");
	assert_true(strbuf_overflow(&b));
	assert_string_equal(b.buf, "");
	strbuf_addstr(&b, "1234");
	assert_string_equal(b.buf, "1234");
	assert_true(strbuf_overflow(&b));
	strbuf_truncate(&b, 0);
	assert_true(strbuf_overflow(&b));
	strbuf_reset(&b);
	assert_false(strbuf_overflow(&b));
	assert_int_equal(b.len, 0);
	strbuf_release(&b);
	(void)state;
}

static void test_shorten(void **state)
{
	struct strbuf b = STRBUF_INIT(100);

	strbuf_truncate(&b, 0);
	strbuf_consume(&b, 0);
	strbuf_addstr(&b, "0123456789");
	strbuf_truncate(&b, 11);
	assert_string_equal(b.buf, "0123456789");
	strbuf_truncate(&b, 9);
	assert_string_equal(b.buf, "012345678");
	strbuf_consume(&b, 3);
	assert_string_equal(b.buf, "345678");
	assert_int_equal(b.len, 6);
	strbuf_consume(&b, 6);
	assert_string_equal(b.buf, "");
	strbuf_release(&b);
	(void)state;
}

static void test_reserve(void **state)
{
	struct strbuf b = STRBUF_INIT(10);
	char *room = strbuf_reserve(&b, 10);

	assert_non_null(room);
	memcpy(room, "abc", 3);
	assert_int_equal(b.len, 0);
	strbuf_commit(&b, 3);
	assert_string_equal(b.buf, "abc");
	assert_null(strbuf_reserve(&b, 8));
	assert_true(strbuf_overflow(&b));
	assert_null(strbuf_reserve(&b, SIZE_MAX));
	assert_non_null(strbuf_reserve(&b, 7));
	strbuf_commit(&b, 0);
	assert_string_equal(b.buf, "abc");
	strbuf_release(&b);
	(void)state;
}

static void test_detach(void **state)
{
	struct strbuf b = STRBUF_INIT(10);
	char *empty = strbuf_detach(&b);

	assert_string_equal(empty, "");
	empty[0] = '\0';	/* it is the caller's, not the shared one */
	assert_ptr_not_equal(empty, strbuf_empty);
	xfree(empty);
	strbuf_addstr(&b, "mine");
	char *s = strbuf_detach(&b);

	assert_string_equal(s, "mine");
	assert_string_equal(b.buf, "");
	assert_int_equal(b.limit, 10);
	xfree(s);
	strbuf_release(&b);
	(void)state;
}

static void test_secret(void **state)
{
	struct strbuf b = STRBUF_INIT(100);

	strbuf_release_secret(&b);
	strbuf_addstr(&b, "hunter2");
	strbuf_release_secret(&b);
	assert_ptr_equal(b.buf, strbuf_empty);
	assert_string_equal(strbuf_empty, "");
	(void)state;
}

static void test_growth(void **state)
{
	struct strbuf b = STRBUF_INIT(1 << 20);

	for (size_t i = 0; i < 100000; i++) {
		strbuf_addch(&b, (char)('a' + i % 26));
		assert_int_equal(b.buf[b.len], '\0');
	}
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(b.buf[i], 'a' + i % 26);
	strbuf_release(&b);
	(void)state;
}

static void test_strvec(void **state)
{
	struct strvec list = STRVEC_INIT(1000);
	char word[] = "PLAIN";

	assert_null(list.v);
	assert_false(strvec_has(&list, ""));
	strvec_add(&list, word);
	word[0] = 'X';
	strvec_addn(&list, "LOGINxx", 5);
	strvec_addn(&list, "", 0);
	assert_int_equal(list.n, 3);
	assert_string_equal(list.v[0], "PLAIN");
	assert_string_equal(list.v[1], "LOGIN");
	assert_string_equal(list.v[2], "");
	assert_null(list.v[3]);
	assert_true(strvec_has(&list, "login"));
	assert_true(strvec_has(&list, "LOGIN"));
	assert_true(strvec_has(&list, ""));
	assert_false(strvec_has(&list, "LOGI"));
	assert_false(strvec_has(&list, "LOGINX"));
	strvec_release(&list);
	assert_null(list.v);
	assert_int_equal(list.n, 0);
	assert_int_equal(list.limit, 1000);
	(void)state;
}

static void test_strvec_split(void **state)
{
	static const struct { const char *s, *seps; size_t n; const char *word[4]; } cases[] = {
		{ "", " ", 0, { NULL } },
		{ "   ", " ", 0, { NULL } },
		{ "a", " ", 1, { "a" } },
		{ " a  b ", " ", 2, { "a", "b" } },
		{ "a b", ",", 1, { "a b" } },
		{ ",a, b;c,", ", ;", 3, { "a", "b", "c" } },
		{ "a b", "", 1, { "a b" } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strvec list = STRVEC_INIT(10);

		strvec_split(&list, cases[i].s, cases[i].seps);
		assert_int_equal(list.n, cases[i].n);
		for (size_t k = 0; k < list.n; k++)
			assert_string_equal(list.v[k], cases[i].word[k]);
		strvec_release(&list);
	}
	(void)state;
}

static void test_strvec_limit(void **state)
{
	for (size_t limit = 0; limit < 30; limit++) {
		struct strvec list;

		strvec_init(&list, limit);
		for (size_t i = 1; i <= 32; i++) {
			strvec_add(&list, "x");
			assert_int_equal(list.n, i < limit ? i : limit);
			assert_int_equal(strvec_overflow(&list), i > limit);
			if (list.n)
				assert_null(list.v[list.n]);
		}
		strvec_release(&list);
	}
	(void)state;
}

static void test_arena(void **state)
{
	struct arena *a = arena_new();
	char *blocks[2000];

	arena_free(NULL);
	for (size_t i = 0; i < 2000; i++) {
		size_t size = i * 7 % 301;

		blocks[i] = arena_alloc(a, size);
		assert_non_null(blocks[i]);
		assert_int_equal((uintptr_t)blocks[i] % sizeof(void *), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(blocks[i][k], 0);
		memset(blocks[i], (int)(i % 251) + 1, size);
	}
	/* none overlaps another */
	for (size_t i = 0; i < 2000; i++) {
		for (size_t k = 0; k < i * 7 % 301; k++)
			assert_int_equal((unsigned char)blocks[i][k], i % 251 + 1);
	}
	arena_free(a);
	(void)state;
}

static void test_arena_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 3983, 3984, 3999, 4000, 4001, 100000 };
	struct arena *a = arena_new();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *p = arena_alloc(a, sizes[i]), *q = arena_calloc(a, sizes[i], 3);

		memset(p, 1, sizes[i]);
		for (size_t k = 0; k < 3 * sizes[i]; k++)
			assert_int_equal(q[k], 0);
		assert_ptr_not_equal(p, q);
	}
	arena_free(a);
	(void)state;
}

static void test_arena_strings(void **state)
{
	struct arena *a = arena_new();
	char big[9000];

	memset(big, 'b', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_string_equal(arena_strdup(a, ""), "");
	assert_string_equal(arena_strdup(a, "text"), "text");
	assert_string_equal(arena_strndup(a, "text", 2), "te");
	assert_string_equal(arena_strndup(a, NULL, 0), "");
	assert_memory_equal(arena_strndup(a, "a\0b", 3), "a\0b", 4);
	assert_string_equal(arena_printf(a, "%s-%d", "x", 7), "x-7");
	assert_string_equal(arena_printf(a, "%s", ""), "");
	assert_string_equal(arena_printf(a, "%s", big), big);
	assert_string_equal(arena_strdup(a, big), big);
	arena_free(a);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_mark_stays),
		cmocka_unit_test(test_shorten),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_detach),
		cmocka_unit_test(test_secret),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_strvec),
		cmocka_unit_test(test_strvec_split),
		cmocka_unit_test(test_strvec_limit),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_arena_sizes),
		cmocka_unit_test(test_arena_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
