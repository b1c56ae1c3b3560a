#include "config.h"
#include "util/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define ROOT_FOLDER "/var/lib/msubmit"
#define PATH_LIMIT ((size_t)1 << 16)
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

enum { NAME_TRIES = 5, CLEANED_AT_ONCE = 1000 };

/* --- where ------------------------------------------------------------------ */

static bool is_path(const char *s)
{
	return s && *s == '/';
}

int store_user_path(const char *name, struct strbuf *out)
{
	const char *xdg = secure_getenv("XDG_STATE_HOME");
	char *home = is_path(xdg) ? NULL : fs_home();

	if (is_path(xdg))
		strbuf_addf(out, "%s/msubmit", xdg);
	else if (home)
		strbuf_addf(out, "%s/.local/state/msubmit", home);
	xfree(home);
	if (!out->len)
		return -1;
	if (*name)
		strbuf_addf(out, "/%s", name);
	return strbuf_overflow(out) ? -1 : 0;
}

int store_state_path(struct strbuf *out)
{
	const char *service = secure_getenv("STATE_DIRECTORY");

	if (is_path(service))
		strbuf_add(out, service, strcspn(service, ":"));
	else if (geteuid() == 0 && !is_path(secure_getenv("XDG_STATE_HOME")))
		strbuf_addstr(out, ROOT_FOLDER);
	else
		return store_user_path("", out);
	return strbuf_overflow(out) ? -1 : 0;
}

/* --- folders ---------------------------------------------------------------- */

/* Without slashes at the end. */
static size_t length_of(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return n;
}

int store_open_above(const char *path, const char **name_out)
{
	const char *slash = memrchr(path, '/', length_of(path));
	char *folder = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	int fd = open(folder, FOLDER_FLAGS);

	*name_out = slash ? slash + 1 : path;
	xfree(folder);
	return fd;
}

int store_sync_above(const char *path)
{
	const char *name;
	int fd = store_open_above(path, &name);

	/* who may write there but not read has no descriptor that could be synced */
	if (fd < 0)
		return errno == EACCES ? 0 : -1;
	const int rc = fsync(fd), why = errno;

	close(fd);
	errno = why;
	return rc;
}

/* The folder and those above it that are missing. */
static int make_folders(const char *path)
{
	char *copy = xstrdup(path);
	int rc = 0;

	/* the first octet, if there is one, begins a name or is the root's slash */
	for (char *p = copy + (*copy != '\0'); rc == 0; p++) {
		const char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, 0700) == 0)
			rc = store_sync_above(copy);
		else if (errno != EEXIST)
			rc = -1;
		*p = c;
		if (!c)
			break;
	}
	xfree(copy);
	return rc;
}

int store_open_below(int parent, const char *name)
{
	const int fd = openat(parent, name, FOLDER_FLAGS);
	int rc;

	if (fd >= 0 || errno != ENOENT)
		return fd;
	rc = mkdirat(parent, name, 0700);
	if (rc == 0)
		rc = parent == AT_FDCWD ? store_sync_above(name) : fsync(parent);
	else if (errno == EEXIST)
		rc = 0;
	return rc < 0 ? -1 : openat(parent, name, FOLDER_FLAGS);
}

int store_open(struct store *s, const char *path, bool make, struct error *err)
{
	/* a slash at the end would have a link followed */
	char *folder = xstrndup(path, length_of(path));
	int fd = open(folder, FOLDER_FLAGS | O_NOFOLLOW), rc = 0;
	const bool missing = fd < 0 && errno == ENOENT;

	*s = (struct store){ .fd = fd, .path = folder };
	if (missing && make && make_folders(folder) == 0)
		s->fd = open(folder, FOLDER_FLAGS | O_NOFOLLOW);
	if (s->fd >= 0 && fs_check(s->fd, FS_OWN_OR_ROOT | FS_NOT_OTHERS, folder, err) < 0)
		rc = error_prefix(err, "cannot use the folder");
	else if (s->fd < 0 && (make || !missing))
		rc = error_errno(err, FAULT_CANNOT_WRITE, "cannot use the folder %s", folder);
	if (rc < 0)
		store_close(s);
	return rc;
}

static int open_place(struct store *s, int found, struct strbuf *path, bool make,
		      struct error *err)
{
	int rc = 0;

