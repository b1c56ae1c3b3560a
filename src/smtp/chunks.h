/*
 * The content in chunks: BDAT (RFC 3030) and BURL (RFC 4468).
 *
 * A message that is larger than the account's chunk_size goes in several,
 * with at most chunk_window of them unanswered, so that a refusal is noticed
 * early; without PIPELINING each waits for its reply. A refused chunk
 * is the end of the whole message. BDAT LAST is never sent by LMTP when no
 * recipient stands: it would have no reply at all (RFC 2033, section 4.3).
 */
#ifndef SMTP_CHUNKS_H
#define SMTP_CHUNKS_H

#include <stdbool.h>

struct transaction;

/* Must the content go in chunks, or not at all? */
bool chunks_needed(const struct transaction *t);

/*
 * A recipient stands: sends the content, reads the replies and fills in the
 * outcomes, or breaks the pipeline.
 */
void chunks_send(struct transaction *t);

#endif
