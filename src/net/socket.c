#include "config.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/race.h"
#include "net/resolve.h"
#include "net/sockopt.h"
#include "net/stream.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

enum { BUSY_RETRY_MS = 50 };

struct socket {
	struct stream stream;
	int fd;
	bool is_socket;			/* else read() and write() must do */
};

/* --- the stream -------------------------------------------------------- */

static ssize_t lost(struct error *err)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return STREAM_AGAIN;
	return error_errno(err, FAULT_CONNECTION_LOST, "connection lost");
}

static ssize_t socket_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	const struct socket *k = (const struct socket *)s;
	ssize_t done;

	do
		done = k->is_socket ? recv(k->fd, buf, n, MSG_DONTWAIT) : read(k->fd, buf, n);
	while (done < 0 && errno == EINTR);
	return done < 0 ? lost(err) : done;
}

static ssize_t socket_write(struct stream *s, const void *buf, size_t n, struct error *err)
{
	const struct socket *k = (const struct socket *)s;
	ssize_t done;

	do
		done = k->is_socket ? send(k->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL)
				    : write(k->fd, buf, n);
	while (done < 0 && errno == EINTR);
	return done < 0 ? lost(err) : done;
}

/* poll() on one descriptor: what is ready of events, 0 when the time is up, or -1. */
static int poll_until(int fd, int events, const struct deadline *d)
{
	struct pollfd p = { .fd = fd };

	p.events = (short)((events & STREAM_IN ? POLLIN : 0) | (events & STREAM_OUT ? POLLOUT : 0));
	for (;;) {
		int n = poll(&p, 1, deadline_poll_ms(d));

		if (n == 0 || (n < 0 && errno != EINTR))
			return n;
		if (n < 0)
			continue;
		/* of an error or a hang-up the next read or write says what it is */
		if (p.revents & (POLLERR | POLLHUP | POLLNVAL))
			return events;
		return (p.revents & POLLIN ? STREAM_IN : 0) |
		       (p.revents & POLLOUT ? STREAM_OUT : 0);
	}
}

static int socket_wait(struct stream *s, int events, const struct deadline *d, struct error *err)
{
	int ready = poll_until(((const struct socket *)s)->fd, events, d);

	if (ready < 0)
		return error_errno(err, FAULT_SYSTEM, "cannot wait for the peer");
	return ready ? ready : deadline_error(d, err);
}

static void socket_close(struct stream *s)
{
	(void)shutdown(((const struct socket *)s)->fd, SHUT_WR);
}

static void socket_free(struct stream *s)
{
	close(((struct socket *)s)->fd);
	xfree(s);
}

static const struct stream_ops socket_ops = {
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.wait = socket_wait,
	.close = socket_close,
	.free = socket_free,
};

static struct stream *stream_on(int fd, bool is_socket)
{
	struct socket *k = xcalloc(1, sizeof(*k));

	k->stream.ops = &socket_ops;
	k->fd = fd;
	k->is_socket = is_socket;
	return &k->stream;
}

struct stream *socket_stream_take(int fd)
{
	int type;
	socklen_t len = sizeof(type);
	bool is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;

	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (is_socket)	/* each call says MSG_DONTWAIT: others may share the socket */
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	else
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return stream_on(fd, is_socket);
}

int socket_fd(const struct stream *s)
{
	while (s->lower)
		s = s->lower;
	return s->ops == &socket_ops ? ((const struct socket *)s)->fd : -1;
}

void socket_peer_name(const struct stream *s, char *out, size_t room)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	int fd = socket_fd(s);

	if (fd >= 0 && getpeername(fd, (struct sockaddr *)&a, &len) == 0)
		address_text((const struct sockaddr *)&a, out, room);
	else
		snprintf(out, room, "local");
}

/* --- connecting -------------------------------------------------------- */

/*
 * Waits for the end of a connect() that did not succeed at once; errno is
 * its result. ETIMEDOUT when limit comes first.
 */
static int await_connect(int fd, const struct sockaddr *to, socklen_t len,
			 const struct deadline *limit)
{
	while (errno == EAGAIN) {	/* the backlog of a local socket is full */
		if (deadline_passed(limit)) {
			errno = ETIMEDOUT;
			return -1;
		}
		(void)poll(NULL, 0, BUSY_RETRY_MS);
		if (connect(fd, to, len) == 0)
			return 0;
	}
	if (errno != EINPROGRESS && errno != EINTR)
		return -1;
	int ready = poll_until(fd, STREAM_OUT, limit);
	int result = ready == 0 ? ETIMEDOUT : errno;
	socklen_t size = sizeof(result);

	if (ready > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &size) < 0)
		result = errno;
	errno = result;
	return result ? -1 : 0;
}

