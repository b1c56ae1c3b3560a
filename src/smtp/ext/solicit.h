/*
 * NO-SOLICITING (RFC 3865): what kind of solicitation a message is.
 *
 * MAIL carries the keywords of the message's Solicitation field. What the
 * server says it does not want is not sent to it (EX_NOPERM 5.7.1).
 */
#ifndef SMTP_EXT_SOLICIT_H
#define SMTP_EXT_SOLICIT_H

#include <stdbool.h>

#include "util/attr.h"

struct envelope;
struct error;
struct session;
struct strbuf;

/* Rows of the table of extensions. */
bool solicit_wanted(const struct session *s, const struct envelope *e);
ATTR_CHECK int solicit_check(const struct session *s, const struct envelope *e,
			     struct error *err);
void solicit_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);

#endif
