/*
 * The folder in which messages wait, and what is done there.
 *
 *	FOLDER/XX/ID	entries, by the last two digits of their ids
 *	FOLDER/tmp/	those being written; changed whenever one was added
 *	FOLDER/pending/	notifications that are not entries yet: queue_stage()
 *	FOLDER/corrupt/	damaged ones
 *	FOLDER/failed/	those that nobody can be told about
 *	FOLDER/sent/	those that came to their end, with keep_queue
 *	FOLDER/paused/	accounts that are paused (queue/pause.h)
 *	FOLDER/rate/	how much accounts have sent (queue/pace.h)
 *	FOLDER/success	written when a message was last sent
 *	FOLDER/usage	octets of all entries, as far as they were counted
 *
 * A message is in the queue once queue_add() has returned 0: the entry was
 * written, given its name while it was locked, and it and the folder synced.
 * Who ends before it has its name has left nothing that would ever be sent;
 * who ends later has left an entry that will be, but for a power cut before
 * the sync, which may leave a damaged one. A change of an entry is written
 * under another name, synced, renamed, and the folder synced.
 *
 * Whoever works with an entry holds a lock on its file (flock(), not waited
 * for), and on nothing else: others add, list and send meanwhile. The lock
 * ends with the process, however that ends. The time of modification of an
 * entry's file says when it is due, so that a queue can be looked through
 * without opening what is in it; behind its milliseconds there is a mark of the
 * account with its configuration, so that those of one that waits are told
 * from others the same way. It is put off before a try (queue_put_off()),
 * so that a try that has never ended is not repeated at once.
 *
 * An entry that was delivered is taken out before the end of the next message
 * goes to the server. Its folder is synced with those of up to
 * QUEUE_UNSYNCED_MAX entries, at the latest before the first message that
 * begins a tenth of a second later, and when there is nothing to do: what a
 * power cut may bring back, and double, are those alone.
 *
 * Folders and files are the caller's or root's, nobody else may write there,
 * and no link is followed (util/store.h).
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/entry.h"
#include "util/attr.h"
#include "util/store.h"

struct edits;
struct error;
struct message;

struct queue {
	struct store store;	/* store.fd is -1 when there is no queue */
	/* entries taken out by this process, whose folders are to be synced */
	unsigned removed;
	uint64_t removed_octets;
	int64_t removed_ms;		/* the first of them, on the monotonic clock */
	uint32_t unsynced[8];		/* a bit for each of the 256 folders */
};

#define QUEUE_INIT { .store = STORE_INIT }

/*
 * Opens the queue in folder path (NULL: "queue" in the state of the program,
 * see store_open_state()). make: what is missing is made; else a missing one
 * is an empty queue that cannot be added to. Errors of store_open().
 */
ATTR_CHECK int queue_open(struct queue *q, const char *path, bool make, struct error *err);
void queue_close(struct queue *q);

/* Is there a queue? */
bool queue_exists(const struct queue *q);

/*
 * Adds a message as its edits make it. The entry gets an id, and what is
 * known of the message's octets. max_bytes: what all entries may have in all,
 * 0 = no limit (FAULT_QUEUE_FULL). On failure nothing is in the queue.
 * EX_CANTCREAT, EX_IOERR, EX_DATAERR of entry_write().
 */
ATTR_CHECK int queue_add(struct queue *q, struct entry *e, const struct message *m,
			 const struct edits *edits, uint64_t max_bytes, struct error *err);

/*
 * Writes an entry under that name (the id of the entry that it is about, a dot
 * and more) into pending/, in place of one that is there. It becomes an entry
 * with queue_admit(), and is removed when the one that it is about is gone: a
 * notification is written, then it is noted that it was told, and then it is
 * sent off; who ends in between neither forgets it nor does it twice.
 */
ATTR_CHECK int queue_stage(struct queue *q, struct entry *e, const struct message *m,
			   const struct edits *edits, const char *name, struct error *err);

