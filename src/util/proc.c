#include "config.h"
#include "util/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"

/* In the child: only async-signal-safe calls until exec. */
ATTR_NORETURN static void child(char *const argv[], int out, int report)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* main() keeps 0-2 open, so neither of the two can be what it is moved to */
	if (null <= STDERR_FILENO || out <= STDERR_FILENO || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
#ifdef HAVE_CLOSE_RANGE
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
#else
	for (int fd = 3; fd < 1024; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
	execvp(argv[0], argv);
	int code = errno;

	if (write(report, &code, sizeof(code)) < 0) {
		/* the parent sees the exit status */
	}
	_exit(127);
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
			return error_set(err, EX_TEMPFAIL, "4.3.0",
					 "command '%s' did not end within %u s", name,
					 limit->seconds);
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

static int judge(pid_t pid, const char *name, int report, struct error *err)
{
	int status = 0, code = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
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
		struct error ignored;

		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
		(void)judge(pid, argv[0], report[0], &ignored);
		goto out;
	}
	rc = judge(pid, argv[0], report[0], err);
out:
	for (int i = 0; i < 2; i++) {
		if (data[i] >= 0)
			close(data[i]);
		if (report[i] >= 0)
			close(report[i]);
	}
	return rc;
}
