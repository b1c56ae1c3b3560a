#include "config.h"
#include "conf/aliases.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf/rcfile.h"
#include "message/address.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/strmap.h"
#include "util/strvec.h"
#include "util/text.h"
#include "util/xalloc.h"

#define FILE_MAX (16 << 20)
#define LEVELS_MAX 10		/* names and included files on the way to an address */
#define INCLUDE_MAX (1 << 20)	/* octets of one included file */
#define INCLUDES_MAX 100	/* of one name */

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
	struct strmap names;	/* their numbers */
};

/* --- reading ------------------------------------------------------------------------------ */

/* Cuts a comment ('#' at the start or behind a blank, outside quotes) and blanks off the end. */
static void cut_comment(char *line)
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

/* The entry of a name (ASCII case ignored); NULL if there is none. */
static const struct alias *find_alias(const struct aliases *a, const char *name)
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
	struct rcfile_lines l = { .next = text, .end = text + len };
	size_t lines = 1;
	char *line;
	int rc;

	for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + len - p))); p++)
		lines++;
	a->entry = arena_calloc(a->arena, lines, sizeof(*a->entry));
	while ((rc = rcfile_line(&l, &line, err)) > 0) {
		if (take_line(a, line, l.number, err) < 0)
			return -1;
	}
	return rc < 0 ? error_prefix(err, "%s:%u", a->path, l.number) : 0;
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

/* --- expanding ---------------------------------------------------------------------------- */

enum progress { NEW, ENTERED, DONE };

struct expansion {
	const struct aliases *aliases;
	unsigned char *progress;	/* enum progress of each entry */
	struct strvec *out;
	struct strmap found;		/* what is in out */
	aliases_local_fn *is_local;
	void *ctx;
	unsigned includes;
	struct arena *arena;		/* what the address parser needs */
};

/* Where a target stands. */
struct place {
	const struct alias *entry;
	const char *file;		/* included by it; NULL = in the aliases themselves */
	unsigned line;			/* of the included file */
	unsigned level;
};

static int blame_line(const struct expansion *x, const struct place *at, struct error *err)
{
	error_recast(err, FAULT_CONFIG);
	if (at->file)
		error_prefix(err, "%s:%u", at->file, at->line);
	return error_prefix(err, "%s:%u: alias '%s'", x->aliases->path, at->entry->line,
			    at->entry->name);
}

ATTR_PRINTF(4, 5)
static int refuse(const struct expansion *x, const struct place *at, struct error *err,
		  const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(1024);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	error_set(err, FAULT_CONFIG, "%s", text.buf);
	strbuf_release(&text);
	return blame_line(x, at, err);
}

static int add_address(struct expansion *x, const char *address, struct error *err)
{
	if (strmap_add(&x->found, address, 0))
		strvec_add(x->out, address);
	if (strvec_overflow(x->out))
		return error_set(err, FAULT_CONFIG, "%s: too many addresses",
				 x->aliases->path);
	return 0;
}

/* targets = [target] *("," [target]); commas in quotes and brackets separate nothing */
static char *next_target(char **p)
{
	char *start, *end;
	bool quoted = false;

	while (text_is_space(**p) || **p == ',')
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
	while (end > start && text_is_space(end[-1]))
		end--;
	*end = '\0';
	return start;
}

static int expand_target(struct expansion *x, const struct place *at, char *target,
			 struct error *err);

static int expand_list(struct expansion *x, const struct place *at, char *list, size_t *count,
		       struct error *err)
{
	char *target;
	int rc = 0;

	while (rc == 0 && (target = next_target(&list))) {
		rc = expand_target(x, at, target, err);
		(*count)++;
	}
	return rc;
}

/* --- included files ----------------------------------------------------------------- */

/* line = [ targets ] [ "#" comment ] */
static int expand_lines(struct expansion *x, struct place *at, char *text, size_t len,
			struct error *err)
{
	struct rcfile_lines l = { .next = text, .end = text + len };
	size_t count = 0;
	char *line;
	int rc;

	while ((rc = rcfile_line(&l, &line, err)) != 0) {
		at->line = l.number;
		if (rc < 0)
			return blame_line(x, at, err);
		cut_comment(line);
		if (expand_list(x, at, line, &count, err) < 0)
			return -1;
	}
	return 0;
}

