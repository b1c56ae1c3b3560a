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
 * said to be in counts as not encoded. Where nobody can tell what a part is,
 * long lines are cut, at a blank if there is one; a multipart that cannot be
 * taken apart becomes text where it has to be encoded.
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
	bool headers;		/* none in any header, but in addresses ... */
	bool ascii;		/* ... which lose theirs, too */
	bool binary;		/* the body is binary (RFC 3030) and has to become text: CR, LF
				 * and NUL by themselves are content; with MIME_LINES_ENCODE */
	enum mime_lines lines;
	const char *charset;	/* of text that is no UTF-8 where nothing tells it */
	const char *words;	/* charset of encoded words; NULL = UTF-8 */
};

struct mime_report {
	bool part_header_8bit;	/* the header of a part had an octet above 127 */
	bool left;		/* an address stayed so */
};

/*
 * Converts m with its edits. *out is the new message, which needs no edits
 * any more, or NULL if nothing had to be changed; *report is filled in both
 * cases. Without an option nothing is changed, and only the report is made.
 * Fails with
 * - EX_UNAVAILABLE 5.6.3: a signed part, or a piece of a message, has 8-bit
 *   octets or is binary; its long lines stay
 * - EX_DATAERR 5.6.0: more parts than are looked at (mime_walk.h)
 * - EX_IOERR, EX_CANTCREAT: as in message.h
 */
ATTR_CHECK int mime_convert(const struct message *m, const struct edits *edits,
			    const struct mime_options *opt, struct message **out,
			    struct mime_report *report, struct error *err);

#endif
