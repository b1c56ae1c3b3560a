#include "config.h"
#include "conf/config_append.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/ini.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define FILE_MAX (4 << 20)	/* octets of one rc file, as its reader has it */
#define PATH_LIMIT (1 << 16)

struct config_append {
	char *path;
	char *staged;		/* NULL = nothing staged */
	int fd;			/* of the old file, locked; -1 = none */
	struct stat old;
	mode_t mode;
	struct strbuf text;	/* of the old file; may hold a secret */
};

/* The folder of a path, "." for a bare name. xfree() it. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* --- the old file ----------------------------------------------------------------- */

static int check_old(const struct config_append *w, struct error *err)
{
	if (!S_ISREG(w->old.st_mode))
		return error_set(err, FAULT_CONFIG, "%s is no regular file", w->path);
	if (w->old.st_uid != geteuid() && geteuid() != 0)
		return error_set(err, FAULT_SECRET_OWNER,
				 "%s belongs to user %lu, not to you: nothing is added to it",
				 w->path, (unsigned long)w->old.st_uid);
	if (w->old.st_mode & S_IWOTH)
		return error_set(err, FAULT_SECRET_MODE,
				 "%s can be changed by anybody (mode %04o): run 'chmod o-w %s'",
				 w->path, (unsigned)(w->old.st_mode & 07777), w->path);
	return 0;
}

