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
#define WARNINGS_MAX 100

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
	bool skipping;		/* what goes on with a line that is passed over */
	struct strvec warnings;
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

/* A line that is passed over, and what goes on with it: nobody else's mail depends on it. */
ATTR_PRINTF(3, 4)
static void pass_over(struct aliases *a, unsigned line, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(1024);
	va_list ap;

	strbuf_addf(&text, "%s:%u: ", a->path, line);
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	strvec_add(&a->warnings, text.buf);
	strbuf_release(&text);
	a->skipping = true;
}

static void add_entry(struct aliases *a, char *line, unsigned number)
{
	char *name, *targets = split_entry(line, &name);
	size_t first;

	if (!targets) {
		pass_over(a, number, "the line is not 'name: address, ...'");
	} else if (strmap_find(&a->names, name, &first)) {
		pass_over(a, number, "the name '%s' stands in the file twice: line %u counts",
			  name, a->entry[first].line);
	} else {
		(void)strmap_add(&a->names, name, a->n);
		a->entry[a->n++] = (struct alias){
			.name = name, .targets = targets, .end = targets + strlen(targets),
			.line = number,
		};
		a->skipping = false;
	}
}

/* A line that begins with a blank goes on with the entry before; what is between is blotted out. */
static void join(struct aliases *a, char *more)
{
	struct alias *last = &a->entry[a->n - 1];

	memset(last->end, ' ', (size_t)(more - last->end));
	*last->end = ',';
	last->end = more + strlen(more);
}

static void take_line(struct aliases *a, char *line, unsigned number)
{
	bool goes_on = text_is_space(*line);

	cut_comment(line);
	if (!line[strspn(line, " \t\r")])
		return;
	if (!goes_on)
		add_entry(a, line, number);
	else if (a->n == 0 && !a->skipping)
		pass_over(a, number, "the first line begins with a blank");
	else if (!a->skipping)
		join(a, line);
}

static void take_text(struct aliases *a, char *text, size_t len)
{
	struct rcfile_lines l = { .next = text, .end = text + len };
	struct error wrong;
	size_t lines = 1;
	char *line;
	int rc;

	for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + len - p))); p++)
		lines++;
	a->entry = arena_calloc(a->arena, lines, sizeof(*a->entry));
	while ((rc = rcfile_line(&l, &line, &wrong)) != 0) {
		if (rc < 0)
			pass_over(a, l.number, "%s", wrong.text);
		else
			take_line(a, line, l.number);
	}
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
	a->warnings = (struct strvec)STRVEC_INIT(WARNINGS_MAX);
	rc = fs_read_fd(fd, path, &text, err);
	close(fd);
	if (rc < 0)
		error_recast(err, FAULT_CONFIG);
	else
		take_text(a, arena_strndup(a->arena, text.buf, text.len), text.len);
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
	strvec_release(&a->warnings);
	arena_free(a->arena);
	xfree(a);
}

const struct strvec *aliases_warnings(const struct aliases *a)
{
	return &a->warnings;
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
	bool discarded;			/* a target was /dev/null */
	struct error wrong;		/* of the first target that cannot be used; exit 0 = none */
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
	error_turn(err, FAULT_ALIAS);
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
	error_set(err, FAULT_ALIAS, "%s", text.buf);
	strbuf_release(&text);
	return blame_line(x, at, err);
}

static int add_address(struct expansion *x, const char *address, struct error *err)
{
	if (strmap_add(&x->found, address, 0))
		strvec_add(x->out, address);
	if (strvec_overflow(x->out))
		return error_set(err, FAULT_ALIAS, "%s: too many addresses",
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

/* A target that cannot be used is noted, and hinders no other; *count says how many there are. */
static void expand_list(struct expansion *x, const struct place *at, char *list, size_t *count)
{
	struct error wrong;
	char *target;

	while ((target = next_target(&list))) {
		if (expand_target(x, at, target, &wrong) < 0 && !x->wrong.exit)
			x->wrong = wrong;
		(*count)++;
	}
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
		expand_list(x, at, line, &count);
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
	expand_list(x, &at, arena_strdup(x->arena, e->targets), &count);
	*progress = DONE;
	return count == 0 ? refuse(x, &at, err, "no address behind the name") : 0;
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

/* The file that swallows all, perhaps in quotes, or Exim's word for it. */
static bool is_nowhere(const char *target)
{
	return strcmp(target, "/dev/null") == 0 || strcmp(target, "\"/dev/null\"") == 0 ||
	       strcasecmp(target, ":blackhole:") == 0;
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
	if (is_nowhere(target)) {
		x->discarded = true;
		return 0;
	}
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
		   void *ctx, struct strvec *out, bool *discarded_out, struct error *err)
{
	const struct alias *e = find_entry(a, name, true);
	struct expansion x = { .aliases = a, .out = out, .is_local = is_local, .ctx = ctx };

	*discarded_out = false;
	if (!e)
		return 0;
	x.arena = x.found.arena = arena_new();
	x.progress = xcalloc(a->n, 1);
	for (size_t i = 0; i < out->n; i++)
		(void)strmap_add(&x.found, out->v[i], 0);
	int rc = expand_entry(&x, e, 0, err);

	if (rc == 0 && x.wrong.exit) {
		if (err)
			*err = x.wrong;
		rc = -1;
	}
	*discarded_out = x.discarded;
	xfree(x.progress);
	arena_free(x.arena);
	return rc;
}
