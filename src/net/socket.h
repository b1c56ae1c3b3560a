/*
 * Sockets: find the server, connect, and the lowest stream on the result.
 *
 * Numeric addresses cost no resolver. All addresses of a name are tried in
 * getaddrinfo()'s order, raced where that is wanted (RFC 8305, section 5);
 * when none works the error lists each with its own reason. Sockets are non-blocking,
 * close-on-exec, TCP_NODELAY, keep-alive.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

struct host_addresses;
struct deadline;
struct error;
struct stream;

struct socket_options {
	const char *source_ip;		/* addresses to connect from, with commas between them */
	bool source_ip_strict;		/* no connection by a family that source_ip does not name */
	unsigned source_port, source_port_last;	/* ports to connect from; 0 = any */
	const char *interface;		/* NULL = any */
	bool keepalive;
	unsigned keepalive_idle, keepalive_interval, keepalive_count;	/* 0: 60 s, 30 s, 4 */
	bool nodelay;			/* small packets do not wait for one another */
	unsigned linger;		/* seconds that close() waits; 0 = not */
	uint64_t send_buffer, recv_buffer;	/* octets; 0 = the system's */
};

struct socket_target {
	const char *host;	/* ASCII name or address (IPv6 also in brackets); NULL with path */
	unsigned port;
	const char *path;	/* local socket */
	const struct socket_options *options;	/* NULL = keepalive and nodelay alone */
	int family;		/* AF_UNSPEC, AF_INET, AF_INET6 */
	int prefer;		/* the family to begin with; 0 = as the resolver says */
	unsigned timeout;	/* seconds for each address */
	unsigned race_ms;	/* delay between the addresses of a race; 0 = no race */
	/* resolve_host() with a resolver to ask: NULL = the system's */
	int (*resolve)(const char *resolver, const char *host, unsigned port, int family,
		       const struct deadline *d, struct host_addresses *out, struct error *err);
	const char *resolver;
	/*
	 * NULL, or the addresses to try: filled when it is empty. After a
	 * success the one in use stands in front, and those that failed are
	 * gone. The caller's to release.
	 */
	struct host_addresses *addresses;
};

/*
 * Connects. EX_NOHOST (5.1.2) when the name does not exist, EX_TEMPFAIL
 * (4.4.3) for trouble with DNS, EX_TEMPFAIL (4.4.1) when no address answers.
 * whole limits all of it. *out is the caller's.
 */
ATTR_CHECK int socket_connect(const struct socket_target *target, const struct deadline *whole,
			      struct stream **out, struct error *err);

/* A stream on a connected socket or other descriptor, which it owns from now on. */
struct stream *socket_stream_take(int fd);

/* The descriptor of the lowest stream; -1 if it has none. */
int socket_fd(const struct stream *s);

/* The peer's numeric address, "local" for a local socket, written to out. */
void socket_peer_name(const struct stream *s, char *out, size_t room);

#endif
