/*
 * What the processes of a run share: run.c sends entries, pool.c hands them out.
 */
#ifndef QUEUE_RUN_PRIVATE_H
#define QUEUE_RUN_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct arena;
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
	/*
	 * An entry was tried, or was not as its account waits (paused). NULL = nobody
	 * wants to know.
	 */
	void (*done)(void *ctx, bool paused);
	void *ctx;
};

/* Is part, of struct run_request, found in the text? */
static inline bool run_fits(const char *text, const char *part)
{
	return !part || strstr(text, part);
}

/* What the pool has to know of an account. */
struct run_limits {
	unsigned connections;		/* at once */
	int64_t lifetime_ms;		/* what is younger is not given up */
};

/* All is borrowed. Never NULL. */
struct run *run_new(struct queue *q, const struct run_request *req,
		    const struct run_observer *watch);
void run_free(struct run *r);

/*
 * What tells the account of that entry, with its configuration, from others:
 * in arena a; NULL when the entry is not there or cannot be read. *out,
 * unless it is NULL: what that account may.
 */
const char *run_key(struct run *r, const char *id, struct arena *a, struct run_limits *out);

/*
 * Does the account of that key wait because of what another run has found?
 * For a look: it may, or may not, when it is to be tried. a: for scratch.
 */
bool run_is_waiting(const struct run *r, const char *key, struct arena *a);

/* How long a connection may be kept still, as line_idle_ms(); it is closed. */
int run_idle_ms(const struct run *r);
void run_close_line(struct run *r);

/* There is nothing to do for a while: what was delivered is synced. */
void run_sync(struct run *r);

/*
 * Tries what source gives, one after the other, over one line where that can
 * be. Of an account that waits, what has run out of time is given up.
 */
void run_all(struct run *r, const struct run_source *source);

#endif
