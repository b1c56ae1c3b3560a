#include "config.h"
#include "queue/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "message/edits.h"
#include "message/message.h"
#include "message/writer.h"
#include "queue/queue_private.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define ID_DIGITS "0123456789ABCDEF"
#define BLOCK ((size_t)64 * 1024)
#define USAGE_WAIT_MS 1000
#define USAGE_SIZE 21			/* digits and LF */
#define STALE_SECONDS (36 * 3600L)
#define FOLDERS 256
#define PENDING "pending"

enum { ID_TRIES = 5 };

/* --- opening ----------------------------------------------------------------- */

int queue_open(struct queue *q, const char *path, bool make, struct error *err)
{
	struct strbuf place = STRBUF_INIT((size_t)1 << 16);
	int rc = 0;

	*q = (struct queue)QUEUE_INIT;
	if (path) {
		strbuf_addstr(&place, path);
	} else if (store_state_path(&place) == 0) {
		strbuf_addstr(&place, "/queue");
	} else if (make) {
		rc = error_set(err, FAULT_CANNOT_WRITE, "there is no folder for a queue: set "
			       "queue_dir");
	}
	if (rc == 0 && place.len)
		rc = store_open(&q->store, place.buf, make, err);
	strbuf_release(&place);
	return rc < 0 ? error_prefix(err, "queue") : 0;
}

void queue_close(struct queue *q)
{
	store_close(&q->store);
}

bool queue_exists(const struct queue *q)
{
	return q->store.fd >= 0;
}

int queue_fault(const struct queue *q, const char *id, struct error *err)
{
	store_fault(err, q->store.path, id);
	return error_prefix(err, "queue");
}

bool queue_is_id(const char *id)
{
	return strlen(id) == ENTRY_ID_LEN && strspn(id, ID_DIGITS) == ENTRY_ID_LEN;
}

