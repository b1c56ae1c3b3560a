/* The rc files: opened, checked, read with what they include. */
#include "config.h"
#include "conf/config_parts.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/xalloc.h"

#define FILE_MAX (4 << 20)	/* octets of one rc file */
#define FILES_MAX 1000		/* that one file may include, all together */
#define DEPTH_MAX 10		/* files that include files */

struct config_file *config_file_add(struct config *c, const char *name, enum origin origin)
{
	struct config_file *f = arena_alloc(c->arena, sizeof(*f));

	f->name = arena_strdup(c->arena, name);
	f->origin = origin;
	f->system = c->reading_system;
	f->names[SCOPE_ACCOUNT] = f->names[SCOPE_LISTEN] =
		(struct strmap){ .arena = c->arena, .exact = true };
	if (c->file_last)
		c->file_last->next = f;
	else
		c->file = f;
	c->file_last = f;
	return f;
}

static void searched(struct config *c, const char *name, const char *why)
{
	strbuf_addf(&c->searched, "%s%s (%s)", c->searched.len ? ", " : "", name, why);
}

static struct config_part *add_part(struct config *c, struct config_file *f, const char *name)
{
	struct config_part *p = arena_alloc(c->arena, sizeof(*p));

	p->name = arena_strdup(c->arena, name);
	strbuf_init(&p->text, FILE_MAX);
	p->text.secret = true;
	if (f->part_last)
		f->part_last->next = p;
	else
		f->part = p;
	f->part_last = p;
	return p;
}

/*
 * Whoever may write a file may run commands as its reader. What root reads
 * without having named it by right (-C of its own command) is root's.
 */
static unsigned rules_of(const struct config *c)
{
	return geteuid() == 0 && !c->chosen ? FS_OWN_OR_ROOT | FS_NOT_OTHERS : FS_NOT_ANYBODY;
}

/* Reads what is open as a part of f. */
static int read_part(struct config *c, struct config_file *f, int fd, const char *name,
		     struct error *err)
{
	struct config_part *p = add_part(c, f, name);
	struct stat st;

	searched(c, name, "read");
	if (fstat(fd, &st) < 0)
		return error_errno(err, FAULT_FILE, "cannot examine %s", name);
	p->dev = st.st_dev;
	p->ino = st.st_ino;
	if (fs_check_stat(&st, rules_of(c), name, err) < 0 && config_problem(c, err) < 0)
		return -1;
	if (fs_read_fd(fd, name, &p->text, err) < 0) {
		error_recast(err, FAULT_CONFIG);
		return -1;
	}
	p->reading = true;
	int rc = config_sections_read(c, f, p, err);

	p->reading = false;
	if (rc == 0 && p->holds_secret && fs_check(fd, FS_SECRET, name, err) < 0)
		rc = config_problem(c, err);
	return rc;
}

int config_text_read(struct config *c, struct config_file *f, const char *text, size_t n,
		     struct error *err)
{
	struct config_part *p = add_part(c, f, f->name);

	strbuf_add(&p->text, text, n);
	return config_sections_read(c, f, p, err);
}

