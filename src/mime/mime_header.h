/*
 * Raw UTF-8 in header fields written in ASCII (RFC 6532 to RFC 5322), for
 * servers without SMTPUTF8:
 * - unstructured text, comments, display names and other phrases: encoded
 *   words (RFC 2047)
 * - parameters of Content-Type and Content-Disposition: RFC 2231
 * - domains of addresses: A-labels (RFC 5891)
 * - URLs of list fields and Content-Location: percent-encoded (RFC 3987, 3.1)
 * Octets that are no valid UTF-8 are said to be in a given charset. Local
 * parts, message identifiers and the like have no other form: they are left.
 */
#ifndef MIME_MIME_HEADER_H
#define MIME_MIME_HEADER_H

#include <stddef.h>

struct strbuf;

enum {
	MIME_HEADER_ADDRESS = 1,	/* an address was left: its local part or domain */
	MIME_HEADER_OTHER = 2		/* something else was left */
};

/*
 * Appends the canonical field (with its CRLF) in ASCII form as far as there
 * is one; a field in ASCII stays octet for octet. charset: of what is not
 * UTF-8. Returns what was left, as bits.
 */
unsigned mime_header_downgrade(struct strbuf *out, const char *field, size_t len,
			       const char *charset);

/*
 * The same for a field of our own making: also ASCII that would be read as an
 * encoded word in an unstructured field is encoded (RFC 2047, section 7).
 */
unsigned mime_header_encode(struct strbuf *out, const char *field, size_t len,
			    const char *charset);

#endif
