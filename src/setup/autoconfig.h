/*
 * The document in which a domain, or somebody on its behalf, says where its
 * mailboxes submit mail: Thunderbird's autoconfig, config-v1.1.xml.
 *
 * Taken: <outgoingServer type="smtp"> of the first <emailProvider>. Passed
 * over: servers without TLS, with host names or ports that are none, with
 * user names that only the user could complete, and those where no password
 * and no OAuth2 will do. Read by util/xml.h, so without document types and
 * entities; what is unknown is skipped. Nothing is fetched here.
 */
#ifndef SETUP_AUTOCONFIG_H
#define SETUP_AUTOCONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/account.h"
#include "util/attr.h"

struct arena;
struct error;
struct strbuf;

/*
 * A server that a mail address is said to submit to, and who says so: what
 * the ways to find one (providers.h, autoconfig.h, discover.h) have in
 * common. Plain data; strings live in the arena of the search or are
 * constant.
 */

/* What the server wants to see. */
enum found_auth { FOUND_AUTH_PASSWORD, FOUND_AUTH_OAUTH2 };

struct found_server {
	const char *host;		/* ASCII */
	unsigned port;
	enum tls_mode mode;		/* TLS_IMPLICIT or TLS_STARTTLS; or as the user said */
	const char *user;		/* to sign in as; NULL = the address */
	enum found_auth auth;
	const char *source;		/* "the SRV records of example.org" */
	const char *hint;		/* what the user has to know; NULL = nothing */
	bool unproven;			/* DNS alone says that it serves the domain */
};

/* A mail address in its parts. */
struct found_address {
	const char *address, *local, *domain;
};

/*
 * Puts %EMAILADDRESS%, %EMAILLOCALPART% and %EMAILDOMAIN% in; NULL when text
 * has another %NAME%, which only the user could fill in.
 */
const char *found_server_fill_in(struct arena *a, const char *text,
			       const struct found_address *who);

#define AUTOCONFIG_SERVERS 16

/*
 * Reads n octets; the servers into out in the document's order, their number
 * into *n_out. source is borrowed. What was passed over is appended to note,
 * as "HOST:PORT: why; ". EX_DATAERR: no such document, or none of this
 * program's kind; EX_CONFIG: no libexpat.
 */
ATTR_CHECK int autoconfig_read(const char *data, size_t n, struct arena *a,
			       const struct found_address *who, const char *source,
			       struct found_server out[AUTOCONFIG_SERVERS], size_t *n_out,
			       struct strbuf *note, struct error *err);

#endif
