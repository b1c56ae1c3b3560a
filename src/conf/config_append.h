/*
 * Text put behind what an rc file holds, all of it or nothing.
 *
 * The new content is written to a file beside the old one, which takes its
 * place when all is on the disk; what the file held is kept octet by octet,
 * with its mode and owner. Before that, the content can be read and tried.
 * Refused: symbolic links (the link would be replaced, not
 * the file), anything but a regular file, a file of somebody else, one that
 * others may write. A file that somebody made or changed meanwhile is an
 * error at the commit, never overwritten.
 */
#ifndef CONF_CONFIG_APPEND_H
#define CONF_CONFIG_APPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/attr.h"

struct config_append;
struct error;
struct secret;
struct strbuf;

/*
 * Reads the file at path (a leading ~/ is expanded), which need not exist;
 * mode is for a file that is made. EX_CONFIG when it is refused, EX_NOINPUT
 * when it cannot be read, EX_TEMPFAIL when another run has it.
 */
ATTR_CHECK int config_append_open(const char *path, mode_t mode, struct config_append **out,
				  struct error *err);

/* Gives up what is not committed; accepts NULL. */
void config_append_close(struct config_append *w);

/* The path, expanded. */
const char *config_append_path(const struct config_append *w);

/* Is there such a file? */
bool config_append_exists(const struct config_append *w);

/* Does it have msmtp's form? What is appended must have the same. */
bool config_append_is_classic(const struct config_append *w);

/* Appends the content that the file would have to out; it may hold secrets. */
void config_append_preview(const struct config_append *w, const char *text, size_t n,
			   struct strbuf *out);

/* Writes old content and text to a file beside the old one. Once only. EX_CANTCREAT. */
ATTR_CHECK int config_append_stage(struct config_append *w, const char *text, size_t n,
				   struct error *err);

/* Puts the staged file in place. EX_TEMPFAIL when the file is not what it was. */
ATTR_CHECK int config_append_commit(struct config_append *w, struct error *err);

/*
 * Writes a secret, and a line end, to a new file of its own, mode 0600, in a
 * folder as util/store.h wants it, else EX_CONFIG. EX_CANTCREAT when it cannot
 * be written or is there already.
 */
ATTR_CHECK int config_secret_write(const char *path, const struct secret *s, struct error *err);

#endif
