#include "config.h"
#include "conf/rewrite.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf/rcfile.h"
#include "message/address.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/text.h"

#define FILE_MAX (16 << 20)	/* octets */
#define RULES_MAX 1000000

/* In the order of precedence; patterns share the last place. */
enum kind { KIND_ADDRESS, KIND_NAME, KIND_DOMAIN, KIND_PATTERN };

struct entry {
	enum kind kind;
	const char *key;	/* address with quotes where needed, local part, domain, pattern */
	bool local_pattern;	/* for local parts */
	size_t order;		/* in which they came */
	struct rewrite_rule rule;
};

struct rewrite_map {
	struct arena *arena;
	struct entry *entry;	/* sorted by kind and key; patterns as they came */
	size_t n, alloc;
	size_t patterns;	/* where they begin */
};

struct rewrite_map *rewrite_map_new(struct arena *a)
{
	struct rewrite_map *map = arena_alloc(a, sizeof(*map));

	map->arena = a;
	return map;
}

/* --- the two sides ------------------------------------------------------------- */

/* A domain in ASCII form that can stand in an envelope. */
static int read_domain(struct arena *a, const char *text, const char **out, struct error *err)
{
	const char *ascii;

	if (idna_to_ascii(a, text, &ascii, err) < 0)
		return -1;
	if (!address_domain_valid(ascii))
		return error_set(err, FAULT_CONFIG, "'%.100s' is not a domain", text);
	*out = arena_strdup(a, ascii);
	return 0;
}

static int read_address(struct arena *a, const char *text, struct mailbox *box, struct error *err)
{
	if (address_parse_one(a, text, 0, box, err) < 0)
		return -1;
	return box->domain ? read_domain(a, box->domain, &box->domain, err) : 0;
}

/* '*' and '?' may stand in a local part: in quotes they are nothing else. */
static bool is_pattern(const char *left)
{
	return strpbrk(left, "*?") && !strchr(left, '"');
}

static int read_left(struct arena *a, const char *left, struct entry *e, struct error *err)
{
	struct mailbox box;

	if (is_pattern(left)) {
		e->kind = KIND_PATTERN;
		e->local_pattern = !strchr(left, '@');
		e->key = arena_printf(a, "%s%s", *left == '@' ? "*" : "", left);
		return 0;
	}
	if (*left == '@') {
		e->kind = KIND_DOMAIN;
		return read_domain(a, left + 1, &e->key, err);
	}
	if (read_address(a, left, &box, err) < 0)
		return -1;
	if (box.angle || box.comment)
		return error_set(err, FAULT_CONFIG, "a name where only an address can stand");
	e->kind = box.domain ? KIND_ADDRESS : KIND_NAME;
	e->key = box.domain ? address_format(a, box.local, box.domain) : box.local;
	return 0;
}

static int read_right(struct arena *a, const char *right, struct rewrite_rule *rule,
		      struct error *err)
{
	struct mailbox box;

	if (*right == '@')
		return read_domain(a, right + 1, &rule->domain, err);
	if (read_address(a, right, &box, err) < 0)
		return -1;
	if (!box.domain)
		return error_set(err, FAULT_CONFIG, "'%.100s' has no domain", right);
	rule->name = box.name ? box.name : box.comment;
	rule->local = box.local;
	rule->domain = box.domain;
	return 0;
}

static int blame_rule(const struct rewrite_rule *rule, struct error *err)
{
	error_recast(err, FAULT_CONFIG);
	return error_prefix(err, "%s:%u: '%.100s'", rule->file, rule->line, rule->left);
}

int rewrite_map_add(struct rewrite_map *map, const char *left, const char *right,
		    const char *file, unsigned line, struct error *err)
{
	struct entry e = { .rule = { .left = arena_strdup(map->arena, left),
				     .right = arena_strdup(map->arena, right),
				     .file = map->n && strcmp(file, map->entry[0].rule.file) == 0 ?
					     map->entry[0].rule.file :
					     arena_strdup(map->arena, file), .line = line } };

	if (!*right) {
		error_set(err, FAULT_CONFIG, "needs 'address', 'Name <address>' or '@domain' "
			  "on its right");
		return blame_rule(&e.rule, err);
	}
	if (read_left(map->arena, left, &e, err) < 0 ||
	    read_right(map->arena, right, &e.rule, err) < 0)
		return blame_rule(&e.rule, err);
	if (map->n == RULES_MAX) {
		error_set(err, FAULT_CONFIG, "more than %d rules", RULES_MAX);
		return blame_rule(&e.rule, err);
	}
	map->entry = arena_grow(map->arena, map->entry, map->n, &map->alloc, sizeof(*map->entry));
	e.order = map->n;
	map->entry[map->n++] = e;
	return 0;
}

/* --- order ---------------------------------------------------------------------- */

static int compare_key(const struct entry *e, enum kind kind, const char *key)
{
	return e->kind == kind ? strcasecmp(e->key, key) : e->kind < kind ? -1 : 1;
}

