/*
 * SIZE (RFC 1870) and LIMITS (RFC 9422): what the server says it will take.
 *
 * A message that is larger than the server's limit is refused before MAIL
 * (EX_UNAVAILABLE 5.3.4). LIMITS bounds the MAIL commands of a session, the
 * recipients of a transaction and the recipients' domains of a session;
 * malformed or zero limits are ignored.
 */
#include "config.h"
#include "smtp/ext/ext.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/envelope.h"
#include "smtp/command.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"

/* 1*max DIGIT to the end of s: the value, 0 if it is no such number or does not fit. */
static uint64_t number(const char *s, size_t max)
{
	uint64_t value;
	const size_t n = text_decimal(s, &value);

	return n && n <= max && !s[n] ? value : 0;
}

/* "SIZE" [SP 1*20DIGIT]; none or 0: no limit is told (RFC 1870, section 3). */
static void size_parse(struct session *s, const struct strvec *args)
{
	s->size_limit = args->n ? number(args->v[0], 20) : 0;
}

static int size_check(const struct session *s, const struct envelope *e, struct error *err)
{
	uint64_t own = s->account->max_size, limit = s->announced[EXT_SIZE] ? s->size_limit : 0;

	if (own && e->size > own)
		return error_set(err, FAULT_TOO_LARGE, "message is %" PRIu64 " octets, "
				 "max_size of the account is %" PRIu64, e->size, own);
	if (limit && e->size > limit)
		return error_set(err, FAULT_TOO_LARGE, "message is %" PRIu64 " octets, "
				 "server allows %" PRIu64, e->size, limit);
	return 0;
}

static void size_mail_params(const struct session *s, const struct envelope *e,
			     struct strbuf *out)
{
	(void)s;
	if (e->size) {
		strbuf_addstr(out, " SIZE=");
		command_add_number(out, e->size);
	}
}

/* --- LIMITS ------------------------------------------------------------- */

/* "LIMITS" 1*( SP name "=" value ); value = 1*6 DIGIT, no leading zero */
static void limits_parse(struct session *s, const struct strvec *args)
{
	const struct {
		const char *name;
		unsigned *limit;
	} known[] = {
		{ "RCPTMAX=", &s->rcpt_max }, { "MAILMAX=", &s->mail_max },
		{ "RCPTDOMAINMAX=", &s->domain_max },
	};

	for (size_t i = 0; i < args->n; i++) {
		for (size_t k = 0; k < ARRAY_LEN(known); k++) {
			const size_t n = strlen(known[k].name);
			const char *value = args->v[i] + n;

			if (strncasecmp(args->v[i], known[k].name, n) == 0 && *value != '0' &&
			    number(value, 6))
				*known[k].limit = (unsigned)number(value, 6);
		}
	}
}

bool limits_spent(const struct session *s)
{
	return s->mail_max && s->mail_count >= s->mail_max;
}

bool limits_take_domain(struct session *s, const char *address)
{
	const char *domain = address_domain(address);

	domain = domain ? domain : "";
	if (!s->domain_max || strmap_find(&s->domains, domain, NULL))
		return true;
	return s->domains.n < s->domain_max &&
		strmap_add(&s->domains, arena_strdup(s->arena, domain), 0);
}

const struct extension ext_SIZE = {
	.keyword = "SIZE", .params = "SIZE", .remembered = true, .parse = size_parse,
	.check = size_check, .mail_params = size_mail_params, .mail_octets = 26
};

const struct extension ext_LIMITS = { .keyword = "LIMITS", .parse = limits_parse };
