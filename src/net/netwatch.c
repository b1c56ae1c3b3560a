#include "config.h"
#include "net/netwatch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "util/attr.h"
#include "util/clock.h"
#include "util/interrupt.h"

#ifndef TFD_TIMER_CANCEL_ON_SET
#define TFD_TIMER_CANCEL_ON_SET 2
#endif

#define QUIET_MS 1000
#define FAR_SECONDS 1000000000	/* when the timer would end by itself */

static int open_link(void)
{
	const struct sockaddr_nl groups = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
			RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* A timer that never ends, but for a clock that is set. */
static bool arm(int fd)
{
	struct itimerspec when = { .it_value = { .tv_sec = 0 } };

	if (clock_gettime(CLOCK_REALTIME, &when.it_value) < 0)
		return false;
	when.it_value.tv_sec += FAR_SECONDS;
	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) == 0;
}

static int open_clock(void)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0 && !arm(fd)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void netwatch_open(struct netwatch *w)
{
	*w = (struct netwatch){ .link = open_link(), .clock = open_clock(), .other = -1 };
}

void netwatch_close(struct netwatch *w)
{
	if (w->link >= 0)
		close(w->link);
	if (w->clock >= 0)
		close(w->clock);
	*w = (struct netwatch)NETWATCH_INIT;
}

/* Has something come with these messages? What goes is no reason to try. */
static bool brings(const struct nlmsghdr *m, size_t n)
{
	bool any = false;

	for (; NLMSG_OK(m, n); m = NLMSG_NEXT(m, n))
		any |= m->nlmsg_type == RTM_NEWADDR || m->nlmsg_type == RTM_NEWROUTE ||
			m->nlmsg_type == RTM_NEWLINK;
	return any;
}

/* Reads what the kernel has told; true when something has come. */
static bool read_link(int fd)
{
	union {
		struct nlmsghdr head;
		char octets[16384];
	} buf;
	struct sockaddr_nl from;
	socklen_t from_len = sizeof(from);
	bool any = false;
	ssize_t n;

	while ((n = recvfrom(fd, &buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len)) > 0 ||
	       (n < 0 && (errno == EINTR || errno == ENOBUFS))) {
		/* ENOBUFS: more than could be kept has changed */
		if (n < 0)
			any |= errno == ENOBUFS;
		else if (from_len == sizeof(from) && from.nl_pid == 0)
			any |= brings(&buf.head, (size_t)n);
		from_len = sizeof(from);
	}
	return any;
}

/* Reading fails with ECANCELED when the clock was set; then it is armed anew. */
static bool read_clock(int fd)
{
	uint64_t times;

	if (read(fd, &times, sizeof(times)) >= 0 || errno != ECANCELED)
		return false;
	(void)arm(fd);
	return true;
}

/* As poll(), but a signal that comes between a look at interrupt_noted() and the wait counts. */
static int poll_or_signal(struct pollfd *fds, nfds_t n, int ms)
{
	const struct timespec limit = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
	sigset_t heeded, before;

	sigemptyset(&heeded);
	sigaddset(&heeded, SIGINT);
	sigaddset(&heeded, SIGTERM);
	sigaddset(&heeded, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &heeded, &before);
	const int rc = interrupt_noted() ? 0 : ppoll(fds, n, ms < 0 ? NULL : &limit, &before);

	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

enum netwatch_reason netwatch_wait(struct netwatch *w, const struct deadline *d)
{
	struct pollfd fds[] = { { .fd = w->link, .events = POLLIN },
				{ .fd = w->clock, .events = POLLIN },
				{ .fd = w->other, .events = POLLIN } };
	bool network = false;

	while (!interrupt_noted() && !deadline_passed(d)) {
		const int left = deadline_poll_ms(d);
		const int wait = network && (left < 0 || left > QUIET_MS) ? QUIET_MS : left;
		const int n = poll_or_signal(fds, ARRAY_LEN(fds), wait);

		if (n == 0 && network && !interrupt_noted())
			break;
		if (n > 0 && fds[1].revents && read_clock(w->clock))
			return NETWATCH_CLOCK;
		if (n > 0 && fds[2].revents)
			return NETWATCH_OTHER;
		if (n > 0 && fds[0].revents)
			network |= read_link(w->link);
	}
	return interrupt_noted() ? NETWATCH_SIGNAL : network ? NETWATCH_NETWORK : NETWATCH_TIME;
}
