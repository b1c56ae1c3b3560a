/*
 * CHECKPOINT (RFC 1845): a transfer that broke is resumed where it stopped.
 *
 * MAIL carries TRANSID. On a later connection the same MAIL is answered with
 * 355 and the octets that the server has; then no RCPT follows, and the
 * content from there on. A server that knows nothing of it says 250, and all
 * begins anew.
 */
#ifndef SMTP_EXT_CHECKPOINT_H
#define SMTP_EXT_CHECKPOINT_H

#include <stdbool.h>

struct envelope;
struct error;
struct reply;
struct session;
struct strbuf;
struct transaction;

/* Row of the table of extensions. */
void checkpoint_mail_params(const struct session *s, const struct envelope *e,
			    struct strbuf *out);

/* A transaction begins: chooses whether its MAIL has TRANSID. */
void checkpoint_begin(struct transaction *t);

/* Must the reply to MAIL be known before anything else is sent? */
bool checkpoint_resumes(const struct transaction *t);

/* Is r, the reply to MAIL, one that goes on with what the server has? It is taken then. */
bool checkpoint_take(struct transaction *t, const struct reply *r);

/*
 * The connection was lost by err. True when the transfer can be resumed: its
 * recipients then stay without outcome.
 */
bool checkpoint_keep(struct transaction *t, const struct error *err);

#endif
