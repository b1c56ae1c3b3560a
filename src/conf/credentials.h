/*
 * Passwords and tokens, fetched when AUTH needs them and not before: from
 * the rc file, file, descriptor, systemd credential, command (no shell),
 * msmtp's passwordeval (shell), netrc, keyring-less terminal; the first that
 * is set, in this order.
 */
#ifndef CONF_CREDENTIALS_H
#define CONF_CREDENTIALS_H

#include <stdbool.h>

#include "util/attr.h"

struct account;
struct error;
struct secret;

/*
 * The password of the account's user. interactive: may ask on /dev/tty.
 * EX_CONFIG when none is configured, with the keys that would give one.
 */
ATTR_CHECK int credentials_password(const struct account *a, bool interactive,
				    struct secret *out, struct error *err);

/* The OAuth2 access token. */
ATTR_CHECK int credentials_token(const struct account *a, struct secret *out, struct error *err);

/* Is a source of a token configured? */
bool credentials_has_token(const struct account *a);

#endif