static int open_old(struct config_append *w, struct error *err)
{
	w->fd = open(w->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (w->fd < 0 && errno == ENOENT)
		return 0;
	if (w->fd < 0 && errno == ELOOP)
		return error_set(err, FAULT_CONFIG, "%s is a symbolic link: name the file "
				 "that it stands for", w->path);
	if (w->fd < 0 || fstat(w->fd, &w->old) < 0)
		return error_errno(err, FAULT_NO_INPUT, "cannot open %s", w->path);
	if (check_old(w, err) < 0)
		return -1;
	if (flock(w->fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, FAULT_BUSY, "%s is being changed by another "
				 "program: try again", w->path);
	return fs_read_fd(w->fd, w->path, &w->text, err);
}

int config_append_open(const char *path, mode_t mode, struct config_append **out,
		       struct error *err)
{
	struct config_append *w = xcalloc(1, sizeof(*w));

	w->path = fs_expand_home(path);
	w->fd = -1;
	w->mode = mode;
	strbuf_init(&w->text, FILE_MAX);
	if (open_old(w, err) < 0) {
		config_append_close(w);
		return -1;
	}
	*out = w;
	return 0;
}

static void drop_staged(struct config_append *w)
{
	if (w->staged)
		(void)unlink(w->staged);
	xfree(w->staged);
	w->staged = NULL;
}

void config_append_close(struct config_append *w)
{
	if (!w)
		return;
	drop_staged(w);
	if (w->fd >= 0)
		close(w->fd);
	strbuf_release_secret(&w->text);
	xfree(w->path);
	xfree(w);
}

const char *config_append_path(const struct config_append *w)
{
	return w->path;
}

bool config_append_exists(const struct config_append *w)
{
	return w->fd >= 0;
}

bool config_append_is_classic(const struct config_append *w)
{
	return !ini_detect(w->text.buf, w->text.len);
}

/* --- the new one ------------------------------------------------------------------ */

/* A new file beside path, open for writing; its name is for xfree(). */
static int make_beside(const char *path, char **name_out, struct error *err)
{
	struct strbuf name = STRBUF_INIT(PATH_LIMIT);

	strbuf_addf(&name, "%s.XXXXXX", path);
	int fd = mkostemp(name.buf, O_CLOEXEC);

	if (fd < 0)
		error_errno(err, FAULT_CANNOT_CREATE, "cannot make a file beside %s", path);
	else
		*name_out = strbuf_detach(&name);
	strbuf_release(&name);
	return fd;
}

static int write_staged(const struct config_append *w, int fd, const struct strbuf *content)
{
	const bool old = w->fd >= 0;

	if (fs_write_all(fd, content->buf, content->len) < 0)
		return -1;
	if (old && (w->old.st_uid != geteuid() || w->old.st_gid != getegid()) &&
	    fchown(fd, w->old.st_uid, w->old.st_gid) < 0)
		return -1;
	return fchmod(fd, old ? w->old.st_mode & 0777 : w->mode) < 0 ? -1 : fsync(fd);
}

/* What there was, an empty line, what is new. */
void config_append_preview(const struct config_append *w, const char *text, size_t n,
			   struct strbuf *out)
{
	const struct strbuf *old = &w->text;

	strbuf_add(out, old->buf, old->len);
	if (old->len)
		strbuf_addstr(out, old->buf[old->len - 1] == '\n' ? "\n" : "\n\n");
	strbuf_add(out, text, n);
}

int config_append_stage(struct config_append *w, const char *text, size_t n,
			const char **staged_out, struct error *err)
{
	struct strbuf content = STRBUF_INIT(2 * FILE_MAX);
	int fd = make_beside(w->path, &w->staged, err), rc;

	if (fd < 0)
		return -1;
	config_append_preview(w, text, n, &content);
	rc = strbuf_overflow(&content) ?
		error_set(err, FAULT_INPUT_TOO_LARGE, "%s would be too large", w->path) : 0;
	if (rc == 0 && write_staged(w, fd, &content) < 0)
		rc = error_errno(err, FAULT_CONFIG_NOT_WRITTEN, "cannot write %s", w->staged);
	if (close(fd) < 0 && rc == 0)
		rc = error_errno(err, FAULT_CONFIG_NOT_WRITTEN, "cannot write %s", w->staged);
	strbuf_release_secret(&content);
	if (rc < 0)
		drop_staged(w);
	else
		*staged_out = w->staged;
	return rc;
}

/* Is the file that stands there now the one that was read? */
static bool is_unchanged(const struct config_append *w)
{
	struct stat now;

	return lstat(w->path, &now) == 0 && now.st_dev == w->old.st_dev &&
	       now.st_ino == w->old.st_ino && now.st_size == w->old.st_size &&
	       now.st_mtim.tv_sec == w->old.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == w->old.st_mtim.tv_nsec;
}

/* A new file: link() never replaces what is there, but not every file system has it. */
static int put_in_place(const char *staged, const char *path)
{
	struct stat st;

	if (link(staged, path) == 0) {
		(void)unlink(staged);
		return 0;
	}
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;
	if (lstat(path, &st) == 0) {
		errno = EEXIST;
		return -1;
	}
	return rename(staged, path);
}

static int sync_folder(const char *path, struct error *err)
{
	char *folder = folder_of(path);
	int rc = fs_sync_dir(folder, err);

	xfree(folder);
	return rc;
}

int config_append_commit(struct config_append *w, struct error *err)
{
	int rc;

	if (w->fd >= 0 && !is_unchanged(w))
		return error_set(err, FAULT_BUSY, "%s was changed meanwhile: nothing is "
				 "written, try again", w->path);
	rc = w->fd >= 0 ? rename(w->staged, w->path) : put_in_place(w->staged, w->path);
	if (rc < 0 && errno == EEXIST)
		return error_set(err, FAULT_BUSY, "%s was made meanwhile: nothing is "
				 "written, try again", w->path);
	if (rc < 0)
		return error_errno(err, FAULT_CANNOT_CREATE, "cannot write %s", w->path);
	xfree(w->staged);
	w->staged = NULL;
	return sync_folder(w->path, err);
}

/* --- a secret of its own ---------------------------------------------------------- */

/* Makes the folder and those above it that are missing. */
static int make_folders(const char *folder, struct error *err)
{
	char *path = xstrdup(folder);
	int rc = 0;

	for (char *p = path + 1; rc == 0; p++) {
		const char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			rc = error_errno(err, FAULT_CANNOT_CREATE, "cannot make folder %s", path);
		*p = c;
		if (!c)
			break;
	}
	xfree(path);
	return rc;
}

/* Whoever may write the folder may put a file of his own there. */
static int check_folder(const char *folder, struct error *err)
{
	struct stat st;

	if (lstat(folder, &st) < 0)
		return error_errno(err, FAULT_CANNOT_CREATE, "cannot examine %s", folder);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, FAULT_CONFIG, "%s is no folder%s", folder,
				 S_ISLNK(st.st_mode) ? " but a symbolic link" : "");
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return error_set(err, FAULT_SECRET_OWNER, "%s is to hold a secret and belongs to "
				 "user %lu", folder, (unsigned long)st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(err, FAULT_SECRET_MODE, "%s is to hold a secret and others may "
				 "write it (mode %04o): run 'chmod 700 %s'", folder,
				 (unsigned)(st.st_mode & 07777), folder);
	return 0;
}

static int check_place(const char *path, bool replace, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (!replace)
		return error_set(err, FAULT_CONFIG, "%s is there already: nothing is written",
				 path);
	return S_ISREG(st.st_mode) ? 0 :
		error_set(err, FAULT_CONFIG, "%s is no regular file", path);
}

static int write_secret(const char *path, const struct secret *s, bool replace,
			struct error *err)
{
	char *staged = NULL;
	int fd = make_beside(path, &staged, err);

	if (fd < 0)
		return -1;
	int rc = fs_write_all(fd, s->data, s->len) < 0 || fs_write_all(fd, "\n", 1) < 0 ?
		-1 : fsync(fd);

	if (close(fd) < 0)
		rc = -1;
	if (rc == 0)
		rc = replace ? rename(staged, path) : put_in_place(staged, path);
	if (rc < 0) {
		error_errno(err, FAULT_CANNOT_CREATE, "cannot write %s", path);
		(void)unlink(staged);
	}
	xfree(staged);
	return rc < 0 ? -1 : sync_folder(path, err);
}

int config_secret_write(const char *path, const struct secret *s, bool replace,
			struct error *err)
{
	char *folder = folder_of(path);
	int rc = make_folders(folder, err);

	if (rc == 0)
		rc = check_folder(folder, err);
	if (rc == 0)
		rc = check_place(path, replace, err);
	if (rc == 0)
		rc = write_secret(path, s, replace, err);
	xfree(folder);
	return rc;
}
