#include "config.h"
#include "tls/tls_cache.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define FILE_MAX ((size_t)256 * 1024)

enum { PATH_ROOM = 8192, UNUSED_SECONDS = 7 * 86400 };

/*
 * file = "msubmit-tls 1 " until SP key-length SP data-length LF key data
 */
static const char magic[] = "msubmit-tls 1 ";

char *tls_cache_folder(const char *folder)
{
	const char *cache = secure_getenv("XDG_CACHE_HOME");
	struct strbuf path = STRBUF_INIT(PATH_ROOM);
	char *home = NULL;

	if (strcmp(folder, "auto") != 0)
		return xstrdup(folder);
	if (cache && *cache == '/') {
		strbuf_addf(&path, "%s/msubmit/tls", cache);
	} else {
		home = fs_home();
		if (home)
			strbuf_addf(&path, "%s/.cache/msubmit/tls", home);
		xfree(home);
	}
	if (path.len && !strbuf_overflow(&path))
		return strbuf_detach(&path);
	strbuf_release(&path);
	return NULL;
}

/* --- reading ------------------------------------------------------------ */

/* A decimal number up to 18 digits and the octet behind it. */
static bool take_number(const char **p, const char *end, char behind, uint64_t *out)
{
	const char *start = *p;
	uint64_t n = 0;

	for (; *p < end && **p >= '0' && **p <= '9' && *p - start < 18; (*p)++)
		n = n * 10 + (uint64_t)(**p - '0');
	if (*p == start || *p == end || **p != behind)
		return false;
	(*p)++;
	*out = n;
	return true;
}

static bool parse(const struct strbuf *text, const struct strbuf *key, struct strbuf *out,
		  time_t *until_out)
{
	const char *p = text->buf, *end = text->buf + text->len;
	uint64_t until, key_n, data_n;

	if (text->len < sizeof(magic) || memcmp(p, magic, sizeof(magic) - 1) != 0)
		return false;
	p += sizeof(magic) - 1;
	if (!take_number(&p, end, ' ', &until) || !take_number(&p, end, ' ', &key_n) ||
	    !take_number(&p, end, '\n', &data_n))
		return false;
	const size_t left = (size_t)(end - p);

	if (key_n != key->len || key_n > left || data_n != left - key_n || !data_n ||
	    memcmp(p, key->buf, key->len) != 0)
		return false;
	if ((time_t)until <= time(NULL))
		return false;
	strbuf_add(out, p + key_n, (size_t)data_n);
	*until_out = (time_t)until;
	return !strbuf_overflow(out);
}

bool tls_cache_load(const char *folder, const char *name, const struct strbuf *key,
		    struct strbuf *out, time_t *until_out)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct store s = STORE_INIT;
	struct error ignored;
	bool found = store_open(&s, folder, false, &ignored) == 0 &&
		store_read(&s, name, FS_OWN | FS_PRIVATE | FS_ONE_NAME, &text, &ignored) == 0 &&
		parse(&text, key, out, until_out);

	strbuf_release_secret(&text);
	store_close(&s);
	return found;
}

void tls_cache_remove(const char *folder, const char *name)
{
	struct store s = STORE_INIT;
	struct error ignored;

	if (store_open(&s, folder, false, &ignored) == 0 && s.fd >= 0)
		(void)unlinkat(s.fd, name, 0);
	store_close(&s);
}

/* --- writing ------------------------------------------------------------ */

void tls_cache_store(const char *folder, const char *name, const struct strbuf *key, time_t until,
		     const struct strbuf *data)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct store s = STORE_INIT;
	struct error ignored;

	strbuf_addf(&text, "%s%jd %zu %zu\n", magic, (intmax_t)until, key->len, data->len);
	strbuf_add(&text, key->buf, key->len);
	strbuf_add(&text, data->buf, data->len);
	if (!strbuf_overflow(&text) && store_open(&s, folder, true, &ignored) == 0) {
		(void)!store_write(&s, name, 0600, STORE_CACHE, text.buf, text.len, &ignored);
		store_clean(&s, UNUSED_SECONDS);
	}
	store_close(&s);
	strbuf_release_secret(&text);
}
