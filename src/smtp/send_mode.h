/*
 * SEND, SOML, SAML (RFC 821, section 3.4): transactions that begin with
 * another verb than MAIL and show the message on the recipient's terminal.
 *
 * Servers older than EHLO know them without announcing them, so they are
 * tried; where they are not known, SOML and SAML become MAIL, which is the
 * mailbox half of what they mean, and SEND fails. A message with the null
 * reverse-path is a notice and always goes by MAIL.
 */
#ifndef SMTP_SEND_MODE_H
#define SMTP_SEND_MODE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/account.h"
#include "util/attr.h"

struct envelope;
struct error;
struct reply;
struct session;
struct strbuf;

/* How this envelope begins in this session. */
enum send_mode send_mode(const struct session *s, const struct envelope *e);

/* "MAIL FROM:<", "SOML FROM:<". */
const char *send_mode_open(enum send_mode mode);

/*
 * The only parameters these commands can have, SIZE and BODY; returns the
 * octets by which they raise the limit of the line.
 */
size_t send_mode_params(const struct session *s, const struct envelope *e, struct strbuf *out);

/* Must the reply be waited for, because the server may not know the verb? */
bool send_mode_uncertain(const struct session *s, enum send_mode mode);

/* Is r the answer of a server without the verb, and is MAIL to be tried instead? */
bool send_mode_fall_back(struct session *s, const struct envelope *e, const struct reply *r);

/* Row of the table of extensions: EX_UNAVAILABLE when it is required and not announced. */
ATTR_CHECK int send_mode_check(const struct session *s, const struct envelope *e,
			       struct error *err);

#endif
