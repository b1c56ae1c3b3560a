/*
 * AUTH mechanisms: one table in the order in which they are preferred, rows
 * on libgsasl and rows of our own (OAUTHBEARER, RFC 7628; XOAUTH2).
 *
 * An exchange is a dialogue of octets: no base64, no SMTP. What the server
 * may choose is bounded: SCRAM's iteration count has a lower and an upper
 * limit. Of channel bindings only a -PLUS mechanism hears, because libgsasl
 * fails otherwise.
 */
#ifndef SMTP_AUTH_MECHANISM_H
#define SMTP_AUTH_MECHANISM_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct error;
struct exchange;
struct mechanism_kind;
struct strbuf;

#define SCRAM_ITERATIONS_MAX 10000000u	/* more is an attack on our processor */
#define MECHANISM_DETAIL 256		/* room for what a server says of a token */

enum mechanism_flag {
	MECHANISM_PASSWORD = 1,		/* needs user and password */
	MECHANISM_TOKEN = 2,		/* needs an access token */
	MECHANISM_CERTIFICATE = 4,	/* rests on the client certificate */
	MECHANISM_BINDING = 8,		/* needs a channel binding */
	MECHANISM_READABLE = 16,	/* the server reads the secret: under verified TLS only */
	MECHANISM_LEGACY = 32,		/* only by name, or where the account allows such */
	MECHANISM_NAMED = 64,		/* only by name */
	MECHANISM_INITIAL = 128,	/* the client speaks first */
	MECHANISM_PROOF = 256,		/* the server must prove itself before 235 counts */
	MECHANISM_ONE_ROUND = 512,	/* done with the initial response */
	MECHANISM_TICKET = 1024,	/* needs a Kerberos ticket */
	MECHANISM_AUTHZID = 2048,	/* has a place for an authorization identity */
	MECHANISM_PREPARED = 4096,	/* the password goes through SASLprep (RFC 4013) */
	MECHANISM_UNQUOTED = 8192	/* libgsasl puts names between quotes as they are */
};

struct mechanism {
	const char *name;
	unsigned flags;		/* enum mechanism_flag */
	const struct mechanism_kind *kind;
};

extern const struct mechanism mechanisms[];
extern const size_t mechanism_count;

/* What an exchange is made from; all borrowed for its lifetime, NULL = not set. */
struct mechanism_input {
	const char *user, *authzid, *realm, *ntlmdomain;
	const char *host, *service;
	unsigned port;
	const char *secret;			/* password or token */
	const char *cb_exporter, *cb_unique;	/* channel bindings in base64 */
	unsigned scram_min_iterations;
};

/* The row of name (case ignored), NULL if unknown. */
const struct mechanism *mechanism_find(const char *name);

/*
 * How much it withstands, as enum auth_minimum has it: 3 is bound to the TLS
 * channel, with 2 both sides prove themselves and the server never reads the
 * secret, 1 shows the secret to a verified server, 0 is all the rest.
 */
ATTR_PURE unsigned mechanism_strength(const struct mechanism *m);

/* Begins an exchange: *out is to be freed with exchange_free(). */
ATTR_CHECK int exchange_new(const struct mechanism *m, const struct mechanism_input *in,
			    struct exchange **out, struct error *err);

/*
 * FAULT_NO_MECHANISM is of this exchange alone: the library cannot go on with
 * this user and password, and another mechanism may.
 *
 * Takes n octets of the server's (NULL for the first step of a mechanism in
 * which the client speaks first) and appends the answer to out.
 */
ATTR_CHECK int exchange_step(struct exchange *x, const char *in, size_t n, struct strbuf *out,
			     struct error *err);

/*
 * Has the client said what the server judges by? With mechanisms in which the
 * server proves itself too that is before the end.
 */
bool exchange_shown(const struct exchange *x);

void exchange_free(struct exchange *x);	/* accepts NULL */

struct exchange {
	const struct mechanism *mechanism;
	const struct mechanism_input *in;
	unsigned steps;		/* taken before this one */
	bool complete;		/* the client has said all, and has seen all that it must */
	bool stale;		/* the server said that the token is not valid (any more) */
	char detail[MECHANISM_DETAIL];	/* what its failure message means (OAuth), or "" */
	void *state;		/* of the kind */
};

/* For mechanism.c, mechanism_gsasl.c and mechanism_oauth.c only. */
struct mechanism_kind {
	int (*start)(struct exchange *x, struct error *err);	/* NULL = nothing to do */
	int (*step)(struct exchange *x, const char *in, size_t n, struct strbuf *out,
		    struct error *err);
	void (*finish)(struct exchange *x);			/* NULL = nothing to do */
};

extern const struct mechanism_kind mechanism_gsasl, mechanism_oauthbearer, mechanism_xoauth2;

#endif
