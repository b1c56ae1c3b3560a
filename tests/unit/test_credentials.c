#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "conf/account.h"
#include "conf/settings.h"
#include "conf_scratch.h"
#include "secrets/credentials.h"
#include "util/arena.h"
#include "util/secret.h"

static struct arena *arena;
static struct account account;
static struct secret secret;
static struct error failure;

static int setup(void **state)
{
	arena = arena_new();
	settings_defaults(SCOPE_ACCOUNT, &account, arena, false);
	account.name = "work";
	account.host = "mail.example.org";
	account.auth.user = "joe";
	failure = (struct error){ .exit = 0 };
	unsetenv("CREDENTIALS_DIRECTORY");
	return scratch_setup(state);
}

static int teardown(void **state)
{
	secret_release(&account.auth.password);
	secret_release(&account.auth.token);
	secret_release(&secret);
	arena_free(arena);
	return scratch_teardown(state);
}

static void set(const char *key, const char *value)
{
	if (setting_set(&account, setting_find(SCOPE_ACCOUNT, key), arena, value, &failure) < 0)
		fail_msg("%s", failure.text);
}

static void expect(const char *wanted)
{
	if (credentials_password(&account, false, &secret, &failure) < 0)
		fail_msg("%s", failure.text);
	assert_string_equal(secret.data, wanted);
	assert_int_equal(secret.len, strlen(wanted));
}

static void expect_token(const char *wanted)
{
	assert_true(credentials_has_token(&account));
	if (credentials_token(&account, &secret, &failure) < 0)
		fail_msg("%s", failure.text);
	assert_string_equal(secret.data, wanted);
}

/* Fails, says so, says nothing of what the source held, and leaves out alone. */
static void expect_error(const char *words)
{
	secret_release(&secret);
	assert_int_equal(credentials_password(&account, false, &secret, &failure), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_has(failure.text, words);
	assert_lacks(failure.text, "hunter2");
	assert_null(secret.data);
}

/* --- files, commands, descriptors --------------------------------------------------------- */

static const struct {
	const char *text;
	size_t len;
	const char *password, *error;
} contents[] = {
	{ "secret", 6, "secret", NULL }, { "secret\n", 7, "secret", NULL },
	{ "secret\r\n", 8, "secret", NULL }, { "secret\nhunter2\n", 15, "secret", NULL },
	{ " a b \n", 6, " a b ", NULL }, { "\xff\x01", 2, "\xff\x01", NULL },
	{ "a\rb\n", 4, "a\rb", NULL }, { "#\"';\\\n", 6, "#\"';\\", NULL },
	{ "", 0, NULL, "empty line" }, { "\n", 1, NULL, "empty line" },
	{ "\nhunter2\n", 9, NULL, "empty line" }, { "\r\n", 2, NULL, "empty line" },
	{ "hunter2\0x\n", 10, NULL, "NUL octet" },
};

static void first_line_of_a_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		set("password_file", scratch_bytes("pw", contents[i].text, contents[i].len, 0600));
		if (contents[i].password)
			expect(contents[i].password);
		else
			expect_error(contents[i].error);
	}
}

static void long_secrets(void **state)
{
	static char text[70000];

	(void)state;
	memset(text, 'x', 65536);
	set("password_file", scratch_bytes("pw", text, 65535, 0600));
	assert_int_equal(credentials_password(&account, false, &secret, &failure), 0);
	assert_int_equal(secret.len, 65535);
	set("password_file", scratch_bytes("pw", text, 65536, 0600));
	assert_int_equal(credentials_password(&account, false, &secret, &failure), 0);
	assert_int_equal(secret.len, 65536);
	set("password_file", scratch_bytes("pw", text, 65537, 0600));
	expect_error("larger than");
}

static void files_others_can_read(void **state)
{
	static const mode_t modes[] = { 0644, 0620, 0604, 0666, 0660 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		set("password_file", scratch_file("pw", "hunter2\n", modes[i]));
		expect_error("run 'chmod 600");
	}
	set("password_file", scratch_file("pw", "hunter2\n", 0400));
	expect("hunter2");
	set("password_file", scratch_path("none"));
	expect_error("none: No such file or directory");
	set("password_file", scratch);
	expect_error("cannot open");
}

