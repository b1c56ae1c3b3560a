/*
 * The client of the Message Tracking Query Protocol (RFC 3887): greeting,
 * STARTTLS, TRACK, QUIT on a wire of the caller's; and the mtqp: URI.
 *
 * The secret proves that we may ask, and whoever hears it may ask as well:
 * TLS is required unless the account says otherwise. It is never shown in
 * the transcript. Lines are at most 998 octets, an answer MTQP_ANSWER_MAX.
 */
#ifndef TRACK_MTQP_H
#define TRACK_MTQP_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"
#include "util/strbuf.h"

struct account;
struct arena;
struct error;
struct wire;

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
