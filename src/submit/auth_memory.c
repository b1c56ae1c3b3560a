#include "config.h"
#include "submit/auth_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/account.h"
#include "smtp/auth/auth.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/state.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xalloc.h"

#define FILE_MAX ((size_t)256 * 1024)
#define PATH_ROOM ((size_t)PATH_MAX)

struct kept {
	struct auth_memory memory;
	struct arena *arena;
	const char *path;	/* NULL: there is no place */
	const char *key;	/* host SP port SP user */
};

/* --- the file ------------------------------------------------------------- */

/* No file is an empty one. */
static int read_file(const char *path, struct strbuf *out, struct error *err)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int rc = -1;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		error_errno(err, FAULT_CONFIG, "auth_remember: cannot read %s", path);
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
		 (st.st_mode & (S_IWGRP | S_IWOTH)))
		error_set(err, FAULT_SECRET_MODE, "auth_remember: others may write to %s: remove "
			  "it, or make it yours alone", path);
	else
		rc = fs_read_fd(fd, path, out, err);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Another file under that name, whole or not at all. */
static void write_file(const char *path, const struct strbuf *text)
{
	char *fresh = NULL;
	struct strbuf name = STRBUF_INIT(PATH_ROOM);

	strbuf_addf(&name, "%s.%ld", path, (long)getpid());
	if (strbuf_overflow(&name) || fs_make_folders(path) < 0) {
		strbuf_release(&name);
		return;
	}
	fresh = strbuf_detach(&name);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0) {
		bool whole = fs_write_all(fd, text->buf, text->len) == 0 && fsync(fd) == 0;

		if (close(fd) < 0 || !whole || rename(fresh, path) < 0)
			(void)unlink(fresh);	/* nothing is lost but a reminder */
	}
	xfree(fresh);
}

/* --- its lines ------------------------------------------------------------ */

/* line = mechanism SP key; the length of the mechanism, 0 when it is of another key */
static size_t line_fits(const char *line, size_t n, const char *key)
{
	const char *space = memchr(line, ' ', n);
	size_t length = strlen(key);

	if (!space || (size_t)(line + n - space - 1) != length ||
	    memcmp(space + 1, key, length) != 0)
		return 0;
	return (size_t)(space - line);
}

static int recall(void *ctx, const char **name_out, struct error *err)
{
	struct kept *k = ctx;
	struct strbuf text = STRBUF_INIT(FILE_MAX);

	if (!k->path || !k->key)
		return 0;
	if (read_file(k->path, &text, err) < 0) {
		strbuf_release(&text);
		return -1;
	}
	for (size_t at = 0, n; at < text.len; at += n + 1) {
		n = strcspn(text.buf + at, "\n");
		size_t length = line_fits(text.buf + at, n, k->key);

		if (length)
			*name_out = arena_strndup(k->arena, text.buf + at, length);
	}
	strbuf_release(&text);
	return 0;
}

static void remember(void *ctx, const char *name)
{
	struct kept *k = ctx;
	struct strbuf old = STRBUF_INIT(FILE_MAX), text = STRBUF_INIT(FILE_MAX);
	struct error ignored;

	if (k->path && k->key && read_file(k->path, &old, &ignored) == 0) {
		for (size_t at = 0, n; at < old.len; at += n + 1) {
			n = strcspn(old.buf + at, "\n");
			if (n && !line_fits(old.buf + at, n, k->key))
				strbuf_addf(&text, "%.*s\n", (int)n, old.buf + at);
		}
		strbuf_addf(&text, "%s %s\n", name, k->key);
		if (!strbuf_overflow(&text))
			write_file(k->path, &text);
	}
	strbuf_release(&old);
	strbuf_release(&text);
}

const struct auth_memory *auth_memory_new(struct arena *a, const struct account *account,
					  const char *host, unsigned port)
{
	const char *user = account->auth.user ? account->auth.user : "";

	if (!account->auth.remember)
		return NULL;
	struct kept *k = arena_alloc(a, sizeof(*k));
	struct strbuf path = STRBUF_INIT(PATH_ROOM);

	k->arena = a;
	k->memory = (struct auth_memory){ recall, remember, k };
	if (state_user_path("mechanisms", &path) == 0)
		k->path = arena_strdup(a, path.buf);
	strbuf_release(&path);
	if (!text_has_control(user, strlen(user)))
		k->key = arena_printf(a, "%s %u %s", account->socket ? account->socket : host,
				      port, user);
	return &k->memory;
}
