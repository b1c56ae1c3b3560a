/*
 * The answer to a tracking query (RFC 3886): what became of a message for
 * each of its recipients.
 *
 * Read leniently and bounded: what is no message/tracking-status is passed
 * over, a field that is missing is NULL. The texts are the server's; they
 * are unfolded, but not yet fit to be shown.
 */
#ifndef TRACK_MTQP_REPORT_H
#define TRACK_MTQP_REPORT_H

#include <stddef.h>

struct arena;

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