/* What is equal keeps its order. */
static int compare(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	int order = a->kind == KIND_PATTERN && b->kind == KIND_PATTERN ? 0 :
		    compare_key(a, b->kind, b->key);

	return order ? order : a->order < b->order ? -1 : a->order > b->order;
}

int rewrite_map_finish(struct rewrite_map *map, struct error *err)
{
	if (map->n > 1)
		qsort(map->entry, map->n, sizeof(*map->entry), compare);
	for (map->patterns = 0; map->patterns < map->n; map->patterns++) {
		const struct entry *e = &map->entry[map->patterns];

		if (e->kind == KIND_PATTERN)
			break;
		if (map->patterns && compare_key(e, e[-1].kind, e[-1].key) == 0) {
			error_set(err, FAULT_CONFIG, "stands in %s:%u already",
				  e[-1].rule.file, e[-1].rule.line);
			return blame_rule(&e->rule, err);
		}
	}
	return 0;
}

const struct rewrite_rule *rewrite_nth(const struct rewrite_map *map, size_t i)
{
	return i < map->n ? &map->entry[i].rule : NULL;
}

/* --- the file --------------------------------------------------------------------- */

/* The end of the left side: the first blank outside quotes. */
static char *left_end(char *p)
{
	bool quoted = false;

	for (; *p && (quoted || !text_is_space(*p)); p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
	}
	return p;
}

/* One logical line: pattern 1*blank result */
static int take_rule(struct rewrite_map *map, const char *name, char *rule, unsigned line,
		     struct error *err)
{
	char *right = left_end(rule), *end = rule + strlen(rule);

	while (end > rule && text_is_space(end[-1]))
		*--end = '\0';
	if (*right)
		*right++ = '\0';
	while (text_is_space(*right))
		right++;
	return rewrite_map_add(map, rule, right, name, line, err);
}

/* line = pattern 1*blank result; a line that begins with a blank goes on with the one before */
int rewrite_map_parse(struct rewrite_map *map, const char *name, char *text, size_t len,
		      struct error *err)
{
	struct rcfile_lines l = { .next = text, .end = text + len };
	char *rule = NULL, *line;
	unsigned first = 0;
	int rc;

	while ((rc = rcfile_line(&l, &line, err)) > 0) {
		const char begin = line[strspn(line, " \t\r")];

		if (!begin || begin == '#')
			continue;
		if (text_is_space(*line) && !rule)
			return error_set(err, FAULT_CONFIG,
					 "%s:%u: the first line begins with a blank", name,
					 l.number);
		if (text_is_space(*line)) {	/* what is between is blotted out */
			char *stop = rule + strlen(rule);

			memset(stop, ' ', (size_t)(line - stop));
			continue;
		}
		if (rule && take_rule(map, name, rule, first, err) < 0)
			return -1;
		rule = line;
		first = l.number;
	}
	if (rc < 0)
		return error_prefix(err, "%s:%u", name, l.number);
	if (rule && take_rule(map, name, rule, first, err) < 0)
		return -1;
	return rewrite_map_finish(map, err);
}

int rewrite_map_read(struct rewrite_map *map, const char *path, struct error *err)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	int fd = fs_open_read(path);
	int rc;

	if (fd < 0)
		return fs_cannot_open(err, "rewrite_map ", path);
	rc = fs_read_fd(fd, path, &text, err);
	close(fd);
	if (rc < 0)
		error_recast(err, FAULT_CONFIG);
	else
		rc = rewrite_map_parse(map, path, text.buf, text.len, err);
	strbuf_release(&text);
	return rc;
}

/* --- searching ------------------------------------------------------------------------ */

static const struct rewrite_rule *find_key(const struct rewrite_map *map, enum kind kind,
					   const char *key)
{
	size_t low = 0, high = map->patterns;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = compare_key(&map->entry[mid], kind, key);

		if (order == 0)
			return &map->entry[mid].rule;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static const struct rewrite_rule *find_pattern(const struct rewrite_map *map, const char *local,
					       const char *address)
{
	for (size_t i = map->patterns; i < map->n; i++) {
		const struct entry *e = &map->entry[i];
		const char *text = e->local_pattern ? local : address;

		if (text && address_match(e->key, text))
			return &e->rule;
	}
	return NULL;
}

const struct rewrite_rule *rewrite_find(const struct rewrite_map *const *maps,
					const struct rewrite_key *key)
{
	struct arena *scratch = arena_new();
	const char *address = key->domain ? address_format(scratch, key->local, key->domain) : NULL;
	const char *local = key->is_local ? key->local : NULL;
	const char *const wanted[] = { address, local, key->domain };
	const struct rewrite_rule *found = NULL;

	for (size_t kind = 0; !found && kind < ARRAY_LEN(wanted); kind++) {
		for (size_t i = 0; wanted[kind] && !found && maps[i]; i++)
			found = find_key(maps[i], (enum kind)kind, wanted[kind]);
	}
	for (size_t i = 0; !found && maps[i]; i++)
		found = find_pattern(maps[i], local, address);
	arena_free(scratch);
	return found;
}
