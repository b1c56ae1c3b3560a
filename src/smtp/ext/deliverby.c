#include "config.h"
#include "smtp/ext/deliverby.h"

#include <inttypes.h>
#include <stdlib.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "smtp/session.h"
#include "util/datetime.h"
#include "util/error.h"
#include "util/strbuf.h"

bool deliverby_wanted(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.by != BY_NONE;
}

enum ext_level deliverby_floor(const struct session *s, const struct envelope *e)
{
	(void)s;
	return e->ext.by == BY_RETURN ? LEVEL_REQUIRE : LEVEL_FIXED;
}

static int64_t seconds_left(const struct envelope *e)
{
	int64_t left = datetime_until(e->ext.by_ms, datetime_now());

	return left < -DATETIME_SECONDS_MAX ? -DATETIME_SECONDS_MAX :
		left > DATETIME_SECONDS_MAX ? DATETIME_SECONDS_MAX : left;
}

/* deliver-by-param = [ min-by-time ] *( "," extension-token ); min-by-time = 1*9DIGIT */
static int64_t minimum(const struct session *s)
{
	const char *words = extensions_arguments(s, EXT_DELIVERBY);
	char *end;

	if (!words || *words < '0' || *words > '9')
		return 0;
	unsigned long n = strtoul(words, &end, 10);

	return (*end == '\0' || *end == ',' || *end == ' ') && end - words <= 9 ? (int64_t)n : 0;
}

int deliverby_check(const struct session *s, const struct envelope *e, struct error *err)
{
	if (e->ext.by != BY_RETURN)
		return 0;
	int64_t left = seconds_left(e), least = session_has(s, EXT_DELIVERBY) ? minimum(s) : 0;

	if (left < 1)
		return error_set(err, FAULT_DELIVERY_TIME, "the time to deliver the message "
				 "has passed");
	if (left < least)
		return error_set(err, FAULT_DELIVERY_TIME, "%" PRId64 " seconds are left to "
				 "deliver the message, the server wants at least %" PRId64, left,
				 least);
	return 0;
}

void deliverby_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out)
{
	(void)s;
	if (e->ext.by == BY_NONE)
		return;
	strbuf_addf(out, " BY=%" PRId64 ";%c%s", seconds_left(e),
		    e->ext.by == BY_RETURN ? 'R' : 'N', e->ext.by_trace ? "T" : "");
}

/* RFC 2852, section 4.1.4.2: FAILURE,DELAY where nothing was asked for. */
unsigned deliverby_notify(const struct session *s, const struct envelope *e, unsigned notify)
{
	if (e->ext.by != BY_NOTIFY || session_has(s, EXT_DELIVERBY) || notify & DSN_NOTIFY_NEVER)
		return notify;
	return notify ? notify | DSN_NOTIFY_DELAY : DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY;
}
