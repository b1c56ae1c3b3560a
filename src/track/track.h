/*
 * Where is the message? Asks the tracking server of the host that took it,
 * and those that it was handed on to (RFC 3887, 3886).
 */
#ifndef TRACK_TRACK_H
#define TRACK_TRACK_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"
#include "util/strbuf.h"

struct account;
struct arena;
struct attempt_options;
struct envelope;
struct error;
struct result;
struct wire;

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

/* --- the protocol (mtqp.c) -------------------------------------------------- */

/*
 * The client of the Message Tracking Query Protocol (RFC 3887): greeting,
 * STARTTLS, TRACK, QUIT on a wire of the caller's; and the mtqp: URI.
 *
 * The secret proves that we may ask, and whoever hears it may ask as well:
 * TLS is required unless the account says otherwise. It is never shown in
 * the transcript. Lines are at most 998 octets, an answer MTQP_ANSWER_MAX.
 */

#define MTQP_PORT 1038
#define MTQP_ANSWER_MAX ((size_t)1024 * 1024)

struct mtqp {
	struct wire *wire;
	const struct account *account;
	const char *host;	/* as connected, the name to verify */
	unsigned port;
	bool encrypted;
	bool tls_offered;
	bool dead;		/* no QUIT any more */
	struct strbuf line;	/* the last line from the server */
};

/*
 * Greeting and STARTTLS as account->cmd.mtqp_tls wants it; borrows all. To be
 * ended with mtqp_close() in any case. EX_PROTOCOL for what is no MTQP,
 * EX_UNAVAILABLE 5.7.10 without TLS where it is required.
 */
ATTR_CHECK int mtqp_open(struct mtqp *m, struct wire *wire, const struct account *a,
			 const char *host, unsigned port, struct error *err);

/*
 * Asks for a message; envid as it went out in ENVID=, secret in base64. The
 * answer, a MIME entity with CRLF line ends, is appended to answer (its
 * limit: MTQP_ANSWER_MAX). EX_UNAVAILABLE 5.1.0: the server knows nothing of
 * it; EX_NOPERM: the secret or the line is not good enough; EX_TEMPFAIL.
 */
ATTR_CHECK int mtqp_track(struct mtqp *m, const char *envid, const char *secret,
			  struct strbuf *answer, struct error *err);

/* QUIT where it can be said, without waiting for its answer. Frees nothing of the wire. */
void mtqp_close(struct mtqp *m);

struct mtqp_uri {
	const char *host;
	unsigned port;		/* 0 = none given */
	const char *envid, *secret;
};

/* mtqp://host[:port]/track/ENVID/SECRET (RFC 3887, section 9); strings in arena a. EX_USAGE. */
ATTR_CHECK int mtqp_parse_uri(struct arena *a, const char *text, struct mtqp_uri *out,
			      struct error *err);

/*
 * The answer to a tracking query (RFC 3886): what became of a message for
 * each of its recipients.
 *
 * Read leniently and bounded: what is no message/tracking-status is passed
 * over, a field that is missing is NULL. The texts are the server's; they
 * are unfolded, but not yet fit to be shown.
 */

#define MTQP_RECIPIENTS_MAX 10000

enum track_action {
	TRACK_UNKNOWN, TRACK_FAILED, TRACK_DELAYED, TRACK_DELIVERED, TRACK_EXPANDED,
	TRACK_RELAYED, TRACK_TRANSFERRED, TRACK_OPAQUE
};

struct track_recipient {
	const char *address;	/* final, else original */
	enum track_action action;
	const char *status;
	const char *reporting_mta, *remote_mta;	/* without "dns;" */
	const char *will_retry_until;
};

struct track_report {
	struct track_recipient *v;
	size_t n, alloc;
};

/* Fills *out from a MIME entity of len octets with CRLF line ends; in arena a. */
void track_report_read(struct arena *a, const char *text, size_t len, struct track_report *out);

/* "delivered" */
const char *track_action_name(enum track_action action);

#endif
