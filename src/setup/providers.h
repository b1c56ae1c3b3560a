/*
 * What is known of mail providers without asking: one row each. Facts are
 * those that the providers publish; a row is found by the domain of the
 * address, by the hosts that receive the domain's mail, or by the name of the
 * server itself.
 */
#ifndef SETUP_PROVIDERS_H
#define SETUP_PROVIDERS_H

#include <stddef.h>

#include "setup/autoconfig.h"

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

#endif
