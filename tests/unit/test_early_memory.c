#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/account.h"
#include "submit/early_memory.h"
#include "util/arena.h"

static char home[64];
static struct arena *arena;
static struct account account;

static int set_up(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/test-early.XXXXXX");
	assert_non_null(mkdtemp(home));
	setenv("XDG_CACHE_HOME", home, 1);
	arena = arena_new();
	account = (struct account){ .pipe_connect = true, .pipe_connect_ttl = 3600 };
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	arena_free(arena);
	snprintf(command, sizeof(command), "%s/msubmit/tls", home);
	DIR *dir = opendir(command);

	for (const struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			(void)!unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(command);
	snprintf(command, sizeof(command), "%s/msubmit", home);
	rmdir(command);
	rmdir(home);
	return 0;
}

static const struct early_memory *memory(const char *address, unsigned port, const char *name)
{
	return early_memory_new(arena, &account, address, port, name);
}

static bool known(const struct early_memory *m)
{
	return m->invited(m->ctx);
}

static void test_each_its_own(void **state)
{
	(void)state;
	const struct early_memory *a = memory("127.0.0.1", 587, "client");

	assert_false(known(a));
	a->note(a->ctx, true);
	assert_true(known(a));
	assert_true(known(memory("127.0.0.1", 587, "client")));
	assert_false(known(memory("127.0.0.2", 587, "client")));
	assert_false(known(memory("127.0.0.1", 25, "client")));
	assert_false(known(memory("127.0.0.1", 587, "other")));
	a->note(a->ctx, false);
	assert_false(known(a));
	a->note(a->ctx, false);
}

static void test_off(void **state)
{
	(void)state;
	account.pipe_connect_ttl = 0;
	assert_null(memory("127.0.0.1", 587, "client"));
	account.pipe_connect_ttl = 3600;
	account.pipe_connect = false;
	assert_null(memory("127.0.0.1", 587, "client"));
}

/* Only for as long as the account says. */
static void test_expires(void **state)
{
	(void)state;
	account.pipe_connect_ttl = 1;
	const struct early_memory *m = memory("127.0.0.1", 587, "client");

	m->note(m->ctx, true);
	for (int i = 0; i < 300; i++) {
		if (!known(m))
			return;
		usleep(10000);
	}
	fail_msg("it does not expire");
}

/* Nobody else reads it, and what somebody else wrote is not read. */
static void test_private(void **state)
{
	(void)state;
	const struct early_memory *m = memory("127.0.0.1", 587, "client");
	char path[512];
	struct stat st;

	umask(0);
	m->note(m->ctx, true);
	umask(022);
	snprintf(path, sizeof(path), "%s/msubmit/tls", home);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	DIR *dir = opendir(path);
	unsigned files = 0;

	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir));) {
		if (strncmp(e->d_name, "early", 5) != 0)
			continue;
		files++;
		assert_int_equal(fstatat(dirfd(dir), e->d_name, &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_true(known(m));
		assert_int_equal(fchmodat(dirfd(dir), e->d_name, 0644, 0), 0);
		assert_false(known(m));
		assert_int_equal(fchmodat(dirfd(dir), e->d_name, 0600, 0), 0);
		assert_true(known(m));
	}
	closedir(dir);
	assert_int_equal(files, 1);
	assert_int_equal(chmod(path, 0777), 0);
	assert_false(known(m));
	assert_int_equal(chmod(path, 0700), 0);
	assert_true(known(m));
}

static void test_no_place(void **state)
{
	(void)state;
	setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
	const struct early_memory *m = memory("127.0.0.1", 587, "client");

	m->note(m->ctx, true);
	assert_false(known(m));
	m->note(m->ctx, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_its_own), TEST(test_off), TEST(test_expires), TEST(test_private),
		TEST(test_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
