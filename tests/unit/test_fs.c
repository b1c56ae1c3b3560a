#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

static char dir[64], file[128];

/* An empty folder for each case, and in it the name of a file that is not there. */
static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/msubmit-fs-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/file", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir);
}

static void make_file(const char *text, mode_t mode)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

#define assert_text(err, words) do { \
	if (!strstr((err).text, words)) \
		fail_msg("'%s' is not in '%s'", words, (err).text); \
} while (0)

/* --- opening -------------------------------------------------------------- */

static void open_for_reading(void **state)
{
	(void)state;
	assert_int_equal(fs_open_read(file), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fs_open_read(dir), -1);
	assert_int_equal(errno, EISDIR);
	make_file("x", 0600);
	int fd = fs_open_read(file);

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static void fifo_without_writer_does_not_hang(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(file, 0600), 0);
	int fd = fs_open_read(file);

	assert_true(fd >= 0);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
}

/* --- reading -------------------------------------------------------------- */

static void read_with_a_bound(void **state)
{
	(void)state;
	static const struct { size_t limit; int rc; } cases[] = {
		{ 0, -1 }, { 9, -1 }, { 10, 0 }, { 11, 0 },
	};

	make_file("0123456789", 0600);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(cases[i].limit);
		struct error err = { 0 };
		int fd = fs_open_read(file);

		assert_int_equal(fs_read_fd(fd, "the file", &out, &err), cases[i].rc);
		if (cases[i].rc == 0) {
			assert_string_equal(out.buf, "0123456789");
		} else {
			assert_int_equal(err.exit, EX_DATAERR);
			assert_string_equal(err.status, "5.3.4");
			assert_text(err, "the file is larger than ");
		}
		close(fd);
		strbuf_release(&out);
	}
}

static void read_much(void **state)
{
	(void)state;
	struct strbuf text = STRBUF_INIT(200000), out = STRBUF_INIT(200000);
	struct error err = { 0 };

	for (unsigned i = 0; text.len < 100000; i++)
		strbuf_addf(&text, "%u ", i);
	make_file(text.buf, 0600);
	int fd = fs_open_read(file);

	assert_int_equal(fs_read_fd(fd, "x", &out, &err), 0);
	assert_string_equal(out.buf, text.buf);
	close(fd);
	strbuf_release(&text);
	strbuf_release(&out);
}

static void read_error(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT(100);
	struct error err = { 0 };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(fs_read_fd(fd, "standard input", &out, &err), -1);
	assert_int_equal(err.exit, EX_IOERR);
	assert_string_equal(err.text, "cannot read standard input: Is a directory");
	close(fd);
	strbuf_release(&out);
}

/* --- secrets -------------------------------------------------------------- */

static void mode_of_a_secret(void **state)
{
	(void)state;
	const int group = geteuid() == 0 ? 0 : -1;	/* may read it */
	const struct { mode_t mode; int rc; } cases[] = {
		{ 0600, 0 }, { 0400, 0 }, { 0700, 0 }, { 0640, group }, { 0620, -1 }, { 0604, -1 },
		{ 0602, -1 }, { 0644, -1 }, { 0666, -1 }, { 0440, group },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf out = STRBUF_INIT(100);
		struct error err = { 0 };
		char words[20];

		make_file("hunter2\n", cases[i].mode);
		assert_int_equal(fs_read_file(file, FS_SECRET, &out, &err), cases[i].rc);
		if (cases[i].rc == 0) {
			assert_string_equal(out.buf, "hunter2\n");
		} else {
			assert_int_equal(out.len, 0);
			assert_int_equal(err.exit, EX_CONFIG);
			snprintf(words, sizeof(words), "(mode %04o)", (unsigned)cases[i].mode);
			assert_text(err, words);
			assert_text(err, "run 'chmod 600 /tmp/");
		}
		strbuf_release(&out);
		unlink(file);
	}
}

