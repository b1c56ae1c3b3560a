/*
 * A program of the administrator's is handed a message: as a delivery
 * (command:) or to judge it (on_message).
 *
 * It is run without a shell, with descriptors 0 to 3 and an environment of
 * its own, under a time limit, and killed with its group when that is over.
 * msubmitrc(5) documents what it gets and what its answer means. A program
 * that fails, is killed or cannot be run never means yes: the client tries
 * again.
 */
#ifndef DELIVER_PROGRAM_H
#define DELIVER_PROGRAM_H

#include <stdbool.h>

#include "util/attr.h"

struct delivery_client;
struct envelope;
struct error;
struct kept;

struct program {
	const char *key;		/* what has named it, for texts: "on_message" */
	const char *const *argv;
	unsigned seconds;
};

/* What it is told; all of it is borrowed. */
struct program_event {
	const char *id;			/* of the message */
	const struct delivery_client *client;
	const struct envelope *envelope;
	const struct kept *message;	/* finished */
};

/*
 * Hands it over. 0: it says yes. 1: it wants the message thrown away. -1: its
 * own reply, with its words (error_words()), or what is wrong with it.
 */
ATTR_CHECK int program_run(const struct program *p, const struct program_event *e,
			   struct error *err);

#endif
