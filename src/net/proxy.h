/*
 * What a proxy is asked on a stream before that is used: SOCKS version 4, 4a,
 * and 5 (RFC 1928) with name and password (RFC 1929), and HTTP CONNECT (RFC
 * 9110, section 9.3.6). Not one octet beyond the proxy's reply is read: the
 * greeting of the server may follow it at once.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "net/proxyurl.h"
#include "util/attr.h"

struct address;
struct deadline;
struct error;
struct secret;
struct stream;

#define HTTP_HEADER_MAX 16384

struct proxy_request {
	const char *host;		/* name or address, IPv6 also in brackets */
	unsigned port;
	const struct address *address;	/* SOCKS: looked up here; NULL: the proxy looks host up */
	const char *user;		/* NULL = no login; for HTTP it has no ':' */
	const struct secret *password;	/* NULL or unset = empty; SOCKS 4 has none */
	const char *field;		/* of HTTP: one more, "Name: value"; NULL = none */
};

/*
 * Asks for a connection. SOCKS 4 is 4a where there is no address, and the
 * address must be IPv4. Of HTTP any 2xx is one, interim replies are skipped,
 * 407 and 401 are about the login, 408, 429 and 5xx may pass.
 *
 * EX_UNAVAILABLE when the proxy refuses the request, EX_NOPERM for a name or
 * password it does not take, EX_TEMPFAIL when it cannot reach the server,
 * EX_PROTOCOL for what is no SOCKS or HTTP, or a header of more than
 * HTTP_HEADER_MAX octets, EX_CONFIG for what cannot be said.
 */
ATTR_CHECK int proxy_connect(enum proxy_type type, struct stream *s, const struct proxy_request *r,
			     const struct deadline *d, struct error *err);

#endif
