/*
 * A library put in front of libc (LD_PRELOAD): what a disk, a crash and a
 * power cut can do to a queue. Built and used by tests/queue_crash_test.py.
 *
 * Counted are the system calls on files below QF_ROOT (F) and on sockets (N).
 * At call QF_AT ("F7", "N3") the process is killed before it (QF_KIND "kill"),
 * or the call fails with that errno ("5"), or it writes half ("short"); those
 * on sockets do not fail. With QF_NAMED no file is made without a name, with
 * QF_LATER the clock is that many seconds ahead. Each call leaves a line in QF_LOG:
 *
 *	NUMBER F|N CALL ...
 *
 * with what is needed to say which files and names a disk would have had at
 * any time: inode, offset and octets of writes, names of folders' changes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *root;
static size_t root_len;
static int log_fd = -1, at, kind;
static char at_type;
static int counted['Z'];

enum { KIND_KILL = -1, KIND_SHORT = -2 };

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void)
{
	const char *log = getenv("QF_LOG"), *where = getenv("QF_AT"), *what = getenv("QF_KIND");

	root = getenv("QF_ROOT");
	root_len = root ? strlen(root) : 0;
	at_type = where ? where[0] : '-';
	at = where && where[0] ? atoi(where + 1) : 0;
	kind = !what ? 0 : strcmp(what, "kill") == 0 ? KIND_KILL :
		strcmp(what, "short") == 0 ? KIND_SHORT : atoi(what);
	if (log)
		log_fd = (int)syscall(SYS_openat, AT_FDCWD, log,
				      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static void put_log(const char *text, size_t n)
{
	if (log_fd >= 0)
		(void)!syscall(SYS_write, log_fd, text, n);
}

__attribute__((format(printf, 2, 3))) static void say(char type, const char *fmt, ...)
{
	static char line[16384];
	va_list ap;
	int n = snprintf(line, sizeof(line), "%d %c ", counted[(int)type], type);

	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	line[n++] = '\n';
	put_log(line, (size_t)n);
}

/* One call more: -1 when it is to fail (errno says how), 1 when it is to write half. */
static int reach(char type)
{
	if (++counted[(int)type] != at || type != at_type)
		return 0;
	if (kind == KIND_KILL) {
		say(type, "kill");
		kill(getpid(), SIGKILL);
		for (;;)
			pause();
	}
	if (type == 'N')
		return 0;
	if (kind == KIND_SHORT)
		return 1;
	say(type, "fail");
	errno = kind;
	return -1;
}

static int path_of_fd(int fd, char *out, size_t room)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	const ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, out, room - 1);

	out[n < 0 ? 0 : n] = '\0';
	return n < 0 ? -1 : 0;
}

static int is_ours(const char *path)
{
	return root && strncmp(path, root, root_len) == 0 &&
		(path[root_len] == '/' || path[root_len] == '\0');
}

/* The path of name in folder fd; is it below the root? */
static int find(int fd, const char *name, char *out, size_t room)
{
	char folder[2048] = "";

	if (name[0] != '/' && fd != AT_FDCWD)
		(void)path_of_fd(fd, folder, sizeof(folder));
	snprintf(out, room, "%s%s%s", folder, *folder ? "/" : "", name);
	return is_ours(out);
}

static int is_ours_fd(int fd)
{
	char path[2048];

	return path_of_fd(fd, path, sizeof(path)) == 0 && is_ours(path);
}

static int is_socket(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

static unsigned long long inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (unsigned long long)st.st_ino : 0;
}

/* --- files ---------------------------------------------------------------------- */

static int open_any(int folder, const char *name, int flags, mode_t mode)
{
	char path[4096];
	const int ours = find(folder, name, path, sizeof(path));

	if (ours && reach('F') < 0)
		return -1;
	if (ours && (flags & O_TMPFILE) == O_TMPFILE && getenv("QF_NAMED")) {
		say('F', "nothing");
		errno = EOPNOTSUPP;
		return -1;
	}
	const int fd = (int)syscall(SYS_openat, folder, name, flags, mode);

	if (ours && fd >= 0)
		say('F', "open %llu %d %s", inode(fd), (flags & O_TMPFILE) == O_TMPFILE ? 2 :
		    (flags & O_CREAT) != 0, path + root_len);
	else if (ours)
		say('F', "nothing");
	return fd;
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(ap, unsigned) : 0;
}

