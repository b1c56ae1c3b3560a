/*
 * Passwords from a netrc file, as ftp(1) and msmtp read it.
 *
 * Entries are "machine NAME" or "default" with "login", "password" and
 * "account"; "macdef" and what belongs to it is passed over. Words may stand
 * in double quotes, '\' takes the next octet as it is. A file that is not
 * understood behind some point counts up to there.
 */
#ifndef SECRETS_NETRC_H
#define SECRETS_NETRC_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct error;
struct secret;

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
