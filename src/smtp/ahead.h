/*
 * What the session sends before it knows the answer to what came before.
 *
 * EHLO before the greeting, where the server has said on an earlier
 * connection that it may be done (PIPECONNECT of Exim): the
 * session goes on with what the server announced then. The replies due are
 * kept in session->ahead; whoever reads next (a command of the session, or
 * the group of the transaction) has them judged here. Nothing that was
 * assumed is believed: another EHLO reply than the one remembered voids what
 * followed it.
 */
#ifndef SMTP_AHEAD_H
#define SMTP_AHEAD_H

#include <stdbool.h>

#include "smtp/reply.h"
#include "util/attr.h"

struct error;
struct session;
struct strvec;

/*
 * What the server announced on an earlier connection, by phase of the
 * session: kept by the caller. All lines of the EHLO reply but the first.
 */
enum ahead_phase { AHEAD_CLEAR, AHEAD_TLS };
struct ahead_memory {
	/* Fills lines, an empty list; false when nothing is known. */
	bool (*recall)(void *ctx, enum ahead_phase, struct strvec *lines);
	void (*remember)(void *ctx, enum ahead_phase, const struct strvec *lines);
	void (*forget)(void *ctx);
	void *ctx;
};

/*
 * Puts EHLO into the wire and takes what is remembered for its answer. False
 * when nothing is, or it may not be done: nothing was sent then. greeting:
 * the server has not said its own yet.
 */
bool ahead_hello(struct session *s, bool greeting);

/* A reply of that stage will come before all others. */
void ahead_expect(struct session *s, enum stage stage);

enum ahead_verdict {
	AHEAD_FINE,
	AHEAD_CHANGED,	/* the server announces something else: that is in the session now */
	AHEAD_FAILED	/* err says why; see session->again */
};

/* Judges a reply to something that was sent ahead. */
enum ahead_verdict ahead_take(struct session *s, enum stage stage, const struct reply *r,
			      struct error *err);

/* Reads and judges all that is due. A changed announcement is no failure. */
ATTR_CHECK int ahead_settle(struct session *s, struct error *err);

/* The connection was lost instead of a reply of that stage. */
void ahead_lost(struct session *s, enum stage stage);

/* Hands the last EHLO reply to the memory, if the server wants clients to go ahead. */
void ahead_remember(struct session *s);

#endif
