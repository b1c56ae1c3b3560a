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
#ifndef TRACK_TRACKING_H
#define TRACK_TRACKING_H

#include "util/attr.h"

struct arena;
struct envelope;
struct error;
struct result;

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
