/*
 * The two ways out for a log line: syslog (facility mail) and a file.
 *
 * A log that cannot be written changes nothing else: the functions return
 * -1 and the caller may mention it. The line must be printable already.
 */
#ifndef UTIL_LOG_H
#define UTIL_LOG_H

#include "util/attr.h"

/* One line to syslog with tag; facility as in syslog.h, priority LOG_INFO or LOG_ERR. */
void log_syslog(const char *tag, int facility, int priority, const char *line);

/*
 * Appends line and a newline to the file in one write, mode 0600 when made;
 * "-" is standard output, as in msmtp. -1 and errno on failure.
 */
ATTR_CHECK int log_file(const char *path, const char *line);

#endif