static void descriptor(void **state)
{
	int pipes[2];
	char rest[10];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	account.auth.password_fd = pipes[0];
	assert_int_equal(fs_write_all(pipes[1], "secret\nrest", 11), 0);
	expect("secret");
	close(pipes[1]);
	assert_int_equal(read(pipes[0], rest, sizeof(rest)), 4);	/* not ours */
	expect_error("gives nothing (it can be read once only)");
	close(pipes[0]);
	expect_error("cannot read password_fd");
}

static void descriptor_with_any_content(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		int pipes[2];

		assert_int_equal(pipe(pipes), 0);
		assert_int_equal(fs_write_all(pipes[1], contents[i].text, contents[i].len), 0);
		close(pipes[1]);
		account.auth.password_fd = pipes[0];
		if (contents[i].password)
			expect(contents[i].password);
		else
			expect_error(contents[i].len ? contents[i].error : "gives nothing");
		close(pipes[0]);
	}
}

/* A pipe holds 64 KiB at most, so this one is a file. */
static void descriptor_with_long_content(void **state)
{
	static char text[70000];

	(void)state;
	memset(text, 'x', sizeof(text));
	account.auth.password_fd =
		open(scratch_bytes("pw", text, 65536, 0600), O_RDONLY | O_CLOEXEC);
	assert_int_equal(credentials_password(&account, false, &secret, &failure), 0);
	assert_int_equal(secret.len, 65536);
	close(account.auth.password_fd);
	account.auth.password_fd =
		open(scratch_bytes("pw", text, 65537, 0600), O_RDONLY | O_CLOEXEC);
	expect_error("gives more than 65536 octets");
	close(account.auth.password_fd);
}

static void systemd_credential(void **state)
{
	(void)state;
	set("password_credential", "smtp");
	expect_error("$CREDENTIALS_DIRECTORY is not set");
	setenv("CREDENTIALS_DIRECTORY", scratch, 1);
	expect_error("smtp: No such file");
	scratch_file("smtp", "secret\n", 0440);	/* an access list looks like this */
	expect("secret");
	scratch_file("smtp", "\nhunter2", 0400);
	expect_error("empty line");
	set("password_credential", "../smtp");
	expect_error("a name, not a path");
	set("password_credential", "..");
	expect_error("a name, not a path");
}

static void command_without_shell(void **state)
{
	(void)state;
	set("password_command", "printf '%s\\nx' 'a b; echo $HOME `x`'");
	expect("a b; echo $HOME `x`");
	set("password_command", "/nonexistent/program");
	expect_error("password_command: cannot run command '/nonexistent/program'");
	set("password_command", "sh -c 'echo hunter2; exit 3'");
	expect_error("password_command: command 'sh' ended with status 3");
	set("password_command", "true");
	expect_error("password_command: its output gives an empty line");
	set("password_command", "sh -c 'kill -9 $$'");
	expect_error("signal 9");
}

static void command_with_shell(void **state)
{
	(void)state;
	set("passwordeval", "echo \"a  b\" | tr a c; echo hunter2");
	expect("c  b");
	set("passwordeval", "echo hunter2; exit 1");
	expect_error("passwordeval: command '/bin/sh' ended with status 1");
}

static void command_that_hangs(void **state)
{
	(void)state;
	set("passwordeval", "sleep 30");
	set("command_timeout", "1");
	assert_int_equal(credentials_password(&account, false, &secret, &failure), -1);
	assert_int_equal(failure.exit, EX_TEMPFAIL);
	assert_has(failure.text, "did not end within 1 s");
}

/* The passphrase of the key: its own sources, and none of the password's. */
static void expect_key(const char *wanted)
{
	secret_release(&secret);
	if (credentials_key_password(&account, &secret, &failure) < 0)
		fail_msg("%s", failure.text);
	if (wanted)
		assert_string_equal(secret.data, wanted);
	assert_int_equal(secret_is_set(&secret), wanted != NULL);
}

