/*
 * Raw UTF-8 in header fields written in ASCII (RFC 6532 to RFC 5322), for
 * servers without SMTPUTF8:
 * - unstructured text, comments, display names and other phrases: encoded
 *   words (RFC 2047)
 * - parameters of Content-Type and Content-Disposition: RFC 2231
 * - domains of addresses: A-labels (RFC 5891)
 * - URLs of list fields and Content-Location: percent-encoded (RFC 3987, 3.1)
 * Octets that are no valid UTF-8 are said to be in a given charset. What has
 * no other form, in message identifiers and the like, becomes a '?' for each
 * character; addresses are left where they may be.
 */
#ifndef MIME_MIME_HEADER_H
#define MIME_MIME_HEADER_H

#include <stdbool.h>
#include <stddef.h>

struct strbuf;

enum {
	MIME_HEADER_OWN = 1,		/* it is of our own making, see below */
	MIME_HEADER_ASCII = 2		/* no address is left: it gets the '?', too */
};

/*
 * Appends the canonical field (with its CRLF) in ASCII form as far as there
 * is one; a field in ASCII stays octet for octet. charset: of what is not
 * UTF-8. how: bits; with MIME_HEADER_OWN, ASCII that would be read as an
 * encoded word in an unstructured field is encoded, too (RFC 2047, section
 * 7). Tells whether an address was left, its local part or its domain.
 */
bool mime_header_encode(struct strbuf *out, const char *field, size_t len,
			const char *charset, unsigned how);

/*
 * Appends a canonical field as far as it can be folded: at its blanks, between
 * the tokens of a structured field, else in encoded words (8-bit text only
 * with a charset, as above; NULL = it stays). split: between two characters,
 * instead of these two. A field that nothing helps is appended as it is.
 */
void mime_header_fold(struct strbuf *out, const char *field, size_t len, bool split,
		      const char *charset);

/*
 * Parameters of Content-Type and Content-Disposition, written as RFC 2045,
 * section 5.1, and RFC 2231 want them. All is appended to the field that the
 * buffer ends with; where a line would pass 76 octets, it is folded.
 */

/*
 * Appends "; name=value": a token, a quoted string, or, for what is neither
 * printable ASCII nor fits into a line, the extended form. charset: of octets
 * that are no UTF-8.
 */
void mime_param_add(struct strbuf *out, const char *name, const char *value, const char *charset);

#endif
