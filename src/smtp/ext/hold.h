/*
 * FUTURERELEASE (RFC 4865): the server is to send the message later.
 *
 * Told as an interval or as a moment, never beyond what the server says it
 * holds (5.5.4), and not at all when the moment has passed. A server without
 * it gets the message only when the account says so; to hold it ourselves
 * (level local) needs a queue.
 */
#ifndef SMTP_EXT_HOLD_H
#define SMTP_EXT_HOLD_H

#include <stdbool.h>

#include "util/attr.h"

struct envelope;
struct error;
struct session;
struct strbuf;

/* Rows of the table of extensions. */
bool hold_wanted(const struct session *s, const struct envelope *e);
ATTR_CHECK int hold_check(const struct session *s, const struct envelope *e, struct error *err);
void hold_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);

#endif
