/*
 * What is done beside the thing itself, and must not hold it up: on a disk
 * that hangs a write never ends, and nobody can break it off. So a process of
 * its own does it, which is left alone when its time is over.
 */
#ifndef UTIL_ASIDE_H
#define UTIL_ASIDE_H

#include "util/attr.h"

struct error;

/*
 * Does fn in a child; what it changes in memory is lost, but for its error.
 * Its standard streams are /dev/null. EX_CANTCREAT when it has not come to an
 * end within so many seconds ("what: ..."). Signals that end an attempt do not
 * cut it short. Where no process can be had it is done here, without limit.
 */
ATTR_CHECK int aside_run(const char *what, unsigned seconds, int (*fn)(void *ctx, struct error *),
			 void *ctx, struct error *err);

#endif
