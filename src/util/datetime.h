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
#ifndef UTIL_DATETIME_H
#define UTIL_DATETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "util/attr.h"

struct error;

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