int queue_folder(const struct queue *q, const char *id, bool make)
{
	const char *name = id + ENTRY_ID_LEN - 2;
	const int fd = openat(q->store.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	/* never one that the runner would not go into */
	return fd < 0 && errno == ENOENT && make ? store_open_below(q->store.fd, name) : fd;
}

/* --- how much there is ---------------------------------------------------------- */

/* It is made where it is missing; -1 = what there is cannot be known. */
static int usage_open(const struct queue *q)
{
	return openat(q->store.fd, "usage", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int usage_read(int fd, uint64_t *out)
{
	char text[USAGE_SIZE + 1] = "";

	if (fd < 0 || pread(fd, text, USAGE_SIZE, 0) < 0)
		return -1;
	*out = strtoull(text, NULL, 10);
	return 0;
}

/* Locked for a moment, until it is closed. */
static int usage_lock(int fd, uint64_t *out)
{
	return fd < 0 || fs_lock(fd, "usage", USAGE_WAIT_MS, NULL) < 0 ? -1 : usage_read(fd, out);
}

/* It is an estimate, made right by queue_each(): what goes wrong here is no failure. */
static void usage_write(int fd, uint64_t octets)
{
	char text[USAGE_SIZE + 1];

	snprintf(text, sizeof(text), "%020" PRIu64 "\n", octets);
	(void)!pwrite(fd, text, USAGE_SIZE, 0);
}

static void usage_change(int fd, int64_t change)
{
	uint64_t now;

	if (usage_lock(fd, &now) == 0)
		usage_write(fd, change < 0 && now < (uint64_t)-change ? 0 : now + (uint64_t)change);
}

static void usage_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

void queue_count(const struct queue *q, int64_t change)
{
	const int fd = usage_open(q);

	usage_change(fd, change);
	usage_close(fd);
}

/* Who reads while another one writes may see a part of both: who refuses has read it alone. */
static int check_room(const struct queue *q, int usage, uint64_t size, uint64_t max,
		      struct error *err)
{
	uint64_t now = 0;

	if (!max || usage_read(usage, &now) < 0 || (now <= max && size <= max - now) ||
	    usage_lock(usage, &now) < 0)
		return 0;
	(void)flock(usage, LOCK_UN);
	if (now <= max && size <= max - now)
		return 0;
	return error_set(err, FAULT_QUEUE_FULL, "the queue %s is full: %" PRIu64
			 " octets wait, and queue_max_bytes is %" PRIu64, q->store.path, now, max);
}

/* --- adding ------------------------------------------------------------------------ */

static int make_id(char id[ENTRY_ID_LEN + 1])
{
	uint64_t salt;

	if (getrandom(&salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
		return -1;
	salt &= ((uint64_t)1 << QUEUE_ID_RANDOM_BITS) - 1;
	snprintf(id, ENTRY_ID_LEN + 1, "%016" PRIX64,
		 (uint64_t)datetime_now() << QUEUE_ID_RANDOM_BITS | salt);
	return 0;
}

int64_t queue_id_ms(const char *id)
{
	return (int64_t)(strtoull(id, NULL, 16) >> QUEUE_ID_RANDOM_BITS);
}

static int pwrite_all(int fd, const char *data, size_t n)
{
	off_t at = 0;

	while (n) {
		const ssize_t done = pwrite(fd, data, n, at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -1;
		data += done;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

/* The message behind what is in out, which is written when it is a block; sums are noted. */
static int put_message(int fd, struct entry *e, struct writer *w, struct strbuf *out,
		       bool *flushed, struct error *err)
{
	char *block = xmalloc(BLOCK / 4);
	ssize_t n;
	int rc = 0;

	e->message_size = 0;
	e->message_sum = ENTRY_SUM_INIT;
	while (rc == 0 && (n = writer_read(w, block, BLOCK / 4, err)) != 0) {
		if (n < 0) {
			rc = -1;
			break;
		}
		e->message_size += (uint64_t)n;
		e->message_sum = entry_sum(e->message_sum, block, (size_t)n);
		strbuf_add(out, block, (size_t)n);
		if (out->len < BLOCK)
			continue;
		if (fs_write_all(fd, out->buf, out->len) < 0)
			rc = error_errno(err, FAULT_IO, "cannot write");
		strbuf_reset(out);
		*flushed = true;
	}
	xfree(block);
	return rc;
}

/* First line and envelope are known when the message is written: they go in front of it. */
static int put_entry(int fd, struct entry *e, const struct message *m, const struct edits *edits,
		     struct error *err)
{
	struct strbuf out = STRBUF_INIT(2 * ENTRY_ENVELOPE_MAX), head = out;
	struct writer *w = writer_new(m, edits, WRITER_PLAIN);
	bool flushed = false;
	int rc = entry_write(e, &out, err);

	if (rc == 0)
		rc = put_message(fd, e, w, &out, &flushed, err);
	if (rc == 0)
		rc = entry_write(e, &head, err);
	if (rc == 0 && !flushed)
		memcpy(out.buf, head.buf, head.len);
	if (rc == 0 && (fs_write_all(fd, out.buf, out.len) < 0 ||
			(flushed && pwrite_all(fd, head.buf, head.len) < 0)))
		rc = error_errno(err, FAULT_IO, "cannot write");
	writer_free(w);
	strbuf_release(&out);
	strbuf_release(&head);
	return rc;
}

/* 1 to 999,999: what fits behind the milliseconds of a time. */
static long mark_of(const struct entry *e)
{
	const char *file = e->config_file ? e->config_file : "";
	uint64_t sum = entry_sum(ENTRY_SUM_INIT, file, strlen(file) + 1);

	sum = entry_sum(sum, e->no_files ? "1" : "0", 1);
	for (size_t i = 0; i < e->setting_n; i++) {
		sum = entry_sum(sum, e->setting[i].key, strlen(e->setting[i].key) + 1);
		sum = entry_sum(sum, e->setting[i].value, strlen(e->setting[i].value) + 1);
	}
	if (e->account)
		sum = entry_sum(sum, e->account, strlen(e->account) + 1);
	return (long)(sum % 999999) + 1;
}

int queue_set_due(int fd, int64_t ms, const struct entry *e)
{
	const int64_t latest = datetime_now() + QUEUE_HELD_MS;
	const struct timespec due = {
		.tv_sec = (time_t)((ms < latest ? ms : latest) / 1000),
		.tv_nsec = (ms < latest ? ms : latest) % 1000 * 1000000 + mark_of(e)
	};
	const struct timespec times[2] = { due, due };

	return futimens(fd, times);
}

int64_t queue_due_of(const struct entry *e)
{
	return e->held ? INT64_MAX : e->next_ms > e->arrival_ms ? e->next_ms : e->arrival_ms;
}

/* All of it, and when it is due, into a file that has no name yet. */
static int write_entry(const struct queue *q, struct entry *e, const struct message *m,
		       const struct edits *edits, struct store_file *f, struct error *err)
{
	if (put_entry(f->fd, e, m, edits, err) < 0)
		return error_is(err, FAULT_IO) ? queue_fault(q, "tmp", err) : -1;
	return queue_set_due(f->fd, queue_due_of(e), e) < 0 ? queue_fault(q, "tmp", err) : 0;
}

/* An id that nobody has, and the folder that it is for; -1 and errno. */
static int choose_id(const struct queue *q, char id[ENTRY_ID_LEN + 1])
{
	for (int i = 0; i < ID_TRIES; i++) {
		const int folder = make_id(id) < 0 ? -1 : queue_folder(q, id, true);

		if (folder < 0 || faccessat(folder, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			return folder;
		close(folder);
	}
	errno = EEXIST;
	return -1;
}

static int commit(struct queue *q, struct store_file *f, struct entry *e)
{
	const int folder = choose_id(q, e->id);

	if (folder < 0)
		return -1;
	const int rc = store_commit(f, folder, e->id, STORE_NEW), why = errno;

	close(folder);
	errno = why;
	return rc;
}

/* So many octets more, and who watches the folder "tmp" sees that there is work. */
static void note_work(const struct queue *q, int usage, int64_t octets)
{
	(void)utimensat(q->store.fd, "tmp", NULL, AT_SYMLINK_NOFOLLOW);
	usage_change(usage, octets);
}

int queue_add(struct queue *q, struct entry *e, const struct message *m,
	      const struct edits *edits, uint64_t max_bytes, struct error *err)
{
	const uint64_t size = edits_wire_size(edits, m);
	struct store_file f = { .fd = -1 };

	if (size - m->body_size > MESSAGE_HEADER_MOST)
		return error_set(err, FAULT_INPUT_TOO_LARGE, "the header is too large for the "
				 "queue");
	const int usage = usage_open(q);

	if (check_room(q, usage, size, max_bytes, err) < 0) {
		usage_close(usage);
		return -1;
	}
	e->binary = m->body_binary;
	int tmp = store_open_below(q->store.fd, "tmp");
	int rc = tmp < 0 || store_begin_locked(&f, tmp, 0600) < 0 ? queue_fault(q, "tmp", err) :
		write_entry(q, e, m, edits, &f, err);

	if (rc == 0 && commit(q, &f, e) < 0)
		rc = queue_fault(q, *e->id ? e->id : NULL, err);
	store_abort(&f);
	if (tmp >= 0)
		close(tmp);
	if (rc == 0)
		note_work(q, usage, (int64_t)(e->message_start + e->message_size));
	else
		*e->id = '\0';
	usage_close(usage);
	return rc;
}

/* A folder of the queue, to be read; NULL and errno. */
static DIR *open_folder(const struct queue *q, const char *name)
{
	int fd = openat(q->store.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

/* --- notifications under way ------------------------------------------------------- */

int queue_stage(struct queue *q, struct entry *e, const struct message *m,
		const struct edits *edits, const char *name, struct error *err)
{
	struct store_file f = { .fd = -1 };
	int tmp = store_open_below(q->store.fd, "tmp");
	int pending = store_open_below(q->store.fd, PENDING);

	e->binary = m->body_binary;
	int rc = tmp < 0 || store_begin(&f, tmp, NULL, 0600) < 0 ? queue_fault(q, "tmp", err) :
		write_entry(q, e, m, edits, &f, err);

	if (rc == 0 && (pending < 0 || store_commit(&f, pending, name, STORE_REPLACE) < 0))
		rc = queue_fault(q, PENDING, err);
	store_abort(&f);
	if (pending >= 0)
		close(pending);
	if (tmp >= 0)
		close(tmp);
	return rc;
}

/*
 * To a name that nobody has; -1 and errno. Synced there first: what is in both
 * places after a power cut is told twice, and not never.
 */
static int give_id(const struct queue *q, int pending, const char *name)
{
	char id[ENTRY_ID_LEN + 1];
	const int folder = choose_id(q, id);

	if (folder < 0)
		return -1;
	const int rc = renameat(pending, name, folder, id) < 0 || fsync(folder) < 0 ||
		fsync(pending) < 0 ? -1 : 0;
	const int why = errno;

	close(folder);
	errno = why;
	return rc;
}

static void note_admitted(const struct queue *q, int64_t octets)
{
	const int usage = usage_open(q);

	note_work(q, usage, octets);
	usage_close(usage);
}

int queue_admit(struct queue *q, const char *name, struct error *err)
{
	struct stat st;
	int pending = openat(q->store.fd, PENDING, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc = pending < 0 ? -1 : fstatat(pending, name, &st, AT_SYMLINK_NOFOLLOW);

	if (rc < 0 && errno == ENOENT)
		rc = 0;
	else if (rc < 0 || give_id(q, pending, name) < 0)
		rc = queue_fault(q, PENDING, err);
	else
		note_admitted(q, st.st_size);
	if (pending >= 0)
		close(pending);
	return rc;
}

/* Those of entries that are gone are nobody's: they were written, and the entry was not. */
static void clean_pending(const struct queue *q)
{
	DIR *dir = queue_exists(q) ? open_folder(q, PENDING) : NULL;
	const struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char id[ENTRY_ID_LEN + 1] = "";
		int folder;

		memcpy(id, d->d_name, strnlen(d->d_name, ENTRY_ID_LEN));
		if (!queue_is_id(id))
			continue;
		folder = queue_folder(q, id, false);
		if (folder < 0 ? errno == ENOENT :
		    faccessat(folder, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			(void)unlinkat(dirfd(dir), d->d_name, 0);
		if (folder >= 0)
			close(folder);
	}
	if (dir)
		closedir(dir);
}

/* --- all entries ----------------------------------------------------------------- */

/*
 * Names in a folder that may be ids, a heap with the smallest in front: who
 * stops after a few has not paid for the order, nor for a look, of all.
 */
struct listing {
	struct arena *arena;
	struct name {
		char c[ENTRY_ID_LEN];
	} *name;
	size_t n, alloc;
};

void queue_add_key_name(struct strbuf *out, const char *key)
{
	struct strbuf text = STRBUF_INIT(strlen(key) + 1);

	strbuf_addstr(&text, key);
	store_name(out, "", &text);
	strbuf_release(&text);
}

int64_t queue_due_time(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static bool is_before(const struct name *a, const struct name *b)
{
	return memcmp(a->c, b->c, sizeof(a->c)) < 0;
}

/* Lets the name at place i sink to where it belongs. */
static void sink(struct listing *l, size_t i)
{
	const struct name name = l->name[i];
	size_t child;

	while ((child = 2 * i + 1) < l->n) {
		if (child + 1 < l->n && is_before(&l->name[child + 1], &l->name[child]))
			child++;
		if (!is_before(&l->name[child], &name))
			break;
		l->name[i] = l->name[child];
		i = child;
	}
	l->name[i] = name;
}

static void list_folder(DIR *dir, struct listing *l)
{
	const struct dirent *d;

	while ((d = readdir(dir))) {
		if (strlen(d->d_name) != ENTRY_ID_LEN)
			continue;
		if (l->n == l->alloc)
			l->name = arena_grow(l->arena, l->name, l->n, &l->alloc, sizeof(*l->name));
		memcpy(l->name[l->n++].c, d->d_name, ENTRY_ID_LEN);
	}
	for (size_t i = l->n / 2; i-- > 0; )
		sink(l, i);
}

/* Takes the next one out: 1, and what the folder says of it; 0 when it is gone or no entry. */
static int next_item(int folder, struct listing *l, struct queue_item *out)
{
	struct stat st;

	memcpy(out->id, l->name[0].c, ENTRY_ID_LEN);
	out->id[ENTRY_ID_LEN] = '\0';
	l->name[0] = l->name[--l->n];
	if (l->n)
		sink(l, 0);
	if (!queue_is_id(out->id) || fstatat(folder, out->id, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return 0;
	out->due_ms = queue_due_time(&st);
	out->mark = (unsigned)(st.st_mtim.tv_nsec % 1000000);
	out->size = (uint64_t)st.st_size;
	out->inode = (uint64_t)st.st_ino;
	return 1;
}

static int cannot_list(const struct queue *q, const char *name, struct error *err)
{
	return error_errno(err, FAULT_IO, "queue: cannot read %s/%s", q->store.path, name);
}

/* -1: the folder cannot be read; what take() has returned is in *end. */
static int each_of_folder(struct queue *q, unsigned number, uint64_t *octets,
			  int (*take)(void *ctx, const struct queue_item *), void *ctx,
			  int *end, struct error *err)
{
	struct listing l = { .arena = NULL };
	struct queue_item item;
	char name[3];

	snprintf(name, sizeof(name), "%02X", number & 0xff);
	DIR *dir = open_folder(q, name);

	if (!dir)
		return cannot_list(q, name, err);
	l.arena = arena_new();
	list_folder(dir, &l);
	while (*end == 0 && l.n) {
		if (!next_item(dirfd(dir), &l, &item))
			continue;
		*octets += item.size;
		*end = take(ctx, &item);
	}
	closedir(dir);
	arena_free(l.arena);
	return 0;
}

/* Which of the folders are there. */
static int find_folders(const struct queue *q, bool there[FOLDERS], struct error *err)
{
	const struct dirent *d;
	DIR *dir = open_folder(q, ".");

	if (!dir)
		return cannot_list(q, "", err);
	while ((d = readdir(dir))) {
		if (strlen(d->d_name) != 2)
			continue;
		const char *high = strchr(ID_DIGITS, d->d_name[0]);
		const char *low = strchr(ID_DIGITS, d->d_name[1]);

		if (high && low)
			there[(high - ID_DIGITS) * 16 + (low - ID_DIGITS)] = true;
	}
	closedir(dir);
	return 0;
}

int queue_each(struct queue *q, int (*take)(void *ctx, const struct queue_item *), void *ctx,
	       struct error *err)
{
	const unsigned first = (unsigned)clock_ms() ^ (unsigned)getpid();
	bool there[FOLDERS] = { false };
	uint64_t octets = 0, before = 0, now;
	struct error another;
	int rc, end = 0;

	if (!queue_exists(q))
		return 0;
	/* not kept open: what take starts would share it, and the lock with it */
	int usage = usage_open(q);

	(void)usage_read(usage, &before);
	usage_close(usage);
	rc = find_folders(q, there, err);
	for (unsigned i = 0; end == 0 && i < FOLDERS; i++) {
		/* one that cannot be read keeps no others waiting */
		if (there[(first + i) % FOLDERS] &&
		    each_of_folder(q, first + i, &octets, take, ctx, &end,
				   rc == 0 ? err : &another) < 0)
			rc = -1;
	}
	/* what has come and gone meanwhile, seen or not; exact when nothing has */
	usage = rc == 0 && end == 0 ? usage_open(q) : -1;
	if (usage_lock(usage, &now) == 0)
		usage_write(usage, now > before ? octets + (now - before) :
			    octets > before - now ? octets - (before - now) : 0);
	usage_close(usage);
	return end ? end : rc;
}

void queue_clean(struct queue *q)
{
	struct store tmp = { .path = NULL };

	tmp.fd = queue_exists(q) ? openat(q->store.fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
					  O_CLOEXEC) : -1;
	if (tmp.fd >= 0)
		store_clean(&tmp, STALE_SECONDS);
	store_close(&tmp);
	clean_pending(q);
}
