/*
 * What is done to entries of the queue by hand: which ones are meant, and how
 * holding, releasing and queueing anew change them.
 *
 * A word names an entry by its id, or is a pattern. One with '@', '*', '?' or
 * '[' in it, and "<>" for the null sender, is a pattern: as of fnmatch(3) and
 * without regard to case it is compared with the id, the sender, and each
 * recipient who has not got the message. Anything else is neither, so that a
 * slip of the pen meets nothing.
 *
 * An entry that is held is not tried, and its time does not pass. Nothing here
 * writes: the caller has a claim (queue/queue.h) and updates it.
 */
#ifndef QUEUE_MANAGE_H
#define QUEUE_MANAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/attr.h"

struct entry;

/* Is the word a pattern? Else it is an id if queue_is_id() says so. */
ATTR_PURE bool manage_is_pattern(const char *word);

/* Does the entry fit the pattern? */
bool manage_fits(const struct entry *e, const char *pattern);

/* May that user do something to the entry? Its owner may, and root. */
ATTR_PURE bool manage_allowed(const struct entry *e, uid_t user);

/* Holds it; false: it is held already. */
bool manage_hold(struct entry *e, int64_t now);

/*
 * It may be sent at once. One that is held is released and its time goes on;
 * else one that waits for its time (--at, --hold-for, undo_window) no longer
 * does, and no server is asked to hold it. False: it was nothing of that.
 */
bool manage_release(struct entry *e, int64_t now);

/* Until when it waits for its time, as manage_release() means it; 0 = it does not. */
ATTR_PURE int64_t manage_waits_until(const struct entry *e, int64_t now);

/*
 * As if it had just been submitted: due now, without tries behind it, what is
 * known of those who have not got it is forgotten, and it has lifetime_ms
 * from now on (0: as long as it had). What may have arrived stays noted.
 */
void manage_requeue(struct entry *e, int64_t now, int64_t lifetime_ms);

#endif
