#include "config.h"
#include "smtp/ext/hold.h"

#include <inttypes.h>
#include <string.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "smtp/session.h"
#include "util/datetime.h"
#include "util/error.h"
#include "util/strbuf.h"

/* A clock before this (2024-01-01) is not set, and a moment by it means nothing. */
#define CLOCK_PLAUSIBLE (INT64_C(1704067200) * 1000)

static int64_t seconds_left(const struct envelope *e)
{
	return datetime_until(e->ext.hold_ms, datetime_now());
}

bool hold_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.hold != HOLD_NONE && seconds_left(e) > 0;
}

/* "FUTURERELEASE" SP 1*9DIGIT SP date-time; what is not of that form is not heeded. */
static void read_limits(const struct session *s, int64_t *interval, int64_t *moment)
{
	const char *words = extensions_arguments(s, EXT_FUTURERELEASE);
	struct datetime t;
	struct error ignored;
	char word[64];

	*interval = *moment = INT64_MAX;
	for (int i = 0; words && i < 2; i++) {
		size_t n = strcspn(words, " \t");

		if (n > 0 && n < sizeof(word)) {
			memcpy(word, words, n);
			word[n] = '\0';
			if (datetime_parse(word, 0, &t, &ignored) == 0 && t.ms > 0)
				*(t.duration ? interval : moment) = t.duration ? t.seconds : t.ms;
		}
		words += n + strspn(words + n, " \t");
	}
}

int hold_check(const struct session *s, const struct envelope *e, struct error *err)
{
	int64_t interval, moment;
	char at[DATETIME_UTC_SIZE];

	if (!hold_wanted(s, e))
		return 0;
	if (!session_has(s, EXT_FUTURERELEASE)) {
		if (extensions_level(s, e, EXT_FUTURERELEASE) != LEVEL_LOCAL)
			return 0;
		return error_set(err, FAULT_EXTENSION_MISSING, "the server does not offer "
				 "FUTURERELEASE, and to hold the message here (level local) there "
				 "has to be a queue");
	}
	read_limits(s, &interval, &moment);
	if (seconds_left(e) > interval)
		return error_set(err, FAULT_PARAMETER, "the server holds a message for at "
				 "most %" PRId64 " seconds, asked for are %" PRId64, interval,
				 seconds_left(e));
	if (e->ext.hold_ms > moment)
		return error_set(err, FAULT_PARAMETER, "the server holds a message until "
				 "%s at most", datetime_utc(at, moment));
	return 0;
}

void hold_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out)
{
	static const enum hold forms[] = { [HOLD_AS_FOR] = HOLD_FOR, [HOLD_AS_UNTIL] = HOLD_UNTIL };
	enum hold_as as = s->account->ext.hold_as;
	enum hold form = as == HOLD_AS_GIVEN ? e->ext.hold : forms[as];
	char at[DATETIME_UTC_SIZE];

	if (!hold_wanted(s, e))
		return;
	if (form == HOLD_UNTIL && datetime_now() >= CLOCK_PLAUSIBLE)
		strbuf_addf(out, " HOLDUNTIL=%s", datetime_utc(at, e->ext.hold_ms));
	else
		strbuf_addf(out, " HOLDFOR=%" PRId64, seconds_left(e));
}
