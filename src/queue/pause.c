#include "config.h"
#include "queue/pause.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/entry.h"
#include "queue/queue.h"
#include "queue/queue_private.h"
#include "queue/schedule.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/text.h"

#define FOLDER "paused"
#define SUCCESS "success"
#define FILE_MAX 4096
#define NAME_LIMIT 64
#define KEY_LIMIT ((size_t)1 << 20)
#define PROBE_MS ((int64_t)5 * 60 * 1000)	/* for so long a probe may be under way */

/* --- accounts ------------------------------------------------------------------- */

const char *pause_key(const struct entry *e, struct arena *a, const char **config_out)
{
	struct strbuf key = STRBUF_INIT(KEY_LIMIT);

	strbuf_addf(&key, "%s%c%d", e->config_file ? e->config_file : "", '\n', e->no_files);
	for (size_t i = 0; i < e->setting_n; i++)
		strbuf_addf(&key, "\n%s=%s", e->setting[i].key, e->setting[i].value);
	*config_out = arena_strdup(a, key.buf);
	strbuf_addf(&key, "\n\n%s", e->account);
	return arena_take(a, &key);
}

/* --- the form of a file --------------------------------------------------------- */

/* Does not compile when the member has another type. */
#define MEMBER(type, m) (offsetof(struct pause, m) + \
	0 * sizeof((type *)0 == &((struct pause *)0)->m))

static const struct {
	const char *key;
	size_t offset;
} moments[] = {
	{ "since", MEMBER(int64_t, since_ms) }, { "last", MEMBER(int64_t, last_ms) },
	{ "next", MEMBER(int64_t, next_ms) },
}, texts[] = {
	{ "account", MEMBER(const char *, account) }, { "fault", MEMBER(const char *, fault) },
	{ "reason", MEMBER(const char *, reason) },
};

/* One line; a control in it, which none of ours has, becomes a '?'. */
static void put_text(struct strbuf *out, const char *key, const char *value)
{
	strbuf_addf(out, "%s ", key);
	for (; *value; value++)
		strbuf_addch(out, (unsigned char)*value < ' ' ? '?' : *value);
	strbuf_addch(out, '\n');
}

static void put_pause(struct strbuf *out, const struct pause *p)
{
	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		int64_t ms;

		memcpy(&ms, (const char *)p + moments[i].offset, sizeof(ms));
		strbuf_addf(out, "%s %" PRId64 "\n", moments[i].key, ms);
	}
	strbuf_addf(out, "failures %u\n", p->failures);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *text;

		memcpy(&text, (const char *)p + texts[i].offset, sizeof(text));
		put_text(out, texts[i].key, text);
	}
}

/* What follows the key on its line, in the arena; NULL when there is no such line. */
static const char *find_line(const char *text, const char *key, struct arena *a)
{
	const size_t len = strlen(key);

	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		if (strncmp(at, key, len) == 0 && at[len] == ' ')
			return arena_strndup(a, at + len + 1, strcspn(at + len + 1, "\n"));
	}
	return NULL;
}

static bool read_moment(const char *text, const char *key, struct arena *a, int64_t *out)
{
	const char *value = find_line(text, key, a);
	uint64_t n;

	if (!value || text_decimal(value, &n) != strlen(value) || !n || n > INT64_MAX)
		return false;
	*out = (int64_t)n;
	return true;
}

static bool parse(const char *text, struct arena *a, struct pause *out)
{
	struct pause p = { .account = NULL };
	int64_t n;

	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		if (!read_moment(text, moments[i].key, a, &n))
			return false;
		memcpy((char *)&p + moments[i].offset, &n, sizeof(n));
	}
	if (!read_moment(text, "failures", a, &n) || n > UINT32_MAX)
		return false;
	p.failures = (unsigned)n;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *value = find_line(text, texts[i].key, a);

		if (!value)
			return false;
		memcpy((char *)&p + texts[i].offset, &value, sizeof(value));
	}
	*out = p;
	return true;
}

/* --- on disk -------------------------------------------------------------------- */

/* The folder, as a store that borrows the path of the queue for its texts. */
static struct store open_pauses(const struct queue *q, bool make)
{
	struct store s = { .path = q->store.path };

	s.fd = !queue_exists(q) ? -1 : make ? store_open_below(q->store.fd, FOLDER) :
		openat(q->store.fd, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s;
}

static void close_pauses(const struct store *s)
{
	if (s->fd >= 0)
		close(s->fd);
}

/* Nothing else than a file of ours counts. */
static bool read_file(const struct store *s, const char *name, struct arena *a, struct pause *out)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct error ignored;
	const bool found = store_read(s, name, FS_REGULAR | FS_OWN_OR_ROOT | FS_NOT_OTHERS, &text,
				      &ignored) == 0 && text.len && parse(text.buf, a, out);

	strbuf_release(&text);
	return found;
}

int pause_read(const struct queue *q, const char *key, struct arena *a, struct pause *out)
{
	struct strbuf name = STRBUF_INIT(NAME_LIMIT);
	const struct store s = open_pauses(q, false);
	bool found = false;

	if (s.fd >= 0) {
		queue_add_key_name(&name, key);
		found = read_file(&s, name.buf, a, out);
	}
	close_pauses(&s);
	strbuf_release(&name);
	return found;
}

