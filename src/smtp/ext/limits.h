/*
 * SIZE (RFC 1870) and LIMITS (RFC 9422): what the server says it will take.
 *
 * A message that is larger than the server's limit is refused before MAIL
 * (EX_UNAVAILABLE 5.3.4). LIMITS bounds the MAIL commands of a session, the
 * recipients of a transaction and the recipients' domains of a session;
 * malformed or zero limits are ignored.
 */
#ifndef SMTP_EXT_LIMITS_H
#define SMTP_EXT_LIMITS_H

#include <stdbool.h>

#include "util/attr.h"

struct envelope;
struct error;
struct limits_domains;
struct session;
struct strbuf;
struct strvec;

/* Rows of the table of extensions. */
ATTR_CHECK int size_parse(struct session *s, const struct strvec *args, struct error *err);
ATTR_CHECK int size_check(const struct session *s, const struct envelope *e, struct error *err);
void size_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);
ATTR_CHECK int limits_parse(struct session *s, const struct strvec *args, struct error *err);

/* Has the session had all the MAIL commands that it may have? */
bool limits_spent(const struct session *s);

/*
 * May a recipient with that address be asked for in this session? Its domain
 * is counted then.
 */
bool limits_take_domain(struct session *s, const char *address);

/* Frees what the session holds for that; accepts NULL. */
void limits_domains_free(struct limits_domains *d);

#endif
