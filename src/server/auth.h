/*
 * Names and passwords of the listener's clients: a password file, read anew
 * for each attempt, and the message of AUTH PLAIN (RFC 4616).
 *
 * Lines are USER:{SCHEME}HASH or USER:HASH; '#' begins a comment line; for
 * all schemes but PLAIN the hash ends at the next ':', as in passwd(5).
 * Schemes: CRYPT and *-CRYPT names go to crypt(3), which is loaded when first
 * needed; PLAIN holds the password itself. The file must belong to the caller
 * or root and be closed to others. Comparison takes the same time wherever
 * the difference is, and an unknown name costs as much as a wrong password.
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include <stddef.h>

#include "util/attr.h"
#include "util/secret.h"

struct error;
struct strbuf;

#define AUTH_NAME_MAX 255		/* octets of a user name */
#define AUTH_FILE_MAX ((size_t)4 * 1024 * 1024)

struct auth_login {
	struct secret user, password;
};

/* Both are overwritten and unset after that. */
void auth_login_release(struct auth_login *login);

/*
 * Splits the decoded octets of AUTH PLAIN: authzid NUL user NUL password.
 * EX_NOPERM: 501 5.5.2 in err for a malformed message, 535 5.7.8 for
 * another authzid than the user itself.
 */
ATTR_CHECK int auth_parse_plain(const struct strbuf *message, struct auth_login *login,
				struct error *err);

/*
 * Sets one field (of AUTH LOGIN); NUL or, in a user name, more than
 * AUTH_NAME_MAX octets are refused with 501 5.5.2.
 */
ATTR_CHECK int auth_set_user(struct auth_login *login, const struct strbuf *text,
			     struct error *err);
ATTR_CHECK int auth_set_password(struct auth_login *login, const struct strbuf *text,
				 struct error *err);

/*
 * Is that the password of that user in file path? EX_NOPERM, 535 5.7.8 if
 * not; any other error is a local fault (454 4.7.0, the text is for the log).
 */
ATTR_CHECK int auth_check(const char *path, const struct auth_login *login, struct error *err);

/* Can the file be read, and is it closed to others? EX_CONFIG if not. */
ATTR_CHECK int auth_check_file(const char *path, struct error *err);

#endif
