/*
 * One server, by the way that the account says: a command, a local socket,
 * TCP, or TCP to a proxy and through it. The limit on the rate sits on what
 * is the lowest.
 */
#ifndef SUBMIT_CONNECT_H
#define SUBMIT_CONNECT_H

#include <stdbool.h>

#include "net/proxyurl.h"
#include "util/attr.h"

struct account;
struct host_addresses;
struct deadline;
struct error;
struct stream;
struct server;

struct connect_request {
	const struct account *account;
	const struct server *target;
	/* The addresses left to try: see net/socket.h; stays empty where others look names up. */
	struct host_addresses *addresses;
	const struct deadline *whole;
};

/* *out is the caller's. Errors as of net/socket.h, net/socks.h, net/httpproxy.h, net/pipe.h. */
ATTR_CHECK int connect_stream(const struct connect_request *r, struct stream **out,
			      struct error *err);

/*
 * Looks up the addresses that connect_stream() would try, into the empty
 * r->addresses: 1; 0 where there is nothing to look up here (a command, a
 * local socket, a proxy that does it), -1 and err. *proxied_out: a proxy is
 * between.
 */
ATTR_CHECK int connect_addresses(const struct connect_request *r, bool *proxied_out,
				 struct error *err);

/*
 * The proxy for host: 1 and *out (to be released; no password but that of
 * its URL), 0 if there is none, -1 for a URL that cannot be read.
 */
ATTR_CHECK int connect_find_proxy(const struct account *a, const char *host, unsigned port,
				  struct proxy_url *out, struct error *err);

#endif