/* Is there such a file? In a folder that may not be looked into there is none for us. */
static bool is_there(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

/*
 * 1 when it was read, 0 when there is no such file for us. Of the system's
 * files one that may not be read is none; of the caller's own it is a mistake.
 */
static int read_optional(struct config *c, const char *name, struct error *err)
{
	int fd = fs_open_read(name);

	if (fd < 0) {
		int why = errno;

		if (!c->reading_system && why != ENOENT && is_there(name)) {
			errno = why;
			fs_cannot_open(err, "", name);
			error_recast(err, FAULT_CONFIG);
			return error_append(err, ": make it readable for the user that sends, or "
					    "name another file with -C");
		}

		searched(c, name, strerror(why));
		strbuf_addstr(&c->searched, fs_denied_hint(name, why));
		if (why == EACCES || why == EPERM)
			strvec_add(&c->denied, arena_printf(c->arena, "%s (%s)%s", name,
							    strerror(why),
							    fs_denied_hint(name, why)));
		return 0;
	}
	int rc = read_part(c, config_file_add(c, name, ORIGIN_FILE), fd, name, err);

	close(fd);
	return rc < 0 ? -1 : 1;
}

static bool is_below(const char *path, const char *folder)
{
	const size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/';
}

/* Links are followed: it is the file that counts. */
static bool is_administrators(const char *path)
{
	char *full = realpath(path, NULL);
	const bool ok = full && (is_below(full, "/etc") || is_below(full, SYSCONFDIR));

	xfree(full);
	return ok;
}

/*
 * A program that is called as sendmail may get -C from whoever wrote a web
 * form, and a file of the caller's may be what he has uploaded there: a
 * configuration that runs commands. What root has made somewhere may be a log
 * of strangers' words.
 */
static int check_sendmails(int fd, const char *name, struct error *err)
{
	struct error ignored;
	const char *what = fs_check(fd, FS_ROOT, name, &ignored) < 0 ? "root's" :
		geteuid() == 0 && !is_administrators(name) ? "below /etc" : NULL;

	if (what)
		return error_set(err, FAULT_USAGE,
				 "-C %s: the file is not %s, and is not taken when called as "
				 "sendmail: call msubmit", name, what);
	return fs_check(fd, FS_NOT_OTHERS, name, err);
}

static int read_named(struct config *c, const struct config_request *req, struct error *err)
{
	char *path = fs_expand_home(req->file);
	int fd = fs_open_read(path);
	int rc;

	c->chosen = !req->as_sendmail;
	if (fd < 0) {
		rc = fs_cannot_open(err, "", path);
	} else {
		rc = req->as_sendmail ? check_sendmails(fd, path, err) : 0;
		if (rc == 0)
			rc = read_part(c, config_file_add(c, path, ORIGIN_FILE), fd, path, err);
		close(fd);
	}
	xfree(path);
	return rc;
}

/* base/name; 1, 0 or -1 as read_optional(). */
static int read_below(struct config *c, const char *base, const char *name, struct error *err)
{
	struct strbuf path = STRBUF_INIT(1 << 16);

	strbuf_addf(&path, "%s/%s", base, name);
	int rc = read_optional(c, path.buf, err);

	strbuf_release(&path);
	return rc;
}

/* ~/.msmtprc, then $XDG_CONFIG_HOME/msmtp/config: the first there is, as msmtp does. */
static int read_user(struct config *c, struct error *err)
{
	const char *xdg = secure_getenv("XDG_CONFIG_HOME");
	char *home = fs_home();
	int rc = 0;

	if (home)
		rc = read_below(c, home, ".msmtprc", err);
	else
		searched(c, "~/.msmtprc", "HOME unset");
	if (rc == 0 && xdg && *xdg == '/' && fs_folder_is_ours(xdg))
		rc = read_below(c, xdg, "msmtp/config", err);
	else if (rc == 0 && home)
		rc = read_below(c, home, ".config/msmtp/config", err);
	xfree(home);
	return rc < 0 ? -1 : 0;
}

/* --- more than one file --------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files that a pattern matches, in the order of their octets whatever the locale. */
static int find_matches(const char *pattern, glob_t *found, struct error *err)
{
	int rc = glob(pattern, GLOB_NOSORT, NULL, found);

	if (rc != 0 && rc != GLOB_NOMATCH)
		return error_set(err, FAULT_CONFIG, "cannot list %s", pattern);
	if (found->gl_pathc > FILES_MAX) {
		globfree(found);
		return error_set(err, FAULT_CONFIG, "%s names more than %d files", pattern,
				 FILES_MAX);
	}
	if (found->gl_pathc)
		qsort(found->gl_pathv, found->gl_pathc, sizeof(*found->gl_pathv), compare_names);
	return 0;
}

int config_folder_read(struct config *c, struct config_file *f, const char *folder,
		       struct error *err)
{
	struct strbuf pattern = STRBUF_INIT(1 << 16);
	glob_t found = { .gl_pathc = 0 };
	struct stat st;
	int rc = 0;

	if (stat(folder, &st) < 0) {
		searched(c, folder, strerror(errno));
		return 0;
	}
	if (fs_check_stat(&st, rules_of(c), folder, err) < 0)
		return -1;
	strbuf_addf(&pattern, "%s/*.conf", folder);
	rc = find_matches(pattern.buf, &found, err);
	if (rc == 0 && !found.gl_pathc)
		searched(c, pattern.buf, "none");
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
		int fd = fs_open_read(found.gl_pathv[i]);

		if (fd < 0) {	/* not for us, as a private /etc/msmtprc is not */
			searched(c, found.gl_pathv[i], strerror(errno));
			continue;
		}
		if (!f || f->classic)
			f = config_file_add(c, found.gl_pathv[i], ORIGIN_FILE);
		rc = read_part(c, f, fd, found.gl_pathv[i], err);
		close(fd);
	}
	globfree(&found);
	strbuf_release(&pattern);
	return rc;
}

