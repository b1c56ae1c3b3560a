/*
 * So many messages of an account in a time (rate), of all runs of a queue.
 *
 *	FOLDER/rate/HASH	a file for each account that has a rate
 *
 * The generic cell rate algorithm: a message costs the time divided by the
 * number, and one number is kept, the moment at which all that was sent is
 * paid for: the time of modification of the file, which is locked for a moment
 * and is empty. A tenth of the messages may be owed, so that they go evenly.
 * What is lost of it, or cannot be written, lets a few messages go early.
 */
#ifndef QUEUE_PACE_H
#define QUEUE_PACE_H

#include <stdint.h>

struct queue;

/*
 * One message more of what has that key (any text) at that moment
 * (datetime_now()): 0 = now, and it counts. Else in how many milliseconds
 * there may be one again; then it does not count. messages, seconds: not 0.
 */
int64_t pace_take(const struct queue *q, const char *key, unsigned messages, unsigned seconds,
		  int64_t now);

#endif
