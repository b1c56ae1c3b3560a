/*
 * The octets of a message as they came: readable many times, at any offset.
 *
 * Up to SPOOL_MEMORY octets are in memory, more go to a temporary file
 * without a name; a regular file is not copied but read in place, from
 * the offset at which it stood to the size it had then. Memory does not grow
 * with the message, unless no such file can be made or it finds no room (a
 * read-only root, a full disk): then SPOOL_MEMORY_MAX octets may be in memory.
 */
#ifndef MESSAGE_SPOOL_H
#define MESSAGE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/attr.h"

struct error;
struct spool;

#define SPOOL_MEMORY ((size_t)256 * 1024)
#define SPOOL_MEMORY_MAX ((size_t)64 * 1024 * 1024)

/* An empty spool; never NULL. */
struct spool *spool_new(void);
void spool_free(struct spool *s);

/*
 * Appends octets (not to a spool that reads a file in place). EX_IOERR,
 * EX_CANTCREAT when neither file nor memory takes them.
 */
ATTR_CHECK int spool_add(struct spool *s, const void *data, size_t n, struct error *err);

/*
 * Reads fd in place if it is a regular file (seekable): the spool then is
 * [current offset, size). false when it is something else; then the caller
 * reads it and calls spool_add(). The descriptor stays the caller's and must
 * stay open; its offset is moved to the end, as if it had been read.
 */
bool spool_in_place(struct spool *s, int fd);

/* Octets in the spool. */
uint64_t spool_size(const struct spool *s);

/*
 * Up to n octets from offset into buf: the number read (0 only at the end).
 * EX_IOERR also when a file read in place became shorter.
 */
ATTR_CHECK ssize_t spool_read(const struct spool *s, uint64_t offset, void *buf, size_t n,
			      struct error *err);

/*
 * Hands the octets [from, to) in blocks to take: 0 = go on, 1 = enough, -1 = failed,
 * with err. Errors of spool_read().
 */
ATTR_CHECK int spool_each(const struct spool *s, uint64_t from, uint64_t to,
			  int (*take)(void *ctx, const char *data, size_t n, struct error *err),
			  void *ctx, struct error *err);

/*
 * The octets from offset on without a copy, if they are in memory: their
 * address, and how many in *n_out; NULL if they are in a file.
 */
const char *spool_peek(const struct spool *s, uint64_t offset, size_t *n_out);

#endif
