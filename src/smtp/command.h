/*
 * Commands: one line to the server, checked as if nobody had checked before.
 *
 * Refused are CR, LF, NUL and all other control characters (nothing that
 * comes from a user can become a command of its own), octets above 127
 * unless the transaction uses SMTPUTF8 (then only valid UTF-8), and lines
 * longer than 512 octets with CRLF plus what the parameters in use add
 * (RFC 5321, section 4.5.3.1.4). Nothing is ever cut.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

struct deadline;
struct error;
struct strbuf;
struct wire;

#define COMMAND_MAX 512			/* octets of a command line with CRLF */
#define COMMAND_BUFFER_MAX 65536	/* of the buffer that commands are built in */

/*
 * May line (without CRLF) be sent? extra: octets by which the limit is
 * raised. EX_DATAERR: 5.5.4 too long, 5.5.2 control character, 5.6.7 8-bit.
 */
ATTR_CHECK int command_check(const struct strbuf *line, size_t extra, bool utf8,
			     struct error *err);

/* Checks line and puts it with CRLF (appended to it) into the wire. */
ATTR_CHECK int command_send(struct wire *w, struct strbuf *line, bool utf8,
			    const struct deadline *d, struct error *err);

/*
 * Sends open, the n octets of secret and CRLF; the transcript shows open and
 * "<n octets hidden>". The secret is base64 and may be of any length.
 */
ATTR_CHECK int command_send_secret(struct wire *w, const char *open, const char *secret, size_t n,
				   const struct deadline *d, struct error *err);

/* Appends a number in decimal. */
void command_add_number(struct strbuf *line, uint64_t number);

#endif
