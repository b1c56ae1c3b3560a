#include "config.h"
#include "util/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/error.h"
#include "util/proc.h"

#define GONE_MS 100		/* for a child that was killed; one that cannot die is left */

/* Its error is small enough for a pipe to take it whole. */
ATTR_NORETURN static void work(int (*fn)(void *, struct error *), void *ctx, int report)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct error said = { .exit = 0 };

	/* whoever reads our output waits for its end, and not for this */
	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	if (fn(ctx, &said) == 0)
		said.exit = 0;
	_exit(write(report, &said, sizeof(said)) == (ssize_t)sizeof(said) ? 0 : 1);
}

/* Waits for what the child says; 0 = it says nothing. */
static ssize_t listen_to(int fd, unsigned seconds, struct error *said)
{
	const int64_t until = clock_ms() + 1000 * (int64_t)seconds;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		const int64_t left = until - clock_ms();
		const int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return read(fd, said, sizeof(*said));
		if (left <= 0 || (n < 0 && errno != EINTR))
			return 0;
	}
}

static void bury(pid_t pid)
{
	const int64_t until = clock_ms() + GONE_MS;

	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, WNOHANG) == 0 && clock_ms() < until)
		(void)poll(NULL, 0, 1);
}

int aside_run(const char *what, unsigned seconds, int (*fn)(void *ctx, struct error *), void *ctx,
	      struct error *err)
{
	struct error said;
	int report[2];

	if (pipe2(report, O_CLOEXEC) < 0)
		return fn(ctx, err);
	const pid_t pid = proc_fork();

	if (pid == 0)
		work(fn, ctx, report[1]);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return fn(ctx, err);
	}
	const ssize_t n = listen_to(report[0], seconds, &said);

	close(report[0]);
	bury(pid);
	if (n != (ssize_t)sizeof(said))
		return error_set(err, FAULT_CANNOT_WRITE, "%s: not done within %u s", what,
				 seconds);
	if (said.exit)
		*err = said;
	return said.exit ? -1 : 0;
}
