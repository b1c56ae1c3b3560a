/*
 * A home folder of their own for the tests of conf/: HOME and
 * XDG_CONFIG_HOME point into it, MSUBMIT_* is gone. Include behind cmocka.h.
 */
#ifndef CONF_SCRATCH_H
#define CONF_SCRATCH_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/attr.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/xalloc.h"

static char scratch[64];

/* A path below the folder; good until the eighth call after it. */
ATTR_UNUSED static const char *scratch_path(const char *name)
{
	static char path[8][256];
	static unsigned turn;
	char *p = path[turn++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", scratch, name);
	return p;
}

ATTR_UNUSED static const char *scratch_bytes(const char *name, const char *data, size_t n,
					     mode_t mode)
{
	const char *path = scratch_path(name);

	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, data, n), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

ATTR_UNUSED static const char *scratch_file(const char *name, const char *text, mode_t mode)
{
	return scratch_bytes(name, text, strlen(text), mode);
}

ATTR_UNUSED static int scratch_setup(void **state)
{
	(void)state;
	for (char **e = environ; *e;) {
		if (strncmp(*e, "MSUBMIT_", 8) != 0) {
			e++;
			continue;
		}
		char *name = xstrndup(*e, strcspn(*e, "="));

		unsetenv(name);
		xfree(name);
	}
	snprintf(scratch, sizeof(scratch), "/tmp/msubmit-conf-XXXXXX");
	assert_non_null(mkdtemp(scratch));
	setenv("HOME", scratch, 1);
	unsetenv("XDG_CONFIG_HOME");
	return 0;
}

static int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

ATTR_UNUSED static int scratch_teardown(void **state)
{
	(void)state;
	return nftw(scratch, scratch_remove, 8, FTW_DEPTH | FTW_PHYS);
}

#define assert_has(text, words) do { \
	if (!strstr((text), (words))) \
		fail_msg("'%s' is not in '%s'", (words), (text)); \
} while (0)

#define assert_lacks(text, words) do { \
	if (strstr((text), (words))) \
		fail_msg("'%s' is in '%s'", (words), (text)); \
} while (0)

#endif
