/*
 * Encoded words (RFC 2047): non-ASCII text in header fields.
 *
 * Each word is at most 75 octets, holds whole characters and is complete in
 * itself. Text that is valid UTF-8 is labelled utf-8, other octets
 * unknown-8bit (RFC 1428). The shorter kind of the two is taken: Q if at
 * most a third of the octets have to be escaped, else B.
 */
#ifndef MESSAGE_RFC2047_H
#define MESSAGE_RFC2047_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct strbuf;

enum rfc2047_place {
	RFC2047_PHRASE,		/* words of a display name */
	RFC2047_COMMENT,	/* inside ( ) */
	RFC2047_TEXT		/* unstructured field */
};

/*
 * Appends all n octets of text as encoded words. column: octets that stand
 * on the line already; with it lines are folded (CRLF and a blank between
 * words) to 76 octets; 0: one line, words separated by a blank. charset: what
 * text is in that is not UTF-8; NULL = unknown.
 */
void rfc2047_encode(struct strbuf *out, const char *text, size_t n, enum rfc2047_place place,
		    size_t column, const char *charset);

/* Do the octets look like an encoded word? */
ATTR_PURE bool rfc2047_is_word(const char *s, size_t n);

/*
 * Appends an unstructured value in which only what needs it is encoded:
 * words with non-ASCII octets and what lies between them. Encoded words that
 * are there already, and all pure ASCII, stay as they are. Line ends of
 * folding inside an encoded part vanish. column and charset as above.
 */
void rfc2047_encode_text(struct strbuf *out, const char *text, size_t n, size_t column,
			 const char *charset);

/*
 * Replaces the words of UTF-8 in a canonical field by words of that charset;
 * those of which it has not all characters stay as they are, and all with
 * NULL. Lines are folded between words only.
 */
void rfc2047_recode(struct strbuf *field, const char *charset);

#endif
