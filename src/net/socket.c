/*
 * Options of a socket before it connects, and where it connects from.
 */
#include "config.h"
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/resolve.h"
#include "net/stream.h"
#include "util/attr.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/interrupt.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/xalloc.h"

/* --- options ------------------------------------------------------------------------ */

/* A NAT box may forget an idle mapping while we wait for the reply to the final dot. */
enum { KEEPALIVE_IDLE = 60, KEEPALIVE_INTERVAL = 30, KEEPALIVE_COUNT = 4 };

#define SOURCES_MAX 16

static int or_default(unsigned value, int def)
{
	return value ? (int)value : def;
}

static void set_int(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_keepalive(int fd, const struct socket_options *o)
{
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
#ifdef TCP_KEEPIDLE
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, or_default(o->keepalive_idle, KEEPALIVE_IDLE));
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL,
		or_default(o->keepalive_interval, KEEPALIVE_INTERVAL));
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, or_default(o->keepalive_count, KEEPALIVE_COUNT));
#endif
}

/* Options that help but are not needed: failure is nothing to report. */
static void set_options(int fd, const struct socket_options *o)
{
	if (o->nodelay)
		set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (o->keepalive)
		set_keepalive(fd, o);
	if (o->send_buffer)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, (int)o->send_buffer);
	if (o->recv_buffer)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, (int)o->recv_buffer);
	if (o->linger) {
		const struct linger l = { .l_onoff = 1, .l_linger = (int)o->linger };

		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	}
}

/* --- the source ---------------------------------------------------------------- */

static void split_source(const char *source, struct strvec *out)
{
	strvec_split(out, source ? source : "", ", \t");
}

/* Are all items of the source, "ADDRESS[, ADDRESS]", addresses? EX_CONFIG otherwise. */
static int sockopt_check_source(const char *source, struct error *err)
{
	struct strvec items = STRVEC_INIT(SOURCES_MAX);
	struct address ignored;
	int rc = 0;

	split_source(source, &items);
	for (size_t i = 0; rc == 0 && i < items.n; i++) {
		if (!address_from_text(items.v[i], 0, &ignored))
			rc = error_set(err, FAULT_CONFIG,
				       "source address '%s' is no IPv4 or IPv6 address",
				       items.v[i]);
	}
	strvec_release(&items);
	return rc;
}

/* The first address of the family: is there one? */
static bool find_source(const char *source, int family, struct address *out)
{
	struct strvec items = STRVEC_INIT(SOURCES_MAX);
	bool found = false;

	split_source(source, &items);
	for (size_t i = 0; !found && i < items.n; i++)
		found = address_from_text(items.v[i], 0, out) && out->to.any.sa_family == family;
	strvec_release(&items);
	return found;
}

/* Any free port of the range, beginning anywhere in it. */
static int bind_range(int fd, struct address *from, const struct socket_options *o)
{
	const unsigned first = o->source_port, last = o->source_port_last;
	unsigned count = last > first ? last - first + 1 : 1;
	uint32_t offset = 0;

	if (getrandom(&offset, sizeof(offset), 0) != (ssize_t)sizeof(offset))
		offset = 0;
	/* a port whose last connection is still remembered may go to another server */
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	for (unsigned i = 0; i < count; i++) {
		address_set_port(from, first + (offset + i) % count);
		if (bind(fd, &from->to.any, from->len) == 0)
			return 0;
		if (errno != EADDRINUSE && errno != EACCES)
			return -1;
	}
	return -1;
}

static int bind_source(int fd, int family, const struct socket_options *o)
{
	struct address from = { .len = 0 };

	if (!find_source(o->source_ip, family, &from)) {
		if (o->source_ip && *o->source_ip && o->source_ip_strict) {
			errno = EADDRNOTAVAIL;
			return -1;
		}
		if (!o->source_port)
			return 0;
		if (!address_from_text(family == AF_INET ? "0.0.0.0" : "::", 0, &from))
			return -1;
	}
	if (o->source_port)
		return bind_range(fd, &from, o);
#ifdef IP_BIND_ADDRESS_NO_PORT
	set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
#endif
	return bind(fd, &from.to.any, from.len);
}

/*
 * Sets the options (NULL = the defaults) and binds to the source that they
 * name for this family of addresses. -1 and errno, and *stage_out names what
 * failed ("cannot use the source address: "). Options that only help are
 * tried and no more.
 */
