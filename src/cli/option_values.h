/*
 * What each option does with its argument: the functions of the rows in
 * options.c.
 */
#ifndef CLI_OPTION_VALUES_H
#define CLI_OPTION_VALUES_H

#include <stddef.h>

#include "cli/options.h"

enum option_arg {
	OPTION_NONE,
	OPTION_REQUIRED,	/* attached or the next word */
	OPTION_ATTACHED		/* optional, attached only */
};

struct option;
typedef int option_fn(struct invocation *, const struct option *, const char *, struct error *);

struct option {
	char letter;		/* 0 = none */
	const char *name;	/* long name, NULL = none */
	enum option_arg arg;
	option_fn *apply;
	size_t data;		/* for apply */
	const char *arg_name;
	const char *help;	/* NULL: taken and ignored */
};

/* data of option_flag and option_string: the field of struct invocation. */
#define OPTION_FIELD(m) offsetof(struct invocation, m)

option_fn option_flag, option_string, option_sender, option_config, option_notify, option_ret,
	option_envid, option_body, option_family, option_debug, option_mode, option_queue_run,
	option_command, option_error_mode, option_letter, option_long_name, option_tag,
	option_traffic, option_ignore;

/* Notes a setting given on the command line. */
void option_override(struct invocation *inv, const char *key, const char *value);

#endif
