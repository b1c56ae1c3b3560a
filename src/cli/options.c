#include "config.h"
#include "cli/options.h"

#include <string.h>
#include <strings.h>

#include "cli/option_values.h"
#include "conf/settings.h"
#include "net/proxyurl.h"
#include "smtp/probe.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

/* What each option does with its argument: see option_values.c. */
static const struct option options[] = {
	{ 't', "read-recipients", OPTION_NONE, option_flag, OPTION_FIELD(read_recipients), NULL,
	  "take recipients from To, Cc and Bcc" },
	{ 'f', NULL, OPTION_REQUIRED, option_sender, 0, "address", "envelope sender" },
	{ 'r', NULL, OPTION_REQUIRED, option_sender, 0, "address", "the same as -f" },
	{ 'F', NULL, OPTION_REQUIRED, option_string, OPTION_FIELD(full_name), "name",
	  "full name for a From field that is missing" },
	{ 'i', NULL, OPTION_NONE, option_flag, OPTION_FIELD(dots_ignored), NULL,
	  "a line that is just a dot does not end the message" },
	{ 'a', "account", OPTION_REQUIRED, option_string, OPTION_FIELD(account), "name",
	  "use this account" },
	{ 'C', "file", OPTION_REQUIRED, option_config, 0, "file",
	  "read this configuration and no other" },
	{ 'N', NULL, OPTION_REQUIRED, option_notify, 0, "when",
	  "delivery notification: never, or success,failure,delay" },
	{ 'R', NULL, OPTION_REQUIRED, option_ret, 0, "part",
	  "what a failure report returns: full or hdrs" },
	{ 'V', NULL, OPTION_REQUIRED, option_envid, 0, "id", "envelope identifier of reports" },
	{ 0, "rcpt", OPTION_REQUIRED, option_rcpt, 0, "address[,option]...",
	  "recipient with notify=, orcpt=, rrvs= of its own" },
	{ 0, "at", OPTION_REQUIRED, option_at, 0, "time",
	  "have the server send it then: the same as --hold-until" },
	{ 0, "require-tls", OPTION_ATTACHED, option_require_tls, 0, "=on|off|try",
	  "TLS on the whole way: the same as --requiretls" },
	{ 0, "mail-param", OPTION_REQUIRED, option_param, 0, "keyword[=value]",
	  "one more parameter of MAIL, if the server offers it" },
	{ 0, "rcpt-param", OPTION_REQUIRED, option_param, 0, "keyword[=value]",
	  "one more parameter of RCPT, if the server offers it" },
	{ 'B', NULL, OPTION_REQUIRED, option_body, 0, "type",
	  "body type: 7BIT, 8BITMIME or BINARYMIME" },
	{ 0, "binary-input", OPTION_NONE, option_flag, OPTION_FIELD(binary_input), NULL,
	  "the body has binary parts: its octets are sent as they are" },
	{ 0, "burl", OPTION_REQUIRED, option_burl, 0, "url",
	  "the server fetches the message from there; standard input is not read" },
	{ 0, "burl-part", OPTION_REQUIRED, option_burl, 1, "url|@file",
	  "... or what follows the message: repeated for several pieces" },
	{ 0, "burl-size", OPTION_REQUIRED, option_burl_size, 0, "octets",
	  "size of the whole message with --burl and --burl-part" },
	{ 'G', NULL, OPTION_NONE, option_flag, OPTION_FIELD(gateway), NULL,
	  "relayed message: leave its header as it is" },
	{ '4', NULL, OPTION_NONE, option_family, 4, NULL, "connect by IPv4 only" },
	{ '6', NULL, OPTION_NONE, option_family, 6, NULL, "connect by IPv6 only" },
	{ 'v', "debug", OPTION_NONE, option_flag, OPTION_FIELD(verbose), NULL,
	  "show the dialogue on stderr, secrets hidden" },
	{ 'd', NULL, OPTION_ATTACHED, option_debug, 0, "level", "the same as -v" },
	{ 'b', NULL, OPTION_ATTACHED, option_mode, 0, "mode",
	  "m send, p list queue, i aliases, v check addresses, d or D listen" },
	{ 'q', NULL, OPTION_ATTACHED, option_queue_run, 0, "what", "run the queue" },
	{ 'I', NULL, OPTION_NONE, option_command, COMMAND_ALIASES, NULL, "the same as -bi" },
	{ 'e', NULL, OPTION_REQUIRED, option_error_mode, 0, "mode",
	  "errors: p prints them, q does not; m, w, e are as p" },
	{ 'o', NULL, OPTION_REQUIRED, option_letter, 0, "x",
	  "option x of sendmail: -oi, -oeq, -ov; all others are ignored" },
	{ 'O', NULL, OPTION_REQUIRED, option_long_name, 0, "name=value",
	  "the same by name: IgnoreDots, ErrorMode" },
	{ 'L', NULL, OPTION_REQUIRED, option_tag, 0, "tag", "name in syslog" },
	{ 'P', "print-config", OPTION_NONE, option_command, COMMAND_PRINT_CONFIG, NULL,
	  "show the configuration and where each value comes from" },
	{ 0, "pretend", OPTION_NONE, option_command, COMMAND_PRINT_CONFIG, NULL,
	  "the same as --print-config" },
	{ 0, "serverinfo", OPTION_NONE, option_command, COMMAND_SERVERINFO, NULL,
	  "show what the server offers, and its certificate" },
	{ 0, "json", OPTION_NONE, option_flag, OPTION_FIELD(json), NULL,
	  "print the result, or what --serverinfo finds, as JSON" },
	{ 0, "events", OPTION_REQUIRED, option_events, 0, "fd",
	  "write what happens as JSON lines to this descriptor" },
	{ 0, "trace", OPTION_REQUIRED, option_trace, 0, "file",
	  "append the dialogue to this file, secrets hidden" },
	{ 0, "progress", OPTION_NONE, option_flag, OPTION_FIELD(progress), NULL,
	  "show a meter from the start (on a terminal: for long transfers)" },
	{ 0, "read-envelope-from", OPTION_NONE, option_flag, OPTION_FIELD(read_envelope_from), NULL,
	  "without -f the envelope sender is that of the From field" },
	{ 0, "foreground", OPTION_NONE, option_flag, OPTION_FIELD(foreground), NULL,
	  "with -bd: stay in the foreground" },
	{ 0, "vrfy", OPTION_REQUIRED, option_probe, PROBE_VRFY, "address",
	  "ask the server whether it knows the address" },
	{ 0, "verify", OPTION_REQUIRED, option_probe, PROBE_VRFY, "address",
	  "the same as --vrfy" },
	{ 0, "verify-with", OPTION_REQUIRED, option_verify_with, 0, "vrfy|rcpt",
	  "rcpt: where VRFY says nothing, ask with RCPT" },
	{ 0, "strict-verify", OPTION_NONE, option_flag, OPTION_FIELD(strict_verify), NULL,
	  "a server that cannot tell is a failure (75)" },
	{ 0, "expn", OPTION_REQUIRED, option_probe, PROBE_EXPN, "list",
	  "ask the server who is on the mailing list" },
	{ 0, "expand", OPTION_REQUIRED, option_probe, PROBE_EXPN, "list",
	  "the same as --expn" },
	{ 0, "smtp-help", OPTION_ATTACHED, option_probe, PROBE_HELP, "[=topic]",
	  "show the help of the server" },
	{ 0, "noop", OPTION_NONE, option_probe, PROBE_NOOP, NULL,
	  "sign in, and see whether the server answers" },
	{ 0, "rset", OPTION_NONE, option_probe, PROBE_RSET, NULL, "the same with RSET" },
	{ 0, "etrn", OPTION_REQUIRED, option_probe, PROBE_ETRN, "host|@domain|#queue",
	  "have the server send what it keeps for that host" },
	{ 0, "rmqs", OPTION_REQUIRED, option_probe, PROBE_ETRN, "host|@domain|#queue",
	  "the same as --etrn" },
	{ 0, "atrn", OPTION_ATTACHED, option_probe, PROBE_ATRN, "[=domain,...]",
	  "fetch the mail of these domains (ODMR)" },
	{ 0, "smtp-command", OPTION_REQUIRED, option_probe, PROBE_RAW, "line",
	  "send this command after sign-in, and show the reply" },
	{ 0, "track-query", OPTION_REQUIRED, option_track_query, COMMAND_TRACK_QUERY,
	  "id|uri|all", "ask where a tracked message is" },
	{ 0, "query-track", OPTION_REQUIRED, option_track_query, COMMAND_TRACK_QUERY,
	  "id|uri|all", "the same as --track-query" },
	{ 0, "terminal", OPTION_REQUIRED, option_terminal, 0, "only|or|and|off",
	  "show the message on the recipient's terminal" },
	{ 0, "xclient", OPTION_REQUIRED, option_xclient, 0, NULL, NULL },	/* a key too */
	{ 0, "xclient-addr", OPTION_REQUIRED, option_xclient, 0, "address", "its address" },
	{ 0, "xclient-name", OPTION_REQUIRED, option_xclient, 0, "name", "its name" },
	{ 0, "xclient-port", OPTION_REQUIRED, option_xclient, 0, "number", "its port" },
	{ 0, "xclient-proto", OPTION_REQUIRED, option_xclient, 0, "SMTP|ESMTP", "its protocol" },
	{ 0, "xclient-helo", OPTION_REQUIRED, option_xclient, 0, "name", "its EHLO name" },
	{ 0, "xclient-login", OPTION_REQUIRED, option_xclient, 0, "name", "its user" },
	{ 0, "xclient-destaddr", OPTION_REQUIRED, option_xclient, 0, "address",
	  "the address it has come to" },
	{ 0, "xclient-destport", OPTION_REQUIRED, option_xclient, 0, "number",
	  "the port it has come to" },
	{ 0, "list-settings", OPTION_NONE, option_command, COMMAND_LIST_SETTINGS, NULL,
	  "list all keys: name, section, default" },
	{ 0, "list-options", OPTION_NONE, option_command, COMMAND_LIST_OPTIONS, NULL,
	  "list all options" },
	{ 0, "list-extensions", OPTION_NONE, option_command, COMMAND_LIST_EXTENSIONS, NULL,
	  "list all extensions: keyword, key that asks for it, level" },
	{ 0, "version", OPTION_NONE, option_command, COMMAND_VERSION, NULL,
	  "show the version, and those of the libraries" },
	{ 0, "help", OPTION_NONE, option_command, COMMAND_HELP, NULL, "show this text" },

	/* Taken for the sake of other programs, without any effect. */
	{ 'A', NULL, OPTION_REQUIRED, option_ignore, 0, "c|m", NULL },
	{ 'c', NULL, OPTION_NONE, option_ignore, 0, NULL, NULL },
	{ 'D', NULL, OPTION_REQUIRED, option_ignore, 0, "file", NULL },
	{ 'E', NULL, OPTION_ATTACHED, option_ignore, 0, NULL, NULL },
	{ 'h', NULL, OPTION_REQUIRED, option_ignore, 0, "count", NULL },
	{ 'J', NULL, OPTION_ATTACHED, option_ignore, 0, NULL, NULL },
	{ 'M', NULL, OPTION_REQUIRED, option_ignore, 0, "macro", NULL },
	{ 'm', NULL, OPTION_NONE, option_ignore, 0, NULL, NULL },
	{ 'n', NULL, OPTION_NONE, option_ignore, 0, NULL, NULL },
	{ 'p', NULL, OPTION_REQUIRED, option_ignore, 0, "protocol", NULL },
	{ 's', NULL, OPTION_NONE, option_ignore, 0, NULL, NULL },
	{ 'T', NULL, OPTION_ATTACHED, option_ignore, 0, NULL, NULL },
	{ 'U', NULL, OPTION_NONE, option_ignore, 0, NULL, NULL },
	{ 'X', NULL, OPTION_REQUIRED, option_traffic, 0, "file", NULL },
	{ 'x', NULL, OPTION_NONE, option_ignore, 0, NULL, NULL },
};

