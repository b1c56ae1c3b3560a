#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "prepare/burl.h"
#include "util/arena.h"
#include "util/error.h"

static struct account account;
static struct envelope envelope;
static struct error err;

static int set_up(void **state)
{
	(void)state;
	account = (struct account){ .auth = { .command_timeout = 10 } };
	envelope_init(&envelope, arena_new());
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(envelope.arena);
	return 0;
}

static int apply(bool whole, const char **pieces, size_t n)
{
	const struct burl_request r = { .piece = pieces, .n = n, .whole = whole, .size = 77 };

	return burl_apply(&envelope, &r, &account, &err);
}

#define apply_to(whole, ...) apply(whole, (const char *[]){ __VA_ARGS__ }, \
	sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(const char *))

static void test_nothing(void **state)
{
	(void)state;
	envelope.size = 5;
	assert_int_equal(apply(false, NULL, 0), 0);
	assert_null(envelope.burl);
	assert_int_equal(envelope.size, 5);
}

static void test_whole(void **state)
{
	(void)state;
	envelope.body = BODY_8BITMIME;
	assert_int_equal(apply_to(true, "imap://h/x"), 0);
	assert_int_equal(envelope.burl->n, 1);
	assert_string_equal(envelope.burl->part[0].url, "imap://h/x");
	assert_int_equal(envelope.size, 77);
	assert_int_equal(envelope.body, BODY_7BIT);
}

static void test_urls(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "x", "/x", ":x", "imap:", "imap://h/a b", "imap://h/\n", "imap://h/\x7f",
		"imap://h/\xc3\xa9", "@file", "1map ://h",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(apply_to(true, bad[i]), -1);
		assert_int_equal(err.exit, EX_USAGE);
	}
	assert_int_equal(apply_to(true, "x-a+b.c:d"), 0);
	char *many = malloc(9000);

	assert_non_null(many);
	memset(many, 'a', 9000);
	memcpy(many, "imap:", 5);
	many[8192] = '\0';
	assert_int_equal(apply_to(true, many), 0);
	many[8192] = 'a';
	many[8193] = '\0';
	assert_int_equal(apply_to(true, many), -1);
	free(many);
}

/* Lines of a file as they go out. */
static void test_files(void **state)
{
	(void)state;
	static const struct {
		const char *text, *want;
		int body;
	} cases[] = {
		{ "", "", BODY_7BIT }, { "a", "a\r\n", BODY_7BIT }, { "a\n", "a\r\n", BODY_7BIT },
		{ "a\r\nb\n", "a\r\nb\r\n", BODY_7BIT }, { "a\rb", "a\r\nb\r\n", BODY_7BIT },
		{ "\n\n", "\r\n\r\n", BODY_7BIT }, { "\xc3\xa9\n", "\xc3\xa9\r\n", BODY_8BITMIME },
		{ ".\n", ".\r\n", BODY_7BIT },
	};
	char path[64] = "@/tmp/test-burl.XXXXXX";
	int fd = mkstemp(path + 1);

	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		envelope.body = BODY_7BIT;
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, cases[i].text, strlen(cases[i].text), 0),
				 strlen(cases[i].text));
		assert_int_equal(apply_to(false, "imap://h/x", path), 0);
		const struct burl *b = envelope.burl;

		assert_int_equal(b->n, 3);
		assert_null(b->part[0].url);
		assert_null(b->part[0].text);
		assert_string_equal(b->part[1].url, "imap://h/x");
		assert_null(b->part[2].url);
		assert_int_equal(b->part[2].len, strlen(cases[i].want));
		assert_memory_equal(b->part[2].text, cases[i].want, b->part[2].len);
		assert_int_equal(envelope.body, cases[i].body);
	}
	close(fd);
	unlink(path + 1);
	assert_int_equal(apply_to(false, path), -1);
	assert_int_equal(err.exit, EX_NOINPUT);
}

static void test_command(void **state)
{
	(void)state;
	static const char *const sign[] = {
		"sh", "-c", "echo \"$1;urlauth=x:y:secret\"", "x", NULL
	};
	static const char *const nothing[] = { "true", NULL };
	static const char *const fails[] = { "sh", "-c", "echo secret; exit 1", NULL };

	account.burl_command = sign;
	assert_int_equal(apply_to(true, "imap://h/x"), 0);
	assert_string_equal(envelope.burl->part[0].url, "imap://h/x;urlauth=x:y:secret");
	/* one that has a token already is not touched */
	assert_int_equal(apply_to(true, "imap://h/x;URLAUTH=a:b:c"), 0);
	assert_string_equal(envelope.burl->part[0].url, "imap://h/x;URLAUTH=a:b:c");
	account.burl_command = nothing;
	assert_int_equal(apply_to(true, "imap://h/x"), -1);
	account.burl_command = fails;
	assert_int_equal(apply_to(true, "imap://h/x"), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_null(strstr(err.text, "secret"));
	assert_non_null(strstr(err.text, "burl_command"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing), TEST(test_whole), TEST(test_urls), TEST(test_files),
		TEST(test_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
