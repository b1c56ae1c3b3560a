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
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"
#include "util/xalloc.h"

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
static int size_parse(struct session *s, const struct strvec *args, struct error *err)
{
	(void)err;
	s->size_limit = args->n ? number(args->v[0], 20) : 0;
	return 0;
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
static int limits_parse(struct session *s, const struct strvec *args, struct error *err)
{
	const struct {
		const char *name;
		unsigned *limit;
	} known[] = {
		{ "RCPTMAX=", &s->rcpt_max }, { "MAILMAX=", &s->mail_max },
		{ "RCPTDOMAINMAX=", &s->domain_max },
	};

	(void)err;
	for (size_t i = 0; i < args->n; i++) {
		for (size_t k = 0; k < ARRAY_LEN(known); k++) {
			const size_t n = strlen(known[k].name);
			const char *value = args->v[i] + n;

			if (strncasecmp(args->v[i], known[k].name, n) == 0 && *value != '0' &&
			    number(value, 6))
				*known[k].limit = (unsigned)number(value, 6);
		}
	}
	return 0;
}

bool limits_spent(const struct session *s)
{
	return s->mail_max && s->mail_count >= s->mail_max;
}

/* The domains of a session: open addressing, at most half full. */
struct limits_domains {
	char **slot;
	size_t size;		/* a power of two */
	size_t n;
};

/* The slot where the domain is, or would be. */
static char **find(const struct limits_domains *d, const char *domain)
{
	size_t at = text_hash(domain) & (d->size - 1);

	while (d->slot[at] && strcasecmp(d->slot[at], domain) != 0)
		at = (at + 1) & (d->size - 1);
	return &d->slot[at];
}

static void grow(struct limits_domains *d)
{
	const struct limits_domains old = *d;

	d->size = old.size ? 2 * old.size : 16;
	d->slot = xcalloc(d->size, sizeof(*d->slot));
	for (size_t i = 0; i < old.size; i++) {
		if (old.slot[i])
			*find(d, old.slot[i]) = old.slot[i];
	}
	xfree(old.slot);
}

bool limits_take_domain(struct session *s, const char *address)
{
	const char *domain = address_domain(address);

	if (!s->domain_max)
		return true;
	if (!domain)
		domain = "";
	if (!s->domains)
		s->domains = xcalloc(1, sizeof(*s->domains));
	if (2 * (s->domains->n + 1) > s->domains->size)
		grow(s->domains);
	char **slot = find(s->domains, domain);

	if (*slot)
		return true;
	if (s->domains->n >= s->domain_max)
		return false;
	*slot = xstrdup(domain);
	s->domains->n++;
	return true;
}

void limits_domains_free(struct limits_domains *d)
{
	for (size_t i = 0; d && i < d->size; i++)
		xfree(d->slot[i]);
	if (d)
		xfree(d->slot);
	xfree(d);
}

const struct extension ext_SIZE = {
	.keyword = "SIZE", .params = "SIZE", .remembered = true, .parse = size_parse,
	.check = size_check, .mail_params = size_mail_params, .mail_octets = 26
};

const struct extension ext_LIMITS = { .keyword = "LIMITS", .parse = limits_parse };
