/*
 * SOCKS, spoken on a stream before it is used: version 4, 4a, and 5 (RFC
 * 1928) with name and password (RFC 1929). Not one octet beyond the proxy's
 * reply is read.
 *
 * Failures: EX_UNAVAILABLE when the proxy refuses the request, EX_NOPERM for
 * a name or password it does not take, EX_TEMPFAIL when it cannot reach the
 * server, EX_PROTOCOL for what is no SOCKS, EX_CONFIG for what cannot be said.
 */
#ifndef NET_SOCKS_H
#define NET_SOCKS_H

#include "util/attr.h"

struct address;
struct deadline;
struct error;
struct secret;
struct stream;

struct socks_request {
	const char *host;		/* name or address, IPv6 also in brackets */
	unsigned port;
	const struct address *address;	/* looked up here; NULL: the proxy looks host up */
	const char *user;		/* NULL = no login */
	const struct secret *password;	/* version 5 only; NULL or unset = empty */
};

ATTR_CHECK int socks5_connect(struct stream *s, const struct socks_request *r,
			      const struct deadline *d, struct error *err);

/* Version 4 if there is an address, which must be IPv4; else 4a. */
ATTR_CHECK int socks4_connect(struct stream *s, const struct socks_request *r,
			      const struct deadline *d, struct error *err);

#endif
