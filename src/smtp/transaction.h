/*
 * One transaction: MAIL, RCPT, DATA or BDAT, and the outcome per recipient.
 */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"
#include "util/error.h"

struct edits;
struct envelope;
struct message;
struct result;
struct session;

/*
 * A transfer that is resumed after the connection broke (CHECKPOINT, RFC
 * 1845): handed to each transaction of the same message and server.
 */
struct checkpoint {
	const char *id, *spare;	/* TRANSID with its brackets; another, for a new beginning */
	bool resume;		/* the server may have part of it */
	bool sent;		/* ... or all: its end was sent, and not answered */
	bool *standing;		/* recipients that the server accepted then */
};

/* The transfer is not resumed any more: says in why and r when the server may have all of it. */
void checkpoint_lost(const struct checkpoint *c, struct result *r, struct error *why);

struct transaction_options {
	bool strict_recipients;	/* one refusal ends it before the data */
	unsigned stop_on;	/* ... of such a recipient: bits 1 << enum rcpt_source */
	bool rehearsal;		/* MAIL and RCPT, then RSET: no content is ever sent */
	bool repeat;		/* of one in which nothing was taken: there is no further one */
	struct checkpoint *checkpoint;	/* NULL = none wanted */
};

/* What comes next for those who have no outcome yet. */
enum transaction_next {
	TRANSACTION_DONE,	/* there are none */
	TRANSACTION_AGAIN,	/* another transaction in this session may do for some */
	TRANSACTION_NEW_SESSION,	/* this one is over or has had its share */
	TRANSACTION_CONVERTED,	/* ... with the message for what the session still has */
	TRANSACTION_ANEW,	/* a new one, although nothing has come of this one */
	TRANSACTION_REPEAT,	/* the same, without what session->given_up names */
	TRANSACTION_RESUME	/* the same, by what checkpoint holds, after a while */
};

/*
 * Sends m to those recipients of e whose outcome in result is still NONE, in
 * as few groups as the server allows, and fills in their outcomes. Those
 * that the server did not want in this transaction ("too many recipients")
 * stay NONE, and so do all where something else comes next; *why says then
 * what has happened (REPEAT, RESUME; else it is not touched). Never fails as
 * such: every end is told in result. Sets session->dead where nothing more
 * can be said; else QUIT is the caller's.
 * In a rehearsal those that RCPT was accepted for count as accepted, and m
 * and edits are not used.
 */
enum transaction_next transaction_run(struct session *s, const struct envelope *e,
				      const struct message *m, const struct edits *edits,
				      const struct transaction_options *opt,
				      struct result *result, struct error *why);

#endif
