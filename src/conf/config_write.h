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

#include "util/attr.h"

struct error;
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

#endif
