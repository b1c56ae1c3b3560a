#include "config.h"
#include "submit/early_memory.h"

#include <time.h>

#include "conf/account.h"
#include "tls/tls_cache.h"
#include "util/arena.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define KEY_MAX 4096

struct memory {
	struct early_memory fns;
	const char *folder;
	const char *key;	/* address, port and our name */
	const char *name;	/* of the file; the key is in it whole */
	unsigned ttl;
};

/* For how long the entry is good from now on; 0: there is none. */
static time_t left(const struct memory *m)
{
	struct strbuf key = STRBUF_INIT(KEY_MAX), word = STRBUF_INIT(KEY_MAX);
	time_t until = 0;

	strbuf_addstr(&key, m->key);
	bool found = tls_cache_load(m->folder, m->name, &key, &word, &until);

	strbuf_release(&key);
	strbuf_release(&word);
	return found ? until - time(NULL) : 0;
}

static bool invited(void *ctx)
{
	return left(ctx) > 0;
}

static void note(void *ctx, bool yes)
{
	const struct memory *m = ctx;
	struct strbuf key = STRBUF_INIT(KEY_MAX), word = STRBUF_INIT(KEY_MAX);

	strbuf_addstr(&key, m->key);
	strbuf_addstr(&word, "invites");
	if (!yes)
		tls_cache_remove(m->folder, m->name);
	else if (!strbuf_overflow(&key) && left(m) <= (time_t)(m->ttl / 2))
		tls_cache_store(m->folder, m->name, &key, time(NULL) + (time_t)m->ttl, &word);
	strbuf_release(&key);
	strbuf_release(&word);
}

const struct early_memory *early_memory_new(struct arena *a, const struct account *account,
					    const char *address, unsigned port,
					    const char *ehlo_name)
{
	if (!account->pipe_connect || !account->pipe_connect_ttl)
		return NULL;
	char *folder = tls_cache_folder("auto");
	struct memory *m = arena_alloc(a, sizeof(*m));
	struct strbuf key = STRBUF_INIT(KEY_MAX), name = STRBUF_INIT(64);

	if (!folder)
		return NULL;
	m->folder = arena_strdup(a, folder);
	xfree(folder);
	strbuf_addf(&key, "early 1\n%s %u %s\n", address, port, ehlo_name);
	store_name(&name, "early", &key);
	m->key = arena_strndup(a, key.buf, key.len);
	m->name = arena_strdup(a, name.buf);
	strbuf_release(&key);
	strbuf_release(&name);
	m->ttl = account->pipe_connect_ttl;
	m->fns = (struct early_memory){ invited, note, m };
	return &m->fns;
}
