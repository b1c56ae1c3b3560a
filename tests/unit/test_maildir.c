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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "deliver/maildir.h"
#include "message/result.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"

/* --- calls that can be made to fail, and a record of their order ---------- */

static char record[64];
static int fail_fsync;		/* the Nth fails; 0 = none */
static int fail_link;		/* errno of linkat(); 0 = it works */
static int fail_rename;

static void note(char c)
{
	size_t n = strlen(record);

	if (n + 1 < sizeof(record)) {
		record[n] = c;
		record[n + 1] = '\0';
	}
}

int fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	note(S_ISDIR(st.st_mode) ? 'D' : 'F');
	if (fail_fsync && --fail_fsync == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
	note('L');
	if (fail_link) {
		errno = fail_link;
		return -1;
	}
	return (int)syscall(SYS_linkat, from, old, to, new, flags);
}

int renameat(int from, const char *old, int to, const char *new)
{
	note('R');
	if (fail_rename) {
		errno = fail_rename;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

/* --- a folder for each test ----------------------------------------------- */

static char top[64], box[80];
static struct maildir maildir;

static int setup(void **state)
{
	struct error err;

	(void)state;
	snprintf(top, sizeof(top), "/tmp/msubmit-maildir-XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(box, sizeof(box), "%s/box", top);
	if (maildir_open(&maildir, box, "host.example.org", &err) < 0)
		return -1;
	record[0] = '\0';
	fail_fsync = fail_link = fail_rename = 0;
	return 0;
}

static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;

	while (dir && (e = readdir(dir))) {
		struct strbuf name = STRBUF_INIT(1000);

		strbuf_addf(&name, "%s/%s", path, e->d_name);
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    unlink(name.buf) < 0)
			remove_tree(name.buf);
		strbuf_release(&name);
	}
	if (dir)
		closedir(dir);
	(void)rmdir(path);
}

static int teardown(void **state)
{
	(void)state;
	maildir_close(&maildir);
	remove_tree(top);
	return 0;
}

/* Files in a folder of the Maildir; the name of the last one in name (may be NULL). */
static size_t count_files(const char *folder, struct strbuf *name)
{
	struct strbuf path = STRBUF_INIT(1000);
	const struct dirent *e;
	size_t n = 0;

	strbuf_addf(&path, "%s/%s", box, folder);
	DIR *dir = opendir(path.buf);

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (name) {
			strbuf_reset(name);
			strbuf_addf(name, "%s/%s", path.buf, e->d_name);
		}
	}
	closedir(dir);
	strbuf_release(&path);
	return n;
}

static int begin(struct error *err)
{
	const char *id = NULL;
	int rc = maildir.delivery.ops->begin(&maildir.delivery, NULL, NULL, &id, err);

	if (rc == 0)
		assert_string_equal(id, maildir.name.buf);
	return rc;
}

static int put(const char *data, size_t n, struct error *err)
{
	return maildir.delivery.ops->write(&maildir.delivery, data, n, err);
}

static int commit(struct error *err)
{
	struct arena *a = arena_new();
	struct result result;

	result_init(&result, a, 2);
	maildir.delivery.ops->commit(&maildir.delivery, &result);
	*err = result.error;
	const bool stored = result_count(&result, OUTCOME_ACCEPTED) == 2;

	assert_true(stored == !err->exit);
	arena_free(a);
	return stored ? 0 : -1;
}

static int deliver(const char *text, struct error *err)
{
	if (begin(err) < 0)
		return -1;
	if (put(text, strlen(text), err) < 0) {
		maildir.delivery.ops->abandon(&maildir.delivery);
		return -1;
	}
	return commit(err);
}

