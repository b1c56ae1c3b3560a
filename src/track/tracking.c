#include "config.h"
#include "track/tracking.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "message/envelope.h"
#include "message/result.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/state.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/xalloc.h"

#define FILE_LIMIT ((size_t)16 * 1024 * 1024)
#define LINE_LIMIT ((size_t)1024 * 1024)
#define WORDS 5

const char *tracking_path(struct arena *a)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX);
	const char *copy = NULL;

	if (state_user_path("tracking", &path) == 0)
		copy = arena_strdup(a, path.buf);
	strbuf_release(&path);
	return copy;
}

/* --- lines ---------------------------------------------------------------- */

static void add_word(struct strbuf *out, const char *word)
{
	for (; *word; word++) {
		unsigned char c = (unsigned char)*word;

		if (c <= ' ' || c == 127 || c == '%' || c == ',')
			strbuf_addf(out, "%%%02X", (unsigned)c);
		else
			strbuf_addch(out, *word);
	}
}

static void add_line(struct strbuf *out, const struct envelope *e, const struct result *r)
{
	const char *const words[] = { e->envid, e->ext.mtrk_secret, r->server ? r->server : "-" };
	char separator = ' ';

	strbuf_addf(out, "%lld", (long long)time(NULL));
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		strbuf_addch(out, ' ');
		add_word(out, words[i]);
	}
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpt[i].outcome != OUTCOME_ACCEPTED)
			continue;
		strbuf_addch(out, separator);
		add_word(out, e->rcpt[i].address);
		separator = ',';
	}
	strbuf_addch(out, '\n');
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* %XX back to octets, in place; false for one that is wrong or stands for NUL. */
static bool decode(char *word)
{
	char *to = word;

	for (; *word; word++) {
		if (*word != '%') {
			*to++ = *word;
			continue;
		}
		int high = hex(word[1]), low = high < 0 ? -1 : hex(word[2]);

		if (low < 0 || (high == 0 && low == 0))
			return false;
		*to++ = (char)(high * 16 + low);
		word += 2;
	}
	*to = '\0';
	return true;
}

/* The time at the beginning of a line, -1 if it has none. */
static long long line_time(const char *line)
{
	char *end;

	errno = 0;
	long long when = *line >= '0' && *line <= '9' ? strtoll(line, &end, 10) : -1;

	return when >= 0 && !errno && *end == ' ' ? when : -1;
}

static int hand_line(const char *line, int (*fn)(void *ctx, const struct tracking *), void *ctx)
{
	struct strvec words = STRVEC_INIT(WORDS + 1);
	long long when = line_time(line);
	int rc = 0;

	strvec_split(&words, line, " ");
	if (when >= 0 && words.n == WORDS && decode(words.v[1]) && decode(words.v[2]) &&
	    decode(words.v[3])) {
		const struct tracking t = {
			.when = when, .envid = words.v[1], .secret = words.v[2],
			.server = words.v[3], .recipients = words.v[4],
		};
		rc = fn(ctx, &t);
	}
	strvec_release(&words);
	return rc;
}

/* --- the file ------------------------------------------------------------- */

int tracking_read(int (*fn)(void *ctx, const struct tracking *), void *ctx, struct error *err)
{
	struct strbuf text = STRBUF_INIT(FILE_LIMIT);
	struct arena *a = arena_new();
	const char *path = tracking_path(a);
	int rc = 0;

	if (path && (access(path, F_OK) == 0 || errno != ENOENT))
		rc = fs_read_secret(path, &text, err);
	for (char *line = text.buf, *end; rc == 0 && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		rc = hand_line(line, fn, ctx);
	}
	strbuf_release_secret(&text);
	arena_free(a);
	return rc;
}

/* Lines stand in the order of their times: what is too old is at the beginning. */
static size_t old_octets(const struct strbuf *text, long long oldest)
{
	const char *line = text->buf, *end;

	while ((end = strchr(line, '\n')) && line_time(line) >= 0 && line_time(line) < oldest)
		line = end + 1;
	return (size_t)(line - text->buf);
}

/* The file is open, locked and of the right mode. */
static int add(int fd, const char *path, struct strbuf *line, struct error *err)
{
	struct strbuf text = STRBUF_INIT(FILE_LIMIT);
	int rc = fs_read_fd(fd, path, &text, err);

	if (rc < 0) {
		strbuf_release_secret(&text);
		return -1;
	}
	size_t old = old_octets(&text, (long long)time(NULL) - TRACKING_KEEP);
	bool cut = text.len > 0 && text.buf[text.len - 1] != '\n';

	if (old) {
		rc = ftruncate(fd, 0) == 0 ? fs_write_all(fd, text.buf + old, text.len - old) : -1;
	}
	if (rc == 0 && cut)
		rc = fs_write_all(fd, "\n", 1);	/* a line that was cut off must not swallow ours */
	if (rc == 0)
		rc = fs_write_all(fd, line->buf, line->len);
	strbuf_release_secret(&text);
	return rc == 0 ? 0 : error_errno(err, FAULT_IO, "cannot write %s", path);
}

static int keep(const char *path, struct strbuf *line, struct error *err)
{
	int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), rc = -1;

	if (fd < 0)
		return error_errno(err, FAULT_CANNOT_WRITE, "cannot open %s", path);
	if (fs_lock(fd, path, FS_LOCK_MS, err) == 0 && fs_check_secret(fd, path, err) == 0)
		rc = add(fd, path, line, err);
	close(fd);
	return rc;
}

int tracking_keep(const struct envelope *e, const struct result *r, struct error *err)
{
	struct strbuf line = STRBUF_INIT(LINE_LIMIT);
	const char *path = tracking_path(e->arena);
	int rc;

	if (!path)
		return error_set(err, FAULT_CANNOT_WRITE, "no home folder to keep the secret "
				 "in: set XDG_STATE_HOME");
	add_line(&line, e, r);
	if (fs_make_folders(path) < 0)
		rc = error_errno(err, FAULT_CANNOT_WRITE, "cannot make the folder of %s", path);
	else
		rc = keep(path, &line, err);
	strbuf_release_secret(&line);
	return rc;
}
