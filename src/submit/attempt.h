/*
 * One way to submit: command line, queue runner and listener all end here.
 */
#ifndef SUBMIT_ATTEMPT_H
#define SUBMIT_ATTEMPT_H

#include "net/wire.h"
#include "util/attr.h"

struct account;
struct edits;
struct envelope;
struct error;
struct message;
struct result;
struct session;

struct attempt_options {
	wire_trace_fn *trace;	/* NULL = no transcript */
	void *trace_ctx;
};

/*
 * Opens the stream, runs session and transactions, QUIT. Everything that
 * happens is told in result (initialised by the caller for e's recipients).
 */
void submit_attempt(const struct account *a, const struct envelope *e, const struct message *m,
		    const struct edits *edits, const struct attempt_options *opt,
		    struct result *result);

/*
 * Opens a session only (--serverinfo), hands it to show, and quits. The
 * session asks for no password.
 */
ATTR_CHECK int submit_info(const struct account *a, const struct attempt_options *opt,
			   void (*show)(void *ctx, const struct session *), void *ctx,
			   struct error *err);

#endif
