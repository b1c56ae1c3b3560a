#include "config.h"
#include "net/stdio.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "net/stream.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/xalloc.h"

/* So much goes into a pipe without waiting when poll() has said that it can be written to. */
enum { WRITE_MAX = 4096 };

struct stdio {
	struct stream stream;
	int in, out;
};

static ssize_t stdio_lost(struct error *err)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return STREAM_AGAIN;
	return error_errno(err, FAULT_CONNECTION_LOST, "standard input or output has gone");
}

static bool is_ready(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) > 0;
}

static ssize_t stdio_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	const struct stdio *io = (const struct stdio *)s;

	if (!is_ready(io->in, POLLIN))
		return STREAM_AGAIN;
	ssize_t done = read(io->in, buf, n);

	return done < 0 ? stdio_lost(err) : done;
}

static ssize_t stdio_write(struct stream *s, const void *buf, size_t n, struct error *err)
{
	const struct stdio *io = (const struct stdio *)s;

	if (!is_ready(io->out, POLLOUT))
		return STREAM_AGAIN;
	ssize_t done = write(io->out, buf, n < WRITE_MAX ? n : WRITE_MAX);

	return done < 0 ? stdio_lost(err) : done;
}

static int stdio_wait(struct stream *s, int events, const struct deadline *d, struct error *err)
{
	const struct stdio *io = (const struct stdio *)s;
	struct pollfd p[2] = {
		{ .fd = events & STREAM_IN ? io->in : -1, .events = POLLIN },
		{ .fd = events & STREAM_OUT ? io->out : -1, .events = POLLOUT },
	};

	for (;;) {
		const int n = poll(p, 2, deadline_poll_ms(d));

		if (n > 0)
			return (p[0].revents ? STREAM_IN : 0) | (p[1].revents ? STREAM_OUT : 0);
		if (n < 0 && errno != EINTR)
			return error_errno(err, FAULT_SYSTEM, "cannot wait for standard input");
		if (deadline_passed(d))
			return deadline_error(d, err);
	}
}

static void stdio_close(struct stream *s)
{
	(void)s;
}

static void stdio_free(struct stream *s)
{
	xfree(s);
}

static const struct stream_ops stdio_ops = {
	.name = "stdio", .read = stdio_read, .write = stdio_write, .wait = stdio_wait,
	.close = stdio_close, .free = stdio_free,
};

struct stream *stdio_stream_new(int in, int out)
{
	struct stdio *io = xcalloc(1, sizeof(*io));

	*io = (struct stdio){ .stream.ops = &stdio_ops, .in = in, .out = out };
	return &io->stream;
}
