/*
 * Inside a check: one visit to one address of a server, and what is found in
 * its session. For check/check*.c only.
 */
#ifndef CHECK_CHECK_SESSION_H
#define CHECK_CHECK_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "check/check_private.h"
#include "smtp/observer.h"
#include "submit/session_open.h"
#include "tls/tls_facts.h"

struct visit {
	struct check *c;
	struct session_opening o;
	bool proxied;
	enum session_step step;		/* what is under way; STEP_COUNT: nothing yet */
	bool told[STEP_COUNT];		/* what went well at this address, and was told */
	int64_t began;			/* the connection, for clock_ms() */
	struct account loose;		/* takes any certificate, signs in nowhere */
	const struct error *refused;	/* why the certificate does not do; NULL = it does */
	struct tls_facts facts;
};

/* Version, cipher and certificate of the session's TLS. */
void check_tls(struct visit *v, const struct session *s);

/* The names, and what the server offers. */
void check_ehlo(struct visit *v, const struct session *s);

/* By which mechanism, and whether that is safe. */
void check_signed_in(struct visit *v, const struct session *s);

/* MAIL and RCPT, taken back by RSET; false when a message would not go out: told. */
bool check_transaction(struct visit *v);

#endif
