/*
 * What all readers of foreign files begin with: opening them, lines, first lines.
 */
#include "config.h"
#include "import/import_parts.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"

int import_open(struct import *im, const char *path, bool needed, struct import_text **out,
		struct error *err)
{
	int fd = fs_open_read(path), rc;

	*out = NULL;
	if (fd < 0) {
		if (!needed && (errno == ENOENT || errno == ENOTDIR))
			return 0;
		return error_errno(err, FAULT_NO_INPUT, "cannot open %s", path);
	}
	struct import_text *t = arena_alloc(im->arena, sizeof(*t));

	t->name = arena_strdup(im->arena, path);
	strbuf_init(&t->text, IMPORT_FILE_MAX);
	t->next = im->texts;
	im->texts = t;
	rc = fs_read_fd(fd, path, &t->text, err);
	close(fd);
	if (rc == 0 && memchr(t->text.buf, '\0', t->text.len))
		rc = error_set(err, FAULT_FOREIGN_CONFIG, "%s holds NUL octets: no configuration",
			       path);
	*out = t;
	return rc;
}

void import_lines_init(struct import_lines *l, struct import *im, struct import_text *t)
{
	static const char bom[] = "\xef\xbb\xbf";
	const size_t skip = strncmp(t->text.buf, bom, strlen(bom)) == 0 ? strlen(bom) : 0;

	*l = (struct import_lines){
		.im = im, .next = t->text.buf + skip, .end = t->text.buf + t->text.len
	};
}

/* The line at p of len octets; *more points behind its end. */
static char *cut_line(char *p, char *end, char **more)
{
	char *stop = memchr(p, '\n', (size_t)(end - p));

	*more = stop ? stop + 1 : end;
	stop = stop ? stop : end;
	if (stop > p && stop[-1] == '\r')
		stop--;
	/* behind the last line stands the NUL of the text */
	*stop = '\0';
	return p;
}

char *import_line(struct import_lines *l)
{
	if (l->next >= l->end)
		return NULL;
	l->line++;
	return cut_line(l->next, l->end, &l->next);
}

static bool is_idle(const char *line)
{
	line += strspn(line, " \t\f\v\r");
	return *line == '\0' || *line == '#';
}

char *import_logical_line(struct import_lines *l)
{
	struct strbuf *out = &l->im->line;
	unsigned first = 0, seen = l->line;
	char *p = l->next, *more = p;

	strbuf_reset(out);
	for (; p < l->end; p = more) {
		const bool continues = *p == ' ' || *p == '\t';

		if (first && !continues && *p != '#' && *p != '\r' && *p != '\n')
			break;
		char *line = cut_line(p, l->end, &more);

		seen++;
		if (is_idle(line))
			continue;
		if (!first)
			first = seen;
		strbuf_addstr(out, line);
	}
	l->next = p;
	if (!first)
		return NULL;
	/* lines are counted to the end of this one, and told by its first */
	l->line = seen;
	l->first = first;
	return out->buf;
}

char *import_trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

int import_first_line(struct import *im, const char *path, const char **out, struct error *err)
{
	struct import_text *t;
	struct import_lines l;

	*out = NULL;
	if (import_open(im, path, false, &t, err) < 0)
		return -1;
	if (!t)
		return 0;
	import_lines_init(&l, im, t);
	char *line = import_line(&l);

	line = line ? import_trim(line) : NULL;
	*out = line && *line ? line : NULL;
	return 0;
}

int import_host_name(const struct import_source *src, const struct import_value *v,
		     const char **out, struct error *err)
{
	*out = *v->value ? v->value : NULL;
	if (!*out || **out != '/')
		return 0;
	if (import_first_line(src->im, v->value, out, err) < 0)
		return -1;
	if (*out && (*out)[strspn(*out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					"0123456789.-_")]) {
		import_note(src, v, "the first line of %s is no host name", v->value);
		*out = NULL;
	}
	return 0;
}

const char *import_beside(struct import *im, const char *from, const char *name)
{
	const char *slash = strrchr(from, '/');

	if (*name == '/' || !slash)
		return arena_strdup(im->arena, name);
	return arena_printf(im->arena, "%.*s%s", (int)(slash - from + 1), from, name);
}
