#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tls/tls_cache.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

static char folder[64];

static struct strbuf text_of(const char *s)
{
	struct strbuf b = STRBUF_INIT(1 << 20);

	strbuf_addstr(&b, s);
	return b;
}

static void store(const char *name, const char *key, time_t until, const char *data)
{
	struct strbuf k = text_of(key), d = text_of(data);

	tls_cache_store(folder, name, &k, until, &d);
	strbuf_release(&k);
	strbuf_release(&d);
}

/* The data, "" when there is none. */
static const char *load(const char *name, const char *key)
{
	static char data[100];
	struct strbuf k = text_of(key), d = STRBUF_INIT(sizeof(data) - 1);
	time_t until = 0;
	bool found = tls_cache_load(folder, name, &k, &d, &until);

	assert_int_equal(found, d.len > 0);
	assert_int_equal(found, until > time(NULL));
	snprintf(data, sizeof(data), "%s", found ? d.buf : "");
	strbuf_release(&k);
	strbuf_release(&d);
	return data;
}

static void write_raw(const char *name, const char *text, size_t n)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(fs_write_all(fd, text, n), 0);
	close(fd);
}

static void test_store_and_load(void **state)
{
	const time_t later = time(NULL) + 100;

	(void)state;
	assert_string_equal(load("a", "key"), "");
	store("a", "key", later, "data");
	assert_string_equal(load("a", "key"), "data");
	store("a", "key", later, "newer");
	assert_string_equal(load("a", "key"), "newer");
	assert_string_equal(load("b", "key"), "");
	tls_cache_remove(folder, "b");
	tls_cache_remove(folder, "a");
	assert_string_equal(load("a", "key"), "");
}

/* The same name - a hash - with another key is another one's. */
static void test_other_key(void **state)
{
	const time_t later = time(NULL) + 100;

	(void)state;
	store("a", "key", later, "data");
	assert_string_equal(load("a", "kex"), "");
	assert_string_equal(load("a", "key1"), "");
	assert_string_equal(load("a", "ke"), "");
	assert_string_equal(load("a", ""), "");
	assert_string_equal(load("a", "key"), "data");
}

static void test_expired(void **state)
{
	(void)state;
	store("old", "key", time(NULL) - 1, "data");
	assert_string_equal(load("old", "key"), "");
	store("old", "key", time(NULL), "data");
	assert_string_equal(load("old", "key"), "");
}

