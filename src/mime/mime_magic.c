/* The type of a file by its content: libmagic, loaded when it is there. */
#include "config.h"

#include <string.h>

#include "mime/mime_type.h"
#include "util/arena.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/text.h"

#define MAGIC_SONAME "libmagic.so.1"
#define MAGIC_MIME_TYPE 0x10		/* of magic.h, which is not needed to build */

DYNLIB_NOTE(magic,
	    "[{\"feature\":\"compose\",\"description\":\"type of attachments\","
	    "\"priority\":\"suggested\",\"soname\":[\"" MAGIC_SONAME "\"]}]");

struct magic_set;

static struct {
	struct magic_set *(*open)(int flags);
	int (*load)(struct magic_set *, const char *files);
	const char *(*buffer)(struct magic_set *, const void *data, size_t n);
	void (*close)(struct magic_set *);
} magic;

static const struct dynlib_symbol symbols[] = {
	{ "magic_open", &magic.open }, { "magic_load", &magic.load },
	{ "magic_buffer", &magic.buffer }, { "magic_close", &magic.close },
};

/* The library with its database, loaded once; NULL when one of them is missing. */
static struct magic_set *magic_set(void)
{
	static void *handle;
	static struct magic_set *set;
	static bool tried;
	struct error ignored;

	if (tried)
		return set;
	tried = true;
	if (dynlib_load(&handle, MAGIC_SONAME, "libmagic1", symbols, ARRAY_LEN(symbols),
			&ignored) < 0)
		return NULL;
	set = magic.open(MAGIC_MIME_TYPE);
	if (set && magic.load(set, NULL) != 0) {
		magic.close(set);
		set = NULL;
	}
	return set;
}

const char *mime_magic_type(struct arena *a, const char *data, size_t n)
{
	struct magic_set *set = magic_set();
	const char *said = set ? magic.buffer(set, data, n) : NULL;

	if (!said)
		return NULL;
	char *type = arena_strdup(a, said);

	text_lower(type);
	return mime_type_valid(type) ? type : NULL;
}
