/*
 * Deadlines, and moments.
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
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/attr.h"

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

/*
 * As read(), but it waits for a descriptor that does not block, and goes on
 * after a signal. At the deadline: -1 and ETIMEDOUT.
 */
ssize_t deadline_read(const struct deadline *d, int fd, void *buf, size_t n);

/* Fills err with the timeout (75, 4.4.2), or with the signal, and returns -1. */
int deadline_error(const struct deadline *d, struct error *err);

/*
 * Moments and durations as people write them in options and settings, and
 * the UTC form that goes out.
 *
 * Read are: an RFC 3339 date-time, with "T" or a blank, "Z" or an offset, a
 * fraction or none; "@EPOCH"; "now", "now+2h", "now-30m"; a duration alone,
 * counted from now: "3600", "90s", "2h30m", "-5m". Units are s, m, h, d, w;
 * a number without unit counts seconds. A date-time without a zone is
 * refused, as nobody can tell what it means. Moments are milliseconds since
 * 1970 in UTC, so that "in an hour" is still an hour when it is asked for
 * again a little later.
 */

#define DATETIME_UTC_SIZE 21		/* "9999-12-31T23:59:59Z" and NUL */
#define DATETIME_SECONDS_MAX 999999999	/* of a duration: what nine digits can say */

struct datetime {
	int64_t ms;		/* the moment */
	int64_t seconds;	/* from now; rounded up */
	bool duration;		/* written as a duration, or as now and one */
};

/* Milliseconds since 1970 on the system's clock. */
int64_t datetime_now(void);

/* Reads text; now is datetime_now(). EX_USAGE with the text when it is neither. */
ATTR_CHECK int datetime_parse(const char *text, int64_t now, struct datetime *out,
			      struct error *err);

/* Seconds from now to ms, rounded up: 0.1 s is 1, -0.1 s is 0. */
int64_t datetime_until(int64_t ms, int64_t now);

/* "YYYY-MM-DDThh:mm:ssZ"; moments outside the years 0 to 9999 are put to their end. */
const char *datetime_utc(char out[DATETIME_UTC_SIZE], int64_t ms);

#endif
