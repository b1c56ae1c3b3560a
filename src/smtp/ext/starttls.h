/*
 * STARTTLS (RFC 3207): required whenever the account does not say otherwise
 * in so many words, and nothing that was heard before it counts after it.
 *
 * Not a single octet may lie between the 220 and the handshake, nor between
 * the handshake and our EHLO: that would be somebody else's.
 */
#ifndef SMTP_EXT_STARTTLS_H
#define SMTP_EXT_STARTTLS_H

#include <stdbool.h>

#include "smtp/extensions.h"

struct session;

/* Is TLS still to be started in this session? */
bool starttls_wanted(const struct session *s);

/* Row of the table of extensions. */
enum ehlo_next starttls_after_ehlo(struct session *s, struct error *err);

#endif
