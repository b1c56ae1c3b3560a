/*
 * A submission whose sender and recipients are asked about before its content
 * is there: whoever stands behind it hears at MAIL and RCPT what the next
 * server says to them. The session is kept for the transactions behind it.
 *
 * Order: relay_begin(), relay_ask() as often as the envelope has got
 * recipients, then relay_deliver() or relay_abandon(). What was promised at
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
#include <stddef.h>

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

/* Both are borrowed until relay_abandon() or relay_deliver(); result has no recipients yet. */
void relay_begin(struct relay *r, const struct envelope *e, struct result *result);

/*
 * Asks about the sender, unless that was done, and about those recipients at
 * the end of the envelope who are new, in one group where the server has
 * PIPELINING; result gets places for them. On failure nothing is under way:
 * the server's refusal of the sender, or why there is none to ask. Who was
 * taken: relay_takes(); what was said to him: rcpt_reply in result, and to
 * the sender mail_reply; else his error there, and nothing is sent to him.
 */
ATTR_CHECK int relay_ask(struct relay *r, struct error *err);

/* Was recipient i, who was asked about, taken? */
bool relay_takes(const struct relay *r, size_t i);

/* Ends it without content. */
void relay_abandon(struct relay *r);

/*
 * Where nobody was asked about before, envelope and content go as one: what
 * was said to MAIL and RCPT is in result then, as far as it is known.
 *
 * Sends m to those that were promised, and to those behind them who were not
 * asked for; fills in the outcome of each recipient. The envelope is that of
 * relay_begin(), as the message has settled it since.
 */
void relay_deliver(struct relay *r, const struct message *m, const struct edits *edits);

#endif
