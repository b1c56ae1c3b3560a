#include "config.h"
#include "util/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"

/* Every descriptor above 2 ends at exec; an old kernel may not know close_range(). */
static void close_later(void)
{
#ifdef HAVE_CLOSE_RANGE
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
#endif
	long last = sysconf(_SC_OPEN_MAX);

	for (int fd = 3; fd < (last > 0 && last < 65536 ? last : 65536); fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* In the child: only async-signal-safe calls until exec. */
ATTR_NORETURN static void child(char *const argv[], int out, int report)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* main() keeps 0-2 open, so neither of the two can be what it is moved to */
	if (null <= STDERR_FILENO || out <= STDERR_FILENO || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	/* its own group, to be killed whole; but one that may ask on the terminal stays in ours */
	int tty = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (tty < 0 || tcgetpgrp(tty) != getpgrp())
		setpgid(0, 0);
	close_later();
	execvp(argv[0], argv);
	int code = errno;

	if (write(report, &code, sizeof(code)) < 0) {
		/* the parent sees the exit status */
	}
	_exit(127);
}

static int too_late(const char *name, const struct deadline *limit, struct error *err)
{
	return error_set(err, EX_TEMPFAIL, "4.3.0", "command '%s' did not end within %u s", name,
			 limit->seconds);
}

/* Reads fd to its end before the deadline. */
static int drain(int fd, const char *name, const struct deadline *limit, struct strbuf *out,
		 struct error *err)
{
	for (;;) {
		char part[4096];
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int ready = poll(&p, 1, deadline_poll_ms(limit));

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0)
			return too_late(name, limit, err);
		ssize_t n = read(fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		strbuf_add(out, part, (size_t)n);
		explicit_bzero(part, (size_t)n);
		if (strbuf_overflow(out))
			return error_set(err, EX_CONFIG, "5.3.5",
					 "command '%s' prints more than %zu octets", name,
					 out->limit);
	}
}

#define POLL_MS 5	/* between two looks at a command that has closed its output */

/* Its exit status, before the deadline; it is killed then. false: it had to be. */
static bool wait_for(pid_t pid, const struct deadline *limit, int *status)
{
	for (;;) {
		bool late = deadline_passed(limit);

		if (late) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
		}
		pid_t done = waitpid(pid, status, late || !limit->at ? 0 : WNOHANG);

		if (done == pid || (done < 0 && errno != EINTR))
			return !late;
		if (done == 0)
			poll(NULL, 0, POLL_MS);
	}
}

static int judge(pid_t pid, const char *name, int report, const struct deadline *limit,
		 struct error *err)
{
	int status = 0, code = 0;

	if (!wait_for(pid, limit, &status))
		return too_late(name, limit, err);
	if (read(report, &code, sizeof(code)) == (ssize_t)sizeof(code)) {
		errno = code;
		return error_errno(err, EX_CONFIG, "5.3.5", "cannot run command '%s'", name);
	}
	if (WIFSIGNALED(status))
		return error_set(err, EX_CONFIG, "5.3.5", "command '%s' was ended by signal %d",
				 name, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return error_set(err, EX_CONFIG, "5.3.5", "command '%s' ended with status %d",
				 name, WEXITSTATUS(status));
	return 0;
}

int proc_capture(char *const argv[], unsigned seconds, struct strbuf *out, struct error *err)
{
	struct deadline limit = deadline_in(seconds, argv[0]);
	int data[2] = { -1, -1 }, report[2] = { -1, -1 };
	int rc = -1;

	if (pipe2(data, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0) {
		error_errno(err, EX_OSERR, "4.3.0", "cannot make a pipe");
		goto out;
	}
	pid_t pid = fork();

	if (pid < 0) {
		error_errno(err, EX_OSERR, "4.3.0", "cannot start a process");
		goto out;
	}
	if (pid == 0)
		child(argv, data[1], report[1]);
	close(data[1]);
	close(report[1]);
	data[1] = report[1] = -1;
	rc = drain(data[0], argv[0], &limit, out, err);
	if (rc < 0) {
		struct deadline now = { .at = 1 };
		int ignored;

		(void)wait_for(pid, &now, &ignored);
		goto out;
	}
	rc = judge(pid, argv[0], report[0], &limit, err);
out:
	for (int i = 0; i < 2; i++) {
		if (data[i] >= 0)
			close(data[i]);
		if (report[i] >= 0)
			close(report[i]);
	}
	return rc;
}
