/*
 * A message: its spool, its header, and what one pass over it has shown.
 *
 * Reading makes the header canonical (see header.h) and notes where the body
 * lies in the spool; the body is made canonical when it is written (see
 * writer.h) and never changed in place. Rules (doc/sendmail.md#message):
 * - each line by itself: LF, CRLF and any run of CRs before LF end a line; a
 *   CR alone is a blank in the header and a line end in the body
 * - without dots_ignored a line that is just "." ends the message, also in
 *   the header; the rest of the input is read and thrown away, and counted;
 *   at a terminal nothing more is read
 * - "From " and ">From " lines before the first field are dropped
 * - the header ends at the first empty line, or before the first line that
 *   is neither field nor continuation: that line begins the body
 * - NUL is removed from header and body
 * - a missing last line end is added
 */
#ifndef MESSAGE_MESSAGE_H
#define MESSAGE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "message/header.h"
#include "util/attr.h"

struct arena;
struct error;
struct spool;
struct strbuf;

/*
 * Octets of header, canonical, without the empty line; more is EX_DATAERR. So
 * many strangers may send, and so many who start the program themselves.
 */
#define MESSAGE_HEADER_MAX ((size_t)1024 * 1024)
#define MESSAGE_HEADER_MOST ((size_t)64 * 1024 * 1024)
#define MESSAGE_LINE_MAX 998	/* octets of a line without CRLF (RFC 5322) */

struct message {
	struct arena *arena;
	struct spool *spool;
	struct header header;
	uint64_t body_start, body_end;	/* the body in the spool */
	uint64_t body_size;		/* octets of the body on the wire, without dot-stuffing */
	uint64_t ignored;		/* octets behind the lone dot */
	uint64_t longest_line;		/* in body, octets without line end */
	bool body_canonical;		/* the body in the spool is as on the wire */
	bool body_crlf;			/* the same, but the last line may lack its end */
	bool body_8bit;			/* an octet above 127 in the body */
	bool header_8bit;		/* the same in the header */
	bool header_utf8;		/* header_8bit, and all of it valid UTF-8 */
	bool had_nul;			/* a NUL was removed */
	bool header_cr, body_cr;	/* a CR that ends no line: a blank, a line end */
	const char *header_stop;	/* beginning of the line that ended the header without an
					   empty one, printable; NULL = none did */
	bool body_binary;		/* the body goes out octet for octet: no text (RFC 3030) */
};

struct message_options {
	bool dots_ignored;	/* -i: a lone dot is text */
	bool wire;		/* from the listener: no lone dot, no mbox line */
	bool binary;		/* the body is taken as it is; it is binary unless it is text */
	unsigned patience;	/* seconds to wait for more input, 0 = for ever */
	bool large_header;	/* up to MESSAGE_HEADER_MOST */
};

/*
 * Reads fd to its end. The descriptor stays open and the caller's, and must
 * outlive the message (a regular file is read in place). EX_NOINPUT on a
 * read error, EX_TEMPFAIL when nothing has come for "patience" seconds,
 * EX_DATAERR for a header over the limit, EX_CANTCREAT and EX_IOERR for the
 * temporary file. *out is to be freed with message_free().
 */
ATTR_CHECK int message_read_fd(int fd, const struct message_options *opt, struct message **out,
			       struct error *err);

/*
 * The same from octets handed over in pieces: message_reader_new(),
 * any number of message_reader_push(), then message_reader_finish().
 */
struct message_reader;
struct message_reader *message_reader_new(const struct message_options *opt);
ATTR_CHECK int message_reader_push(struct message_reader *r, const char *data, size_t n,
				   struct error *err);
/* Pushes what is in out, and empties it, when it is at least so much. */
ATTR_CHECK int message_reader_take(struct message_reader *r, struct strbuf *out, size_t least,
				   struct error *err);
/* Ends the message and frees the reader, also on failure. */
ATTR_CHECK int message_reader_finish(struct message_reader *r, struct message **out,
				     struct error *err);
/* Gives up; accepts NULL. */
void message_reader_free(struct message_reader *r);

void message_free(struct message *m);

/*
 * Gives the message another header: n fields, of which the texts live as long
 * as the message. For fields that options add, before anybody looks at it.
 */
void message_set_header(struct message *m, const struct header_field *field, size_t n);

/*
 * A message whose body has CRs that end no line, written anew: a blank for
 * each such CR, or '\r': they are kept as octets of binary content (the new
 * message is body_binary) for mime_convert() to encode. The header is the
 * same, field by field (there a CR is a blank already), so that edits made
 * for the old message fit the new one. Memory does not grow with the size.
 * *out is to be freed. EX_IOERR, EX_CANTCREAT as above.
 */
ATTR_CHECK int message_respell_cr(const struct message *m, char blank, struct message **out,
				  struct error *err);

#endif