static int sockopt_prepare(int fd, int family, const struct socket_options *o,
			   const char **stage_out)
{
	static const struct socket_options defaults = { .keepalive = true, .nodelay = true };

	if (!o)
		o = &defaults;
	set_options(fd, o);
	if (o->interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, o->interface,
				       (socklen_t)strlen(o->interface)) < 0) {
		*stage_out = "cannot use the interface: ";
		return -1;
	}
	if (bind_source(fd, family, o) < 0) {
		*stage_out = "cannot use the source address: ";
		return -1;
	}
	return 0;
}

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

/* What it means that connect() has failed with that errno. */
static enum fault socket_fault(int error)
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

/* Why it has not been connected. */
static void add_reason(struct strbuf *out, const char *stage, int error,
		       const struct deadline *limit)
{
	strbuf_addstr(out, stage ? stage : "");
	if (error == ETIMEDOUT && deadline_passed(limit))
		strbuf_addf(out, "no answer within %u s", limit->seconds);
	else
		strbuf_addstr(out, strerror(error));
}

/* The limit for one address: its own or the whole, whichever comes first. */
static struct deadline attempt_limit(const struct socket_target *target,
				     const struct deadline *whole)
{
	return deadline_first(deadline_in(target->timeout, "the connection"), *whole);
}

static int find_addresses(const struct socket_target *target, const struct deadline *whole,
			  struct host_addresses *list, struct error *err)
{
	struct deadline limit = attempt_limit(target, whole);
	int rc = target->resolve ?
		target->resolve(target->resolver, target->host, target->port, target->family,
				&limit, list, err) :
		resolve_host(target->host, target->port, target->family, &limit, list, err);

	if (rc == 0 && target->prefer)
		host_addresses_prefer(list, target->prefer);
	return rc;
}

/* --- the addresses of one host, raced ----------------------------------------------- */

/*
 * RFC 8305, section 5: one connection is begun, the next after a delay, or at
 * once when all that run have failed; the first that stands wins and the
 * others are closed. Only TCP is raced, never what is spoken on it.
 */

struct runner {
	struct deadline limit;
	int error;		/* errno, once it has failed */
	const char *stage;	/* what failed, before connect() */
};

struct field {
	const struct socket_target *target;
	const struct host_addresses *list;
	const struct deadline *whole;
	struct runner *runner;
	struct pollfd *p;	/* -1 where nobody runs */
	size_t next, running;
	int64_t next_at;	/* when the next one may start beside those that run */
};

static void fail_address(struct field *f, size_t i, int error)
{
	f->runner[i].error = error;
	if (f->p[i].fd >= 0) {
		close(f->p[i].fd);
		f->p[i].fd = -1;
		f->running--;
	}
}

/* Begins a connection: true when it stands at once. */
static bool start_address(struct field *f, size_t i)
{
	const struct address *to = &f->list->v[i];
	struct runner *r = &f->runner[i];
	int fd = socket(to->to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	r->limit = attempt_limit(f->target, f->whole);
	if (fd < 0) {
		r->stage = "cannot make a socket: ";
		r->error = errno;
		return false;
	}
	f->p[i].fd = fd;
	f->running++;
	if (sockopt_prepare(fd, to->to.any.sa_family, f->target->options, &r->stage) < 0) {
		fail_address(f, i, errno);
		return false;
	}
	if (connect(fd, &to->to.any, to->len) == 0)
		return true;
	if (errno != EINPROGRESS && errno != EINTR)
		fail_address(f, i, errno);
	return false;
}

/* Is the connection of i there? A failed one is marked so. */
static bool finished(struct field *f, size_t i)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(f->p[i].fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error)
		fail_address(f, i, error);
	return error == 0;
}

/* Until something can happen, in milliseconds for poll(). */
static int patience(const struct field *f)
{
	int64_t left = INT_MAX;

	if (f->next < f->list->n && f->target->race_ms)
		left = f->next_at - clock_ms();
	for (size_t i = 0; i < f->next; i++) {
		int ms = f->p[i].fd >= 0 ? deadline_poll_ms(&f->runner[i].limit) : -1;

		if (ms >= 0 && ms < left)
			left = ms;
	}
	return left == INT_MAX ? -1 : left < 0 ? 0 : (int)left;
}

/* One wait: the place of the winner, or -1. */
static int wait_for_one(struct field *f)
{
	int ready = poll(f->p, (nfds_t)f->next, patience(f));
	int winner = -1;

	for (size_t i = 0; i < f->next; i++) {
		if (f->p[i].fd < 0)
			continue;
		if (ready > 0 && f->p[i].revents) {
			if (finished(f, i) && winner < 0)
				winner = (int)i;
		} else if (deadline_passed(&f->runner[i].limit)) {
			fail_address(f, i, ETIMEDOUT);
		}
	}
	return winner;
}

