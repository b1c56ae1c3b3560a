/*
 * One document by HTTPS: GET, no cookies, no passwords, nothing kept.
 *
 * By libcurl, which is loaded when the first document is wanted. Certificate
 * and name are always verified. No redirect is followed: the caller is told
 * where it leads. The environment's proxies are not looked at.
 */
#ifndef NET_HTTPS_H
#define NET_HTTPS_H

#include <stddef.h>

#include "util/attr.h"

struct host_addresses;
struct deadline;
struct error;
struct proxy_url;
struct strbuf;

struct https_request {
	const char *url;		/* https://... */
	const char *trust_file;		/* PEM; NULL = libcurl's own */
	const char *trust_dir;		/* NULL = none */
	const struct proxy_url *proxy;	/* NULL = none */
	const struct host_addresses *addresses;	/* of the URL's host; NULL = libcurl asks */
	int family;			/* AF_INET, AF_INET6, AF_UNSPEC */
};

struct https_reply {
	unsigned status;		/* 200, 404... */
	char *redirect;			/* where it leads, NULL = nowhere; xfree() */
};

/*
 * Fetches the document into body, whose limit is the bound. 0 for any reply;
 * a body comes with status 200 only. EX_CONFIG: no libcurl; EX_TEMPFAIL: no
 * connection, timeout; EX_PROTOCOL: TLS, certificate, no HTTP; EX_DATAERR:
 * larger than the bound, or no https URL.
 */
ATTR_CHECK int https_get(const struct https_request *r, const struct deadline *d,
			 struct https_reply *out, struct strbuf *body, struct error *err);

/*
 * The host of an https URL and its port into *port_out; xfree() it. NULL for
 * a URL of another scheme, with a user or an address in brackets in it, or
 * without a host.
 */
char *https_host(const char *url, unsigned *port_out);

/* Loads libcurl. EX_CONFIG when it is missing, or was when this was built. */
ATTR_CHECK int https_load(struct error *err);

#endif