static const struct option *find_letter(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (options[i].letter == letter)
			return &options[i];
	}
	return NULL;
}

static const struct option *find_name(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (options[i].name && strncmp(options[i].name, name, len) == 0 &&
		    options[i].name[len] == '\0')
			return &options[i];
	}
	return NULL;
}

/* Where the parser stands in argv. */
struct position {
	int argc, i;
	char **argv;
};

/* The argument: attached, or the next word. */
static const char *take_argument(struct position *p, const char *attached)
{
	if (attached)
		return attached;
	return p->i + 1 < p->argc ? p->argv[++p->i] : NULL;
}

static int missing(const char *option, struct error *err)
{
	return error_set(err, EX_USAGE, "5.5.4", "option '%s' needs an argument", option);
}

/* "-tif addr": letters until one takes the rest or the next word as argument. */
static int parse_cluster(struct invocation *inv, struct position *p, struct error *err)
{
	for (const char *c = p->argv[p->i] + 1; *c; c++) {
		const struct option *o = find_letter(*c);
		const char name[3] = { '-', *c, '\0' };
		const char *rest = c[1] ? c + 1 : NULL, *value = NULL;

		if (!o)
			return error_set(err, EX_USAGE, "5.5.4",
					 "unknown option '%s': see 'msubmit --help'", name);
		if (o->arg == OPTION_REQUIRED && !(value = take_argument(p, rest)))
			return missing(name, err);
		if (o->arg == OPTION_ATTACHED)
			value = rest;
		if (o->apply(inv, o, value, err) < 0)
			return -1;
		if (o->arg != OPTION_NONE)
			return 0;
	}
	return 0;
}

