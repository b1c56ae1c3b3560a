/*
 * The table of options, part: what other programs have and what is ignored here.
 */
#include "config.h"
#include "cli/option_values.h"

static const struct option ignored_rows[] = {
	/* Taken for the sake of other programs, without any effect. */
	{ ANYONE('A', NULL), OPTION_REQUIRED, option_ignore, 0, "c|m", NULL },
	{ ANYONE('c', NULL), OPTION_NONE, option_ignore, 0, NULL, NULL },
	{ ANYONE('D', NULL), OPTION_REQUIRED, option_ignore, 0, "file", NULL },
	{ ANYONE('E', NULL), OPTION_ATTACHED, option_ignore, 0, NULL, NULL },
	{ ANYONE('h', NULL), OPTION_REQUIRED, option_ignore, 0, "count", NULL },
	{ ANYONE('J', NULL), OPTION_ATTACHED, option_ignore, 0, NULL, NULL },
	{ ANYONE('M', NULL), OPTION_REQUIRED, option_ignore, 0, "macro", NULL },
	{ ANYONE('m', NULL), OPTION_NONE, option_ignore, 0, NULL, NULL },
	{ ANYONE('n', NULL), OPTION_NONE, option_ignore, 0, NULL, NULL },
	{ ANYONE('p', NULL), OPTION_REQUIRED, option_ignore, 0, "protocol", NULL },
	{ ANYONE('s', NULL), OPTION_NONE, option_ignore, 0, NULL, NULL },
	{ ANYONE('T', NULL), OPTION_ATTACHED, option_ignore, 0, NULL, NULL },
	{ ANYONE('U', NULL), OPTION_NONE, option_ignore, 0, NULL, NULL },
	{ ANYONE('X', NULL), OPTION_REQUIRED, option_traffic, 0, "file", NULL },
	{ ANYONE('x', NULL), OPTION_NONE, option_ignore, 0, NULL, NULL },
};

const struct option_group options_ignored = {
	"Taken and ignored", ignored_rows, ARRAY_LEN(ignored_rows)
};
