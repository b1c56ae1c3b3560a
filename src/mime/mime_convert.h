/*
 * A message made fit for a server that takes less: without 8-bit octets,
 * with lines of at most 998 octets, without UTF-8 in header fields. Part by
 * part, recursively (RFC 2045, section 6.4; RFC 6152, section 3): a decoder
 * finds the same content in each part as before.
 *
 * Two passes over the message as it would go out: the first finds what each
 * part needs, the second writes a new message into a spool of its own.
 * Memory does not grow with the size. The original is not changed. Nothing
 * inside multipart/signed and multipart/encrypted is ever touched (RFC 1847),
 * and nothing is encoded twice: a content that is not in the encoding it is
 * said to be in counts as not encoded. What cannot be converted is refused
 * for 8-bit octets; long lines are cut there, at a blank if there is one.
 */
#ifndef MIME_MIME_CONVERT_H
#define MIME_MIME_CONVERT_H

#include <stdbool.h>

#include "util/attr.h"

struct edits;
struct error;
struct message;

enum mime_lines {
	MIME_LINES_PASS,
	MIME_LINES_ENCODE,	/* parts with long lines become quoted-printable or base64 */
	MIME_LINES_SPLIT	/* text is cut at 998 octets instead, if it is not encoded */
};

struct mime_options {
	bool seven_bit;		/* no octet above 127 in any content */
	bool headers;		/* none in any header */
	bool binary;		/* the body is binary (RFC 3030) and has to become text: CR, LF
				 * and NUL by themselves are content; with MIME_LINES_ENCODE */
	enum mime_lines lines;
	const char *charset;	/* of text that is no UTF-8 where nothing tells it */
	const char *words;	/* charset of encoded words; NULL = UTF-8 */
};

struct mime_report {
	bool part_header_8bit;	/* the header of a part had an octet above 127 */
	unsigned left;		/* what stayed so: bits of mime_header.h */
};

/*
 * Converts m with its edits. *out is the new message, which needs no edits
 * any more, or NULL if nothing had to be changed; *report is filled in both
 * cases. Without an option nothing is changed, and only the report is made.
 * Fails with
 * - EX_UNAVAILABLE 5.6.3: a signed part or one that may not be encoded has
 *   8-bit octets
 * - EX_DATAERR 5.6.0: the MIME structure is broken where 8-bit octets are; a
 *   signed part or a header has a long line
 * - EX_IOERR, EX_CANTCREAT: as in message.h
 */
ATTR_CHECK int mime_convert(const struct message *m, const struct edits *edits,
			    const struct mime_options *opt, struct message **out,
			    struct mime_report *report, struct error *err);

#endif
