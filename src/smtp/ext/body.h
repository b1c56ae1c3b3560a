/*
 * 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531).
 *
 * Octets above 127 in the body are declared with BODY=8BITMIME and never
 * sent to a server that did not offer it (5.6.3). SMTPUTF8 is declared only
 * when an address (5.6.7) or the header (5.6.9) needs it; it implies
 * 8BITMIME.
 */
#ifndef SMTP_EXT_BODY_H
#define SMTP_EXT_BODY_H

#include <stdbool.h>

#include "util/attr.h"

struct envelope;
struct error;
struct session;
struct strbuf;

/* Rows of the table of extensions. */
bool body_8bit_wanted(const struct session *s, const struct envelope *e);
ATTR_CHECK int body_8bit_check(const struct session *s, const struct envelope *e,
			       struct error *err);
void body_8bit_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);
bool body_binary_wanted(const struct session *s, const struct envelope *e);
ATTR_CHECK int body_binary_check(const struct session *s, const struct envelope *e,
				 struct error *err);
void body_binary_mail_params(const struct session *s, const struct envelope *e,
			     struct strbuf *out);
bool body_utf8_wanted(const struct session *s, const struct envelope *e);
ATTR_CHECK int body_utf8_check(const struct session *s, const struct envelope *e,
			       struct error *err);
void body_utf8_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);

#endif