/* What root lets his file's group read, and a container's manager everybody in it. */
static void secret_confided(void **state)
{
	(void)state;
	static const char mount[] = "/run/secrets/smtp";
	const uid_t me = geteuid() ? geteuid() : 1000;
	const struct { uid_t owner; mode_t mode; const char *path; bool good; } cases[] = {
		{ 0, 0640, "/etc/x", true }, { 0, 0440, "/etc/x", true },
		{ 0, 0644, "/etc/x", false }, { 0, 0660, "/etc/x", false },
		{ 0, 0650, "/etc/x", false }, { 0, 0604, "/etc/x", false },
		{ 0, 0444, mount, true }, { 0, 0644, mount, true }, { 0, 0400, mount, true },
		{ 0, 0666, mount, false }, { 0, 0646, mount, false }, { 0, 0445, mount, false },
		{ 0, 0444, "/var/run/secrets/smtp", true },
		{ 0, 0444, "/run/secrets", false }, { 0, 0444, "/run/secrets2/x", false },
		{ 0, 0444, "/run/secrets/../x", false }, { 0, 0444, "/x/run/secrets/y", false },
		{ me, 0640, "/etc/x", false }, { me, 0444, mount, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct stat st = { .st_mode = S_IFREG | cases[i].mode,
					 .st_uid = cases[i].owner };
		struct error err = { 0 };

		if (fs_check_stat(&st, FS_CONFIDED, cases[i].path, &err) !=
		    (cases[i].good ? 0 : -1))
			fail_msg("case %zu: %s", i, err.text);
		/* a cache, a state: of nobody else at all */
		assert_int_equal(fs_check_stat(&st, FS_PRIVATE, cases[i].path, &err),
				 cases[i].mode & 077 ? -1 : 0);
	}
}

static void secret_of_someone_else(void **state)
{
	(void)state;
	struct error err = { 0 };

	make_file("x", 0600);
	if (chown(file, 12345, (gid_t)-1) < 0)
		skip();		/* only root can make this case */
	int fd = fs_open_read(file);

	assert_int_equal(fs_check(fd, FS_SECRET, file, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_text(err, "belongs to user 12345, not to you: call this as that user, or run "
		    "'chown ");
	close(fd);
}

static void secret_elsewhere(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT(4);
	struct error err = { 0 };
	int fd[2];

	assert_int_equal(fs_read_file(file, FS_SECRET, &out, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_text(err, "cannot open /tmp/");
	assert_text(err, "No such file or directory");
	make_file("12345", 0600);
	assert_int_equal(fs_read_file(file, FS_SECRET, &out, &err), -1);
	assert_int_equal(err.exit, EX_DATAERR);
	assert_null(strstr(err.text, "1234"));
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(fs_check(fd[0], FS_SECRET, "a pipe", &err), 0);
	close(fd[0]);
	assert_int_equal(fs_check(fd[0], FS_SECRET, "a closed one", &err), -1);
	close(fd[1]);
	strbuf_release(&out);
}

/* --- who may write -------------------------------------------------------- */

static void rules(void **state)
{
	(void)state;
	static const struct { unsigned rules; mode_t mode; const char *text; } cases[] = {
		{ 0, 0666, NULL }, { FS_REGULAR, 0666, NULL }, { FS_OWN, 0666, NULL },
		{ FS_NOT_ANYBODY, 0664, NULL }, { FS_NOT_ANYBODY, 0602, "chmod o-w" },
		{ FS_NOT_OTHERS, 0644, NULL }, { FS_NOT_OTHERS, 0620, "chmod go-w" },
		{ FS_NOT_OTHERS, 0602, "chmod go-w" }, { FS_PRIVATE, 0700, NULL },
		{ FS_PRIVATE, 0610, "chmod 600" }, { FS_PRIVATE, 0601, "chmod 600" },
		{ FS_ONE_NAME, 0600, NULL },
	};
	struct error err = { 0 };
	char other[160];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		make_file("x", cases[i].mode);
		int fd = fs_open_read(file);

		assert_int_equal(fs_check(fd, cases[i].rules, file, &err), cases[i].text ? -1 : 0);
		if (cases[i].text)
			assert_text(err, cases[i].text);
		close(fd);
	}
	int fd = fs_open_read(file), folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(fs_check(folder, FS_REGULAR, dir, &err), -1);
	assert_text(err, "is no regular file");
	assert_int_equal(fs_check(folder, FS_OWN | FS_NOT_OTHERS, dir, &err), 0);
	assert_int_equal(fchmod(folder, 0770), 0);
	assert_int_equal(fs_check(folder, FS_OWN | FS_NOT_OTHERS, dir, &err), -1);
	close(folder);
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(link(file, other), 0);
	assert_int_equal(fs_check(fd, FS_ONE_NAME, file, &err), -1);
	assert_text(err, "single name");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(fs_check(fd, FS_ONE_NAME, file, &err), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(fs_check(fd, FS_ONE_NAME, file, &err), 0);
	close(fd);
}

/* Files of three owners, as fstat() would tell. */
static void owners(void **state)
{
	(void)state;
	const uid_t me = geteuid(), other = me + 1;
	const struct { unsigned rules; uid_t owner; mode_t type; int rc; } cases[] = {
		{ 0, other, S_IFREG, 0 },
		{ FS_OWN, me, S_IFREG, 0 }, { FS_OWN, other, S_IFREG, -1 },
		{ FS_OWN, 0, S_IFREG, me == 0 ? 0 : -1 }, { FS_OWN, other, S_IFIFO, 0 },
		{ FS_OWN, other, S_IFDIR, -1 },
		{ FS_OWN_OR_ROOT, me, S_IFREG, 0 }, { FS_OWN_OR_ROOT, 0, S_IFREG, 0 },
		{ FS_OWN_OR_ROOT, other, S_IFREG, -1 }, { FS_SECRET, other, S_IFREG, -1 },
		{ FS_ROOT, 0, S_IFREG, 0 }, { FS_ROOT, other, S_IFREG, -1 },
		{ FS_ROOT, other, S_IFIFO, -1 }, { FS_ROOT, 0, S_IFIFO, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stat st = { .st_mode = cases[i].type | 0600, .st_uid = cases[i].owner };
		struct error err = { 0 };

		if (fs_check_stat(&st, cases[i].rules, "x", &err) != cases[i].rc)
			fail_msg("case %zu: %s", i, err.text);
	}
}

/* --- writing -------------------------------------------------------------- */

static void write_all(void **state)
{
	(void)state;
	int fd[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(fs_write_all(fd[1], "", 0), 0);
	close(fd[0]);
	assert_int_equal(fs_write_all(fd[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(fd[1]);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	if (full >= 0) {
		assert_int_equal(fs_write_all(full, "x", 1), -1);
		assert_int_equal(errno, ENOSPC);
		close(full);
	}
}

static void check_temp_file(const char *where)
{
	struct error err = { 0 };
	struct stat st;
	char link[64], target[256];
	int fd = -1;

	assert_int_equal(fs_temp_file(&fd, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fs_write_all(fd, "abc", 3), 0);
	assert_int_equal(pread(fd, target, 3, 0), 3);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, target, sizeof(target) - 1);

	if (n > 0) {
		target[n] = '\0';
		if (strncmp(target, where, strlen(where)) != 0)
			fail_msg("%s is not in %s", target, where);
	}
	close(fd);
}

static void temporary_file(void **state)
{
	(void)state;
	char *before = secure_getenv("TMPDIR");
	char *saved = before ? xstrdup(before) : NULL;

	setenv("TMPDIR", dir, 1);
	check_temp_file(dir);
	setenv("TMPDIR", file, 1);	/* is not there */
	check_temp_file("/var/tmp/");
	setenv("TMPDIR", "", 1);
	check_temp_file("/var/tmp/");
	unsetenv("TMPDIR");
	check_temp_file("/var/tmp/");
	if (saved)
		setenv("TMPDIR", saved, 1);
	xfree(saved);
}

/* --- names ---------------------------------------------------------------- */

static void home_folder(void **state)
{
	(void)state;
	static const struct { const char *path, *full; } cases[] = {
		{ "~/.msmtprc", "/home/joe/.msmtprc" }, { "$HOME/x y", "/home/joe/x y" },
		{ "~/", "/home/joe/" }, { "~", "~" }, { "$HOME", "$HOME" }, { "~joe/x", "~joe/x" },
		{ "/etc/~/x", "/etc/~/x" }, { "", "" }, { "$HOMEX/x", "$HOMEX/x" },
	};
	char *before = secure_getenv("HOME");
	char *saved = before ? xstrdup(before) : NULL;

	setenv("HOME", "/home/joe", 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *full = fs_expand_home(cases[i].path);

		assert_string_equal(full, cases[i].full);
		xfree(full);
	}
	char *home = fs_home();

	assert_string_equal(home, "/home/joe");
	xfree(home);
	/* without $HOME the passwd entry counts, if there is one */
	unsetenv("HOME");
	home = fs_home();
	setenv("HOME", "", 1);
	char *same = fs_home();

	assert_int_equal(home == NULL, same == NULL);
	if (home) {
		assert_int_equal(home[0], '/');
		assert_string_equal(home, same);
	}
	xfree(home);
	xfree(same);
	if (saved)
		setenv("HOME", saved, 1);
	xfree(saved);
}

static void hint_for_a_denied_file(void **state)
{
	(void)state;
	make_file("x", 0600);
	assert_non_null(strstr(fs_denied_hint(file, EACCES), "AppArmor"));
	assert_non_null(strstr(fs_denied_hint(file, EPERM), "AppArmor"));
	assert_string_equal(fs_denied_hint(file, ENOENT), "");
	assert_int_equal(chmod(file, 0), 0);
	assert_string_equal(fs_denied_hint(file, EACCES), "");
	unlink(file);
	assert_string_equal(fs_denied_hint(file, EACCES), "");
}

/* --- locks ---------------------------------------------------------------- */

/* Whoever can read a file can lock it: no reason to wait for good. */
static void lock_that_another_holds(void **state)
{
	struct error err;

	(void)state;
	int mine = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int other = open(file, O_RDONLY | O_CLOEXEC);

	assert_true(mine >= 0 && other >= 0);
	assert_int_equal(flock(other, LOCK_SH), 0);
	assert_int_equal(fs_lock(mine, file, 60, &err), -1);
	assert_int_equal(err.exit, EX_CANTCREAT);
	assert_non_null(strstr(err.text, ": another program holds it"));
	assert_int_equal(flock(other, LOCK_UN), 0);
	assert_int_equal(fs_lock(mine, file, 0, &err), 0);
	close(mine);
	assert_int_equal(fs_lock(mine, file, 0, &err), -1);
	close(other);
}

static void local(void **state)
{
	const int fd = open("/proc", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_false(fs_is_local(-1));
	if (fd >= 0) {
		assert_false(fs_is_local(fd));
		close(fd);
	}
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(open_for_reading),
		CASE(fifo_without_writer_does_not_hang),
		CASE(read_with_a_bound),
		CASE(read_much),
		CASE(read_error),
		CASE(mode_of_a_secret),
		CASE(secret_confided),
		CASE(secret_of_someone_else),
		CASE(secret_elsewhere),
		CASE(write_all),
		CASE(temporary_file),
		CASE(rules),
		CASE(owners),
		CASE(lock_that_another_holds),
		CASE(home_folder),
		CASE(hint_for_a_denied_file),
		CASE(local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
