#include "config.h"
#include "util/clock.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "util/interrupt.h"

#define DAY 86400
#define YEAR_0 INT64_C(-62167219200)	/* 0000-01-01T00:00:00Z */
#define YEAR_9999 INT64_C(253402300799)	/* 9999-12-31T23:59:59Z */

int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;
}

struct deadline deadline_in(unsigned seconds, const char *what)
{
	struct deadline d = { .seconds = seconds, .what = what };

	if (seconds)
		d.at = clock_ms() + (int64_t)seconds * 1000;
	return d;
}

struct deadline deadline_first(struct deadline a, struct deadline b)
{
	if (a.at == 0)
		return b.at == 0 ? a : b;
	return b.at != 0 && b.at < a.at ? b : a;
}

int deadline_poll_ms(const struct deadline *d)
{
	if (interrupt_pending())
		return 0;
	if (d->at == 0)
		return -1;
	int64_t left = d->at - clock_ms();

	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

bool deadline_passed(const struct deadline *d)
{
	return interrupt_pending() || (d->at != 0 && clock_ms() >= d->at);
}

ssize_t deadline_read(const struct deadline *d, int fd, void *buf, size_t n)
{
	for (bool wait = d->at != 0;; wait = d->at != 0 || errno == EAGAIN) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (wait && poll(&ready, 1, deadline_poll_ms(d)) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		ssize_t got = read(fd, buf, n);

		if (got >= 0 || (errno != EINTR && errno != EAGAIN))
			return got;
	}
}

int deadline_error(const struct deadline *d, struct error *err)
{
	const int number = interrupt_pending();

	if (number)
		return error_set(err, FAULT_INTERRUPTED, "ended by %s while waiting for %s",
				 interrupt_name(number), d->what);
	if (d->whole)
		return error_set(err, FAULT_TIMEOUT,
				 "the whole attempt took longer than %u s, while waiting for %s",
				 d->seconds, d->what);
	return error_set(err, FAULT_TIMEOUT, "timeout after %u s waiting for %s",
			 d->seconds, d->what);
}

int64_t datetime_now(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t datetime_until(int64_t ms, int64_t now)
{
	int64_t left = ms - now;

	return left > 0 ? (left + 999) / 1000 : left / 1000;
}

/* --- the calendar: days since 1970-01-01, proleptic Gregorian -------------- */

/* Years begin with March here, so that a leap day is the last of its year. */
static int64_t days_of(int64_t year, int month, int day)
{
	const int64_t y = year + 400 - (month <= 2);
	const int before = ((month + 9) % 12 * 153 + 2) / 5;	/* days since the first of March */

	return y * 365 + y / 4 - y / 100 + y / 400 + before + day - 865566;
}

static int month_days(int year, int month)
{
	return (int)(days_of(year + month / 12, month % 12 + 1, 1) - days_of(year, month, 1));
}

const char *datetime_utc(char out[DATETIME_UTC_SIZE], int64_t ms)
{
	int64_t t = ms / 1000 - (ms % 1000 < 0);

	t = t < YEAR_0 ? YEAR_0 : t > YEAR_9999 ? YEAR_9999 : t;
	const int64_t days = (t - YEAR_0) / DAY + YEAR_0 / DAY, rest = (t - YEAR_0) % DAY;
	int64_t year = (t - YEAR_0) / DAY / 366;
	int month = 1;

	while (days_of(year + 1, 1, 1) <= days)
		year++;
	while (month < 12 && days_of(year, month + 1, 1) <= days)
		month++;
	snprintf(out, DATETIME_UTC_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year % 10000,
		 (unsigned)month % 100, (unsigned)(days - days_of(year, month, 1) + 1) % 100,
		 (unsigned)(rest / 3600),
		 (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
	return out;
}

/* --- reading --------------------------------------------------------------- */

/* Exactly n digits; moves on. */
static bool take_digits(const char **p, int n, int *out)
{
	*out = 0;
	for (; n > 0; n--, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return false;
		*out = *out * 10 + (**p - '0');
	}
	return true;
}

static bool take(const char **p, const char *any)
{
	if (!**p || !strchr(any, **p))
		return false;
	(*p)++;
	return true;
}

/* time-secfrac = "." 1*DIGIT: its milliseconds, the rest is thrown away */
static bool take_fraction(const char **p, int64_t *ms)
{
	int64_t weight = 100;

	*ms = 0;
	if (!take(p, ".,"))
		return true;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); (*p)++) {
		*ms += weight * (**p - '0');
		weight /= 10;
	}
	return true;
}

/* time-offset = "Z" / ("+" / "-") time-hour [":"] time-minute */
static bool take_zone(const char **p, int64_t *seconds)
{
	int hour, minute;
	bool west = **p == '-';

	*seconds = 0;
	if (take(p, "Zz"))
		return true;
	if (!take(p, "+-") || !take_digits(p, 2, &hour))
		return false;
	(void)take(p, ":");
	if (!take_digits(p, 2, &minute) || hour > 23 || minute > 59)
		return false;
	*seconds = (west ? -1 : 1) * (hour * 3600 + minute * 60);
	return true;
}

/* A form like "4-2-2": numbers of so many digits, and what stands between them. */
static bool take_form(const char **p, const char *form, int *numbers)
{
	for (; *form; form++) {
		const char literal[] = { *form, '\0' };

		if (isdigit((unsigned char)*form) ? !take_digits(p, *form - '0', numbers++) :
						    !take(p, literal))
			return false;
	}
	return true;
}

/*
 * date-time = date-fullyear "-" date-month "-" date-mday ("T" / SP)
 *             time-hour ":" time-minute ":" time-second [time-secfrac]
 *             time-offset                       (RFC 3339, section 5.6);
 * a leap second is the next one
 */
static bool parse_moment(const char *p, int64_t *ms, bool *no_zone)
{
	int64_t fraction, zone;
	int date[3], hms[3];

	if (!take_form(&p, "4-2-2", date) || !take(&p, "Tt ") || !take_form(&p, "2:2:2", hms) ||
	    !take_fraction(&p, &fraction))
		return false;
	if (date[1] < 1 || date[1] > 12 || date[2] < 1 || date[2] > month_days(date[0], date[1]) ||
	    hms[0] > 23 || hms[1] > 59 || hms[2] > 60)
		return false;
	*no_zone = !*p;
	if (!take_zone(&p, &zone) || *p)
		return false;
	*ms = (days_of(date[0], date[1], date[2]) * DAY + hms[0] * 3600 + hms[1] * 60 + hms[2] -
	       zone) * 1000 + fraction;
	return true;
}

static int64_t unit_seconds(char c)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = { 1, 60, 3600, DAY, 7 * DAY };
	const char *at = c ? strchr(units, c) : NULL;

	return at ? seconds[at - units] : 0;
}

/* duration = ["+" / "-"] 1*( 1*DIGIT unit ) / ["+" / "-"] 1*DIGIT */
static bool parse_duration(const char *p, int64_t *seconds)
{
	bool negative = *p == '-', units = false;
	int64_t total = 0;

	(void)take(&p, "+-");
	if (!*p)
		return false;
	while (*p) {
		int64_t n = 0;
		const char *digits = p;

		for (; isdigit((unsigned char)*p) && n <= DATETIME_SECONDS_MAX; p++)
			n = n * 10 + (*p - '0');
		if (p == digits || n > DATETIME_SECONDS_MAX)
			return false;
		if (*p && unit_seconds(*p) == 0)
			return false;
		if (!*p && units)
			return false;	/* a number without unit stands alone */
		units = true;
		total += n * (*p ? unit_seconds(*p) : 1);
		p += *p != '\0';
		if (total > DATETIME_SECONDS_MAX)
			return false;
	}
	*seconds = negative ? -total : total;
	return true;
}

/* "@" ["-"] 1*12DIGIT: seconds since 1970 */
static bool parse_epoch(const char *p, int64_t *ms)
{
	const char *digits = p + (*p == '-');
	const size_t n = strspn(digits, "0123456789");

	if (n == 0 || n > 12 || digits[n])
		return false;
	*ms = strtoll(p, NULL, 10) * 1000;
	return true;
}

static bool parse_relative(const char *text, int64_t *seconds)
{
	if (strncmp(text, "now", 3) == 0) {
		text += 3;
		*seconds = 0;
		if (!*text)
			return true;
		if (*text != '+' && *text != '-')
			return false;
	}
	return parse_duration(text, seconds);
}

int datetime_parse(const char *text, int64_t now, struct datetime *out, struct error *err)
{
	struct datetime d = { 0 };
	bool no_zone = false;

	if (*text == '@' ? parse_epoch(text + 1, &d.ms) : parse_moment(text, &d.ms, &no_zone)) {
		d.seconds = datetime_until(d.ms, now);
	} else if (*text != '@' && parse_relative(text, &d.seconds)) {
		d.duration = true;
		d.ms = now + d.seconds * 1000;
	} else {
		error_set(err, FAULT_USAGE, "'%.100s' is neither a moment like "
			  "2030-12-24T18:00:00Z nor a time like 2h30m", text);
		return no_zone ? error_append(err, ": the zone is missing, put Z behind it") : -1;
	}
	*out = d;
	return 0;
}
