/*
 * A submission is put into the queue: instead of a try, or behind one.
 */
#ifndef QUEUE_KEEP_H
#define QUEUE_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "util/attr.h"

struct arena;
struct attempt_transfer;
struct config_request;
struct entry;
struct error;
struct queue;
struct result;
struct submission;

struct keep_request {
	const struct submission *submission;	/* prepared */
	const char *message_id;		/* as it goes out; NULL = none */
	struct result *result;		/* of the try, for its recipients */
	bool tried;			/* false: there was none */
	bool tell;			/* ... and who is not kept has to be told of by a bounce */
	int64_t begun_ms;		/* when it began */
	const struct attempt_transfer *transfer;	/* ... one that broke; NULL = none */
	bool hold;			/* it waits here till its release, no server is asked to */
};

/* Can this submission be sent later? Not when the server is to fetch parts of it (BURL). */
ATTR_PURE bool keep_possible(const struct submission *s);

/*
 * Adds what has to be sent later: everything, or, of one that was tried, what
 * schedule_keeps() says, unless a refusal ended it for all; to tell somebody
 * an entry is made as well, which the next run of the queue does. 1: it is in the
 * queue, *id_out (in the submission's arena) names it, and in the result those
 * who wait are OUTCOME_QUEUED. 0: there is nothing to be kept. -1 as
 * queue_add(): nothing is kept, and the result is as it was.
 */
ATTR_CHECK int keep_submission(struct queue *q, const struct keep_request *r, const char **id_out,
			       struct error *err);

/* It was sent at once: that is noted, and its account is not paused (queue/pause.h). */
void keep_note_success(const struct queue *q, const struct submission *s);

/* The file of -C as it is found from anywhere, in a; path itself where that cannot be known. */
const char *keep_whole_path(struct arena *a, const char *path);

/* Notes in e how its account is made: files and options, as they are found from anywhere. */
void keep_note_config(struct entry *e, const struct config_request *config);

#endif
