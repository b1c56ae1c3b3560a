/*
 * Header fields: their names and what is known of each (one table), and the
 * list of the fields of one message.
 *
 * A field's text is canonical: "Name: value" with CRLF line ends, also the
 * last; no other CR or LF, no NUL. Folding is kept byte for byte.
 */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct arena;
struct error;
struct strbuf;

enum header_id {
	HEADER_OTHER, HEADER_FROM, HEADER_SENDER, HEADER_REPLY_TO, HEADER_TO, HEADER_CC, HEADER_BCC,
	HEADER_DATE, HEADER_MESSAGE_ID, HEADER_SUBJECT, HEADER_RETURN_PATH, HEADER_CONTENT_LENGTH,
	HEADER_MIME_VERSION, HEADER_CONTENT_TYPE, HEADER_CONTENT_TRANSFER_ENCODING,
	HEADER_RESENT_FROM, HEADER_RESENT_SENDER, HEADER_RESENT_TO, HEADER_RESENT_CC,
	HEADER_RESENT_BCC, HEADER_RESENT_DATE, HEADER_RESENT_MESSAGE_ID, HEADER_RECEIVED,
	HEADER_IN_REPLY_TO, HEADER_REFERENCES,
	HEADER_ID_COUNT
};

enum {
	HEADER_ADDRESS = 1,	/* value is an address list */
	HEADER_RECIPIENT = 2,	/* its addresses are recipients under -t */
	HEADER_RESENT = 4,	/* belongs to a Resent block */
	HEADER_DROP = 8,	/* removed on submission: Return-Path, Content-Length */
	HEADER_BLIND = 16,	/* Bcc and Resent-Bcc */
	HEADER_SINGLE = 32	/* at most once (RFC 5322, section 3.6) */
};

struct header_field {
	enum header_id id;
	const char *text;	/* whole canonical field, NUL-terminated */
	size_t len;
	size_t value;		/* offset of the value: behind ':' */
	bool own;		/* an option made it */
};

struct header {
	struct header_field *field;
	size_t n;
};

/* Properties (bits above) of a field. */
ATTR_PURE unsigned header_flags(enum header_id id);

/* The field's name in its usual spelling; "" for HEADER_OTHER. */
ATTR_PURE const char *header_name(enum header_id id);

/* Which field the len octets of name are (ASCII case ignored). */
ATTR_PURE enum header_id header_find_id(const char *name, size_t len);

/* Can name be that of a field (RFC 5322, section 3.6.8)? */
ATTR_PURE bool header_name_valid(const char *name);

/* Is the field, or the line, of that name (ASCII case ignored)? */
ATTR_PURE bool header_is(const char *text, const char *name);

/* Has it a DKIM-Signature, which every change of header or body may break? */
bool header_is_signed(const struct header *h);

/* The first field with that id; NULL if there is none. */
const struct header_field *header_find(const struct header *h, enum header_id id);

/* The value on one line: CRLF of the folding removed, blanks at both ends trimmed. */
const char *header_value(struct arena *a, const struct header_field *field);

/*
 * Length of the field name if line (len octets, without its end) begins a
 * field: printable ASCII but ':', optional blanks, ':'. 0 if it does not.
 * *value_out is set to the offset behind the colon.
 */
size_t header_field_start(const char *line, size_t len, size_t *value_out);

/*
 * Header fields whose lines are longer than a server takes (RFC 5322,
 * section 2.1.1): folded anew, at white space that is there already.
 */

/* Has the canonical text a line of more than 998 octets, its CRLF not counted? */
ATTR_PURE bool header_fold_needed(const char *text, size_t len);

/* Where a line end and a blank may be put in when there is no blank. */
enum header_gaps {
	HEADER_GAPS_NONE,
	HEADER_GAPS_TOKENS,	/* between the tokens of a structured field (RFC 5322, CFWS) */
	HEADER_GAPS_ANYWHERE	/* between two characters */
};

/*
 * Appends a canonical field with its long lines folded: at 78 octets where a
 * blank outside quotes allows it, else at the next one, inside quotes only
 * when nothing else will do. Lines that are not too long stay as they are.
 * Where there is neither blank nor gap: EX_DATAERR 5.6.0, and out is not
 * changed.
 */
ATTR_CHECK int header_fold(struct strbuf *out, const char *field, size_t len,
			   enum header_gaps gaps, struct error *err);

/*
 * The same for a field of our own making: lines of more than width octets
 * (76 to 998) are folded where a blank outside quotes allows it. What cannot
 * be folded there may be longer, up to 998 octets. EX_DATAERR as above.
 */
ATTR_CHECK int header_fold_to(struct strbuf *out, const char *field, size_t len, size_t width,
			      struct error *err);

#endif
