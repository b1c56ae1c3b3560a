/*
 * Finds the server that a mail address submits to.
 *
 * In this order, until a server answers as it should: the table of providers
 * for an address in a domain of theirs (nobody is asked); SRV records (RFC
 * 6186, 8314); the domain's own autoconfig documents by HTTPS; the ISP
 * database of thunderbird.net, unless it is left out; the table again, by the
 * hosts that receive the domain's mail; at last guessing: smtp.DOMAIN,
 * mail.DOMAIN, DOMAIN and those hosts, at 465 and 587.
 *
 * A server is taken when TLS is verified and it offers a way to sign in that
 * this program has; no password is sent. What DNS alone says may be forged,
 * so a server outside of the domain that it names is marked unproven, unless
 * the account's srv_live trusts it or a provider of the table is meant.
 * Each question and its answer is one line to the note function.
 */
#ifndef SETUP_DISCOVER_H
#define SETUP_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/account.h"
#include "util/attr.h"

struct arena;
struct attempt_options;
struct error;
struct strbuf;

/*
 * A server that a mail address is said to submit to, and who says so: what
 * the ways to find one (providers.c, autoconfig.c, discover.c) have in
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

struct discover_request {
	struct found_address who;
	/*
	 * How to connect. What the user has decided is not searched for: host,
	 * port (0 = none), tls.mode (TLS_AUTO = none), auth.user.
	 */
	const struct account *base;
	bool host_given;		/* base->host is the server */
	bool no_ispdb;			/* do not ask thunderbird.net */
	bool no_check;			/* take what is said without asking the server */
	const struct attempt_options *opt;
	void (*note)(void *ctx, const char *line);	/* one line, printable */
	void *note_ctx;
};

/*
 * The server into *out; strings live in a. EX_NOHOST when none was found,
 * EX_TEMPFAIL when that may be for want of a network, EX_UNAVAILABLE when the
 * domain says that it has none, EX_CONFIG for a domain that cannot be asked.
 */
ATTR_CHECK int discover(const struct discover_request *r, struct arena *a,
			struct found_server *out, struct error *err);

/* --- the table of providers (providers.c) ----------------------------------- */

enum { PROVIDER_465 = 1, PROVIDER_587 = 2 };

struct provider {
	const char *name;
	const char *domains;		/* of addresses, blanks between them; NULL = none */
	const char *mx;			/* patterns of hosts; NULL = none */
	const char *host;		/* of the server; a pattern where the user names it */
	unsigned ports;			/* PROVIDER_465: TLS at once; PROVIDER_587: STARTTLS */
	unsigned port;			/* another port for STARTTLS; 0 = none */
	enum found_auth auth;
	const char *user;		/* as found_server_fill_in() takes it; NULL = the address */
	const char *hint;		/* goes on behind the name of the server */
};

#define PROVIDER_WAYS 3		/* servers that one row can give */

/* By the domain of an address, a host that receives its mail, the name of the server. */
enum provider_key { PROVIDER_DOMAIN, PROVIDER_MX, PROVIDER_HOST };

/* The row; NULL if there is none. Case does not count. */
const struct provider *provider_find(enum provider_key key, const char *name);

/*
 * The ways to the provider into out, the best first; returns their number.
 * host: NULL = that of the row. source is borrowed.
 */
size_t provider_ways(const struct provider *p, struct arena *a,
		     const struct found_address *who, const char *host, const char *source,
		     struct found_server out[PROVIDER_WAYS]);

/* --- documents (autoconfig.c) ------------------------------------------------ */

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
