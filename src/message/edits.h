/*
 * What is to be changed in the header when the message is written out: the
 * message itself stays as it came, so that a retry, a second server and the
 * queue all see the same octets.
 */
#ifndef MESSAGE_EDITS_H
#define MESSAGE_EDITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

struct arena;
struct error;
struct message;
struct strbuf;

/* One per header field of the message. */
struct edit {
	bool drop;
	const char *text;	/* NULL = as it is; else the whole new field, canonical */
};

struct edits {
	struct arena *arena;
	struct edit *field;	/* message->header.n of them */
	size_t n;
	const char **added;	/* whole canonical fields, written before the message's own */
	size_t added_n, added_alloc;
};

/* No change to m; lives in arena a. */
void edits_init(struct edits *e, struct arena *a, const struct message *m);

/* Leaves out field i. */
void edits_drop(struct edits *e, size_t i);

/*
 * Puts a copy of text ("Name: value", canonical, with CRLF) in place of field
 * i. A CR or LF in it that is not of a fold becomes a blank, so that it stays
 * one field whatever it holds.
 */
void edits_replace(struct edits *e, size_t i, const char *text);

/*
 * Adds "name: value" in front of the header, behind those added before.
 * Refused (EX_DATAERR 5.6.0) when name or value holds CR, LF, NUL.
 */
ATTR_CHECK int edits_add(struct edits *e, const char *name, const char *value, struct error *err);

/* Appends the header as it will be written, with the empty line that ends it. */
void edits_write_header(const struct edits *e, const struct message *m, struct strbuf *out);

/* Octets of the whole message on the wire: header, empty line, body; no dot-stuffing. */
uint64_t edits_wire_size(const struct edits *e, const struct message *m);


/* Has the header, as it will be written, an octet above 127? */
bool edits_header_8bit(const struct edits *e, const struct message *m);

/*
 * Walks over the fields as they will be written: *at begins with 0. The text
 * of the next one and *len_out, NULL at the end. With edits_set_text() the
 * field that was returned last gets another text; it must be canonical and
 * live as long as e.
 */
const char *edits_next(const struct edits *e, const struct message *m, size_t *at,
		       size_t *len_out);
void edits_set_text(struct edits *e, size_t at, const char *text);

/* A copy of e in arena a that can be changed without touching e; texts are shared. */
void edits_copy(struct edits *to, const struct edits *e, struct arena *a);

#endif
