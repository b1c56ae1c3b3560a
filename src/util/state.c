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

int state_path(struct strbuf *out)
{
	const char *service = secure_getenv("STATE_DIRECTORY");
	const char *xdg = secure_getenv("XDG_STATE_HOME");
	char *home = NULL;

	if (is_path(service)) {
		strbuf_add(out, service, strcspn(service, ":"));
	} else if (is_path(xdg)) {
		strbuf_addf(out, "%s/msubmit", xdg);
	} else if (geteuid() == 0) {
		strbuf_addstr(out, ROOT_FOLDER);
	} else {
		home = fs_home();
		if (home)
			strbuf_addf(out, "%s/.local/state/msubmit", home);
	}
	xfree(home);
	return out->len && !strbuf_overflow(out) ? 0 : -1;
}

/* The folders on the way that are not there yet; what fails shows when it is opened. */
static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)!mkdir(path, 0700);
		*slash = '/';
	}
	(void)!mkdir(path, 0700);
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
		return error_set(err, EX_CANTCREAT, "4.3.0", "there is no folder to keep anything "
				 "in: set XDG_STATE_HOME");
	strbuf_addf(path, "/%s", sub);
	make_folders(path->buf);
	int fd = open(path->buf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && check_folder(fd) == 0)
		return fd;
	error_errno(err, EX_CANTCREAT, "4.3.0", "cannot use the folder %s", path->buf);
	if (fd >= 0)
		close(fd);
	return -1;
}
