/*
 * msmtp's own rc syntax: a line is a command and its argument, "account" and
 * "defaults" begin sections, '#' begins a comment line. Settings before any
 * section belong to the account "default". An argument in double quotes is
 * taken without them; nothing is escaped. "eval COMMAND" stands for the
 * first line that the command prints. CRLF, a byte order mark and a missing
 * last line end are taken; NUL octets and arguments over 64 KiB are refused.
 */
#ifndef CONF_CLASSIC_H
#define CONF_CLASSIC_H

#include <stddef.h>

#include "conf/rcfile.h"
#include "util/attr.h"

struct error;

/*
 * Reads len octets of text (text[len] is NUL and the text is changed) and
 * reports to h. Stops at the first error (EX_CONFIG), with file and line.
 */
ATTR_CHECK int classic_read(char *text, size_t len, const struct rcfile_handler *h,
			    struct error *err);

/* The value without the double quotes it is in, if it is in such; in place. */
char *classic_unquote(char *value);

#endif
