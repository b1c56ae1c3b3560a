#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/attr.h"
#include "util/error.h"
#include "util/proc.h"
#include "util/strbuf.h"

static struct strbuf out = STRBUF_INIT(100000);
static struct error err;

#define ARGV(...) ((char *const[]){ __VA_ARGS__, NULL })

static char *arg(const char *s)
{
	return (char *)(uintptr_t)s;
}

static int run(const char *a, const char *b, const char *c)
{
	char *argv[] = { arg(a), b ? arg(b) : NULL, c ? arg(c) : NULL, NULL };

	strbuf_reset(&out);
	memset(&err, 0, sizeof(err));
	return proc_capture(argv, 60, &out, &err);
}

static int shell(const char *script)
{
	return run("sh", "-c", script);
}

static void expect_failure(int rc, int code, const char *words)
{
	assert_int_equal(rc, -1);
	assert_int_equal(err.exit, code);
	if (!strstr(err.text, words))
		fail_msg("'%s' is not in '%s'", words, err.text);
	/* no child is left behind */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void output_is_taken(void **state)
{
	(void)state;
	assert_int_equal(run("printf", "a b\\nc", NULL), 0);
	assert_string_equal(out.buf, "a b\nc");
	/* behind what is there */
	assert_int_equal(proc_capture(ARGV(arg("printf"), arg("d")), 60, &out, &err), 0);
	assert_string_equal(out.buf, "a b\ncd");
	assert_int_equal(shell("printf 'x\\0y'; sleep 0.1; printf z"), 0);
	assert_int_equal(out.len, 4);
	assert_memory_equal(out.buf, "x\0yz", 4);
	assert_int_equal(run("true", NULL, NULL), 0);
	assert_int_equal(out.len, 0);
}

/* An argument is an argument, whatever is in it. */
static void no_shell(void **state)
{
	(void)state;
	assert_int_equal(run("printf", "%s", "$HOME `id` ; * \"'"), 0);
	assert_string_equal(out.buf, "$HOME `id` ; * \"'");
}

static void stdin_is_empty(void **state)
{
	(void)state;
	assert_int_equal(run("cat", NULL, NULL), 0);
	assert_int_equal(out.len, 0);
}

static void descriptors_are_not_inherited(void **state)
{
	(void)state;
	int fd = fcntl(STDERR_FILENO, F_DUPFD, 7);

	assert_true(fd >= 7 && fd <= 9);
	assert_int_equal(shell("(echo x >&7) 2>/dev/null || printf closed"), 0);
	close(fd);
	assert_string_equal(out.buf, "closed");
}

static void sigpipe_has_its_default(void **state)
{
	(void)state;
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);

	expect_failure(shell("kill -PIPE $$; printf ignored"), EX_CONFIG, "ended by signal 13");
	signal(SIGPIPE, before);
}

static void failures(void **state)
{
	(void)state;
	expect_failure(run("/no/such/msubmit-program", NULL, NULL), EX_CONFIG,
		       "cannot run command '/no/such/msubmit-program': No such file");
	expect_failure(run("/", NULL, NULL), EX_CONFIG,
		       "cannot run command '/': Permission denied");
	expect_failure(run("false", NULL, NULL), EX_CONFIG, "command 'false' ended with status 1");
	expect_failure(shell("exit 3"), EX_CONFIG, "command 'sh' ended with status 3");
	expect_failure(shell("exit 127"), EX_CONFIG, "command 'sh' ended with status 127");
	expect_failure(shell("kill -9 $$"), EX_CONFIG, "command 'sh' was ended by signal 9");
}

static void output_is_never_in_the_text(void **state)
{
	(void)state;
	expect_failure(shell("printf hunter2; exit 1"), EX_CONFIG, "status 1");
	assert_null(strstr(err.text, "hunter2"));
}

