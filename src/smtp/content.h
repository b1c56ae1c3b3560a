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

#include "smtp/reply.h"

struct transaction;

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
bool content_needs_data(struct transaction *t, enum stage stage, int code);

#endif
