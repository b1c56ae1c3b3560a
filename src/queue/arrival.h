/*
 * The ids of entries that have come into the queue, from the processes that
 * put them there to the one that sends them: a pipe. Nobody waits for room in
 * it; what does not fit is found by a look at all of the queue.
 */
#ifndef QUEUE_ARRIVAL_H
#define QUEUE_ARRIVAL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "util/attr.h"

struct error;

/* Made before the processes are, and shared by them. */
struct arrival {
	int in, out;		/* of the pipe; neither blocks */
	atomic_bool *missed;	/* an id did not fit; in shared memory */
};

#define ARRIVAL_INIT { .in = -1, .out = -1 }

/* EX_OSERR when there is no descriptor or no memory left. */
ATTR_CHECK int arrival_open(struct arrival *a, struct error *err);
void arrival_close(struct arrival *a);

/* Tells of an entry of the queue. */
void arrival_tell(const struct arrival *a, const char *id);

/* The next one, with NUL, into room for ENTRY_ID_LEN + 1; false: there is none now. */
bool arrival_next(const struct arrival *a, char *id);

/* Was one not told since this was asked before? */
bool arrival_missed(const struct arrival *a);

#endif
