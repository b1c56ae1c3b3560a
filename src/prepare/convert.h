/*
 * The message in the form that is sent: lines that every server takes, and
 * for one session the octets that this server takes. The original is never
 * changed, so that another server may get it as it is.
 *
 * - bare_cr, long_lines: before any connection, the same for all servers
 * - convert_8bit: 8-bit content for servers without 8BITMIME
 * - smtputf8_downgrade: UTF-8 in header fields (also in those of MIME parts)
 *   becomes ASCII, so that SMTPUTF8 is needed only by addresses that have no
 *   other form
 * A message with a DKIM-Signature is not touched unless convert_signed_dkim,
 * but for what no server may be given: CRs by themselves, and 8-bit octets in
 * the header where there is no 8BITMIME.
 */
#ifndef PREPARE_CONVERT_H
#define PREPARE_CONVERT_H

#include <stdbool.h>

#include "message/edits.h"
#include "message/envelope.h"
#include "util/attr.h"

struct account;
struct arena;
struct error;
struct message;
struct session;

/*
 * What the header's octets are in that are no UTF-8: the charset that the
 * message names for itself or its first text part, else default_charset, else
 * "unknown-8bit". Where all is UTF-8 the message is not looked at.
 */
const char *convert_charset(struct arena *arena, const struct message *m,
			    const struct account *a);

/*
 * Settles CRs in the body that end no line, as bare_cr says: replaces *m (and
 * frees the old one) and *edits where they are to be blanks or encoded.
 * EX_DATAERR 5.6.0 when they are not wanted.
 */
ATTR_CHECK int convert_bare_cr(struct message **m, struct edits *edits, struct envelope *e,
			       const struct account *a, struct error *err);

/*
 * Settles lines of more than 998 octets: replaces *m (and frees the old one)
 * and *edits where the body has to be written anew, only edits where it is
 * the header. What may not be changed, and a field that cannot be folded,
 * stays as it is. EX_DATAERR 5.6.0 when they are not wanted.
 */
ATTR_CHECK int convert_lines(struct message **m, struct edits *edits, struct envelope *e,
			     const struct account *a, struct error *err);

/* What goes to one server instead of the message, its edits and its envelope. */
struct converted {
	bool made;			/* for a server that has ... */
	bool eight, utf8, binary;	/* ... 8BITMIME, SMTPUTF8, BINARYMIME */
	struct message *own;		/* NULL = the body is the original's */
	const struct message *message;
	struct edits edits;
	struct envelope envelope;
	struct arena *arena;
};

/*
 * Fills c for session s; what it held for a server of the same kind is kept.
 * c is zeroed at first, and released at last. EX_UNAVAILABLE 5.6.3 when the
 * content may not be converted for a server without 8BITMIME. Where conversion
 * is off the envelope says what is needed, and extensions_check() finds that
 * it is missing.
 */
ATTR_CHECK int convert_for_session(struct converted *c, const struct session *s,
				   const struct message *m, const struct edits *edits,
				   const struct envelope *e, struct error *err);
void converted_release(struct converted *c);

#endif
