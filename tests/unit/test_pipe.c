#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/pipe.h"
#include "net/socket.h"
#include "net/stream.h"
#include "util/clock.h"
#include "util/error.h"

static const struct deadline none = { .what = "the peer" };
static const struct deadline past = { .at = 1, .seconds = 7, .what = "the peer" };

#define SHELL(text) (const char *const[]){ "sh", "-c", text, NULL }

static struct stream *open_ok(const char *const *argv)
{
	struct error err = { 0 };
	struct stream *s = NULL;

	if (pipe_stream_open(argv, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

/* Nobody is left behind. */
static void no_children(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static ssize_t read_some(struct stream *s, char *buf, size_t n, struct error *err)
{
	ssize_t got;

	while ((got = stream_read(s, buf, n, err)) == STREAM_AGAIN)
		assert_true(stream_wait(s, STREAM_IN, &none, err) > 0);
	return got;
}

static void talks(void **state)
{
	(void)state;
	struct stream *s = open_ok((const char *const[]){ "cat", NULL });
	struct error err = { 0 };
	char buf[10] = "";

	assert_int_equal(stream_read(s, buf, sizeof(buf), &err), STREAM_AGAIN);
	assert_int_equal(stream_wait(s, STREAM_IN | STREAM_OUT, &none, &err), STREAM_OUT);
	assert_int_equal(stream_write_all(s, "hello", 5, &none, &err), 0);
	assert_int_equal(stream_read_exact(s, buf, 5, &none, &err), 0);
	assert_string_equal(buf, "hello");
	assert_int_equal(stream_wait(s, STREAM_IN, &past, &err), -1);
	assert_string_equal(err.text, "timeout after 7 s waiting for the peer");
	assert_int_equal(socket_fd(s), -1);
	stream_close(s);
	assert_int_equal(read_some(s, buf, sizeof(buf), &err), 0);
	assert_int_equal(stream_write(s, "x", 1, &err), -1);
	stream_free(s);
	no_children();
}

/* The words are the command's as they are: no shell. */
static void no_shell(void **state)
{
	(void)state;
	struct stream *s = open_ok((const char *const[]){ "printf", "%s", "$HOME;`id` *", NULL });
	struct error err = { 0 };
	char buf[20] = "";

	assert_int_equal(stream_read_exact(s, buf, 12, &none, &err), 0);
	assert_string_equal(buf, "$HOME;`id` *");
	stream_free(s);
	no_children();
}

static void cannot_run(void **state)
{
	(void)state;
	struct error err = { 0 };
	struct stream *s = NULL;

	assert_int_equal(pipe_stream_open((const char *const[]){ "/nonexistent/command", NULL },
					  &s, &err), -1);
	assert_null(s);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_string_equal(err.text, "cannot run tunnel command '/nonexistent/command': "
				      "No such file or directory");
	no_children();
}

static void early_ends(void **state)
{
	(void)state;
	static const struct { const char *script; ssize_t rc; const char *text; } cases[] = {
		{ "exit 0", 0, "" },
		{ "exit 3", -1, "tunnel command 'sh' ended with status 3" },
		{ "kill -9 $$", -1, "tunnel command 'sh' was ended by signal 9" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct stream *s = open_ok(SHELL(cases[i].script));
		struct error err = { 0 };
		char c;

		assert_int_equal(read_some(s, &c, 1, &err), cases[i].rc);
		assert_string_equal(err.text, cases[i].text);
		if (cases[i].rc < 0)
			assert_int_equal(err.exit, EX_TEMPFAIL);
		stream_free(s);
		no_children();
	}
}

/* What is open here by chance is not open in the command. */
static void no_descriptors(void **state)
{
	(void)state;
	int fd[2];
	struct error err = { 0 };
	char c = '?';

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(dup2(fd[1], 9), 9);
	struct stream *s = open_ok(SHELL("if { true >&9; } 2>/dev/null; then echo o; "
					 "else echo c; fi"));

	assert_int_equal(read_some(s, &c, 1, &err), 1);
	assert_int_equal(c, 'c');
	stream_free(s);
	close(fd[0]);
	close(fd[1]);
	close(9);
}

/* SIGPIPE is ignored by main(), and so here; the command has its default again. */
static void write_to_a_dead_command(void **state)
{
	(void)state;
	struct stream *s = open_ok(SHELL("exec <&-; echo x; read y < /dev/null; exec sleep 0 >&-"));
	struct error err = { 0 };
	char c;

	assert_int_equal(read_some(s, &c, 1, &err), 1);
	assert_int_equal(stream_write(s, "x", 1, &err), -1);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_string_equal(err.status, "4.4.2");
	stream_free(s);
	no_children();
	s = open_ok(SHELL("kill -PIPE $$; echo alive"));
	assert_int_equal(read_some(s, &c, 1, &err), -1);
	assert_non_null(strstr(err.text, "signal 13"));
	stream_free(s);
}

/* One that heeds neither the end of its input nor SIGTERM is killed. */
static void stubborn_command(void **state)
{
	(void)state;
	struct stream *s = open_ok(SHELL("trap '' TERM; echo x; while :; do sleep 0.1; done"));
	struct error err = { 0 };
	char c;

	assert_int_equal(read_some(s, &c, 1, &err), 1);
	stream_free(s);
	no_children();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talks),
		cmocka_unit_test(no_shell),
		cmocka_unit_test(cannot_run),
		cmocka_unit_test(early_ends),
		cmocka_unit_test(no_descriptors),
		cmocka_unit_test(write_to_a_dead_command),
		cmocka_unit_test(stubborn_command),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
