#include "config.h"
#include "net/sockopt.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "net/resolve.h"
#include "util/error.h"
#include "util/strvec.h"

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
	if (!o->delay)
		set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (!o->keepalive_off)
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

int sockopt_check_source(const char *source, struct error *err)
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

static void set_port(struct address *a, unsigned port)
{
	if (a->to.any.sa_family == AF_INET)
		a->to.in.sin_port = htons((in_port_t)port);
	else
		a->to.in6.sin6_port = htons((in_port_t)port);
}

/* Any free port of the range, beginning anywhere in it. */
static int bind_range(int fd, struct address *from, const struct socket_options *o)
{
	unsigned count = o->port_last > o->port_first ? o->port_last - o->port_first + 1 : 1;
	uint32_t offset = 0;

	if (getrandom(&offset, sizeof(offset), 0) != (ssize_t)sizeof(offset))
		offset = 0;
	/* a port whose last connection is still remembered may go to another server */
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	for (unsigned i = 0; i < count; i++) {
		set_port(from, o->port_first + (offset + i) % count);
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
		if (o->source_ip && *o->source_ip && o->source_strict) {
			errno = EADDRNOTAVAIL;
			return -1;
		}
		if (!o->port_first)
			return 0;
		if (!address_from_text(family == AF_INET ? "0.0.0.0" : "::", 0, &from))
			return -1;
	}
	if (o->port_first)
		return bind_range(fd, &from, o);
#ifdef IP_BIND_ADDRESS_NO_PORT
	set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
#endif
	return bind(fd, &from.to.any, from.len);
}

int sockopt_prepare(int fd, int family, const struct socket_options *o, const char **stage_out)
{
	static const struct socket_options defaults = { .linger = 0 };

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
