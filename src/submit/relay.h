/*
 * A submission whose sender and recipients are asked about before its content
 * is there: whoever stands behind it hears at MAIL and RCPT what the next
 * server says to them. The session is kept for the transactions behind it.
 *
 * Order: relay_mail(), relay_rcpt() for each recipient at the end of the
 * envelope, then relay_deliver() or relay_abandon(). What was promised at
 * RCPT is kept as well as can be: when session or transaction come to nothing
 * before the content has gone out, those who were promised are sent to in an
 * attempt of their own (submit_attempt()).
 *
 * Where each domain has servers of its own (net.mx) nobody is asked before
 * relay_deliver().
 */
#ifndef SUBMIT_RELAY_H
#define SUBMIT_RELAY_H

#include <stdbool.h>

#include "util/attr.h"

struct account;
struct edits;
struct envelope;
struct error;
struct message;
struct relay;
struct result;

/* Nothing is opened yet; account is borrowed. */
struct relay *relay_new(const struct account *account);

/* Ends transaction and session; accepts NULL. */
void relay_free(struct relay *r);

/*
 * Milliseconds until the session that is open has been idle for as long as it
 * may (connection_idle); then, and with leaving, it is closed. -1: none is open.
 */
int relay_idle(struct relay *r, bool leaving);

/*
 * Asks about e's sender; e and result, which have no recipients yet, are
 * borrowed until relay_abandon() or relay_deliver(). On failure nothing is
 * under way: the server's refusal, or why there is none to ask.
 */
ATTR_CHECK int relay_mail(struct relay *r, const struct envelope *e, struct result *result,
			  struct error *err);

/*
 * Asks about the recipient that is the last of the envelope, and new there;
 * result gets its place for him. -1 and err: he was not taken, and nothing
 * will be sent to him.
 */
ATTR_CHECK int relay_rcpt(struct relay *r, struct error *err);

/*
 * The reply that accepted what was asked last, "250 2.1.5 ok", in the arena
 * of result; NULL when no server has given one.
 */
const char *relay_words(const struct relay *r);

/* Ends it without content. */
void relay_abandon(struct relay *r);

/*
 * Sends m to those that were promised, and to those behind them who were not
 * asked for; fills in the outcome of each recipient. The envelope is that of
 * relay_mail(), as the message has settled it since.
 */
void relay_deliver(struct relay *r, const struct message *m, const struct edits *edits);

#endif
