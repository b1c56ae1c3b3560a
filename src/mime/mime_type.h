/*
 * The media type of a file: by its first octets (libmagic, loaded when it is
 * there), else by its name: the shared MIME database (globs2 of
 * $XDG_DATA_HOME/mime and $XDG_DATA_DIRS/mime), /etc/mime.types, a small
 * table of our own. Where the octets only say "text" or "archive", a name
 * that says more goes before.
 */
#ifndef MIME_MIME_TYPE_H
#define MIME_MIME_TYPE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct arena;

#define MIME_TYPE_OCTETS "application/octet-stream"

/*
 * The type of a file with that name, which begins with the n octets of data:
 * "type/subtype" in lower case; MIME_TYPE_OCTETS when nothing tells it.
 * Never a multipart type.
 */
const char *mime_type_of(struct arena *a, const char *name, const char *data, size_t n);

/* The same by name only; NULL when nobody knows it. */
const char *mime_type_of_name(struct arena *a, const char *name);

/* What libmagic says; NULL when it is not there or does not know. */
const char *mime_magic_type(struct arena *a, const char *data, size_t n);

/* Is it "type/subtype" in lower case, of restricted names (RFC 6838, section 4.2)? */
ATTR_PURE bool mime_type_valid(const char *type);

/*
 * The type of name by the text of a globs2 file (lines WEIGHT:TYPE:GLOB[:FLAGS];
 * the heaviest, then the longest glob wins), and by that of a mime.types file
 * (lines TYPE [EXTENSION]...). Lines that are malformed are passed over. NULL
 * when none matches.
 */
const char *mime_type_in_globs(struct arena *a, const char *text, size_t len, const char *name);
const char *mime_type_in_table(struct arena *a, const char *text, size_t len, const char *name);

#endif
