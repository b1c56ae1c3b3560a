/*
 * Files: opened by descriptor and checked with fstat, read with a bound,
 * written whole. Descriptors are opened close-on-exec.
 */
#ifndef UTIL_FS_H
#define UTIL_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "util/attr.h"

struct error;
struct strbuf;

/* open() for reading, anything but a folder; the descriptor or -1 (errno). */
ATTR_CHECK int fs_open_read(const char *path);

/*
 * Reads fd to its end into out; its limit is the bound. EX_IOERR on a read
 * error, EX_DATAERR when the bound is passed; name is for the text.
 */
ATTR_CHECK int fs_read_fd(int fd, const char *name, struct strbuf *out, struct error *err);

/* What a file must be to be believed. */
enum fs_rule {
	FS_REGULAR = 1,		/* a regular file and nothing else */
	FS_OWN = 2,		/* the caller's (effective user) */
	FS_OWN_OR_ROOT = 4,	/* the caller's or root's */
	FS_ROOT = 8,		/* root's, whatever kind of file it is */
	FS_ONE_NAME = 16,	/* no second name; one that was just replaced has none */
	FS_NOT_ANYBODY = 32,	/* not everybody may write it */
	FS_NOT_OTHERS = 64,	/* neither group nor others may write it */
	FS_PRIVATE = 128,	/* neither group nor others may do anything with it */
	/*
	 * as FS_PRIVATE, but for what root lets others read: a file of root's its
	 * group, what a container's manager has put below /run/secrets everybody
	 * in the container
	 */
	FS_CONFIDED = 256,
	/* a password, a key: not for everybody on a machine of many users */
	FS_SECRET = FS_OWN_OR_ROOT | FS_CONFIDED,
};

/*
 * Does the open file obey these rules? Pipes and devices always do, but for
 * FS_REGULAR and FS_ROOT. EX_CONFIG otherwise, with the command that helps;
 * path is for the text.
 */
ATTR_CHECK int fs_check(int fd, unsigned rules, const char *path, struct error *err);
ATTR_CHECK int fs_check_stat(const struct stat *st, unsigned rules, const char *path,
			     struct error *err);

/*
 * Reads the file when it obeys the rules; out's limit is the bound.
 * EX_CONFIG when it does not or cannot be opened, else as fs_read_fd().
 */
ATTR_CHECK int fs_read_file(const char *path, unsigned rules, struct strbuf *out,
			    struct error *err);

/*
 * Does fd lie on a file system of this machine's own disks or memory, as far
 * as is known (ext4, XFS, tmpfs...)? Others (NFS, FUSE) can hang for ever.
 */
bool fs_is_local(int fd);

/* Writes all n octets; -1 and errno on failure. */
ATTR_CHECK int fs_write_all(int fd, const void *data, size_t n);

/*
 * A temporary file that has no name: in TMPDIR (taken only when the caller
 * is not privileged), else /var/tmp. EX_CANTCREAT when none can be made.
 */
ATTR_CHECK int fs_temp_file(int *fd_out, struct error *err);

/* How long a file of ours is waited for: whoever can read it can hold a lock on it. */
#define FS_LOCK_MS 10000

/*
 * Locks fd against others who do the same, at most that many milliseconds
 * later. EX_CANTCREAT (4.3.0) when somebody still has it, or nothing can be
 * locked there; path is for the text.
 */
ATTR_CHECK int fs_lock(int fd, const char *path, int milliseconds, struct error *err);

/*
 * Replaces a leading "~/" or "$HOME/" with the home folder: $HOME, else the
 * passwd entry. xfree() the result; never NULL.
 */
char *fs_expand_home(const char *path);

/* The home folder (xfree), or NULL when there is none: of root never another user's $HOME. */
char *fs_home(void);

/* False where root is led to another user's folder, by HOME and the like that sudo has kept. */
bool fs_folder_is_ours(const char *path);

/*
 * errno of an open() as EX_CONFIG, with a hint where the file's mode would
 * allow it; what stands in front of the path, with a blank. Returns -1.
 */
int fs_cannot_open(struct error *err, const char *what, const char *path);

/* Can the file be opened for reading? If not, it is said as above. */
ATTR_CHECK int fs_check_readable(const char *path, struct error *err);

/* Appended to the text of EACCES/EPERM when the file's mode would allow it. */
const char *fs_denied_hint(const char *path, int error_number);

/* Appends that to the error, whose fault is FAULT_FILE_CONFINED then. Returns -1. */
int fs_denied(struct error *err, const char *path, int error_number);

#endif