/* Does the setting name a file that is written, or a program? */
static bool reaches_out(const struct setting *s)
{
	static const char *const keys[] = { "passwordeval", "logfile", "port_file", "pid_file",
					    "deliver", "atrn_deliver" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(s->key, keys[i]) == 0)
			return true;
	}
	return s->type == SETTING_ARGV;
}

/* Tries a value at once, so that a wrong one is named before anything is read. */
static int parse_setting(struct invocation *inv, struct position *p, const char *name, size_t len,
			 const char *value, struct error *err)
{
	const char *key = arena_strndup(inv->arena, name, len);
	const struct setting *s = setting_find(SCOPE_ACCOUNT, key);

	if (!s)
		s = setting_find(SCOPE_LISTEN, key);
	if (!s) {
		const char *near = setting_nearest(SCOPE_ACCOUNT, key);

		error_set(err, EX_USAGE, "5.5.4", "unknown option '--%s'", key);
		return near ? error_append(err, "; did you mean '--%s'?", near) :
			error_append(err, ": see 'msubmit --help'");
	}
	if (s->flags & SETTING_NO_OPTION ||
	    (s->flags & SETTING_URL && value && proxyurl_has_password(value)))
		return error_set(err, EX_USAGE, "5.5.4",
				 "'--%s' would show a secret to everyone who lists processes: "
				 "use --%s-file or --%s-command", key, key, key);
	if (!value && s->flags & SETTING_SWITCH)
		value = "on";
	if (!value && !(value = take_argument(p, NULL)))
		return missing(p->argv[p->i], err);
	if (reaches_out(s) && option_check_trust(inv, p->argv[p->i], err) < 0)
		return -1;
	option_override(inv, s->key, value);
	return 0;
}

