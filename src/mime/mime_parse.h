/*
 * What the header of a MIME entity says about its content (RFC 2045, 2046):
 * kind, encoding, boundary, as most readers understand it. A multipart whose
 * boundary nobody can tell is a fault, and is never taken apart: it is text.
 *
 * A header is a run of canonical fields (see header.h) without the empty
 * line behind it. Nothing is copied but the boundary.
 */
#ifndef MIME_MIME_PARSE_H
#define MIME_MIME_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct strbuf;

#define MIME_BOUNDARY_MAX ((size_t)250)	/* more than the 70 of RFC 2046, section 5.1.1 */

/* Where an entity stands: this decides what it is by default. */
enum mime_place {
	MIME_PLACE_MESSAGE,	/* the message itself, or one inside another */
	MIME_PLACE_PART,	/* in a multipart */
	MIME_PLACE_DIGEST,	/* in a multipart/digest: message/rfc822 by default */
	MIME_PLACE_PHANTOM	/* in message/external-body: a header, and a body of no meaning */
};

enum mime_kind {
	MIME_LEAF,		/* may be encoded */
	MIME_MULTIPART,		/* has parts */
	MIME_MESSAGE,		/* holds a message */
	MIME_EXTERNAL,		/* holds the header of a body that is elsewhere */
	MIME_SEALED,		/* signed or encrypted (RFC 1847), or a piece of a message (RFC
				 * 2046, 5.2.2): not an octet may change */
	MIME_RIGID		/* other message types, a multipart with a fault: to be encoded
				 * only where nothing else helps (RFC 2046, 5.2) */
};

enum mime_encoding {
	MIME_7BIT, MIME_8BIT, MIME_BINARY, MIME_QUOTED_PRINTABLE, MIME_BASE64,
	MIME_UNKNOWN		/* a private one, "x-..."; any other word counts as 8bit */
};

struct mime_entity {
	enum mime_place place;
	enum mime_kind kind;
	enum mime_encoding encoding;
	bool text;		/* type text/... */
	bool digest;		/* multipart/digest */
	bool global;		/* message/global...: a leaf that holds UTF-8 header fields */
	bool fields;		/* a report for programs: fields that are ASCII, and no more */
	bool has_version, has_type, has_encoding;	/* which fields are there */
	const char *fault;	/* why a multipart cannot be taken apart; NULL = nothing is wrong */
	size_t boundary_len;
	char boundary[MIME_BOUNDARY_MAX + 1];
};

/* Fills *out; a multipart without a boundary that can be used is MIME_RIGID with a fault. */
void mime_parse_header(const char *text, size_t len, enum mime_place place,
		       struct mime_entity *out);

/* One field of a header: its text with its end, length of the name, offset of the value. */
struct mime_field {
	const char *text;
	size_t len, name, value;
};

/* The field at *at, which is moved behind it; false at the end. A line without colon has name 0. */
bool mime_field_next(const char *text, size_t len, size_t *at, struct mime_field *out);

/* Is that the field's name (ASCII case ignored)? */
ATTR_PURE bool mime_field_is(const struct mime_field *f, const char *name);

/*
 * A parameter of Content-Type or Content-Disposition: name, value without
 * quotes but with its backslashes and folding. Lenient: a value without
 * quotes reaches to the next ';', blanks inside included.
 */
struct mime_param {
	const char *start, *end;	/* all of it, from behind ';' to the next one or the end */
	const char *name, *value;
	size_t name_len, value_len;
	bool quoted;
};

/* The first ';' outside comments and quotes in [p, end), or end. */
const char *mime_param_first(const char *p, const char *end);

/* The parameter behind the ';' at *p, which is moved to the next ';' or end; false at the end. */
bool mime_param_next(const char **p, const char *end, struct mime_param *out);

/* Appends the value with backslashes and line ends of folding taken away. */
void mime_param_value(const struct mime_param *param, struct strbuf *out);

/* Passes blanks, folding and comments. */
const char *mime_skip_cfws(const char *p, const char *end);

/* The end of the quoted-string that begins at p, at most end. */
const char *mime_skip_quoted(const char *p, const char *end);

/* The end of the comment that begins at p (RFC 5322, section 3.2.2), at most end. */
const char *mime_skip_comment(const char *p, const char *end);

#endif
