/* One entry: taken, read, changed, sent away. */
#include "config.h"
#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "message/message.h"
#include "queue/queue_private.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"

#define BLOCK ((size_t)64 * 1024)

enum { CLAIM_TRIES = 3 };

/* --- reading ------------------------------------------------------------------- */

/* n octets from offset at: as many as there are; -1 and errno. */
static ssize_t read_at(int fd, char *buf, size_t n, off_t at)
{
	size_t got = 0;

	while (got < n) {
		const ssize_t some = pread(fd, buf + got, n - got, at + (off_t)got);

		if (some < 0 && errno == EINTR)
			continue;
		if (some < 0)
			return -1;
		if (some == 0)
			break;
		got += (size_t)some;
	}
	return (ssize_t)got;
}

static int cannot_read(const struct queue *q, const char *id, struct error *err)
{
	return error_errno(err, FAULT_IO, "queue: cannot read %s/%s", q->store.path, id);
}

static int read_head(const struct queue *q, const char *id, int fd, struct arena *a,
		     struct entry *out, struct error *err)
{
	struct strbuf head = STRBUF_INIT(ENTRY_LINE_SIZE + ENTRY_ENVELOPE_MAX);
	char line[ENTRY_LINE_SIZE];
	ssize_t n = read_at(fd, line, sizeof(line), 0);
	size_t size;
	int rc = -1;

	if (n < 0)
		return cannot_read(q, id, err);
	if (entry_head_size(line, (size_t)n, &size, err) < 0)
		return error_prefix(err, "queue: %s", id);
	char *room = strbuf_reserve(&head, size);

	n = room ? read_at(fd, room, size, 0) : 0;
	if (n < 0)
		cannot_read(q, id, err);
	else if (entry_parse(room, (size_t)n, a, out, err) < 0)
		error_prefix(err, "queue: %s", id);
	else
		rc = 0;
	strbuf_release(&head);
	return rc;
}

static int read_entry(const struct queue *q, const char *id, int fd, struct arena *a,
		      struct entry *out, struct error *err)
{
	struct stat st;

	if (fs_check(fd, FS_REGULAR | FS_OWN_OR_ROOT | FS_NOT_OTHERS, id, err) < 0)
		return error_prefix(err, "queue");
	if (fstat(fd, &st) < 0)
		return cannot_read(q, id, err);
	if (read_head(q, id, fd, a, out, err) < 0)
		return -1;
	memcpy(out->id, id, ENTRY_ID_LEN + 1);
	if ((uint64_t)st.st_size != out->message_start + out->message_size)
		return error_set(err, FAULT_QUEUE_DAMAGED, "queue: %s: damaged: it has not the "
				 "size that it was written with", id);
	return 0;
}

