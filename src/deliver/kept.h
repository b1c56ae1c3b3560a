/*
 * A message in a file without a name, as a program reads it from standard
 * input: lines end with LF. Memory does not grow with the message.
 */
#ifndef DELIVER_KEPT_H
#define DELIVER_KEPT_H

#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"
#include "util/strbuf.h"

struct error;

struct kept {
	int fd;			/* -1 = there is none */
	uint64_t size;		/* octets in it */
	struct strbuf pending;
};

#define KEPT_INIT { .fd = -1, .pending = STRBUF_INIT(65536) }

/* An empty one. EX_CANTCREAT when there is no place for it. */
ATTR_CHECK int kept_begin(struct kept *k, struct error *err);

/* Canonical octets, in any pieces. */
ATTR_CHECK int kept_write(struct kept *k, const char *data, size_t n, struct error *err);

/* All is there: k->fd stands at its beginning. */
ATTR_CHECK int kept_finish(struct kept *k, struct error *err);

/* Gives it back; kept_begin() may follow. */
void kept_release(struct kept *k);

#endif
