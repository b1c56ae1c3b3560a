#include "config.h"
#include "smtp/ext_limits.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/envelope.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "util/error.h"
#include "util/strbuf.h"

/* 1*max DIGIT to the end of s: the value, 0 if it is no such number or does not fit. */
static uint64_t number(const char *s, size_t max)
{
	uint64_t value = 0;
	size_t n = strlen(s);

	if (n == 0 || n > max)
		return 0;
	for (; *s; s++) {
		unsigned digit = (unsigned)(*s - '0');

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return value;
}

/* "SIZE" [SP 1*20DIGIT]; none or 0: no limit is told (RFC 1870, section 3). */
int size_parse(struct session *s, const struct strvec *args, struct error *err)
{
	(void)err;
	s->size_limit = args->n ? number(args->v[0], 20) : 0;
	return 0;
}

int size_check(const struct session *s, const struct envelope *e, struct error *err)
{
	uint64_t own = s->account->max_size, limit = s->announced[EXT_SIZE] ? s->size_limit : 0;

	if (own && e->size > own)
		return error_set(err, EX_UNAVAILABLE, "5.3.4", "message is %" PRIu64 " octets, "
				 "max_size of the account is %" PRIu64, e->size, own);
	if (limit && e->size > limit)
		return error_set(err, EX_UNAVAILABLE, "5.3.4", "message is %" PRIu64 " octets, "
				 "server allows %" PRIu64, e->size, limit);
	return 0;
}

void size_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out)
{
	(void)s;
	if (e->size) {
		strbuf_addstr(out, " SIZE=");
		command_add_number(out, e->size);
	}
}

/* "LIMITS" 1*( SP name "=" value ); value = 1*6 DIGIT, no leading zero */
int limits_parse(struct session *s, const struct strvec *args, struct error *err)
{
	static const char name[] = "RCPTMAX=";

	(void)err;
	for (size_t i = 0; i < args->n; i++) {
		const char *value = args->v[i] + sizeof(name) - 1;

		if (strncasecmp(args->v[i], name, sizeof(name) - 1) == 0 && *value != '0' &&
		    number(value, 6))
			s->rcpt_max = (unsigned)number(value, 6);
	}
	return 0;
}
