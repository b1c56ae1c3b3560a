/*
 * What the program keeps between its runs, and every file of its own making
 * that takes the place of another.
 *
 * A store is a folder, held by its descriptor. It is the caller's or root's,
 * nobody else may write to it, and it is no symbolic link; one that is missing
 * is made, mode 0700, with the folders above it, and each new name is synced
 * before it is used. A file in it is read when it is a regular file that obeys
 * the rules asked for (fs_check()), never through a link.
 *
 * A file is replaced in one way only: written under a temporary name in a
 * folder of the same file system, synced, renamed, and the folder synced. So
 * whoever reads finds the old content or the new one, whole, after a crash,
 * too, and what was said to be written is there. When anything fails, the old
 * content stays and the temporary file is removed.
 *
 * Read, change and replace belongs under store_lock(), which waits for a
 * bounded time. Descriptors are close-on-exec.
 */
#ifndef UTIL_STORE_H
#define UTIL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "util/attr.h"

struct error;
struct strbuf;

/* --- folders ---------------------------------------------------------------- */

struct store {
	int fd;			/* -1 = there is no such folder: nothing is in it */
	char *path;		/* for texts */
};

#define STORE_INIT { .fd = -1 }

/*
 * Opens the folder; make: it is made where it is missing, else a missing one
 * is an empty store. EX_CONFIG when somebody else may write there,
 * EX_CANTCREAT 4.3.0 when it cannot be opened or made.
 */
ATTR_CHECK int store_open(struct store *s, const char *path, bool make, struct error *err);

/*
 * Folder sub of the program's state, made where it is missing. State is in
 * the first of: $STATE_DIRECTORY (of the service manager, its first entry),
 * $XDG_STATE_HOME/msubmit, for root /var/lib/msubmit, ~/.local/state/msubmit.
 * Environment counts only for a process without extra rights. As store_open().
 */
ATTR_CHECK int store_open_state(struct store *s, const char *sub, struct error *err);

/*
 * What belongs to the user and not to a service: $XDG_STATE_HOME/msubmit,
 * else ~/.local/state/msubmit, for root, too. As store_open(), and no place
 * for it is as a missing folder; a home that does not exist is not made.
 */
ATTR_CHECK int store_open_user(struct store *s, bool make, struct error *err);

/* Gives the folder back, and its lock; for one that was never opened, too. */
void store_close(struct store *s);

/* Appends the path of the state, of file name in the user's; -1 when there is no place. */
ATTR_CHECK int store_state_path(struct strbuf *out);
ATTR_CHECK int store_user_path(const char *name, struct strbuf *out);

/*
 * Opens folder name of the folder parent (or AT_FDCWD), whoever's it is, made
 * (mode 0700) where it is missing, with parent synced. The descriptor, or -1
 * and errno.
 */
ATTR_CHECK int store_open_below(int parent, const char *name);

/*
 * Locks the store against others who do the same until it is closed; waits
 * at most that many milliseconds. As fs_lock().
 */
ATTR_CHECK int store_lock(const struct store *s, int milliseconds, struct error *err);

/*
 * Appends what file name holds, nothing where there is no such file; its
 * limit is the bound. EX_CONFIG when it breaks one of the rules (enum
 * fs_rule), EX_IOERR, EX_DATAERR when it is larger.
 */
ATTR_CHECK int store_read(const struct store *s, const char *name, unsigned rules,
			  struct strbuf *out, struct error *err);

/* Removes the caller's files that nobody has written for that many seconds. */
void store_clean(const struct store *s, long seconds);

/* --- files ------------------------------------------------------------------ */

/*
 * Appends the name of a file for what has that key: prefix and the 16
 * hexadecimal digits of its hash. Another key may have the same.
 */
void store_name(struct strbuf *out, const char *prefix, const struct strbuf *key);

enum store_way {
	STORE_REPLACE,		/* takes the place of what has the name */
	STORE_NEW,		/* fails with EEXIST when something has the name */
	STORE_CACHE		/* STORE_REPLACE without sync, for what may be lost: see below */
};

/* A file under way, for the caller to write to fd. */
struct store_file {
	int fd;			/* -1 = none */
	int folder;		/* borrowed: where it lies until it is committed */
	mode_t mode;
	char temporary[256];	/* its name there, "" = it has none */
};

/*
 * Begins a file in folder, which must stay open; its mode is set when it is
 * committed, until then it is 0600. temporary: its name there, EEXIST if there
 * is one; NULL for a name that is made up. -1 and errno.
 */
ATTR_CHECK int store_begin(struct store_file *f, int folder, const char *temporary, mode_t mode);

/*
 * The same for STORE_NEW alone: the file has no name until it is committed,
 * where the file system can do that, and is locked until it is closed (flock()).
 * It gets its name before it is synced, which spares waiting for the disk
 * twice: others see it early, and must leave a locked one alone; after a power
 * cut it may be there broken, which its reader must notice.
 */
ATTR_CHECK int store_begin_locked(struct store_file *f, int folder, mode_t mode);

/*
 * Syncs the file, gives it its name in folder (which may be another than it
 * was begun in) and syncs that. -1 and errno: it is removed; one that was to
 * replace another may have done so, when only the last sync failed. With
 * STORE_CACHE no sync is waited for: after a crash the old file is there, the
 * new one, none, or a broken one, which its reader must notice.
 */
ATTR_CHECK int store_commit(struct store_file *f, int folder, const char *name,
			    enum store_way way);

/* Removes a file that is under way; keeps errno. */
void store_abort(struct store_file *f);

/*
 * Writes a whole file of the store. EX_CANTCREAT (4.3.1 when there is no
 * room), saying which one, and for STORE_NEW that something is there already.
 */
ATTR_CHECK int store_write(const struct store *s, const char *name, mode_t mode,
			   enum store_way way, const void *data, size_t n, struct error *err);

/* As store_write(), in a folder that need not be the caller's and is there already. */
ATTR_CHECK int store_write_path(const char *path, mode_t mode, enum store_way way,
				const void *data, size_t n, struct error *err);

/* What errno says of writing path/name (name may be NULL): EX_CANTCREAT, 4.3.x; returns -1. */
int store_fault(struct error *err, const char *path, const char *name);

/*
 * Opens the folder that path lies in, as it is, and tells the rest of the
 * path. The descriptor, or -1 and errno.
 */
ATTR_CHECK int store_open_above(const char *path, const char **name_out);

/*
 * Syncs the folder that path lies in, after a file was made there, unless the
 * caller may not read it. -1 and errno.
 */
ATTR_CHECK int store_sync_above(const char *path);

#endif
