/*
 * The ini form of the rc file, read by libinih through a reader of our own.
 *
 * The library of the distribution cuts lines at 200 octets, keys at 49, and
 * values at " ;", and knows no line numbers. So it is handed stand-ins: the
 * value of a setting and the name of a section stay here, whole. Lines are
 * "[section]", "key = value", comments (first octet that is not blank is
 * '#' or ';') or empty. There are no comments behind a value and no
 * continuation lines. A byte order mark, CRLF and a missing last line end
 * are taken; NUL octets, values over 64 KiB and lines that are none of the
 * above are refused.
 */
#ifndef CONF_INI_H
#define CONF_INI_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/rcfile.h"
#include "util/attr.h"

struct error;

/* Does the text look like the ini form? Its first significant line tells; nothing is ini too. */
bool ini_detect(const char *text, size_t len);

/*
 * Reads len octets of text (text[len] is NUL and the text is changed) and
 * reports to h. Stops at the first error (EX_CONFIG), with file and line,
 * that h->problem does not take.
 */
ATTR_CHECK int ini_read(char *text, size_t len, const struct rcfile_handler *h,
			struct error *err);

/*
 * Takes the double quotes off a value that is in them, and its C escapes, in
 * place. EX_CONFIG when the closing quote is missing, text follows it, or an
 * escape is unknown or stands for NUL.
 */
ATTR_CHECK int ini_unquote(char *value, struct error *err);

#endif
