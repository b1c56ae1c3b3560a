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
#include "submit/ehlo_memory.h"
#include "util/arena.h"
#include "util/strvec.h"

static char home[64];
static struct arena *arena;
static struct account account;

static int set_up(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/test-ehlo.XXXXXX");
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

static const struct ahead_memory *memory(const char *address, unsigned port, const char *name)
{
	return ehlo_memory_new(arena, &account, address, port, name);
}

static void keep(const struct ahead_memory *m, enum ahead_phase phase, const char *words)
{
	struct strvec lines = STRVEC_INIT(100);

	strvec_split(&lines, words, ",");
	m->remember(m->ctx, phase, &lines);
	strvec_release(&lines);
}

/* What is known, with commas; "" for nothing. */
static void known(const struct ahead_memory *m, enum ahead_phase phase, const char *want)
{
	struct strvec lines = STRVEC_INIT(100);
	char got[256] = "";
	bool found = m->recall(m->ctx, phase, &lines);

	for (size_t i = 0; i < lines.n; i++) {
		size_t used = strlen(got);

		snprintf(got + used, sizeof(got) - used, "%s%s", i ? "," : "", lines.v[i]);
	}
	assert_string_equal(got, want);
	assert_int_equal(found, *want != '\0');
	strvec_release(&lines);
}

static void test_each_its_own(void **state)
{
	(void)state;
	const struct ahead_memory *a = memory("127.0.0.1", 587, "client");

	known(a, AHEAD_CLEAR, "");
	keep(a, AHEAD_CLEAR, "PIPELINING,SIZE 100,PIPECONNECT");
	keep(a, AHEAD_TLS, "AUTH PLAIN");
	known(memory("127.0.0.1", 587, "client"), AHEAD_CLEAR, "PIPELINING,SIZE 100,PIPECONNECT");
	known(memory("127.0.0.1", 587, "client"), AHEAD_TLS, "AUTH PLAIN");
	known(memory("127.0.0.2", 587, "client"), AHEAD_CLEAR, "");
	known(memory("127.0.0.1", 25, "client"), AHEAD_CLEAR, "");
	known(memory("127.0.0.1", 587, "other"), AHEAD_CLEAR, "");
	keep(a, AHEAD_CLEAR, "SIZE 200");
	known(a, AHEAD_CLEAR, "SIZE 200");
	a->forget(a->ctx);
	known(a, AHEAD_CLEAR, "");
	known(a, AHEAD_TLS, "");
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
	const struct ahead_memory *m = memory("127.0.0.1", 587, "client");

	keep(m, AHEAD_CLEAR, "SIZE");
	for (int i = 0; i < 300; i++) {
		struct strvec lines = STRVEC_INIT(100);
		bool found = m->recall(m->ctx, AHEAD_CLEAR, &lines);

		strvec_release(&lines);
		if (!found)
			return;
		usleep(10000);
	}
	fail_msg("it does not expire");
}

/* Nobody else reads it, and what somebody else wrote is not read. */
static void test_private(void **state)
{
	(void)state;
	const struct ahead_memory *m = memory("127.0.0.1", 587, "client");
	char path[512];
	struct stat st;

	umask(0);
	keep(m, AHEAD_CLEAR, "SIZE");
	umask(022);
	snprintf(path, sizeof(path), "%s/msubmit/tls", home);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	DIR *dir = opendir(path);
	unsigned files = 0;

	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir));) {
		if (strncmp(e->d_name, "ehlo", 4) != 0)
			continue;
		files++;
		assert_int_equal(fstatat(dirfd(dir), e->d_name, &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		known(m, AHEAD_CLEAR, "SIZE");
		assert_int_equal(fchmodat(dirfd(dir), e->d_name, 0644, 0), 0);
		known(m, AHEAD_CLEAR, "");
		assert_int_equal(fchmodat(dirfd(dir), e->d_name, 0600, 0), 0);
		known(m, AHEAD_CLEAR, "SIZE");
	}
	closedir(dir);
	assert_int_equal(files, 1);
	assert_int_equal(chmod(path, 0777), 0);
	known(m, AHEAD_CLEAR, "");
	keep(m, AHEAD_TLS, "SIZE");
	known(m, AHEAD_TLS, "");
	assert_int_equal(chmod(path, 0700), 0);
	known(m, AHEAD_CLEAR, "SIZE");
}

static void test_no_place(void **state)
{
	(void)state;
	setenv("XDG_CACHE_HOME", "/proc/nowhere", 1);
	const struct ahead_memory *m = memory("127.0.0.1", 587, "client");

	keep(m, AHEAD_CLEAR, "SIZE");
	known(m, AHEAD_CLEAR, "");
	m->forget(m->ctx);
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
