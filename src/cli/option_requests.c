/*
 * Options that ask something of the server, for the message or for one recipient.
 */
#include "config.h"
#include "cli/option_values.h"

#include <string.h>
#include <strings.h>

#include "conf/settings.h"
#include "util/arena.h"
#include "util/error.h"

/* An address with options of its own: kept as it is until the message is there. */
int option_rcpt(struct invocation *inv, const struct option *o, const char *value,
		struct error *err)
{
	(void)o, (void)err;
	struct submission_request *r = &inv->request;

	r->rcpt = arena_grow(inv->arena, r->rcpt, r->rcpt_n, &r->rcpt_alloc, sizeof(*r->rcpt));
	r->rcpt[r->rcpt_n++] = value;
	return 0;
}

/* Other names of settings: data is 0 for the release time, 1 for TLS all the way. */
int option_at(struct invocation *inv, const struct option *o, const char *value,
	      struct error *err)
{
	(void)o, (void)err;
	option_override(inv, "hold_until", value);
	return 0;
}

/* Of the account and, but for "try", of the listener, which has a key of that name. */
int option_require_tls(struct invocation *inv, const struct option *o, const char *value,
		       struct error *err)
{
	(void)o, (void)err;
	if (!value)
		value = "on";
	option_override(inv, "requiretls", value);
	if (strcasecmp(value, "try") != 0)
		option_override(inv, "require_tls", value);
	return 0;
}

/* The value given before with the same key. */
static const char *given_before(const struct invocation *inv, const char *key)
{
	for (size_t i = inv->request.config.override_n; i > 0; i--) {
		if (strcmp(inv->override[i - 1].key, key) == 0)
			return inv->override[i - 1].value;
	}
	return NULL;
}

/* One more parameter of MAIL or RCPT: repeated options add up. A value holds no blank. */
int option_param(struct invocation *inv, const struct option *o, const char *value,
		 struct error *err)
{
	const char *key = o->name[0] == 'm' ? "mail_param" : "rcpt_param";
	const char *before = given_before(inv, key);
	char *word = arena_alloc(inv->arena, 2 * strlen(value) + 1), *to = word;

	if (!*value || strpbrk(value, " \t"))
		return error_set(err, FAULT_USAGE, "option '--%s': '%s' is not "
				 "KEYWORD or KEYWORD=VALUE", o->name, value);
	for (; *value; value++) {
		if (strchr("'\"\\", *value))
			*to++ = '\\';
		*to++ = *value;
	}
	*to = '\0';
	option_override(inv, key,
			before ? arena_printf(inv->arena, "%s %s", before, word) : word);
	return 0;
}

/* Hyphens, underscores and case do not count. */
static bool same_letters(const char *a, const char *b, size_t n)
{
	for (;; a++) {
		while (n && (*b == '-' || *b == '_')) {
			b++;
			n--;
		}
		if (*a == '_')
			continue;
		if (!*a || !n)
			return !*a && !n;
		if (strncasecmp(a, b, 1) != 0)
			return false;
		b++;
		n--;
	}
}

/* Postfix's "smtputf8=yes": UTF-8 is not to be changed; "no": it is to become ASCII. */
static const char *downgrade_of(const char *value)
{
	if (strcasecmp(value, "yes") == 0 || strcasecmp(value, "true") == 0)
		return "never";
	return strcasecmp(value, "no") == 0 ? "always" : value;
}

int option_long_setting(struct invocation *inv, const char *name, size_t len, const char *value,
			struct error *err)
{
	struct setting_walk w = { 0 };
	const struct setting *s;

	if (same_letters("smtputf8", name, len))
		option_override(inv, "smtputf8_downgrade", downgrade_of(value));
	while ((s = settings_next(SCOPE_ACCOUNT, &w))) {
		if (!(s->flags & SETTING_LONG) || !same_letters(s->key, name, len))
			continue;
		if (option_check_who(inv, s->who, arena_printf(inv->arena, "-O %s", s->key),
				     err) < 0)
			return -1;
		option_override(inv, s->key, strcasecmp(value, "true") == 0 ? "on" : value);
	}
	return 0;
}