/* Parts that include each other, and more of them than anybody needs. */
static int check_depth(const struct config_file *f, const struct stat *st, const char *name,
		       struct error *err)
{
	unsigned depth = 0, n = 0;

	for (const struct config_part *p = f->part; p; p = p->next, n++) {
		depth += p->reading;
		if (p->reading && p->dev == st->st_dev && p->ino == st->st_ino)
			return error_set(err, FAULT_CONFIG,
					 "key 'include': %s includes itself: a loop", name);
	}
	if (depth > DEPTH_MAX || n > FILES_MAX)
		return error_set(err, FAULT_CONFIG, "key 'include': %s: %s", name,
				 n > FILES_MAX ? "too many files" : "more than 10 files deep");
	return 0;
}

static int include_one(struct config *c, struct config_file *f, const char *name,
		       struct error *err)
{
	int fd = fs_open_read(name), rc;
	struct stat st;

	if (fd < 0) {
		fs_cannot_open(err, "", name);
		return error_prefix(err, "key 'include'");
	}
	if (fstat(fd, &st) < 0)
		rc = error_errno(err, FAULT_FILE, "cannot examine %s", name);
	else
		rc = check_depth(f, &st, name, err);
	if (rc == 0)
		rc = read_part(c, f, fd, name, err);
	close(fd);
	return rc;
}

/* Where value leads from the file `from`; xfree() it. NULL and err when it leads nowhere. */
static char *include_path(struct config *c, const char *from, const char *value,
			  struct error *err)
{
	const char *slash = strrchr(from, '/');
	struct strbuf path = STRBUF_INIT(1 << 16);

	if (config_env_expand(c->arena, value, &value, err) < 0) {
		error_prefix(err, "key 'include'");
		return NULL;
	}
	if (!*value) {
		error_set(err, FAULT_CONFIG, "key 'include': needs the name of a file");
		return NULL;
	}
	char *full = fs_expand_home(value);

	if (*full == '/' || !slash)
		return full;
	strbuf_add(&path, from, (size_t)(slash - from) + 1);
	strbuf_addstr(&path, full);
	xfree(full);
	return strbuf_detach(&path);
}

int config_include(struct config *c, struct config_file *f, const struct config_part *from,
		   const char *value, struct error *err)
{
	char *path = include_path(c, from->name, value, err);
	glob_t found = { .gl_pathc = 0 };
	int rc = path ? 0 : -1;

	if (path && !strpbrk(path, "*?["))
		rc = include_one(c, f, path, err);
	else if (path)
		rc = find_matches(path, &found, err);
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		rc = include_one(c, f, found.gl_pathv[i], err);
	globfree(&found);
	xfree(path);
	return rc;
}

/* --- all ----------------------------------------------------------------------------- */

static int read_system(struct config *c, struct error *err)
{
	struct config_file *before = c->file_last;

	c->reading_system = true;
	if (read_optional(c, SYSCONFDIR "/msmtprc", err) < 0)
		return -1;
	struct config_file *f = c->file_last == before ? NULL : c->file_last;

	if (config_folder_read(c, f, SYSCONFDIR "/msmtprc.d", err) < 0)
		return -1;
	c->reading_system = false;
	return 0;
}

int config_files_read(struct config *c, const struct config_request *req, struct error *err)
{
	if (req->no_files)
		return 0;
	if (req->text)
		return config_text_read(c, config_file_add(c, req->file, ORIGIN_FILE), req->text,
					req->text_n, err);
	if (req->file)
		return read_named(c, req, err);
	if (read_user(c, err) < 0 || read_system(c, err) < 0)
		return -1;
	return c->file ? 0 : config_env_read(c, err);
}
