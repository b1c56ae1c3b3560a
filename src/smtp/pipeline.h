/*
 * Commands sent ahead of their replies (RFC 2920).
 *
 * A queue of expected replies: each reply is counted off in order against
 * the commands sent, never matched by its code or text, and handed to one
 * function. Without PIPELINING each command waits for its reply. A group has
 * no upper bound: the wire reads while it writes, and when many octets of
 * replies have come they are taken, which waits for nobody.
 */
#ifndef SMTP_PIPELINE_H
#define SMTP_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/reply.h"
#include "util/attr.h"
#include "util/error.h"

struct session;

struct pipeline_expected {
	enum stage stage;
	size_t index;
};

typedef void pipeline_fn(void *ctx, const struct pipeline_expected *what, const struct reply *r);

struct pipeline {
	struct session *session;
	pipeline_fn *fn;
	void *ctx;
	struct pipeline_expected *queue;
	size_t head, count, alloc;	/* queue[head..count) is unanswered */
	bool behind;			/* other replies come before its own: it reads none yet */
	bool broken;			/* no more replies will come: see error */
	bool lost;			/* ... and the connection with it, not by a 421 */
	struct error error;
};

/* Replies go to fn. */
void pipeline_init(struct pipeline *p, struct session *s, pipeline_fn *fn, void *ctx);
void pipeline_release(struct pipeline *p);

/*
 * Sends the command in the session's line buffer; extra as in command_check(),
 * UTF-8 where the server has SMTPUTF8. -1 only when the command is not fit to be
 * sent; trouble with the connection shows in broken, and then nothing is sent
 * any more.
 */
ATTR_CHECK int pipeline_add(struct pipeline *p, enum stage stage, size_t index, size_t extra,
			    struct error *err);

/*
 * The two halves of it for a command with content behind it: the line goes
 * out (the transcript has shown instead, if it is not NULL), and when all
 * octets have, its reply is expected.
 */
ATTR_CHECK int pipeline_say(struct pipeline *p, enum stage stage, size_t extra, const char *shown,
			    struct error *err);
void pipeline_expect(struct pipeline *p, enum stage stage, size_t index);

/* Replies that are still due. */
size_t pipeline_outstanding(const struct pipeline *p);

/* Reads the next reply that is due; those that have begun to come. */
void pipeline_take(struct pipeline *p);
void pipeline_take_ready(struct pipeline *p);

/* Sends what is left and reads all replies that are due, or until broken. */
void pipeline_finish(struct pipeline *p);

/* Ends it from outside: the connection cannot be used any more. */
void pipeline_break(struct pipeline *p, const struct error *err);

#endif
