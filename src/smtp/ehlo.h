/*
 * EHLO, with HELO where doc/protocol.md#helo allows it, and LHLO
 * (RFC 5321, section 4.1.1.1; RFC 2033, section 4.1).
 *
 * A HELO session has no extensions, so it is only used when nothing needs
 * one: not TLS, not AUTH, not the envelope. A temporary refusal of EHLO
 * never leads to HELO, or it could be used to strip TLS and AUTH.
 */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include <stdbool.h>

#include "smtp/session.h"
#include "util/attr.h"

struct error;

/*
 * Greets the server and notes what it announces. said: EHLO went ahead of the
 * greeting, and its reply is due. *retry_out is set when the server dropped
 * the connection instead of answering EHLO and a new one with HELO may be
 * tried.
 */
ATTR_CHECK int ehlo_greet(struct session *s, bool helo_only, bool said,
			  enum session_retry *retry_out, struct error *err);

/* Takes the first word of the last reply as the name of the server. */
void ehlo_note_name(struct session *s);

#endif
