/*
 * Passwords and tokens, fetched when AUTH needs them and not before: from
 * the rc file, file, descriptor, systemd credential, command (no shell),
 * msmtp's passwordeval (shell), netrc, the desktop's key ring, the terminal;
 * the first that is set, in this order.
 */
#ifndef SECRETS_CREDENTIALS_H
#define SECRETS_CREDENTIALS_H

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

/*
 * The password for the proxy: key, file, command; the first that is set.
 * Left unset when there is none: some proxies want a name only.
 */
ATTR_CHECK int credentials_proxy_password(const struct account *a, struct secret *out,
					  struct error *err);

/*
 * The passphrase (or PIN) of the client certificate's key: file, command,
 * shell; the first that is set. Left unset when none is.
 */
ATTR_CHECK int credentials_key_password(const struct account *a, struct secret *out,
					struct error *err);

/* The key that names where the password (or token) comes from; NULL when none does. */
const char *credentials_source(const struct account *a, bool token);

/* Are there Kerberos tickets to sign in with? */
bool credentials_has_ticket(void);

/* Is a source of a token configured? */
bool credentials_has_token(const struct account *a);

#endif
