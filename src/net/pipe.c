#include "config.h"
#include "net/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/stream.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/proc.h"
#include "util/xalloc.h"

/* After its input has ended the command may still be sending what we said. */
enum { END_MS = 2000, TERM_MS = 500, LOOK_MS = 5 };

struct pipe {
	struct stream stream;
	int in, out;			/* we read from in; out is -1 once closed */
	pid_t pid;			/* 0 once waited for */
	int status;
	char *name;
};

/* --- the process ------------------------------------------------------------- */

/* Looks whether the command has ended, for ms milliseconds. */
static bool ended(struct pipe *p, int ms)
{
	for (int waited = 0; p->pid; waited += LOOK_MS) {
		pid_t got = waitpid(p->pid, &p->status, WNOHANG);

		if (got == p->pid || (got < 0 && errno != EINTR))
			p->pid = 0;
		if (!p->pid || waited >= ms)
			break;
		(void)poll(NULL, 0, LOOK_MS);
	}
	return p->pid == 0;
}

/* In the child: only async-signal-safe calls until exec. */
ATTR_NORETURN static void child(const char *const *argv, int in, int out, int report)
{
	/* main() keeps 0-2 open, so neither of the two can be what it is moved to */
	if (in <= STDERR_FILENO || out <= STDERR_FILENO || dup2(in, STDIN_FILENO) < 0 ||
	    dup2(out, STDOUT_FILENO) < 0)
		_exit(127);
	proc_close_later();
	execvp(argv[0], (char *const *)(const void *)argv);
	int code = errno;

	if (write(report, &code, sizeof(code)) < 0) {
		/* the parent sees the exit status */
	}
	_exit(127);
}

/* --- the stream -------------------------------------------------------------- */

static ssize_t again_or_lost(struct error *err)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return STREAM_AGAIN;
	return error_errno(err, FAULT_CONNECTION_LOST, "connection to the tunnel command lost");
}

/* Its output is closed: why, if that can be told. */
static ssize_t at_end(struct pipe *p, struct error *err)
{
	if (!ended(p, END_MS) || p->status == 0)
		return 0;
	if (WIFSIGNALED(p->status))
		return error_set(err, FAULT_TUNNEL,
				 "tunnel command '%s' was ended by signal %d", p->name,
				 WTERMSIG(p->status));
	return error_set(err, FAULT_TUNNEL, "tunnel command '%s' ended with status %d",
			 p->name, WEXITSTATUS(p->status));
}

static ssize_t pipe_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	struct pipe *p = (struct pipe *)s;
	ssize_t done;

	do
		done = read(p->in, buf, n);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return again_or_lost(err);
	return done ? done : at_end(p, err);
}

static ssize_t pipe_write(struct stream *s, const void *buf, size_t n, struct error *err)
{
	const struct pipe *p = (const struct pipe *)s;
	ssize_t done;

	do
		done = write(p->out, buf, n);
	while (done < 0 && errno == EINTR);
	return done < 0 ? again_or_lost(err) : done;
}

static int pipe_wait(struct stream *s, int events, const struct deadline *d, struct error *err)
{
	const struct pipe *p = (const struct pipe *)s;
	struct pollfd fd[2] = {
		{ .fd = events & STREAM_IN ? p->in : -1, .events = POLLIN },
		{ .fd = events & STREAM_OUT ? p->out : -1, .events = POLLOUT },
	};

	for (;;) {
		int n = poll(fd, 2, deadline_poll_ms(d));

		if (n == 0)
			return deadline_error(d, err);
		/* of an error or a hang-up the next read or write says what it is */
		if (n > 0)
			return (fd[0].revents ? STREAM_IN : 0) |
			       (fd[1].revents ? STREAM_OUT : 0);
		if (errno != EINTR)
			return error_errno(err, FAULT_SYSTEM, "cannot wait for the peer");
	}
}

static void pipe_close(struct stream *s)
{
	struct pipe *p = (struct pipe *)s;

	if (p->out >= 0)
		close(p->out);
	p->out = -1;
}

static void pipe_free(struct stream *s)
{
	struct pipe *p = (struct pipe *)s;

	pipe_close(s);
	if (!ended(p, END_MS)) {
		kill(p->pid, SIGTERM);
		if (!ended(p, TERM_MS)) {
			kill(p->pid, SIGKILL);
			while (p->pid && waitpid(p->pid, &p->status, 0) < 0 && errno == EINTR)
				;
		}
	}
	close(p->in);
	xfree(p->name);
	xfree(p);
}

static const struct stream_ops pipe_ops = {
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.wait = pipe_wait,
	.close = pipe_close,
	.free = pipe_free,
};

/* --- starting it --------------------------------------------------------------- */

enum { TO, FROM, REPORT, PIPES };

static void close_all(int fd[PIPES][2])
{
	for (int i = 0; i < PIPES; i++) {
		for (int k = 0; k < 2; k++) {
			if (fd[i][k] >= 0)
				close(fd[i][k]);
		}
	}
}

static int start_child(const char *const *argv, int fd[PIPES][2], pid_t *pid_out, struct error *err)
{
	for (int i = 0; i < PIPES; i++) {
		if (pipe2(fd[i], O_CLOEXEC) < 0)
			return error_errno(err, FAULT_SYSTEM, "cannot make a pipe");
	}
	*pid_out = proc_fork();
	if (*pid_out < 0)
		return error_errno(err, FAULT_SYSTEM, "cannot start a process");
	if (*pid_out == 0)
		child(argv, fd[TO][0], fd[FROM][1], fd[REPORT][1]);
	close(fd[REPORT][1]);
	fd[REPORT][1] = -1;
	return 0;
}

/* Waits until the command runs, or why it does not. */
static int check_started(const char *name, int report, pid_t pid, struct error *err)
{
	int code = 0;
	ssize_t n;

	do
		n = read(report, &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(code))
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	errno = code;
	return error_errno(err, FAULT_COMMAND_NOT_RUN, "cannot run tunnel command '%s'", name);
}

int pipe_stream_open(const char *const *argv, struct stream **out, struct error *err)
{
	int fd[PIPES][2] = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
	pid_t pid = 0;
	int rc = start_child(argv, fd, &pid, err);

	if (rc == 0)
		rc = check_started(argv[0], fd[REPORT][0], pid, err);
	if (rc == 0) {
		struct pipe *p = xcalloc(1, sizeof(*p));

		p->stream.ops = &pipe_ops;
		p->in = fd[FROM][0];
		p->out = fd[TO][1];
		p->pid = pid;
		p->name = xstrdup(argv[0]);
		(void)fcntl(p->in, F_SETFL, O_NONBLOCK);
		(void)fcntl(p->out, F_SETFL, O_NONBLOCK);
		fd[FROM][0] = fd[TO][1] = -1;
		*out = &p->stream;
	}
	close_all(fd);
	return rc;
}
