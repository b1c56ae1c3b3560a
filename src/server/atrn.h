/*
 * On-demand mail relay (RFC 2645): after ATRN the client of the session is
 * its server. The listener's session runs on the connection that is there,
 * inside its TLS, without sign-in and STARTTLS, into a Maildir.
 */
#ifndef SERVER_ATRN_H
#define SERVER_ATRN_H

#include <stdbool.h>
#include <stdint.h>

#include "util/attr.h"

struct error;
struct wire;

struct atrn_options {
	const char *name;		/* in greeting and EHLO; NULL = the host's */
	const char *deliver;		/* maildir:PATH */
	const char *const *domains;	/* of the recipients taken; NULL = any */
	bool tls;			/* the wire is encrypted */
	uint64_t size_limit;		/* octets; 0 = none */
	void (*log)(void *ctx, const char *line);	/* or NULL */
	void *log_ctx;
};

/* Can mail be put there? EX_CONFIG for another form than maildir:PATH, EX_CANTCREAT. */
ATTR_CHECK int atrn_check(const struct atrn_options *opt, struct error *err);

/*
 * Greets and serves until the peer's QUIT; *messages_out are stored for good
 * even when it fails. The wire stays the caller's, and is of no use any more.
 */
ATTR_CHECK int atrn_run(const struct atrn_options *opt, struct wire *wire,
			    const char *peer, unsigned *messages_out, struct error *err);

#endif
