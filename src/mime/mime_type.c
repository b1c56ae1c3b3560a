#include "config.h"
#include "mime/mime_type.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "message/patterns.h"
#include "util/arena.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"
#include "util/xalloc.h"

/* --- by its content: libmagic, loaded when it is there ------------------------------ */

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

	if (tried)
		return set;
	tried = true;
	if (dynlib_load(&handle, MAGIC_SONAME, "libmagic1", symbols, ARRAY_LEN(symbols),
			NULL) < 0)
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

#define FILE_MAX ((size_t)8 * 1024 * 1024)
#define LINE_MAX_TYPES ((size_t)1024)	/* longer ones are passed over */
#define HALF_MAX 127			/* RFC 6838, section 4.2 */
#define FOLDERS_MAX 64

/* For systems without any database: what is attached most, as mime.types has it. */
static const char known[] =
	"text/plain txt log\ntext/csv csv\ntext/html html htm\ntext/css css\n"
	"text/calendar ics\ntext/vcard vcf\ntext/markdown md\ntext/x-diff patch diff\n"
	"application/xml xml\napplication/json json\napplication/pdf pdf\n"
	"application/postscript ps\napplication/rtf rtf\napplication/zip zip\n"
	"application/gzip gz tgz\napplication/x-bzip2 bz2\napplication/x-xz xz\n"
	"application/zstd zst\napplication/x-tar tar\napplication/x-7z-compressed 7z\n"
	"application/msword doc\napplication/vnd.ms-excel xls\n"
	"application/vnd.ms-powerpoint ppt\n"
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document docx\n"
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx\n"
	"application/vnd.openxmlformats-officedocument.presentationml.presentation pptx\n"
	"application/vnd.oasis.opendocument.text odt\n"
	"application/vnd.oasis.opendocument.spreadsheet ods\n"
	"application/vnd.oasis.opendocument.presentation odp\napplication/epub+zip epub\n"
	"application/pkcs7-mime p7m\napplication/pkcs7-signature p7s\n"
	"application/pgp-keys asc\nimage/jpeg jpg jpeg\nimage/png png\nimage/gif gif\n"
	"image/svg+xml svg\nimage/webp webp\nimage/tiff tif tiff\nimage/bmp bmp\n"
	"audio/mpeg mp3\naudio/ogg ogg\naudio/x-wav wav\nvideo/mp4 mp4\nvideo/webm webm\n"
	"video/mpeg mpeg\nmessage/rfc822 eml\n";

bool mime_type_valid(const char *type)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$&-^_.+";
	size_t major = strspn(type, chars);
	size_t minor = type[major] == '/' ? strspn(type + major + 1, chars) : 0;

	return major > 0 && minor > 0 && type[major + 1 + minor] == '\0' && major <= HALF_MAX &&
	       minor <= HALF_MAX;
}

/* A copy of the next line of [*p, end), without its end; NULL at the end. */
static char *next_line(struct strbuf *line, const char **p, const char *end)
{
	while (*p < end) {
		const char *lf = memchr(*p, '\n', (size_t)(end - *p));
		size_t n = (size_t)((lf ? lf : end) - *p);

		strbuf_reset(line);
		strbuf_add(line, *p, n);
		*p = lf ? lf + 1 : end;
		if (!strbuf_overflow(line) && n && line->buf[0] != '#')
			return line->buf;
	}
	return NULL;
}

/* A line of globs2, taken apart in place. */
struct glob {
	unsigned long weight;
	char *type, *pattern;
	size_t n, order;
	bool exact_case;
};

/*
 * A file of them. They are sorted so that the first that matches is the one
 * that counts; what is more than '*' and '?' is tried one by one.
 */
struct globs {
	struct glob *glob;
	size_t n;
	struct patterns plain;
	size_t *plain_at;	/* by their numbers there */
	size_t *other, other_n;
};

static bool read_glob(char *line, struct glob *g)
{
	char *end;

	g->weight = strtoul(line, &end, 10);
	if (end == line || *end != ':')
		return false;
	g->type = end + 1;
	end = strchr(g->type, ':');
	if (!end)
		return false;
	*end = '\0';
	g->pattern = end + 1;
	end = strchr(g->pattern, ':');
	if (end)
		*end++ = '\0';
	g->exact_case = end && strstr(end, "cs");
	g->n = strlen(g->pattern);
	text_lower(g->type);
	return *g->pattern && mime_type_valid(g->type);
}

