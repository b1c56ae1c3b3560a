/*
 * When: how late, how early and how urgent a message is.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <inttypes.h>
#include <string.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "smtp/session.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"

/*
 * DELIVERBY (RFC 2852): what is to happen when the message is late.
 *
 * The envelope has the moment; the server is told what is left of it. Mode R
 * (return it) is never sent to a server that cannot keep it (5.3.3), nor
 * when less time is left than the server's minimum (5.4.7). Mode N without
 * the extension becomes NOTIFY=DELAY.
 */

static bool deliverby_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.by != BY_NONE;
}

static enum ext_level deliverby_floor(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.by == BY_RETURN ? LEVEL_REQUIRE : LEVEL_FIXED;
}

static int64_t deliverby_left(const struct envelope *e)
{
	int64_t left = datetime_until(e->ext.by_ms, datetime_now());

	return left < -DATETIME_SECONDS_MAX ? -DATETIME_SECONDS_MAX :
		left > DATETIME_SECONDS_MAX ? DATETIME_SECONDS_MAX : left;
}

/* deliver-by-param = [ min-by-time ] *( "," extension-token ); min-by-time = 1*9DIGIT */
static int64_t deliverby_least(const struct session *s)
{
	const char *words = extensions_arguments(s, EXT_DELIVERBY);
	uint64_t least;
	const size_t n = words ? text_decimal(words, &least) : 0;

	return n && n <= 9 && strchr(", ", words[n]) ? (int64_t)least : 0;
}

static int deliverby_check(const struct session *s, const struct envelope *e, struct error *err)
{
	if (e->ext.by != BY_RETURN)
		return 0;
	int64_t left = deliverby_left(e);
	int64_t least = session_has(s, EXT_DELIVERBY) ? deliverby_least(s) : 0;

	if (left < 1)
		return error_set(err, FAULT_DELIVERY_TIME, "the time to deliver the message "
				 "has passed");
	if (left < least)
		return error_set(err, FAULT_DELIVERY_TIME, "%" PRId64 " seconds are left to "
				 "deliver the message, the server wants at least %" PRId64, left,
				 least);
	return 0;
}

static void deliverby_mail_params(const struct session *s, const struct envelope *e,
				  struct strbuf *out)
{
	(void)s;
	if (e->ext.by == BY_NONE)
		return;
	strbuf_addf(out, " BY=%" PRId64 ";%c%s", deliverby_left(e),
		    e->ext.by == BY_RETURN ? 'R' : 'N', e->ext.by_trace ? "T" : "");
}

/* RFC 2852, section 4.1.4.2: FAILURE,DELAY where nothing was asked for. */
unsigned deliverby_notify(const struct session *s, const struct envelope *e, unsigned notify)
{
	if (e->ext.by != BY_NOTIFY || session_has(s, EXT_DELIVERBY) || notify & DSN_NOTIFY_NEVER)
		return notify;
	return notify ? notify | DSN_NOTIFY_DELAY : DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY;
}

const struct extension ext_DELIVERBY = {
	.keyword = "DELIVERBY", .option = "deliver_by", .level = LEVEL_TRY,
	.params = "BY", .wanted = deliverby_wanted, .floor = deliverby_floor,
	.check = deliverby_check, .mail_params = deliverby_mail_params,
	.mail_octets = 17
};

/*
 * FUTURERELEASE (RFC 4865): the server is to send the message later.
 *
 * Told as an interval or as a moment, never beyond what the server says it
 * holds (5.5.4), and not at all when the moment has passed. For a server
 * without it we hold the message ourselves (level local), which needs a queue.
 */

/* A clock before this (2024-01-01) is not set, and a moment by it means nothing. */
#define CLOCK_PLAUSIBLE (INT64_C(1704067200) * 1000)

static int64_t hold_left(const struct envelope *e)
{
	return datetime_until(e->ext.hold_ms, datetime_now());
}

static bool hold_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.hold != HOLD_NONE && hold_left(e) > 0;
}

/* "FUTURERELEASE" SP 1*9DIGIT SP date-time; what is not of that form is not heeded. */
static void hold_limits(const struct session *s, int64_t *interval, int64_t *moment)
{
	const char *words = extensions_arguments(s, EXT_FUTURERELEASE);
	struct strvec list = STRVEC_INIT(2);
	struct datetime t;

	*interval = *moment = INT64_MAX;
	strvec_split(&list, words ? words : "", " \t");
	for (size_t i = 0; i < list.n; i++) {
		if (datetime_parse(list.v[i], 0, &t, NULL) == 0 && t.ms > 0)
			*(t.duration ? interval : moment) = t.duration ? t.seconds : t.ms;
	}
	strvec_release(&list);
}

static int hold_check(const struct session *s, const struct envelope *e, struct error *err)
{
	int64_t interval, moment;
	char at[DATETIME_UTC_SIZE];

	if (!hold_wanted(s, e))
		return 0;
	if (!session_has(s, EXT_FUTURERELEASE)) {
		if (extensions_level(s, e, EXT_FUTURERELEASE) != LEVEL_LOCAL)
			return 0;
		return error_set(err, FAULT_HOLD_HERE, "the server does not offer "
				 "FUTURERELEASE, and to hold the message here (hold_for) there has "
				 "to be a queue: set queue");
	}
	hold_limits(s, &interval, &moment);
	if (hold_left(e) > interval)
		return error_set(err, FAULT_PARAMETER, "the server holds a message for at "
				 "most %" PRId64 " seconds, asked for are %" PRId64, interval,
				 hold_left(e));
	if (e->ext.hold_ms > moment)
		return error_set(err, FAULT_PARAMETER, "the server holds a message until "
				 "%s at most", datetime_utc(at, moment));
	return 0;
}

static void hold_mail_params(const struct session *s, const struct envelope *e,
			     struct strbuf *out)
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
		strbuf_addf(out, " HOLDFOR=%" PRId64, hold_left(e));
}

const struct extension ext_FUTURERELEASE = {
	.keyword = "FUTURERELEASE", .option = "hold_for",
	.level = LEVEL_LOCAL, .params = "HOLDFOR HOLDUNTIL", .wanted = hold_wanted,
	.check = hold_check, .mail_params = hold_mail_params, .mail_octets = 34
};

/*
 * MT-PRIORITY (RFC 6710): how urgent the transfer is.
 *
 * Sent as it was asked for; the server may change it and says so with status
 * x.3.6. Without the extension it is left out, or goes along as a header
 * field (RFC 6758): see requests_adapt() of submit.
 */

static bool priority_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.priority_given;
}

static void priority_mail_params(const struct session *s, const struct envelope *e,
				 struct strbuf *out)
{
	(void)s;
	if (e->ext.priority_given)
		strbuf_addf(out, " MT-PRIORITY=%d", e->ext.priority);
}

bool priority_changed(const struct session *s, const struct reply *r)
{
	return session_has(s, EXT_MT_PRIORITY) && r->status[0] &&
		strcmp(r->status + 1, ".3.6") == 0;
}

const struct extension ext_MT_PRIORITY = {
	.keyword = "MT-PRIORITY", .option = "mt_priority",
	.level = LEVEL_TRY, .params = "MT-PRIORITY", .wanted = priority_wanted,
	.mail_params = priority_mail_params, .mail_octets = 15
};
