#include "config.h"
#include "cli/options.h"

#include <string.h>
#include <strings.h>

#include "cli/option_values.h"
#include "conf/settings.h"
#include "net/proxyurl.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

/* The next option behind o (NULL: the first); NULL behind the last. Headings are passed. */
static const struct option *next_option(const struct option *o)
{
	for (o = o ? o + 1 : options; !o->apply && *o->help; o++)
		;
	return o->apply ? o : NULL;
}

static const struct option *find_letter(char letter)
{
	const struct option *o = NULL;

	while ((o = next_option(o)) && o->letter != letter)
		;
	return o;
}

static const struct option *find_name(const char *name, size_t len)
{
	const struct option *o = NULL;

	while ((o = next_option(o))) {
		if (*o->name && strncmp(o->name, name, len) == 0 && o->name[len] == '\0')
			break;
	}
	return o;
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

static int missing(const char *option, const char *what, struct error *err)
{
	return error_set(err, FAULT_USAGE, "option '%s' needs an argument%s%s", option,
			 *what ? ": " : "", what);
}

/* "-tif addr": letters until one takes the rest or the next word as argument. */
static int parse_cluster(struct invocation *inv, struct position *p, struct error *err)
{
	for (const char *c = p->argv[p->i] + 1; *c; c++) {
		const struct option *o = find_letter(*c);
		const char name[3] = { '-', *c, '\0' };
		const char *rest = c[1] ? c + 1 : NULL, *value = NULL;

		if (!o)
			return error_set(err, FAULT_USAGE,
					 "unknown option '%s': see 'msubmit --help'", name);
		if (option_check_who(inv, o->who, name, err) < 0)
			return -1;
		if (o->arg == OPTION_REQUIRED && !(value = take_argument(p, rest)))
			return missing(name, o->arg_name, err);
		if (o->arg == OPTION_ATTACHED)
			value = rest;
		if (option_functions[o->apply](inv, o, value, err) < 0)
			return -1;
		if (o->arg != OPTION_NONE)
			return 0;
	}
	return 0;
}

#define NEAR 2	/* letters that a misspelt option may be off */

/* What options of other programs are called here, dashes included; NULL: it is none such. */
static const char *foreign_option(struct arena *a, const char *word)
{
	const char *key = setting_foreign(word);

	if (strcmp(word, "verbose") == 0)
		return "-v";
	if (strcmp(word, "test") == 0)
		return "--check";
	if (!key)
		return NULL;
	/* no secret stands on the command line */
	return arena_printf(a, "--%s%s", key, strcmp(key, "password") == 0 ? "-file" : "");
}

/* A key as an option. */
static const char *dashed(struct arena *a, const char *key)
{
	char *name = arena_printf(a, "--%s", key);

	for (char *c = name; (c = strchr(c, '_'));)
		*c = '-';
	return name;
}

/* The nearest option, be it of this table or a setting; NULL: none is near. */
static const char *nearest_option(struct arena *a, const char *word)
{
	const char *near = NULL, *key = setting_nearest(SCOPE_ACCOUNT, word);
	unsigned best = key ? names_distance(key, word, NEAR) : strlen(word) > 3 ? NEAR + 1 : NEAR;
	const struct option *o = NULL;

	while ((o = next_option(o))) {
		unsigned d = *o->name ? names_distance(o->name, word, best) : best;

		if (d < best) {
			best = d;
			near = o->name;
		}
	}
	return near || key ? dashed(a, near ? near : key) : NULL;
}

/* "unknown option", with the one that was meant. */
static int unknown(struct invocation *inv, const char *word, struct error *err)
{
	const char *near = foreign_option(inv->arena, word);

	if (!near)
		near = nearest_option(inv->arena, word);
	error_set(err, FAULT_USAGE, "unknown option '--%s'", word);
	return near ? error_append(err, "; did you mean '%s'?", near) :
		error_append(err, ": see 'msubmit --help'");
}

/* A secret, with the keys that say where it is; or a word that only old files have. */
static int refuse_key(struct invocation *inv, const struct setting *s, struct error *err)
{
	static const char *const ways[] = { "file", "command" };
	const char *between = ": use ";

	if (s->type != SETTING_SECRET)
		return error_set(err, FAULT_USAGE, "'%s' is no option: only a configuration file "
				 "can say that%s%s", dashed(inv->arena, s->key),
				 *s->alias_of ? "; the option is " : "",
				 *s->alias_of ? dashed(inv->arena, s->alias_of) : "");
	error_set(err, FAULT_USAGE, "'%s' would show a secret to everyone who lists processes",
		  dashed(inv->arena, s->key));
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		const char *key = arena_printf(inv->arena, "%s_%s", s->key, ways[i]);

		if (!setting_find(SCOPE_ACCOUNT, key))
			continue;
		error_append(err, "%s%s", between, dashed(inv->arena, key));
		between = " or ";
	}
	return -1;
}