static int expand_include(struct expansion *x, const struct place *from, const char *path,
			  struct error *err)
{
	struct strbuf text = STRBUF_INIT(INCLUDE_MAX);
	struct place at = { .entry = from->entry, .file = path, .level = from->level + 1 };
	int rc;

	if (*path != '/')
		return refuse(x, from, err, "':include:%.100s' is not an absolute path", path);
	if (at.level > LEVELS_MAX || x->includes++ == INCLUDES_MAX)
		return refuse(x, from, err, "%s is included too deep or too often", path);
	/* what is in the file is mail of others: nobody but root and the caller may say it */
	rc = fs_read_file(path, FS_REGULAR | FS_OWN_OR_ROOT | FS_NOT_OTHERS, &text, err);
	if (rc < 0)
		blame_line(x, from, err);
	else
		rc = expand_lines(x, &at, text.buf, text.len, err);
	strbuf_release(&text);
	return rc;
}

/* --- names ----------------------------------------------------------------------------- */

static int expand_entry(struct expansion *x, const struct alias *e, unsigned level,
			struct error *err)
{
	unsigned char *progress = &x->progress[e - x->aliases->entry];
	const struct place at = { .entry = e, .level = level };
	size_t count = 0;

	if (*progress == DONE)
		return 0;
	if (*progress == ENTERED)
		return refuse(x, &at, err, "leads back to itself");
	if (level > LEVELS_MAX)
		return refuse(x, &at, err, "more than %d names deep", LEVELS_MAX);
	*progress = ENTERED;
	int rc = expand_list(x, &at, arena_strdup(x->arena, e->targets), &count, err);

	*progress = DONE;
	return rc == 0 && count == 0 ? refuse(x, &at, err, "no address behind the name") : rc;
}

/* Its own entry, else the one for all names. */
static const struct alias *find_entry(const struct aliases *a, const char *name, bool use_default)
{
	const struct alias *e = find_alias(a, name);

	if (!e && use_default)
		e = find_alias(a, "default");
	return !e && use_default ? find_alias(a, "*") : e;
}

static bool is_default(const struct alias *e)
{
	return strcasecmp(e->name, "default") == 0 || strcmp(e->name, "*") == 0;
}

/* Commands and files: what a submitter never does for an alias. */
static bool is_refused(const char *target)
{
	target += *target == '"';
	return *target == '|' || *target == '/';
}

/* include = ":include:" path, perhaps in quotes; its path or NULL */
static const char *included_path(struct expansion *x, const char *target)
{
	static const char word[] = ":include:";
	size_t len = strlen(target), quote = *target == '"';

	if (strncasecmp(target + quote, word, strlen(word)) != 0)
		return NULL;
	if (quote && target[len - 1] == '"')
		len--;
	target += quote + strlen(word);
	len -= quote + strlen(word);
	while (text_is_space(*target)) {
		target++;
		len--;
	}
	return arena_strndup(x->arena, target, len);
}

static int expand_target(struct expansion *x, const struct place *at, char *target,
			 struct error *err)
{
	const char *path = included_path(x, target);
	const struct alias *e = NULL;
	struct mailbox box;

	if (path)
		return expand_include(x, at, path, err);
	if (is_refused(target))
		return refuse(x, at, err, "'%.100s' is a command or a file: not supported", target);
	/* "\name" is the name itself, whatever stands in the file */
	bool literal = *target == '\\';

	if (address_parse_one(x->arena, target + literal, 0, &box, err) < 0)
		return blame_line(x, at, err);
	bool local = !box.domain || (x->is_local && x->is_local(x->ctx, box.domain));

	if (local && !literal && strcasecmp(box.local, at->entry->name) != 0)
		e = find_entry(x->aliases, box.local, !is_default(at->entry));
	return e ? expand_entry(x, e, at->level + 1, err) : add_address(x, box.address, err);
}

int aliases_expand(const struct aliases *a, const char *name, aliases_local_fn *is_local,
		   void *ctx, struct strvec *out, struct error *err)
{
	const struct alias *e = find_entry(a, name, true);
	struct expansion x = { .aliases = a, .out = out, .is_local = is_local, .ctx = ctx };

	if (!e)
		return 0;
	x.arena = x.found.arena = arena_new();
	x.progress = xcalloc(a->n, 1);
	for (size_t i = 0; i < out->n; i++)
		(void)strmap_add(&x.found, out->v[i], 0);
	int rc = expand_entry(&x, e, 0, err);

	xfree(x.progress);
	arena_free(x.arena);
	return rc;
}
