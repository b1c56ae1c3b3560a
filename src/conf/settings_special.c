/* Setters of the settings table: what has no file of its own. */
#include "config.h"
#include "conf/settings_rows.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "conf/account.h"
#include "conf/accounts.h"
#include "message/envelope.h"
#include "net/pin.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/names.h"
#include "util/strbuf.h"

/* --- server ------------------------------------------------------------------ */

SETTING_PRINTER(special_port_print)
{
	const struct account *a = target;

	(void)s;
	if (!a->socket)
		strbuf_addf(out, "%u", account_port(a));
}

/* 0 is no limit, so it is the largest. */
static unsigned longer(unsigned a, unsigned b)
{
	if (a == 0 || b == 0)
		return 0;
	return a > b ? a : b;
}

/* msmtp's one limit for all: the steps that move data keep at least what RFC 5321 wants. */
SETTING_SETTER(special_timeout)
{
	struct timeouts *t = &((struct account *)target)->timeouts;
	unsigned n;

	(void)arena;
	if (setting_read_time(s, value, &n, err) < 0)
		return -1;
	t->connect = t->greeting = t->helo = t->starttls = t->auth = t->mail = t->rcpt = n;
	t->data_init = longer(n, 120);
	t->data_xfer = longer(n, 180);
	t->data_done = longer(n, 600);
	return 0;
}

/* --- TLS ---------------------------------------------------------------------- */

static const struct name_value tls_names[] = {
	{ "auto", TLS_AUTO }, { "starttls", TLS_STARTTLS }, { "implicit", TLS_IMPLICIT },
	{ "off", TLS_OFF }, { "no", TLS_OFF }, { "false", TLS_OFF }, { "0", TLS_OFF },
	{ "on", TLS_STARTTLS }, { "yes", TLS_STARTTLS }, { "true", TLS_STARTTLS },
	{ "1", TLS_STARTTLS }, { "may", TLS_MAY }, { NULL, 0 }
};

/* The two keys of msmtp may stand in any order and in different sections. */
static void combine_tls(struct tls_settings *t)
{
	if (t->follows_starttls && t->starttls_given)
		t->mode = t->starttls ? TLS_STARTTLS : TLS_IMPLICIT;
}

SETTING_SETTER(special_tls)
{
	struct tls_settings *t = &((struct account *)target)->tls;
	int mode;

	(void)arena;
	if (names_find(tls_names, value, &mode) < 0)
		return setting_refuse(s, value, "one of auto, starttls, implicit, may, off, on",
				      err);
	t->mode = (enum tls_mode)mode;
	t->follows_starttls = mode == TLS_AUTO ||
			      (mode == TLS_STARTTLS && strcasecmp(value, "starttls") != 0);
	combine_tls(t);
	return 0;
}

SETTING_SETTER(special_starttls)
{
	struct tls_settings *t = &((struct account *)target)->tls;
	int on;

	(void)arena;
	if (setting_read_bool(s, value, &on, err) < 0)
		return -1;
	t->starttls = on;
	t->starttls_given = true;
	combine_tls(t);
	return 0;
}

SETTING_PRINTER(special_tls_print)
{
	const struct account *a = target;

	(void)s;
	strbuf_addstr(out, names_name(tls_names, (int)a->tls.mode));
}

/* fingerprint = 2HEXDIG *([":"] 2HEXDIG), of SHA-256, SHA-1 or MD5 */
SETTING_SETTER(special_fingerprint)
{
	size_t digits = 0;
	bool wrong = false;

	for (const char *p = value; *p; p++) {
		if (isxdigit((unsigned char)*p))
			digits++;
		else if (*p != ':' || digits == 0 || digits % 2 || p[1] == ':' || !p[1])
			wrong = true;
	}
	if (wrong || (digits != 64 && digits != 40 && digits != 32 && digits != 0))
		return setting_refuse(s, value, "a SHA-256, SHA-1 or MD5 fingerprint in hex", err);
	((struct account *)target)->tls.fingerprint = digits ? arena_strdup(arena, value) : NULL;
	return 0;
}

SETTING_PRINTER(special_fingerprint_print)
{
	const struct account *a = target;

	(void)s;
	strbuf_addstr(out, a->tls.fingerprint ? a->tls.fingerprint : "");
}

/* The list is in its field: each of it must be a pin, so that a typing error is seen at once. */
SETTING_SETTER(special_pins)
{
	const char *const *pins = ((struct account *)target)->tls.pins;

	(void)arena, (void)value;
	for (size_t i = 0; pins && pins[i]; i++) {
		struct pin ignored;

		if (pin_parse(pins[i], &ignored) < 0)
			return setting_refuse(s, pins[i], "spki-sha256:BASE64, cert-sha256:HEX or "
					      "file:PATH ('msubmit --serverinfo' prints them)",
					      err);
	}
	return 0;
}

