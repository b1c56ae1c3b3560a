/* --help and --list-options: what the tables of options and settings say of themselves. */
#include "config.h"
#include "cli/options.h"

#include <string.h>

#include "cli/option_values.h"
#include "conf/settings.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"

#define HELP_COLUMN 30
#define SCREEN_COLUMNS 80
#define TOPICS_MAX 100

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
	if (o->letter && *o->name)
		strbuf_addstr(&left, ", ");
	if (*o->name)
		strbuf_addf(&left, "--%s", o->name);
	if (*arg && o->arg == OPTION_REQUIRED)
		strbuf_addf(&left, *o->name ? "=%s" : " %s", arg);
	else if (*arg)
		strbuf_addf(&left, *o->name ? "[=%s]" : "<%s>", arg);
	help_line(out, left.buf, o->help);
	strbuf_release(&left);
}

/* What it may be: as the row says, else the first word of each value. */
static void add_choice(struct strbuf *out, const struct setting *s)
{
	const char *between = "";

	const struct name_value *n = *s->arg ? NULL : setting_names(s);

	strbuf_addstr(out, s->arg);
	for (; n && !names_is_end(n); n++) {
		if (names_name(s->names, n->value) != n->name)
			continue;
		strbuf_addf(out, "%s%s", between, n->name);
		between = "|";
	}
}

/* Has it an option of its own that --help shows? */
static bool is_shown(const struct setting *s)
{
	return !(s->flags & (SETTING_NO_OPTION | SETTING_FILE_ONLY | SETTING_DEPRECATED |
			     SETTING_CLASSIC));
}

static void add_key(struct strbuf *out, const char *key)
{
	strbuf_addstr(out, "--");
	for (; *key; key++)
		strbuf_addch(out, *key == '_' ? '-' : *key);
}

static void help_setting(struct strbuf *out, const struct setting *s)
{
	struct strbuf left = STRBUF_INIT(256);

	add_key(&left, s->key);
	strbuf_addch(&left, '=');
	add_choice(&left, s);
	help_line(out, left.buf, s->help);
	strbuf_release(&left);
}

/* What is taken without effect: its letters only. */
static void help_ignored(struct strbuf *out)
{
	strbuf_addstr(out, "  ");
	for (const struct option *o = options; o->apply || *o->help; o++) {
		if (!*o->help && o->letter)
			strbuf_addf(out, "-%c ", o->letter);
	}
	strbuf_addstr(out, "are taken and ignored\n");
}

/* --- topics ------------------------------------------------------------------------- */

static bool is_wanted(const char *topic, const char *heading)
{
	return strcmp(topic, "all") == 0 || strcmp(topic, heading) == 0;
}

static void help_options(struct strbuf *out, const char *topic)
{
	bool wanted = false;

	for (const struct option *o = options; o->apply || *o->help; o++) {
		if (!o->apply)
			wanted = is_wanted(topic, o->name);
		if (wanted && !o->apply)
			strbuf_addf(out, "%s%s:\n", out->len ? "\n" : "", o->help);
		else if (wanted && *o->help)
			help_option(out, o);
	}
	if (strcmp(topic, "all") == 0)
		help_ignored(out);
}

static void help_settings(struct strbuf *out, enum setting_scope scope, const char *topic)
{
	struct setting_walk w = { 0 };
	const struct setting *s;
	bool wanted = false;

	while ((s = settings_next_line(scope, &w))) {
		const bool heading = !*s->key;

		if (heading)
			wanted = is_wanted(topic, s->arg);
		if (wanted && heading)
			strbuf_addf(out, "%s%s (keys of the configuration, too):\n",
				    out->len ? "\n" : "", s->help);
		else if (wanted && is_shown(s))
			help_setting(out, s);
	}
}

static void find_topics(struct strvec *out)
{
	static const enum setting_scope scopes[] = { SCOPE_ACCOUNT, SCOPE_LISTEN };
	const struct setting *s;

	for (const struct option *o = options; o->apply || *o->help; o++) {
		if (!o->apply && *o->help)
			strvec_add(out, o->name);
	}
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		struct setting_walk w = { 0 };

		while ((s = settings_next_line(scopes[i], &w))) {
			if (!*s->key)
				strvec_add(out, s->arg);
		}
	}
	strvec_add(out, "all");
}

