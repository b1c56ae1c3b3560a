#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "message/spool.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/xalloc.h"

/* An octet that tells its offset, so that a wrong place shows. */
static char octet_at(uint64_t offset)
{
	return (char)(offset * 7 + (offset >> 8) * 31 + (offset >> 16));
}

static char *pattern(uint64_t from, size_t n)
{
	char *data = xmalloc(n);

	for (size_t i = 0; i < n; i++)
		data[i] = octet_at(from + i);
	return data;
}

static void add(struct spool *s, size_t n)
{
	struct error err;
	char *data = pattern(spool_size(s), n);

	assert_int_equal(spool_add(s, data, n, &err), 0);
	xfree(data);
}

static void expect_range(const struct spool *s, uint64_t from, size_t n)
{
	struct error err;
	char *got = xmalloc(n), *wanted = pattern(from, n);

	for (size_t at = 0; at < n;) {
		ssize_t len = spool_read(s, from + at, got + at, n - at, &err);

		assert_true(len > 0);
		at += (size_t)len;
	}
	assert_memory_equal(got, wanted, n);
	xfree(got);
	xfree(wanted);
}

static void expect_peek(const struct spool *s, uint64_t from)
{
	size_t n = 0;
	const char *data = spool_peek(s, from, &n);

	if (!data)
		return;
	assert_int_equal(n, spool_size(s) - from);
	for (size_t i = 0; i < n; i++)
		if (data[i] != octet_at(from + i))
			fail_msg("octet %zu", i);
}

static void test_empty(void **state)
{
	struct spool *s = spool_new();
	struct error err;
	char c;
	size_t n = 7;

	(void)state;
	assert_int_equal(spool_size(s), 0);
	assert_int_equal(spool_read(s, 0, &c, 1, &err), 0);
	assert_int_equal(spool_read(s, 5, &c, 1, &err), 0);
	assert_non_null(spool_peek(s, 0, &n));
	assert_int_equal(n, 0);
	assert_null(spool_peek(s, 1, &n));
	assert_int_equal(spool_add(s, "", 0, &err), 0);
	assert_int_equal(spool_size(s), 0);
	spool_free(s);
	spool_free(NULL);
}

/* Sizes around the limits, in pieces of several lengths. */
static void test_sizes(void **state)
{
	static const size_t sizes[] = {
		1, 4096, SPOOL_MEMORY - 1, SPOOL_MEMORY, SPOOL_MEMORY + 1, 2 * SPOOL_MEMORY - 1,
		2 * SPOOL_MEMORY, 2 * SPOOL_MEMORY + 1, 5 * SPOOL_MEMORY + 17,
	};
	static const size_t pieces[] = {
		1000, 65536, SPOOL_MEMORY, SPOOL_MEMORY + 1, 3 * SPOOL_MEMORY,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct spool *s = spool_new();
			size_t left = sizes[i];

			while (left) {
				size_t n = left < pieces[k] ? left : pieces[k];

				add(s, n);
				left -= n;
			}
			assert_int_equal(spool_size(s), sizes[i]);
			expect_range(s, 0, sizes[i]);
			expect_range(s, sizes[i] / 2, sizes[i] - sizes[i] / 2);
			expect_range(s, sizes[i] - 1, 1);
			expect_peek(s, 0);
			expect_peek(s, sizes[i] - 1);
			spool_free(s);
		}
	}
}

/* It can be read while it grows, and reading moves nothing. */
static void test_interleaved(void **state)
{
	struct spool *s = spool_new();

	(void)state;
	for (int i = 0; i < 40; i++) {
		add(s, 33333);
		expect_range(s, spool_size(s) - 33333, 33333);
		expect_range(s, 0, 1000);
	}
	expect_range(s, 0, (size_t)spool_size(s));
	spool_free(s);
}

static void test_small_stays_in_memory(void **state)
{
	struct spool *s = spool_new();
	size_t n;

	(void)state;
	add(s, SPOOL_MEMORY);
	assert_non_null(spool_peek(s, 0, &n));
	assert_int_equal(n, SPOOL_MEMORY);
	add(s, 1);
	assert_null(spool_peek(s, 0, &n));
	spool_free(s);
}

