#include "config.h"
#include "deliver/kept.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fs.h"

int kept_begin(struct kept *k, struct error *err)
{
	kept_release(k);
	return fs_temp_file(&k->fd, err);
}

static int cannot_keep(struct error *err)
{
	return error_errno(err, errno == ENOSPC || errno == EDQUOT ? FAULT_DISK_FULL :
			   FAULT_CANNOT_WRITE, "cannot keep a message for a program");
}

static int flush(struct kept *k, struct error *err)
{
	if (fs_write_all(k->fd, k->pending.buf, k->pending.len) < 0)
		return cannot_keep(err);
	k->size += k->pending.len;
	strbuf_reset(&k->pending);
	return 0;
}

/* Every CR belongs to a line end, and is left out. */
int kept_write(struct kept *k, const char *data, size_t n, struct error *err)
{
	while (n) {
		const size_t room = k->pending.limit - k->pending.len;
		const size_t part = n < room ? n : room;
		const char *cr = memchr(data, '\r', part);
		const size_t plain = cr ? (size_t)(cr - data) : part;

		strbuf_add(&k->pending, data, plain);
		if (k->pending.len == k->pending.limit && flush(k, err) < 0)
			return -1;
		data += plain + (cr != NULL);
		n -= plain + (cr != NULL);
	}
	return 0;
}

int kept_finish(struct kept *k, struct error *err)
{
	if (flush(k, err) < 0)
		return -1;
	return lseek(k->fd, 0, SEEK_SET) < 0 ? cannot_keep(err) : 0;
}

void kept_release(struct kept *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
	k->size = 0;
	strbuf_release(&k->pending);
}
