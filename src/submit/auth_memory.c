#include "config.h"
#include "submit/auth_memory.h"

#include <string.h>

#include "conf/account.h"
#include "smtp/auth/auth.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/text.h"

#define FILE_MAX ((size_t)256 * 1024)

/* One that cannot be believed is an error, or whoever breaks it has a weaker mechanism used. */
static const unsigned rules = FS_OWN | FS_NOT_OTHERS;
static const char file[] = "mechanisms";

struct kept {
	struct auth_memory memory;
	struct arena *arena;
	const char *key;	/* host SP port SP user */
};

/* --- its lines ------------------------------------------------------------ */

/* line = mechanism SP key; the length of the mechanism, 0 when it is of another key */
static size_t line_fits(const char *line, size_t n, const char *key)
{
	const char *space = memchr(line, ' ', n);
	size_t length = strlen(key);

	if (!space || (size_t)(line + n - space - 1) != length ||
	    memcmp(space + 1, key, length) != 0)
		return 0;
	return (size_t)(space - line);
}

static int recall(void *ctx, const char **name_out, struct error *err)
{
	struct kept *k = ctx;
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct store s = STORE_INIT;
	int rc = 0;

	if (k->key)
		rc = store_open_user(&s, false, err);
	if (rc == 0)
		rc = store_read(&s, file, rules, &text, err);
	store_close(&s);
	for (size_t at = 0, n; rc == 0 && at < text.len; at += n + 1) {
		n = strcspn(text.buf + at, "\n");
		size_t length = line_fits(text.buf + at, n, k->key);

		if (length)
			*name_out = arena_strndup(k->arena, text.buf + at, length);
	}
	strbuf_release(&text);
	return rc < 0 ? error_prefix(err, "auth_remember") : 0;
}

static void remember(void *ctx, const char *name)
{
	struct kept *k = ctx;
	struct strbuf old = STRBUF_INIT(FILE_MAX), text = STRBUF_INIT(FILE_MAX);
	struct store s = STORE_INIT;
	struct error ignored;	/* nothing is lost but a reminder */

	if (k->key && store_open_user(&s, true, &ignored) == 0 &&
	    store_lock(&s, FS_LOCK_MS, &ignored) == 0 &&
	    store_read(&s, file, rules, &old, &ignored) == 0) {
		for (size_t at = 0, n; at < old.len; at += n + 1) {
			n = strcspn(old.buf + at, "\n");
			if (n && !line_fits(old.buf + at, n, k->key))
				strbuf_addf(&text, "%.*s\n", (int)n, old.buf + at);
		}
		strbuf_addf(&text, "%s %s\n", name, k->key);
		if (!strbuf_overflow(&text))
			(void)!store_write(&s, file, 0600, STORE_REPLACE, text.buf, text.len,
					   &ignored);
	}
	store_close(&s);
	strbuf_release(&old);
	strbuf_release(&text);
}

const struct auth_memory *auth_memory_new(struct arena *a, const struct account *account,
					  const char *host, unsigned port)
{
	const char *user = account->auth.user ? account->auth.user : "";

	if (!account->auth.remember)
		return NULL;
	struct kept *k = arena_alloc(a, sizeof(*k));

	k->arena = a;
	k->memory = (struct auth_memory){ recall, remember, k };
	if (!text_has_control(user, strlen(user)))
		k->key = arena_printf(a, "%s %u %s", account->socket ? account->socket : host,
				      port, user);
	return &k->memory;
}
