/*
 * The content of a transaction: how and when it goes out, and its reply.
 *
 * DATA when the replies to RCPT are there or with RCPT in one group, its
 * lines after 354. BDAT and BURL (RFC 3030, RFC 4468) when the replies to
 * RCPT are there and somebody stands; up to chunk_window chunks are under
 * way unanswered. A refused chunk ends the message; what is under way of it
 * is answered too and counted off.
 *
 * SMTP gives one reply, PRDR and LMTP (RFC 2033, section 4.2) one for each
 * recipient that stands. Replies are counted: one too many or too few, and
 * it is not known whose they are. Only a 250 says that the message was taken:
 * after 221, which says that the channel closes, nobody knows (RFC 5321,
 * section 4.2.3).
 */
#ifndef SMTP_CONTENT_H
#define SMTP_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/reply.h"
#include "util/attr.h"

struct edits;
struct error;
struct message;
struct session;
struct transaction;
struct transfer;

/*
 * The message on its way: DATA's lines with dots doubled, or BDAT's octets
 * as they are (RFC 5321, section 4.5.2; RFC 3030). A transfer hands it out
 * in pieces of exactly the size that is asked for.
 */

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
 * Moves to the first octet that is to be sent: 1; 0 when DATA_LINES cannot begin
 * there; -1 and err when the message cannot be read.
 */
ATTR_CHECK int transfer_skip(struct transfer *x, struct error *err);

/* Flushes; DATA_ANSWERED when it fails but the server had said something before. */
enum data_end data_flush(struct session *s, struct error *err);

/*
 * MAIL and RCPT are sent: offers the content where somebody stands or may
 * stand, reads all replies and fills in the outcomes, or breaks the pipeline.
 */
void content_send(struct transaction *t);

/* The reply to a chunk that is not the last. */
void content_chunk_reply(struct transaction *t, enum stage stage, const struct reply *r);

/* --- between content.c and content_chunks.c --- */

/* Must the content go in chunks, or not at all? */
bool content_is_chunked(const struct transaction *t);

/* A recipient stands: sends the content in chunks, and what content_send() does then. */
void content_send_chunks(struct transaction *t);

/* All is sent: reads the replies and fills in the outcomes, or breaks the pipeline. */
void content_replies(struct transaction *t, enum stage stage);

/* The same when the first reply has been read already: it is the session's last one. */
void content_reply(struct transaction *t, enum stage stage);

/* The server spoke while the content was being sent: a refusal, or nonsense. */
void content_interrupted(struct transaction *t, enum stage stage);

/*
 * Does a refusal with that code say that the server has no BDAT, and nothing
 * of the message? Then it goes with DATA in another session.
 */
bool content_needs_data(struct transaction *t, enum stage stage, const struct error *err);

/* LMTP: takes a reply for each that stands; the first is the session's last one. */
ATTR_CHECK int content_take_replies(struct transaction *t, struct error *err);

#endif
