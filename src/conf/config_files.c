#include "config.h"
#include "conf/config_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/xalloc.h"

#define FILE_MAX (4 << 20)	/* octets of one rc file */

struct config_file *config_file_add(struct config *c, const char *name, enum origin origin)
{
	struct config_file *f = arena_alloc(c->arena, sizeof(*f));

	f->name = arena_strdup(c->arena, name);
	f->origin = origin;
	strbuf_init(&f->text, FILE_MAX);
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

/* Whoever may write the file may run commands as its reader. */
static int check_mode(int fd, const char *name, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, EX_CONFIG, "5.3.5", "cannot examine %s", name);
	if (S_ISREG(st.st_mode) && st.st_mode & S_IWOTH)
		return error_set(err, EX_CONFIG, "5.3.5",
				 "%s can be changed by anybody (mode %04o): run 'chmod o-w %s'",
				 name, (unsigned)(st.st_mode & 07777), name);
	return 0;
}

static int read_open(struct config *c, int fd, const char *name, struct error *err)
{
	struct config_file *f = config_file_add(c, name, ORIGIN_FILE);

	searched(c, name, "read");
	if (check_mode(fd, name, err) < 0)
		return -1;
	if (fs_read_fd(fd, name, &f->text, err) < 0) {
		err->exit = EX_CONFIG;
		return -1;
	}
	if (config_sections_read(c, f, err) < 0)
		return -1;
	return f->holds_secret ? fs_check_secret(fd, name, err) : 0;
}

/* 1 when it was read, 0 when there is no such file for us. */
static int read_optional(struct config *c, const char *name, struct error *err)
{
	int fd = fs_open_read(name);

	if (fd < 0) {
		int why = errno;

		searched(c, name, strerror(why));
		strbuf_addstr(&c->searched, fs_denied_hint(name, why));
		return 0;
	}
	int rc = read_open(c, fd, name, err);

	close(fd);
	return rc < 0 ? -1 : 1;
}

static int read_named(struct config *c, const char *name, struct error *err)
{
	char *path = fs_expand_home(name);
	int fd = fs_open_read(path);
	int rc;

	if (fd < 0) {
		int why = errno;

		rc = error_errno(err, EX_CONFIG, "5.3.5", "cannot open %s", path);
		error_append(err, "%s", fs_denied_hint(path, why));
	} else {
		rc = read_open(c, fd, path, err);
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
	if (rc == 0 && xdg && *xdg == '/')
		rc = read_below(c, xdg, "msmtp/config", err);
	else if (rc == 0 && home)
		rc = read_below(c, home, ".config/msmtp/config", err);
	xfree(home);
	return rc < 0 ? -1 : 0;
}

int config_files_read(struct config *c, const struct config_request *req, struct error *err)
{
	if (req->no_files)
		return 0;
	if (req->file)
		return read_named(c, req->file, err);
	if (read_user(c, err) < 0 || read_optional(c, SYSCONFDIR "/msmtprc", err) < 0)
		return -1;
	return c->file ? 0 : config_env_read(c, err);
}
