#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <sys/file.h>

#include "conf/config_write.h"
#include "conf_scratch.h"
#include "util/secret.h"
#include "util/strbuf.h"

static struct config_append *w;
static struct error failure;

static int setup(void **state)
{
	w = NULL;
	failure = (struct error){ .exit = 0 };
	return scratch_setup(state);
}

static int teardown(void **state)
{
	config_append_close(w);
	return scratch_teardown(state);
}

static void assert_holds(const char *path, const char *content, mode_t mode)
{
	struct strbuf got = STRBUF_INIT(1 << 16);
	struct stat st;
	int fd = fs_open_read(path);

	assert_true(fd >= 0);
	assert_int_equal(fs_read_fd(fd, path, &got, &failure), 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	assert_string_equal(got.buf, content);
	assert_int_equal(st.st_mode & 07777, mode);
	strbuf_release(&got);
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

static void add(const char *path, mode_t mode, const char *text)
{
	config_append_close(w);
	w = NULL;
	if (config_append_open(path, mode, &w, &failure) < 0 ||
	    config_append_stage(w, text, strlen(text), &failure) < 0 ||
	    config_append_commit(w, &failure) < 0)
		fail_msg("%s", failure.text);
}

/* --- the file ------------------------------------------------------------------------- */

static void a_new_file_is_made(void **state)
{
	const char *path = scratch_path("rc");

	(void)state;
	umask(077);
	add(path, 0644, "one\n");
	assert_false(config_append_exists(w));
	assert_false(config_append_is_classic(w));
	assert_string_equal(config_append_path(w), path);
	assert_holds(path, "one\n", 0644);
	umask(022);
	add(scratch_path("other"), 0600, "one\n");
	assert_holds(scratch_path("other"), "one\n", 0600);
	add("~/home", 0600, "one\n");
	assert_holds(scratch_path("home"), "one\n", 0600);
	assert_int_equal(files(scratch), 3);
}

static void what_was_there_is_kept(void **state)
{
	static const struct {
		const char *old, *now;
	} cases[] = {
		{ "# mine\n[account a]\nhost = x\n", "# mine\n[account a]\nhost = x\n\nnew\n" },
		{ "[account a]\nhost = x", "[account a]\nhost = x\n\nnew\n" },
		{ "", "new\n" },
		{ "\n", "\n\nnew\n" },
		{ "\r\n \t", "\r\n \t\n\nnew\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *path = scratch_file("rc", cases[i].old, 0640);

		add(path, 0600, "new\n");
		assert_true(config_append_exists(w));
		assert_holds(path, cases[i].now, 0640);
	}
	assert_int_equal(files(scratch), 1);
}

static void the_form_is_told(void **state)
{
	static const struct {
		const char *text;
		bool classic;
	} cases[] = {
		{ "", false }, { "# nothing\n", false }, { "[account a]\n", false },
		{ "account a\nhost x\n", true }, { "# c\ndefaults\n", true }, { "host x\n", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *path = scratch_file("rc", cases[i].text, 0600);

		assert_int_equal(config_append_open(path, 0600, &w, &failure), 0);
		assert_int_equal(config_append_is_classic(w), cases[i].classic);
		config_append_close(w);
		w = NULL;
	}
}

static void nothing_happens_before_the_commit(void **state)
{
	const char *path = scratch_file("rc", "old\n", 0600);

	(void)state;
	assert_int_equal(config_append_open(path, 0600, &w, &failure), 0);
	assert_int_equal(config_append_stage(w, "new\n", 4, &failure), 0);
	assert_int_equal(files(scratch), 2);
	assert_holds(path, "old\n", 0600);
	config_append_close(w);
	w = NULL;
	assert_holds(path, "old\n", 0600);
	assert_int_equal(files(scratch), 1);
}

static void refuse(const char *path, int code, const char *text)
{
	failure.text[0] = '\0';
	assert_int_equal(config_append_open(path, 0600, &w, &failure), -1);
	assert_has(failure.text, text);
	assert_int_equal(failure.exit, code);
}

static void other_things_are_refused(void **state)
{
	const char *file = scratch_file("rc", "old\n", 0600);

	(void)state;
	assert_int_equal(symlink(file, scratch_path("link")), 0);
	refuse(scratch_path("link"), EX_CONFIG, "is a symbolic link");
	assert_int_equal(symlink("nowhere", scratch_path("dangling")), 0);
	refuse(scratch_path("dangling"), EX_CONFIG, "is a symbolic link");
	assert_int_equal(mkfifo(scratch_path("fifo"), 0600), 0);
	refuse(scratch_path("fifo"), EX_CONFIG, "is no regular file");
	refuse(scratch, EX_CONFIG, "is no regular file");
	refuse(scratch_file("open", "old\n", 0646), EX_CONFIG, "chmod o-w");
	refuse(scratch_path("rc/below"), EX_NOINPUT, "cannot open");
	assert_holds(scratch_path("rc"), "old\n", 0600);
}

static void a_missing_folder_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(config_append_open(scratch_path("no/rc"), 0600, &w, &failure), 0);
	assert_int_equal(config_append_stage(w, "x", 1, &failure), -1);
	assert_int_equal(failure.exit, EX_CANTCREAT);
	assert_has(failure.text, "no/rc");
}

static void a_change_meanwhile_wins(void **state)
{
	const char *path = scratch_file("rc", "old\n", 0600);

	(void)state;
	assert_int_equal(config_append_open(path, 0600, &w, &failure), 0);
	assert_int_equal(config_append_stage(w, "new\n", 4, &failure), 0);
	scratch_file("rc", "edited\n", 0600);
	assert_int_equal(config_append_commit(w, &failure), -1);
	assert_int_equal(failure.exit, EX_TEMPFAIL);
	assert_has(failure.text, "was changed meanwhile");
	config_append_close(w);
	w = NULL;
	assert_holds(path, "edited\n", 0600);
	assert_int_equal(files(scratch), 1);
}

static void a_file_made_meanwhile_wins(void **state)
{
	const char *path = scratch_path("rc");

	(void)state;
	assert_int_equal(config_append_open(path, 0600, &w, &failure), 0);
	assert_int_equal(config_append_stage(w, "new\n", 4, &failure), 0);
	scratch_file("rc", "theirs\n", 0600);
	assert_int_equal(config_append_commit(w, &failure), -1);
	assert_has(failure.text, "was made meanwhile");
	config_append_close(w);
	w = NULL;
	assert_holds(path, "theirs\n", 0600);
	assert_int_equal(files(scratch), 1);
}

static void two_runs_do_not_mix(void **state)
{
	const char *path = scratch_file("rc", "old\n", 0600);
	struct config_append *other;

	(void)state;
	assert_int_equal(config_append_open(path, 0600, &w, &failure), 0);
	assert_int_equal(config_append_open(path, 0600, &other, &failure), -1);
	assert_int_equal(failure.exit, EX_TEMPFAIL);
	assert_has(failure.text, "by another program");
}

/* --- the secret ------------------------------------------------------------------------- */

static int write_secret(const char *path, const char *text)
{
	struct secret s = { .data = NULL };

	secret_set(&s, text, strlen(text));
	int rc = config_secret_write(path, &s, &failure);

	secret_release(&s);
	assert_lacks(failure.text, "hush");
	return rc;
}

static void assert_mode(const char *path, mode_t mode)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static void a_secret_has_a_folder_of_its_own(void **state)
{
	struct strbuf got = STRBUF_INIT(100);

	(void)state;
	umask(0);
	assert_int_equal(write_secret(scratch_path("a/b/one.password"), "hush 1 "), 0);
	umask(022);
	assert_mode(scratch_path("a"), 0700);
	assert_mode(scratch_path("a/b"), 0700);
	assert_holds(scratch_path("a/b/one.password"), "hush 1 \n", 0600);
	assert_int_equal(fs_read_file(scratch_path("a/b/one.password"), FS_SECRET, &got, &failure),
			 0);
	strbuf_release(&got);
	assert_int_equal(files(scratch_path("a/b")), 1);
}

static void a_secret_is_never_replaced(void **state)
{
	const char *path = scratch_path("s/one.password");

	(void)state;
	assert_int_equal(write_secret(path, "hush"), 0);
	assert_int_equal(write_secret(path, "hush hush"), -1);
	assert_int_equal(failure.exit, EX_CANTCREAT);
	assert_has(failure.text, "/s/one.password exists already");
	assert_holds(path, "hush\n", 0600);
	assert_int_equal(files(scratch_path("s")), 1);
}

static void a_secret_goes_to_no_other_place(void **state)
{
	const char *outside = scratch_file("outside", "theirs\n", 0644);

	(void)state;
	assert_int_equal(mkdir(scratch_path("open"), 0700), 0);
	assert_int_equal(chmod(scratch_path("open"), 0770), 0);
	assert_int_equal(write_secret(scratch_path("open/s"), "hush"), -1);
	assert_has(failure.text, "chmod go-w");
	assert_int_equal(symlink(scratch, scratch_path("linked")), 0);
	assert_int_equal(write_secret(scratch_path("linked/s"), "hush"), -1);
	assert_has(failure.text, "cannot use the folder");
	assert_int_equal(symlink(outside, scratch_path("link")), 0);
	assert_int_equal(write_secret(scratch_path("link"), "hush"), -1);
	assert_has(failure.text, "exists already");
	assert_int_equal(write_secret(scratch_path("outside/s"), "hush"), -1);
	assert_has(failure.text, "cannot use the folder");
	assert_int_equal(write_secret(scratch_path("outside/t/s"), "hush"), -1);
	assert_int_equal(failure.exit, EX_CANTCREAT);
	assert_holds(scratch_path("outside"), "theirs\n", 0644);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_file_is_made, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_there_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(the_form_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_happens_before_the_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(other_things_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missing_folder_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(a_change_meanwhile_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_made_meanwhile_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(two_runs_do_not_mix, setup, teardown),
		cmocka_unit_test_setup_teardown(a_secret_has_a_folder_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(a_secret_is_never_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(a_secret_goes_to_no_other_place, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
