/*
 * The parameters of MAIL and RCPT (RFC 5321, section 4.1.1.11): SIZE
 * (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), and AUTH (RFC 4954,
 * section 5), whose value is checked and then not used. One table; what is
 * not in it, or was not announced, is 555 5.5.4.
 */
#ifndef SERVER_PARAMS_H
#define SERVER_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "util/attr.h"

struct error;

struct mail_params {
	bool auth_announced;	/* in: AUTH= is allowed */
	bool body_8bit;		/* BODY=8BITMIME */
	bool utf8;		/* SMTPUTF8 */
	uint64_t size;		/* SIZE=, 0 = not told; UINT64_MAX = more than fits */
};

/*
 * Parses what stands behind the path of MAIL: "" or blanks and words. On
 * failure err->reply is the reply code (501, 555), err->status its status.
 */
ATTR_CHECK int params_mail(const char *text, struct mail_params *params, struct error *err);

/* The same for RCPT, which has none yet. */
ATTR_CHECK int params_rcpt(const char *text, struct error *err);

#endif
