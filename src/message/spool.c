#include "config.h"
#include "message/spool.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define BLOCK ((size_t)16 * 1024)

/*
 * The first "stored" octets lie in the file, the others in memory. So a
 * spool that has passed SPOOL_MEMORY is written in large pieces, whatever
 * the pieces are in which it comes. When there is no file to be had, or no
 * room in it, all that comes from then on stays in memory.
 */
struct spool {
	struct strbuf memory;
	int fd;			/* -1 = no file yet */
	bool borrowed;		/* fd is the caller's, read in place */
	off_t base;		/* offset in fd at which the spool begins */
	uint64_t stored;
	struct error no_file;	/* why no more goes into a file; exit 0 = it does */
};

struct spool *spool_new(void)
{
	struct spool *s = xmalloc(sizeof(*s));

	*s = (struct spool){ .memory = STRBUF_INIT(SPOOL_MEMORY_MAX), .fd = -1 };
	return s;
}

void spool_free(struct spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0 && !s->borrowed)
		close(s->fd);
	strbuf_release(&s->memory);
	xfree(s);
}

static int store(struct spool *s, const void *data, size_t n, struct error *err)
{
	if (s->fd < 0 && fs_temp_file(&s->fd, err))
		return -1;
	if (fs_write_all(s->fd, data, n))
		return error_errno(err, FAULT_SPOOL,
				   "cannot write the message to a temporary file");
	s->stored += n;
	return 0;
}

/* What lies in memory, and n octets more, go into the file; false where that fails. */
static bool flush(struct spool *s, const void *data, size_t n)
{
	if (s->memory.len && store(s, s->memory.buf, s->memory.len, &s->no_file))
		return false;
	strbuf_reset(&s->memory);
	return !n || store(s, data, n, &s->no_file) == 0;
}

int spool_add(struct spool *s, const void *data, size_t n, struct error *err)
{
	if (!s->no_file.exit && n > SPOOL_MEMORY - s->memory.len) {
		const bool large = n > SPOOL_MEMORY;

		if (flush(s, data, large ? n : 0) && large)
			return 0;
	}
	if (s->no_file.exit && n > SPOOL_MEMORY_MAX - s->memory.len) {
		if (err)
			*err = s->no_file;
		return error_append(err, ", and without one a message of more than %zu MiB "
				    "has no room", SPOOL_MEMORY_MAX >> 20);
	}
	strbuf_add(&s->memory, data, n);
	return 0;
}

bool spool_in_place(struct spool *s, int fd)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	off_t at = lseek(fd, 0, SEEK_CUR);

	/* Files that show no size (in /proc) have to be read to be known. */
	if (at < 0 || st.st_size <= at)
		return false;
	/* As if it had been read: what runs next in a script finds its end. */
	if (lseek(fd, st.st_size, SEEK_SET) < 0)
		return false;
	s->fd = fd;
	s->borrowed = true;
	s->base = at;
	s->stored = (uint64_t)(st.st_size - at);
	return true;
}

uint64_t spool_size(const struct spool *s)
{
	return s->stored + s->memory.len;
}

static ssize_t read_file(const struct spool *s, uint64_t offset, void *buf, size_t n,
			 struct error *err)
{
	ssize_t got;

	if (n > s->stored - offset)
		n = (size_t)(s->stored - offset);
	do {
		got = pread(s->fd, buf, n, s->base + (off_t)offset);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_errno(err, FAULT_IO, "cannot read the message again");
	if (got == 0)
		return error_set(err, FAULT_IO,
				 "the file of the message became shorter while it was read");
	return got;
}

ssize_t spool_read(const struct spool *s, uint64_t offset, void *buf, size_t n, struct error *err)
{
	size_t there;

	if (n && offset < s->stored)
		return read_file(s, offset, buf, n, err);
	const char *data = spool_peek(s, offset, &there);

	if (!data)
		return 0;
	if (n > there)
		n = there;
	memcpy(buf, data, n);
	return (ssize_t)n;
}

int spool_each(const struct spool *s, uint64_t from, uint64_t to,
	       int (*take)(void *ctx, const char *data, size_t n, struct error *err), void *ctx,
	       struct error *err)
{
	char block[BLOCK];
	int rc = 0;

	while (rc == 0 && from < to) {
		const size_t want = to - from < sizeof(block) ? (size_t)(to - from) : sizeof(block);
		ssize_t n = spool_read(s, from, block, want, err);

		if (n <= 0)
			return (int)n;
		from += (uint64_t)n;
		rc = take(ctx, block, (size_t)n, err);
	}
	return rc < 0 ? -1 : 0;
}

const char *spool_peek(const struct spool *s, uint64_t offset, size_t *n_out)
{
	if (offset < s->stored || offset > spool_size(s))
		return NULL;
	size_t skip = (size_t)(offset - s->stored);

	*n_out = s->memory.len - skip;
	return s->memory.buf + skip;
}