/* Makes it an entry; one that is not there was made one before. EX_CANTCREAT. */
ATTR_CHECK int queue_admit(struct queue *q, const char *name, struct error *err);

/* --- one entry -------------------------------------------------------------------- */

struct queue_claim {
	struct queue *queue;
	int folder, fd;		/* where it lies, and it: -1 = nothing is claimed */
	int64_t due_ms;		/* what its file says */
	struct entry entry;	/* in an arena of its own */
};

#define QUEUE_CLAIM_INIT { .folder = -1, .fd = -1 }

/*
 * Takes the entry for the caller alone: 1, and queue_release() follows. 0: it
 * is not there (any more), or somebody else has it. -1: it cannot be read;
 * one that is damaged (FAULT_QUEUE_DAMAGED) was put into corrupt/.
 */
ATTR_CHECK int queue_claim(struct queue *q, const char *id, struct queue_claim *out,
			   struct error *err);

/* Has somebody taken it? It is looked at for a moment only. */
bool queue_is_claimed(const struct queue *q, const char *id);

/* Reads an entry's envelope without taking it; as queue_claim(), but nothing is moved. */
ATTR_CHECK int queue_peek(struct queue *q, const char *id, struct arena *a, struct entry *out,
			  struct error *err);

/*
 * The message of a claimed entry, read in place: it must be freed before the
 * claim is. FAULT_QUEUE_DAMAGED (it was put into corrupt/, and the claim can
 * only be released) when it has not the sum that it was written with.
 */
ATTR_CHECK int queue_message(struct queue_claim *c, struct message **out, struct error *err);

/* Not due until then, should this process not come back to it; not waited for on disk. */
void queue_put_off(struct queue_claim *c, int64_t until_ms);

/*
 * Writes what has changed in c->entry. On failure the entry is as it was, but
 * for who has got the message and when it is due: that needs no room.
 */
ATTR_CHECK int queue_update(struct queue_claim *c, struct error *err);

/* Takes the entry out of the queue for good. */
ATTR_CHECK int queue_remove(struct queue_claim *c, struct error *err);

/*
 * The same, but that a power cut may bring it back until queue_sync(), which is
 * due at the latest when QUEUE_UNSYNCED_MAX of them were taken out, and is
 * done then: one wait for the disk for many. The end of the process alone
 * brings nothing back. EX_IOERR, for this entry or for those before.
 */
#define QUEUE_UNSYNCED_MAX 16
ATTR_CHECK int queue_remove_soon(struct queue_claim *c, struct error *err);

/* Syncs the folders of all that were taken out, or when the first of them was so long ago. */
ATTR_CHECK int queue_sync(struct queue *q, struct error *err);
ATTR_CHECK int queue_sync_older(struct queue *q, int milliseconds, struct error *err);

/* Moves it, as it is on disk, to folder "failed", "corrupt" or "sent" of the queue. */
ATTR_CHECK int queue_set_aside(struct queue_claim *c, const char *folder, struct error *err);

/* Gives it back; for a claim of nothing, too. */
void queue_release(struct queue_claim *c);

/* --- all entries -------------------------------------------------------------------- */

/* One of them, as its folder shows it. */
struct queue_item {
	char id[ENTRY_ID_LEN + 1];
	int64_t due_ms;
	unsigned mark;		/* of its account, 0 = none; another may have the same */
	uint64_t size, inode;
};

/*
 * Hands over the entries, folder by folder, those of a folder in the order of
 * their arrival; the first folder is any. take: 0 = go on, else that is
 * returned. Counts what they have in all, for the limit of queue_add().
 * Memory for one folder is used. -1 when a folder cannot be read, after all others.
 */
ATTR_CHECK int queue_each(struct queue *q, int (*take)(void *ctx, const struct queue_item *),
			  void *ctx, struct error *err);

/* Could that be the id of an entry? */
ATTR_PURE bool queue_is_id(const char *id);

/* Removes what was left in tmp/ and pending/ by who has not come to an end. */
void queue_clean(struct queue *q);

#endif
