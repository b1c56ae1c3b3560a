/*
 * Inside the aliases: what reading and expanding them share. For conf/ only.
 */
#ifndef CONF_ALIASES_PARTS_H
#define CONF_ALIASES_PARTS_H

#include <stddef.h>

#include "util/strmap.h"

struct aliases;
struct arena;

struct alias {
	const char *name;
	char *targets, *end;	/* list as written, continuation lines joined */
	unsigned line;
};

struct aliases {
	struct arena *arena;
	const char *path;
	struct alias *entry;
	size_t n;
	struct strmap names;	/* their numbers */
};

/* The entry of a name (ASCII case ignored); NULL if there is none. */
const struct alias *aliases_find(const struct aliases *a, const char *name);

/* Cuts a comment ('#' at the start or behind a blank, outside quotes) and blanks off the end. */
void aliases_cut_comment(char *line);

#endif
