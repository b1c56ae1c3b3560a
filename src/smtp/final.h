/*
 * The end of a transaction: the replies to the content.
 *
 * SMTP gives one reply, PRDR and LMTP (RFC 2033, section 4.2) one for each
 * recipient that stands. Replies are counted: one too many or too few, and
 * it is not known whose they are. Only a 250 says that the message was taken:
 * after 221, which says that the channel closes, nobody knows (RFC 5321,
 * section 4.2.3).
 */
#ifndef SMTP_FINAL_H
#define SMTP_FINAL_H

#include <stdbool.h>

#include "smtp/reply.h"
#include "util/attr.h"

struct error;
struct transaction;

/* All is sent: reads the replies and fills in the outcomes, or breaks the pipeline. */
void final_replies(struct transaction *t, enum stage stage);

/* The same when the first reply has been read already: it is the session's last one. */
void final_take(struct transaction *t, enum stage stage);

/*
 * Is the last reply a 2xx that does not say that the message was taken? Then
 * the pipeline is broken, and its outcome unknown.
 */
bool final_not_taken(struct transaction *t, enum stage stage);

/* Has the server sent more replies than it got commands? err then says so. */
bool final_miscounted(const struct transaction *t, struct error *err);

/* The server spoke while the content was being sent: a refusal, or nonsense. */
void final_interrupted(struct transaction *t, enum stage stage);

#endif