/* --- signing in ----------------------------------------------------------------- */

static const struct name_value auth_names[] = {
	{ "auto", AUTH_AUTO }, { "off", AUTH_OFF }, { "no", AUTH_OFF }, { "false", AUTH_OFF },
	{ "0", AUTH_OFF }, { "on", AUTH_ON }, { "yes", AUTH_ON }, { "true", AUTH_ON },
	{ "1", AUTH_ON }, { "try", AUTH_TRY }, { NULL, 0 }
};

/* mechanism = 1*20( ALPHA / DIGIT / "-" / "_" ) (RFC 4422, section 3.1) */
static bool is_mechanism(const char *value)
{
	size_t n = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789-_");

	return n >= 1 && n <= 20 && !value[n];
}

SETTING_SETTER(special_auth)
{
	struct auth_settings *auth = &((struct account *)target)->auth;
	int mode = AUTH_MECHANISM;

	if (names_find(auth_names, value, &mode) < 0 && !is_mechanism(value))
		return setting_refuse(s, value, "on, off, auto, try or a mechanism", err);
	auth->mode = (enum auth_mode)mode;
	auth->mechanism = NULL;
	if (mode == AUTH_MECHANISM) {
		char *name = arena_strdup(arena, value);

		auth->mechanism = name;
		for (; *name; name++)
			*name = (char)toupper((unsigned char)*name);
	}
	return 0;
}

SETTING_PRINTER(special_auth_print)
{
	const struct auth_settings *auth = &((const struct account *)target)->auth;
	const char *word = auth->mode == AUTH_MECHANISM ? auth->mechanism :
							  names_name(auth_names, (int)auth->mode);

	(void)s;
	strbuf_addstr(out, word);
}

SETTING_SETTER(special_password_fd)
{
	char *end;
	long n = strtol(value, &end, 10);

	(void)arena;
	if (*value && (!isdigit((unsigned char)*value) || *end || n > 65535))
		return setting_refuse(s, value, "the number of an open descriptor", err);
	((struct account *)target)->auth.password_fd = *value ? (int)n : -1;
	return 0;
}

SETTING_PRINTER(special_password_fd_print)
{
	const struct account *a = target;

	(void)s;
	if (a->auth.password_fd >= 0)
		strbuf_addf(out, "%d", a->auth.password_fd);
}

/* --- recipients and notices ------------------------------------------------------ */

static const struct name_value partial_names[] = {
	{ "deliver", PARTIAL_SEND }, { "abort", PARTIAL_REFUSE }, { NULL, 0 }
};

/* Two spellings of one setting: both fields always agree. */
static void set_partial(struct account *a, int partial)
{
	a->partial = (enum partial)partial;
	a->strict_recipients = partial == PARTIAL_REFUSE;
}

SETTING_SETTER(special_partial)
{
	int partial;

	(void)arena;
	if (names_find(partial_names, value, &partial) < 0)
		return setting_refuse(s, value, "one of deliver, abort", err);
	set_partial(target, partial);
	return 0;
}

SETTING_PRINTER(special_partial_print)
{
	const struct account *a = target;

	(void)s;
	strbuf_addstr(out, names_name(partial_names, (int)a->partial));
}

SETTING_SETTER(special_strict)
{
	int strict;

	(void)arena;
	if (setting_read_bool(s, value, &strict, err) < 0)
		return -1;
	set_partial(target, strict ? PARTIAL_REFUSE : PARTIAL_SEND);
	return 0;
}

SETTING_PRINTER(special_strict_print)
{
	const struct account *a = target;

	(void)s;
	strbuf_addstr(out, a->strict_recipients ? "on" : "off");
}

static const struct name_value notify_names[] = {
	{ "never", DSN_NOTIFY_NEVER }, { "success", DSN_NOTIFY_SUCCESS },
	{ "failure", DSN_NOTIFY_FAILURE }, { "delay", DSN_NOTIFY_DELAY }, { NULL, 0 }
};

/* Words of a list with commas as the bits of a table; "off" is none. */
static int read_bits(const struct setting *s, const struct name_value *names, const char *value,
		     const char *wanted, unsigned *out, struct error *err)
{
	unsigned bits = 0;
	char word[16];

	for (const char *p = value; strcasecmp(value, "off") != 0 && *p; p += *p == ',') {
		p += strspn(p, " \t");
		size_t n = strcspn(p, " \t,");
		int bit;

		if (n == 0 || n >= sizeof(word))
			return setting_refuse(s, value, wanted, err);
		memcpy(word, p, n);
		word[n] = '\0';
		p += n;
		p += strspn(p, " \t");
		if (names_find(names, word, &bit) < 0 || (*p && *p != ','))
			return setting_refuse(s, value, wanted, err);
		bits |= (unsigned)bit;
	}
	*out = bits;
	return 0;
}

