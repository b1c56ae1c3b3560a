#include "config.h"
#include "conf/aliases.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "message/address.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/xalloc.h"

#define FILE_MAX (16 << 20)
#define LEVELS_MAX 10

struct alias {
	const char *name;
	char *targets, *end;	/* list as written, continuation lines joined */
	unsigned line;
};

struct aliases {
	struct arena *arena;
	const char *path;
	struct alias *entry;
	size_t n;
};

/* --- reading ------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts a comment ('#' at the start or behind a blank, outside quotes) and blanks off the end. */
static void cut_comment(char *line)
{
	bool quoted = false;
	char *end;

	for (end = line; *end; end++) {
		if (*end == '#' && !quoted && (end == line || is_blank(end[-1])))
			break;
		if (*end == '\\' && end[1])
			end++;
		else if (*end == '"')
			quoted = !quoted;
	}
	while (end > line && is_blank(end[-1]))
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
		while (colon && is_blank(*colon))
			colon++;
	} else {
		end = colon = strchr(line, ':');
		while (end && end > line && is_blank(end[-1]))
			end--;
	}
	if (!colon || *colon != ':' || end == line)
		return NULL;
	*end = '\0';
	*name = line;
	return colon + 1;
}

static const struct alias *find(const struct aliases *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++) {
		if (strcasecmp(a->entry[i].name, name) == 0)
			return &a->entry[i];
	}
	return NULL;
}

static int bad_line(const struct aliases *a, unsigned line, const char *what, struct error *err)
{
	return error_set(err, EX_CONFIG, "5.3.5", "%s:%u: %s", a->path, line, what);
}

static int add_entry(struct aliases *a, char *line, unsigned number, struct error *err)
{
	char *name, *targets = split_entry(line, &name);

	if (!targets)
		return bad_line(a, number, "the line is not 'name: address, ...'", err);
	if (find(a, name))
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
	bool goes_on = is_blank(*line);

	cut_comment(line);
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

	if (fd < 0) {
		int why = errno;

		error_errno(err, EX_CONFIG, "5.3.5", "cannot open aliases %s", path);
		return error_append(err, "%s", fs_denied_hint(path, why));
	}
	a = xcalloc(1, sizeof(*a));
	a->arena = arena_new();
	a->path = arena_strdup(a->arena, path);
	rc = fs_read_fd(fd, path, &text, err);
	close(fd);
	if (rc < 0)
		err->exit = EX_CONFIG;
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

/* --- expanding ------------------------------------------------------------------------------ */

enum progress { NEW, ENTERED, DONE };

struct expansion {
	const struct aliases *aliases;
	unsigned char *progress;	/* enum progress of each entry */
	struct strvec *out;
	struct arena *arena;		/* what the address parser needs */
};

static int blame(const struct expansion *x, const struct alias *e, struct error *err)
{
	return error_prefix(err, "%s:%u: alias '%s'", x->aliases->path, e->line, e->name);
}

static int add_address(struct expansion *x, const char *address, struct error *err)
{
	if (!strvec_has(x->out, address))
		strvec_add(x->out, address);
	if (strvec_overflow(x->out))
		return error_set(err, EX_CONFIG, "5.3.5", "too many addresses");
	return 0;
}

/* Commands, files and included lists: what a submitter never does for an alias. */
static bool is_refused(const char *target)
{
	target += *target == '"';
	return *target == '|' || *target == '/' || strncasecmp(target, ":include:", 9) == 0;
}

static int expand_entry(struct expansion *x, const struct alias *e, unsigned level,
			struct error *err);

/* A local name: its own entry, else the one called default, else itself. */
static int expand_name(struct expansion *x, const char *name, bool use_default, unsigned level,
		       struct error *err)
{
	const struct alias *e = find(x->aliases, name);

	if (!e && use_default)
		e = find(x->aliases, "default");
	if (e)
		return expand_entry(x, e, level, err);
	return add_address(x, address_format(x->arena, name, NULL), err);
}

static int expand_target(struct expansion *x, const struct alias *e, const char *target,
			 unsigned level, struct error *err)
{
	bool is_default = strcasecmp(e->name, "default") == 0;
	struct mailbox box;

	if (is_refused(target)) {
		error_set(err, EX_CONFIG, "5.3.5",
			  "'%.100s' is a command, file or included list: not supported", target);
		return blame(x, e, err);
	}
	/* "\name" is the name itself, whatever stands in the file */
	bool literal = *target == '\\';

	if (address_parse_one(x->arena, target + literal, 0, &box, err) < 0) {
		err->exit = EX_CONFIG;
		return blame(x, e, err);
	}
	if (box.domain || literal || strcasecmp(box.local, e->name) == 0)
		return add_address(x, box.address, err);
	return expand_name(x, box.local, !is_default, level + 1, err);
}

/* targets = [target] *("," [target]); commas in quotes and brackets separate nothing */
static char *next_target(char **p)
{
	char *start, *end;
	bool quoted = false;

	while (is_blank(**p) || **p == ',')
		(*p)++;
	if (!**p)
		return NULL;
	for (start = end = *p; *end && (quoted || *end != ','); end++) {
		if (*end == '\\' && end[1])
			end++;
		else if (*end == '"')
			quoted = !quoted;
	}
	*p = end + (*end == ',');
	while (end > start && is_blank(end[-1]))
		end--;
	*end = '\0';
	return start;
}

static int expand_entry(struct expansion *x, const struct alias *e, unsigned level,
			struct error *err)
{
	unsigned char *progress = &x->progress[e - x->aliases->entry];
	char *list = arena_strdup(x->arena, e->targets), *target;
	int rc = 0, count = 0;

	if (*progress == DONE)
		return 0;
	if (*progress == ENTERED || level > LEVELS_MAX) {
		if (*progress == ENTERED)
			error_set(err, EX_CONFIG, "5.3.5", "leads back to itself");
		else
			error_set(err, EX_CONFIG, "5.3.5", "more than %d names deep", LEVELS_MAX);
		return blame(x, e, err);
	}
	*progress = ENTERED;
	while (rc == 0 && (target = next_target(&list))) {
		rc = expand_target(x, e, target, level, err);
		count++;
	}
	*progress = DONE;
	if (rc == 0 && count == 0) {
		error_set(err, EX_CONFIG, "5.3.5", "no address behind the name");
		return blame(x, e, err);
	}
	return rc;
}

int aliases_expand(const struct aliases *a, const char *name, struct strvec *out,
		   struct error *err)
{
	struct expansion x = { .aliases = a, .out = out, .arena = arena_new() };

	x.progress = xcalloc(a->n ? a->n : 1, 1);
	int rc = expand_name(&x, name, true, 0, err);

	xfree(x.progress);
	arena_free(x.arena);
	return rc;
}
