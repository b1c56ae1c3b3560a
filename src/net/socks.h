/*
 * SOCKS5 (RFC 1928), spoken on a stream before it is used; the name of the
 * server goes to the proxy, so nothing is looked up here.
 */
#ifndef NET_SOCKS_H
#define NET_SOCKS_H

#include "util/attr.h"

struct deadline;
struct error;
struct stream;

/*
 * Asks the proxy at the other end of s to connect to host:port. Reads not
 * one octet beyond its reply. EX_UNAVAILABLE when it refuses the request,
 * EX_TEMPFAIL when it cannot reach the server, EX_PROTOCOL for no SOCKS5.
 */
ATTR_CHECK int socks5_connect(struct stream *s, const char *host, unsigned port,
			      const struct deadline *d, struct error *err);

#endif
