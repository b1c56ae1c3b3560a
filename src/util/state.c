#include "config.h"
#include "util/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define ROOT_FOLDER "/var/lib/msubmit"

static bool is_path(const char *s)
{
	return s && *s == '/';
}

/* 0 when there is such a place. */
static int add_user_folder(struct strbuf *out)
{
	const char *xdg = secure_getenv("XDG_STATE_HOME");
	char *home = is_path(xdg) ? NULL : fs_home();

	if (is_path(xdg))
		strbuf_addf(out, "%s/msubmit", xdg);
	else if (home)
		strbuf_addf(out, "%s/.local/state/msubmit", home);
	xfree(home);
	return out->len ? 0 : -1;
}

int state_user_path(const char *name, struct strbuf *out)
{
	if (add_user_folder(out) < 0)
		return -1;
	strbuf_addf(out, "/%s", name);
	return strbuf_overflow(out) ? -1 : 0;
}

int state_path(struct strbuf *out)
{
	const char *service = secure_getenv("STATE_DIRECTORY");

	if (is_path(service))
		strbuf_add(out, service, strcspn(service, ":"));
	else if (geteuid() == 0 && !is_path(secure_getenv("XDG_STATE_HOME")))
		strbuf_addstr(out, ROOT_FOLDER);
	else if (add_user_folder(out) < 0)
		return -1;
	return strbuf_overflow(out) ? -1 : 0;
}

/* Ours, and nobody else may put anything there. */
static int check_folder(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	errno = EPERM;
	return -1;
}

int state_open(const char *sub, struct strbuf *path, struct error *err)
{
	if (state_path(path) < 0)
		return error_set(err, FAULT_CANNOT_WRITE, "there is no folder to keep anything "
				 "in: set XDG_STATE_HOME");
	strbuf_addf(path, "/%s", sub);
	if (fs_make_folders(path->buf) == 0)
		(void)!mkdir(path->buf, 0700);	/* what fails shows when it is opened */
	int fd = open(path->buf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && check_folder(fd) == 0)
		return fd;
	error_errno(err, FAULT_CANNOT_WRITE, "cannot use the folder %s", path->buf);
	if (fd >= 0)
		close(fd);
	return -1;
}