static int write_file(const struct queue *q, const char *key, const struct pause *p,
		      struct error *err)
{
	struct strbuf name = STRBUF_INIT(NAME_LIMIT), text = STRBUF_INIT(FILE_MAX);
	const struct store s = open_pauses(q, true);
	int rc;

	queue_add_key_name(&name, key);
	put_pause(&text, p);
	rc = s.fd < 0 ? store_fault(err, q->store.path, FOLDER) :
		store_write(&s, name.buf, 0600, STORE_CACHE, text.buf, text.len, err);
	close_pauses(&s);
	strbuf_release(&name);
	strbuf_release(&text);
	return rc < 0 ? error_prefix(err, "queue") : 0;
}

int pause_fail(const struct queue *q, const char *key, const char *account,
	       const struct error *why, int64_t now, struct arena *a, struct pause *out,
	       struct error *err)
{
	struct pause old, p = {
		.account = arena_strdup(a, account), .since_ms = now, .last_ms = now,
		.failures = 1, .fault = fault_rows[why->fault].name,
		.reason = arena_strdup(a, why->text),
	};

	/* one from the time to come was written by another clock */
	if (pause_read(q, key, a, &old) && old.since_ms <= now) {
		p.since_ms = old.since_ms;
		p.failures = old.failures < UINT32_MAX ? old.failures + 1 : old.failures;
	}
	p.next_ms = now + (int64_t)schedule_delay(p.failures) * 1000;
	*out = p;
	return write_file(q, key, &p, err);
}

bool pause_waits(const struct pause *p, int64_t now)
{
	/* one from the time to come was written by another clock */
	return p->next_ms > now && p->last_ms <= now;
}

/* A due one, with the folder locked: it is the caller's unless somebody was faster. */
static enum pause_turn take_probe(const struct queue *q, const char *key, int64_t now,
				  struct arena *a)
{
	struct error ignored;	/* without room on the disk others may probe, too */
	struct pause p;

	if (!pause_read(q, key, a, &p))
		return PAUSE_NONE;
	if (pause_waits(&p, now))
		return PAUSE_WAIT;
	p.next_ms = now + PROBE_MS;
	if (p.last_ms > now)
		p.last_ms = now;
	(void)!write_file(q, key, &p, &ignored);
	return PAUSE_PROBE;
}

enum pause_turn pause_take_turn(const struct queue *q, const char *key, int64_t now)
{
	struct store s = open_pauses(q, false);
	struct arena *a = s.fd < 0 ? NULL : arena_new();
	enum pause_turn turn = PAUSE_NONE;
	struct error ignored;
	struct pause p;

	/* nearly always there is no such folder, or no such file */
	if (s.fd >= 0 && pause_read(q, key, a, &p)) {
		turn = PAUSE_WAIT;
		if (!pause_waits(&p, now) && store_lock(&s, FS_LOCK_MS, &ignored) == 0)
			turn = take_probe(q, key, now, a);
	}
	arena_free(a);
	close_pauses(&s);
	return turn;
}

void pause_clear(const struct queue *q, const char *key)
{
	struct strbuf name = STRBUF_INIT(NAME_LIMIT);
	const struct store s = open_pauses(q, false);

	if (s.fd >= 0) {
		queue_add_key_name(&name, key);
		(void)unlinkat(s.fd, name.buf, 0);
	}
	close_pauses(&s);
	strbuf_release(&name);
}

/* --- all that goes well ----------------------------------------------------------- */

void pause_note_success(const struct queue *q, int64_t now)
{
	const struct timespec when = { .tv_sec = (time_t)(now / 1000),
				       .tv_nsec = now % 1000 * 1000000 };
	const struct timespec times[2] = { when, when };
	int fd = !queue_exists(q) ? -1 : openat(q->store.fd, SUCCESS, O_WRONLY | O_CREAT |
						O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	(void)!futimens(fd, times);
	close(fd);
}

int64_t pause_last_success(const struct queue *q)
{
	struct stat st;

	if (!queue_exists(q) ||
	    fstatat(q->store.fd, SUCCESS, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

/* --- all of them ------------------------------------------------------------------- */

static int each_file(const struct store *s, DIR *dir,
		     int (*take)(void *ctx, const struct pause *), void *ctx)
{
	const struct dirent *d;
	int rc = 0;

	while (rc == 0 && (d = readdir(dir))) {
		struct arena *a = arena_new();
		struct pause p;

		if (d->d_name[0] != '.' && read_file(s, d->d_name, a, &p))
			rc = take(ctx, &p);
		arena_free(a);
	}
	return rc;
}

int pause_each(const struct queue *q, int (*take)(void *ctx, const struct pause *), void *ctx,
	       struct error *err)
{
	const struct store s = open_pauses(q, false);
	const bool missing = !queue_exists(q) || (s.fd < 0 && errno == ENOENT);
	const int copy = s.fd < 0 ? -1 : openat(s.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	int rc = 0;

	if (dir)
		rc = each_file(&s, dir, take, ctx);
	else if (!missing)
		rc = error_errno(err, FAULT_IO, "queue: cannot read %s/" FOLDER, q->store.path);
	if (dir)
		closedir(dir);
	else if (copy >= 0)
		close(copy);
	close_pauses(&s);
	return rc;
}