static void key_password(void **state)
{
	(void)state;
	set("password_command", "echo not this");
	expect_key(NULL);
	set("tls_key_passwordeval", "echo ev\"al\"; echo more");
	expect_key("eval");
	set("tls_key_password_command", "printf '%s|%s' 'a b' c");
	expect_key("a b|c");
	set("tls_key_password_command", "false");
	assert_int_equal(credentials_key_password(&account, &secret, &failure), -1);
	assert_has(failure.text, "tls_key_password_command: ");
	set("tls_key_password_command", "");
	set("tls_key_passwordeval", "exit 3");
	assert_int_equal(credentials_key_password(&account, &secret, &failure), -1);
	assert_has(failure.text, "tls_key_passwordeval: ");
	set("tls_key_password_file", "/nonexistent/passphrase");
	assert_int_equal(credentials_key_password(&account, &secret, &failure), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_has(failure.text, "/nonexistent/passphrase");
}

static void order_of_sources(void **state)
{
	int pipes[2];

	(void)state;
	scratch_file(".netrc", "machine mail.example.org login joe password 7\n", 0600);
	expect("7");
	set("passwordeval", "echo 6");
	expect("6");
	set("password_command", "echo 5");
	expect("5");
	setenv("CREDENTIALS_DIRECTORY", scratch, 1);
	scratch_file("cred", "4\n", 0600);
	set("password_credential", "cred");
	expect("4");
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(fs_write_all(pipes[1], "3\n", 2), 0);
	account.auth.password_fd = pipes[0];
	expect("3");
	set("password_file", scratch_file("pw", "2\n", 0600));
	expect("2");
	set("password", "1");
	expect("1");
	close(pipes[0]);
	close(pipes[1]);
	/* what is named must work: nothing behind it is asked */
	set("password", "");
	set("password_file", scratch_path("none"));
	expect_error("No such file");
}

static void netrc_files(void **state)
{
	(void)state;
	expect_error("no password for user 'joe': set password_command");
	scratch_file("other", "machine mail.example.org login joe password o\n", 0600);
	set("netrc", scratch_path("other"));
	expect("o");
	scratch_file("other", "machine mail.example.org login joe password hunter2\n", 0644);
	expect_error("chmod 600");
	set("netrc", scratch_path("none"));
	expect_error("none: No such file");
	set("netrc", "");
	scratch_file(".netrc", "machine mail.example.org login jane password hunter2\n", 0600);
	expect_error("no password for user 'joe'");
	assert_lacks(failure.text, "typed");
}

/* --- tokens ------------------------------------------------------------------------------------
 */

static void tokens(void **state)
{
	(void)state;
	assert_false(credentials_has_token(&account));
	assert_int_equal(credentials_token(&account, &secret, &failure), -1);
	assert_int_equal(failure.exit, EX_CONFIG);
	assert_has(failure.text, "no access token: set oauth_token_command");
	set("oauth_token_command", "echo 3");
	expect_token("3");
	set("oauth_token_file", scratch_file("token", "2\n", 0600));
	expect_token("2");
	set("oauth_token", "1");
	expect_token("1");
}

static void token_in_the_place_of_the_password(void **state)
{
	(void)state;
	set("passwordeval", "echo token");
	set("auth", "on");
	assert_false(credentials_has_token(&account));
	set("auth", "plain");
	assert_false(credentials_has_token(&account));
	assert_int_equal(credentials_token(&account, &secret, &failure), -1);
	set("auth", "xoauth2");
	expect_token("token");
	set("auth", "oauthbearer");
	expect_token("token");
}

/* --- the terminal ------------------------------------------------------------------------------
 */

/* The child's own terminal is fd; its exit status says what came of the question. */
static void child(const char *terminal)
{
	int fd, rc;

	/* a shell that started the tests in the background has these ignored */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
	setsid();
	fd = open(terminal, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) < 0)
		_exit(20);
	rc = credentials_password(&account, true, &secret, &failure);
	if (rc < 0)
		_exit(failure.exit == EX_CONFIG && strstr(failure.text, "none was typed") ? 11
											  : 12);
	_exit(strcmp(secret.data, "se cret") == 0 ? 10 : 13);
}

/* Reads from the terminal until words have come. */
static void wait_for(int fd, const char *words)
{
	char text[1000] = "";
	size_t n = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (!strstr(text, words)) {
		if (poll(&p, 1, 20000) != 1)
			fail_msg("'%s' does not come, only '%s'", words, text);
		ssize_t got = read(fd, text + n, sizeof(text) - n - 1);

		if (got <= 0)
			fail_msg("'%s' does not come, only '%s'", words, text);
		n += (size_t)got;
		text[n] = '\0';
	}
}

static bool echoes(int fd)
{
	struct termios mode;

	assert_int_equal(tcgetattr(fd, &mode), 0);
	return mode.c_lflag & ECHO;
}