static void output_has_a_limit(void **state)
{
	(void)state;
	static const struct { size_t limit; int rc; } cases[] = { { 4, -1 }, { 5, 0 }, { 6, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf small = STRBUF_INIT(cases[i].limit);
		int rc = proc_capture(ARGV(arg("printf"), arg("12345")), 60, &small, &err);

		assert_int_equal(rc, cases[i].rc);
		strbuf_release(&small);
	}
	struct strbuf small = STRBUF_INIT(100);
	int rc = proc_capture(ARGV(arg("cat"), arg("/dev/zero")), 60, &small, &err);

	expect_failure(rc, EX_CONFIG, "command 'cat' prints more than 100 octets");
	strbuf_release(&small);
}

static void time_limit(void **state)
{
	(void)state;
	strbuf_reset(&out);
	int rc = proc_capture(ARGV(arg("sh"), arg("-c"), arg("printf x; sleep 100 & sleep 100")), 1,
			      &out, &err);

	expect_failure(rc, EX_TEMPFAIL, "command 'sh' did not end within 1 s");
}

/* A command that closes its output and stays: the limit holds for its end too. */
static void time_limit_behind_the_output(void **state)
{
	(void)state;
	strbuf_reset(&out);
	int rc = proc_capture(ARGV(arg("sh"), arg("-c"), arg("printf x; exec >&-; sleep 100")), 1,
			      &out, &err);

	expect_failure(rc, EX_TEMPFAIL, "command 'sh' did not end within 1 s");
}

/* ... and one that is done a little after its output is no failure. */
static void end_behind_the_output(void **state)
{
	(void)state;
	assert_int_equal(shell("printf x; exec >&-; sleep 0.1; exit 0"), 0);
	assert_string_equal(out.buf, "x");
	expect_failure(shell("printf x; exec >&-; sleep 0.1; exit 3"), EX_CONFIG, "status 3");
}

static int feed(const char *script, const void *data, size_t n, unsigned seconds)
{
	memset(&err, 0, sizeof(err));
	return proc_feed(ARGV(arg("sh"), arg("-c"), arg(script)), seconds, data, n, &err);
}

/* More than a pipe holds, and nobody has to read it. */
static void input_is_given(void **state)
{
	static char big[300000];

	(void)state;
	assert_int_equal(feed("test \"$(cat)\" = \"a b\"", "a b\n", 4, 60), 0);
	assert_int_equal(feed("test -z \"$(cat)\"", "", 0, 60), 0);
	assert_int_equal(feed("test \"$(wc -c)\" -eq 300000", big, sizeof(big), 60), 0);
	assert_int_equal(feed("exit 0", big, sizeof(big), 60), 0);
	expect_failure(feed("test \"$(cat)\" = x", "y", 1, 60), EX_CONFIG, "status 1");
	expect_failure(feed("kill -9 $$", "y", 1, 60), EX_CONFIG, "signal 9");
	expect_failure(proc_feed(ARGV(arg("/nonexistent/x")), 60, "", 0, &err), EX_CONFIG,
		       "cannot run command '/nonexistent/x'");
}

/* What it prints goes nowhere, on both; what it leaves running holds up nobody. */
static void output_is_thrown_away(void **state)
{
	int fds[2], saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
	char c;

	(void)state;
	fflush(NULL);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	dup2(fds[1], STDOUT_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	int rc = feed("echo out; echo err >&2; sleep 20 & exit 0", "", 0, 60);

	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	close(saved_out);
	close(saved_err);
	assert_int_equal(rc, 0);
	assert_int_equal(read(fds[0], &c, 1), 0);
	close(fds[0]);
}

static void feeding_has_a_time_limit(void **state)
{
	(void)state;
	expect_failure(feed("sleep 100", "x", 1, 1), EX_TEMPFAIL, "did not end within 1 s");
}

static int release(void **state)
{
	(void)state;
	strbuf_release(&out);
	return 0;
}

/* --- a command that answers ------------------------------------------------------- */

static int answer(const char *script, unsigned seconds, int input, int third, int *status)
{
	char *const environment[] = { arg("PATH=" PROC_PATH), arg("A=b"), NULL };
	const struct proc_request r = {
		.argv = ARGV(arg("sh"), arg("-c"), arg(script)), .environment = environment,
		.seconds = seconds, .input = input, .third = third, .out = &out,
	};

	strbuf_release(&out);
	strbuf_init(&out, 10);
	memset(&err, 0, sizeof(err));
	*status = -1;
	return proc_run(&r, status, &err);
}

static void answers(void **state)
{
	int input, third, status;

	(void)state;
	assert_int_equal(proc_input("in", 2, &input, &err), 0);
	assert_int_equal(proc_input("more", 4, &third, &err), 0);
	assert_int_equal(answer("cat; cat <&3; echo $A$HOME; exit 67", 60, input, third,
				&status), 0);
	assert_int_equal(status, 67);
	assert_string_equal(out.buf, "inmoreb\n");
	/* the descriptor with the number 3 is no other then, and none is left without one */
	assert_int_equal(answer("cat <&3 || echo none", 60, -1, -1, &status), 0);
	assert_string_equal(out.buf, "none\n");
	assert_int_equal(answer("echo 12345678901234567890", 60, -1, -1, &status), 0);
	assert_int_equal(status, 0);
	assert_string_equal(out.buf, "1234567890");
	/* who stays behind in the background, with the pipe in his hand, is not waited for */
	assert_int_equal(answer("sleep 50 & echo x", 60, -1, -1, &status), 0);
	assert_string_equal(out.buf, "x\n");
	close(input);
	close(third);
}

static void no_answer(void **state)
{
	static char *const none[] = { NULL };
	struct proc_request r = { .argv = ARGV(arg("/nonexistent")), .environment = none,
				  .input = -1, .third = -1, .out = &out };
	int status = -1;

	(void)state;
	expect_failure(proc_run(&r, &status, &err), EX_CONFIG, "cannot run command '/nonexistent'");
	expect_failure(answer("kill -9 $$", 60, -1, -1, &status), EX_CONFIG, "signal 9");
	expect_failure(answer("trap '' TERM; while :; do echo x; done", 1, -1, -1, &status),
		       EX_TEMPFAIL, "did not end within 1 s");
	assert_int_equal(status, -1);
	strbuf_release(&out);
	strbuf_init(&out, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_is_taken),
		cmocka_unit_test(no_shell),
		cmocka_unit_test(stdin_is_empty),
		cmocka_unit_test(descriptors_are_not_inherited),
		cmocka_unit_test(sigpipe_has_its_default),
		cmocka_unit_test(failures),
		cmocka_unit_test(output_is_never_in_the_text),
		cmocka_unit_test(output_has_a_limit),
		cmocka_unit_test(time_limit),
		cmocka_unit_test(time_limit_behind_the_output),
		cmocka_unit_test(end_behind_the_output),
		cmocka_unit_test(input_is_given),
		cmocka_unit_test(output_is_thrown_away),
		cmocka_unit_test(feeding_has_a_time_limit),
		cmocka_unit_test(answers), cmocka_unit_test(no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