	*s = (struct store)STORE_INIT;
	if (found == 0)
		rc = store_open(s, path->buf, make, err);
	else if (make)
		rc = error_set(err, FAULT_CANNOT_WRITE, "there is no folder to keep anything "
			       "in: set XDG_STATE_HOME");
	strbuf_release(path);
	return rc;
}

int store_open_state(struct store *s, const char *sub, struct error *err)
{
	struct strbuf path = STRBUF_INIT(PATH_LIMIT);
	int found = store_state_path(&path);

	strbuf_addf(&path, "/%s", sub);
	return open_place(s, found, &path, true, err);
}

/* Services and nobody have homes that do not exist: nor are they to. */
static bool has_home(void)
{
	char *home = fs_home();
	const bool there = is_path(secure_getenv("XDG_STATE_HOME")) ||
		(home && access(home, F_OK) == 0);

	xfree(home);
	return there;
}

int store_open_user(struct store *s, bool make, struct error *err)
{
	struct strbuf path = STRBUF_INIT(PATH_LIMIT);
	const int found = store_user_path("", &path);

	return open_place(s, make && !has_home() ? -1 : found, &path, make, err);
}

void store_close(struct store *s)
{
	if (s->fd >= 0)
		close(s->fd);
	xfree(s->path);
	*s = (struct store)STORE_INIT;
}

int store_lock(const struct store *s, int milliseconds, struct error *err)
{
	return fs_lock(s->fd, s->path, milliseconds, err);
}

int store_read(const struct store *s, const char *name, unsigned rules, struct strbuf *out,
	       struct error *err)
{
	struct strbuf path = STRBUF_INIT(PATH_LIMIT);

	if (s->fd < 0)
		return 0;
	/* O_NONBLOCK: a FIFO must not hang the open */
	int fd = openat(s->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, FAULT_FILE, "cannot read %s/%s",
							 s->path, name);
	strbuf_addf(&path, "%s/%s", s->path, name);
	int rc = fs_check(fd, rules | FS_REGULAR, path.buf, err);

	if (rc == 0)
		rc = fs_read_fd(fd, path.buf, out, err);
	close(fd);
	strbuf_release(&path);
	return rc;
}

