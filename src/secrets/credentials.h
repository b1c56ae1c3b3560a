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
struct strbuf;

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

/*
 * Passwords from the key ring of the desktop session (the Secret Service),
 * through the command secret-tool(1), with the attributes that msmtp uses:
 *
 *	secret-tool store --label=msubmit host HOST service smtp user USER
 *
 * Nothing is run when there is no such command in PATH, or no session bus
 * that it could reach: a mail from cron must not wait for a desktop.
 */

/*
 * Appends what the key ring has for user at host, a line at most. *found_out
 * stays false when there is no key ring or nothing in it. Fails only when it
 * does not answer within seconds (EX_TEMPFAIL): it may be asking somebody.
 */
ATTR_CHECK int keyring_lookup(const char *host, const char *user, unsigned seconds,
			      struct strbuf *out, bool *found_out, struct error *err);

/*
 * Is there a Kerberos ticket to sign in with?
 *
 * Asked of the Kerberos library, which alone knows where tickets are kept
 * (files, folders, the kernel, a daemon) and what krb5.conf says about it. It
 * is loaded for this question only. That a ticket is good for the server is
 * not said: the sign-in will show.
 */

/* Does the default cache hold somebody's tickets? False without the library. */
bool ticket_exists(void);

#endif
