/*
 * RRVS (RFC 7293): only if the mailbox has had the same owner since.
 *
 * It tells since when an address is known, so it goes out under TLS or on a
 * local socket only, unless the account says otherwise. A recipient that
 * insists on it (R) fails where it cannot be asked for: 5.3.3 without the
 * extension, 5.7.10 without TLS.
 */
#ifndef SMTP_EXT_RRVS_H
#define SMTP_EXT_RRVS_H

#include <stdbool.h>

#include "util/attr.h"

struct envelope;
struct error;
struct recipient;
struct session;
struct strbuf;

/* Rows of the table of extensions. */
bool rrvs_wanted(const struct session *s, const struct envelope *e);
void rrvs_rcpt_params(const struct session *s, const struct envelope *e,
		      const struct recipient *r, struct strbuf *out);
ATTR_CHECK int rrvs_rcpt_check(const struct session *s, const struct envelope *e,
			       const struct recipient *r, struct error *err);

#endif
