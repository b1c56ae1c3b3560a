/*
 * AUTH (RFC 4954): choosing a mechanism, running it, judging the reply.
 *
 * The server's list only says what is possible; the order is ours. A
 * password or token goes in readable form only over verified TLS, over a
 * local socket, or where the account says so in so many words. No secret is
 * fetched before a mechanism is chosen, none is shown in the transcript. A
 * refusal of the password ends it (no second guess with another mechanism),
 * and nothing is ever sent unauthenticated instead.
 */
#ifndef SMTP_EXT_AUTH_H
#define SMTP_EXT_AUTH_H

#include <stdbool.h>

#include "smtp/extensions.h"
#include "util/attr.h"

struct session;
struct strvec;

/* Must this session be authenticated? */
bool auth_wanted(const struct session *s);

/* Row of the table of extensions. */
ATTR_CHECK int auth_parse(struct session *s, const struct strvec *args, struct error *err);
enum ehlo_next auth_after_ehlo(struct session *s, struct error *err);

#endif
