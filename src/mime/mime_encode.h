/*
 * Encoders for the content of a MIME entity (RFC 2045, section 6), fed with
 * canonical text in pieces of any size. What comes out does not depend on
 * the pieces.
 */
#ifndef MIME_MIME_ENCODE_H
#define MIME_MIME_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

struct strbuf;

enum mime_transfer {
	MIME_COPY,		/* as it is */
	MIME_TO_QP,		/* lines of at most 76; nothing that a delimiter, a lone dot
				 * or an mbox could take for its own begins a line */
	MIME_TO_BASE64,		/* lines of 76; no line end behind the last */
	MIME_WRAP_QP,		/* is quoted-printable, but its lines are too long */
	MIME_WRAP_BASE64,	/* is base64, but its lines are too long */
	MIME_SPLIT,		/* lines cut at 998 octets, between characters: CRLF, blank */
	MIME_FILLER		/* the same, and a '?' for each octet above 127 */
};

#define MIME_GROUP ((size_t)57)		/* octets of one line of base64 */

struct mime_encoder {
	enum mime_transfer kind;
	size_t column;			/* octets of the output line so far */
	char blank;			/* a blank that may end a line */
	unsigned escape;		/* octets that an escape still has to get (MIME_WRAP_QP) */
	bool lines;			/* a line has been written (base64) */
	size_t held_n;
	char held[MIME_GROUP];		/* octets not yet written */
};

void mime_encoder_init(struct mime_encoder *e, enum mime_transfer kind);

/* Appends what n more octets become; at most some 4 * n + 100. */
void mime_encoder_push(struct mime_encoder *e, const char *data, size_t n, struct strbuf *out);

/* The end of the content. */
void mime_encoder_finish(struct mime_encoder *e, struct strbuf *out);

/* How many of n octets quoted-printable must escape; line ends and blanks count as none. */
ATTR_PURE uint64_t mime_count_escapes(const char *data, size_t n);

#endif
