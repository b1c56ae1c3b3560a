/*
 * Between the files that make a notification: bounce.c (who is told, header,
 * parts), bounce_text.c (the words for people), bounce_status.c (the fields
 * for programs).
 */
#ifndef QUEUE_BOUNCE_PRIVATE_H
#define QUEUE_BOUNCE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "mime/mime_encode.h"
#include "queue/bounce.h"
#include "util/attr.h"
#include "util/strbuf.h"

struct message_reader;

#define BOUNCE_OUT_MAX ((size_t)4 * 1024 * 1024)

/* A notification that is being written. */
struct composer {
	const struct bounce *b;
	struct arena *arena;
	const char *host;	/* b->host if it can be one */
	const char *boundary;
	struct message_reader *reader;
	struct strbuf out;	/* not yet given to the reader */
	struct mime_encoder encoder;	/* of the part under way */
	struct strbuf field;	/* one that is being made */
	bool whole;		/* the message goes back, not its header alone */
	bool utf8;		/* the fields are in UTF-8 (RFC 6533) */
};

/* Has its time run out, though it is still open? */
bool bounce_expired(const struct bounce *b, size_t i);

/* The server that has answered, without its port; NULL when none has. */
const char *bounce_server(const struct bounce *b, size_t i, struct arena *a);

/* Octets of the part under way, encoded; now and then they go to the reader. */
ATTR_CHECK int bounce_put(struct composer *c, const char *data, size_t n, struct error *err);

/* Appends "name: value" with its line end, clean and folded. */
void bounce_add_field(struct strbuf *out, const char *name, const char *value, bool utf8);

/* Appends n octets of s with a '?' for each control, and for non-ASCII unless utf8. */
void bounce_add_clean(struct strbuf *out, const char *s, size_t n, bool utf8);

/* The text for people, at most some hundred recipients long; lines end with CRLF. */
void bounce_write_text(struct composer *c, struct strbuf *out);

/* The fields for programs, through bounce_put(). */
ATTR_CHECK int bounce_write_status(struct composer *c, struct error *err);

#endif
