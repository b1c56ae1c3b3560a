#include "config.h"
#include "cli/option_values.h"

static const struct option rows[] = {
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

const struct option_group options_ignored = { "Taken and ignored", rows, ARRAY_LEN(rows) };
