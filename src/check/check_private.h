/*
 * Inside a check: what check/check*.c share. For them only.
 */
#ifndef CHECK_CHECK_PRIVATE_H
#define CHECK_CHECK_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "check/check.h"
#include "conf/account.h"
#include "smtp/session.h"
#include "submit/submission.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/secret.h"

struct arena;
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
	bool service;			/* ... of the service of this machine */
	bool proxied;			/* it is reached through a proxy, or not at all */
	const struct tls_facts *tls;	/* of the certificate; NULL = none seen */
};

struct check {
	const struct check_request *r;
	struct arena *arena;
	struct account account;		/* the one to check, without memory of TLS sessions */
	struct submission *submission;	/* of the request */
	bool no_envelope;		/* no MAIL and RCPT, as there is nobody to name */
	const char *mx_domain;		/* where direct delivery goes to; NULL = to servers */
	const char *server, *address;	/* what findings are about just now */
	struct hint_query facts;	/* about the server in use */
	bool network;			/* findings are about servers now */

	bool requested;			/* what the account asks of servers is in the envelope */

	struct check_finding *held;	/* those that wait: from the first failure of a server on */
	size_t held_n, held_alloc;
	struct error first;		/* the first failure on this host; exit 0 = none */
	struct error one;		/* of the server in use, as an attempt has it */
	struct error servers;		/* of all, as an attempt would tell it; exit 0 = none */
	bool reached;			/* an attempt would have had success with a server */
	bool ended;			/* an attempt would have given up */

	bool no_secret;			/* it cannot be had: no sign-in */
	bool refused;			/* a server refused it: no sign-in any more */
	struct secret password, token;	/* once fetched */
};

/* One finding about what is in use. hint: NULL = none. */
ATTR_PRINTF(5, 6)
void check_tell(struct check *c, enum check_verdict v, const char *step, const char *hint,
		const char *fmt, ...);

#define check_ok(c, step, ...) check_tell(c, CHECK_OK, step, NULL, __VA_ARGS__)
#define check_warn(c, step, hint, ...) check_tell(c, CHECK_WARN, step, hint, __VA_ARGS__)

/* A failure on this host; its hint is looked up. */
void check_fail(struct check *c, const char *step, const struct error *err);

/*
 * A failure of the server in use, told without the name of the server. last:
 * no other server or address would be tried.
 */
void check_fail_server(struct check *c, const char *step, const struct error *err, bool last);

/* The server in use has been tried: its failure is that of all so far. */
void check_settle_server(struct check *c);

/* Gives a copy of what was kept, or fetches it as a session does; ctx is the check. */
credential_fn check_credential;

/* --- check_hints.c -------------------------------------------------------- */

/*
 * The hint in arena a, lines between '\n'; NULL when nothing is known that
 * the error does not say itself. Of a certificate every row that fits counts,
 * of all else the first.
 */
const char *check_hint(struct arena *a, const struct hint_query *q);

/* --- check_server.c ------------------------------------------------------- */

/* Every server of the account. */
void check_servers(struct check *c);

#endif
