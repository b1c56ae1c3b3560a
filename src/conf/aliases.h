/*
 * Aliases in the form of aliases(5): "name: addr, addr", continuation lines,
 * comments, "default:" or "*:" for local names without an entry, "\name" for
 * the name itself, ":include:/path" for the addresses of a file. No commands
 * and no files to write to: they are refused with file and line, but only
 * when a name leads there, so that a system's file with such entries serves
 * for all others.
 *
 * An included file holds targets as an entry does, with commas or line ends
 * between them, and comments. Its path is absolute; it belongs to root or to
 * the caller, and nobody else may write it.
 */
#ifndef CONF_ALIASES_H
#define CONF_ALIASES_H

#include <stdbool.h>

#include "util/attr.h"

struct aliases;
struct arena;
struct error;
struct strvec;

/* Is an address with that domain a local name, too? */
typedef bool aliases_local_fn(void *ctx, const char *domain);

/* Reads the file. EX_CONFIG with file and line. A missing file is an error too. */
ATTR_CHECK int aliases_load(const char *path, struct aliases **out, struct error *err);
void aliases_free(struct aliases *a);

/*
 * Appends to out what the local name (no domain) stands for, recursively up
 * to ten levels, each address once; nothing when there is no entry for it.
 * The name itself may be among it. is_local tells which domains are not to
 * be looked at; NULL = none. EX_CONFIG for a loop and for targets that are
 * no addresses.
 */
ATTR_CHECK int aliases_expand(const struct aliases *a, const char *name,
			      aliases_local_fn *is_local, void *ctx, struct strvec *out,
			      struct error *err);

#endif
