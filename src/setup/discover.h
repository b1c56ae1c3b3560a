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

#include "setup/autoconfig.h"
#include "util/attr.h"

struct attempt_options;
struct error;

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

#endif
