#include "config.h"
#include "util/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#ifdef HAVE_MEMFD_CREATE
#include <sys/mman.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/error.h"
#include "util/interrupt.h"
#include "util/fs.h"
#include "util/strbuf.h"

pid_t proc_fork(void)
{
	static const int ignored[] = { SIGPIPE, SIGXFSZ };
	sigset_t none;

	signal(SIGCHLD, SIG_DFL);
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	return 0;
}

void proc_close_later(void)
{
#ifdef HAVE_CLOSE_RANGE	/* an old kernel may not know it */
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
#endif
	long last = sysconf(_SC_OPEN_MAX);

	for (int fd = 3; fd < (last > 0 && last < 65536 ? last : 65536); fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* In the child: tells why by errno. */
ATTR_NORETURN static void cannot_run(int report)
{
	const int code = errno;

	if (write(report, &code, sizeof(code)) < 0) {
		/* the parent sees the exit status */
	}
	_exit(127);
}

/* It is not the command's fault. */
static enum fault not_run(int code)
{
	return code == EMFILE || code == ENFILE || code == ENOMEM ? FAULT_SYSTEM :
		FAULT_COMMAND_NOT_RUN;
}

/*
 * In the child: only async-signal-safe calls until exec. in and out may be -1:
 * nothing comes in; nothing that is printed counts, also not on stderr.
 */
ATTR_NORETURN static void child(char *const argv[], int in, int out, int report)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* main() keeps 0-2 open, so none of them can be what it is moved to */
	if (null <= STDERR_FILENO || dup2(in < 0 ? null : in, STDIN_FILENO) < 0 ||
	    dup2(out < 0 ? null : out, STDOUT_FILENO) < 0 ||
	    (out < 0 && dup2(null, STDERR_FILENO) < 0))
		cannot_run(report);
	/* its own group, to be killed whole; but one that may ask on the terminal stays in ours */
	int tty = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (tty < 0 || tcgetpgrp(tty) != getpgrp())
		setpgid(0, 0);
	proc_close_later();
	execvp(argv[0], argv);
	cannot_run(report);
}

static void close_both(const int fd[2])
{
	for (int i = 0; i < 2; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
	}
}

static int too_late(const char *name, const struct deadline *limit, struct error *err)
{
	if (interrupt_pending())
		return deadline_error(limit, err);
	return error_set(err, FAULT_COMMAND_SLOW, "command '%s' did not end within %u s", name,
			 limit->seconds);
}

/* Reads fd to its end before the deadline. */
static int drain(int fd, const char *name, const struct deadline *limit, struct strbuf *out,
		 struct error *err)
{
	for (;;) {
		char part[4096];
		ssize_t n = deadline_read(limit, fd, part, sizeof(part));

		if (n < 0 && errno == ETIMEDOUT)
			return too_late(name, limit, err);
		if (n <= 0)
			return 0;
		strbuf_add(out, part, (size_t)n);
		explicit_bzero(part, (size_t)n);
		if (strbuf_overflow(out))
			return error_set(err, FAULT_COMMAND_FAILED,
					 "command '%s' prints more than %zu octets", name,
					 out->limit);
	}
}

/* Its group as well, where it has one. */
static void kill_all(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

#define POLL_MS 5	/* between two looks at a command that has closed its output */
#define KILLED_MS 1000	/* for one that was killed to go; what hangs on a disk does not */

/* Its exit status, before the deadline; it is killed then. false: it had to be. */
static bool wait_for(pid_t pid, const struct deadline *limit, int *status)
{
	int64_t until = 0;

	for (;;) {
		bool late = deadline_passed(limit);

		if (late && !until) {
			kill_all(pid);
			until = clock_ms() + KILLED_MS;
		}
		pid_t done = waitpid(pid, status, late || limit->at ? WNOHANG : 0);

		if (done == pid || (done < 0 && errno != EINTR))
			return !late;
		if (until && clock_ms() >= until)
			return false;
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
		error_errno(err, not_run(code), "cannot run command '%s'", name);
		return strchr(name, '/') ? fs_denied(err, name, code) : -1;
	}
	if (WIFSIGNALED(status))
		return error_set(err, FAULT_COMMAND_KILLED, "command '%s' was ended by signal %d",
				 name, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return error_set(err, FAULT_COMMAND_FAILED, "command '%s' ended with status %d",
				 name, WEXITSTATUS(status));
	return 0;
}

/* --- a command that answers --------------------------------------------------- */

#define LOOK_MS 20	/* between two looks at a command that prints nothing */

extern char **environ;

/* As child(), with a session, an environment and a descriptor 3 of its own. */
ATTR_NORETURN static void answering_child(const struct proc_request *r, int out, int report)
{
	const int said = fcntl(report, F_DUPFD_CLOEXEC, 10);
	int third = r->third < 0 ? -1 : fcntl(r->third, F_DUPFD_CLOEXEC, 10);

	(void)setsid();
	if (said >= 0)
		report = said;
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(r->input < 0 ? null : r->input, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	proc_close_later();
	if (third >= 0 && dup2(third, 3) < 0)
		_exit(127);
	environ = (char **)r->environment;
	execvp(r->argv[0], r->argv);
	int code = errno;

	if (write(report, &code, sizeof(code)) < 0) {
		/* the parent sees the exit status */
	}
	_exit(127);
}

/* Reads what is there; false at the end of it. */
static bool take_output(int fd, struct strbuf *out)
{
	char part[4096];
	ssize_t n = read(fd, part, sizeof(part));

	if (n > 0) {
		const size_t room = out->limit - out->len;

		strbuf_add(out, part, (size_t)n < room ? (size_t)n : room);
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Its words and its status, before the deadline; it is killed then. false: it had to be. */
static bool attend(pid_t pid, int fd, const struct deadline *limit, struct strbuf *out, int *status)
{
	bool open = true;

	for (;;) {
		struct pollfd p = { .fd = open ? fd : -1, .events = POLLIN };
		const pid_t done = waitpid(pid, status, WNOHANG);

		/* one whose end nobody can tell has not ended well */
		if (done < 0)
			*status = SIGKILL;
		const bool ended = done != 0;

		/* what it said at last lies in the pipe, which its children may hold open */
		if (ended) {
			while (open && poll(&p, 1, 0) > 0)
				open = take_output(fd, out);
			return true;
		}
		if (deadline_passed(limit)) {
			/* killed by that; one that hangs in the kernel goes later */
			return wait_for(pid, limit, status);
		}
		if (poll(&p, 1, open ? LOOK_MS : POLL_MS) > 0)
			open = take_output(fd, out);
	}
}

int proc_run(const struct proc_request *r, int *status_out, struct error *err)
{
	const struct deadline limit = deadline_in(r->seconds, r->argv[0]);
	int data[2] = { -1, -1 }, report[2] = { -1, -1 };
	int rc = -1, status = 0, code = 0;
	pid_t pid = -1;

	if (pipe2(data, O_CLOEXEC) == 0 && pipe2(report, O_CLOEXEC) == 0)
		pid = proc_fork();
	if (pid == 0)
		answering_child(r, data[1], report[1]);
	if (pid < 0) {
		error_errno(err, FAULT_SYSTEM, "cannot start a process");
		goto out;
	}
	close(data[1]);
	close(report[1]);
	data[1] = report[1] = -1;
	if (!attend(pid, data[0], &limit, r->out, &status)) {
		too_late(r->argv[0], &limit, err);
	} else if (read(report[0], &code, sizeof(code)) == (ssize_t)sizeof(code)) {
		errno = code;
		error_errno(err, FAULT_COMMAND_NOT_RUN, "cannot run command '%s'", r->argv[0]);
	} else if (!WIFEXITED(status)) {
		error_set(err, FAULT_COMMAND_KILLED, "command '%s' was ended by signal %d",
			  r->argv[0], WTERMSIG(status));
	} else {
		*status_out = WEXITSTATUS(status);
		rc = 0;
	}
out:
	close_both(data);
	close_both(report);
	return rc;
}

/* --- a command that is read, or fed --------------------------------------------- */

/* out NULL: what it prints is not read. */
static int run(char *const argv[], unsigned seconds, int in, struct strbuf *out,
	       struct error *err)
{
	struct deadline limit = deadline_in(seconds, argv[0]);
	int data[2] = { -1, -1 }, report[2] = { -1, -1 };
	int rc = -1;

	if (pipe2(data, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0) {
		error_errno(err, FAULT_SYSTEM, "cannot make a pipe");
		goto out;
	}
	pid_t pid = proc_fork();

	if (pid < 0) {
		error_errno(err, FAULT_SYSTEM, "cannot start a process");
		goto out;
	}
	if (pid == 0)
		child(argv, in, out ? data[1] : -1, report[1]);
	close(data[1]);
	close(report[1]);
	data[1] = report[1] = -1;
	rc = out ? drain(data[0], argv[0], &limit, out, err) : 0;
	if (rc < 0) {
		struct deadline now = { .at = 1 };
		int ignored;

		(void)wait_for(pid, &now, &ignored);
		goto out;
	}
	rc = judge(pid, argv[0], report[0], &limit, err);
out:
	close_both(data);
	close_both(report);
	return rc;
}

int proc_capture(char *const argv[], unsigned seconds, struct strbuf *out, struct error *err)
{
	return run(argv, seconds, -1, out, err);
}

int proc_input(const void *data, size_t n, int *fd_out, struct error *err)
{
	int fd = -1;

#ifdef HAVE_MEMFD_CREATE
	fd = memfd_create("input", MFD_CLOEXEC);
#endif
	if (fd < 0 && fs_temp_file(&fd, err) < 0)
		return -1;
	if (fs_write_all(fd, data, n) == 0 && lseek(fd, 0, SEEK_SET) == 0) {
		*fd_out = fd;
		return 0;
	}
	error_errno(err, FAULT_CANNOT_WRITE, "cannot keep what a command is to read");
	close(fd);
	return -1;
}

int proc_feed(char *const argv[], unsigned seconds, const void *data, size_t n,
	      struct error *err)
{
	int fd, rc;

	if (proc_input(data, n, &fd, err) < 0)
		return -1;
	rc = run(argv, seconds, fd, NULL, err);
	close(fd);
	return rc;
}