/* notify = "off" / "never" / condition *("," condition) (RFC 3461, section 4.1) */
SETTING_SETTER(special_dsn_notify)
{
	static const char wanted[] = "off, never, or a list of success, failure, delay";
	unsigned bits;

	(void)arena;
	if (read_bits(s, notify_names, value, wanted, &bits, err) < 0)
		return -1;
	if (bits & DSN_NOTIFY_NEVER && bits != DSN_NOTIFY_NEVER)
		return setting_refuse(s, value, wanted, err);
	((struct account *)target)->dsn_notify = bits;
	return 0;
}

static const struct name_value stop_names[] = {
	{ "to", 1 << RCPT_SOURCE_TO }, { "cc", 1 << RCPT_SOURCE_CC },
	{ "bcc", 1 << RCPT_SOURCE_BCC }, { "argument", 1 << RCPT_SOURCE_ARGUMENT }, { NULL, 0 }
};

SETTING_SETTER(special_stop_on)
{
	struct account *a = target;

	(void)arena;
	return read_bits(s, stop_names, value, "off, or a list of to, cc, bcc, argument",
			 &a->stop_on, err);
}

static void print_bits(struct strbuf *out, const struct name_value *names, unsigned bits)
{
	const char *comma = "";

	if (!bits)
		strbuf_addstr(out, "off");
	for (const struct name_value *n = names; n->name; n++) {
		if (bits & (unsigned)n->value) {
			strbuf_addf(out, "%s%s", comma, n->name);
			comma = ",";
		}
	}
}

SETTING_PRINTER(special_stop_on_print)
{
	(void)s;
	print_bits(out, stop_names, ((const struct account *)target)->stop_on);
}

SETTING_PRINTER(special_dsn_notify_print)
{
	(void)s;
	print_bits(out, notify_names, ((const struct account *)target)->dsn_notify);
}

/* --- log --------------------------------------------------------------------------- */

static const struct name_value facility_names[] = {
	{ "LOG_USER", LOG_USER }, { "LOG_MAIL", LOG_MAIL }, { "LOG_DAEMON", LOG_DAEMON },
	{ "LOG_AUTH", LOG_AUTH }, { "LOG_CRON", LOG_CRON }, { "LOG_NEWS", LOG_NEWS },
	{ "LOG_LOCAL0", LOG_LOCAL0 }, { "LOG_LOCAL1", LOG_LOCAL1 }, { "LOG_LOCAL2", LOG_LOCAL2 },
	{ "LOG_LOCAL3", LOG_LOCAL3 }, { "LOG_LOCAL4", LOG_LOCAL4 }, { "LOG_LOCAL5", LOG_LOCAL5 },
	{ "LOG_LOCAL6", LOG_LOCAL6 }, { "LOG_LOCAL7", LOG_LOCAL7 }, { NULL, 0 }
};

static const struct name_value syslog_switch[] = {
	{ "on", 1 }, { "yes", 1 }, { "true", 1 }, { "1", 1 },
	{ "off", 0 }, { "no", 0 }, { "false", 0 }, { "0", 0 }, { NULL, 0 }
};

/* "on" is msmtp's LOG_USER in its own syntax, the mail facility in ours. */
SETTING_SETTER(special_syslog)
{
	struct account *a = target;
	const size_t prefix = strlen("LOG_");
	int on;

	(void)arena;
	if (names_find(syslog_switch, value, &on) == 0) {
		a->syslog = !on ? -1 : a->classic ? LOG_USER : LOG_MAIL;
		return 0;
	}
	if (names_find(facility_names, value, &a->syslog) == 0)
		return 0;
	for (const struct name_value *n = facility_names; n->name; n++) {
		if (strcasecmp(n->name + prefix, value) == 0) {
			a->syslog = n->value;
			return 0;
		}
	}
	return setting_refuse(s, value, "on, off or a facility such as LOG_MAIL", err);
}

SETTING_PRINTER(special_syslog_print)
{
	const struct account *a = target;

	(void)s;
	strbuf_addstr(out, a->syslog < 0 ? "off" : names_name(facility_names, a->syslog));
}

/* Keys of old versions of msmtp that it reads and does not obey. */
SETTING_SETTER(special_ignore)
{
	(void)target, (void)s, (void)arena, (void)value, (void)err;
	return 0;
}
