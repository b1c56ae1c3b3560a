/*
 * XCLIENT and XFORWARD (Postfix, XCLIENT_README and XFORWARD_README): what a
 * client that stands between another one and the server tells about it.
 *
 * XCLIENT makes the session that of the other client: it is sent once after
 * EHLO, before or after STARTTLS, always before AUTH, and then all begins
 * anew. XFORWARD only fills the server's log: it is sent before each MAIL.
 * Attributes stand in the account as NAME=value, plain; they go out as xtext.
 */
#ifndef SMTP_EXT_XCLIENT_H
#define SMTP_EXT_XCLIENT_H

#include <stdbool.h>

#include "smtp/extensions.h"
#include "util/attr.h"

/*
 * Can the account's attributes be sent? EX_CONFIG 5.3.5 for one that has no
 * name, a name twice, an address that is none, control characters, too long.
 */
ATTR_CHECK int xclient_check_account(const struct account *a, struct error *err);

/* Row of the table of extensions. EX_UNAVAILABLE 5.3.3 when it is not offered. */
enum ehlo_next xclient_after_ehlo(struct session *s, struct error *err);

/*
 * Puts the next XFORWARD command into s->line: as many of the account's
 * attributes from *at on as fit in one, *at moves behind them. False when
 * none is left, or the server has no XFORWARD or not these attributes.
 */
bool xforward_next(struct session *s, size_t *at);

#endif
