/*
 * BURL (RFC 4468): the server fetches parts of the message itself, from the
 * IMAP server that a URL names. The URL holds a token that lets whoever has
 * it fetch the part (RFC 4467): it goes out under TLS only, after signing
 * in, and is shown nowhere.
 */
#ifndef SMTP_EXT_BURL_H
#define SMTP_EXT_BURL_H

#include <stdbool.h>

#include "util/attr.h"

struct envelope;
struct error;
struct session;
struct strbuf;
struct strvec;

/* Rows of the table of extensions. */
ATTR_CHECK int burl_parse(struct session *s, const struct strvec *args, struct error *err);
bool burl_wanted(const struct session *s, const struct envelope *e);
ATTR_CHECK int burl_check(const struct session *s, const struct envelope *e, struct error *err);

/* Appends url as it may be shown: scheme and host. */
void burl_mask(const char *url, struct strbuf *out);

#endif
