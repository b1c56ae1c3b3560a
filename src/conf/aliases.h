/*
 * Aliases in the form of aliases(5): "name: addr, addr", continuation lines,
 * comments, "default:" or "*:" for local names without an entry, "\name" for
 * the name itself, ":include:/path" for the addresses of a file, "/dev/null"
 * (Exim's ":blackhole:") for nobody. No commands and no files to write to:
 * they are refused with file and line, but only when a name leads there, so
 * that a system's file with such entries serves for all others.
 *
 * A line that is no entry, or whose name has one, is passed over with the
 * lines that go on with it: of two entries the first counts.
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

/* Reads the file. EX_CONFIG when it cannot be read; a missing file is an error too. */
ATTR_CHECK int aliases_load(const char *path, struct aliases **out, struct error *err);
void aliases_free(struct aliases *a);

/* The lines that were passed over, each with file and line and why; a hundred at most. a's own. */
const struct strvec *aliases_warnings(const struct aliases *a);

/*
 * Appends to out what the local name (no domain) stands for, recursively up
 * to ten levels, each address once; nothing when there is no entry for it.
 * The name itself may be among it. is_local tells which domains are not to
 * be looked at; NULL = none. *discarded_out: a target is thrown away, and
 * that is all that there is to it. EX_NOUSER (5.2.4) for a loop and for targets
 * that are no addresses or cannot be read: the first of them; out has the
 * others all the same.
 */
ATTR_CHECK int aliases_expand(const struct aliases *a, const char *name,
			      aliases_local_fn *is_local, void *ctx, struct strvec *out,
			      bool *discarded_out, struct error *err);

#endif
