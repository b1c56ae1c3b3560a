#include "config.h"
#include "util/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif

#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

int fs_open_read(const char *path)
{
	/* O_NONBLOCK: a FIFO without writer must not hang the open itself */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st = { .st_mode = 0 };

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		int why = S_ISDIR(st.st_mode) ? EISDIR : errno;

		close(fd);
		errno = why;
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		(void)fcntl(fd, F_SETFL, 0);
	return fd;
}

int fs_read_fd(int fd, const char *name, struct strbuf *out, struct error *err)
{
	for (;;) {
		char part[8192];
		ssize_t n = read(fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, FAULT_IO, "cannot read %s", name);
		if (n == 0)
			return 0;
		strbuf_add(out, part, (size_t)n);
		explicit_bzero(part, (size_t)n);
		if (strbuf_overflow(out))
			return error_set(err, FAULT_INPUT_TOO_LARGE, "%s is larger than %zu octets",
					 name, out->limit);
	}
}

/* Below /run/secrets, which root alone can fill; /var/run is another name of /run. */
static bool is_mounted_secret(const char *path)
{
	static const char folder[] = "/run/secrets/";

	if (strncmp(path, "/var/", 5) == 0)
		path += 4;
	return strncmp(path, folder, sizeof(folder) - 1) == 0 && !strstr(path, "/../");
}

/* What of the mode others may have of a secret. */
static mode_t confided(const struct stat *st, const char *path)
{
	if (st->st_uid != 0)
		return 0;
	return is_mounted_secret(path) ? S_IRGRP | S_IROTH : S_IRGRP;
}

static int check_mode(const struct stat *st, unsigned rules, const char *path, struct error *err)
{
	const struct {
		unsigned rule;
		mode_t not_allowed;
		enum fault fault;
		const char *text, *fix;
	} modes[] = {
		{ FS_PRIVATE, S_IRWXG | S_IRWXO, FAULT_SECRET_MODE,
		  "holds a secret and others may read it", "600" },
		{ FS_CONFIDED, (S_IRWXG | S_IRWXO) & ~confided(st, path), FAULT_SECRET_MODE,
		  "holds a secret and others may read it", "600" },
		{ FS_NOT_OTHERS, S_IWGRP | S_IWOTH, FAULT_FILE_MODE, "can be changed by others",
		  "go-w" },
		{ FS_NOT_ANYBODY, S_IWOTH, FAULT_FILE_MODE, "can be changed by anybody", "o-w" },
	};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (rules & modes[i].rule && st->st_mode & modes[i].not_allowed)
			return error_set(err, modes[i].fault,
					 "%s %s (mode %04o): run 'chmod %s %s'", path,
					 modes[i].text, (unsigned)(st->st_mode & 07777),
					 modes[i].fix, path);
	}
	return 0;
}

static bool is_owner_right(const struct stat *st, unsigned rules)
{
	if (rules & FS_OWN)
		return st->st_uid == geteuid();
	return !(rules & FS_OWN_OR_ROOT) || st->st_uid == geteuid() || st->st_uid == 0;
}

int fs_check_stat(const struct stat *st, unsigned rules, const char *path, struct error *err)
{
	if (rules & FS_ROOT && st->st_uid != 0)
		return error_set(err, FAULT_CONFIG, "%s is not root's", path);
	if (rules & FS_REGULAR && !S_ISREG(st->st_mode))
		return error_set(err, FAULT_CONFIG, "%s is no regular file", path);
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return 0;	/* a pipe of the caller's own making */
	if (!is_owner_right(st, rules))
		return error_set(err, FAULT_SECRET_OWNER,
				 "%s %sbelongs to user %lu, not to you: %srun 'chown %lu %s'", path,
				 rules & (FS_PRIVATE | FS_CONFIDED) ? "holds a secret and " : "",
				 (unsigned long)st->st_uid,
				 geteuid() == 0 ? "call this as that user, or " : "",
				 (unsigned long)geteuid(), path);
	if (rules & FS_ONE_NAME && st->st_nlink > 1)
		return error_set(err, FAULT_CONFIG,
				 "%s is no file with a single name: remove the other one", path);
	return check_mode(st, rules, path, err);
}

int fs_check(int fd, unsigned rules, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno(err, FAULT_FILE, "cannot examine %s", path);
	return fs_check_stat(&st, rules, path, err);
}

int fs_cannot_open(struct error *err, const char *what, const char *path)
{
	const int why = errno;

	error_errno(err, FAULT_FILE, "cannot open %s%s", what, path);
	return fs_denied(err, path, why);
}