/* Types at the prompt; returns the wait status. */
static int type(const char *keys, size_t n, const char *then)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, status = 0;
	pid_t pid;

	assert_true(master >= 0);
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	pid = fork();
	if (pid == 0)
		child(ptsname(master));
	wait_for(master, "password for joe at mail.example.org: ");
	assert_false(echoes(slave));
	assert_int_equal(fs_write_all(master, keys, n), 0);
	if (then) {
		wait_for(master, "password for joe at mail.example.org: ");
		assert_false(echoes(slave));
		assert_int_equal(fs_write_all(master, then, strlen(then)), 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(echoes(slave));
	close(slave);
	close(master);
	return status;
}

static void typed_at_the_terminal(void **state)
{
	int status = type("se cret\n", 8, NULL);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 10);
	status = type("se cx\177ret\n", 10, NULL);
	assert_int_equal(WEXITSTATUS(status), 10);
}

static void nothing_typed(void **state)
{
	(void)state;
	assert_int_equal(WEXITSTATUS(type("\n", 1, NULL)), 11);
	assert_int_equal(WEXITSTATUS(type("\004", 1, NULL)), 11);
}

static void interrupted_at_the_terminal(void **state)
{
	int status = type("se\003", 3, NULL);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
	status = type("se\034", 3, NULL);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGQUIT);
}

/* A stop that nobody can lift has no effect: the question is asked again. */
static void stopped_at_the_terminal(void **state)
{
	int status = type("wrong\032", 6, "se cret\n");

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 10);
}

/* {host, mode, password, what is left} */
static const char *const blanks[][4] = {
	{"smtp.gmail.com", "auto", "abcd efgh ijkl mnop", "abcdefghijklmnop"},
	{"SMTP.Gmail.com", "auto", "  abcd  efgh ijkl mnop ", "abcdefghijklmnop"},
	{"smtp.googlemail.com", "auto", "abcd efgh ijkl mnop", "abcdefghijklmnop"},
	{"smtp.gmail.com", "auto", "abcdefghijklmnop", "abcdefghijklmnop"},
	{"smtp.gmail.com", "auto", "correct horse battery", "correct horse battery"},
	{"smtp.gmail.com", "auto", "abcd efgh ijkl mno1", "abcd efgh ijkl mno1"},
	{"smtp.gmail.com", "auto", "abcd efgh ijkl mnopq", "abcd efgh ijkl mnopq"},
	{"smtp.gmail.com", "auto", "abcd efgh ijkl mnop qrst", "abcd efgh ijkl mnop qrst"},
	{"smtp.gmail.com", "auto", "abcdefgh ijkl mnop", "abcdefgh ijkl mnop"},
	{"smtp.gmail.com", "auto", "abcd efgh ijkl", "abcd efgh ijkl"},
	{"mail.example.org", "auto", "abcd efgh ijkl mnop", "abcd efgh ijkl mnop"},
	{"smtp.gmail.com", "off", "abcd efgh ijkl mnop", "abcd efgh ijkl mnop"},
	{"mail.example.org", "on", " a b\tc ", "ab\tc"},
	{"mail.example.org", "on", "abc", "abc"},
};

static void blanks_of_app_passwords(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(blanks); i++) {
		set("host", blanks[i][0]);
		set("strip_spaces", blanks[i][1]);
		set("password", blanks[i][2]);
		expect(blanks[i][3]);
	}
	/* wherever it comes from */
	set("host", "smtp.gmail.com");
	set("strip_spaces", "auto");
	set("password", "");
	set("password_file", scratch_file("pw", "abcd efgh ijkl mnop\n", 0600));
	expect("abcdefghijklmnop");
}

static void no_terminal(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		setsid();
		int rc = credentials_password(&account, true, &secret, &failure);

		_exit(rc < 0 && failure.exit == EX_CONFIG ? 10 : 11);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 10);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(first_line_of_a_file), CASE(long_secrets), CASE(files_others_can_read),
		CASE(descriptor), CASE(descriptor_with_any_content),
		CASE(descriptor_with_long_content), CASE(systemd_credential),
		CASE(command_without_shell), CASE(command_with_shell), CASE(command_that_hangs),
		CASE(key_password), CASE(order_of_sources), CASE(netrc_files), CASE(tokens),
		CASE(token_in_the_place_of_the_password), CASE(typed_at_the_terminal),
		CASE(nothing_typed), CASE(interrupted_at_the_terminal),
		CASE(stopped_at_the_terminal), CASE(blanks_of_app_passwords),
		CASE(no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
