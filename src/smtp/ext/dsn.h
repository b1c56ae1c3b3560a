/*
 * DSN (RFC 3461): RET and ENVID on MAIL, NOTIFY and ORCPT on RCPT.
 *
 * Not offered: the parameters are left out, unless the account has
 * dsn_required (EX_UNAVAILABLE 5.3.3). With the null reverse-path neither
 * RET nor NOTIFY=SUCCESS is sent.
 */
#ifndef SMTP_EXT_DSN_H
#define SMTP_EXT_DSN_H

#include <stdbool.h>

#include "smtp/extensions.h"
#include "util/attr.h"

struct envelope;
struct error;
struct recipient;
struct session;
struct strbuf;

#define DSN_ENVID_MAX 100	/* octets of xtext (RFC 3461, section 4.4) */
#define DSN_ORCPT_MAX 500	/* octets of the value (section 4.2) */
#define DSN_MAIL_OCTETS (sizeof(" RET= ENVID=") - 1 + 8 + DSN_ENVID_MAX)
#define DSN_RCPT_OCTETS (sizeof(" NOTIFY= ORCPT=") - 1 + 28 + DSN_ORCPT_MAX)

/* Rows of the table of extensions. */
bool dsn_wanted(const struct session *s, const struct envelope *e);
enum ext_level dsn_floor(const struct session *s, const struct envelope *e);
ATTR_CHECK int dsn_check(const struct session *s, const struct envelope *e, struct error *err);
void dsn_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);
void dsn_rcpt_params(const struct session *s, const struct envelope *e, const struct recipient *r,
		     struct strbuf *out);

/* Appends " ORCPT=" of a recipient as it was asked for, unless it would be too long. */
void dsn_add_orcpt(const struct session *s, const struct recipient *r, struct strbuf *out);

#endif
