/*
 * REQUIRETLS (RFC 8689): TLS, with a verified certificate, on the whole way.
 *
 * It counts only when it was announced under TLS, and is only used when the
 * certificate was verified against a trust store: a fingerprint says nothing
 * about the next hop. Required, it fails with 5.7.10 without such TLS and
 * with 5.7.30 without the extension; a message with the null reverse-path
 * goes on without it (section 5).
 */
#ifndef SMTP_EXT_REQUIRETLS_H
#define SMTP_EXT_REQUIRETLS_H

#include <stdbool.h>

#include "smtp/extensions.h"
#include "util/attr.h"

struct envelope;
struct error;
struct session;
struct strbuf;
struct strvec;

/* Rows of the table of extensions. */
ATTR_CHECK int requiretls_parse(struct session *s, const struct strvec *args, struct error *err);
bool requiretls_wanted(const struct session *s, const struct envelope *e);
enum ext_level requiretls_floor(const struct session *s, const struct envelope *e);
ATTR_CHECK int requiretls_check(const struct session *s, const struct envelope *e,
				struct error *err);
void requiretls_mail_params(const struct session *s, const struct envelope *e,
			    struct strbuf *out);

/* Will MAIL have the parameter? Then notices bring back the header only. */
bool requiretls_used(const struct session *s, const struct envelope *e);

#endif