static int parse_long(struct invocation *inv, struct position *p, struct error *err)
{
	const char *name = p->argv[p->i] + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] ? name + len + 1 : NULL;
	const struct option *o = find_name(name, len);

	if (!o)
		return parse_setting(inv, p, name, len, value, err);
	if (o->arg == OPTION_NONE && value)
		return error_set(err, EX_USAGE, "5.5.4", "option '--%s' takes no argument",
				 o->name);
	if (o->arg == OPTION_REQUIRED && !(value = take_argument(p, value)))
		return missing(p->argv[p->i], err);
	return o->apply(inv, o, value, err);
}

static void add_word(struct invocation *inv, const char *word)
{
	inv->word[inv->words++] = word;
}

static int parse_words(struct invocation *inv, struct position *p, struct error *err)
{
	for (p->i = 1; p->i < p->argc; p->i++) {
		const char *word = p->argv[p->i];

		if (strcmp(word, "--") == 0) {
			while (++p->i < p->argc)
				add_word(inv, p->argv[p->i]);
			return 0;
		}
		if (word[0] != '-') {
			add_word(inv, word);
			continue;
		}
		if (word[1] == '\0')
			return error_set(err, EX_USAGE, "5.5.4",
					 "'-' is neither option nor address");
		int rc = word[1] == '-' ? parse_long(inv, p, err) : parse_cluster(inv, p, err);

		if (rc < 0)
			return -1;
	}
	return 0;
}

/* What the program does when called by another name (sendmail.md 1.1). */
static const struct personality {
	const char *name;
	int command;			/* COMMAND_COUNT: refused */
} personalities[] = {
	{ "mailq", COMMAND_QUEUE_LIST }, { "newaliases", COMMAND_ALIASES },
	{ "smtpd", COMMAND_SERVE }, { "hoststat", COMMAND_NOTHING },
	{ "purgestat", COMMAND_NOTHING }, { "runq", COMMAND_QUEUE_RUN },
	{ "rsmtp", COMMAND_COUNT },
};

static int take_name(struct invocation *inv, const char *argv0, struct error *err)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;

	inv->name = slash ? slash + 1 : argv0 && *argv0 ? argv0 : "msubmit";
	inv->dots_ignored = strcmp(inv->name, "rmail") == 0;
	for (size_t i = 0; i < ARRAY_LEN(personalities); i++) {
		if (strcmp(personalities[i].name, inv->name) != 0)
			continue;
		if (personalities[i].command == COMMAND_COUNT)
			return error_set(err, EX_USAGE, "5.5.4",
					 "batch SMTP ('%s') is not supported", inv->name);
		inv->command = (enum command)personalities[i].command;
	}
	return 0;
}

