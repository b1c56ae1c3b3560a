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

/* What an option does with its argument, by the name that rows have for it. */
#define OPTION_FUNCTIONS(x) \
	x(DO_FLAG, option_flag) x(DO_STRING, option_string) x(DO_SENDER, option_sender) \
	x(DO_CONFIG, option_config) x(DO_NOTIFY, option_notify) x(DO_RET, option_ret) \
	x(DO_ENVID, option_envid) x(DO_FAMILY, option_family) x(DO_DEBUG, option_debug) \
	x(DO_MODE, option_mode) x(DO_QUEUE_RUN, option_queue_run) \
	x(DO_COMMAND, option_command) x(DO_ERROR_MODE, option_error_mode) \
	x(DO_LETTER, option_letter) x(DO_LONG_NAME, option_long_name) x(DO_TAG, option_tag) \
	x(DO_TRAFFIC, option_traffic) x(DO_IGNORE, option_ignore) \
	x(DO_EVENTS, option_events) x(DO_RCPT, option_rcpt) x(DO_AT, option_at) \
	x(DO_REQUIRE_TLS, option_require_tls) x(DO_PARAM, option_param) \
	x(DO_BODY, option_body) x(DO_BURL, option_burl) x(DO_BURL_SIZE, option_burl_size) \
	x(DO_PROBE, option_probe) x(DO_RSET, option_rset) \
	x(DO_VERIFY_WITH, option_verify_with) x(DO_TERMINAL, option_terminal) \
	x(DO_XCLIENT, option_xclient) x(DO_QUEUE_TOOL, option_queue_tool) \
	x(DO_ADDRESS, option_address) x(DO_TEXT, option_text) x(DO_PART, option_part) \
	x(DO_CHARSET, option_charset) x(DO_HEADER, option_header) x(DO_FIELD, option_field) \
	x(DO_IMPORTANCE, option_importance) x(DO_RECEIPT, option_receipt) \
	x(DO_DISPOSITION, option_disposition) x(DO_SOLICITATION, option_solicitation)

#define OPTION_DECLARE(name, function) function,
#define OPTION_NAME(name, function) name,
extern option_fn OPTION_FUNCTIONS(OPTION_DECLARE) *const option_functions[];

enum option_do { DO_HEADING, OPTION_FUNCTIONS(OPTION_NAME) };

/* Holds its texts, for the reason of struct setting; an empty one is none. */
struct option {
	char letter;		/* 0 = none */
	char name[26];		/* long name */
	enum who who;		/* may give it */
	enum option_arg arg;
	enum option_do apply;
	unsigned data;		/* for apply */
	char arg_name[44];
	char help[88];		/* none: taken and ignored */
};

/* How a row begins: its letter, its name, and who may give it. */
#define ANYONE(letter, name) letter, name, WHO_ANYONE
#define NO_FILE(letter, name) letter, name, WHO_NO_FILE
#define OWNER(letter, name) letter, name, WHO_OWNER
#define OWNER_FIRST(letter, name) letter, name, WHO_OWNER_FIRST

/* All rows, headings of --help (DO_HEADING) among them; one that is neither ends it. */
extern const struct option options[];

/* data of option_flag and option_string: the field of struct invocation, or of its request. */
#define OPTION_FIELD(m) offsetof(struct invocation, m)
#define REQUEST_FIELD(m) OPTION_FIELD(request.m)

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
