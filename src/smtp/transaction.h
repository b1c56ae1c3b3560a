/*
 * One transaction: MAIL, RCPT, DATA or BDAT, and the outcome per recipient.
 *
 * transaction_run() is all of it. Its halves may be run apart as well, by who
 * has the recipients before the content, or the next envelope before the
 * reply to the content in front of it:
 *
 *	t = transaction_new(...);	m NULL where the content comes later
 *	transaction_ask(t, false);	MAIL, RCPT for all of the envelope
 *	transaction_replies(t);
 *	... more recipients in the envelope (and in result): the two once more
 *	transaction_set_message(t, ...);
 *	transaction_deliver(t);		the content and its reply
 *	transaction_free(t);
 *
 * or transaction_abandon(t) in the place of the content. What one of them
 * has found out counts for those behind it: when the session is dead, or MAIL
 * was refused, they do nothing but tell so.
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
struct transaction;

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
	/*
	 * A small message goes by BDAT as well, where the server has it: it needs
	 * no reply before it. AHEAD: in one flight with its envelope, one wait for
	 * all; for those who need not know who is refused, in a session that is in
	 * use, so that what is lost in between has hardly been taken.
	 */
	enum { CHUNKS_LARGE, CHUNKS_SMALL, CHUNKS_AHEAD } chunks;
	bool keep_words;	/* the replies that accept MAIL and RCPT are kept in result */
	bool repeat;		/* of one in which nothing was taken: there is no further one */
	struct checkpoint *checkpoint;	/* NULL = none wanted */
	/*
	 * The end of the content is put into the wire and has not gone out, and no
	 * further transaction of this message is to follow: what is put now goes
	 * out with it. True: something was, and whoever has put it reads the
	 * replies that come behind that to the content. NULL = nothing follows.
	 */
	bool (*behind)(void *ctx);
	void *behind_ctx;
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

/* --- its halves ------------------------------------------------------------------- */

/*
 * All is borrowed until transaction_free(), opt, result and why too. m NULL
 * (and edits with it): there is none yet; DATA then waits for
 * transaction_deliver(). e and result may get further recipients at their ends
 * (both the same) while no function is under way.
 */
struct transaction *transaction_new(struct session *s, const struct envelope *e,
				    const struct message *m, const struct edits *edits,
				    const struct transaction_options *opt, struct result *result,
				    struct error *why);
void transaction_free(struct transaction *t);	/* accepts NULL */

/* The message of one that was begun without; size and body of e were promised at MAIL. */
void transaction_set_message(struct transaction *t, const struct message *m,
			     const struct edits *edits);

/*
 * Puts MAIL, where that is not done, RCPT for those of e that were not asked
 * for, and DATA where it may go in the same group. With PIPELINING nothing is
 * read nor flushed. behind: the replies to what was put before are still to be
 * read by others (only with PIPELINING; they must be before the next call).
 * False: nobody can be asked for, or the session is dead.
 */
bool transaction_ask(struct transaction *t, bool behind);

/*
 * Reads the replies to it, and without a message asks once more where
 * something may be left out. True: MAIL stands, and more recipients may follow.
 * Who was refused has his outcome; see transaction_stands() for the others,
 * who stay NONE (those that the server wants in another transaction, too).
 */
bool transaction_replies(struct transaction *t);

/* Has RCPT been accepted for that recipient of e, and is the content still to come? */
bool transaction_stands(const struct transaction *t, size_t i);

/*
 * Do the replies read so far show that they are those to this transaction's
 * commands, and none too many came before? 354 at the place of DATA does;
 * without DATA, MAIL and a recipient that were accepted. False: not known.
 */
bool transaction_in_step(const struct transaction *t);

/* Is DATA in the group? Then no 2xx can be the last reply to it. */
bool transaction_asked_data(const struct transaction *t);

/* Why the connection was given up before the content; NULL = it was not. */
const struct error *transaction_lost(const struct transaction *t);

/* The content, its reply, and what transaction_run() does behind them; returns what that does. */
enum transaction_next transaction_deliver(struct transaction *t);

/*
 * After transaction_deliver(), in a session that goes on: those to whom the
 * content was refused or deferred are open again; true if there are any.
 */
bool transaction_reopen(struct transaction *t);

/* Ends it without content: RSET, if anything is under way; nobody gets an outcome by it. */
void transaction_abandon(struct transaction *t);

#endif