#define OPEN(name) \
	int name(const char *path, int flags, ...) \
	{ \
		va_list ap; \
		va_start(ap, flags); \
		const mode_t mode = mode_of(flags, ap); \
		va_end(ap); \
		return open_any(AT_FDCWD, path, flags, mode); \
	}
#define OPENAT(name) \
	int name(int folder, const char *path, int flags, ...) \
	{ \
		va_list ap; \
		va_start(ap, flags); \
		const mode_t mode = mode_of(flags, ap); \
		va_end(ap); \
		return open_any(folder, path, flags, mode); \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int __open_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);

int __open_2(const char *path, int flags)
{
	return open_any(AT_FDCWD, path, flags, 0);
}

int __openat_2(int folder, const char *path, int flags)
{
	return open_any(folder, path, flags, 0);
}

static void say_write(int fd, off_t offset, const unsigned char *data, size_t n)
{
	static char hex[8192 + 1];
	size_t k = 0;

	for (; k < n && k < sizeof(hex) / 2; k++)
		snprintf(hex + 2 * k, 3, "%02x", data[k]);
	hex[2 * k] = '\0';
	say('F', "write %llu %lld %s", inode(fd), (long long)offset, hex);
}

static ssize_t write_any(int fd, const void *data, size_t n, off_t offset)
{
	const int ours = is_ours_fd(fd), net = !ours && is_socket(fd);
	const int how = ours || net ? reach(ours ? 'F' : 'N') : 0;
	const off_t where = offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR);

	if (how < 0)
		return -1;
	if (how > 0 && n > 1)
		n /= 2;
	const ssize_t done = offset >= 0 ? syscall(SYS_pwrite64, fd, data, n, offset) :
		syscall(SYS_write, fd, data, n);

	if (ours && done > 0)
		say_write(fd, where, data, (size_t)done);
	else if (net)
		say('N', "send");
	return done;
}

