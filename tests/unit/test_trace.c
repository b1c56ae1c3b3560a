#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/trace.h"

/* What trace_line() writes to standard error, by a pipe. */
static const char *traced(enum wire_direction direction, const char *text, size_t n)
{
	static char got[8192];
	int fds[2], saved;

	fflush(NULL);
	assert_int_equal(pipe(fds), 0);
	saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	trace_line(NULL, direction, text, n);
	dup2(saved, STDERR_FILENO);
	close(saved);
	size_t have = 0;
	ssize_t part;

	while ((part = read(fds[0], got + have, sizeof(got) - 1 - have)) > 0)
		have += (size_t)part;
	close(fds[0]);
	got[have] = '\0';
	return got;
}

static void each_line_has_its_arrow(void **state)
{
	(void)state;
	assert_string_equal(traced(WIRE_OUT, "EHLO x", 6), "--> EHLO x\n");
	assert_string_equal(traced(WIRE_IN, "250 ok", 6), "<-- 250 ok\n");
	assert_string_equal(traced(WIRE_IN, "", 0), "<-- \n");
	assert_string_equal(traced(WIRE_IN, "250 ok and more", 6), "<-- 250 ok\n");
}

static void what_a_server_says_does_nothing_to_a_terminal(void **state)
{
	(void)state;
	assert_string_equal(traced(WIRE_IN, "250 \033[2J\a", 9), "<-- 250 \\x1B[2J\\x07\n");
	assert_string_equal(traced(WIRE_IN, "a\r\n--> QUIT", 11), "<-- a\\x0D\\x0A--> QUIT\n");
	assert_string_equal(traced(WIRE_IN, "a\0b", 3), "<-- a\\x00b\n");
	assert_string_equal(traced(WIRE_IN, "\xff\xc3\xbc\xc2\x9b", 5),
			    "<-- \\xFF\xc3\xbc\\xC2\\x9B\n");
	assert_string_equal(traced(WIRE_OUT, "%s%n", 4), "--> %s%n\n");
}

static void long_lines_are_whole(void **state)
{
	char line[2000];

	(void)state;
	memset(line, 'x', sizeof(line));
	const char *got = traced(WIRE_IN, line, sizeof(line));

	assert_int_equal(strlen(got), 4 + sizeof(line) + 1);
}

/* A terminal that went away does not end the attempt. */
static void nobody_reads(void **state)
{
	int fds[2], saved = dup(STDERR_FILENO);

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	trace_line(NULL, WIRE_OUT, "QUIT", 4);
	close(STDERR_FILENO);
	trace_line(NULL, WIRE_OUT, "QUIT", 4);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_string_equal(traced(WIRE_OUT, "QUIT", 4), "--> QUIT\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_has_its_arrow),
		cmocka_unit_test(what_a_server_says_does_nothing_to_a_terminal),
		cmocka_unit_test(long_lines_are_whole),
		cmocka_unit_test(nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
