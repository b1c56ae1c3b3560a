/*
 * What to do about a failure: one table, keyed by the step, the fault and the
 * server's reply code, with who the server is and whether anybody has signed
 * in. The text of the error is never looked at.
 */
#ifndef CHECK_CHECK_HINTS_H
#define CHECK_CHECK_HINTS_H

#include <stdbool.h>

struct arena;
struct error;
struct tls_facts;

/* What is known when it fails; texts NULL where they are not. */
struct hint_query {
	const char *step;
	const struct error *error;
	const char *host, *address;
	unsigned port;
	const char *user, *sender, *to;
	const char *server_name;	/* what the server calls itself */
	bool signed_in, local;		/* local: a socket in the file system */
	bool proxied;			/* it is reached through a proxy, or not at all */
	const struct tls_facts *tls;	/* of the certificate; NULL = none seen */
};

/*
 * The hint in arena a, lines between '\n'; NULL when nothing is known that
 * the error does not say itself. Of a certificate every row that fits counts,
 * of all else the first.
 */
const char *check_hint(struct arena *a, const struct hint_query *q);

#endif