enum fault socket_fault(int error)
{
	static const struct {
		int error;
		enum fault fault;
	} faults[] = {
		{ ECONNREFUSED, FAULT_CONNECT_REFUSED }, { ETIMEDOUT, FAULT_CONNECT_TIMEOUT },
		{ ENETUNREACH, FAULT_NET_UNREACHABLE }, { EHOSTUNREACH, FAULT_HOST_UNREACHABLE },
		{ EACCES, FAULT_CONNECT_DENIED }, { EPERM, FAULT_CONNECT_DENIED },
		{ EADDRNOTAVAIL, FAULT_SOURCE_ADDRESS },
	};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		if (faults[i].error == error)
			return faults[i].fault;
	}
	return FAULT_CONNECT;
}

/* One local socket: the descriptor, or -1 and errno with the reason appended to reasons. */
static int connect_one(const struct sockaddr *to, socklen_t len, const struct deadline *limit,
		       struct strbuf *reasons)
{
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		int why = errno;

		strbuf_addf(reasons, "cannot make a socket: %s", strerror(why));
		errno = why;
		return -1;
	}
	if (connect(fd, to, len) == 0 || await_connect(fd, to, len, limit) == 0)
		return fd;
	int why = errno;

	if (why == ETIMEDOUT && deadline_passed(limit))
		strbuf_addf(reasons, "no answer within %u s", limit->seconds);
	else
		strbuf_addstr(reasons, strerror(why));
	close(fd);
	errno = why;
	return -1;
}

/* The limit for one address: its own or the whole, whichever comes first. */
static struct deadline attempt_limit(const struct socket_target *target,
				     const struct deadline *whole)
{
	return deadline_first(deadline_in(target->timeout, "the connection"), *whole);
}

static int find_addresses(const struct socket_target *target, const struct deadline *whole,
			  struct address_list *list, struct error *err)
{
	struct deadline limit = attempt_limit(target, whole);
	int rc = target->resolve ?
		target->resolve(target->resolver, target->host, target->port, target->family,
				&limit, list, err) :
		resolve_host(target->host, target->port, target->family, &limit, list, err);

	if (rc == 0 && target->prefer)
		address_list_prefer(list, target->prefer);
	return rc;
}

/* Those before the winner have failed, or were slower. */
static void keep_rest(struct address_list *list, size_t winner)
{
	while (winner-- > 0)
		address_list_drop(list, 0);
}

static int connect_list(const struct socket_target *target, struct address_list *list,
			const struct deadline *whole, struct error *err)
{
	const struct race race = {
		.list = list, .options = target->options, .delay_ms = target->race_ms,
		.timeout = target->timeout,
	};
	struct strbuf reasons = STRBUF_INIT(sizeof(err->text));
	size_t winner = 0;
	struct error kinds;
	int fd = race_run(&race, whole, &winner, &reasons, &kinds);

	if (fd >= 0) {
		keep_rest(list, winner);
	} else {
		error_set(err, kinds.fault != FAULT_NONE ? kinds.fault : FAULT_CONNECT,
			  "cannot connect to %s:%u: %s%s", target->host, target->port,
			  reasons.buf, strbuf_overflow(&reasons) ? "..." : "");
		memcpy(err->also, kinds.also, sizeof(err->also));
		list->n = 0;
	}
	strbuf_release(&reasons);
	return fd;
}

static int connect_host(const struct socket_target *target, const struct deadline *whole,
			struct error *err)
{
	struct address_list own = { .n = 0 };
	struct address_list *list = target->addresses ? target->addresses : &own;
	int fd = -1;

	if (target->options && sockopt_check_source(target->options->source_ip, err) < 0)
		return -1;
	if (list->n || find_addresses(target, whole, list, err) == 0)
		fd = connect_list(target, list, whole, err);
	address_list_release(&own);
	return fd;
}

static int connect_path(const struct socket_target *target, const struct deadline *whole,
			struct error *err)
{
	struct deadline limit = attempt_limit(target, whole);
	struct strbuf reason = STRBUF_INIT(sizeof(err->text));
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(target->path);

	if (len >= sizeof(to.sun_path))
		return error_set(err, FAULT_CONFIG,
				 "path of local socket '%s' is longer than %zu octets",
				 target->path, sizeof(to.sun_path) - 1);
	memcpy(to.sun_path, target->path, len);
	int fd = connect_one((const struct sockaddr *)&to, sizeof(to), &limit, &reason);

	if (fd < 0)
		error_set(err, errno == ENOENT ? FAULT_SOCKET_MISSING : socket_fault(errno),
			  "cannot connect to local socket '%s': %s",
			  target->path, reason.buf);
	strbuf_release(&reason);
	return fd;
}

int socket_connect(const struct socket_target *target, const struct deadline *whole,
		   struct stream **out, struct error *err)
{
	int fd = target->path ? connect_path(target, whole, err)
			      : connect_host(target, whole, err);

	if (fd < 0)
		return -1;
	*out = stream_on(fd, true);
	return 0;
}
