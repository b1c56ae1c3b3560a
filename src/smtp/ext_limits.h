/*
 * SIZE (RFC 1870) and LIMITS (RFC 9422): what the server says it will take.
 *
 * A message that is larger than the server's limit is refused before MAIL
 * (EX_UNAVAILABLE 5.3.4). Of LIMITS only RCPTMAX is heeded here; malformed
 * or zero limits are ignored.
 */
#ifndef SMTP_EXT_LIMITS_H
#define SMTP_EXT_LIMITS_H

#include "util/attr.h"

struct envelope;
struct error;
struct session;
struct strbuf;
struct strvec;

/* Rows of the table of extensions. */
ATTR_CHECK int size_parse(struct session *s, const struct strvec *args, struct error *err);
ATTR_CHECK int size_check(const struct session *s, const struct envelope *e, struct error *err);
void size_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);
ATTR_CHECK int limits_parse(struct session *s, const struct strvec *args, struct error *err);

#endif
