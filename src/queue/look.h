/*
 * The state of a queue as a whole, for who watches over it.
 *
 * Most of it is told by names and times of files: an entry is opened only when
 * it is due further ahead than any back-off (it is held, or waits for its
 * time), and some of the oldest, to see since when they really wait. What is
 * being sent now is known by the locks that the system lists (/proc/locks);
 * where it lists none, it counts as deferred.
 */
#ifndef QUEUE_LOOK_H
#define QUEUE_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "queue/entry.h"
#include "queue/pause.h"
#include "util/attr.h"

struct arena;
struct error;
struct queue;

/* Entries of each kind; the first four wait. */
enum look_kind {
	LOOK_ACTIVE,		/* being sent now */
	LOOK_DEFERRED,		/* waiting to be sent */
	LOOK_HELD,
	LOOK_SCHEDULED,		/* waiting for their time: --at, undo_window */
	LOOK_FAILED,		/* given up, and nobody could be told */
	LOOK_CORRUPT,		/* damaged */
	LOOK_SENT,		/* kept by keep_queue */
	LOOK_KINDS
};

struct look {
	uint64_t count[LOOK_KINDS];
	uint64_t octets;		/* of those that wait */
	char oldest[ENTRY_ID_LEN + 1];	/* the deferred one that waits longest; "" = none */
	int64_t oldest_ms;		/* ... since then; 0 = none */
	int64_t success_ms;		/* a server last took a message; 0 = not known */
	struct pause *paused;		/* accounts that are paused, while something waits */
	size_t paused_n;
};

/*
 * *out lives in arena a. Errors of queue_each() and pause_each(). A queue that
 * does not exist is empty.
 */
ATTR_CHECK int queue_look(struct queue *q, int64_t now, struct arena *a, struct look *out,
			  struct error *err);

#endif
