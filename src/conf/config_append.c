#include "config.h"
#include "conf/config_append.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/rcfile.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/secret.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define FILE_MAX (4 << 20)	/* octets of one rc file, as its reader has it */

struct config_append {
	char *path;
	const char *name;	/* the last part of it */
	int folder;		/* that it lies in; -1 = nothing staged */
	struct store_file staged;
	int fd;			/* of the old file, locked; -1 = none */
	struct stat old;
	mode_t mode;
	struct strbuf text;	/* of the old file; may hold a secret */
};

/* --- the old file ----------------------------------------------------------------- */

static int check_old(const struct config_append *w, struct error *err)
{
	/* root may write everybody's */
	const unsigned rules = FS_REGULAR | FS_NOT_ANYBODY | (geteuid() == 0 ? 0 : FS_OWN);

	return fs_check_stat(&w->old, rules, w->path, err);
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
	if (fs_lock(w->fd, w->path, 0, err) < 0)
		return error_set(err, FAULT_BUSY, "%s is being changed by another "
				 "program: try again", w->path);
	return fs_read_fd(w->fd, w->path, &w->text, err);
}

int config_append_open(const char *path, mode_t mode, struct config_append **out,
		       struct error *err)
{
	struct config_append *w = xcalloc(1, sizeof(*w));

	w->path = fs_expand_home(path);
	w->fd = w->folder = w->staged.fd = -1;
	w->mode = mode;
	strbuf_init(&w->text, FILE_MAX);
	if (open_old(w, err) < 0) {
		config_append_close(w);
		return -1;
	}
	*out = w;
	return 0;
}

void config_append_close(struct config_append *w)
{
	if (!w)
		return;
	store_abort(&w->staged);
	if (w->folder >= 0)
		close(w->folder);
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

/* The old file's owner stays, and its mode. */
static int write_staged(struct config_append *w, const struct strbuf *content)
{
	const bool old = w->fd >= 0;

	w->folder = store_open_above(w->path, &w->name);
	if (w->folder < 0 || store_begin(&w->staged, w->folder, NULL,
					 old ? w->old.st_mode & 0777 : w->mode) < 0)
		return -1;
	if (old && (w->old.st_uid != geteuid() || w->old.st_gid != getegid()) &&
	    fchown(w->staged.fd, w->old.st_uid, w->old.st_gid) < 0)
		return -1;
	return fs_write_all(w->staged.fd, content->buf, content->len);
}

int config_append_stage(struct config_append *w, const char *text, size_t n, struct error *err)
{
	struct strbuf content = STRBUF_INIT(2 * FILE_MAX);
	int rc;

	config_append_preview(w, text, n, &content);
	rc = strbuf_overflow(&content) ?
		error_set(err, FAULT_INPUT_TOO_LARGE, "%s would be too large", w->path) : 0;
	if (rc == 0 && write_staged(w, &content) < 0)
		rc = store_fault(err, w->path, NULL);
	strbuf_release_secret(&content);
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

int config_append_commit(struct config_append *w, struct error *err)
{
	const bool old = w->fd >= 0;

	if (old && !is_unchanged(w))
		return error_set(err, FAULT_BUSY, "%s was changed meanwhile: nothing is "
				 "written, try again", w->path);
	if (store_commit(&w->staged, w->folder, w->name, old ? STORE_REPLACE : STORE_NEW) == 0)
		return 0;
	if (errno == EEXIST)
		return error_set(err, FAULT_BUSY, "%s was made meanwhile: nothing is "
				 "written, try again", w->path);
	return store_fault(err, w->path, NULL);
}

/* --- a secret of its own ---------------------------------------------------------- */

int config_secret_write(const char *path, const struct secret *s, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct store store;
	int rc = store_open(&store, folder, true, err);

	strbuf_add(&text, s->data, s->len);
	strbuf_addch(&text, '\n');
	if (rc == 0)
		rc = store_write(&store, slash ? slash + 1 : path, 0600, STORE_NEW, text.buf,
				 text.len, err);
	strbuf_release_secret(&text);
	store_close(&store);
	xfree(folder);
	return rc;
}
