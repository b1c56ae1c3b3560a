/*
 * When a message is tried again, and what a failure means for one that waits.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "util/attr.h"

struct account;
struct attempt_transfer;
struct entry;
struct error;
struct result;

/* Seconds for which nothing is tried when the server may have the message. */
#define QUEUE_UNKNOWN_SECONDS 600

enum verdict {
	VERDICT_DONE,		/* nothing has failed */
	VERDICT_LATER,		/* it may go better for this message, later */
	VERDICT_ROUTE,		/* the way to the server: no message is to blame */
	VERDICT_HERE,		/* a setting, a secret, a file of ours: nor is any */
	VERDICT_FAILED		/* it will not be taken */
};

/*
 * What that error means. Where each domain has servers of its own, a name that
 * does not exist is the recipient's fault; else it is the route's.
 */
enum verdict schedule_verdict(const struct account *a, const struct error *err);

/*
 * Is a message kept when its first try ended so? What may pass, and what is
 * wrong with the route, is; what somebody has to change here (VERDICT_HERE:
 * whoever sends it is at hand to be told) is not, nor is what a signal ended.
 */
bool schedule_keeps(const struct account *a, const struct error *err);

/* Seconds until the next try, after so many of them: 1, 2, 5, 10, 20, 40 minutes ... 3 hours. */
ATTR_PURE unsigned schedule_delay(unsigned attempts);

/*
 * Puts what a try has shown into the entry: outcomes of those who were tried
 * (index: their places in the entry; NULL = the same), the time, the next try
 * with a tenth of jitter. begun_ms: when it began; now: datetime_now(). What
 * has its verdict FAILED becomes OUTCOME_REFUSED, other failures
 * OUTCOME_DEFERRED.
 */
void schedule_note(struct entry *e, const struct account *a, const struct result *r,
		   const unsigned *index, int64_t begun_ms, int64_t now);

/*
 * Behind schedule_note(): what is kept of a transfer that broke, which is not
 * resumed before the server has noticed (checkpoint_wait). Strings are copied.
 */
void schedule_note_transfer(struct entry *e, const struct account *a,
			    const struct attempt_transfer *x, const struct result *r,
			    const unsigned *index, int64_t now);

/* Is the time over in which it was to be delivered? */
ATTR_PURE bool schedule_is_over(const struct entry *e, int64_t now);

/* Refuses those who are still open because the time is over: true if it is. */
bool schedule_expire(struct entry *e, int64_t now);

#endif
