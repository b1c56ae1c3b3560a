/*
 * The rows of the table of options, and what each does with its argument: of
 * a message that is made of options in option_compose.c.
 */
#ifndef CLI_OPTION_VALUES_H
#define CLI_OPTION_VALUES_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"
#include "conf/settings.h"
#include "util/attr.h"

enum option_arg {
	OPTION_NONE,
	OPTION_REQUIRED,	/* attached or the next word */
	OPTION_ATTACHED		/* optional, attached only */
};

struct option;
typedef int option_fn(struct invocation *, const struct option *, const char *, struct error *);

/* The head of such a function. Not all need all. */
#define OPTION_FUNCTION(name) \
	int name(struct invocation *inv ATTR_UNUSED, const struct option *o ATTR_UNUSED, \
		 const char *value ATTR_UNUSED, struct error *err ATTR_UNUSED)

struct option {
	char letter;		/* 0 = none */
	const char *name;	/* long name, NULL = none */
	enum who who;		/* may give it */
	enum option_arg arg;
	option_fn *apply;
	size_t data;		/* for apply */
	const char *arg_name;
	const char *help;	/* NULL: taken and ignored */
};

/* How a row begins: its letter, its name, and who may give it. */
#define ANYONE(letter, name) letter, name, WHO_ANYONE
#define NO_FILE(letter, name) letter, name, WHO_NO_FILE
#define OWNER(letter, name) letter, name, WHO_OWNER
#define OWNER_FIRST(letter, name) letter, name, WHO_OWNER_FIRST

/* All rows, headings of --help (no apply) among them; one that is neither ends it. */
extern const struct option options[];

/* data of option_flag and option_string: the field of struct invocation, or of its request. */
#define OPTION_FIELD(m) offsetof(struct invocation, m)
#define REQUEST_FIELD(m) OPTION_FIELD(request.m)

option_fn option_flag, option_string, option_sender, option_config, option_notify, option_ret,
	option_envid, option_family, option_debug, option_mode, option_queue_run, option_command,
	option_error_mode, option_letter, option_long_name, option_tag, option_traffic,
	option_ignore, option_events, option_rcpt, option_at, option_require_tls, option_param,
	option_body, option_burl, option_burl_size, option_probe, option_rset,
	option_verify_with, option_terminal, option_xclient, option_queue_tool;

option_fn option_address, option_text, option_part, option_charset, option_header, option_field,
	option_importance, option_receipt, option_disposition, option_solicitation;

/*
 * Refuses (EX_USAGE) an option that is not for whoever called: what names it
 * in the error.
 */
ATTR_CHECK int option_check_who(const struct invocation *inv, enum who who, const char *what,
				struct error *err);

/* Do words or options say who gets a message, be it by -t? */
bool options_name_recipients(const struct invocation *inv);

/* Makes commands of their own the command, where no message goes along. EX_USAGE. */
ATTR_CHECK int options_choose_probes(struct invocation *inv, struct error *err);

/* Do all options of a message go together, and with the others? EX_USAGE. */
ATTR_CHECK int options_check_compose(const struct invocation *inv, struct error *err);

/* Arguments of --queue-show and the like are ids and patterns, too. EX_USAGE. */
ATTR_CHECK int options_choose_entries(struct invocation *inv, struct error *err);

/* Notes a setting given on the command line. */
void option_override(struct invocation *inv, const char *key, const char *value);

#endif
