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
struct error;
struct message;

/*
 * What the command line says about the message itself: parts and header
 * fields. Plain data, filled by cli/, read here and by prepare/user_headers.c.
 * A zeroed one asks for nothing.
 */

/*
 * What an option says about one part of a message that is to be written:
 * FILE[,KEY=VALUE]..., where ';' does as well as ',', and a backslash takes
 * the meaning from the character behind it.
 */
enum part_role {
	PART_TEXT, PART_HTML, PART_CALENDAR,	/* forms of the text itself */
	PART_RELATED,		/* object that the HTML text shows */
	PART_INLINE,		/* the same if there is HTML text, else shown where it stands */
	PART_ATTACHMENT,
	PART_MESSAGE		/* a whole message */
};

enum part_encoding {
	PART_AUTO, PART_7BIT, PART_8BIT, PART_QP, PART_BASE64, PART_BINARY
};

struct part_spec {
	enum part_role role;
	const char *path;	/* "-" = standard input; NULL = text is the content */
	const char *text;
	const char *type;	/* type/subtype in lower case, NULL = to be found out */
	const char *name;	/* file name to write; NULL = that of the path */
	const char *charset;	/* that the content is in; NULL = to be found out */
	const char *description;
	const char *cid;	/* Content-ID without <>; NULL = none given */
	bool inline_given, inline_wanted;	/* disposition= */
	enum part_encoding encoding;
};

/*
 * Reads an option's value into out, for a part of that role; strings live in
 * a. EX_USAGE 5.5.4 names what is wrong, not the option.
 */
ATTR_CHECK int part_spec_parse(struct arena *a, enum part_role role, const char *value,
			       struct part_spec *out, struct error *err);

/* The last component of a path. */
ATTR_PURE const char *part_base_name(const char *path);

enum field_change { FIELD_ADD, FIELD_SET, FIELD_DELETE };

/* One change to the header; option is for errors: "--header". */
struct field_request {
	enum field_change change;
	const char *name, *value;
	const char *option;
};

/* Who the message goes to, in the order of the fields. */
enum visible { VISIBLE_TO, VISIBLE_CC, VISIBLE_BCC, VISIBLE_COUNT };

struct address_request {
	enum visible place;
	const char *text;	/* an address list */
};

/* A receipt: asked for, and where it is to go (NULL = to the author). */
struct receipt_request {
	bool wanted;
	const char *address;
};

struct compose_request {
	bool compose;			/* --compose: the message is made of options */
	bool resend;			/* --resend: the one on standard input goes on to others */
	bool no_body;			/* --no-body */
	const char *charset;		/* of the text; NULL = to be found out */
	struct part_spec *part;
	size_t part_n, part_alloc;
	struct field_request *field;
	size_t field_n, field_alloc;
	struct address_request *address;
	size_t address_n, address_alloc;
	const char *importance;		/* low, normal, high */
	struct receipt_request read_receipt, return_receipt;
	const char *disposition_options;	/* only with read_receipt */
	const char *needs_compose;	/* the first option given that makes sense only with it */
};

/* --- the message made of it -------------------------------------------------- */

struct compose_options {
	const char *charset;	/* of 8-bit text that nothing else tells; NULL = not known */
	const char *charset_out;	/* that text and encoded words go out in; NULL = UTF-8 */
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
