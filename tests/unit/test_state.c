#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_scratch.h"
#include "util/error.h"
#include "util/state.h"
#include "util/strbuf.h"

static struct strbuf path = STRBUF_INIT(4096);

static int setup(void **state)
{
	unsetenv("STATE_DIRECTORY");
	unsetenv("XDG_STATE_HOME");
	strbuf_reset(&path);
	return scratch_setup(state);
}

static int teardown(void **state)
{
	strbuf_release(&path);
	return scratch_teardown(state);
}

static const char *where(void)
{
	strbuf_reset(&path);
	return state_path(&path) < 0 ? NULL : path.buf;
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
	assert_int_equal(state_user_path("file", &path), 0);
	assert_string_equal(path.buf, "/home/j/.local/state/msubmit/file");
	setenv("XDG_STATE_HOME", "/xdg", 1);
	strbuf_reset(&path);
	assert_int_equal(state_user_path("file", &path), 0);
	assert_string_equal(path.buf, "/xdg/msubmit/file");
}

static int open_state(struct error *err)
{
	strbuf_reset(&path);
	return state_open("sub", &path, err);
}

static void folders_are_made_private(void **state)
{
	struct error err;
	struct stat st;

	(void)state;
	setenv("XDG_STATE_HOME", scratch_path("new/state"), 1);
	mode_t old = umask(0);
	int fd = open_state(&err);

	umask(old);
	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(path.buf, scratch_path("new/state/msubmit/sub"));
	assert_int_equal(stat(path.buf, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(scratch_path("new"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	fd = open_state(&err);
	assert_true(fd >= 0);
	close(fd);
}

static void others_are_kept_out(void **state)
{
	struct error err;

	(void)state;
	setenv("XDG_STATE_HOME", scratch_path("shared"), 1);
	int fd = open_state(&err);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(chmod(path.buf, 0770), 0);
	assert_int_equal(open_state(&err), -1);
	assert_int_equal(err.exit, EX_CANTCREAT);
	assert_non_null(strstr(err.text, "cannot use the folder"));
	assert_int_equal(rmdir(path.buf), 0);
	assert_int_equal(symlink("/tmp", path.buf), 0);
	assert_int_equal(open_state(&err), -1);
	assert_int_equal(unlink(path.buf), 0);
	FILE *f = fopen(path.buf, "w");

	assert_non_null(f);
	fclose(f);
	assert_int_equal(open_state(&err), -1);
	assert_int_equal(unlink(path.buf), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(places, setup, teardown),
		cmocka_unit_test_setup_teardown(user_places, setup, teardown),
		cmocka_unit_test_setup_teardown(folders_are_made_private, setup, teardown),
		cmocka_unit_test_setup_teardown(others_are_kept_out, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
