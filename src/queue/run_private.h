/*
 * What the processes of a run share: run.c sends entries, pool.c hands them out.
 */
#ifndef QUEUE_RUN_PRIVATE_H
#define QUEUE_RUN_PRIVATE_H

#include <stdbool.h>

struct queue;
struct run;
struct run_observer;
struct run_request;

/* Where the ids of entries come from. */
struct run_source {
	/*
	 * The next one, into room for ENTRY_ID_LEN + 1; false: there is none any
	 * more, or, without wait, none yet.
	 */
	bool (*next)(void *ctx, bool wait, char *id);
	void *ctx;
};

/* All is borrowed. Never NULL. */
struct run *run_new(struct queue *q, const struct run_request *req,
		    const struct run_observer *watch);
void run_free(struct run *r);

/* Tries what source gives, one after the other, over one line where that can be. */
void run_all(struct run *r, const struct run_source *source);

#endif
