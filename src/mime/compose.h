/*
 * A message made of parts (RFC 2045, 2046): text, HTML text with what it
 * shows, calendar entries, attachments, messages.
 *
 *   multipart/mixed             when there are attachments
 *     multipart/alternative     when there are several forms of the text
 *       text/plain
 *       multipart/related       when the HTML text has objects
 *         text/html, objects
 *       text/calendar
 *     attachments, messages
 *
 * A level with a single member is left out. Each file is read once, in
 * blocks, and everything goes into the spool of the new message: memory does
 * not grow with the parts. Text of which the charset is known becomes UTF-8;
 * files are never changed but for the line ends of text. Leaves are encoded
 * so that they need no more than 7 bits, unless prefer_8bit; messages never
 * are.
 */
#ifndef MIME_COMPOSE_H
#define MIME_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct arena;
struct compose_request;
struct error;
struct message;

struct compose_options {
	const char *charset;	/* of 8-bit text that nothing else tells; NULL = not known */
	bool prefer_8bit;	/* text that is 8bit is not encoded */
	bool filename_compat;	/* file names also in the way of old programs */
	size_t width;		/* of header lines */
	unsigned patience;	/* seconds to wait for more on standard input, 0 = for ever */
	/* A word of 24 letters and digits that nobody can foresee; NULL = of ident.h. */
	const char *(*token)(struct arena *a);
};

/*
 * Can the files of all parts be read? EX_NOINPUT names the first that cannot
 * and its option; a folder, FIFO, device or socket is refused as well. EX_USAGE
 * when parts do not go together: standard input is wanted twice, an object
 * without HTML text.
 */
ATTR_CHECK int compose_check(const struct compose_request *req, struct error *err);

/*
 * Makes the message: MIME fields and body, no others. Reads standard input
 * to its end if a part is there or if there is no text part of another source
 * (and no_body is not set). EX_NOINPUT, EX_DATAERR (content that is not what
 * its spec says), EX_TEMPFAIL (patience), EX_IOERR, EX_CANTCREAT. *out is to be
 * freed by message_free().
 */
ATTR_CHECK int compose_message(const struct compose_request *req,
			       const struct compose_options *opt, struct message **out,
			       struct error *err);

/* Will compose_message() read standard input? */
ATTR_PURE bool compose_reads_input(const struct compose_request *req);

#endif
