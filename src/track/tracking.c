#include "config.h"
#include "track/tracking.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message/envelope.h"
#include "message/result.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/xalloc.h"

#define FILE_LIMIT ((size_t)16 * 1024 * 1024)
#define LINE_LIMIT ((size_t)1024 * 1024)
#define WORDS 5

static const char file[] = "tracking";

const char *tracking_path(struct arena *a)
{
	struct strbuf path = STRBUF_INIT(PATH_MAX);
	const char *copy = NULL;

	if (store_user_path(file, &path) == 0)
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
	struct store s = STORE_INIT;
	int rc = store_open_user(&s, false, err);

	if (rc == 0)
		rc = store_read(&s, file, FS_SECRET, &text, err);
	store_close(&s);
	for (char *line = text.buf, *end; rc == 0 && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		rc = hand_line(line, fn, ctx);
	}
	strbuf_release_secret(&text);
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

/* The store is locked. */
static int add(const struct store *s, const struct strbuf *line, struct error *err)
{
	struct strbuf text = STRBUF_INIT(FILE_LIMIT);
	int rc = store_read(s, file, FS_SECRET, &text, err);

	if (rc == 0) {
		strbuf_consume(&text, old_octets(&text, (long long)time(NULL) - TRACKING_KEEP));
		/* a line that was cut off must not swallow ours */
		if (text.len > 0 && text.buf[text.len - 1] != '\n')
			strbuf_addch(&text, '\n');
		strbuf_add(&text, line->buf, line->len);
		rc = strbuf_overflow(&text) ?
			error_set(err, FAULT_CANNOT_WRITE, "%s/%s is full", s->path, file) :
			store_write(s, file, 0600, STORE_REPLACE, text.buf, text.len, err);
	}
	strbuf_release_secret(&text);
	return rc;
}

int tracking_keep(const struct envelope *e, const struct result *r, struct error *err)
{
	struct strbuf line = STRBUF_INIT(LINE_LIMIT);
	struct store s;
	int rc = store_open_user(&s, true, err);

	add_line(&line, e, r);
	if (rc == 0)
		rc = store_lock(&s, FS_LOCK_MS, err);
	if (rc == 0)
		rc = add(&s, &line, err);
	store_close(&s);
	strbuf_release_secret(&line);
	return rc;
}
