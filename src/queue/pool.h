/*
 * The processes that send what is due: the parent hands out ids.
 *
 * A worker is a process of its own, forked when there is work for it, and does
 * what a run of one process does (queue/run_private.h); an id that its owner
 * did not come to is an entry that is still there. Entries of an account are
 * tried in at most max_connections workers at once. The first one goes alone:
 * the others go when the way to the server was found good, and not at all in
 * this run when it was not. A worker stays with an account while that has
 * entries, so that its connection is used again.
 *
 * What is known of the queue at any time is a bounded number of ids. The
 * parent holds no entry, and talks to no server unless it cannot have a
 * worker. A signal is passed on; when the parent dies the workers end what
 * they have in hand.
 */
#ifndef QUEUE_POOL_H
#define QUEUE_POOL_H

#include <stdbool.h>

struct deadline;
struct pool;
struct queue;
struct queue_item;
struct run_observer;
struct run_request;

/* All is borrowed. Never NULL. */
struct pool *pool_new(struct queue *q, const struct run_request *req,
		      const struct run_observer *watch);

/*
 * One entry to be tried; waits when too many are waiting already. One with the
 * mark of an account that is known to wait is not looked at. Two accounts have
 * the same mark once in a million: then one waits as long as the other.
 */
void pool_add(struct pool *p, const struct queue_item *item);

/*
 * Goes on with what was added until fd can be read: true. False when the
 * deadline has passed, a signal has come, or for so long nothing was under way.
 */
bool pool_wait(struct pool *p, int fd, int quiet_ms, const struct deadline *until);

/* Waits until all that was added has been tried, and frees it. */
void pool_finish(struct pool *p);

#endif