/* O_RDWR: some file systems lock nothing that cannot be written. */
static int open_entry(int folder, const char *id)
{
	return openat(folder, id, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* No entry of that name, or one that cannot be read; by errno. */
static int cannot_open(const struct queue *q, const char *id, struct error *err)
{
	static const int absent[] = { ENOENT, ENOTDIR, EISDIR, ELOOP, ENXIO };

	for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
		if (errno == absent[i])
			return error_set(err, FAULT_NO_INPUT, "queue: there is no entry %s", id);
	}
	return cannot_read(q, id, err);
}

int queue_peek(struct queue *q, const char *id, struct arena *a, struct entry *out,
	       struct error *err)
{
	errno = ENOENT;
	int folder = queue_exists(q) && queue_is_id(id) ? queue_folder(q, id, false) : -1;
	int fd = folder < 0 ? -1 : open_entry(folder, id);
	int rc = fd < 0 ? cannot_open(q, id, err) :
		read_entry(q, id, fd, a, out, err);

	if (fd >= 0)
		close(fd);
	if (folder >= 0)
		close(folder);
	return rc;
}

/* --- taking ---------------------------------------------------------------------- */

/* Is the locked file still the one of that name? Who had it before may have written another. */
static bool is_current(int folder, const char *id, int fd)
{
	struct stat here, there;

	return fstat(fd, &here) == 0 && fstatat(folder, id, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
		here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

/* The locked file; -1: it is gone (errno is ENOENT), somebody has it (EWOULDBLOCK), or errno. */
static int lock_entry(int folder, const char *id)
{
	for (int i = 0; i < CLAIM_TRIES; i++) {
		int fd = open_entry(folder, id);

		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_current(folder, id, fd))
			return fd;
		const int why = errno;

		close(fd);
		errno = why;
		if (errno == EWOULDBLOCK)
			return -1;
	}
	errno = EWOULDBLOCK;
	return -1;
}

bool queue_is_claimed(const struct queue *q, const char *id)
{
	int folder = queue_exists(q) && queue_is_id(id) ? queue_folder(q, id, false) : -1;
	int fd = folder < 0 ? -1 : open_entry(folder, id);
	const bool claimed = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	if (folder >= 0)
		close(folder);
	return claimed;
}

/* If it was found damaged it is not tried again, but kept, and err says where. */
static void set_damaged_aside(struct queue_claim *c, struct error *err)
{
	struct error why;

	if (!err || !error_is(err, FAULT_QUEUE_DAMAGED))
		return;
	if (queue_set_aside(c, "corrupt", &why) < 0)
		error_append(err, "; %s", why.text);
	else
		error_append(err, "; it is kept in %s/corrupt", c->queue->store.path);
}

int queue_claim(struct queue *q, const char *id, struct queue_claim *out, struct error *err)
{
	struct queue_claim c = { .queue = q, .folder = -1, .fd = -1 };
	struct stat st;

	*out = (struct queue_claim)QUEUE_CLAIM_INIT;
	if (!queue_exists(q) || !queue_is_id(id))
		return 0;
	c.folder = queue_folder(q, id, false);
	c.fd = c.folder < 0 ? -1 : lock_entry(c.folder, id);
	if (c.fd < 0) {
		const int rc = errno == ENOENT || errno == EWOULDBLOCK ? 0 :
			cannot_read(q, id, err);

		queue_release(&c);
		return rc;
	}
	entry_init(&c.entry, arena_new());
	memcpy(c.entry.id, id, ENTRY_ID_LEN + 1);
	c.due_ms = fstat(c.fd, &st) == 0 ? queue_due_time(&st) : 0;
	if (read_entry(q, id, c.fd, c.entry.arena, &c.entry, err) == 0) {
		*out = c;
		return 1;
	}
	set_damaged_aside(&c, err);
	queue_release(&c);
	return -1;
}

void queue_release(struct queue_claim *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->folder >= 0)
		close(c->folder);
	arena_free(c->entry.arena);
	*c = (struct queue_claim)QUEUE_CLAIM_INIT;
}

static int check_sum(const struct queue_claim *c, struct error *err)
{
	const struct entry *e = &c->entry;
	uint64_t sum = ENTRY_SUM_INIT, left = e->message_size;
	off_t at = (off_t)e->message_start;
	char block[BLOCK / 4];

	while (left) {
		const size_t want = left < sizeof(block) ? (size_t)left : sizeof(block);
		const ssize_t n = read_at(c->fd, block, want, at);

		if (n < 0)
			return cannot_read(c->queue, e->id, err);
		if ((size_t)n < want)
			break;
		sum = entry_sum(sum, block, want);
		at += n;
		left -= want;
	}
	if (left == 0 && sum == e->message_sum)
		return 0;
	return error_set(err, FAULT_QUEUE_DAMAGED, "queue: %s: damaged: the message has not the "
			 "sum that it was written with", e->id);
}

int queue_message(struct queue_claim *c, struct message **out, struct error *err)
{
	const struct message_options opt = { .dots_ignored = true, .wire = true,
					     .binary = c->entry.binary, .large_header = true };

	if (check_sum(c, err) < 0) {
		set_damaged_aside(c, err);
		return -1;
	}
	if (lseek(c->fd, (off_t)c->entry.message_start, SEEK_SET) < 0)
		return cannot_read(c->queue, c->entry.id, err);
	return message_read_fd(c->fd, &opt, out, err);
}

void queue_put_off(struct queue_claim *c, int64_t until_ms)
{
	(void)!queue_set_due(c->fd, until_ms, &c->entry);
}

/* --- changing ----------------------------------------------------------------------- */

/* The message of the old file behind the new first line and envelope. */
static int copy_message(const struct queue_claim *c, uint64_t from, int to)
{
	uint64_t left = c->entry.message_size;
	char block[BLOCK / 4];

	while (left) {
		const size_t want = left < sizeof(block) ? (size_t)left : sizeof(block);
		const ssize_t n = read_at(c->fd, block, want, (off_t)from);

		if (n <= 0) {
			errno = n < 0 ? errno : EIO;
			return -1;
		}
		if (fs_write_all(to, block, (size_t)n) < 0)
			return -1;
		from += (uint64_t)n;
		left -= (uint64_t)n;
	}
	return 0;
}

/* The new file is locked before it has the name, so that nobody comes in between. */
static int replace(struct queue_claim *c, const struct strbuf *head, uint64_t from, int tmp)
{
	struct store_file f = { .fd = -1 };
	int fd = -1, rc;

	if (store_begin(&f, tmp, NULL, 0600) < 0)
		return -1;
	if (fs_write_all(f.fd, head->buf, head->len) < 0 || copy_message(c, from, f.fd) < 0 ||
	    queue_set_due(f.fd, queue_due_of(&c->entry), &c->entry) < 0 ||
	    flock(f.fd, LOCK_EX | LOCK_NB) < 0 || (fd = fcntl(f.fd, F_DUPFD_CLOEXEC, 3)) < 0) {
		store_abort(&f);
		return -1;
	}
	rc = store_commit(&f, c->folder, c->entry.id, STORE_REPLACE);
	const int why = errno;

	/* when the folder alone could not be synced, the new one is in its place all the same */
	if (rc == 0 || is_current(c->folder, c->entry.id, fd)) {
		close(c->fd);
		c->fd = fd;
	} else {
		close(fd);
	}
	errno = why;
	return rc;
}

/*
 * There is no room for a new file: who has got the message is noted in the old
 * one, at the same length, so that nobody gets it with every try.
 */
static void mark_in_place(const struct queue_claim *c, size_t n)
{
	struct strbuf head = STRBUF_INIT(ENTRY_LINE_SIZE + ENTRY_ENVELOPE_MAX);
	char *room = strbuf_reserve(&head, n);

	if (room && read_at(c->fd, room, n, 0) == (ssize_t)n &&
	    entry_mark_done(&c->entry, room, n) && pwrite(c->fd, room, n, 0) == (ssize_t)n)
		(void)!fsync(c->fd);
	(void)!queue_set_due(c->fd, queue_due_of(&c->entry), &c->entry);
	strbuf_release(&head);
}

int queue_update(struct queue_claim *c, struct error *err)
{
	struct strbuf head = STRBUF_INIT(2 * ENTRY_ENVELOPE_MAX);
	const uint64_t from = c->entry.message_start;
	int tmp = store_open_below(c->queue->store.fd, "tmp");
	int rc = tmp < 0 ? queue_fault(c->queue, "tmp", err) : entry_write(&c->entry, &head, err);

	if (rc == 0 && replace(c, &head, from, tmp) < 0)
		rc = queue_fault(c->queue, c->entry.id, err);
	if (rc == 0)
		queue_count(c->queue, (int64_t)c->entry.message_start - (int64_t)from);
	else
		mark_in_place(c, c->entry.message_start = from);
	if (tmp >= 0)
		close(tmp);
	strbuf_release(&head);
	return rc;
}

static void count_out(const struct queue_claim *c)
{
	struct stat st;

	if (fstat(c->fd, &st) == 0)
		queue_count(c->queue, -(int64_t)st.st_size);
}

static int cannot_remove(const struct queue *q, const char *id, struct error *err)
{
	return error_errno(err, FAULT_IO, "queue: cannot remove %s/%s", q->store.path, id);
}

int queue_remove_soon(struct queue_claim *c, struct error *err)
{
	struct queue *q = c->queue;
	const unsigned folder = (unsigned)strtoul(c->entry.id + ENTRY_ID_LEN - 2, NULL, 16);
	struct stat st;

	if (unlinkat(c->folder, c->entry.id, 0) < 0)
		return cannot_remove(q, c->entry.id, err);
	if (fstat(c->fd, &st) == 0)
		q->removed_octets += (uint64_t)st.st_size;
	q->unsynced[folder / 32] |= (uint32_t)1 << folder % 32;
	if (q->removed++ == 0)
		q->removed_ms = clock_ms();
	return q->removed < QUEUE_UNSYNCED_MAX ? 0 : queue_sync(q, err);
}

int queue_sync(struct queue *q, struct error *err)
{
	int rc = 0;

	for (unsigned i = 0; q->removed && i < 256; i++) {
		char name[ENTRY_ID_LEN + 1];

		if (!(q->unsynced[i / 32] >> i % 32 & 1))
			continue;
		snprintf(name, sizeof(name), "%0*X", ENTRY_ID_LEN, i);
		const int folder = queue_folder(q, name, false);

		if (folder < 0 || fsync(folder) < 0)
			rc = cannot_remove(q, name + ENTRY_ID_LEN - 2, err);
		if (folder >= 0)
			close(folder);
	}
	if (q->removed_octets)
		queue_count(q, -(int64_t)q->removed_octets);
	memset(q->unsynced, 0, sizeof(q->unsynced));
	q->removed_octets = q->removed = 0;
	return rc;
}

int queue_sync_older(struct queue *q, int milliseconds, struct error *err)
{
	return q->removed && clock_ms() - q->removed_ms >= milliseconds ? queue_sync(q, err) : 0;
}

int queue_remove(struct queue_claim *c, struct error *err)
{
	return queue_remove_soon(c, err) < 0 ? -1 : queue_sync(c->queue, err);
}

int queue_set_aside(struct queue_claim *c, const char *folder, struct error *err)
{
	int to = store_open_below(c->queue->store.fd, folder);
	int rc = to < 0 ? -1 : renameat(c->folder, c->entry.id, to, c->entry.id);

	if (rc == 0 && (fsync(to) < 0 || fsync(c->folder) < 0))
		rc = -1;
	if (rc == 0)
		count_out(c);
	else
		error_errno(err, FAULT_IO, "queue: cannot move %s to %s/%s", c->entry.id,
			    c->queue->store.path, folder);
	if (to >= 0)
		close(to);
	return rc;
}
