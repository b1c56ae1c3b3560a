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
#include <time.h>
#include <unistd.h>

#include "conf/account.h"
#include "smtp/extensions.h"
#include "smtp/session.h"
#include "submit/memory.h"
#include "util/arena.h"

static char home[64];
static struct arena *arena;
static struct account account;

static int set_up(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/test-servers.XXXXXX");
	assert_non_null(mkdtemp(home));
	setenv("XDG_STATE_HOME", home, 1);
	arena = arena_new();
	account = (struct account){ .pipe_connect = true, .pipe_connect_ttl = 3600 };
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	arena_free(arena);
	snprintf(command, sizeof(command), "%s/msubmit", home);
	DIR *dir = opendir(command);

	for (const struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_name[0] != '.')
			(void)!unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(command);
	rmdir(home);
	return 0;
}

static const struct early_memory *memory(const char *address, unsigned port, const char *name)
{
	return memory_of_early(arena, &account, address, port, name);
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
	char path[512], file[600];
	struct stat st;

	umask(0);
	m->note(m->ctx, true);
	umask(022);
	snprintf(path, sizeof(path), "%s/msubmit", home);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(file, sizeof(file), "%s/servers", path);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(known(m));
	assert_int_equal(chmod(file, 0666), 0);
	assert_false(known(m));
	/* it is as if there were none, and is replaced */
	m->note(m->ctx, true);
	assert_true(known(m));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(chmod(path, 0777), 0);
	assert_false(known(m));
	assert_int_equal(chmod(path, 0700), 0);
	assert_true(known(m));
}

/* --- what a server cannot do ------------------------------------------------ */

static bool spared(const char *host, unsigned port, enum extension_id id)
{
	time_t until[EXT_COUNT] = { 0 };

	memory_recall_server(&account, host, port, until);
	return until[id] > time(NULL) + 23 * 60 * 60 && until[id] <= time(NULL) + 24 * 60 * 60;
}

static void learn(const char *host, unsigned port, enum extension_id id)
{
	bool learnt[EXT_COUNT] = { false };

	learnt[id] = true;
	memory_note_server(&account, host, port, learnt);
}

static void write_file(const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/msubmit/servers", home);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
}

static void test_servers(void **state)
{
	(void)state;
	assert_false(spared("a", 25, EXT_PIPELINING));
	learn("a", 25, EXT_PIPELINING);
	learn("a", 25, EXT_CHUNKING);
	learn("b", 587, EXT_SIZE);
	learn("b", 587, EXT_SIZE);
	assert_true(spared("a", 25, EXT_PIPELINING));
	assert_true(spared("a", 25, EXT_CHUNKING));
	assert_false(spared("a", 25, EXT_SIZE));
	assert_false(spared("a", 587, EXT_PIPELINING));
	assert_true(spared("b", 587, EXT_SIZE));
	/* one that is about anything that protects is never kept */
	learn("a", 25, EXT_STARTTLS);
	learn("a", 25, EXT_AUTH);
	assert_false(spared("a", 25, EXT_STARTTLS));
	assert_false(spared("a", 25, EXT_AUTH));
	/* a name that would be a line of its own */
	learn("c\nSIZE 9999999999 d", 25, EXT_SIZE);
	assert_false(spared("d", 25, EXT_SIZE));
	assert_true(spared("a", 25, EXT_CHUNKING));
}

/* Lines of others, of another time and of no sense are nothing; they go with the next change. */
static void test_odd_lines(void **state)
{
	static const char *const odd[] = {
		"", "\n\n", "SIZE\n", "SIZE 9999999999\n", "SIZE x a 25\n", "SIZE 5 a 25\n",
		"STARTTLS 9999999999 a 25\nAUTH 9999999999 a 25\n",
		"SIZE 99999999999999999999999 b 25\n",
	};

	(void)state;
	learn("b", 25, EXT_SIZE);
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		time_t until[EXT_COUNT] = { 0 };

		write_file(odd[i]);
		memory_recall_server(&account, "a", 25, until);
		for (int id = 0; id < EXT_COUNT; id++)
			assert_int_equal(until[id], 0);
		learn("a", 25, EXT_SIZE);
		assert_true(spared("a", 25, EXT_SIZE));
	}
}

static void test_no_place(void **state)
{
	(void)state;
	setenv("XDG_STATE_HOME", "/proc/nowhere", 1);
	const struct early_memory *m = memory("127.0.0.1", 587, "client");

	m->note(m->ctx, true);
	assert_false(known(m));
	m->note(m->ctx, false);
	learn("a", 25, EXT_SIZE);
	assert_false(spared("a", 25, EXT_SIZE));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_its_own), TEST(test_off), TEST(test_expires), TEST(test_private),
		TEST(test_no_place), TEST(test_servers), TEST(test_odd_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
