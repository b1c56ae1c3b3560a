/*
 * Where is the message? Asks the tracking server of the host that took it,
 * and those that it was handed on to (RFC 3887, 3886).
 */
#ifndef TRACK_TRACK_H
#define TRACK_TRACK_H

#include "util/attr.h"

struct account;
struct arena;
struct attempt_options;
struct envelope;
struct error;
struct result;
struct strbuf;

struct track_query {
	const char *server;	/* host that took it */
	unsigned port;		/* 0: what SRV says (_mtqp._tcp), else 1038 */
	const char *envid;	/* as it went out in ENVID= */
	const char *secret;	/* in base64 */
};

/*
 * Appends one printable line per recipient to out. 0: every one has got it;
 * EX_TEMPFAIL 4.4.7: some are still on their way; EX_UNAVAILABLE 5.0.0: some
 * will not get it; else no server could be asked, or does not know it. What
 * could be learned is in out in any case.
 */
ATTR_CHECK int track_query(const struct account *a, const struct attempt_options *opt,
			   const struct track_query *query, struct strbuf *out,
			   struct error *err);

/*
 * The file of messages that can be asked for later (RFC 3885, section 4.2).
 *
 * $XDG_STATE_HOME/msubmit/tracking, else under ~/.local/state; mode 0600,
 * refused when others can read it, as whoever knows a secret can ask. One
 * line per message, five words separated by blanks: time (seconds since
 * 1970), envelope id, secret in base64, server (HOST:PORT), recipients
 * separated by commas. Blanks, "%" and commas within a word are %XX. The file
 * is replaced as a whole and under a lock (util/store.h); what is older than
 * TRACKING_KEEP goes when a line is added.
 */

#define TRACKING_KEEP (30 * 86400)	/* seconds; servers keep 8 to 10 days */

struct tracking {
	long long when;
	const char *envid, *secret, *server;
	const char *recipients;		/* as in the file */
};

/* The path of the file; NULL when there is no home folder. */
const char *tracking_path(struct arena *a);

/* Keeps what r->server took of e; EX_CANTCREAT, EX_IOERR, EX_CONFIG (mode). */
ATTR_CHECK int tracking_keep(const struct envelope *e, const struct result *r,
			     struct error *err);

/*
 * Hands each kept message to fn, the oldest first, until it returns other
 * than 0, which is returned. No file is no message. Lines of another form are
 * left out. EX_IOERR when it cannot be read, EX_CONFIG for its mode.
 */
ATTR_CHECK int tracking_read(int (*fn)(void *ctx, const struct tracking *), void *ctx,
			     struct error *err);

#endif
