/*
 * The servers of an account, one after the other as they are to be tried:
 * those of 'host' as written, where "srv:DOMAIN" stands for what its SRV
 * records name (RFC 2782, 6186, 8314); or, for direct delivery, what the MX
 * records of a domain name (RFC 5321, section 5.1; RFC 7505).
 *
 * Records are asked for when their turn comes and not before. A server that
 * SRV records name must be in the domain asked for, unless the account trusts
 * DNSSEC or all answers: whoever can forge DNS would choose our server.
 */
#ifndef SUBMIT_SERVER_LIST_H
#define SUBMIT_SERVER_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/account.h"
#include "util/attr.h"
#include "util/clock.h"

struct arena;
struct error;

struct server {
	const char *host;		/* ASCII; "localhost" with path */
	unsigned port;
	const char *path;		/* local socket, NULL = none */
	enum tls_mode mode;		/* the account's, or TLS_IMPLICIT as SRV says */
	const char *domain;		/* its SRV records led here; the certificate may name it */
};

struct server_list {
	const struct account *account;
	const char *mx_domain;		/* direct delivery to it; NULL = the account's servers */
	const char *sender;		/* whose domain "auto" means; NULL or "" = from's */
	struct arena *arena;
	const struct deadline *whole;
	size_t entry;			/* next of the account's; the rest is filled in */
	struct server *found;
	size_t found_n, found_at;
};

/*
 * The next one into *out: 1; 0 when there is none left; -1 and err when an
 * item is of no use (others may follow). EX_NOHOST 5.1.2 without records,
 * 5.1.10 for a null MX, 5.4.6 when all MX lead back here; EX_UNAVAILABLE for
 * an SRV record that says so; EX_CONFIG for a server outside of its domain;
 * EX_TEMPFAIL 4.4.3.
 */
ATTR_CHECK int server_list_next(struct server_list *t, struct server *out, struct error *err);

/* May server_list_next() give more? */
bool server_list_left(const struct server_list *t);

/* Is name the domain, or below it? */
ATTR_PURE bool server_inside_domain(const char *name, const char *domain);

#endif