static int run(struct field *f)
{
	for (;;) {
		bool more = f->next < f->list->n && !deadline_passed(f->whole);
		bool now = f->target->race_ms && clock_ms() >= f->next_at;

		if (more && (f->running == 0 || now)) {
			size_t i = f->next++;

			f->next_at = clock_ms() + f->target->race_ms;
			if (start_address(f, i))
				return (int)i;
			continue;
		}
		if (f->running == 0)
			return -1;
		int winner = wait_for_one(f);

		if (winner >= 0)
			return winner;
	}
}

/* Each address that was tried has its own reason, in the order of the list. */
static void tell(const struct field *f, struct error *err)
{
	struct strbuf reasons = STRBUF_INIT(sizeof(err->text));

	for (size_t i = 0; i < f->next; i++) {
		const struct runner *r = &f->runner[i];
		char name[ADDRESS_TEXT];

		address_text(&f->list->v[i].to.any, name, sizeof(name));
		strbuf_addf(&reasons, "%s%s: ", i ? "; " : "", name);
		if (r->error == ETIMEDOUT && interrupt_pending())
			strbuf_addf(&reasons, "%sno answer yet when %s ended it",
				    r->stage ? r->stage : "", interrupt_name(interrupt_pending()));
		else
			add_reason(&reasons, r->stage, r->error, &r->limit);
	}
	if (deadline_passed(f->whole) && !interrupt_pending())
		strbuf_addstr(&reasons, "; no time is left to try more");
	error_set(err, f->next ? socket_fault(f->runner[0].error) : FAULT_CONNECT,
		  "cannot connect to %s:%u: %s%s", f->target->host, f->target->port, reasons.buf,
		  strbuf_overflow(&reasons) ? "..." : "");
	for (size_t i = 1; i < f->next; i++)
		error_also(err, socket_fault(f->runner[i].error));
	if (interrupt_pending())
		error_turn(err, FAULT_INTERRUPTED);
	strbuf_release(&reasons);
}

/* The connected descriptor, and its address is the first of the list; or -1, and none is left. */
static int race(const struct socket_target *target, struct host_addresses *list,
		const struct deadline *whole, struct error *err)
{
	const size_t n = list->n;
	struct field f = { .target = target, .list = list, .whole = whole };
	int fd = -1;

	f.runner = xcalloc(n, sizeof(*f.runner));
	f.p = xcalloc(n, sizeof(*f.p));
	for (size_t i = 0; i < n; i++)
		f.p[i] = (struct pollfd){ .fd = -1, .events = POLLOUT };
	/* a limit that has passed already still allows one try, as poll() does */
	const bool last = deadline_passed(whole) && n;
	int winner = last && start_address(&f, f.next++) ? 0 : run(&f);

	if (winner >= 0) {
		fd = f.p[winner].fd;
		f.p[winner].fd = -1;
		/* those before it have failed, or were slower */
		while (winner-- > 0)
			host_addresses_drop(list, 0);
	} else {
		tell(&f, err);
		list->n = 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (f.p[i].fd >= 0)
			close(f.p[i].fd);
	}
	xfree(f.runner);
	xfree(f.p);
	return fd;
}

/* --- one host, one path -------------------------------------------------------------- */

static int connect_host(const struct socket_target *target, const struct deadline *whole,
			struct error *err)
{
	struct host_addresses own = { .n = 0 };
	struct host_addresses *list = target->addresses ? target->addresses : &own;
	int fd = -1;

	if (target->options && sockopt_check_source(target->options->source_ip, err) < 0)
		return -1;
	if (list->n || find_addresses(target, whole, list, err) == 0)
		fd = race(target, list, whole, err);
	host_addresses_release(&own);
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
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const struct sockaddr *addr = (const struct sockaddr *)&to;

	if (fd >= 0 && (connect(fd, addr, sizeof(to)) == 0 ||
			await_connect(fd, addr, sizeof(to), &limit) == 0))
		return fd;
	const int why = errno;

	add_reason(&reason, fd < 0 ? "cannot make a socket: " : "", why, &limit);
	if (fd >= 0)
		close(fd);
	error_set(err, why == ENOENT ? FAULT_SOCKET_MISSING : socket_fault(why),
		  "cannot connect to local socket '%s': %s", target->path, reason.buf);
	strbuf_release(&reason);
	return -1;
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