void store_clean(const struct store *s, long seconds)
{
	int copy = openat(s->fd, ".", FOLDER_FLAGS), seen = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const time_t old = time(NULL) - seconds;
	const struct dirent *entry;
	struct stat st;

	if (!dir) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((entry = readdir(dir)) && seen++ < CLEANED_AT_ONCE) {
		if (fstatat(s->fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_mtime < old)
			(void)unlinkat(s->fd, entry->d_name, 0);
	}
	closedir(dir);
}

/* --- files ------------------------------------------------------------------ */

/* FNV-1a, 64 bits. */
void store_name(struct strbuf *out, const char *prefix, const struct strbuf *key)
{
	uint64_t h = 14695981039346656037ULL;

	for (size_t i = 0; i < key->len; i++) {
		h ^= (unsigned char)key->buf[i];
		h *= 1099511628211ULL;
	}
	strbuf_addf(out, "%s%016llx", prefix, (unsigned long long)h);
}

/* Fails with EEXIST when there is such a file already. */
static int create(struct store_file *f)
{
	f->fd = openat(f->folder, f->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	return f->fd < 0 ? -1 : 0;
}

int store_begin(struct store_file *f, int folder, const char *temporary, mode_t mode)
{
	uint64_t salt;
	int rc = -1;

	*f = (struct store_file){ .fd = -1, .folder = folder, .mode = mode };
	if (temporary && strlen(temporary) >= sizeof(f->temporary)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (temporary) {
		memcpy(f->temporary, temporary, strlen(temporary) + 1);
		return create(f);
	}
	for (int i = 0; i < NAME_TRIES && rc < 0; i++) {
		if (getrandom(&salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
			return -1;
		snprintf(f->temporary, sizeof(f->temporary), ".new-%016llx",
			 (unsigned long long)salt);
		rc = create(f);
		if (rc < 0 && errno != EEXIST)
			break;
	}
	return rc;
}

/* Its name is made of its descriptor: without /proc there is no way to that. */
static int create_unnamed(struct store_file *f)
{
#ifdef O_TMPFILE
	if (access("/proc/self/fd", X_OK) == 0)
		f->fd = openat(f->folder, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
#endif
	return f->fd < 0 ? -1 : 0;
}

int store_begin_locked(struct store_file *f, int folder, mode_t mode)
{
	*f = (struct store_file){ .fd = -1, .folder = folder, .mode = mode };
	if (create_unnamed(f) < 0 && store_begin(f, folder, NULL, mode) < 0)
		return -1;
	if (flock(f->fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	store_abort(f);
	return -1;
}

void store_abort(struct store_file *f)
{
	const int why = errno;

	if (f->fd >= 0) {
		close(f->fd);
		if (*f->temporary)
			(void)unlinkat(f->folder, f->temporary, 0);
	}
	f->fd = -1;
	errno = why;
}

/* link() never takes the place of anything, but not every file system has it. */
static int put_new(const struct store_file *f, int folder, const char *name)
{
	struct stat st;

	if (linkat(f->folder, f->temporary, folder, name, 0) == 0) {
		(void)unlinkat(f->folder, f->temporary, 0);
		return 0;
	}
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
		return -1;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(f->folder, f->temporary, folder, name);
}

/* The name first: one wait for the disk may then do for both syncs. */
static int commit_unnamed(struct store_file *f, int folder, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	if ((f->mode != 0600 && fchmod(f->fd, f->mode) < 0) ||
	    linkat(AT_FDCWD, path, folder, name, AT_SYMLINK_FOLLOW) < 0)
		return -1;
	if (fsync(f->fd) == 0 && fsync(folder) == 0)
		return 0;
	const int why = errno;

	/* still locked: nobody has looked at it */
	(void)unlinkat(folder, name, 0);
	errno = why;
	return -1;
}

static int commit_named(struct store_file *f, int folder, const char *name, enum store_way way)
{
	const bool synced = way != STORE_CACHE;

	if (fchmod(f->fd, f->mode) < 0 || (synced && fsync(f->fd) < 0) ||
	    (way == STORE_NEW ? put_new(f, folder, name) :
	     renameat(f->folder, f->temporary, folder, name)) < 0)
		return -1;
	*f->temporary = '\0';
	if (!synced || fsync(folder) == 0)
		return 0;
	const int why = errno;

	if (way == STORE_NEW)
		(void)unlinkat(folder, name, 0);
	errno = why;
	return -1;
}

int store_commit(struct store_file *f, int folder, const char *name, enum store_way way)
{
	const int rc = *f->temporary ? commit_named(f, folder, name, way) :
		commit_unnamed(f, folder, name);

	store_abort(f);		/* what has its name has no other any more */
	return rc;
}

int store_fault(struct error *err, const char *path, const char *name)
{
	const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
	const char *slash = name ? "/" : "";

	if (!name)
		name = "";
	if (errno == EEXIST)
		return error_set(err, FAULT_CANNOT_WRITE, "%s%s%s exists already and is left as "
				 "it is", path, slash, name);
	return error_errno(err, full ? FAULT_DISK_FULL : FAULT_CANNOT_WRITE, "cannot write %s%s%s",
			   path, slash, name);
}

static int write_whole(int folder, const char *name, mode_t mode, enum store_way way,
		       const void *data, size_t n)
{
	struct store_file f;

	if (store_begin(&f, folder, NULL, mode) < 0)
		return -1;
	if (fs_write_all(f.fd, data, n) < 0) {
		store_abort(&f);
		return -1;
	}
	return store_commit(&f, folder, name, way);
}

int store_write(const struct store *s, const char *name, mode_t mode, enum store_way way,
		const void *data, size_t n, struct error *err)
{
	int rc = write_whole(s->fd, name, mode, way, data, n);

	return rc < 0 ? store_fault(err, s->path, name) : 0;
}

int store_write_path(const char *path, mode_t mode, enum store_way way, const void *data,
		     size_t n, struct error *err)
{
	const char *name;
	int folder = store_open_above(path, &name);
	int rc = folder < 0 ? -1 : write_whole(folder, name, mode, way, data, n);

	if (rc < 0)
		store_fault(err, path, NULL);
	if (folder >= 0)
		close(folder);
	return rc;
}
