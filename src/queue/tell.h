/*
 * The sender of a message in the queue is told what has become of it, after
 * each try: by mail that goes through the same queue, or, when his name is
 * known to this host alone, where the caller puts mail for such names.
 *
 * Failures that no sender can be told of (the null sender's, and those of
 * notifications) go to notify_to, once in notify_interval for the same server
 * and status; else they stay untold, and the entry is put aside. A sender is
 * warned of a delay once, and not when it is the way to the server that is
 * down: the warning would wait there, too.
 */
#ifndef QUEUE_TELL_H
#define QUEUE_TELL_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/attr.h"

struct account;
struct entry;
struct error;
struct message;
struct queue;
struct result;
struct strbuf;

/* All of it is borrowed. */
struct tell_request {
	struct queue *queue;		/* what is to be mailed is staged in it */
	struct entry *entry;		/* what was told is noted in it */
	const struct account *account;	/* NULL = it is not there any more */
	const struct message *message;
	const struct result *result;	/* of the try; NULL = there was none */
	const unsigned *index;		/* of its recipients: places in the entry */
	/* Stores m for that user and appends the place to where; NULL = nobody can. */
	int (*local)(uid_t uid, const struct message *m, struct strbuf *where, struct error *err);
};

/* Is somebody refused, and the sender has not been told? */
ATTR_PURE bool tell_is_due(const struct entry *e);

/*
 * Tells all that is to be told now. Who is refused is "told" then, or did not
 * want to be; who is not could not be told, and err says why: another time it
 * may go better if error_is_temporary(), else there is nobody. What was told
 * by mail is as safe on disk as an entry is; tell_send_off() follows when the
 * entry has been written, which has the notices that it is about.
 */
ATTR_CHECK int tell_sender(const struct tell_request *t, struct error *err);

/* Tells notify_to, if there is one, that the account is paused. As tell_sender(). */
ATTR_CHECK int tell_pause(const struct tell_request *t, struct error *err);

/*
 * Sends off the notices of an entry that says on disk that they were told: they
 * become entries of the queue, those that have not yet. EX_CANTCREAT.
 */
ATTR_CHECK int tell_send_off(struct queue *q, struct entry *e, struct error *err);

#endif
