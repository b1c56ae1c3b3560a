/*
 * DELIVERBY (RFC 2852): what is to happen when the message is late.
 *
 * The envelope has the moment; the server is told what is left of it. Mode R
 * (return it) is never sent to a server that cannot keep it (5.3.3), nor
 * when less time is left than the server's minimum (5.4.7). Mode N without
 * the extension becomes NOTIFY=DELAY.
 */
#ifndef SMTP_EXT_DELIVERBY_H
#define SMTP_EXT_DELIVERBY_H

#include <stdbool.h>

#include "smtp/extensions.h"
#include "util/attr.h"

struct envelope;
struct error;
struct session;
struct strbuf;

/* Rows of the table of extensions. */
bool deliverby_wanted(const struct session *s, const struct envelope *e);
enum ext_level deliverby_floor(const struct session *s, const struct envelope *e);
ATTR_CHECK int deliverby_check(const struct session *s, const struct envelope *e,
			       struct error *err);
void deliverby_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);

/* NOTIFY of a recipient (enum dsn_notify), with what stands in for mode N. */
unsigned deliverby_notify(const struct session *s, const struct envelope *e, unsigned notify);

#endif
