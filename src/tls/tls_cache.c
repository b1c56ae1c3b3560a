#include "config.h"
#include "tls/tls_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define FILE_MAX ((size_t)256 * 1024)

enum { PATH_ROOM = 8192, NAME_ROOM = 128, UNUSED_DAYS = 7, CLEANED_AT_ONCE = 1000 };

/*
 * file = "msubmit-tls 1 " until SP key-length SP data-length LF key data
 */
static const char magic[] = "msubmit-tls 1 ";

char *tls_cache_folder(const char *folder)
{
	const char *cache = secure_getenv("XDG_CACHE_HOME");
	struct strbuf path = STRBUF_INIT(PATH_ROOM);
	char *home = NULL;

	if (strcmp(folder, "auto") != 0)
		return xstrdup(folder);
	if (cache && *cache == '/') {
		strbuf_addf(&path, "%s/msubmit/tls", cache);
	} else {
		home = fs_home();
		if (home)
			strbuf_addf(&path, "%s/.cache/msubmit/tls", home);
		xfree(home);
	}
	if (path.len && !strbuf_overflow(&path))
		return strbuf_detach(&path);
	strbuf_release(&path);
	return NULL;
}

/* --- the folder --------------------------------------------------------- */

/* The descriptor of the folder when it is ours alone, else -1. */
static int open_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	    !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* --- reading ------------------------------------------------------------ */

static bool read_own(int folder, const char *name, struct strbuf *out)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct error ignored;
	struct stat st;
	bool good;

	if (fd < 0)
		return false;
	/* no link is left of a file that another process has just replaced: it is whole */
	good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       st.st_nlink <= 1 && !(st.st_mode & (S_IRWXG | S_IRWXO)) &&
	       fs_read_fd(fd, name, out, &ignored) == 0;
	close(fd);
	return good;
}

/* A decimal number up to 18 digits and the octet behind it. */
static bool take_number(const char **p, const char *end, char behind, uint64_t *out)
{
	const char *start = *p;
	uint64_t n = 0;

	for (; *p < end && **p >= '0' && **p <= '9' && *p - start < 18; (*p)++)
		n = n * 10 + (uint64_t)(**p - '0');
	if (*p == start || *p == end || **p != behind)
		return false;
	(*p)++;
	*out = n;
	return true;
}

static bool parse(const struct strbuf *text, const struct strbuf *key, struct strbuf *out,
		  time_t *until_out)
{
	const char *p = text->buf, *end = text->buf + text->len;
	uint64_t until, key_n, data_n;

	if (text->len < sizeof(magic) || memcmp(p, magic, sizeof(magic) - 1) != 0)
		return false;
	p += sizeof(magic) - 1;
	if (!take_number(&p, end, ' ', &until) || !take_number(&p, end, ' ', &key_n) ||
	    !take_number(&p, end, '\n', &data_n))
		return false;
	const size_t left = (size_t)(end - p);

	if (key_n != key->len || key_n > left || data_n != left - key_n || !data_n ||
	    memcmp(p, key->buf, key->len) != 0)
		return false;
	if ((time_t)until <= time(NULL))
		return false;
	strbuf_add(out, p + key_n, (size_t)data_n);
	*until_out = (time_t)until;
	return !strbuf_overflow(out);
}

bool tls_cache_load(const char *folder, const char *name, const struct strbuf *key,
		    struct strbuf *out, time_t *until_out)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	int fd = open_folder(folder);
	bool found = false;

	if (fd < 0)
		return false;
	found = read_own(fd, name, &text) && parse(&text, key, out, until_out);
	strbuf_release_secret(&text);
	close(fd);
	return found;
}

void tls_cache_remove(const char *folder, const char *name)
{
	int fd = open_folder(folder);

	if (fd >= 0) {
		(void)unlinkat(fd, name, 0);
		close(fd);
	}
}

/* --- writing ------------------------------------------------------------ */

/* Files of ours that nobody has written for days; others are none of our business. */
static void clean(int folder)
{
	int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), seen = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const time_t old = time(NULL) - UNUSED_DAYS * 86400;
	const struct dirent *entry;
	struct stat st;

	if (!dir) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((entry = readdir(dir)) && seen++ < CLEANED_AT_ONCE) {
		if (fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_mtime < old)
			(void)unlinkat(folder, entry->d_name, 0);
	}
	closedir(dir);
}

static bool write_new(int folder, const char *name, const struct strbuf *text)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool good;

	if (fd < 0)
		return false;
	good = fchmod(fd, 0600) == 0 && fs_write_all(fd, text->buf, text->len) == 0;
	return close(fd) == 0 && good;
}

void tls_cache_store(const char *folder, const char *name, const struct strbuf *key, time_t until,
		     const struct strbuf *data)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	char temporary[NAME_ROOM];
	int fd;

	strbuf_addf(&text, "%s%jd %zu %zu\n", magic, (intmax_t)until, key->len, data->len);
	strbuf_add(&text, key->buf, key->len);
	strbuf_add(&text, data->buf, data->len);
	if (fs_make_folders(folder) == 0)
		(void)mkdir(folder, 0700);
	fd = strbuf_overflow(&text) ? -1 : open_folder(folder);
	if (fd >= 0) {
		snprintf(temporary, sizeof(temporary), ".new-%ld-%.16s", (long)getpid(), name);
		(void)unlinkat(fd, temporary, 0);
		if (!write_new(fd, temporary, &text) ||
		    renameat(fd, temporary, fd, name) < 0)
			(void)unlinkat(fd, temporary, 0);
		clean(fd);
		close(fd);
	}
	strbuf_release_secret(&text);
}
