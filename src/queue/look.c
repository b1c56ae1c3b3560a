#include "config.h"
#include "queue/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/manage.h"
#include "queue/queue.h"
#include "queue/queue_private.h"
#include "util/arena.h"
#include "util/error.h"

#define AHEAD_MS ((int64_t)4 * 3600 * 1000)	/* further than schedule_delay() and its jitter */

#define STALE_MS ((int64_t)24 * 3600 * 1000)

enum { OLDEST = 16, LOCKS_MAX = 100000 };

struct looking_through {
	struct queue *queue;
	int64_t now;
	struct arena *arena;
	struct look *out;
	uint64_t *locked;		/* inodes of files that somebody has locked, sorted */
	size_t locked_n, locked_alloc;
	char oldest[OLDEST][ENTRY_ID_LEN + 1];	/* the deferred ones that came first, sorted */
	size_t oldest_n;
	size_t paused_alloc;
};

/* --- what is being sent ----------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF": the inode behind the second colon. */
static void list_locks(struct looking_through *l)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[256];
	uint64_t inode;

	while (f && fgets(line, sizeof(line), f) && l->locked_n < LOCKS_MAX) {
		if (sscanf(line, "%*d: FLOCK %*s %*s %*d %*x:%*x:%" SCNu64, &inode) != 1)
			continue;
		l->locked = arena_grow(l->arena, l->locked, l->locked_n, &l->locked_alloc,
				       sizeof(*l->locked));
		l->locked[l->locked_n++] = inode;
	}
	if (f)
		fclose(f);
	if (l->locked_n)
		qsort(l->locked, l->locked_n, sizeof(*l->locked), by_number);
}

/* A file of another disk may have the same number. */
static bool is_active(const struct looking_through *l, const struct queue_item *item)
{
	return l->locked_n && bsearch(&item->inode, l->locked, l->locked_n, sizeof(*l->locked),
				      by_number) && queue_is_claimed(l->queue, item->id);
}

/* --- what waits -------------------------------------------------------------------- */

static enum look_kind kind_of(const struct entry *e, int64_t now)
{
	if (e->held)
		return LOOK_HELD;
	return manage_waits_until(e, now) && e->next_ms > now ? LOOK_SCHEDULED : LOOK_DEFERRED;
}

static enum look_kind kind_of_item(const struct looking_through *l, const struct queue_item *item)
{
	struct error ignored;
	struct entry e;

	if (is_active(l, item))
		return LOOK_ACTIVE;
	if (item->due_ms <= l->now + AHEAD_MS)
		return LOOK_DEFERRED;
	struct arena *a = arena_new();
	const enum look_kind kind = queue_peek(l->queue, item->id, a, &e, &ignored) < 0 ?
		LOOK_DEFERRED : kind_of(&e, l->now);

	arena_free(a);
	return kind;
}

/* Ids begin with the time at which they were made. */
static void note_oldest(struct looking_through *l, const char *id)
{
	size_t at = l->oldest_n;

	while (at > 0 && strcmp(id, l->oldest[at - 1]) < 0)
		at--;
	if (at == OLDEST)
		return;
	if (l->oldest_n < OLDEST)
		l->oldest_n++;
	memmove(l->oldest[at + 1], l->oldest[at],
		(l->oldest_n - 1 - at) * sizeof(l->oldest[0]));
	memcpy(l->oldest[at], id, ENTRY_ID_LEN + 1);
}

static int count_item(void *ctx, const struct queue_item *item)
{
	struct looking_through *l = ctx;
	const enum look_kind kind = kind_of_item(l, item);

	l->out->count[kind]++;
	l->out->octets += item->size;
	if (kind == LOOK_DEFERRED)
		note_oldest(l, item->id);
	return 0;
}

/* Since when it could have been sent. */
static int64_t waits_since(const struct entry *e)
{
	const struct ext_request *x = &e->envelope.ext;
	int64_t since = e->arrival_ms;

	if (x->hold != HOLD_NONE && x->hold_ms > since)
		since = x->hold_ms;
	return e->undo_ms > since ? e->undo_ms : since;
}

static void find_oldest(struct looking_through *l)
{
	struct look *out = l->out;

	for (size_t i = 0; i < l->oldest_n; i++) {
		struct arena *a = arena_new();
		struct error why;
		struct entry e;
		const bool read = queue_peek(l->queue, l->oldest[i], a, &e, &why) == 0;
		const bool gone = !read && error_is(&why, FAULT_NO_INPUT);
		const enum look_kind kind = read ? kind_of(&e, l->now) : LOOK_DEFERRED;
		const int64_t since = kind != LOOK_DEFERRED || gone ? 0 :
			read ? waits_since(&e) : queue_id_ms(l->oldest[i]);

		if (since && (!out->oldest_ms || since < out->oldest_ms)) {
			out->oldest_ms = since;
			memcpy(out->oldest, l->oldest[i], ENTRY_ID_LEN + 1);
		}
		/* held for longer than a file's time can say, or due in some minutes */
		out->count[LOOK_DEFERRED]--;
		out->count[kind]++;
		arena_free(a);
	}
}

/* --- what does not wait -------------------------------------------------------------- */

static uint64_t count_folder(const struct queue *q, const char *name)
{
	int fd = queue_exists(q) ? openat(q->store.fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
					  O_CLOEXEC) : -1;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;
	uint64_t n = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((d = readdir(dir)))
		n += queue_is_id(d->d_name);
	closedir(dir);
	return n;
}

/* An account that is paused with these options and with those is paused once. */
static bool merge_pause(struct look *out, const struct pause *p)
{
	for (size_t i = 0; i < out->paused_n; i++) {
		struct pause *one = &out->paused[i];

		if (strcmp(one->account, p->account) != 0)
			continue;
		if (p->since_ms < one->since_ms)
			one->since_ms = p->since_ms;
		if (p->failures > one->failures)
			one->failures = p->failures;
		if (p->next_ms < one->next_ms)
			one->next_ms = p->next_ms;
		return true;
	}
	return false;
}

/* One that nobody has tried for a day has no messages any more. */
static int note_pause(void *ctx, const struct pause *p)
{
	struct looking_through *l = ctx;
	struct look *out = l->out;
	struct pause *one;

	if (p->next_ms + STALE_MS < l->now || merge_pause(out, p))
		return 0;
	out->paused = arena_grow(l->arena, out->paused, out->paused_n, &l->paused_alloc,
				 sizeof(*out->paused));
	one = &out->paused[out->paused_n++];
	*one = *p;
	one->account = arena_strdup(l->arena, p->account);
	one->fault = arena_strdup(l->arena, p->fault);
	one->reason = arena_strdup(l->arena, p->reason);
	return 0;
}

int queue_look(struct queue *q, int64_t now, struct arena *a, struct look *out, struct error *err)
{
	struct look look = { .octets = 0 };
	struct looking_through l = { .queue = q, .now = now, .arena = a, .out = &look };

	list_locks(&l);
	if (queue_each(q, count_item, &l, err) < 0 || pause_each(q, note_pause, &l, err) < 0)
		return -1;
	find_oldest(&l);
	if (look.count[LOOK_ACTIVE] + look.count[LOOK_DEFERRED] == 0)
		look.paused_n = 0;
	look.count[LOOK_FAILED] = count_folder(q, "failed");
	look.count[LOOK_CORRUPT] = count_folder(q, "corrupt");
	look.count[LOOK_SENT] = count_folder(q, "sent");
	look.success_ms = pause_last_success(q);
	*out = look;
	return 0;
}
