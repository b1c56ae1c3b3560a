#include "config.h"
#include "submit/ehlo_memory.h"

#include <string.h>
#include <time.h>

#include "conf/account.h"
#include "smtp/reply.h"
#include "tls/tls_cache.h"
#include "util/arena.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/xalloc.h"

#define LINES_MAX ((size_t)REPLY_TOTAL_MAX + REPLY_LINES_MAX)

static const char *const phase_names[] = { [AHEAD_CLEAR] = "clear", [AHEAD_TLS] = "tls" };

struct ehlo_memory {
	struct ahead_memory memory;
	const char *folder, *server;	/* server: address, port and our name */
	unsigned ttl;
};

static void make_key(const struct ehlo_memory *e, enum ahead_phase phase, struct strbuf *key,
		     struct strbuf *name)
{
	strbuf_addf(key, "ehlo 1\n%s\n%s\n", phase_names[phase], e->server);
	store_name(name, "ehlo", key);	/* the key is in the file, whole */
}

static bool recall(void *ctx, enum ahead_phase phase, struct strvec *lines)
{
	const struct ehlo_memory *e = ctx;
	struct strbuf key = STRBUF_INIT(4096), name = STRBUF_INIT(64);
	struct strbuf text = STRBUF_INIT(LINES_MAX);
	time_t until;

	make_key(e, phase, &key, &name);
	bool found = tls_cache_load(e->folder, name.buf, &key, &text, &until) &&
		strlen(text.buf) == text.len;

	if (found)
		strvec_split(lines, text.buf, "\n");
	strbuf_release(&key);
	strbuf_release(&name);
	strbuf_release(&text);
	return found;
}

/* Is the same there already, and for a good while? Then nothing is written. */
static bool is_known(const struct ehlo_memory *e, const char *name, const struct strbuf *key,
		     const struct strbuf *text, time_t now)
{
	struct strbuf old = STRBUF_INIT(LINES_MAX);
	time_t until = 0;
	bool known = tls_cache_load(e->folder, name, key, &old, &until) && old.len == text->len &&
		memcmp(old.buf, text->buf, text->len) == 0 && until > now + (time_t)(e->ttl / 2);

	strbuf_release(&old);
	return known;
}

static void remember(void *ctx, enum ahead_phase phase, const struct strvec *lines)
{
	const struct ehlo_memory *e = ctx;
	struct strbuf key = STRBUF_INIT(4096), name = STRBUF_INIT(64);
	struct strbuf text = STRBUF_INIT(LINES_MAX);
	const time_t now = time(NULL);

	make_key(e, phase, &key, &name);
	for (size_t i = 0; i < lines->n; i++)
		strbuf_addf(&text, "%s\n", lines->v[i]);
	if (!strbuf_overflow(&text) && !strbuf_overflow(&key) &&
	    !is_known(e, name.buf, &key, &text, now))
		tls_cache_store(e->folder, name.buf, &key, now + (time_t)e->ttl, &text);
	strbuf_release(&key);
	strbuf_release(&name);
	strbuf_release(&text);
}

static void forget(void *ctx)
{
	const struct ehlo_memory *e = ctx;

	for (int phase = AHEAD_CLEAR; phase <= AHEAD_TLS; phase++) {
		struct strbuf key = STRBUF_INIT(4096), name = STRBUF_INIT(64);

		make_key(e, (enum ahead_phase)phase, &key, &name);
		tls_cache_remove(e->folder, name.buf);
		strbuf_release(&key);
		strbuf_release(&name);
	}
}

const struct ahead_memory *ehlo_memory_new(struct arena *a, const struct account *account,
					   const char *address, unsigned port,
					   const char *ehlo_name)
{
	if (!account->pipe_connect || !account->pipe_connect_ttl)
		return NULL;
	char *folder = tls_cache_folder("auto");
	struct ehlo_memory *e = arena_alloc(a, sizeof(*e));

	if (!folder)
		return NULL;
	e->folder = arena_strdup(a, folder);
	xfree(folder);
	e->server = arena_printf(a, "%s %u %s", address, port, ehlo_name);
	e->ttl = account->pipe_connect_ttl;
	e->memory = (struct ahead_memory){ recall, remember, forget, e };
	return &e->memory;
}
