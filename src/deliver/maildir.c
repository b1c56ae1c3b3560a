#include "config.h"
#include "deliver/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "message/writer.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/xalloc.h"

#define BLOCK 16384

enum { PENDING_MAX = 65536, NAME_MAX_OCTETS = 220, HOST_MAX_OCTETS = 100, NAME_TRIES = 5 };

/* A host name as the convention wants it: '/' and ':' as octal escapes. */
static void add_host(struct strbuf *name, const char *host)
{
	for (size_t n = 0; *host && n < HOST_MAX_OCTETS; host++, n++) {
		unsigned char c = (unsigned char)*host;

		if (c == '/' || c == ':')
			strbuf_addf(name, "\\%03o", c);
		else if (c > ' ' && c < 127)
			strbuf_addch(name, (char)c);
	}
}

/* Time, process, count and 64 random bits: unique on this host and beyond. */
static int make_name(struct maildir *m)
{
	struct timespec now;
	uint64_t salt;

	if (getrandom(&salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
		return -1;
	clock_gettime(CLOCK_REALTIME, &now);
	strbuf_reset(&m->name);
	strbuf_addf(&m->name, "%jd.M%06ldP%ldQ%luR%016" PRIx64 ".", (intmax_t)now.tv_sec,
		    now.tv_nsec / 1000, (long)getpid(), m->count, salt);
	add_host(&m->name, m->host);
	return 0;
}

static int cannot_store(const struct maildir *m, struct error *err)
{
	store_fault(err, m->path, NULL);
	return error_prefix(err, "cannot store a message");
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The three folders; those not needed later are closed again. */
static int open_folders(struct maildir *m)
{
	int top = store_open_below(AT_FDCWD, m->path);
	int cur = top < 0 ? -1 : store_open_below(top, "cur");

	if (cur >= 0)
		m->tmp = store_open_below(top, "tmp");
	if (m->tmp >= 0)
		m->new = store_open_below(top, "new");
	int saved = errno;

	close_fd(&cur);
	close_fd(&top);
	errno = saved;
	return m->new < 0 ? -1 : 0;
}

/* Is the folder of that name still the one that is open? */
static bool is_there(const struct maildir *m, int fd, const char *name)
{
	struct strbuf path = STRBUF_INIT(strlen(m->path) + sizeof("/tmp"));
	struct stat now, open;

	strbuf_addf(&path, "%s/%s", m->path, name);
	const int rc = fstat(fd, &open) < 0 ? -1 : stat(path.buf, &now);
	const int why = errno;

	strbuf_release(&path);
	if (rc < 0)
		return fd >= 0 && why != ENOENT && why != ENOTDIR;
	return now.st_dev == open.st_dev && now.st_ino == open.st_ino;
}

/* What was removed or moved away since is opened or made anew: nobody would look there. */
static int keep_folders(struct maildir *m)
{
	if (is_there(m, m->tmp, "tmp") && is_there(m, m->new, "new"))
		return 0;
	close_fd(&m->tmp);
	close_fd(&m->new);
	return open_folders(m);
}

static int begin(struct maildir *m, const char **id_out, struct error *err)
{
	m->count++;
	if (keep_folders(m) < 0)
		return cannot_store(m, err);
	for (int i = 0; i < NAME_TRIES; i++) {
		if (make_name(m) < 0)
			break;
		if (store_begin(&m->file, m->tmp, m->name.buf, 0600) == 0) {
			strbuf_reset(&m->pending);
			*id_out = m->name.buf;
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return cannot_store(m, err);
}

static int maildir_begin(struct delivery *d, const struct delivery_client *client,
			 const struct envelope *e, const char **id_out, struct error *err)
{
	(void)client;
	(void)e;
	return begin((struct maildir *)d, id_out, err);
}

static int write_pending(struct maildir *m)
{
	if (fs_write_all(m->file.fd, m->pending.buf, m->pending.len) < 0)
		return -1;
	strbuf_reset(&m->pending);
	return 0;
}

/* The input is canonical: every CR belongs to a line end, and is left out. */
static int maildir_write(struct delivery *d, const char *data, size_t n, struct error *err)
{
	struct maildir *m = (struct maildir *)d;

	while (n) {
		size_t room = PENDING_MAX - m->pending.len;
		size_t part = n < room ? n : room;
		const char *cr = m->keep_cr ? NULL : memchr(data, '\r', part);
		size_t plain = cr ? (size_t)(cr - data) : part;

		strbuf_add(&m->pending, data, plain);
		if (m->pending.len == PENDING_MAX && write_pending(m) < 0)
			return cannot_store(m, err);
		data += plain + (cr != NULL);
		n -= plain + (cr != NULL);
	}
	return 0;
}

static void maildir_abandon(struct delivery *d)
{
	store_abort(&((struct maildir *)d)->file);
}

static int commit(struct maildir *m, struct error *err)
{
	if (write_pending(m) == 0 &&
	    store_commit(&m->file, m->new, m->name.buf, STORE_NEW) == 0)
		return 0;
	cannot_store(m, err);
	maildir_abandon(&m->delivery);
	return -1;
}

static void maildir_commit(struct delivery *d, struct result *result)
{
	struct maildir *m = (struct maildir *)d;
	struct strbuf text = STRBUF_INIT(NAME_MAX_OCTETS + 20);
	struct error err;

	strbuf_addf(&text, "stored as %s", m->name.buf);
	delivery_settle(result, commit(m, &err) == 0 ? text.buf : NULL, &err);
	strbuf_release(&text);
}

static void maildir_free(struct delivery *d)
{
	maildir_close((struct maildir *)d);
	xfree(d);
}

static const struct delivery_ops maildir_ops = {
	.begin = maildir_begin,
	.write = maildir_write,
	.commit = maildir_commit,
	.abandon = maildir_abandon,
	.free = maildir_free,
};

int maildir_open(struct maildir *m, const char *path, const char *host, struct error *err)
{
	*m = (struct maildir){ .delivery = { &maildir_ops, .final = true }, .tmp = -1,
			       .new = -1, .file.fd = -1, .path = path, .host = host };
	strbuf_init(&m->name, NAME_MAX_OCTETS);
	strbuf_init(&m->pending, PENDING_MAX);
	if (open_folders(m) == 0)
		return 0;
	error_errno(err, FAULT_CANNOT_CREATE, "cannot open or make the Maildir %s", path);
	maildir_close(m);
	return -1;
}

void maildir_close(struct maildir *m)
{
	maildir_abandon(&m->delivery);
	close_fd(&m->tmp);
	close_fd(&m->new);
	strbuf_release(&m->name);
	strbuf_release(&m->pending);
}

int maildir_store(struct maildir *box, const struct message *m, const struct edits *edits,
		  struct error *err)
{
	struct writer *w = writer_new(m, edits, WRITER_PLAIN);
	char block[BLOCK];
	const char *id;
	ssize_t n;
	int rc = begin(box, &id, err);

	if (rc < 0) {
		writer_free(w);
		return -1;
	}
	while (rc == 0 && (n = writer_read(w, block, sizeof(block), err)) != 0)
		rc = n < 0 ? -1 : maildir_write(&box->delivery, block, (size_t)n, err);
	writer_free(w);
	if (rc == 0)
		return commit(box, err);
	maildir_abandon(&box->delivery);
	return -1;
}
