/*
 * Lines for the system's log: datagrams of RFC 3164, as syslog(3) writes them,
 * to the socket of a log service.
 *
 * syslog(3) itself waits as long as the service does not read, which may be
 * for ever; a message that is sent must not wait for that. Here a line is lost
 * when it is not taken within a second, and so are those behind it that are
 * not taken at once. Without a service nothing happens.
 */
#ifndef UTIL_LOGSOCKET_H
#define UTIL_LOGSOCKET_H

#include "util/attr.h"

#define LOGSOCKET_PATH "/dev/log"

/* Is there a service behind that socket? -1 and errno when not. */
ATTR_CHECK int logsocket_try(const char *path);

/* One line from ident; priority with its facility, as in syslog.h. Both kinds of socket do. */
void logsocket_send(const char *path, int priority, const char *ident, const char *line);

#endif
