#include "config.h"
#include "submit/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conf/account.h"
#include "smtp/auth/auth.h"
#include "smtp/extensions.h"
#include "smtp/session.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/text.h"

#define FILE_MAX ((size_t)256 * 1024)
#define SERVER_TTL ((time_t)24 * 60 * 60)

static const unsigned rules = FS_OWN | FS_NOT_OTHERS;

static const struct memory_file {
	const char *name;
	bool timed;		/* a time stands behind the word, after which a line is void */
	enum store_way way;
} mechanisms = { "mechanisms", false, STORE_REPLACE }, servers = { "servers", true, STORE_CACHE };

/* --- lines ------------------------------------------------------------------ */

struct line {
	const char *word, *key;
	size_t word_len, key_len;
	time_t until;		/* 0 = for ever */
};

/* False: it is no line of that file. */
static bool parse(const struct memory_file *f, const char *text, size_t n, struct line *out)
{
	const char *end = text + n, *space = memchr(text, ' ', n);

	if (!space)
		return false;
	*out = (struct line){ .word = text, .word_len = (size_t)(space - text) };
	if (f->timed) {
		out->until = (time_t)strtoll(space + 1, NULL, 10);
		space = memchr(space + 1, ' ', (size_t)(end - space - 1));
	}
	if (!space)
		return false;
	out->key = space + 1;
	out->key_len = (size_t)(end - space - 1);
	return true;
}

static bool same(const char *a, size_t n, const char *b)
{
	return strlen(b) == n && memcmp(a, b, n) == 0;
}

/* word NULL: any */
static bool is_about(const struct line *l, const char *word, const char *key)
{
	return same(l->key, l->key_len, key) && (!word || same(l->word, l->word_len, word));
}

/* Appends the file's text, nothing where there is none. */
static int load(const struct memory_file *f, struct strbuf *out, struct error *err)
{
	struct store s = STORE_INIT;
	int rc = store_open_user(&s, false, err);

	if (rc == 0)
		rc = store_read(&s, f->name, rules, out, err);
	store_close(&s);
	return rc;
}

/* The next line from octet *at on that is one and is not void. */
static bool next_line(const struct memory_file *f, const struct strbuf *text, size_t *at,
		      struct line *out)
{
	const time_t now = f->timed ? time(NULL) : 0;

	while (*at < text->len) {
		const char *line = text->buf + *at;
		const size_t n = strcspn(line, "\n");

		*at += n + 1;
		if (parse(f, line, n, out) && (!f->timed || out->until > now))
			return true;
	}
	return false;
}

/* Finds the last line about word and key. */
static bool find(const struct memory_file *f, const struct strbuf *text, const char *word,
		 const char *key, struct line *out)
{
	bool found = false;
	struct line l;

	for (size_t at = 0; next_line(f, text, &at, &l);) {
		if (!is_about(&l, word, key))
			continue;
		*out = l;
		found = true;
	}
	return found;
}

/* The lines of old that are not about word and key. */
static void keep_others(const struct memory_file *f, const struct strbuf *old, const char *word,
			const char *key, struct strbuf *out)
{
	struct line l;

	for (size_t at = 0; next_line(f, old, &at, &l);) {
		if (!is_about(&l, word, key))
			strbuf_addf(out, "%.*s\n", (int)(l.key + l.key_len - l.word), l.word);
	}
}

/* Puts the line in the place of all about its key, and its word in a timed file; NULL: none. */
static void change(const struct memory_file *f, const char *word, const char *key,
		   const char *line)
{
	struct strbuf old = STRBUF_INIT(FILE_MAX), text = STRBUF_INIT(FILE_MAX);
	struct store s = STORE_INIT;
	struct error ignored;	/* nothing is lost but a reminder */

	if (store_open_user(&s, true, &ignored) == 0 &&
	    store_lock(&s, FS_LOCK_MS, &ignored) == 0 &&
	    (store_read(&s, f->name, rules, &old, &ignored) == 0 || f->timed)) {
		keep_others(f, &old, f->timed ? word : NULL, key, &text);
		if (line)
			strbuf_addf(&text, "%s\n", line);
		if (!strbuf_overflow(&text))
			(void)!store_write(&s, f->name, 0600, f->way, text.buf, text.len,
					   &ignored);
	}
	store_close(&s);
	strbuf_release(&old);
	strbuf_release(&text);
}

/* --- mechanisms ------------------------------------------------------------- */

struct kept {
	struct auth_memory memory;
	struct arena *arena;
	const char *key;	/* NULL = nothing can be kept under such a name */
};

static int recall(void *ctx, const char **name_out, struct error *err)
{
	struct kept *k = ctx;
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct line l;

	if (!k->key)
		return 0;
	int rc = load(&mechanisms, &text, err);

	if (rc == 0 && find(&mechanisms, &text, NULL, k->key, &l))
		*name_out = arena_strndup(k->arena, l.word, l.word_len);
	strbuf_release(&text);
	return rc < 0 ? error_prefix(err, "auth_remember") : 0;
}

static void remember(void *ctx, const char *name)
{
	struct kept *k = ctx;

	if (k->key)
		change(&mechanisms, NULL, k->key,
		       arena_printf(k->arena, "%s %s", name, k->key));
}

