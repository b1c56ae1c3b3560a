/*
 * SUBMITTER (RFC 4405): the address that is responsible for the message.
 */
#ifndef SMTP_EXT_SUBMITTER_H
#define SMTP_EXT_SUBMITTER_H

#include <stdbool.h>

struct envelope;
struct session;
struct strbuf;

/* Rows of the table of extensions. */
bool submitter_wanted(const struct session *s, const struct envelope *e);
void submitter_mail_params(const struct session *s, const struct envelope *e,
			   struct strbuf *out);

#endif
