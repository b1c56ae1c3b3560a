#include "config.h"
#include "queue/pace.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/queue.h"
#include "queue/queue_private.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"

#define FOLDER "rate"
#define NAME_LIMIT 64
#define BURST 10		/* that part of the messages may go at once */
#define LATE 60000000		/* microseconds since who asks has looked at the clock, at most */

/* The file, which is made where it is missing; -1: there cannot be one. */
static int open_file(const struct queue *q, const char *key)
{
	const int folder = queue_exists(q) ? store_open_below(q->store.fd, FOLDER) : -1;
	struct strbuf name = STRBUF_INIT(NAME_LIMIT);
	int fd = -1;

	queue_add_key_name(&name, key);
	if (folder >= 0) {
		fd = openat(folder, name.buf, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
			    O_CLOEXEC, 0600);
		close(folder);
	}
	strbuf_release(&name);
	return fd;
}

/* How long it is till then from that moment, in microseconds: a message may cost less than 1 ms. */
static int64_t owed(const struct timespec *paid, int64_t now)
{
	return ((int64_t)paid->tv_sec - now / 1000) * 1000000 + paid->tv_nsec / 1000 -
		now % 1000 * 1000;
}

int64_t pace_take(const struct queue *q, const char *key, unsigned messages, unsigned seconds,
		  int64_t now)
{
	const int64_t whole = (int64_t)seconds * 1000000, cost = whole / messages;
	const int64_t most = whole / BURST > cost ? whole / BURST : cost;
	const int fd = open_file(q, key);
	struct error ignored;
	struct stat st;
	int64_t debt = 0, wait = 0;

	if (fd < 0)
		return 0;
	if (fs_lock(fd, FOLDER, FS_LOCK_MS, &ignored) == 0 && fstat(fd, &st) == 0)
		debt = owed(&st.st_mtim, now);
	/* paid for long ago, or owed by a clock that was wrong */
	if (debt < 0 || debt > most + LATE)
		debt = 0;
	debt += cost;
	if (debt > most) {
		wait = (debt - most + 999) / 1000;
	} else {
		const int64_t paid = now * 1000 + debt;
		const struct timespec when = { .tv_sec = (time_t)(paid / 1000000),
					       .tv_nsec = paid % 1000000 * 1000 };
		const struct timespec times[2] = { when, when };

		(void)!futimens(fd, times);
	}
	close(fd);
	return wait;
}
