/*
 * To see what happens: the transcript (-v, --trace=FILE), the records of TLS
 * (--trace-tls), JSON lines (--events=FD) and the progress meter.
 *
 * JSON lines, one object each, in the order in which things happen, all with
 * "event" and "time" (Unix seconds with milliseconds):
 *	connection	server, address
 *	connection-failed	server, text, fault
 *	closed
 *	tls		description, verified, chain: what the server sent, as PEM
 *	command		line, as in the transcript: secrets are not in it
 *	reply		line
 *	note		line: of the transcript, that nobody has said
 *	text		text: of the message, with --events-text; before its transfer
 *	transfer	octets, total; at most ten a second, and the last
 *	recipient	address, outcome, code, status, text
 *	end		outcome, exit, text
 * A reader that goes away changes nothing but that no more is written.
 */
#ifndef CLI_EVENTS_H
#define CLI_EVENTS_H

#include <stdbool.h>

#include "smtp/session.h"
#include "submit/attempt.h"
#include "util/attr.h"

struct envelope;
struct error;
struct events;
struct invocation;
struct result;

/*
 * What inv asks to see. EX_USAGE for a descriptor that is not open,
 * EX_CANTCREAT for a trace file that cannot be written (mode 0600, never
 * through a symbolic link). *out is freed with events_free().
 */
ATTR_CHECK int events_open(const struct invocation *inv, struct events **out, struct error *err);
void events_free(struct events *e);

/* Trace and observer of an attempt: NULL where nobody listens, so that it costs nothing. */
struct attempt_options events_options(struct events *e);

/* The events recipient and end. */
void events_result(struct events *e, const struct envelope *envelope, const struct result *r);

/* The event end for what failed before anything was sent. */
void events_failure(struct events *e, const struct error *err);

#endif
