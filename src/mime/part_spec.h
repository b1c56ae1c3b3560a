/*
 * What an option says about one part of a message that is to be written:
 * FILE[,KEY=VALUE]..., where ';' does as well as ',', and a backslash takes
 * the meaning from the character behind it.
 */
#ifndef MIME_PART_SPEC_H
#define MIME_PART_SPEC_H

#include <stdbool.h>

#include "util/attr.h"

struct arena;
struct error;

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

#endif
