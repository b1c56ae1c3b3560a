/*
 * Aliases in the form of aliases(5): "name: addr, addr", continuation lines,
 * comments, "default:" for local names without an entry, "\name" for the name
 * itself. No pipes, files or includes: they are refused with file and line,
 * but only when a name leads there, so that a system's file with such entries
 * serves for all others.
 */
#ifndef CONF_ALIASES_H
#define CONF_ALIASES_H

#include "util/attr.h"

struct aliases;
struct arena;
struct error;
struct strvec;

/* Reads the file. EX_CONFIG with file and line. A missing file is an error too. */
ATTR_CHECK int aliases_load(const char *path, struct aliases **out, struct error *err);
void aliases_free(struct aliases *a);

/*
 * Appends to out what the local name (no domain) stands for, recursively up
 * to ten levels, each address once; the name itself when there is no entry.
 * EX_CONFIG for a loop and for targets that are no addresses.
 */
ATTR_CHECK int aliases_expand(const struct aliases *a, const char *name, struct strvec *out,
			      struct error *err);

#endif