/* option: "--key" as it was given, without its value. */
static int parse_setting(struct invocation *inv, struct position *p, const char *option,
			 const char *value, struct error *err)
{
	const char *key = option + 2;
	const struct setting *s = setting_find(SCOPE_ACCOUNT, key);

	if (!s)
		s = setting_find(SCOPE_LISTEN, key);
	if (!s)
		return unknown(inv, key, err);
	if (s->flags & SETTING_FILE_ONLY)
		return error_set(err, FAULT_USAGE, "'--%s' is no option: only a "
				 "configuration file can say that", key);
	if (s->flags & SETTING_NO_OPTION)
		return refuse_key(inv, s, err);
	if (s->flags & SETTING_URL && value && proxyurl_has_password(value))
		return error_set(err, FAULT_USAGE, "'--%s' would show a secret to everyone who "
				 "lists processes: a configuration file can say it", key);
	if (option_check_who(inv, s->who, option, err) < 0)
		return -1;
	if (!value && s->flags & SETTING_SWITCH)
		value = "on";
	if (!value && !(value = take_argument(p, NULL)))
		return missing(p->argv[p->i], s->arg, err);
	option_override(inv, s->key, value);
	return 0;
}

static int parse_long(struct invocation *inv, struct position *p, struct error *err)
{
	const char *word = p->argv[p->i];
	size_t len = strcspn(word, "=");
	const char *option = arena_strndup(inv->arena, word, len);
	const char *value = word[len] ? word + len + 1 : NULL;
	const struct option *o = find_name(option + 2, len - 2);

	if (!o)
		return parse_setting(inv, p, option, value, err);
	if (option_check_who(inv, o->who, option, err) < 0)
		return -1;
	if (o->arg == OPTION_NONE && value)
		return error_set(err, FAULT_USAGE, "option '--%s' takes no argument",
				 o->name);
	if (o->arg == OPTION_REQUIRED && !(value = take_argument(p, value)))
		return missing(word, o->arg_name, err);
	return option_functions[o->apply](inv, o, value, err);
}

static void add_word(struct invocation *inv, const char *word)
{
	inv->request.word[inv->request.words++] = word;
}

/* "-it" without the t, "-t" as NULL; what follows an option's letter is its argument. */
static const char *without_t(struct invocation *inv, const char *word)
{
	char *kept = arena_strdup(inv->arena, word), *to = kept + 1;

	for (const char *c = word + 1; *c; c++) {
		const struct option *o = find_letter(*c);

		if (o && o->arg != OPTION_NONE) {
			memmove(to, c, strlen(c) + 1);
			return kept;
		}
		if (*c != 't')
			*to++ = *c;
	}
	*to = '\0';
	return to == kept + 1 ? NULL : kept;
}

/* Is it an option that says who gets the message? */
static bool names_recipients(const char *word)
{
	static const char *const names[] = { "--rcpt", "--read-recipients", "--exclude-args" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(word, names[i], n) == 0 && (word[n] == '\0' || word[n] == '='))
			return true;
	}
	return false;
}

/* Does it make the message, or a field that a kept one has already? Sender and keywords do not. */
static bool makes_message(const char *word)
{
	const struct option *o = find_name(word + 2, strcspn(word + 2, "="));

	if (!o || o->apply == DO_SENDER || o->apply == DO_SOLICITATION)
		return false;
	while (o->apply)
		o--;
	return o->data;		/* of its heading */
}

/* Keeps an option with its argument, for a command that does the same to others. */
static void keep_option(struct invocation *inv, const struct position *p, int first)
{
	const char *word = p->argv[first];

	if (names_recipients(word) || (word[1] == '-' && makes_message(word)))
		return;
	if (word[1] != '-')
		word = without_t(inv, word);
	if (word)
		inv->option_word[inv->option_words++] = word;
	for (int i = first + 1; i <= p->i; i++)
		inv->option_word[inv->option_words++] = p->argv[i];
}

/* "-s SUBJECT", as of mail(1): sendmail's -s has no argument, and the subject would get mail. */
static int check_subject(const struct invocation *inv, const struct position *p,
			 struct error *err)
{
	const char *next = p->i + 1 < p->argc ? p->argv[p->i + 1] : "-";
	struct error ignored;

