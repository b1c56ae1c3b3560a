/*
 * The command line: one table for the options of every sendmail and our own,
 * and the settings table for --key=value.
 *
 * Rules (sendmail.md, section 2): single letters cluster; an argument may be
 * attached or the next word; options may follow addresses, except -C; "--"
 * ends options; the last of a repeated option wins; unknown options, missing
 * arguments and a lone "-" are EX_USAGE.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/accounts.h"
#include "util/attr.h"

struct arena;
struct error;
struct strbuf;

enum command {
	COMMAND_SEND, COMMAND_QUEUE_LIST, COMMAND_QUEUE_COUNT, COMMAND_QUEUE_RUN, COMMAND_ALIASES,
	COMMAND_VERIFY, COMMAND_SERVE, COMMAND_SERVERINFO, COMMAND_PRINT_CONFIG,
	COMMAND_LIST_SETTINGS, COMMAND_LIST_OPTIONS, COMMAND_VERSION, COMMAND_HELP,
	COMMAND_NOTHING, COMMAND_COUNT
};

struct invocation {
	struct arena *arena;
	const char *name;		/* base name of argv[0] */
	enum command command;
	bool command_given;		/* by -b..., not by name: it wins */
	struct config_request config;
	struct config_override *override;
	size_t override_alloc;
	const char *account;		/* -a */
	const char **word;		/* recipients */
	size_t words;
	bool read_recipients;		/* -t */
	bool read_envelope_from;	/* msmtp's --read-envelope-from */
	bool dots_ignored;		/* -i */
	bool gateway;			/* -G */
	bool verbose;			/* -v */
	bool quiet;			/* -oeq: exit status only */
	bool foreground;		/* -bD */
	const char *sender;		/* -f; NULL = not given, "" = null path */
	const char *full_name;		/* -F; NULL = not given */
	const char *envid;		/* -V */
	unsigned dsn_notify;		/* -N, 0 = not given */
	unsigned dsn_ret;		/* -R, 0 = not given */
	const char *syslog_tag;		/* -L */
};

/* Parses argv; strings of inv point into argv or live in arena a. */
ATTR_CHECK int options_parse(struct invocation *inv, struct arena *a, int argc, char **argv,
			     struct error *err);

/* Text of --help, and one option per line for the check of the manual. */
void options_help(struct strbuf *out);
void options_list(struct strbuf *out);

#endif