/* One screen: 24 lines of 80 columns (tests/newcomer_test.py). */
static const char summary[] =
	"Usage: msubmit [OPTION]... RECIPIENT... < MESSAGE\n"
	"Exit 0: the server has accepted it for every recipient, or it is in your queue.\n"
	"  -t                  take the recipients from To, Cc and Bcc\n"
	"  -f ADDRESS          envelope sender         -F NAME   name for a missing From\n"
	"  -a ACCOUNT          use this account        -C FILE   this configuration alone\n"
	"  -i                  a line that is just a dot does not end the message\n"
	"  --host=NAME, --port=NUMBER, --user=NAME...  keys of msmtprc(5) are options\n"
	"Write a message, with its text on standard input:\n"
	"  --compose --to=ADDRESS --subject=TEXT --attach=FILE\n"
	"Set up and look:\n"
	"  --configure ADDRESS find the server of this mail address, write the account\n"
	"  --check             try all but sending, say what is wrong and what to do\n"
	"  --check-config      name every mistake of the configuration\n"
	"  --print-config      show what is set, and where\n"
	"  --dry-run           show what would be sent --explain why to whom by whom\n"
	"  --serverinfo        show what the server offers, and its certificate\n"
	"  -v                  show the dialogue with the server\n"
	"  -q                  send what waits in the queue (queue = auto)\n"
	"  -bd --deliver=maildir:FOLDER                listen, and keep what comes\n"
	"  --import FILE       the settings of msmtp, ssmtp, dma, nullmailer, Postfix...\n"
	"  --version, -V       show the version        --list-options  list all\n"
	"More, by --help=TOPIC: ";

/* The words of all topics; lines are broken at the edge of the screen. */
static void add_topics(struct strbuf *out, const struct strvec *topics)
{
	size_t column = strlen(strrchr(summary, '\n') + 1);

	for (size_t i = 0; i < topics->n; i++) {
		const size_t n = strlen(topics->v[i]) + 2;

		const bool fits = column + n < SCREEN_COLUMNS;

		strbuf_addf(out, "%s%s", fits ? i ? " " : "" : "\n  ", topics->v[i]);
		strbuf_addch(out, i + 1 < topics->n ? ',' : '\n');
		column = fits ? column + n : 2 + n;
	}
}

static int refuse_topic(const char *topic, const struct strvec *topics, struct error *err)
{
	error_set(err, FAULT_USAGE, "--help: no topic '%.100s': it is one of ", topic);
	for (size_t i = 0; i < topics->n; i++)
		error_append(err, "%s%s", i ? ", " : "", topics->v[i]);
	return -1;
}

int options_help(struct strbuf *out, const char *topic, struct error *err)
{
	struct strvec topics = STRVEC_INIT(TOPICS_MAX);
	int rc = 0;

	find_topics(&topics);
	if (!topic) {
		strbuf_addstr(out, summary);
		add_topics(out, &topics);
	} else if (strvec_has(&topics, topic)) {
		help_options(out, topic);
		help_settings(out, SCOPE_ACCOUNT, topic);
		help_settings(out, SCOPE_LISTEN, topic);
	} else {
		rc = refuse_topic(topic, &topics, err);
	}
	strvec_release(&topics);
	return rc;
}

/* The option, who may give it, its argument: in brackets when it may be left out. */
static void list_line(struct strbuf *out, const struct option *o, const char *dashes,
		      const char *name)
{
	const char *arg = *o->arg_name ? o->arg_name : "value";

	strbuf_addf(out, "%s%s\t%s\t", dashes, name, who_name(o->who));
	if (o->arg != OPTION_NONE)
		strbuf_addf(out, o->arg == OPTION_REQUIRED ? "%s" : "[%s]", arg);
	strbuf_addch(out, '\n');
}

static void list_setting(struct strbuf *out, const struct setting *s)
{
	const bool choice = s->flags & SETTING_SWITCH;

	add_key(out, s->key);
	strbuf_addf(out, "\t%s\t%s", who_name(s->who), choice ? "[" : "");
	const size_t before = out->len;

	add_choice(out, s);
	strbuf_addf(out, "%s%s\tkey\n", out->len == before ? "value" : "", choice ? "]" : "");
}

void options_list(struct strbuf *out)
{
	static const enum setting_scope scopes[] = { SCOPE_ACCOUNT, SCOPE_LISTEN };
	const struct setting *s;

	for (const struct option *o = options; o->apply || *o->help; o++) {
		if (o->apply && o->letter)
			list_line(out, o, "-", (const char[]){ o->letter, '\0' });
		if (o->apply && *o->name)
			list_line(out, o, "--", o->name);
	}
	for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
		struct setting_walk w = { 0 };

		while ((s = settings_next(scopes[i], &w))) {
			if (!(s->flags & (SETTING_NO_OPTION | SETTING_FILE_ONLY)))
				list_setting(out, s);
		}
	}
}