static void assert_only_message(const char *text, size_t n)
{
	struct strbuf name = STRBUF_INIT(1000), content = STRBUF_INIT(16 * 1024 * 1024);
	struct error err;
	struct stat st;

	assert_int_equal(count_files("tmp", NULL), 0);
	assert_int_equal(count_files("new", &name), 1);
	assert_int_equal(stat(name.buf, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_nlink, 1);
	int fd = fs_open_read(name.buf);

	assert_true(fd >= 0);
	assert_int_equal(fs_read_fd(fd, name.buf, &content, &err), 0);
	close(fd);
	assert_int_equal(content.len, n);
	assert_memory_equal(content.buf, text, n);
	strbuf_release(&name);
	strbuf_release(&content);
}

static void assert_nothing_left(void)
{
	assert_int_equal(count_files("tmp", NULL), 0);
	assert_int_equal(count_files("new", NULL), 0);
	assert_int_equal(count_files("cur", NULL), 0);
	assert_int_equal(maildir.file.fd, -1);
}

/* --- the tests ------------------------------------------------------------ */

static void test_deliver(void **state)
{
	static const char stored[] = "Subject: x\n\n.body\n\xff\xc3\xa4\n\n";
	struct error err;

	(void)state;
	assert_int_equal(deliver("Subject: x\r\n\r\n.body\r\n\xff\xc3\xa4\r\n\r\n", &err), 0);
	assert_only_message(stored, sizeof(stored) - 1);
}

/* The message is safe before it has its name, the name before we say so. */
static void test_order_of_calls(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(deliver("x\r\n", &err), 0);
	assert_string_equal(record, "FLD");
}

static void test_empty(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(deliver("", &err), 0);
	assert_only_message("", 0);
}

/* Line ends at each place of the buffer's edge, and pieces of each size around it. */
static void test_buffer_edges(void **state)
{
	static char data[70000], stored[70000];
	struct error err;

	(void)state;
	for (size_t at = 65530; at < 65542; at++) {
		memset(data, 'x', sizeof(data));
		memset(stored, 'x', sizeof(stored));
		memcpy(data + at, "\r\n", 2);
		stored[at] = '\n';
		assert_int_equal(begin(&err), 0);
		for (size_t done = 0, part; done < sizeof(data); done += part) {
			part = done + 9973 <= sizeof(data) ? 9973 : sizeof(data) - done;
			assert_int_equal(put(data + done, part, &err), 0);
		}
		assert_int_equal(commit(&err), 0);
		assert_only_message(stored, sizeof(stored) - 1);
		teardown(state);
		setup(state);
		assert_int_equal(begin(&err), 0);
		assert_int_equal(put(data, sizeof(data), &err), 0);
		assert_int_equal(commit(&err), 0);
		assert_only_message(stored, sizeof(stored) - 1);
		teardown(state);
		setup(state);
	}
}

static void test_octet_by_octet(void **state)
{
	static const char data[] = "a\r\n\r\nb\r\n", stored[] = "a\n\nb\n";
	struct error err;

	(void)state;
	assert_int_equal(begin(&err), 0);
	for (size_t i = 0; i + 1 < sizeof(data); i++)
		assert_int_equal(put(data + i, 1, &err), 0);
	assert_int_equal(commit(&err), 0);
	assert_only_message(stored, sizeof(stored) - 1);
}

static void test_names_differ(void **state)
{
	enum { MANY = 100 };
	struct error err;

	(void)state;
	for (int i = 0; i < MANY; i++)
		assert_int_equal(deliver("x\r\n", &err), 0);
	assert_int_equal(count_files("new", NULL), MANY);
	assert_int_equal(count_files("tmp", NULL), 0);
}

static void test_name_of_host(void **state)
{
	static const struct { const char *host, *end; } cases[] = {
		{ "a/b:c", ".a\\057b\\072c" },
		{ "../../etc", "...\\057..\\057etc" },
		{ "a b\n\x7f", ".ab" },
		{ "", "." },
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		maildir.host = cases[i].host;
		assert_int_equal(begin(&err), 0);
		size_t n = strlen(cases[i].end);

		assert_string_equal(maildir.name.buf + maildir.name.len - n, cases[i].end);
		assert_null(strchr(maildir.name.buf, '/'));
		assert_int_equal(commit(&err), 0);
	}
	char name[300];

	memset(name, 'h', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	maildir.host = name;
	assert_int_equal(begin(&err), 0);
	assert_in_range(maildir.name.len, 100, 220);
	assert_int_equal(commit(&err), 0);
	assert_int_equal(count_files("new", NULL), ARRAY_LEN(cases) + 1);
}

static void test_abandon(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(begin(&err), 0);
	assert_int_equal(put("half", 4, &err), 0);
	assert_int_equal(count_files("tmp", NULL), 1);
	maildir.delivery.ops->abandon(&maildir.delivery);
	assert_nothing_left();
	maildir.delivery.ops->abandon(&maildir.delivery);
	assert_int_equal(deliver("x\r\n", &err), 0);
	assert_only_message("x\n", 2);
}

/* What was not committed is not there, and what is half written goes when we go. */
static void test_close_abandons(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(begin(&err), 0);
	maildir_close(&maildir);
	assert_nothing_left();
	assert_int_equal(maildir_open(&maildir, box, "h", &err), 0);
}

static void test_each_sync_fails(void **state)
{
	struct error err;

	(void)state;
	for (int n = 1; n <= 2; n++) {
		fail_fsync = n;
		assert_int_equal(deliver("x\r\n", &err), -1);
		assert_string_equal(err.status, "4.3.0");
		assert_int_equal(err.exit, EX_CANTCREAT);
		assert_nothing_left();
	}
	assert_int_equal(deliver("x\r\n", &err), 0);
	assert_only_message("x\n", 2);
}

static void test_link_fails(void **state)
{
	static const struct { int number; const char *status; } cases[] = {
		{ ENOSPC, "4.3.1" }, { EDQUOT, "4.3.1" }, { EIO, "4.3.0" }, { EEXIST, "4.3.0" },
	};
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fail_link = cases[i].number;
		assert_int_equal(deliver("x\r\n", &err), -1);
		assert_string_equal(err.status, cases[i].status);
		assert_nothing_left();
	}
}

/* A file system without links. */
static void test_rename_instead(void **state)
{
	static const int without[] = { EPERM, EOPNOTSUPP, ENOSYS, EMLINK };
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(without); i++) {
		fail_link = without[i];
		assert_int_equal(deliver("x\r\n", &err), 0);
		assert_string_equal(record, "FLRD");
		assert_only_message("x\n", 2);
		teardown(state);
		setup(state);
	}
	fail_link = EPERM;
	fail_rename = ENOSPC;
	assert_int_equal(deliver("x\r\n", &err), -1);
	assert_string_equal(err.status, "4.3.1");
	assert_nothing_left();
}