	if (strcmp(p->argv[p->i], "-s") != 0 || *next == '-' ||
	    (strchr(next, '@') && !strchr(next, ' ')) ||
	    option_check_who(inv, WHO_OWNER, "", &ignored) < 0)
		return 0;
	return error_set(err, FAULT_USAGE, "'-s' takes no subject: it is --compose "
			 "--subject='%.100s', or a field of the message on standard input", next);
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
			return error_set(err, FAULT_USAGE,
					 "'-' is neither option nor address");
		const int first = p->i;
		int rc = check_subject(inv, p, err);

		if (rc == 0)
			rc = word[1] == '-' ? parse_long(inv, p, err) : parse_cluster(inv, p, err);

		if (rc < 0)
			return -1;
		keep_option(inv, p, first);
	}
	return 0;
}

/*
 * What the program does when called by another name, until a -b says
 * something else (doc/sendmail.md#names).
 */
static const struct name_value personalities[] = {
	{ "mailq", COMMAND_QUEUE_LIST }, { "newaliases", COMMAND_ALIASES },
	{ "smtpd", COMMAND_SERVE }, { "hoststat", COMMAND_NOTHING },
	{ "purgestat", COMMAND_NOTHING }, { "runq", COMMAND_QUEUE_RUN },
	{ "rsmtp", COMMAND_COUNT },	/* refused */
	NAMES_END,
};

static void take_name(struct invocation *inv, const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	const struct name_value *p = personalities;

	inv->program = argv0 && *argv0 ? argv0 : "msubmit";
	inv->name = slash ? slash + 1 : argv0 && *argv0 ? argv0 : "msubmit";
	inv->request.dots_ignored = strcmp(inv->name, "rmail") == 0;
	while (!names_is_end(p) && strcmp(p->name, inv->name) != 0)
		p++;
	inv->name_refused = p->value == COMMAND_COUNT;
	if (!names_is_end(p) && !inv->name_refused)
		inv->command = (enum command)p->value;
}

bool options_name_recipients(const struct invocation *inv)
{
	return inv->request.words || inv->request.rcpt_n || inv->request.read_recipients;
}

/* What follows from all options together, whatever their order was. */
static int settle_command(struct invocation *inv, struct error *err)
{
	if (inv->version_wanted && !options_name_recipients(inv) && !inv->command_given)
		inv->command = COMMAND_VERSION;
	else if (inv->name_refused && !inv->command_given)
		return error_set(err, FAULT_USAGE, "batch SMTP ('%s') is not supported",
				 inv->name);
	return 0;
}

/* A message or a sender beside it shows that somebody else meant to send mail. */
static int check_configure(const struct invocation *inv, struct error *err)
{
	const struct configure_options *c = &inv->configure;

	if (inv->command == COMMAND_CONFIGURE && (inv->request.dots_ignored || inv->request.sender))
		return error_set(err, FAULT_USAGE,
				 "--configure takes no options of a message");
	if (inv->command != COMMAND_CONFIGURE && (c->print || c->no_check || c->no_ispdb))
		return error_set(err, FAULT_USAGE, "--print, --no-check and --no-ispdb "
				 "belong to --configure");
	if (inv->command != COMMAND_CONFIGURE && inv->command != COMMAND_IMPORT && c->output)
		return error_set(err, FAULT_USAGE,
				 "--output belongs to --configure and --import");
	return 0;
}

/* What may stand beside a command: of most nothing that says who gets a message. */
enum beside { BESIDE_NOTHING, BESIDE_WORDS, BESIDE_ALL };

static const struct {
	enum beside beside;
	const char *name;
} companions[COMMAND_COUNT] = {
	[COMMAND_SEND] = { .beside = BESIDE_ALL },
	[COMMAND_PRETEND] = { .beside = BESIDE_ALL },
	[COMMAND_CHECK] = { BESIDE_WORDS, "--check" },
	[COMMAND_CHECK_CONFIG] = { BESIDE_WORDS, "--check-config" },
	[COMMAND_VERIFY] = { BESIDE_WORDS, "-bv" },
	[COMMAND_ALIASES] = { .name = "rebuilding the aliases" },
	[COMMAND_LIST_EXTENSIONS] = { .name = "--list-extensions" },
	[COMMAND_LIST_OPTIONS] = { .name = "--list-options" },
	[COMMAND_LIST_SETTINGS] = { .name = "--list-settings" },
	[COMMAND_NOTHING] = { .name = "the status of hosts" },
	[COMMAND_PRINT_CONFIG] = { .name = "--print-config" },
	[COMMAND_QUEUE_LIST] = { .name = "listing the queue" },
	[COMMAND_QUEUE_RUN] = { .name = "running the queue" },
	[COMMAND_QUEUE_COUNT] = { .name = "counting the queue" },
	[COMMAND_SERVE] = { .name = "the listener" },
	[COMMAND_SERVERINFO] = { .name = "--serverinfo" },
	[COMMAND_SESSION] = { .name = "-bs (SMTP on standard input)" },
	[COMMAND_SMTP] = { .name = "a command to the server" },
	[COMMAND_VERSION] = { .name = "--version" },
	[COMMAND_HELP] = { .name = "--help" },
	[COMMAND_TRACK_QUERY] = { .name = "--track-query" },
	[COMMAND_CONFIGURE] = { .name = "--configure" },
	[COMMAND_IMPORT] = { .name = "--import" },
	[COMMAND_QUEUE_TOOL] = { .name = "work on the queue" },
	[COMMAND_STATUS] = { .name = "--status" },
};

