#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "conf/account.h"
#include "conf/settings.h"
#include "conf_scratch.h"
#include "secrets/credentials.h"
#include "util/arena.h"
#include "util/secret.h"
#include "util/strbuf.h"

static struct arena *arena;
static struct account account;
static char *path_before;

static int setup(void **state)
{
	scratch_setup(state);
	arena = arena_new();
	settings_defaults(SCOPE_ACCOUNT, &account, arena, false);
	account.name = "work";
	account.host = "mail.example.org";
	account.auth.user = "joe";
	path_before = xstrdup(getenv("PATH"));
	setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent", 1);
	unsetenv("XDG_RUNTIME_DIR");
	return 0;
}

static int teardown(void **state)
{
	setenv("PATH", path_before, 1);
	xfree(path_before);
	arena_free(arena);
	return scratch_teardown(state);
}

/* A secret-tool that writes down its arguments and does what text says; in front of PATH. */
static void install(const char *text)
{
	struct strbuf out = STRBUF_INIT(65536), path = STRBUF_INIT(65536);

	if (mkdir(scratch_path("bin"), 0700) < 0)
		assert_int_equal(errno, EEXIST);
	strbuf_addf(&out, "#!/bin/sh\nfor a; do printf '%%s\\n' \"$a\" >>%s; done\n%s\n",
		    scratch_path("args"), text);
	scratch_file("bin/secret-tool", out.buf, 0700);
	strbuf_addf(&path, "%s:%s", scratch_path("bin"), path_before);
	setenv("PATH", path.buf, 1);
	strbuf_release(&out);
	strbuf_release(&path);
}

static void expect_args(const char *wanted)
{
	struct strbuf text = STRBUF_INIT(65536);
	struct error err;
	int fd = fs_open_read(scratch_path("args"));

	if (!wanted) {
		assert_int_equal(fd, -1);
		return;
	}
	assert_true(fd >= 0);
	assert_int_equal(fs_read_fd(fd, "args", &text, &err), 0);
	close(fd);
	assert_string_equal(text.buf, wanted);
	strbuf_release(&text);
}

static const char *look(const char *host, const char *user)
{
	static char found[100];
	struct strbuf out = STRBUF_INIT(sizeof(found));
	struct error err;
	bool any = true;

	if (keyring_lookup(host, user, 20, &out, &any, &err) < 0)
		fail_msg("%s", err.text);
	snprintf(found, sizeof(found), "%s", out.len ? out.buf : "");
	strbuf_release(&out);
	return any ? found : NULL;
}

#define ARGS "lookup\nhost\nmail.example.org\nservice\nsmtp\nuser\njoe\n"

static void found(void **state)
{
	(void)state;
	install("printf 's3 \"cret'");
	assert_string_equal(look("mail.example.org", "joe"), "s3 \"cret");
	expect_args(ARGS);
	install("exit 1");			/* how it says: nothing */
	assert_null(look("mail.example.org", "joe"));
	install("printf ''");
	assert_null(look("mail.example.org", "joe"));
	install("kill -9 $$");
	assert_null(look("mail.example.org", "joe"));
}

/* No shell looks at the values, and none of them can be an option. */
static void odd_values(void **state)
{
	(void)state;
	install("printf x");
	assert_string_equal(look("h", "a b;$(touch x)'\""), "x");
	expect_args("lookup\nhost\nh\nservice\nsmtp\nuser\na b;$(touch x)'\"\n");
	install("touch \"$HOME/ran\"");
	assert_null(look("h", "-user"));
	assert_null(look("--host", "joe"));
	assert_null(look("h", ""));
	assert_null(look("h", NULL));
	assert_int_equal(access(scratch_path("ran"), F_OK), -1);
}

static void nowhere(void **state)
{
	(void)state;
	setenv("PATH", "relative::/nonexistent", 1);
	assert_null(look("mail.example.org", "joe"));
	unsetenv("PATH");
	assert_null(look("mail.example.org", "joe"));
	/* one in the current folder is not taken */
	install("printf bad");
	assert_int_equal(chdir(scratch_path("bin")), 0);
	setenv("PATH", ".:", 1);
	assert_null(look("mail.example.org", "joe"));
	assert_int_equal(chdir("/"), 0);
}

