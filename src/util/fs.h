/*
 * Files: opened by descriptor and checked with fstat, read with a bound,
 * written whole. Descriptors are opened close-on-exec.
 */
#ifndef UTIL_FS_H
#define UTIL_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

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

/*
 * Reads a file that holds a secret: refused (EX_CONFIG, with the chmod to
 * run) when it belongs neither to the caller nor to root, or when group or
 * others may read or write it.
 */
ATTR_CHECK int fs_read_secret(const char *path, struct strbuf *out, struct error *err);

/* The check alone, for a file that is open: see fs_read_secret(). */
ATTR_CHECK int fs_check_secret(int fd, const char *path, struct error *err);

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

/* Syncs the folder that a new name was made in. EX_IOERR on failure. */
ATTR_CHECK int fs_sync_dir(const char *path, struct error *err);

/*
 * Replaces a leading "~/" or "$HOME/" with the home folder: $HOME, else the
 * passwd entry. xfree() the result; never NULL.
 */
char *fs_expand_home(const char *path);

/* The home folder (xfree), or NULL when there is none. */
char *fs_home(void);

/* Appended to the text of EACCES/EPERM when the file's mode would allow it. */
const char *fs_denied_hint(const char *path, int error_number);

/* Makes the folders above path that are missing, for their owner only (0700); -1 with errno. */
ATTR_CHECK int fs_make_folders(const char *path);

#endif