/* A command that ended with 0 beside a message would have lost it. */
static int check_recipients(const struct invocation *inv, struct error *err)
{
	const enum beside beside = companions[inv->command].beside;
	const char *name = companions[inv->command].name;

	if (!options_name_recipients(inv) || beside == BESIDE_ALL)
		return 0;
	if (beside == BESIDE_NOTHING)
		return error_set(err, FAULT_USAGE, "%s takes neither addresses nor -t", name);
	if (inv->request.read_recipients || inv->request.rcpt_n)
		return error_set(err, FAULT_USAGE, "%s does not go with %s", name,
				 inv->request.read_recipients ? "-t" : "--rcpt");
	return 0;
}

/* Words and options that make no sense together. */
static int check_together(const struct invocation *inv, struct error *err)
{
	if (check_recipients(inv, err) < 0)
		return -1;
	if (inv->all && inv->command != COMMAND_PRINT_CONFIG && inv->command != COMMAND_PRETEND)
		return error_set(err, FAULT_USAGE, "--all goes with --print-config");
	if (inv->import_type && inv->command != COMMAND_IMPORT)
		return error_set(err, FAULT_USAGE, "--import-type goes with --import");
	if (inv->request.exclude_words && (!inv->request.read_recipients || inv->request.rcpt_n))
		return error_set(err, FAULT_USAGE, "--exclude-args takes addresses out of "
				 "those of -t: it needs -t, and no --rcpt");
	return check_configure(inv, err);
}

static const char error_format[] = "error_format";

static void set_error_format(struct invocation *inv, const char *value)
{
	(void)names_find(setting_find(SCOPE_ACCOUNT, error_format)->names, value,
			 &inv->error_format);
}

/* How failures are told counts at once, also for those of the command line itself. */
static void take_error_format(struct invocation *inv)
{
	for (size_t i = 0; i < inv->request.config.override_n; i++) {
		if (strcmp(inv->override[i].key, error_format) == 0)
			set_error_format(inv, inv->override[i].value);
	}
}

/* ... and where a word in front of it could not be read. */
static void find_error_format(struct invocation *inv, int argc, char **argv)
{
	static const char option[] = "--error-format";
	const size_t n = sizeof(option) - 1;

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *rest = argv[i] + n;

		if (strncmp(argv[i], option, n) != 0)
			continue;
		if (*rest == '=')
			set_error_format(inv, rest + 1);
		else if (!*rest && argv[i + 1])
			set_error_format(inv, argv[i + 1]);
	}
}

/* What everybody tries first; with more they are sendmail's, and take an argument. */
static bool take_alone(struct invocation *inv, int argc, char **argv)
{
	if (argc != 2 || (strcmp(argv[1], "-h") != 0 && strcmp(argv[1], "-V") != 0))
		return false;
	inv->command = argv[1][1] == 'h' ? COMMAND_HELP : COMMAND_VERSION;
	return true;
}

static int parse_all(struct invocation *inv, struct arena *a, int argc, char **argv,
		     struct error *err)
{
	struct position p = { .argc = argc, .argv = argv };

	*inv = (struct invocation){ .arena = a, .events_fd = -1 };
	inv->request.word = arena_calloc(a, (size_t)argc + 1, sizeof(*inv->request.word));
	inv->option_word = arena_calloc(a, (size_t)argc + 1, sizeof(*inv->option_word));
	take_name(inv, argc > 0 ? argv[0] : NULL);
	if (take_alone(inv, argc, argv))
		return 0;
	if (parse_words(inv, &p, err) < 0 || settle_command(inv, err) < 0)
		return -1;
	inv->request.config.override = inv->override;
	if (options_choose_probes(inv, err) < 0)
		return -1;
	if (options_choose_entries(inv, err) < 0 || check_together(inv, err) < 0)
		return -1;
	return options_check_compose(inv, err);
}

int options_parse(struct invocation *inv, struct arena *a, int argc, char **argv,
		  struct error *err)
{
	int rc = parse_all(inv, a, argc, argv, err);

	take_error_format(inv);
	if (rc < 0)
		find_error_format(inv, argc, argv);
	return rc;
}
