#include "config.h"
#include "util/datetime.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "util/error.h"

#define DAY 86400
#define YEAR_0 INT64_C(-62167219200)	/* 0000-01-01T00:00:00Z */
#define YEAR_9999 INT64_C(253402300799)	/* 9999-12-31T23:59:59Z */

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

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 0000-01-01 to the first of January of a year that is not negative. */
static int64_t year_start(int64_t year)
{
	int64_t past = year - 1;

	return year == 0 ? 0 : year * 365 + 1 + past / 4 - past / 100 + past / 400;
}

static int64_t days_of(int64_t year, int month, int day)
{
	int64_t days = year_start(year) + day - 1;

	for (int m = 1; m < month; m++)
		days += month_days(year, m);
	return days + YEAR_0 / DAY;
}

const char *datetime_utc(char out[DATETIME_UTC_SIZE], int64_t ms)
{
	int64_t t = ms / 1000 - (ms % 1000 < 0);

	t = t < YEAR_0 ? YEAR_0 : t > YEAR_9999 ? YEAR_9999 : t;
	int64_t days = (t - YEAR_0) / DAY, rest = (t - YEAR_0) % DAY;
	int64_t year = days / 366;
	int month = 1;

	while (year_start(year + 1) <= days)
		year++;
	days -= year_start(year);
	while (days >= month_days(year, month))
		days -= month_days(year, month++);
	snprintf(out, DATETIME_UTC_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned)year % 10000,
		 (unsigned)month % 100, (unsigned)(days + 1) % 100, (unsigned)(rest / 3600),
		 (unsigned)(rest / 60 % 60), (unsigned)(rest % 60));
	return out;
}

/* --- reading --------------------------------------------------------------- */

/* Exactly n digits; moves on. */
static bool take_digits(const char **p, int n, int *out)
{
	*out = 0;
	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
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
	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
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

/* full-date = date-fullyear "-" date-month "-" date-mday: days since 1970 */
static bool take_date(const char **p, int64_t *days)
{
	int year, month, day;

	if (!take_digits(p, 4, &year) || !take(p, "-") || !take_digits(p, 2, &month) ||
	    !take(p, "-") || !take_digits(p, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > month_days(year, month))
		return false;
	*days = days_of(year, month, day);
	return true;
}

/* time-hour ":" time-minute ":" time-second; a leap second is the next one */
static bool take_time(const char **p, int64_t *seconds)
{
	int hour, minute, second;

	if (!take_digits(p, 2, &hour) || !take(p, ":") || !take_digits(p, 2, &minute) ||
	    !take(p, ":") || !take_digits(p, 2, &second) || hour > 23 || minute > 59 || second > 60)
		return false;
	*seconds = hour * 3600 + minute * 60 + second;
	return true;
}

/*
 * date-time = date-fullyear "-" date-month "-" date-mday ("T" / SP)
 *             time-hour ":" time-minute ":" time-second [time-secfrac]
 *             time-offset                       (RFC 3339, section 5.6)
 */
static bool parse_moment(const char *p, int64_t *ms, bool *no_zone)
{
	int64_t days, seconds, fraction, zone;

	if (!take_date(&p, &days) || !take(&p, "Tt ") || !take_time(&p, &seconds) ||
	    !take_fraction(&p, &fraction))
		return false;
	*no_zone = !*p;
	if (!take_zone(&p, &zone) || *p)
		return false;
	*ms = (days * DAY + seconds - zone) * 1000 + fraction;
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

		for (; *p >= '0' && *p <= '9' && n <= DATETIME_SECONDS_MAX; p++)
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
	bool negative = *p == '-';
	int64_t n = 0;

	p += negative;
	if (!*p || strlen(p) > 12)
		return false;
	for (; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		n = n * 10 + (*p - '0');
	}
	*ms = (negative ? -n : n) * 1000;
	return true;
}

static bool parse_relative(const char *text, int64_t *seconds)
{
	static const char word[] = "now";

	if (strncmp(text, word, sizeof(word) - 1) == 0) {
		text += sizeof(word) - 1;
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