const struct auth_memory *memory_of_mechanism(struct arena *a, const struct account *account,
					      const char *host, unsigned port)
{
	const char *user = account->auth.user ? account->auth.user : "";

	if (!account->auth.remember)
		return NULL;
	struct kept *k = arena_alloc(a, sizeof(*k));

	*k = (struct kept){ .memory = { recall, remember, k }, .arena = a };
	if (!text_has_control(user, strlen(user)))
		k->key = arena_printf(a, "%s %u %s", account->socket ? account->socket : host,
				      port, user);
	return &k->memory;
}

/* --- servers: EHLO before the greeting ---------------------------------------- */

static const char early[] = "EARLY";

struct invitation {
	struct early_memory memory;
	struct arena *arena;
	const char *key;
	time_t ttl;
};

/* For how long the entry is good from now on; 0: there is none. */
static time_t left(const struct invitation *i)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct error ignored;
	struct line l;
	time_t seconds = 0;

	if (load(&servers, &text, &ignored) == 0 && find(&servers, &text, early, i->key, &l))
		seconds = l.until - time(NULL);
	strbuf_release(&text);
	/* made under a longer pipe_connect_ttl, or by a clock that went wrong */
	return seconds > i->ttl ? i->ttl : seconds;
}

static bool invited(void *ctx)
{
	return left(ctx) > 0;
}

static void note(void *ctx, bool yes)
{
	const struct invitation *i = ctx;
	const time_t seconds = left(i);

	if (yes && seconds <= i->ttl / 2)
		change(&servers, early, i->key,
		       arena_printf(i->arena, "%s %lld %s", early,
				    (long long)(time(NULL) + i->ttl), i->key));
	else if (!yes && seconds > 0)
		change(&servers, early, i->key, NULL);
}

const struct early_memory *memory_of_early(struct arena *a, const struct account *account,
					   const char *address, unsigned port,
					   const char *ehlo_name)
{
	if (!account->pipe_connect || !account->pipe_connect_ttl)
		return NULL;
	struct invitation *i = arena_alloc(a, sizeof(*i));

	*i = (struct invitation){ .memory = { invited, note, i }, .arena = a,
		.key = arena_printf(a, "%s %u %s", address, port, ehlo_name),
		.ttl = (time_t)account->pipe_connect_ttl };
	return &i->memory;
}

/* --- servers: what they announce and cannot do --------------------------------- */

/* "mail.example.org 587"; false: it is no name to keep anything under. */
static bool server_key(const struct account *account, const char *host, unsigned port,
		       struct strbuf *out)
{
	strbuf_addf(out, "%s %u", account->socket ? account->socket : host, port);
	return !strbuf_overflow(out) && !text_has_control(out->buf, out->len);
}

void memory_recall_server(const struct account *account, const char *host, unsigned port,
			  time_t *until)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX), key = STRBUF_INIT(4096);
	struct error ignored;
	struct line l;

	/* nearly always there is no such file */
	if (load(&servers, &text, &ignored) == 0 && text.len &&
	    server_key(account, host, port, &key)) {
		for (int id = 0; id < EXT_COUNT; id++) {
			if (extensions[id]->remembered &&
			    find(&servers, &text, extensions[id]->keyword, key.buf, &l))
				until[id] = l.until;
		}
	}
	strbuf_release(&text);
	strbuf_release(&key);
}

void memory_note_server(const struct account *account, const char *host, unsigned port,
			const bool *learnt)
{
	struct strbuf key = STRBUF_INIT(4096), line = STRBUF_INIT(8192);

	const bool named = server_key(account, host, port, &key);

	for (int id = 0; named && id < EXT_COUNT; id++) {
		const char *word = extensions[id]->keyword;

		if (!learnt[id] || !extensions[id]->remembered)
			continue;
		strbuf_reset(&line);
		strbuf_addf(&line, "%s %lld %s", word, (long long)(time(NULL) + SERVER_TTL),
			    key.buf);
		change(&servers, word, key.buf, line.buf);
	}
	strbuf_release(&key);
	strbuf_release(&line);
}

/* --- servers: what stands behind the dot ------------------------------------------ */

static const char dot[] = "DOT";

bool memory_dot_is_last(const struct account *account, const char *host, unsigned port)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX), key = STRBUF_INIT(4096);
	struct error ignored;
	struct line l;
	const bool is = load(&servers, &text, &ignored) == 0 && text.len &&
		server_key(account, host, port, &key) &&
		find(&servers, &text, dot, key.buf, &l);

	strbuf_release(&text);
	strbuf_release(&key);
	return is;
}

void memory_note_dot_is_last(const struct account *account, const char *host, unsigned port)
{
	struct strbuf key = STRBUF_INIT(4096), line = STRBUF_INIT(8192);

	if (server_key(account, host, port, &key)) {
		strbuf_addf(&line, "%s %lld %s", dot, (long long)(time(NULL) + SERVER_TTL),
			    key.buf);
		change(&servers, dot, key.buf, line.buf);
	}
	strbuf_release(&key);
	strbuf_release(&line);
}
