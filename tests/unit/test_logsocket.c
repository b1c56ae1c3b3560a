#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "util/aside.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/logsocket.h"

#define FORM "^<19>[A-Z][a-z][a-z] [ 1-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} prog\\[[0-9]+\\]: said$"

static char folder[] = "/tmp/msubmit-log-XXXXXX", path[64];

/* A log service that does not read. */
static int service(int kind, int backlog)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);

	(void)unlink(path);
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	if (kind == SOCK_STREAM)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

static long send_one(void)
{
	const int64_t begun = clock_ms();

	logsocket_send(path, LOG_MAIL | LOG_ERR, "prog", "said");
	return (long)(clock_ms() - begun);
}

static void assert_form(const char *text)
{
	regex_t form;

	assert_int_equal(regcomp(&form, FORM, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&form, text, 0, NULL, 0) != 0)
		fail_msg("%s", text);
	regfree(&form);
}

static void datagrams(void **state)
{
	char text[200] = "";
	const int fd = service(SOCK_DGRAM, 0);

	(void)state;
	(void)send_one();
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_form(text);
	close(fd);
}

/* There each line ends in a NUL. */
static void streams(void **state)
{
	char text[200] = "";
	const int fd = service(SOCK_STREAM, 5);

	(void)state;
	(void)send_one();
	const int peer = accept(fd, NULL, NULL);
	const ssize_t n = recv(peer, text, sizeof(text) - 1, MSG_WAITALL);

	assert_true(n > 0);
	assert_int_equal(strlen(text), n - 1);
	assert_form(text);
	close(peer);
	close(fd);
}

static void nobody(void **state)
{
	(void)state;
	(void)unlink(path);
	assert_true(send_one() < 500);
}

/* Waits for a second, once; then nothing is waited for, and what has room goes. */
static void stuck(void **state)
{
	char text[200] = "";
	const int fd = service(SOCK_DGRAM, 0);
	long waited = 0, slow = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		const long one = send_one();

		waited += one;
		slow += one >= 900;
	}
	assert_int_equal(slow, 1);
	assert_true(waited < 30000);
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_form(text);
	close(fd);
}

/* --- what is done beside --------------------------------------------------------------- */

static int fine(void *ctx, struct error *err)
{
	(void)err;
	*(int *)ctx = 1;	/* in the child alone */
	return printf("seen by nobody\n") > 0 && fflush(stdout) == 0 ? 0 : -1;
}

static int fails(void *ctx, struct error *err)
{
	return error_set(err, FAULT_IO, "%s is bad", (const char *)ctx);
}

static int hangs(void *ctx, struct error *err)
{
	(void)ctx;
	(void)err;
	while (pause() < 0)
		;
	return 0;
}

static int dies(void *ctx, struct error *err)
{
	(void)ctx;
	(void)err;
	_exit(0);
}

static void beside(void **state)
{
	static char name[] = "disk";
	struct error err = { .exit = 0 };
	int touched = 0;

	(void)state;
	assert_int_equal(aside_run("x", 20, fine, &touched, &err), 0);
	assert_int_equal(touched, 0);
	assert_int_equal(err.exit, 0);
	assert_int_equal(aside_run("x", 20, fails, name, &err), -1);
	assert_int_equal(err.exit, EX_IOERR);
	assert_string_equal(err.text, "disk is bad");
	const int64_t begun = clock_ms();

	assert_int_equal(aside_run("the copy", 1, hangs, NULL, &err), -1);
	assert_true(clock_ms() - begun < 10000);
	assert_string_equal(err.text, "the copy: not done within 1 s");
	assert_int_equal(err.exit, EX_CANTCREAT);
	assert_int_equal(aside_run("x", 20, dies, NULL, &err), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams),
		cmocka_unit_test(streams),
		cmocka_unit_test(nobody),
		cmocka_unit_test(stuck),
		cmocka_unit_test(beside),
	};

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/log", folder);
	const int rc = cmocka_run_group_tests(tests, NULL, NULL);

	(void)unlink(path);
	(void)rmdir(folder);
	return rc;
}
