/*
 * MT-PRIORITY (RFC 6710): how urgent the transfer is.
 *
 * Sent as it was asked for; the server may change it and says so with status
 * x.3.6. Without the extension it is left out, or goes along as a header
 * field (RFC 6758): see requests_adapt() of submit.
 */
#ifndef SMTP_EXT_PRIORITY_H
#define SMTP_EXT_PRIORITY_H

#include <stdbool.h>

struct envelope;
struct reply;
struct session;
struct strbuf;

/* Rows of the table of extensions. */
bool priority_wanted(const struct session *s, const struct envelope *e);
void priority_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);

/* Does the reply say that the server changed the priority? */
bool priority_changed(const struct session *s, const struct reply *r);

#endif
