/*
 * Passwords from the key ring of the desktop session (the Secret Service),
 * through the command secret-tool(1), with the attributes that msmtp uses:
 *
 *	secret-tool store --label=msubmit host HOST service smtp user USER
 *
 * Nothing is run when there is no such command in PATH, or no session bus
 * that it could reach: a mail from cron must not wait for a desktop.
 */
#ifndef SECRETS_KEYRING_H
#define SECRETS_KEYRING_H

#include <stdbool.h>

#include "util/attr.h"

struct error;
struct strbuf;

/*
 * Appends what the key ring has for user at host, a line at most. *found_out
 * stays false when there is no key ring or nothing in it. Fails only when it
 * does not answer within seconds (EX_TEMPFAIL): it may be asking somebody.
 */
ATTR_CHECK int keyring_lookup(const char *host, const char *user, unsigned seconds,
			      struct strbuf *out, bool *found_out, struct error *err);

#endif
