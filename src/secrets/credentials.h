/*
 * Passwords and tokens, fetched when AUTH needs them and not before: from
 * the rc file, file, descriptor, systemd credential, command (no shell),
 * msmtp's passwordeval (shell), netrc, the desktop's key ring, the terminal;
 * the first that is set, in this order.
 */
#ifndef SECRETS_CREDENTIALS_H
#define SECRETS_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

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

/*
 * Does the default cache hold somebody's Kerberos tickets? Asked of the
 * Kerberos library, which alone knows where they are kept (files, folders,
 * the kernel, a daemon) and what krb5.conf says about it. It is loaded for
 * this question only; without it there are none. That a ticket is good for
 * the server is not said: the sign-in will show.
 */
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
 * Passwords from a netrc file, as ftp(1) and msmtp read it.
 *
 * Entries are "machine NAME" or "default" with "login", "password" and
 * "account"; "macdef" and what belongs to it is passed over. Words may stand
 * in double quotes, '\' takes the next octet as it is. A file that is not
 * understood behind some point counts up to there.
 */

/*
 * Looks for host (ASCII case ignored) and user (NULL = any) in len octets of
 * text. True, and the password is in out, when there is one.
 */
bool netrc_find(const char *text, size_t len, const char *host, const char *user,
		struct secret *out);

/*
 * The same in a file. *found tells whether there was one; a file that does
 * not exist or may not be read is no failure unless must_exist. EX_CONFIG
 * when the password is there but others may read the file.
 */
ATTR_CHECK int netrc_password(const char *path, bool must_exist, const char *host,
			      const char *user, struct secret *out, bool *found,
			      struct error *err);

#endif
