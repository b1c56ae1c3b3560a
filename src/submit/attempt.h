/*
 * One way to submit: command line, queue runner and listener all end here.
 */
#ifndef SUBMIT_ATTEMPT_H
#define SUBMIT_ATTEMPT_H

#include <stdbool.h>

#include "net/wire.h"
#include "util/attr.h"

struct account;
struct attempt;
struct edits;
struct envelope;
struct error;
struct line;
struct message;
struct observer;
struct result;
struct session;

/* One message more: what submit_attempt() will be called with next, for the same account. */
struct attempt_next {
	const struct envelope *envelope;
	const struct message *message;
	const struct edits *edits;
	struct result *result;		/* initialised */
};

/* What an attempt must know to resume a transfer that broke in the one before (CHECKPOINT). */
struct attempt_transfer {
	const char *transid;	/* with its brackets; NULL = there is nothing to resume */
	bool *standing;		/* of each recipient: the server had accepted him */
};

struct attempt_options {
	wire_trace_fn *trace;	/* NULL = no transcript */
	void *trace_ctx;
	const struct observer *observer;	/* NULL = nobody watches */
	/*
	 * Seconds up to the end of the content, 0 = no such limit: whoever can try
	 * later gives up early. Behind that the server may have taken the message,
	 * and its reply is waited for as the account says.
	 */
	unsigned direct_timeout;
	/* Called after sign-in, before MAIL; -1 and err end the attempt. NULL = nothing. */
	int (*before)(void *ctx, struct session *, struct error *);
	void *before_ctx;
	/* A server has taken this message, with these edits, for at least one. NULL = nothing. */
	void (*sent)(void *ctx, const struct message *, const struct edits *);
	void *sent_ctx;
	/* The session is kept in it for messages to come, or comes from it. NULL = QUIT. */
	struct line *line;
	/*
	 * With a line: is there one more message for account a? It is asked for when
	 * the content of this one is on its way and the server lets the envelope of
	 * the next follow. What it gives stays in place until it has been given to
	 * submit_attempt(), with the same line, or line_close() was called. "before"
	 * is called when it has. False, or NULL: there is none.
	 */
	bool (*next)(void *ctx, const struct account *a, struct attempt_next *out);
	void *next_ctx;
	/*
	 * A transfer to resume, and behind the attempt one for the next, in the
	 * result's arena. NULL = a later attempt begins anew. Not in direct delivery.
	 */
	struct attempt_transfer *transfer;
};

/*
 * Opens the stream, runs session and transactions, QUIT. Everything that
 * happens is told in result (initialised by the caller for e's recipients).
 */
void submit_attempt(const struct account *a, const struct envelope *e, const struct message *m,
		    const struct edits *edits, const struct attempt_options *opt,
		    struct result *result);

/*
 * The same for one server or domain: mx_domain is where direct delivery goes
 * to (all recipients are in it); NULL stands for the account's servers, of
 * which the next is tried when one cannot be used, up to the final dot.
 */
void submit_to(const struct account *a, const char *mx_domain, const struct envelope *e,
	       const struct message *m, const struct edits *edits,
	       const struct attempt_options *opt, struct result *result);

/*
 * What an account means when it sends by MX: nobody there knows our user, and
 * TLS is used where it is offered, unless the account asks for more.
 */
struct account attempt_direct_account(const struct account *a);

/*
 * Opens a session only (--serverinfo), hands it to show, and quits. The
 * session asks for no password.
 */
ATTR_CHECK int submit_info(const struct account *a, const struct attempt_options *opt,
			   void (*show)(void *ctx, const struct session *), void *ctx,
			   struct error *err);

/*
 * A session with the first of the account's servers that works, signed in,
 * which stays open until submit_shut(): for transactions that come step by
 * step (submit/relay.h). opt is borrowed until then.
 */
struct attempt;
ATTR_CHECK int submit_open(const struct account *a, const struct attempt_options *opt,
			   struct attempt **out, struct error *err);
struct session *submit_opened(struct attempt *t);

/* Its time begins anew: for a further transaction. */
void submit_renew(struct attempt *t);

/* "host:port" in front of a failure that does not name the server; returns -1. */
int submit_blame(const struct attempt *t, struct error *err);

/* What result tells about server and session; strings of t's arena and of result's. */
void submit_describe(const struct attempt *t, struct result *r);

/* QUIT, where that is still of use; accepts NULL. */
void submit_shut(struct attempt *t);

/*
 * Opens a session with sign-in and hands it to run, which may send commands
 * of its own, and make it dead when QUIT is not to follow. Without message.
 */
ATTR_CHECK int submit_session(const struct account *a, const struct attempt_options *opt,
			      int (*run)(void *ctx, struct session *, struct error *), void *ctx,
			      struct error *err);

/* Forgets a message whose envelope alone is out: nobody has an outcome by it (submit/line.c). */
void attempt_drop(struct attempt *t);

#endif
