/*
 * Deadlines.
 *
 * All waiting for a peer is against one absolute deadline on the monotonic
 * clock, so many small waits cannot add up. A deadline knows what it waits
 * for and how long that was, so the error can name both: "timeout after 60 s
 * waiting for the reply to MAIL". A signal that is to end the attempt makes
 * all of them pass (util/interrupt.h).
 */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct error;

struct deadline {
	int64_t at;		/* milliseconds on the monotonic clock; 0 = none */
	unsigned seconds;	/* length it was made with, for the text */
	const char *what;	/* "the reply to MAIL"; borrowed, a literal */
	bool whole;		/* it is the limit of the whole attempt */
};

/* Milliseconds on the monotonic clock, never 0. */
int64_t clock_ms(void);

/* A deadline in that many seconds; 0 seconds = no limit. */
struct deadline deadline_in(unsigned seconds, const char *what);

/* The earlier of the two. */
struct deadline deadline_first(struct deadline a, struct deadline b);

/* What poll() takes: milliseconds left, 0 when passed, -1 without limit. */
int deadline_poll_ms(const struct deadline *d);

/* Has it passed? */
bool deadline_passed(const struct deadline *d);

/* Fills err with the timeout (75, 4.4.2), or with the signal, and returns -1. */
int deadline_error(const struct deadline *d, struct error *err);

#endif