/* Words and options that make no sense together. */
static int check_together(const struct invocation *inv, struct error *err)
{
	static const char *const alone[COMMAND_COUNT] = {
		[COMMAND_QUEUE_LIST] = "listing the queue",
		[COMMAND_QUEUE_RUN] = "running the queue",
		[COMMAND_QUEUE_COUNT] = "counting the queue",
		[COMMAND_SERVE] = "the listener",
		[COMMAND_TRACK_QUERY] = "--track-query",
	};
	const char *what = alone[inv->command];

	if (what && (inv->words || inv->rcpt_n || inv->read_recipients))
		return error_set(err, EX_USAGE, "5.5.4", "%s takes neither addresses nor -t", what);
	if (inv->command == COMMAND_VERIFY && inv->read_recipients)
		return error_set(err, EX_USAGE, "5.5.4", "-bv does not go with -t");
	return 0;
}

int options_parse(struct invocation *inv, struct arena *a, int argc, char **argv,
		  struct error *err)
{
	struct position p = { .argc = argc, .argv = argv };

	*inv = (struct invocation){ .arena = a, .events_fd = -1 };
	inv->word = arena_calloc(a, (size_t)argc + 1, sizeof(*inv->word));
	if (take_name(inv, argc > 0 ? argv[0] : NULL, err) < 0 || parse_words(inv, &p, err) < 0)
		return -1;
	inv->config.override = inv->override;
	if (options_choose_probes(inv, err) < 0)
		return -1;
	return check_together(inv, err);
}

#define HELP_COLUMN 30

/* A left part that is too long for its column gets a line of its own. */
static void help_line(struct strbuf *out, const char *left, const char *right)
{
	bool fits = strlen(left) + 2 < HELP_COLUMN;

	strbuf_addf(out, "  %s%s", left, fits ? "" : "\n");
	strbuf_addf(out, "%*s%s\n", fits ? (int)(HELP_COLUMN - 2 - strlen(left)) : HELP_COLUMN, "",
		    right);
}

static void help_option(struct strbuf *out, const struct option *o)
{
	struct strbuf left = STRBUF_INIT(256);
	const char *arg = o->arg_name;

	if (o->letter)
		strbuf_addf(&left, "-%c", o->letter);
	if (o->letter && o->name)
		strbuf_addstr(&left, ", ");
	if (o->name)
		strbuf_addf(&left, "--%s", o->name);
	if (arg && o->arg == OPTION_REQUIRED)
		strbuf_addf(&left, o->name ? "=%s" : " %s", arg);
	else if (arg)
		strbuf_addf(&left, o->name ? "[%s]" : "<%s>", arg);
	help_line(out, left.buf, o->help);
	strbuf_release(&left);
}

static void help_settings(struct strbuf *out, enum setting_scope scope)
{
	size_t n = 0;
	const struct setting *table = settings_table(scope, &n);

	for (size_t i = 0; i < n; i++) {
		const struct setting *s = &table[i];
		struct strbuf left = STRBUF_INIT(256);

		if (s->flags & (SETTING_NO_OPTION | SETTING_DEPRECATED | SETTING_CLASSIC))
			continue;
		strbuf_addf(&left, "--%s=%s", s->key, s->arg ? s->arg : "value");
		for (char *c = left.buf + 2; *c && *c != '='; c++) {
			if (*c == '_')
				*c = '-';
		}
		help_line(out, left.buf, s->help ? s->help : "");
		strbuf_release(&left);
	}
}

void options_help(struct strbuf *out)
{
	strbuf_addstr(out,
		"Usage: msubmit [OPTION]... RECIPIENT...  < MESSAGE\n"
		"       msubmit [OPTION]... -t            < MESSAGE\n"
		"       msubmit --serverinfo [--host=NAME]\n"
		"       msubmit -bd --deliver=maildir:FOLDER\n"
		"Send the message on standard input through the account's server.\n"
		"Exit 0 means that the server accepted it for every recipient.\n\nOptions:\n");
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (options[i].help)
			help_option(out, &options[i]);
	}
	strbuf_addstr(out, "  ");
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (!options[i].help && options[i].letter)
			strbuf_addf(out, "-%c ", options[i].letter);
	}
	strbuf_addstr(out, "are taken and ignored\n\n"
		"Settings of the account (msmtprc(5)), also in the configuration file:\n");
	help_settings(out, SCOPE_ACCOUNT);
	strbuf_addstr(out, "\nSettings of the listener (-bd):\n");
	help_settings(out, SCOPE_LISTEN);
}

void options_list(struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const struct option *o = &options[i];

		if (o->letter)
			strbuf_addf(out, "-%c\n", o->letter);
		if (o->name)
			strbuf_addf(out, "--%s\n", o->name);
	}
}
