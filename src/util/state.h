/*
 * The private folder in which the program remembers things between runs.
 *
 * The first of: $STATE_DIRECTORY (of the service manager, its first entry),
 * $XDG_STATE_HOME/msubmit, for root /var/lib/msubmit, ~/.local/state/msubmit.
 * Environment counts only for a process without extra rights. Folders are
 * made with mode 0700; one that is somebody else's, or that others may write
 * to, or a symbolic link, is refused.
 */
#ifndef UTIL_STATE_H
#define UTIL_STATE_H

#include "util/attr.h"

struct error;
struct strbuf;

/* Appends the path of the folder; -1 when there is no place for it. */
ATTR_CHECK int state_path(struct strbuf *out);

/*
 * Appends the path of a file that belongs to the user and not to a service:
 * name in $XDG_STATE_HOME/msubmit, else in ~/.local/state/msubmit, for root,
 * too. -1 when there is no place for it.
 */
ATTR_CHECK int state_user_path(const char *name, struct strbuf *out);

/*
 * Opens folder sub of it, made where it is missing; the descriptor, with its
 * path appended to path. EX_CANTCREAT 4.3.0.
 */
ATTR_CHECK int state_open(const char *sub, struct strbuf *path, struct error *err);

#endif