int fs_check_readable(const char *path, struct error *err)
{
	int fd = fs_open_read(path);

	if (fd < 0)
		return fs_cannot_open(err, "", path);
	close(fd);
	return 0;
}

int fs_read_file(const char *path, unsigned rules, struct strbuf *out, struct error *err)
{
	int fd = fs_open_read(path);

	if (fd < 0)
		return fs_cannot_open(err, "", path);
	int rc = fs_check(fd, rules, path, err);

	if (rc == 0)
		rc = fs_read_fd(fd, path, out, err);
	close(fd);
	return rc;
}

int fs_write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

static int temp_in(const char *dir)
{
#ifdef O_TMPFILE
	int direct = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (direct >= 0)
		return direct;
#endif
	char name[4096];
	int n = snprintf(name, sizeof(name), "%s/msubmit-XXXXXX", dir);

	if (n < 0 || (size_t)n >= sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd = mkostemp(name, O_CLOEXEC);

	if (fd >= 0)
		unlink(name);
	return fd;
}

int fs_temp_file(int *fd_out, struct error *err)
{
	const char *places[] = { secure_getenv("TMPDIR"), "/var/tmp", "/tmp" };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		int fd = places[i] && *places[i] ? temp_in(places[i]) : -1;

		if (fd >= 0) {
			*fd_out = fd;
			return 0;
		}
	}
	return error_errno(err, FAULT_CANNOT_WRITE,
			   "cannot make a temporary file in $TMPDIR, /var/tmp or /tmp");
}

int fs_lock(int fd, const char *path, int milliseconds, struct error *err)
{
	enum { LONGEST_PAUSE_MS = 20 };
	const int64_t until = clock_ms() + milliseconds;
	int pause_ms = 1;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_errno(err, FAULT_CANNOT_WRITE, "cannot lock %s", path);
		if (clock_ms() >= until)
			return error_set(err, FAULT_CANNOT_WRITE,
					 "cannot lock %s: another program holds it", path);
		(void)poll(NULL, 0, pause_ms);
		pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
	}
	return 0;
}

bool fs_folder_is_ours(const char *path)
{
	struct stat st;

	return geteuid() != 0 || stat(path, &st) < 0 || st.st_uid == 0;
}

char *fs_home(void)
{
	const char *home = secure_getenv("HOME");

	if (!home || !*home || !fs_folder_is_ours(home)) {
		const struct passwd *pw = getpwuid(getuid());

		home = pw ? pw->pw_dir : NULL;
	}
	return home && *home ? xstrdup(home) : NULL;
}

char *fs_expand_home(const char *path)
{
	size_t skip = strncmp(path, "~/", 2) == 0 ? 1 : strncmp(path, "$HOME/", 6) == 0 ? 5 : 0;
	char *home = skip ? fs_home() : NULL;

	if (!home)
		return xstrdup(path);
	struct strbuf full = STRBUF_INIT(1 << 20);

	strbuf_addf(&full, "%s%s", home, path + skip);
	xfree(home);
	return strbuf_detach(&full);
}

const char *fs_denied_hint(const char *path, int error_number)
{
	struct stat st;

	if (error_number != EACCES && error_number != EPERM)
		return "";
	if (stat(path, &st) < 0 ||
	    !(st.st_mode & (st.st_uid == geteuid() ? S_IRUSR : S_IROTH)))
		return "";
	return " (file mode allows it; check AppArmor/SELinux: journalctl -k -g DENIED)";
}

int fs_denied(struct error *err, const char *path, int error_number)
{
	const char *hint = fs_denied_hint(path, error_number);

	if (*hint)
		error_turn(err, FAULT_FILE_CONFINED);
	return error_append(err, "%s", hint);
}

bool fs_is_local(int fd)
{
#ifdef __linux__
	/* statfs(2): bcachefs, btrfs, ext2 to ext4, F2FS, JFS, overlay, ramfs, ReiserFS, tmpfs,
	   XFS, ZFS */
	static const uint32_t types[] = { 0xca451a4e, 0x9123683e, 0xef53, 0xf2f52010, 0x3153464a,
					  0x794c7630, 0x858458f6, 0x52654973, 0x01021994,
					  0x58465342, 0x2fc12fc1 };
	struct statfs st;
	const bool known = fstatfs(fd, &st) == 0;

	for (size_t i = 0; known && i < sizeof(types) / sizeof(*types); i++)
		if ((uint32_t)st.f_type == types[i])
			return true;
#else
	(void)fd;
#endif
	return false;
}
