/*
 * Sockets: find the server, connect, and the lowest stream on the result.
 *
 * Numeric addresses cost no resolver. All addresses of a name are tried in
 * getaddrinfo()'s order; when none works the error lists each with its own
 * reason. Sockets are non-blocking, close-on-exec, TCP_NODELAY, keep-alive.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stddef.h>

#include "util/attr.h"

struct deadline;
struct error;
struct stream;

struct socket_target {
	const char *host;	/* ASCII name or address (IPv6 also in brackets); NULL with path */
	unsigned port;
	const char *path;	/* local socket */
	const char *source_ip;	/* NULL = any */
	int family;		/* AF_UNSPEC, AF_INET, AF_INET6 */
	unsigned timeout;	/* seconds for each address */
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
