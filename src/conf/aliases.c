#include "config.h"
#include "conf/aliases.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "conf/aliases_parts.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xalloc.h"

#define FILE_MAX (16 << 20)

/* --- reading ------------------------------------------------------------------------------ */

/* Cuts a comment ('#' at the start or behind a blank, outside quotes) and blanks off the end. */
void aliases_cut_comment(char *line)
{
	bool quoted = false;
	char *end;

	for (end = line; *end; end++) {
		if (*end == '#' && !quoted && (end == line || text_is_space(end[-1])))
			break;
		if (*end == '\\' && end[1])
			end++;
		else if (*end == '"')
			quoted = !quoted;
	}
	while (end > line && text_is_space(end[-1]))
		end--;
	*end = '\0';
}

/*
 * entry = name *WSP ":" targets *( newline 1*WSP targets )
 * name  = 1*any but colon / quoted-string
 * Returns where the targets begin and puts the name into *name; NULL if it is no entry.
 */
static char *split_entry(char *line, char **name)
{
	char *end, *colon;

	if (*line == '"') {
		end = strchr(line + 1, '"');
		colon = end ? end + 1 : NULL;
		line++;
		while (colon && text_is_space(*colon))
			colon++;
	} else {
		end = colon = strchr(line, ':');
		while (end && end > line && text_is_space(end[-1]))
			end--;
	}
	if (!colon || *colon != ':' || end == line)
		return NULL;
	*end = '\0';
	*name = line;
	return colon + 1;
}

const struct alias *aliases_find(const struct aliases *a, const char *name)
{
	size_t i;

	return strmap_find(&a->names, name, &i) ? &a->entry[i] : NULL;
}

static int bad_line(const struct aliases *a, unsigned line, const char *what, struct error *err)
{
	return error_set(err, FAULT_CONFIG, "%s:%u: %s", a->path, line, what);
}

static int add_entry(struct aliases *a, char *line, unsigned number, struct error *err)
{
	char *name, *targets = split_entry(line, &name);

	if (!targets)
		return bad_line(a, number, "the line is not 'name: address, ...'", err);
	if (!strmap_add(&a->names, name, a->n))
		return bad_line(a, number, "the name stands in the file twice", err);
	a->entry[a->n++] = (struct alias){ .name = name, .targets = targets,
					  .end = targets + strlen(targets), .line = number };
	return 0;
}

/* A line that begins with a blank goes on with the entry before; what is between is blotted out. */
static void join(struct aliases *a, char *more)
{
	struct alias *last = &a->entry[a->n - 1];

	memset(last->end, ' ', (size_t)(more - last->end));
	*last->end = ',';
	last->end = more + strlen(more);
}

static int take_line(struct aliases *a, char *line, unsigned number, struct error *err)
{
	bool goes_on = text_is_space(*line);

	aliases_cut_comment(line);
	if (!line[strspn(line, " \t\r")])
		return 0;
	if (!goes_on)
		return add_entry(a, line, number, err);
	if (a->n == 0)
		return bad_line(a, number, "the first line begins with a blank", err);
	join(a, line);
	return 0;
}

static int take_text(struct aliases *a, char *text, size_t len, struct error *err)
{
	unsigned number = 0;
	size_t lines = 1;

	for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + len - p))); p++)
		lines++;
	a->entry = arena_calloc(a->arena, lines, sizeof(*a->entry));
	for (char *p = text, *next; p < text + len; p = next) {
		char *stop = memchr(p, '\n', (size_t)(text + len - p));

		if (!stop)
			stop = text + len;
		number++;
		if (memchr(p, '\0', (size_t)(stop - p)))
			return bad_line(a, number, "the line holds a NUL octet", err);
		*stop = '\0';
		next = stop + 1;
		if (take_line(a, p, number, err) < 0)
			return -1;
	}
	return 0;
}

int aliases_load(const char *path, struct aliases **out, struct error *err)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct aliases *a;
	int fd = fs_open_read(path);
	int rc;

	if (fd < 0)
		return fs_cannot_open(err, "aliases ", path);
	a = xcalloc(1, sizeof(*a));
	a->arena = a->names.arena = arena_new();
	a->path = arena_strdup(a->arena, path);
	rc = fs_read_fd(fd, path, &text, err);
	close(fd);
	if (rc < 0)
		error_recast(err, FAULT_CONFIG);
	else
		rc = take_text(a, arena_strndup(a->arena, text.buf, text.len), text.len, err);
	strbuf_release(&text);
	if (rc < 0) {
		aliases_free(a);
		return -1;
	}
	*out = a;
	return 0;
}

void aliases_free(struct aliases *a)
{
	if (!a)
		return;
	arena_free(a->arena);
	xfree(a);
}
