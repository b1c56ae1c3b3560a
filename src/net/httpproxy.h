/*
 * HTTP CONNECT (RFC 9110, section 9.3.6), spoken on a stream before it is
 * used. Not one octet beyond the proxy's header is read: the greeting of the
 * server may follow it at once.
 */
#ifndef NET_HTTPPROXY_H
#define NET_HTTPPROXY_H

#include "util/attr.h"

struct deadline;
struct error;
struct secret;
struct stream;

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
