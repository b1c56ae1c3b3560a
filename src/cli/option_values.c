#include "config.h"
#include "cli/option_values.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/address.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/text.h"

#define ENVID_MAX 100		/* RFC 3461, section 4.4 */

static int bad_value(const struct option *o, const char *value, const char *want,
		     struct error *err)
{
	return error_set(err, FAULT_USAGE, "option '-%c': '%s' is not %s", o->letter, value,
			 want);
}

int option_flag(struct invocation *inv, const struct option *o, const char *value,
		struct error *err)
{
	(void)value, (void)err;
	*(bool *)((char *)inv + o->data) = true;
	return 0;
}

int option_string(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
{
	(void)err;
	*(const char **)((char *)inv + o->data) = value;
	return 0;
}

int option_ignore(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
{
	(void)inv, (void)o, (void)value, (void)err;
	return 0;
}

int option_sender(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
{
	struct mailbox box;

	if (address_parse_one(inv->arena, value, ADDRESS_NULL, &box, err) < 0) {
		if (o->name)
			error_prefix(err, "option '--%s'", o->name);
		else
			error_prefix(err, "option '-%c'", o->letter);
		error_recast(err, FAULT_USAGE);
		return -1;
	}
	inv->request.sender = box.address;
	return 0;
}

/* By a name whose callers set things by options. */
static bool called_as_own(const struct invocation *inv)
{
	return strcmp(inv->name, "msubmit") == 0 || strcmp(inv->name, "msmtp") == 0;
}

int option_check_who(const struct invocation *inv, enum who who, const char *what,
		     struct error *err)
{
	if (who == WHO_OWNER_FIRST && (inv->request.words || inv->request.rcpt_n))
		return error_set(err, FAULT_USAGE, "%s must stand before the first address",
				 what);
	if (who < WHO_OWNER || strcmp(inv->name, "msubmit") == 0 ||
	    (who == WHO_OWNER && called_as_own(inv)))
		return 0;
	return error_set(err, FAULT_USAGE,
			 "%s is not taken when called as '%s': write it into the "
			 "configuration, or call msubmit", what, inv->name);
}

/* Text from an untrusted source behind an address must not choose a file. */
int option_config(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
{
	(void)o;
	if (inv->request.words || inv->request.rcpt_n)
		return error_set(err, FAULT_USAGE, "-C must stand before the first address");
	inv->request.config.file = value;
	inv->request.config.root_only = !called_as_own(inv);
	return 0;
}

int option_notify(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
{
	static const struct name_value names[] = {
		{ "never", DSN_NOTIFY_NEVER }, { "success", DSN_NOTIFY_SUCCESS },
		{ "failure", DSN_NOTIFY_FAILURE }, { "delay", DSN_NOTIFY_DELAY }, { NULL, 0 },
	};
	unsigned bits = 0;

	for (const char *s = value;; s++) {
		size_t len = strcspn(s, ",");
		int bit = 0;

		if (names_find(names, arena_strndup(inv->arena, s, len), &bit) < 0)
			return bad_value(o, value, "never or a list of success, failure, delay",
					 err);
		bits |= (unsigned)bit;
		s += len;
		if (!*s)
			break;
	}
	if (bits & DSN_NOTIFY_NEVER && bits != DSN_NOTIFY_NEVER)
		return bad_value(o, value, "valid: 'never' stands alone", err);
	inv->request.dsn_notify = bits;
	return 0;
}

int option_ret(struct invocation *inv, const struct option *o, const char *value,
	       struct error *err)
{
	static const struct name_value names[] = {
		{ "full", DSN_RET_FULL }, { "hdrs", DSN_RET_HDRS }, { NULL, 0 },
	};
	int ret = 0;

	if (names_find(names, value, &ret) < 0)
		return bad_value(o, value, "full or hdrs", err);
	inv->request.dsn_ret = (unsigned)ret;
	return 0;
}

int option_envid(struct invocation *inv, const struct option *o, const char *value,
		 struct error *err)
{
	size_t len = strlen(value);

	if (len == 0 || len > ENVID_MAX || text_has_control(value, len) ||
	    !text_is_ascii(value, len))
		return bad_value(o, value, "1 to 100 printable ASCII characters", err);
	inv->request.envid = value;
	return 0;
}

int option_family(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
{
	(void)value, (void)err;
	option_override(inv, "address_family", o->data == 4 ? "ipv4" : "ipv6");
	return 0;
}

/* "-d0.1" without addresses and -t prints the version, as sendmail does. */
int option_debug(struct invocation *inv, const struct option *o, const char *value,
		 struct error *err)
{
	(void)o, (void)err;
	inv->verbose = true;
	inv->version_wanted = value && strcmp(value, "0.1") == 0;
	return 0;
}

/* What other sendmails have, and this one has not: says what it would be. */
static int refuse_mode(const char *value, struct error *err)
{
	static const char *const known[][2] = {
		{ "s", "SMTP on standard input: give recipients or -t" }, { "S", "batch SMTP" },
		{ "t", "address test mode" }, { "a", "ARPANET mode" },
		{ "P", "number of entries in the queue: that is -bpc" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(value, known[i][0]) == 0)
			return error_set(err, FAULT_USAGE, "-b%s (%s) is not supported",
					 value, known[i][1]);
	}
	return error_set(err, FAULT_USAGE, "unknown mode '-b%s': see 'msubmit --help'",
			 value);
}

int option_mode(struct invocation *inv, const struct option *o, const char *value,
		struct error *err)
{
	static const struct name_value modes[] = {
		{ "m", COMMAND_SEND }, { "p", COMMAND_QUEUE_LIST }, { "pc", COMMAND_QUEUE_COUNT },
		{ "i", COMMAND_ALIASES }, { "v", COMMAND_VERIFY }, { "d", COMMAND_SERVE },
		{ "D", COMMAND_SERVE }, { "l", COMMAND_SERVE }, { "df", COMMAND_SERVE },
		{ "h", COMMAND_NOTHING }, { "H", COMMAND_NOTHING }, { "V", COMMAND_VERSION },
		{ NULL, 0 },
	};

	(void)o;
	for (const struct name_value *m = modes; m->name; m++) {
		if (strcmp(m->name, value) != 0)
			continue;
		inv->command = (enum command)m->value;
		inv->command_given = true;
		inv->foreground = inv->foreground || strcmp(value, "D") == 0 ||
				  strcmp(value, "df") == 0;
		return 0;
	}
	return refuse_mode(value, err);
}

int option_queue_run(struct invocation *inv, const struct option *o, const char *value,
		     struct error *err)
{
	(void)o, (void)value, (void)err;
	/* "mailq -q..." lists, "smtpd -q30m" serves: only what would send runs the queue */
	if (!inv->command_given && inv->command == COMMAND_SEND)
		inv->command = COMMAND_QUEUE_RUN;
	return 0;
}

int option_command(struct invocation *inv, const struct option *o, const char *value,
		   struct error *err)
{
	(void)value, (void)err;
	inv->command = (enum command)o->data;
	inv->command_given = true;
	return 0;
}

/* A command with a subject, which may as well be the next word. */
int option_check(struct invocation *inv, const struct option *o, const char *value,
		 struct error *err)
{
	inv->check = value;
	return option_command(inv, o, NULL, err);
}

/* m, w and e ask for mail to the sender: the server is what failed, so print. */
int option_error_mode(struct invocation *inv, const struct option *o, const char *value,
		      struct error *err)
{
	if (strlen(value) != 1 || !strchr("pqmwe", value[0]))
		return bad_value(o, value, "one of the error modes p, q, m, w, e", err);
	inv->quiet = value[0] == 'q';
	inv->errors_mailed = value[0] == 'm';
	return 0;
}

/* sendmail looks at the first letter only: -oif is "false" too. */
static bool is_false(const char *value)
{
	if (value[0] && strchr("fFnN", value[0]))
		return true;
	return strcasecmp(value, "off") == 0 || strcmp(value, "0") == 0;
}

int option_letter(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
{
	switch (value[0]) {
	case '\0':
		return error_set(err, FAULT_USAGE, "option '-o' needs an argument");
	case 'i':
		inv->request.dots_ignored = !is_false(value + 1);
		return 0;
	case 'v':
		inv->verbose = true;
		return 0;
	case 'e':
		return option_error_mode(inv, o, value + 1, err);
	default:
		return 0;
	}
}

int option_long_name(struct invocation *inv, const struct option *o, const char *value,
		     struct error *err)
{
	size_t len = strcspn(value, "=");
	const char *arg = value[len] ? value + len + 1 : "true";

	if (len == strlen("IgnoreDots") && strncasecmp(value, "IgnoreDots", len) == 0)
		inv->request.dots_ignored = !is_false(arg);
	if (len == strlen("ErrorMode") && strncasecmp(value, "ErrorMode", len) == 0)
		return option_error_mode(inv, o, arg, err);
	return option_long_setting(inv, value, len, arg, err);
}

int option_tag(struct invocation *inv, const struct option *o, const char *value,
	       struct error *err)
{
	char *tag = arena_strdup(inv->arena, value);

	(void)o, (void)err;
	for (char *c = tag; *c; c++) {
		if (text_has_control(c, 1))
			*c = ' ';
	}
	inv->syslog_tag = tag;
	return 0;
}

/*
 * -X FILE names a log in other programs. Web programs that pass unchecked
 * text into sendmail's options have let attackers write files by it, so it
 * is taken and never written. -XV... (VERP) would change the sender.
 */
int option_traffic(struct invocation *inv, const struct option *o, const char *value,
		   struct error *err)
{
	(void)inv;
	if (value[0] == 'V')
		return bad_value(o, value, "supported (VERP)", err);
	return 0;
}

int option_events(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
{
	char *rest;
	long fd = strtol(value, &rest, 10);

	if (rest == value || *rest || fd < 0 || fd > 65535)
		return error_set(err, FAULT_USAGE, "--%s: '%s' is no descriptor", o->name,
				 value);
	inv->events_fd = (int)fd;
	return 0;
}

/* Commands with a subject. */
int option_configure(struct invocation *inv, const struct option *o, const char *value,
		     struct error *err)
{
	inv->configure.address = value;
	return option_command(inv, o, NULL, err);
}

int option_import(struct invocation *inv, const struct option *o, const char *value,
		  struct error *err)
{
	inv->import_file = value;
	return option_command(inv, o, NULL, err);
}

void option_override(struct invocation *inv, const char *key, const char *value)
{
	size_t n = inv->request.config.override_n;

	inv->override = arena_grow(inv->arena, inv->override, n, &inv->override_alloc,
				   sizeof(*inv->override));
	inv->override[n] = (struct config_override){ .key = key, .value = value };
	inv->request.config.override_n = n + 1;
}
