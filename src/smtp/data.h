/*
 * The message on its way: DATA's lines with dots doubled, or BDAT's octets
 * as they are (RFC 5321, section 4.5.2; RFC 3030).
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "util/attr.h"

struct edits;
struct error;
struct message;
struct session;

enum data_form { DATA_LINES, DATA_CHUNK };

enum data_end {
	DATA_SENT,		/* all of it is put into the wire (and not yet flushed) */
	DATA_ANSWERED,		/* a reply came before the end: take it, then close */
	DATA_FAILED		/* err says why; the connection can only be closed */
};

/*
 * Puts the message into the wire, in large pieces. watch: stop when the
 * server says something, which it has no reason to but a refusal.
 */
enum data_end data_put(struct session *s, const struct message *m, const struct edits *edits,
		       enum data_form form, bool watch, struct error *err);

/* Flushes; DATA_ANSWERED when it fails but the server had said something before. */
enum data_end data_flush(struct session *s, struct error *err);

#endif
