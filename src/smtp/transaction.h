/*
 * One transaction: MAIL, RCPT, DATA or BDAT, and the outcome per recipient.
 */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct edits;
struct envelope;
struct error;
struct message;
struct result;
struct session;

struct transaction_options {
	bool last;		/* no other message will follow: QUIT may go with the data */
	bool strict_recipients;	/* one refusal ends it before the data */
};

/*
 * Sends m to those recipients of e whose outcome in result is still NONE, in
 * as few flights as the server allows, and fills in their outcomes. Those
 * that the server did not want in this transaction ("too many recipients")
 * stay NONE, and another transaction may follow. Never fails as such: every
 * end is told in result. Sets session->dead where nothing more can be said.
 */
void transaction_run(struct session *s, const struct envelope *e, const struct message *m,
		     const struct edits *edits, const struct transaction_options *opt,
		     struct result *result);

#endif
