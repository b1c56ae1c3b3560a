/*
 * The octets of a message for the wire: header with its edits, empty line,
 * body; lines end with CRLF and nothing else, no bare CR or LF, no NUL, for
 * any input. With dots doubled for DATA (RFC 5321, section 4.5.2) or as they
 * are for BDAT (RFC 3030). Pulled piece by piece; memory does not grow.
 */
#ifndef MESSAGE_WRITER_H
#define MESSAGE_WRITER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/attr.h"

struct edits;
struct error;
struct message;
struct writer;

enum writer_form {
	WRITER_PLAIN,		/* for BDAT, LMTP stores, previews */
	WRITER_DOTS		/* for DATA: dots doubled; ends with CRLF "." CRLF */
};

/* Both are borrowed and must outlive the writer; never NULL. */
struct writer *writer_new(const struct message *m, const struct edits *e, enum writer_form form);
void writer_free(struct writer *w);

/* Octets that WRITER_PLAIN will give in all. */
uint64_t writer_size(const struct writer *w);

/*
 * Up to n octets (n >= 16) into buf: how many, 0 at the end, -1 on failure
 * (EX_IOERR: the connection must then be closed).
 */
ATTR_CHECK ssize_t writer_read(struct writer *w, char *buf, size_t n, struct error *err);

/*
 * Reads over the octets that go out before the one at offset from, without dots:
 * 1 when a line begins there, 0 when not, or the message is shorter: nothing more
 * can be read then. -1 on failure.
 */
ATTR_CHECK int writer_skip(struct writer *w, uint64_t from, struct error *err);

#endif
