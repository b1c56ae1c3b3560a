#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "conf_scratch.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/store.h"
#include "util/strbuf.h"

/* --- calls that can be made to fail, and a record of their order ------------ */

static char record[256];
static int fail_at;		/* the Nth of them fails; 0 = none */
static int fail_link;		/* errno of linkat(); 0 = it works */
static struct stat last_synced;	/* the folder that was synced last */

/* c is what was called; -1 when it is to fail. */
static int note(char c)
{
	size_t n = strlen(record);

	if (n + 1 < sizeof(record)) {
		record[n] = c;
		record[n + 1] = '\0';
	}
	if (fail_at && --fail_at == 0) {
		errno = EIO;
		return -1;
	}
	return 0;
}

/* F: all that was written to the file; E: less (nothing); D: a folder. */
int fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	if (S_ISDIR(st.st_mode))
		last_synced = st;
	return note(S_ISDIR(st.st_mode) ? 'D' : st.st_size ? 'F' : 'E') < 0 ? -1 :
		(int)syscall(SYS_fsync, fd);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
	if (note('L') < 0)
		return -1;
	if (fail_link) {
		errno = fail_link;
		return -1;
	}
	return (int)syscall(SYS_linkat, from, old, to, new, flags);
}

int renameat(int from, const char *old, int to, const char *new)
{
	return note('R') < 0 ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

/* --- a home folder for each test --------------------------------------------- */

static struct strbuf path = STRBUF_INIT(4096);
static struct store store;
static struct error failure;

static int setup(void **state)
{
	unsetenv("STATE_DIRECTORY");
	unsetenv("XDG_STATE_HOME");
	strbuf_reset(&path);
	store = (struct store)STORE_INIT;
	record[0] = '\0';
	fail_at = fail_link = 0;
	return scratch_setup(state);
}

static int teardown(void **state)
{
	strbuf_release(&path);
	store_close(&store);
	return scratch_teardown(state);
}

static const char *where(void)
{
	strbuf_reset(&path);
	return store_state_path(&path) < 0 ? NULL : path.buf;
}

static void places(void **state)
{
	(void)state;
	setenv("HOME", "/home/j", 1);
	assert_string_equal(where(), geteuid() ? "/home/j/.local/state/msubmit" :
			    "/var/lib/msubmit");
	setenv("XDG_STATE_HOME", "relative", 1);
	assert_string_equal(where(), geteuid() ? "/home/j/.local/state/msubmit" :
			    "/var/lib/msubmit");
	setenv("XDG_STATE_HOME", "/xdg", 1);
	assert_string_equal(where(), "/xdg/msubmit");
	setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b", 1);
	assert_string_equal(where(), "/var/lib/a");
}

/* A service's folder and root's make no difference to what belongs to the user. */
static void user_places(void **state)
{
	(void)state;
	setenv("HOME", "/home/j", 1);
	setenv("STATE_DIRECTORY", "/var/lib/a", 1);
	assert_int_equal(store_user_path("file", &path), 0);
	assert_string_equal(path.buf, "/home/j/.local/state/msubmit/file");
	setenv("XDG_STATE_HOME", "/xdg", 1);
	strbuf_reset(&path);
	assert_int_equal(store_user_path("file", &path), 0);
	assert_string_equal(path.buf, "/xdg/msubmit/file");
}

/* --- folders ------------------------------------------------------------------ */

static int open_state(void)
{
	store_close(&store);
	return store_open_state(&store, "sub", &failure);
}

static void assert_mode(const char *name, mode_t mode)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static bool is_synced_last(const char *name)
{
	struct stat st;

	assert_int_equal(stat(name, &st), 0);
	return st.st_dev == last_synced.st_dev && st.st_ino == last_synced.st_ino;
}

static void folders_are_made_private(void **state)
{
	(void)state;
	setenv("XDG_STATE_HOME", scratch_path("new/state"), 1);
	mode_t old = umask(0);

	assert_int_equal(open_state(), 0);
	umask(old);
	assert_string_equal(store.path, scratch_path("new/state/msubmit/sub"));
	assert_mode(store.path, 0700);
	assert_mode(scratch_path("new"), 0700);
	/* four names, each in a folder that was synced */
	assert_string_equal(record, "DDDD");
	assert_true(is_synced_last(scratch_path("new/state/msubmit")));
	assert_true(fcntl(store.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(open_state(), 0);
	assert_string_equal(record, "DDDD");
}

static void a_folder_that_is_not_synced_is_none(void **state)
{
	(void)state;
	setenv("XDG_STATE_HOME", scratch, 1);
	fail_at = 2;
	assert_int_equal(open_state(), -1);
	assert_int_equal(failure.exit, EX_CANTCREAT);
	assert_int_equal(store.fd, -1);
}

static void others_are_kept_out(void **state)
{
	(void)state;
	setenv("XDG_STATE_HOME", scratch_path("shared"), 1);
	assert_int_equal(open_state(), 0);
	const char *sub = scratch_path("shared/msubmit/sub");
	static const mode_t modes[] = { 0770, 0720, 0702, 0777 };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		assert_int_equal(chmod(sub, modes[i]), 0);
		assert_int_equal(open_state(), -1);
		assert_int_equal(failure.exit, EX_CONFIG);
		assert_has(failure.text, "cannot use the folder");
		assert_has(failure.text, "run 'chmod go-w ");
	}
	assert_int_equal(chmod(sub, 0755), 0);
	assert_int_equal(open_state(), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(sub, 12345, 12345), 0);
		assert_int_equal(open_state(), -1);
		assert_has(failure.text, "belongs to user 12345");
	}
	/* not even to a good one */
	assert_int_equal(rmdir(sub), 0);
	assert_int_equal(mkdir(scratch_path("good"), 0700), 0);
	assert_int_equal(symlink(scratch_path("good"), sub), 0);
	assert_int_equal(open_state(), -1);
	assert_int_equal(store_open(&store, sub, false, &failure), -1);
	/* a slash at the end leads nowhere else */
	char slash[300];

	snprintf(slash, sizeof(slash), "%s/", sub);
	assert_int_equal(store_open(&store, slash, true, &failure), -1);
	assert_int_equal(store_open(&store, slash, false, &failure), -1);
	assert_int_equal(unlink(sub), 0);
	assert_int_equal(symlink("nowhere", sub), 0);
	assert_int_equal(open_state(), -1);
	scratch_file("shared/msubmit/sub", "", 0600);
	assert_int_equal(open_state(), -1);
}

static void no_place(void **state)
{
	(void)state;
	setenv("XDG_STATE_HOME", scratch_path("home"), 1);
	assert_int_equal(store_open_user(&store, false, &failure), 0);
	assert_int_equal(store.fd, -1);
	assert_int_equal(store_read(&store, "x", 0, &path, &failure), 0);
	assert_int_equal(path.len, 0);
	assert_int_equal(access(scratch_path("home"), F_OK), -1);
	store_close(&store);
	assert_int_equal(store_open_user(&store, true, &failure), 0);
	assert_string_equal(store.path, scratch_path("home/msubmit"));
}

static void the_folder_above(void **state)
{
	static const struct { const char *path, *name; } cases[] = {
		{ "a", "a" }, { "./a", "a" }, { "../a/b", "b" }, { "/x", "x" }, { "/", "" },
	};
	const char *name;

	(void)state;
	assert_int_equal(chdir(scratch), 0);
	assert_int_equal(mkdir("a", 0700), 0);
	assert_int_equal(mkdir("b", 0700), 0);
	assert_int_equal(chdir("b"), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = store_open_above(cases[i].path, &name);

		assert_true(fd >= 0);
		assert_string_equal(name, cases[i].name);
		close(fd);
	}
	assert_int_equal(store_sync_above("../a//"), 0);
	assert_true(is_synced_last(scratch));
	assert_int_equal(store_sync_above("nowhere/a"), -1);
	assert_int_equal(errno, ENOENT);
	if (geteuid() != 0) {
		assert_int_equal(chmod("../a", 0300), 0);
		assert_int_equal(store_sync_above("../a/x"), 0);
		assert_int_equal(chmod("../a", 0700), 0);
	}
	int fd = store_open_below(AT_FDCWD, "new/");

	assert_true(fd >= 0);
	assert_true(is_synced_last("."));
	close(fd);
	record[0] = '\0';
	fd = store_open_below(AT_FDCWD, "new");
	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(record, "");
	fail_at = 1;
	assert_int_equal(store_open_below(AT_FDCWD, "other"), -1);
	int parent = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fail_at = 1;
	assert_int_equal(store_open_below(parent, "third"), -1);
	fd = store_open_below(parent, "fourth");
	assert_true(fd >= 0);
	assert_true(is_synced_last(scratch));
	close(fd);
	close(parent);
	assert_int_equal(chdir("/"), 0);
}

/* --- the lock ------------------------------------------------------------------ */

static void the_lock_is_bounded(void **state)
{
	struct store other;

	(void)state;
	assert_int_equal(store_open(&store, scratch, false, &failure), 0);
	assert_int_equal(store_open(&other, scratch, false, &failure), 0);
	assert_int_equal(store_lock(&other, 0, &failure), 0);
	int64_t before = clock_ms();

	assert_int_equal(store_lock(&store, 60, &failure), -1);
	assert_in_range(clock_ms() - before, 60, 5000);
	assert_int_equal(failure.exit, EX_CANTCREAT);
	assert_has(failure.text, scratch);
	assert_has(failure.text, "another program holds it");
	store_close(&other);
	assert_int_equal(store_lock(&store, 0, &failure), 0);
}

/* --- reading --------------------------------------------------------------------- */

static int read_it(unsigned rules)
{
	strbuf_reset(&path);
	return store_read(&store, "it", rules, &path, &failure);
}

static void what_is_read(void **state)
{
	(void)state;
	assert_int_equal(store_open(&store, scratch, false, &failure), 0);
	assert_int_equal(read_it(0), 0);
	assert_int_equal(path.len, 0);
	scratch_file("it", "words", 0640);
	assert_int_equal(read_it(FS_OWN | FS_NOT_OTHERS), 0);
	assert_string_equal(path.buf, "words");
	assert_int_equal(read_it(FS_PRIVATE), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_has(failure.text, "/it holds a secret");
	assert_int_equal(path.len, 0);
	scratch_file("it", "words", 0620);
	assert_int_equal(read_it(FS_NOT_OTHERS), -1);
	assert_int_equal(unlink(scratch_path("it")), 0);
	assert_int_equal(symlink(scratch_file("other", "theirs", 0600), scratch_path("it")), 0);
	assert_int_equal(read_it(0), -1);
	assert_int_equal(path.len, 0);
	assert_int_equal(unlink(scratch_path("it")), 0);
	assert_int_equal(mkfifo(scratch_path("it"), 0600), 0);
	assert_int_equal(read_it(0), -1);
	assert_has(failure.text, "is no regular file");
}

/* --- writing --------------------------------------------------------------------- */

static void assert_holds(const char *name, const char *content)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	assert_int_equal(fs_read_file(scratch_path(name), 0, &text, &failure), 0);
	assert_string_equal(text.buf, content);
	strbuf_release(&text);
}

static size_t files(const char *folder)
{
	DIR *d = opendir(folder);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static int put(enum store_way way, const char *text)
{
	return store_write(&store, "it", 0640, way, text, strlen(text), &failure);
}

/* Its octets are safe before it has the name, and the name before we say so. */
static void the_order_of_calls(void **state)
{
	(void)state;
	assert_int_equal(store_open(&store, scratch, false, &failure), 0);
	umask(077);
	assert_int_equal(put(STORE_NEW, "old"), 0);
	umask(022);
	assert_string_equal(record, "FLD");
	assert_true(is_synced_last(scratch));
	assert_mode(scratch_path("it"), 0640);
	record[0] = '\0';
	assert_int_equal(put(STORE_REPLACE, "new"), 0);
	assert_string_equal(record, "FRD");
	assert_holds("it", "new");
	assert_mode(scratch_path("it"), 0640);
	record[0] = '\0';
	assert_int_equal(put(STORE_CACHE, "lost without harm"), 0);
	assert_string_equal(record, "R");
	assert_holds("it", "lost without harm");
	record[0] = '\0';
	assert_int_equal(store_write_path(scratch_path("it"), 0600, STORE_REPLACE, "x", 1,
					  &failure), 0);
	assert_string_equal(record, "FRD");
	assert_mode(scratch_path("it"), 0600);
	assert_int_equal(files(scratch), 1);
}

static void nothing_is_lost_or_left(void **state)
{
	(void)state;
	assert_int_equal(store_open(&store, scratch, false, &failure), 0);
	for (int n = 1; n <= 3; n++) {
		fail_at = n;
		assert_int_equal(put(STORE_NEW, "first"), -1);
		assert_int_equal(failure.exit, EX_CANTCREAT);
		assert_has(failure.text, "/it: Input/output error");
		assert_int_equal(files(scratch), 0);
	}
	scratch_file("it", "old", 0600);
	for (int n = 1; n <= 3; n++) {
		fail_at = n;
		assert_int_equal(put(STORE_REPLACE, "new"), -1);
		assert_int_equal(files(scratch), 1);
		assert_holds("it", n < 3 ? "old" : "new");
	}
}

static void no_room(void **state)
{
	static char text[100000];
	struct rlimit before, limit;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	scratch_file("it", "old", 0600);
	assert_int_equal(store_open(&store, scratch, false, &failure), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	limit = (struct rlimit){ .rlim_cur = 5000, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int rc = put(STORE_REPLACE, text);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(rc, -1);
	assert_string_equal(failure.status, "4.3.1");
	assert_holds("it", "old");
	assert_int_equal(files(scratch), 1);
}

static void a_new_file_replaces_nothing(void **state)
{
	static const int without[] = { 0, EPERM, EOPNOTSUPP, ENOSYS, EMLINK };

	(void)state;
	assert_int_equal(store_open(&store, scratch, false, &failure), 0);
	for (size_t i = 0; i < ARRAY_LEN(without); i++) {
		fail_link = without[i];
		scratch_file("it", "theirs", 0600);
		assert_int_equal(put(STORE_NEW, "ours"), -1);
		assert_has(failure.text, "/it exists already and is left as it is");
		assert_holds("it", "theirs");
		assert_int_equal(files(scratch), 1);
		unlink(scratch_path("it"));
		assert_int_equal(put(STORE_NEW, "ours"), 0);
		assert_holds("it", "ours");
		assert_int_equal(files(scratch), 1);
	}
	fail_link = ENOSPC;
	unlink(scratch_path("it"));
	assert_int_equal(put(STORE_NEW, "ours"), -1);
	assert_string_equal(failure.status, "4.3.1");
	assert_int_equal(files(scratch), 0);
}

/* Written in pieces in one folder, committed to another, as a queue does. */
static void step_by_step(void **state)
{
	struct store_file f;

	(void)state;
	int tmp = store_open_below(AT_FDCWD, scratch_path("tmp"));
	int new = store_open_below(AT_FDCWD, scratch_path("new"));

	record[0] = '\0';
	assert_int_equal(store_begin(&f, tmp, "entry", 0600), 0);
	assert_true(fcntl(f.fd, F_GETFD) & FD_CLOEXEC);
	assert_mode(scratch_path("tmp/entry"), 0600);
	assert_int_equal(fs_write_all(f.fd, "one ", 4), 0);
	assert_int_equal(files(scratch_path("new")), 0);
	assert_int_equal(fs_write_all(f.fd, "two", 3), 0);
	assert_int_equal(store_commit(&f, new, "entry.1", STORE_NEW), 0);
	assert_int_equal(f.fd, -1);
	assert_string_equal(record, "FLD");
	assert_true(is_synced_last(scratch_path("new")));
	assert_holds("new/entry.1", "one two");
	assert_int_equal(files(scratch_path("tmp")), 0);
	store_abort(&f);
	assert_holds("new/entry.1", "one two");
	/* given up */
	assert_int_equal(store_begin(&f, tmp, NULL, 0600), 0);
	assert_int_equal(files(scratch_path("tmp")), 1);
	errno = EDOM;
	store_abort(&f);
	assert_int_equal(errno, EDOM);
	assert_int_equal(files(scratch_path("tmp")), 0);
	/* a temporary name of somebody else is his */
	scratch_file("tmp/entry", "theirs", 0600);
	assert_int_equal(store_begin(&f, tmp, "entry", 0600), -1);
	assert_int_equal(errno, EEXIST);
	store_abort(&f);
	assert_holds("tmp/entry", "theirs");
	close(tmp);
	close(new);
}

/* It has its name before it is safe: who finds it locked leaves it alone. */
static void without_a_name(void **state)
{
	struct store_file f;
	char by_number[64];

	(void)state;
	int new = store_open_below(AT_FDCWD, scratch_path("new"));

	for (int fail = 0; fail <= 3; fail++) {
		record[0] = '\0';
		assert_int_equal(store_begin_locked(&f, new, 0600), 0);
		if (*f.temporary)
			skip();	/* the file system has no such files */
		assert_int_equal(files(scratch_path("new")), 0);
		assert_true(fcntl(f.fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(fs_write_all(f.fd, "text", 4), 0);
		fail_at = fail;
		assert_int_equal(store_commit(&f, new, "entry", STORE_NEW), fail ? -1 : 0);
		assert_int_equal(f.fd, -1);
		assert_int_equal(files(scratch_path("new")), fail ? 0 : 1);
		fail_at = 0;
		if (!fail) {
			assert_string_equal(record, "LFD");
			assert_true(is_synced_last(scratch_path("new")));
			assert_mode(scratch_path("new/entry"), 0600);
			assert_holds("new/entry", "text");
			unlink(scratch_path("new/entry"));
		}
	}
	assert_int_equal(store_begin_locked(&f, new, 0640), 0);
	snprintf(by_number, sizeof(by_number), "/proc/self/fd/%d", f.fd);
	int other = open(by_number, O_RDWR);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(store_commit(&f, new, "entry", STORE_NEW), 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	close(other);
	assert_mode(scratch_path("new/entry"), 0640);
	/* nothing is taken from who has the name */
	assert_int_equal(store_begin_locked(&f, new, 0600), 0);
	assert_int_equal(store_commit(&f, new, "entry", STORE_NEW), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(files(scratch_path("new")), 1);
	close(new);
}

/* As it was when the files were made that are there. */
static void a_name_for_a_key(void **state)
{
	struct strbuf key = STRBUF_INIT(10);

	(void)state;
	store_name(&path, "", &key);
	assert_string_equal(path.buf, "cbf29ce484222325");
	strbuf_reset(&path);
	strbuf_addstr(&key, "foobar");
	store_name(&path, "x", &key);
	assert_string_equal(path.buf, "x85944171f73967e8");
	strbuf_release(&key);
}

static void old_files_are_cleaned(void **state)
{
	struct timespec old[2] = { { .tv_sec = time(NULL) - 100 }, { .tv_sec = time(NULL) - 100 } };

	(void)state;
	assert_int_equal(store_open(&store, scratch, false, &failure), 0);
	scratch_file("young", "x", 0600);
	assert_int_equal(utimensat(AT_FDCWD, scratch_file("old", "x", 0600), old, 0), 0);
	assert_int_equal(mkdir(scratch_path("folder"), 0700), 0);
	assert_int_equal(utimensat(AT_FDCWD, scratch_path("folder"), old, 0), 0);
	store_clean(&store, 200);
	assert_int_equal(files(scratch), 3);
	store_clean(&store, 50);
	assert_int_equal(files(scratch), 2);
	assert_int_equal(access(scratch_path("old"), F_OK), -1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(places), CASE(user_places), CASE(folders_are_made_private),
		CASE(a_folder_that_is_not_synced_is_none), CASE(others_are_kept_out),
		CASE(no_place), CASE(the_folder_above), CASE(the_lock_is_bounded),
		CASE(what_is_read), CASE(the_order_of_calls), CASE(nothing_is_lost_or_left),
		CASE(no_room), CASE(a_new_file_replaces_nothing), CASE(step_by_step),
		CASE(without_a_name),
		CASE(a_name_for_a_key), CASE(old_files_are_cleaned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
