#include "config.h"
#include "cli/option_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "conf/account.h"
#include "conf/settings.h"
#include "message/address.h"
#include "message/envelope.h"
#include "smtp/probe.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define ENVID_MAX 100		/* RFC 3461, section 4.4 */
#define XCLIENT_LIMIT 65536
#define PARAMS_LIMIT ((size_t)1 << 24)

static int blame(const struct option *o, struct error *err)
{
	return *o->name ? error_prefix(err, "option '--%s'", o->name) :
			 error_prefix(err, "option '-%c'", o->letter);
}

static int bad_value(const struct option *o, const char *value, const char *want,
		     struct error *err)
{
	error_set(err, FAULT_USAGE, "'%s' is not %s", value, want);
	return blame(o, err);
}

OPTION_FUNCTION(option_flag)
{
	*(bool *)((char *)inv + o->data) = true;
	return 0;
}

OPTION_FUNCTION(option_string)
{
	*(const char **)((char *)inv + o->data) = value;
	return 0;
}

OPTION_FUNCTION(option_ignore)
{
	return 0;
}

OPTION_FUNCTION(option_sender)
{
	struct mailbox box;

	if (address_parse_one(inv->arena, value, ADDRESS_NULL, &box, err) < 0) {
		error_recast(err, FAULT_USAGE);
		return blame(o, err);
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
	if (who == WHO_ANYONE || who == WHO_NO_FILE || strcmp(inv->name, "msubmit") == 0 ||
	    (who == WHO_OWNER && called_as_own(inv)))
		return 0;
	return error_set(err, FAULT_USAGE,
			 "%s is not taken when called as '%s': write it into the "
			 "configuration, or call msubmit", what, inv->name);
}

/* Text from an untrusted source behind an address must not choose a file. */
OPTION_FUNCTION(option_config)
{
	if (inv->request.words || inv->request.rcpt_n)
		return error_set(err, FAULT_USAGE, "-C must stand before the first address");
	inv->request.config.file = value;
	inv->request.config.as_sendmail = !called_as_own(inv);
	return 0;
}

OPTION_FUNCTION(option_notify)
{
	const struct name_value *names = setting_find(SCOPE_ACCOUNT, "dsn_notify")->names;
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

OPTION_FUNCTION(option_ret)
{
	static const struct name_value names[] = {
		{ "full", DSN_RET_FULL }, { "hdrs", DSN_RET_HDRS }, NAMES_END,
	};
	int ret = 0;

	if (names_find(names, value, &ret) < 0)
		return bad_value(o, value, "full or hdrs", err);
	inv->request.dsn_ret = (unsigned)ret;
	return 0;
}

OPTION_FUNCTION(option_envid)
{
	size_t len = strlen(value);

	if (len == 0 || len > ENVID_MAX || text_has_control(value, len) ||
	    !text_is_ascii(value, len))
		return bad_value(o, value, "1 to 100 printable ASCII characters", err);
	inv->request.envid = value;
	return 0;
}

OPTION_FUNCTION(option_family)
{
	option_override(inv, "address_family", o->data == 4 ? "ipv4" : "ipv6");
	return 0;
}

/* "-d0.1" without addresses and -t prints the version, as sendmail does. */
OPTION_FUNCTION(option_debug)
{
	inv->verbose = true;
	inv->version_wanted = value && strcmp(value, "0.1") == 0;
	return 0;
}

/* What other sendmails have, and this one has not: says what it would be. */
static int refuse_mode(const char *value, struct error *err)
{
	static const char *const known[][2] = {
		{ "S", "batch SMTP" },
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

OPTION_FUNCTION(option_mode)
{
	static const struct name_value modes[] = {
		{ "m", COMMAND_SEND }, { "p", COMMAND_QUEUE_LIST }, { "pc", COMMAND_QUEUE_COUNT },
		{ "i", COMMAND_ALIASES }, { "v", COMMAND_VERIFY }, { "d", COMMAND_SERVE },
		{ "D", COMMAND_SERVE }, { "s", COMMAND_SESSION }, { "l", COMMAND_SERVE },
		{ "df", COMMAND_SERVE },
		{ "h", COMMAND_NOTHING }, { "H", COMMAND_NOTHING }, { "V", COMMAND_VERSION },
		NAMES_END,
	};

	for (const struct name_value *m = modes; !names_is_end(m); m++) {
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

/* -q15m, -q1h30m; minutes where there is no unit, as in sendmail. */
static void read_interval(struct invocation *inv, const char *value)
{
	const bool bare = value[strspn(value, "0123456789")] == '\0';
	struct datetime when;

	if (datetime_parse(bare ? arena_printf(inv->arena, "%sm", value) : value, datetime_now(),
			   &when, NULL) < 0 || !when.duration || when.seconds < 1)
		inv->queue.nothing = true;
	else
		inv->queue.interval = (unsigned)when.seconds;
}

/* What other programs have and this one has not (groups, lost ones, "not") finds nothing. */
static void read_queue_word(struct invocation *inv, const char *value)
{
	struct queue_options *q = &inv->queue;
	const char *rest = value + 1;

	switch (value[0]) {
	case '\0':
	case 'G':
		break;
	case 'f':
		q->force = true;
		break;
	case 'I':
		q->id = rest;
		break;
	case 'S':
		q->sender = rest;
		break;
	case 'R':
		q->rcpt = rest;
		break;
	case 'p':
		read_interval(inv, *rest ? rest : "1");
		break;
	default:
		if (value[0] >= '0' && value[0] <= '9')
			read_interval(inv, value);
		else
			q->nothing = true;
	}
}

OPTION_FUNCTION(option_queue_run)
{
	read_queue_word(inv, value ? value : "");
	/* "mailq -q..." lists, "smtpd -q30m" serves: only what would send runs the queue */
	if (!inv->command_given && inv->command == COMMAND_SEND)
		inv->command = COMMAND_QUEUE_RUN;
	return 0;
}

/* data: which one; its argument says what it is about. */
OPTION_FUNCTION(option_command)
{
	inv->subject = value;
	inv->command = (enum command)o->data;
	inv->command_given = true;
	return 0;
}

/* Ids and patterns with commas between them. */
static void add_entries(struct invocation *inv, const char *list)
{
	struct queue_options *q = &inv->queue;

	for (const char *p = list; *p;) {
		const size_t n = strcspn(p, ",");

		q->word = arena_grow(inv->arena, q->word, q->words, &q->word_alloc,
				     sizeof(*q->word));
		if (n)
			q->word[q->words++] = arena_strndup(inv->arena, p, n);
		p += n + (p[n] == ',');
	}
}

/* data: which one. */
OPTION_FUNCTION(option_queue_tool)
{
	if (inv->command_given && (inv->command != COMMAND_QUEUE_TOOL ||
				   inv->queue.tool != (enum queue_tool)o->data))
		return error_set(err, FAULT_USAGE, "'--%s' does not go with another command",
				 o->name);
	inv->queue.tool = (enum queue_tool)o->data;
	inv->command = COMMAND_QUEUE_TOOL;
	inv->command_given = true;
	add_entries(inv, value);
	return 0;
}

int options_choose_entries(struct invocation *inv, struct error *err)
{
	struct submission_request *r = &inv->request;

	if (inv->command != COMMAND_QUEUE_TOOL)
		return 0;
	for (size_t i = 0; i < r->words; i++)
		add_entries(inv, r->word[i]);
	r->words = 0;
	return inv->queue.words ? 0 : error_set(err, FAULT_USAGE, "which entries of the queue? "
						"Their ids are shown by 'msubmit -bp'; '*' is all");
}

/* m, w and e ask for mail to the sender: the server is what failed, so print. */
OPTION_FUNCTION(option_error_mode)
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

static enum delivery_time delivery_of(char letter)
{
	static const struct { char letter; enum delivery_time delivery; } letters[] = {
		{ 'i', DELIVERY_NOW }, { 'f', DELIVERY_NOW }, { 'b', DELIVERY_BACKGROUND },
		{ 'q', DELIVERY_QUEUE }, { 'd', DELIVERY_QUEUE },
	};

	for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
		if (letters[i].letter == letter)
			return letters[i].delivery;
	}
	return DELIVERY_AS_SET;
}

OPTION_FUNCTION(option_letter)
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
	case 'd':
		inv->delivery = delivery_of(value[1]);
		return 0;
	case 'e':
		return option_error_mode(inv, o, value + 1, err);
	default:
		return 0;
	}
}

OPTION_FUNCTION(option_tag)
{
	char *tag = arena_strdup(inv->arena, value);

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
OPTION_FUNCTION(option_traffic)
{
	if (value[0] == 'V')
		return bad_value(o, value, "supported (VERP)", err);
	return 0;
}

OPTION_FUNCTION(option_events)
{
	char *rest;
	long fd = strtol(value, &rest, 10);

	if (rest == value || *rest || fd < 0 || fd > 65535)
		return error_set(err, FAULT_USAGE, "--%s: '%s' is no descriptor", o->name,
				 value);
	inv->events_fd = (int)fd;
	return 0;
}

void option_override(struct invocation *inv, const char *key, const char *value)
{
	size_t n = inv->request.config.override_n;

	inv->override = arena_grow(inv->arena, inv->override, n, &inv->override_alloc,
				   sizeof(*inv->override));
	inv->override[n] = (struct config_override){ .key = key, .value = value };
	inv->request.config.override_n = n + 1;
}

/* --- what is asked of the server, for the message or for one recipient --------------- */

/* An address with options of its own: kept as it is until the message is there. */
OPTION_FUNCTION(option_rcpt)
{
	struct submission_request *r = &inv->request;

	r->rcpt = arena_grow(inv->arena, r->rcpt, r->rcpt_n, &r->rcpt_alloc, sizeof(*r->rcpt));
	r->rcpt[r->rcpt_n++] = value;
	return 0;
}

/* Is it, whole, of that form for strptime()? */
static bool has_form(const char *value, const char *form, struct tm *out)
{
	const char *end = strptime(value, form, out);

	return end && !*end;
}

/*
 * "2026-12-01T08:00" and "08:00", as one says it here: in the zone of this
 * host; a time of the day is the next one. NULL when it is nothing of that.
 */
static const char *local_moment(struct arena *a, const char *value)
{
	static const char *const forms[] = {
		"%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S",
	};
	const time_t now = time(NULL);
	struct tm tm = { .tm_isdst = -1 };
	char at[DATETIME_UTC_SIZE];
	bool of_day, found = false;

	if (!localtime_r(&now, &tm))
		return NULL;
	of_day = has_form(value, "%H:%M", &tm);
	for (size_t i = 0; !of_day && !found && i < ARRAY_LEN(forms); i++) {
		tm = (struct tm){ .tm_isdst = -1 };
		found = has_form(value, forms[i], &tm);
	}
	if (!of_day && !found)
		return NULL;
	tm.tm_isdst = -1;
	tm.tm_sec = of_day ? 0 : tm.tm_sec;
	if (of_day && mktime(&tm) <= now) {
		tm.tm_mday++;
		tm.tm_isdst = -1;
	}
	return arena_strdup(a, datetime_utc(at, 1000 * (int64_t)mktime(&tm)));
}

/* hold_until, and times as one says them at the clock on the wall. */
OPTION_FUNCTION(option_at)
{
	const char *local = local_moment(inv->arena, value);

	option_override(inv, "hold_until", local ? local : value);
	return 0;
}

/* Of the account and, but for "try", of the listener, which has a key of that name. */
OPTION_FUNCTION(option_require_tls)
{
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
OPTION_FUNCTION(option_param)
{
	const char *key = o->name[0] == 'm' ? "mail_param" : "rcpt_param";
	const char *before = given_before(inv, key);
	struct strbuf all = STRBUF_INIT(PARAMS_LIMIT);

	if (!*value || strpbrk(value, " \t"))
		return bad_value(o, value, "KEYWORD or KEYWORD=VALUE", err);
	if (before)
		strbuf_addf(&all, "%s ", before);
	setting_add_word(&all, value);
	option_override(inv, key, arena_strdup(inv->arena, all.buf));
	strbuf_release(&all);
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

/* -O NAME=VALUE: notes it where NAME is a setting; does nothing when it is none. EX_USAGE. */
static int take_long_setting(struct invocation *inv, const char *name, size_t len,
			     const char *value, struct error *err)
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

OPTION_FUNCTION(option_long_name)
{
	size_t len = strcspn(value, "=");
	const char *arg = value[len] ? value + len + 1 : "true";

	if (len == strlen("IgnoreDots") && strncasecmp(value, "IgnoreDots", len) == 0)
		inv->request.dots_ignored = !is_false(arg);
	if (len == strlen("ErrorMode") && strncasecmp(value, "ErrorMode", len) == 0)
		return option_error_mode(inv, o, arg, err);
	return take_long_setting(inv, value, len, arg, err);
}

/* --- what the content is ------------------------------------------------------------- */

/*
 * What is announced of text follows from the message, whatever -B says; that
 * its octets are to be left alone cannot be known from it.
 */
OPTION_FUNCTION(option_body)
{
	static const struct name_value names[] = {
		{ "7BIT", BODY_7BIT }, { "8BITMIME", BODY_8BITMIME },
		{ "BINARYMIME", BODY_BINARYMIME }, NAMES_END
	};

	struct submission_request *r = &inv->request;

	if (names_find(names, value, &r->body) < 0)
		return bad_value(o, value, "7BIT, 8BITMIME or BINARYMIME", err);
	r->binary_input = r->binary_input || r->body == BODY_BINARYMIME;
	r->burl.eight = r->body == BODY_8BITMIME;
	return 0;
}

/* data: 0 for the whole message, 1 for a piece behind the one on standard input. */
OPTION_FUNCTION(option_burl)
{
	struct burl_request *b = &inv->request.burl;
	const bool whole = o->data == 0;

	if (b->n && (whole || b->whole))
		return error_set(err, FAULT_USAGE, "--burl is the whole message: it stands "
				 "alone, without --burl-part");
	if (*value == '@' && !whole &&
	    option_check_who(inv, WHO_OWNER_FIRST, "--burl-part=@FILE", err) < 0)
		return -1;
	b->whole = whole;
	b->piece = arena_grow(inv->arena, b->piece, b->n, &b->alloc, sizeof(*b->piece));
	b->piece[b->n++] = value;
	return 0;
}

OPTION_FUNCTION(option_burl_size)
{
	char *end;

	errno = 0;
	unsigned long long n = strtoull(value, &end, 10);

	if (*value < '0' || *value > '9' || errno || *end)
		return bad_value(o, value, "a number of octets", err);
	inv->request.burl.size = n;
	return 0;
}

/* --- single commands to the server ------------------------------------------------ */

OPTION_FUNCTION(option_probe)
{
	const struct probe_request p = { .id = (enum probe_id)o->data, .arg = value };

	if (probe_check(&p, err) < 0)
		return blame(o, err);
	inv->probe = arena_grow(inv->arena, inv->probe, inv->probes, &inv->probe_alloc,
				sizeof(*inv->probe));
	inv->probe[inv->probes++] = p;
	return 0;
}

/* The command, or with a value the setting of that name. */
OPTION_FUNCTION(option_rset)
{
	if (!value)
		return option_probe(inv, o, NULL, err);
	option_override(inv, o->name, value);
	return 0;
}

OPTION_FUNCTION(option_verify_with)
{
	static const struct name_value names[] = { { "vrfy", 0 }, { "rcpt", 1 }, NAMES_END };
	int with = 0;

	if (names_find(names, value, &with) < 0)
		return bad_value(o, value, "vrfy or rcpt", err);
	inv->verify_with_rcpt = with;
	return 0;
}

int options_choose_probes(struct invocation *inv, struct error *err)
{
	const bool message = options_name_recipients(inv);

	if (!inv->probes)
		return 0;
	for (size_t i = 0; message && i < inv->probes; i++) {
		if (inv->probe[i].id != PROBE_RAW)
			return error_set(err, FAULT_USAGE, "%s takes neither addresses nor "
					 "-t", probe_name(&inv->probe[i]));
	}
	if (message)
		return 0;		/* raw commands, and then the message */
	if (inv->command_given || inv->command != COMMAND_SEND)
		return error_set(err, FAULT_USAGE, "%s does not go with another command",
				 probe_name(&inv->probe[0]));
	inv->command = COMMAND_SMTP;
	return 0;
}

/* --- settings by another name --------------------------------------------- */

OPTION_FUNCTION(option_terminal)
{
	static const char *const modes[][2] = {
		{ "only", "send" }, { "or", "soml" }, { "and", "saml" }, { "off", "mail" }
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcasecmp(modes[i][0], value) == 0) {
			option_override(inv, "send_mode", modes[i][1]);
			return 0;
		}
	}
	return bad_value(o, value, "only, or, and, off", err);
}

/* "--xclient=ADDR=... NAME=..." and "--xclient-addr=...": all of them together are the key. */
OPTION_FUNCTION(option_xclient)
{
	static const char head[] = "xclient-";
	struct strbuf all = STRBUF_INIT(XCLIENT_LIMIT), word = STRBUF_INIT(XCLIENT_LIMIT);

	strbuf_addstr(&all, inv->xclient ? inv->xclient : "");
	if (all.len)
		strbuf_addch(&all, ' ');
	if (strncmp(o->name, head, strlen(head)) == 0) {
		strbuf_addf(&word, "%s=%s", o->name + strlen(head), value);
		setting_add_word(&all, word.buf);
	} else {
		strbuf_addstr(&all, value);
	}
	bool fits = !strbuf_overflow(&all) && !strbuf_overflow(&word);

	inv->xclient = arena_strdup(inv->arena, all.buf);
	strbuf_release(&all);
	strbuf_release(&word);
	if (!fits)
		return error_set(err, FAULT_USAGE, "option '--%s' is too long", o->name);
	option_override(inv, "xclient", inv->xclient);
	return 0;
}