static void no_bus(void **state)
{
	(void)state;
	install("printf s3cret");
	unsetenv("DBUS_SESSION_BUS_ADDRESS");
	assert_null(look("mail.example.org", "joe"));
	setenv("XDG_RUNTIME_DIR", scratch_path("run"), 1);
	assert_null(look("mail.example.org", "joe"));
	expect_args(NULL);
	assert_int_equal(mkdir(scratch_path("run"), 0700), 0);
	scratch_file("run/bus", "", 0600);
	assert_string_equal(look("mail.example.org", "joe"), "s3cret");
}

static void too_slow(void **state)
{
	(void)state;
	struct strbuf out = STRBUF_INIT(100);
	struct error err = { 0 };
	bool any = true;

	install("sleep 30");
	assert_int_equal(keyring_lookup("h", "joe", 1, &out, &any, &err), -1);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_non_null(strstr(err.text, "keyring: command '"));
	assert_false(any);
	strbuf_release(&out);
}

/* --- among the sources of a password ------------------------------------------ */

static int password(const char *wanted, struct error *err)
{
	struct secret secret = { 0 };
	int rc = credentials_password(&account, false, &secret, err);

	if (rc == 0)
		assert_string_equal(secret.data, wanted);
	secret_release(&secret);
	return rc;
}

static void order(void **state)
{
	(void)state;
	struct error err = { 0 };

	install("echo 's3cret'; echo more");
	assert_int_equal(password("s3cret", &err), 0);
	scratch_file(".netrc", "machine mail.example.org login joe password fromnetrc\n", 0600);
	assert_int_equal(password("fromnetrc", &err), 0);
	assert_int_equal(unlink(scratch_path(".netrc")), 0);
	account.auth.password_file = scratch_file("pw", "fromfile\n", 0600);
	assert_int_equal(password("fromfile", &err), 0);
	account.auth.password_file = NULL;
	account.auth.keyring = false;
	assert_int_equal(password(NULL, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_non_null(strstr(err.text, "key ring"));
	account.auth.keyring = true;
	install("echo hunter2; exit 1");	/* what it prints is nobody's business */
	assert_int_equal(password(NULL, &err), -1);
	assert_null(strstr(err.text, "hunter2"));
	account.host = NULL;			/* on a local socket */
	unlink(scratch_path("args"));
	install("echo s3cret");
	assert_int_equal(password("s3cret", &err), 0);
	expect_args("lookup\nhost\nlocalhost\nservice\nsmtp\nuser\njoe\n");
}

/* --- tickets -------------------------------------------------------------------- */

static void tickets(void **state)
{
	(void)state;
	struct strbuf name = STRBUF_INIT(1000);

	setenv("KRB5_CONFIG", "/dev/null", 1);
	strbuf_addf(&name, "FILE:%s", scratch_path("cache"));
	setenv("KRB5CCNAME", name.buf, 1);
	assert_false(credentials_has_ticket());
	scratch_file("cache", "", 0600);
	assert_false(credentials_has_ticket());
	scratch_file("cache", "no cache at all", 0600);
	assert_false(credentials_has_ticket());
	/* version 4, no header fields, the principal joe@A: what kinit writes first */
	static const char cache[] = "\5\4" "\0\0" "\0\0\0\1" "\0\0\0\1" "\0\0\0\1" "A"
		"\0\0\0\3" "joe";

	scratch_bytes("cache", cache, sizeof(cache) - 1, 0600);
	bool there = access("/usr/lib/x86_64-linux-gnu/libkrb5.so.3", R_OK) == 0;

	if (there)
		assert_true(credentials_has_ticket());
	scratch_bytes("cache", cache, 8, 0600);
	assert_false(credentials_has_ticket());
	setenv("KRB5CCNAME", "NOSUCH:kind", 1);
	assert_false(credentials_has_ticket());
	strbuf_release(&name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(found, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_values, setup, teardown),
		cmocka_unit_test_setup_teardown(nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(no_bus, setup, teardown),
		cmocka_unit_test_setup_teardown(too_slow, setup, teardown),
		cmocka_unit_test_setup_teardown(order, setup, teardown),
		cmocka_unit_test_setup_teardown(tickets, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
