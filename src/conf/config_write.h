/*
 * Text of an rc file: headings and settings written so that the readers
 * (ini.c, classic.c) give back exactly what was put in.
 *
 * Used by --configure and --import. Both forms can be written, because what
 * is added to a file must be of the form that the file has already. Values
 * are those that setting_set() takes: no quotes of a file around them, and
 * "${" means these two octets. A value that the file could not hold, or that
 * its key would refuse, is an error (EX_CONFIG) that names the key and never
 * holds a secret.
 */
#ifndef CONF_CONFIG_WRITE_H
#define CONF_CONFIG_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/attr.h"

struct config_append;
struct error;
struct secret;
struct strbuf;

/*
 * Appends the heading of account name, or of the defaults when name is NULL;
 * classic: in msmtp's form. An empty line goes in front unless out is empty.
 * Refused: names that are empty or hold ':', ',', '[', ']', a control
 * character, or a blank at an end.
 */
ATTR_CHECK int config_write_heading(struct strbuf *out, bool classic, const char *name,
				    struct error *err);

/*
 * Appends one line, "key = value" or "key value". key is one of the settings
 * of an account. Refused: an unknown key, a value that the key does not
 * take, a line end or a value over 64 KiB; in msmtp's form also a value of
 * nothing for a key that may stand without one.
 */
ATTR_CHECK int config_write_setting(struct strbuf *out, bool classic, const char *key,
				    const char *value, struct error *err);

/* Appends text as a comment, each of its lines behind "# "; control characters are escaped. */
void config_write_comment(struct strbuf *out, const char *text);

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

/* Has msmtp a key of that name? Others end it: it reads no file that holds one. */
bool config_msmtp_has(const char *key);

#endif