/* A full disk at each size, by way of the limit on the size of files. */
static void test_no_room(void **state)
{
	static char data[200000];
	struct rlimit before, limit;
	struct error err;

	(void)state;
	memset(data, 'x', sizeof(data) - 1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t room = 0; room < sizeof(data) - 1; room += 32768) {
		limit = (struct rlimit){ .rlim_cur = room, .rlim_max = before.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		int rc = deliver(data, &err);

		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		assert_int_equal(rc, -1);
		assert_string_equal(err.status, "4.3.1");
		assert_nothing_left();
	}
	assert_int_equal(deliver("x\r\n", &err), 0);
}

/* Somebody took a folder away under us: one message fails, for the next it is there again. */
static void test_lost_folder(void **state)
{
	struct strbuf path = STRBUF_INIT(200);
	struct error err;

	(void)state;
	strbuf_addf(&path, "%s/new", box);
	assert_int_equal(begin(&err), 0);
	assert_int_equal(rmdir(path.buf), 0);
	assert_int_equal(commit(&err), -1);
	assert_string_equal(err.status, "4.3.0");
	assert_int_equal(count_files("tmp", NULL), 0);
	assert_int_equal(maildir.file.fd, -1);
	assert_int_equal(deliver("x\r\n", &err), 0);
	assert_only_message("x\n", 2);
	strbuf_release(&path);
}

/* The whole of it is removed, or moved away, and made anew by somebody or by us. */
static void test_made_anew(void **state)
{
	struct strbuf old = STRBUF_INIT(200);
	struct maildir other;
	struct error err;

	(void)state;
	strbuf_addf(&old, "%s/old", top);
	remove_tree(box);
	record[0] = '\0';
	assert_int_equal(deliver("x\r\n", &err), 0);
	assert_string_equal(record, "DDDDFLD");		/* the folder above it is synced, too */
	assert_only_message("x\n", 2);
	assert_int_equal(rename(box, old.buf), 0);
	assert_int_equal(maildir_open(&other, box, "h", &err), 0);
	maildir_close(&other);
	assert_int_equal(deliver("y\r\n", &err), 0);
	assert_only_message("y\n", 2);
	remove_tree(box);
	remove_tree(top);
	assert_int_equal(begin(&err), -1);
	assert_string_equal(err.status, "4.3.0");
	strbuf_release(&old);
}

static void test_open(void **state)
{
	struct strbuf path = STRBUF_INIT(200);
	struct maildir other;
	struct error err;
	struct stat st;

	(void)state;
	assert_int_equal(stat(box, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(maildir_open(&other, box, "h", &err), 0);	/* as it is there already */
	maildir_close(&other);
	strbuf_addf(&path, "%s/missing/box", top);
	assert_int_equal(maildir_open(&other, path.buf, "h", &err), -1);
	assert_int_equal(err.exit, EX_CANTCREAT);
	assert_non_null(strstr(err.text, path.buf));
	strbuf_reset(&path);
	strbuf_addf(&path, "%s/file", top);
	int fd = open(path.buf, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(maildir_open(&other, path.buf, "h", &err), -1);
	assert_int_equal(err.exit, EX_CANTCREAT);
	strbuf_reset(&path);
	strbuf_addf(&path, "%s/other", top);
	fail_fsync = 1;
	assert_int_equal(maildir_open(&other, path.buf, "h", &err), -1);
	assert_int_equal(err.exit, EX_CANTCREAT);
	strbuf_release(&path);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_deliver), CASE(test_order_of_calls), CASE(test_empty),
		CASE(test_buffer_edges), CASE(test_octet_by_octet), CASE(test_names_differ),
		CASE(test_name_of_host), CASE(test_abandon), CASE(test_close_abandons),
		CASE(test_each_sync_fails), CASE(test_link_fails), CASE(test_rename_instead),
		CASE(test_no_room), CASE(test_lost_folder), CASE(test_made_anew), CASE(test_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
