/*
 * The command line: one table for the options of every sendmail and our own,
 * and the settings table for --key=value.
 *
 * Rules (doc/sendmail.md#options): single letters cluster; an argument may be
 * attached or the next word; options may follow addresses, except -C; "--"
 * ends options; the last of a repeated option wins; unknown options, missing
 * arguments and a lone "-" are EX_USAGE.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "submit/submission.h"
#include "util/attr.h"

struct arena;
struct error;
struct probe_request;
struct strbuf;

enum command {
	COMMAND_SEND, COMMAND_CHECK, COMMAND_CHECK_CONFIG,
	COMMAND_QUEUE_LIST, COMMAND_QUEUE_COUNT, COMMAND_QUEUE_RUN, COMMAND_ALIASES,
	COMMAND_VERIFY, COMMAND_SERVE, COMMAND_SERVERINFO, COMMAND_PRINT_CONFIG,
	COMMAND_PRETEND,
	COMMAND_LIST_SETTINGS, COMMAND_LIST_OPTIONS, COMMAND_LIST_EXTENSIONS,
	COMMAND_VERSION, COMMAND_HELP,
	COMMAND_NOTHING, COMMAND_SMTP, COMMAND_TRACK_QUERY, COMMAND_CONFIGURE,
	COMMAND_IMPORT, COMMAND_QUEUE_TOOL, COMMAND_STATUS, COMMAND_SESSION, COMMAND_COUNT
};

/* --queue-show and the like. */
enum queue_tool {
	QUEUE_TOOL_SHOW, QUEUE_TOOL_HOLD, QUEUE_TOOL_RELEASE, QUEUE_TOOL_RETRY, QUEUE_TOOL_REMOVE,
	QUEUE_TOOL_REQUEUE, QUEUE_TOOL_COUNT
};

/* -q: which entries of the queue, and how often. */
struct queue_options {
	bool nothing;			/* a kind of entries that there is none of */
	bool force;			/* -qf */
	unsigned interval;		/* -q15m: seconds; 0 = once */
	const char *id, *sender, *rcpt;	/* -qI, -qS, -qR: NULL = all */
	enum queue_tool tool;		/* COMMAND_QUEUE_TOOL */
	const char **word;		/* ... ids and patterns, of its option and of arguments */
	size_t words, word_alloc;
};

/* -od: when the message is sent; where there is no queue, always now. */
enum delivery_time {
	DELIVERY_AS_SET,
	DELIVERY_NOW,			/* -odi, -odf: tried first, whatever is set */
	DELIVERY_BACKGROUND,		/* -odb: kept, and tried at once by another process */
	DELIVERY_QUEUE			/* -odq, -odd: kept */
};

/* --configure and what goes with it. */
struct configure_options {
	const char *output;		/* --output, of --import too; NULL = as each has it */
	bool print;			/* --print: to standard output, nothing is written */
	bool no_check;			/* --no-check */
	bool no_ispdb;			/* --no-ispdb */
};

struct invocation {
	struct arena *arena;
	const char *program;		/* argv[0] */
	const char *name;		/* base name of it */
	const char **option_word;	/* argv without what names recipients */
	size_t option_words;
	enum command command;
	bool command_given;		/* by -b..., not by name: it wins */
	bool name_refused;		/* called by a name that has no command */
	bool version_wanted;		/* -d0.1: the version, if nothing is to be sent */
	struct submission_request request;	/* what is to be sent, and how */
	struct config_override *override;
	size_t override_alloc;
	bool verbose;			/* -v */
	bool quiet;			/* -oeq: exit status only */
	int error_format;		/* enum error_format */
	bool errors_mailed;		/* -oem: nobody may be reading stderr */
	enum delivery_time delivery;	/* -od */
	struct queue_options queue;	/* -q */
	bool foreground;		/* -bD */
	bool once;			/* --once: one session */
	bool json;			/* --json: the result on standard output */
	bool dry_run;			/* --dry-run: show what would be sent, and send nothing */
	bool trace_tls;			/* --trace-tls: records and handshake messages */
	bool progress;			/* --progress: a meter from the first octet on */
	int events_fd;			/* --events, -1 = none */
	bool events_text;		/* --events-text */
	const char *trace_file;		/* --trace */
	const char *subject;		/* of the command: --check=ACCOUNT, --import FILE... */
	const char *syslog_tag;		/* -L */
	struct probe_request *probe;	/* --vrfy, --etrn, --smtp-command... in their order */
	size_t probes, probe_alloc;
	bool strict_verify;		/* --strict-verify */
	bool verify_with_rcpt;		/* --verify-with=rcpt */
	const char *xclient;		/* --xclient and --xclient-..., as the key has it */
	struct configure_options configure;
	const char *import_type;	/* --import-type */
	bool all;			/* --all: of --print-config */
};

/* Parses argv; strings of inv point into argv or live in arena a. */
ATTR_CHECK int options_parse(struct invocation *inv, struct arena *a, int argc, char **argv,
			     struct error *err);

/* Text of --help, or of --help=TOPIC; EX_USAGE where there is no such topic. */
ATTR_CHECK int options_help(struct strbuf *out, const char *topic, struct error *err);

/*
 * One option per line: it, who may give it (enum who), its argument, in
 * brackets when it may be left out; and "key" when it is one of msmtprc(5).
 */
void options_list(struct strbuf *out);

#endif
