/*
 * One run through the queue: what is due is sent, and what has come to its
 * end is taken out.
 *
 * Any number of runs may go on at once, beside any number of submissions: an
 * entry is claimed before it is looked at (queue/queue.h). Each is sent by
 * submit_attempt() with the account as it is set today. When the way to a
 * server has failed, or a setting is wrong, all other entries of that account
 * wait for the next run: the first one was the probe, and no message is to
 * blame. Such a failure is never the end of a message; that is a refusal for
 * good, or expiry. That the account is paused, and why, is kept beside the
 * entries (queue/pause.h).
 *
 * More than a handful of entries is sent by several processes (queue/pool.h),
 * whose observer functions are called in them.
 *
 * The sender is told by tell_sender() (queue/tell.h); an entry whose sender
 * nobody can tell is not deleted but put into the folder "failed".
 */
#ifndef QUEUE_RUN_H
#define QUEUE_RUN_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/attr.h"

struct account;
struct arrival;
struct attempt_options;
struct deadline;
struct entry;
struct envelope;
struct error;
struct message;
struct queue;
struct result;
struct strbuf;

/*
 * Entries that others put into the queue while the run goes on: it does not
 * end before for a while none has come, nor any is under way, or until the
 * deadline has passed.
 */
struct run_arrivals {
	const struct arrival *from;
	bool alone;			/* nothing but these are tried */
	const struct deadline *until;
};

/* Which entries; texts are found anywhere in what they are about, NULL = all. */
struct run_request {
	const struct run_arrivals *arrivals;	/* NULL = none are waited for */
	bool force;		/* those too that are not due; not those that may have arrived */
	const char *id, *sender, *rcpt;
};

/* One try, and what has come of it. */
struct run_attempt {
	const struct entry *entry;	/* as it is now */
	const struct account *account;	/* NULL = there is none any more */
	const struct envelope *envelope;	/* of those who were tried */
	const struct message *message;
	const struct result *result;	/* with their outcomes: REFUSED, too, when time is over */
	long milliseconds;
	bool paused;	/* the account is paused from now on: to be told once (queue/pause.h) */
};

/* Who wants to hear of it; each function may be NULL. */
struct run_observer {
	void (*attempt)(void *ctx, const struct run_attempt *);
	/* An entry, or the queue, is not as it should be. */
	void (*problem)(void *ctx, const struct error *);
	/* May fill in who watches the session; "before" is the run's own. */
	void (*options)(void *ctx, const struct account *, struct attempt_options *);
	/* Puts mail for a name of this host where its user reads it: queue/tell.h. */
	int (*local)(uid_t uid, const struct message *, struct strbuf *where, struct error *);
	void *ctx;
};

/*
 * Runs the queue once; a signal (util/interrupt.h) ends it early. EX_IOERR
 * when the queue cannot be read; what is wrong with an entry or the way to a
 * server is no failure of the run.
 */
ATTR_CHECK int queue_run(struct queue *q, const struct run_request *req,
			 const struct run_observer *watch, struct error *err);

#endif
