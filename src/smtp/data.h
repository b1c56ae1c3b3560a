/*
 * The message on its way: DATA's lines with dots doubled, or BDAT's octets
 * as they are (RFC 5321, section 4.5.2; RFC 3030). A transfer hands it out
 * in pieces of exactly the size that is asked for.
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
struct transfer;

enum data_form { DATA_LINES, DATA_CHUNK };

enum data_end {
	DATA_SENT,		/* all of it is put into the wire (and not yet flushed) */
	DATA_ANSWERED,		/* a reply came before the end: take it, then close */
	DATA_FAILED		/* err says why; the connection can only be closed */
};

/*
 * Asked when the server has said something amid the content: true when that
 * is a reason to stop. left: octets of the piece that are still to be put.
 */
typedef bool data_watch_fn(void *ctx, uint64_t left);

/* From octet "from" of the canonical message on (RFC 1845); m and edits are borrowed. */
struct transfer *transfer_new(struct session *s, const struct message *m,
			      const struct edits *edits, enum data_form form, uint64_t from);
void transfer_free(struct transfer *x);	/* accepts NULL */

/* Octets that are not yet put; without the dots that are doubled. */
uint64_t transfer_left(const struct transfer *x);

/*
 * Puts the next octets of a DATA_CHUNK, which are there, or all of a
 * DATA_LINES into the wire, in large pieces. watch NULL: the server is not
 * listened to.
 */
enum data_end transfer_put(struct transfer *x, uint64_t octets, data_watch_fn *watch, void *ctx,
			   struct error *err);

/*
 * Moves to the first octet that is to be sent, and tells whether it begins a
 * line. -1 and err when the message cannot be read.
 */
ATTR_CHECK int transfer_skip(struct transfer *x, bool *line_start_out, struct error *err);

/* Flushes; DATA_ANSWERED when it fails but the server had said something before. */
enum data_end data_flush(struct session *s, struct error *err);

#endif
