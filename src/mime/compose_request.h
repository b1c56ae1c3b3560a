/*
 * What the command line says about the message itself: parts and header
 * fields. Plain data, filled by cli/, read by mime/compose.c and
 * prepare/user_headers.c. A zeroed one asks for nothing.
 */
#ifndef MIME_COMPOSE_REQUEST_H
#define MIME_COMPOSE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct arena;
struct error;

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

#endif
