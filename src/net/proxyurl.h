/*
 * What proxy to use: its URL, and the hosts that are reached without it.
 */
#ifndef NET_PROXYURL_H
#define NET_PROXYURL_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"
#include "util/secret.h"

struct error;

enum proxy_type {
	PROXY_SOCKS5H, PROXY_SOCKS5, PROXY_SOCKS4A, PROXY_SOCKS4, PROXY_HTTP, PROXY_HTTPS
};

struct proxy_url {
	enum proxy_type type;
	char *host, *user;	/* user: NULL = none */
	unsigned port;
	struct secret password;
};

/*
 * Reads "TYPE://[USER[:PASSWORD]@]HOST[:PORT][/]", with %XX in user and
 * password. Without TYPE:// it is of type bare_type, or refused where that
 * is -1. Ports: 1080, for http and https 3128. To be released. The error
 * (EX_CONFIG) shows no part of the URL but its type.
 */
ATTR_CHECK int proxyurl_parse(const char *text, int bare_type, struct proxy_url *out,
			      struct error *err);
void proxyurl_release(struct proxy_url *p);

/*
 * The length of the name when text is a header field, "Name: value" with a
 * blank behind the colon (RFC 9110, section 5.1), else 0.
 */
ATTR_PURE size_t proxyurl_field_name(const char *text);

/* Is there a password in the text of a URL? By its name, does a header field hold a secret? */
ATTR_PURE bool proxyurl_has_password(const char *text);

/* "socks5h"... */
const char *proxyurl_type_name(enum proxy_type type);

/* Does the proxy look names up, so that none is looked up here? */
bool proxyurl_resolves(enum proxy_type type);

/*
 * The URL in the environment for that host: all_proxy, ALL_PROXY,
 * https_proxy, HTTPS_PROXY, the first that is not empty; NULL if none, or
 * where no_proxy or NO_PROXY excepts it. HTTP_PROXY is not looked at: a CGI
 * program's caller can set it.
 */
const char *proxyurl_environment(const char *host, unsigned port);

/*
 * Is host excepted by an item of the list, whose items stand between commas
 * or blanks? "*": every host; a name: it and all below it (a leading '.' or
 * "*." changes nothing); an address, or ADDRESS/BITS; each with ":PORT" for
 * that port only.
 */
bool proxyurl_excepted(const char *list, const char *host, unsigned port);

#endif