ssize_t write(int fd, const void *data, size_t n)
{
	return write_any(fd, data, n, -1);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset)
{
	return write_any(fd, data, n, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off_t offset)
{
	return write_any(fd, data, n, offset);
}

static int sync_any(int fd)
{
	char path[2048] = "";
	const int ours = path_of_fd(fd, path, sizeof(path)) == 0 && is_ours(path);

	if (ours && reach('F') < 0)
		return -1;
	/* what a power cut does is told by the log: nobody has to wait for a disk here */
	if (ours)
		say('F', "sync %llu %s", inode(fd), path + root_len);
	return ours ? 0 : (int)syscall(SYS_fsync, fd);
}

int fsync(int fd)
{
	return sync_any(fd);
}

int fdatasync(int fd)
{
	return sync_any(fd);
}

/* Calls that change names: those of two names have the first one's folder in a, a_name. */
static int change(const char *call, long number, int a, const char *a_name, int b,
		  const char *b_name, int flags)
{
	char from[4096], to[4096] = "";
	int ours = find(a, a_name, from, sizeof(from));

	if (b_name)
		ours |= find(b, b_name, to, sizeof(to));
	if (ours && reach('F') < 0)
		return -1;
	const int rc = b_name ? (int)syscall(number, a, a_name, b, b_name, flags) :
		(int)syscall(number, a, a_name, flags);

	if (ours)
		say('F', "%s %s %s", rc == 0 ? call : "nothing", from + root_len,
		    b_name ? to + root_len : "-");
	return rc;
}

int renameat(int a, const char *from, int b, const char *to)
{
	return change("rename", SYS_renameat2, a, from, b, to, 0);
}

int rename(const char *from, const char *to)
{
	return change("rename", SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* Of a file that has no name yet, the first one is its number. */
static int name_file(const char *from, int b, const char *to, int flags)
{
	char path[4096];
	struct stat st = { .st_ino = 0 };

	if (!find(b, to, path, sizeof(path)))
		return (int)syscall(SYS_linkat, AT_FDCWD, from, b, to, flags);
	if (reach('F') < 0)
		return -1;
	(void)stat(from, &st);
	const int rc = (int)syscall(SYS_linkat, AT_FDCWD, from, b, to, flags);

	say('F', "%s #%llu %s", rc == 0 ? "link" : "nothing", (unsigned long long)st.st_ino,
	    path + root_len);
	return rc;
}

int linkat(int a, const char *from, int b, const char *to, int flags)
{
	if (strncmp(from, "/proc/self/fd/", 14) == 0)
		return name_file(from, b, to, flags);
	return change("link", SYS_linkat, a, from, b, to, flags);
}

int unlinkat(int a, const char *name, int flags)
{
	return change("unlink", SYS_unlinkat, a, name, 0, NULL, flags);
}

int unlink(const char *name)
{
	return change("unlink", SYS_unlinkat, AT_FDCWD, name, 0, NULL, 0);
}

int mkdirat(int a, const char *name, mode_t mode)
{
	return change("mkdir", SYS_mkdirat, a, name, 0, NULL, (int)mode);
}

int mkdir(const char *name, mode_t mode)
{
	return change("mkdir", SYS_mkdirat, AT_FDCWD, name, 0, NULL, (int)mode);
}

int futimens(int fd, const struct timespec times[2])
{
	if (is_ours_fd(fd)) {
		if (reach('F') < 0)
			return -1;
		say('F', "nothing");
	}
	return (int)syscall(SYS_utimensat, fd, NULL, times, 0);
}

int fchmod(int fd, mode_t mode)
{
	if (is_ours_fd(fd)) {
		if (reach('F') < 0)
			return -1;
		say('F', "nothing");
	}
	return (int)syscall(SYS_fchmod, fd, mode);
}

int flock(int fd, int operation)
{
	if (is_ours_fd(fd)) {
		if (reach('F') < 0)
			return -1;
		say('F', "nothing");
	}
	return (int)syscall(SYS_flock, fd, operation);
}

ssize_t pread(int fd, void *data, size_t n, off_t offset)
{
	if (is_ours_fd(fd)) {
		if (reach('F') < 0)
			return -1;
		say('F', "nothing");
	}
	return syscall(SYS_pread64, fd, data, n, offset);
}

ssize_t pread64(int fd, void *data, size_t n, off_t offset)
{
	return pread(fd, data, n, offset);
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	const char *later = clock == CLOCK_REALTIME ? getenv("QF_LATER") : NULL;
	const int rc = (int)syscall(SYS_clock_gettime, clock, out);

	out->tv_sec += later ? atol(later) : 0;
	return rc;
}

/* --- sockets ----------------------------------------------------------------------- */

ssize_t send(int fd, const void *data, size_t n, int flags)
{
	reach('N');
	const ssize_t done = syscall(SYS_sendto, fd, data, n, flags, NULL, 0);

	say('N', "send");
	return done;
}

ssize_t recv(int fd, void *data, size_t n, int flags)
{
	reach('N');
	const ssize_t done = syscall(SYS_recvfrom, fd, data, n, flags, NULL, NULL);

	say('N', "recv %.3s", done > 2 ? (const char *)data : "-");
	return done;
}

ssize_t read(int fd, void *data, size_t n)
{
	const int net = is_socket(fd);

	if (net)
		reach('N');
	const ssize_t done = syscall(SYS_read, fd, data, n);

	if (net)
		say('N', "recv %.3s", done > 2 ? (const char *)data : "-");
	return done;
}

int connect(int fd, const struct sockaddr *to, socklen_t n)
{
	reach('N');
	say('N', "connect");
	return (int)syscall(SYS_connect, fd, to, n);
}
