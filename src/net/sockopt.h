/*
 * Options of a socket before it connects, and where it connects from.
 */
#ifndef NET_SOCKOPT_H
#define NET_SOCKOPT_H

#include "net/socket.h"
#include "util/attr.h"

struct error;

/*
 * Sets the options (NULL = the defaults) and binds to the source that they
 * name for this family of addresses. -1 and errno, and *stage_out names what
 * failed ("cannot use the source address: "). Options that only help are
 * tried and no more.
 */
ATTR_CHECK int sockopt_prepare(int fd, int family, const struct socket_options *o,
			       const char **stage_out);

/* Are all items of the source, "ADDRESS[, ADDRESS]", addresses? EX_CONFIG otherwise. */
ATTR_CHECK int sockopt_check_source(const char *source, struct error *err);

#endif
