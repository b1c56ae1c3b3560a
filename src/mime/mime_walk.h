/*
 * One pass over a message as a tree of MIME entities (RFC 2046): headers,
 * contents, delimiters, in the order in which they stand. Streaming: memory
 * does not depend on the size.
 *
 * Entities are numbered from 0 (the message itself) in the order of their
 * headers; two passes over the same octets give the same numbers. A line is
 * a delimiter when it is "--", the boundary of a multipart that is open
 * (inner ones first), perhaps "--", and blanks; a longer line that begins
 * like one is not. A delimiter of an outer multipart ends all inner ones. The
 * CRLF before a delimiter belongs to it, and the last one of a message to a
 * delimiter that is missing. A line in a header that is neither
 * field nor continuation begins the content, as if an empty line stood
 * before it.
 */
#ifndef MIME_MIME_WALK_H
#define MIME_MIME_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct error;
struct mime_entity;
struct writer;

#define MIME_DEPTH_MAX 100	/* entities inside each other */
#define MIME_PARTS_MAX 10000	/* entities in all */

struct mime_walk_handler {
	/*
	 * A header is complete. blank: an empty line ends it; without, the
	 * next thing is a delimiter or the end.
	 */
	int (*header)(void *ctx, size_t id, const struct mime_entity *e, const char *text,
		      size_t len, bool blank, struct error *err);
	/*
	 * Octets of an entity's content: of a leaf, or what stands before and
	 * behind the parts of a multipart. A line end (CRLF) comes by itself;
	 * other CR and LF are within lines, and only in binary content.
	 */
	int (*content)(void *ctx, size_t id, const char *data, size_t n, struct error *err);
	/* A delimiter, or a line end next to one: goes out as it is. */
	int (*copy)(void *ctx, const char *data, size_t n, struct error *err);
	/* An entity has ended; parts: how many a multipart had. */
	int (*end)(void *ctx, size_t id, size_t parts, struct error *err);
};

/*
 * Reads w to its end and calls the handler. A multipart inside another with
 * the same boundary, and what is deeper than MIME_DEPTH_MAX, comes as one with
 * a fault. EX_DATAERR 5.6.0 when there are more parts than MIME_PARTS_MAX or
 * the header of one is larger than 2 MiB; or what a handler says.
 */
ATTR_CHECK int mime_walk(struct writer *w, const struct mime_walk_handler *handler, void *ctx,
			 struct error *err);

#endif