/* What others may have read or written, or have another name for, is not believed. */
static void test_of_others(void **state)
{
	char path[256], other[256];

	(void)state;
	store("a", "key", time(NULL) + 100, "data");
	snprintf(path, sizeof(path), "%s/a", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	assert_int_equal(chmod(path, 0640), 0);
	assert_string_equal(load("a", "key"), "");
	assert_int_equal(chmod(path, 0600), 0);
	assert_string_equal(load("a", "key"), "data");
	assert_int_equal(link(path, other), 0);
	assert_string_equal(load("a", "key"), "");
	assert_int_equal(unlink(other), 0);
	assert_string_equal(load("a", "key"), "data");
}

static void test_malformed(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		bool good;
	} cases[] = {
#define TEXT(s) s, sizeof(s) - 1
		{ TEXT("msubmit-tls 1 9999999999 1 2\nkdd"), true },
		{ TEXT("msubmit-tls 1 9999999999 1 2\nkd"), false },
		{ TEXT("msubmit-tls 1 9999999999 1 2\nkddd"), false },
		{ TEXT("msubmit-tls 1 9999999999 1 0\nk"), false },
		{ TEXT("msubmit-tls 1 9999999999 0 3\nkdd"), false },
		{ TEXT("msubmit-tls 1 9999999999 3 0\nkdd"), false },
		{ TEXT("msubmit-tls 1 9999999999 999999999999999999 2\nkdd"), false },
		{ TEXT("msubmit-tls 1 9999999999 1 999999999999999999\nkdd"), false },
		{ TEXT("msubmit-tls 1 9999999999 1 9999999999999999999999999\nkdd"), false },
		{ TEXT("msubmit-tls 2 9999999999 1 2\nkdd"), false },
		{ TEXT("msubmit-tls 1 -1 1 2\nkdd"), false },
		{ TEXT("msubmit-tls 1  1 2\nkdd"), false },
		{ TEXT("msubmit-tls 1 9999999999 1 2 kdd"), false },
		{ TEXT("msubmit-tls 1 9999999999"), false },
		{ TEXT("msubmit-tls 1 "), false },
		{ TEXT("msubmit-tls"), false },
		{ TEXT(""), false },
		{ TEXT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		write_raw("odd", cases[i].text, cases[i].n);
		if ((*load("odd", "k") != '\0') != cases[i].good)
			fail_msg("case %zu", i);
	}
}

/* What nobody has written for a week goes; what is not ours to judge stays. */
static void test_clean(void **state)
{
	char path[256];
	struct timespec old[2] = { { .tv_sec = time(NULL) - 8 * 86400 },
				   { .tv_sec = time(NULL) - 8 * 86400 } };
	struct stat st;

	(void)state;
	write_raw("ancient", "x", 1);
	write_raw("young", "x", 1);
	snprintf(path, sizeof(path), "%s/below", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	snprintf(path, sizeof(path), "%s/ancient", folder);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	store("a", "key", time(NULL) + 100, "data");
	assert_int_equal(stat(path, &st), -1);
	snprintf(path, sizeof(path), "%s/young", folder);
	assert_int_equal(stat(path, &st), 0);
	snprintf(path, sizeof(path), "%s/below", folder);
	assert_int_equal(stat(path, &st), 0);
	rmdir(path);
}

/* Writers at the same time: a reader sees one of them whole, at any moment. */
static void test_at_once(void **state)
{
	struct strbuf big[2] = { STRBUF_INIT(1 << 16), STRBUF_INIT(1 << 16) };
	struct strbuf key = text_of("key"), out = STRBUF_INIT(1 << 16);
	const time_t later = time(NULL) + 100;
	time_t until;
	pid_t child;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		strbuf_addch(&big[0], 'a');
		strbuf_addch(&big[1], 'b');
	}
	tls_cache_store(folder, "both", &key, later, &big[0]);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 200; i++)
			tls_cache_store(folder, "both", &key, later, &big[i % 2]);
		_exit(0);
	}
	for (int i = 0; i < 200; i++) {
		strbuf_reset(&out);
		assert_true(tls_cache_load(folder, "both", &key, &out, &until));
		assert_int_equal(out.len, 50000);
		assert_int_equal(strspn(out.buf, out.buf[0] == 'a' ? "a" : "b"), 50000);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	strbuf_release(&big[0]);
	strbuf_release(&big[1]);
	strbuf_release(&key);
	strbuf_release(&out);
}

static void expect_folder(const char *given, const char *wanted)
{
	char *is = tls_cache_folder(given);

	if (!wanted)
		assert_null(is);
	else
		assert_string_equal(is, wanted);
	xfree(is);
}

static void test_folder(void **state)
{
	(void)state;
	setenv("XDG_CACHE_HOME", "/var/cache/me", 1);
	expect_folder("auto", "/var/cache/me/msubmit/tls");
	expect_folder("/somewhere/else", "/somewhere/else");
	setenv("XDG_CACHE_HOME", "not/absolute", 1);
	setenv("HOME", "/home/me", 1);
	expect_folder("auto", "/home/me/.cache/msubmit/tls");
	unsetenv("XDG_CACHE_HOME");
	expect_folder("auto", "/home/me/.cache/msubmit/tls");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/msubmit-cache-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store_and_load),
		cmocka_unit_test(test_other_key),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_of_others),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_folder),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