/* The heavier one, then the longer one, then the first one. */
static int compare_globs(const void *x, const void *y)
{
	const struct glob *a = x, *b = y;

	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	if (a->n != b->n)
		return a->n > b->n ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static bool glob_matches(struct arena *a, const struct glob *g, const char *name)
{
	if (fnmatch(g->pattern, name, 0) == 0)
		return true;
	if (g->exact_case)
		return false;
	char *pattern = arena_strdup(a, g->pattern), *lower = arena_strdup(a, name);

	text_lower(pattern);
	text_lower(lower);
	return fnmatch(pattern, lower, 0) == 0;
}

/* Reads n lines of text into globs, which live in a. */
static void read_globs(struct arena *a, const char *text, size_t len, struct globs *out)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_TYPES);
	const char *p = text;
	size_t alloc = 0;
	char *raw;

	*out = (struct globs){ .plain.arena = a };
	while ((raw = next_line(&line, &p, text + len))) {
		struct glob g = { .order = out->n };

		if (!read_glob(arena_strdup(a, raw), &g))
			continue;
		out->glob = arena_grow(a, out->glob, out->n, &alloc, sizeof(*out->glob));
		out->glob[out->n++] = g;
	}
	strbuf_release(&line);
	if (out->n)
		qsort(out->glob, out->n, sizeof(*out->glob), compare_globs);
	out->plain_at = arena_calloc(a, out->n + 1, sizeof(*out->plain_at));
	out->other = arena_calloc(a, out->n + 1, sizeof(*out->other));
	for (size_t i = 0; i < out->n; i++) {
		if (strpbrk(out->glob[i].pattern, "[\\")) {
			out->other[out->other_n++] = i;
		} else {
			out->plain_at[out->plain.n] = i;
			patterns_add(&out->plain, out->glob[i].pattern);
		}
	}
}

static const char *search_globs(struct arena *a, struct globs *g, const char *name)
{
	size_t found = g->n, at = 0;

	while (found == g->n && patterns_find(&g->plain, name, at, &at)) {
		if (glob_matches(a, &g->glob[g->plain_at[at]], name))
			found = g->plain_at[at];
		at++;
	}
	for (size_t i = 0; i < g->other_n && g->other[i] < found; i++) {
		if (glob_matches(a, &g->glob[g->other[i]], name))
			found = g->other[i];
	}
	return found < g->n ? arena_strdup(a, g->glob[found].type) : NULL;
}

const char *mime_type_in_globs(struct arena *a, const char *text, size_t len, const char *name)
{
	struct globs globs;

	read_globs(a, text, len, &globs);
	return search_globs(a, &globs, name);
}

/* What stands behind the last dot, unless the name begins with it. */
static const char *extension_of(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && dot > name && dot[1] ? dot + 1 : NULL;
}

const char *mime_type_in_table(struct arena *a, const char *text, size_t len, const char *name)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_TYPES);
	const char *p = text, *extension = extension_of(name), *found = NULL;
	char *raw;

	while (extension && !found && (raw = next_line(&line, &p, text + len))) {
		struct strvec words = STRVEC_INIT(LINE_MAX_TYPES);

		strvec_split(&words, raw, " \t\r");
		for (size_t i = 1; i < words.n && !found; i++) {
			text_lower(words.v[0]);
			if (words.v[i][0] == '#')
				break;
			if (strcasecmp(words.v[i], extension) == 0 && mime_type_valid(words.v[0]))
				found = arena_strdup(a, words.v[0]);
		}
		strvec_release(&words);
	}
	strbuf_release(&line);
	return found;
}

/* Looks into one file; one that is not there or cannot be read has no answer. */
static const char *search_table(struct arena *a, const char *path, const char *name)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	const char *found = NULL;

	if (fs_read_file(path, 0, &text, NULL) == 0)
		found = mime_type_in_table(a, text.buf, text.len, name);
	strbuf_release(&text);
	return found;
}

/* The folders of the shared MIME database, the user's first (XDG Base Directory). */
static void data_folders(struct arena *a, struct strvec *folders)
{
	const char *own = secure_getenv("XDG_DATA_HOME"), *dirs = secure_getenv("XDG_DATA_DIRS");
	char *home = own && *own == '/' ? NULL : fs_home();

	if (own && *own == '/')
		strvec_add(folders, own);
	else if (home)
		strvec_add(folders, arena_printf(a, "%s/.local/share", home));
	strvec_split(folders, dirs && *dirs ? dirs : "/usr/local/share:/usr/share", ":");
	xfree(home);
}

