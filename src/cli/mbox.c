#include "config.h"
#include "cli/mbox.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "message/edits.h"
#include "message/message.h"
#include "message/writer.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"

#define HEAD_LIMIT ((size_t)1 << 20)
#define OUT_LIMIT ((size_t)1 << 27)
#define BLOCK 16384
#define LINE_WAIT ((size_t)1 << 20)	/* a line longer than that goes in pieces */

/* Where the octets go, and what is done to them on the way. */
struct sink {
	int fd;
	bool text;		/* lines end with LF alone */
	bool mbox;		/* "From " at the beginning of a line gets a ">" */
	bool line_start;
	struct strbuf out;
};

/* mboxrd: every line that begins with any number of ">" and "From " gets one more. */
static bool needs_mark(const char *line, size_t n)
{
	size_t i = 0;

	while (i < n && line[i] == '>')
		i++;
	return n - i >= 5 && memcmp(line + i, "From ", 5) == 0;
}

static void put_kept(struct sink *s, const char *data, size_t n)
{
	while (n) {
		const char *lf = memchr(data, '\n', n);
		size_t line = lf ? (size_t)(lf - data) + 1 : n;
		size_t kept = line;

		if (s->mbox && s->line_start && needs_mark(data, line))
			strbuf_addch(&s->out, '>');
		if (s->text && lf && line > 1 && data[line - 2] == '\r')
			kept = line - 2;
		strbuf_add(&s->out, data, kept);
		if (kept != line)
			strbuf_addch(&s->out, '\n');
		s->line_start = lf != NULL;
		data += line;
		n -= line;
	}
}

/*
 * The message as it came, Bcc and all. Blocks are joined, so that no line
 * end is cut in two: what stands behind the last line end waits.
 */
static int write_message(struct sink *s, const struct message *m, struct error *err)
{
	struct arena *a = arena_new();
	struct strbuf pending = STRBUF_INIT((size_t)1 << 26);
	struct edits none;
	char block[BLOCK];
	ssize_t n;
	int rc = 0;

	edits_init(&none, a, m);
	struct writer *w = writer_new(m, &none, WRITER_PLAIN);

	while (rc == 0 && (n = writer_read(w, block, sizeof(block), err)) != 0) {
		if (n < 0) {
			rc = -1;
			break;
		}
		strbuf_add(&pending, block, (size_t)n);
		const char *end = memrchr(pending.buf, '\n', pending.len);
		size_t whole = end ? (size_t)(end - pending.buf) + 1 :
			pending.len > LINE_WAIT ? pending.len - 1 : 0;

		put_kept(s, pending.buf, whole);
		strbuf_consume(&pending, whole);
		if (fs_write_all(s->fd, s->out.buf, s->out.len) < 0)
			rc = error_errno(err, FAULT_IO, "cannot write");
		strbuf_reset(&s->out);
	}
	put_kept(s, pending.buf, pending.len);
	if (rc == 0 && fs_write_all(s->fd, s->out.buf, s->out.len) < 0)
		rc = error_errno(err, FAULT_IO, "cannot write");
	writer_free(w);
	strbuf_release(&pending);
	strbuf_release(&s->out);
	arena_free(a);
	return rc;
}

int mbox_write_message(int fd, const struct message *m, struct error *err)
{
	struct sink s = { .fd = fd, .text = !m->body_binary };

	strbuf_init(&s.out, OUT_LIMIT);
	return write_message(&s, m, err);
}

/* The line between two messages, and fields in front of the message's own. */
static int write_head(int fd, const char *sender, const char *fields, off_t at)
{
	struct strbuf head = STRBUF_INIT(HEAD_LIMIT);
	time_t now = time(NULL);
	char when[64] = "", *end;
	struct tm tm;

	if (gmtime_r(&now, &tm) && asctime_r(&tm, when) && (end = strchr(when, '\n')))
		*end = '\0';
	strbuf_addf(&head, "%sFrom ", at ? "\n" : "");
	for (const char *p = *sender ? sender : "MAILER-DAEMON"; *p; p++)
		strbuf_addch(&head, *p == ' ' ? '_' : *p);
	strbuf_addf(&head, " %s\n%s", when, fields);
	int rc = fs_write_all(fd, head.buf, head.len);

	strbuf_release(&head);
	return rc;
}

/* Behind what is there, which is as it was when anything goes wrong. */
static int append(int fd, const char *path, const char *sender, const char *fields,
		  const struct message *m, struct error *err)
{
	struct sink s = { .fd = fd, .text = true, .mbox = true, .line_start = true };

	strbuf_init(&s.out, OUT_LIMIT);
	/* nobody else gets what we write, or has us write his file */
	if (fs_lock(fd, path, FS_LOCK_MS, err) < 0 ||
	    fs_check(fd, FS_REGULAR | FS_OWN | FS_ONE_NAME, path, err) < 0)
		return -1;
	off_t end = lseek(fd, 0, SEEK_END);

	if (write_head(fd, sender, fields, end) < 0)
		error_errno(err, FAULT_IO, "cannot write %s", path);
	else if (write_message(&s, m, err) < 0)
		error_prefix(err, "%s", path);
	else if (fsync(fd) < 0 || (end == 0 && store_sync_above(path) < 0))
		error_errno(err, FAULT_IO, "cannot write %s", path);
	else
		return 0;
	(void)!ftruncate(fd, end);
	return -1;
}

int mbox_append(const char *path, const char *sender, const char *fields,
		const struct message *m, struct error *err)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY |
		      O_NONBLOCK, 0600);

	if (fd < 0)
		return error_errno(err, FAULT_CANNOT_WRITE, "cannot open %s", path);
	int rc = append(fd, path, sender, fields, m, err);

	close(fd);
	return rc;
}
