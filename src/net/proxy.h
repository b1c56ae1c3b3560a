/*
 * SOCKS, spoken on a stream before it is used: version 4, 4a, and 5 (RFC
 * 1928) with name and password (RFC 1929). Not one octet beyond the proxy's
 * reply is read.
 *
 * Failures: EX_UNAVAILABLE when the proxy refuses the request, EX_NOPERM for
 * a name or password it does not take, EX_TEMPFAIL when it cannot reach the
 * server, EX_PROTOCOL for what is no SOCKS, EX_CONFIG for what cannot be said.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

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

/*
 * HTTP CONNECT (RFC 9110, section 9.3.6), spoken on a stream before it is
 * used. Not one octet beyond the proxy's header is read: the greeting of the
 * server may follow it at once.
 */

#define HTTP_HEADER_MAX 16384

struct http_request {
	const char *host;		/* name or address, IPv6 also in brackets */
	unsigned port;
	const char *user;		/* NULL = no login; has no ':' */
	const struct secret *password;	/* NULL or unset = empty */
};

/*
 * Asks the proxy for a tunnel; any 2xx opens it, interim replies are skipped.
 * 407, 401: EX_NOPERM; 408, 429 and 5xx: EX_TEMPFAIL; other 4xx: EX_UNAVAILABLE;
 * what is no HTTP, or a header of more than HTTP_HEADER_MAX octets:
 * EX_PROTOCOL; a host or user that cannot be said: EX_CONFIG.
 */
ATTR_CHECK int http_connect(struct stream *s, const struct http_request *r,
			    const struct deadline *d, struct error *err);

#endif