/* The globs of a file; read when they are first asked for, and kept till the end. */
static struct globs *globs_of(const char *path)
{
	static struct kept {
		struct kept *next;
		const char *path;
		struct globs globs;
	} *first;
	static struct arena *arena;
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct kept *k = first;

	while (k && strcmp(k->path, path) != 0)
		k = k->next;
	if (k)
		return &k->globs;
	if (!arena)
		arena = arena_new();
	k = arena_alloc(arena, sizeof(*k));
	*k = (struct kept){ .next = first, .path = arena_strdup(arena, path) };
	first = k;
	if (fs_read_file(path, 0, &text, NULL) < 0)
		strbuf_reset(&text);
	read_globs(arena, text.buf, text.len, &k->globs);
	strbuf_release(&text);
	return &k->globs;
}

const char *mime_type_of_name(struct arena *a, const char *name)
{
	struct strvec folders = STRVEC_INIT(FOLDERS_MAX);
	const char *found = NULL;

	data_folders(a, &folders);
	for (size_t i = 0; !found && i < folders.n; i++) {
		if (folders.v[i][0] == '/')
			found = search_globs(a, globs_of(arena_printf(a, "%s/mime/globs2",
								     folders.v[i])), name);
	}
	strvec_release(&folders);
	if (!found)
		found = search_table(a, "/etc/mime.types", name);
	if (!found)
		found = mime_type_in_table(a, known, sizeof(known) - 1, name);
	return found && strncmp(found, "multipart/", 10) != 0 ? found : NULL;
}

/* May a type by name go before what the octets look like? */
static bool says_more(const char *by_octets, const char *by_name)
{
	static const struct {
		const char *octets, *name;	/* the type; how the other begins */
	} vague[] = {
		{ MIME_TYPE_OCTETS, "" }, { "text/plain", "text/" },
		{ "text/plain", "message/rfc822" }, { "application/zip", "application/" },
		{ "application/x-ole-storage", "application/" }, { "text/xml", "application/" },
		{ "text/xml", "image/svg" }, { "application/gzip", "application/" },
		{ "text/html", "application/xhtml" }, { "inode/x-empty", "" },
		{ "application/x-empty", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(vague); i++) {
		if (strcmp(vague[i].octets, by_octets) == 0 &&
		    strncmp(vague[i].name, by_name, strlen(vague[i].name)) == 0)
			return true;
	}
	return strncmp(by_octets, "message/", 8) == 0;
}

/* Text for sure: no control characters, and valid UTF-8 but for a character that is cut. */
static bool is_text(const char *data, size_t n)
{
	size_t end = n;

	while (end && end + 3 > n && ((unsigned char)data[end - 1] & 0xc0) == 0x80)
		end--;
	if (end && (unsigned char)data[end - 1] >= 0xc0)
		end--;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)data[i] < ' ' && !strchr("\t\n\r\f", data[i]))
			return false;
	}
	return n && memchr(data, 0, n) == NULL && text_is_utf8(data, end);
}

/* Do the octets say what the name says? Then nobody else is to be asked. */
static bool is_certain(const char *by_name, const char *data, size_t n)
{
	static const struct { const char *type, *begin; } signs[] = {
		{ "application/pdf", "%PDF-" }, { "image/png", "\x89PNG\r\n\x1a\n" },
		{ "image/jpeg", "\xff\xd8\xff" }, { "image/gif", "GIF8" },
	};

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		const size_t len = strlen(signs[i].begin);

		if (strcmp(signs[i].type, by_name) == 0)
			return n >= len && memcmp(signs[i].begin, data, len) == 0;
	}
	return strncmp(by_name, "text/", 5) == 0 && is_text(data, n);
}

/*
 * A text that begins like a header is a message only when its name says so,
 * too: messages are never encoded.
 */
const char *mime_type_of(struct arena *a, const char *name, const char *data, size_t n)
{
	const char *by_name = mime_type_of_name(a, name), *type;

	if (by_name && is_certain(by_name, data, n))
		return by_name;
	type = mime_magic_type(a, data, n);
	if (!type || (by_name && says_more(type, by_name)))
		type = by_name;
	if (!type || strncmp(type, "inode/", 6) == 0 || strncmp(type, "multipart/", 10) == 0 ||
	    strcmp(type, "application/x-empty") == 0)
		return MIME_TYPE_OCTETS;
	if (strncmp(type, "message/", 8) == 0 && (!by_name || strcmp(by_name, type) != 0))
		return "text/plain";
	return type;
}