static void test_range_of_read(void **state)
{
	struct spool *s = spool_new();
	struct error err;
	char buf[16];

	(void)state;
	add(s, 10);
	assert_int_equal(spool_read(s, 0, buf, 16, &err), 10);
	assert_int_equal(spool_read(s, 9, buf, 16, &err), 1);
	assert_int_equal(spool_read(s, 10, buf, 16, &err), 0);
	assert_int_equal(spool_read(s, 11, buf, 16, &err), 0);
	assert_int_equal(spool_read(s, 3, buf, 4, &err), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(buf[i], octet_at(3 + i));
	spool_free(s);
}

static int file_with(size_t n)
{
	struct error err;
	int fd;
	char *data = pattern(0, n);

	assert_int_equal(fs_temp_file(&fd, &err), 0);
	assert_int_equal(fs_write_all(fd, data, n), 0);
	xfree(data);
	return fd;
}

static void test_in_place(void **state)
{
	int fd = file_with(100000);
	struct spool *s = spool_new();
	size_t n;

	(void)state;
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_true(spool_in_place(s, fd));
	assert_int_equal(spool_size(s), 100000);
	expect_range(s, 0, 100000);
	expect_range(s, 99999, 1);
	assert_null(spool_peek(s, 0, &n));
	/* what grows later is not part of it */
	assert_int_equal(fs_write_all(fd, "more", 4), 0);
	assert_int_equal(spool_size(s), 100000);
	spool_free(s);
	assert_int_equal(fcntl(fd, F_GETFD) & ~FD_CLOEXEC, 0);	/* still open */
	close(fd);
}

static void test_in_place_at_offset(void **state)
{
	int fd = file_with(5000);
	struct spool *s = spool_new();
	struct error err;
	char got[10];

	(void)state;
	assert_int_equal(lseek(fd, 4990, SEEK_SET), 4990);
	assert_true(spool_in_place(s, fd));
	assert_int_equal(spool_size(s), 10);
	assert_int_equal(spool_read(s, 0, got, sizeof(got), &err), 10);
	assert_int_equal(got[0], octet_at(4990));
	/* as after read(): who runs next sees the end */
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 5000);
	spool_free(s);
	close(fd);
}

static void test_not_in_place(void **state)
{
	struct spool *s = spool_new();
	int pipes[2], fd = file_with(100);

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_false(spool_in_place(s, pipes[0]));
	assert_false(spool_in_place(s, -1));
	/* at its end, and behind: there is nothing, or nothing that shows a size */
	assert_false(spool_in_place(s, fd));
	assert_int_equal(lseek(fd, 200, SEEK_SET), 200);
	assert_false(spool_in_place(s, fd));
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_false(spool_in_place(s, null));
	assert_int_equal(spool_size(s), 0);
	add(s, 3);
	spool_free(s);
	close(null);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_file_becomes_shorter(void **state)
{
	int fd = file_with(100000);
	struct spool *s = spool_new();
	struct error err;
	char buf[1000];

	(void)state;
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_true(spool_in_place(s, fd));
	assert_int_equal(ftruncate(fd, 50500), 0);
	assert_int_equal(spool_read(s, 50000, buf, sizeof(buf), &err), 500);
	assert_int_equal(spool_read(s, 50500, buf, sizeof(buf), &err), -1);
	assert_int_equal(err.exit, EX_IOERR);
	assert_non_null(strstr(err.text, "shorter"));
	spool_free(s);
	close(fd);
}

/*
 * The disk is full, or the caller has set a limit on files: what comes from
 * then on is kept in memory, up to a bound. The pieces are smaller than what
 * goes into a file at once, as large, and larger.
 */
static void test_file_cannot_grow(void **state)
{
	static const size_t pieces[] = { 60000, SPOOL_MEMORY, 3 * SPOOL_MEMORY + 1 };
	struct rlimit old, small;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		for (rlim_t limit = 0; limit < 4 * SPOOL_MEMORY; limit += 400000) {
			struct spool *s = spool_new();

			small.rlim_cur = limit;
			assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
			while (spool_size(s) < 6 * SPOOL_MEMORY)
				add(s, pieces[i]);
			assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
			expect_range(s, 0, (size_t)spool_size(s));
			spool_free(s);
		}
	}
}

static void test_memory_is_bounded(void **state)
{
	struct rlimit old, none;
	struct spool *s = spool_new();
	struct error err = { 0 };
	char *data = pattern(0, SPOOL_MEMORY);
	int rc = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	while (!rc)
		rc = spool_add(s, data, SPOOL_MEMORY, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rc, -1);
	assert_int_equal(spool_size(s), SPOOL_MEMORY_MAX);
	assert_int_equal(err.exit, EX_IOERR);
	assert_true(error_is_temporary(&err));
	spool_free(s);
	xfree(data);
}

static void test_temporary_file_has_no_name(void **state)
{
	struct spool *s = spool_new();
	char dir[] = "/tmp/msubmit-spool-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(setenv("TMPDIR", dir, 1), 0);
	add(s, 2 * SPOOL_MEMORY + 1);
	assert_int_equal(unsetenv("TMPDIR"), 0);
	assert_int_equal(rmdir(dir), 0);	/* fails when something is in it */
	expect_range(s, 0, 2 * SPOOL_MEMORY + 1);
	spool_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_interleaved),
		cmocka_unit_test(test_small_stays_in_memory),
		cmocka_unit_test(test_range_of_read),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_in_place_at_offset),
		cmocka_unit_test(test_not_in_place),
		cmocka_unit_test(test_file_becomes_shorter),
		cmocka_unit_test(test_file_cannot_grow),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_temporary_file_has_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
