/*
 * A server that a mail address is said to submit to, and who says so: what
 * the ways to find one (providers.h, autoconfig.h, discover.h) have in
 * common. Plain data; strings live in the arena of the search or are
 * constant.
 */
#ifndef SETUP_FOUND_SERVER_H
#define SETUP_FOUND_SERVER_H

#include <stdbool.h>

#include "conf/account.h"

struct arena;

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

#endif
