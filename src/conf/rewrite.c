#include "config.h"
#include "conf/rewrite.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/rcfile.h"
#include "message/address.h"
#include "message/patterns.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/text.h"

#define FILE_MAX (16 << 20)	/* octets */
#define RULES_MAX 1000000
#define BLANKS " \t\r"
/* octets of what is plain (RFC 5321, section 4.5.3.1; RFC 1035, section 2.3.4) */
#define LOCAL_MAX 64
#define LABEL_MAX 63
#define DOMAIN_MAX 253

/* In the order of precedence; patterns share the last place. */
enum kind { KIND_ADDRESS, KIND_NAME, KIND_DOMAIN, KIND_PATTERN };

/* A rule whose sides had to be taken apart. */
struct full {
	const char *key;	/* address with quotes where needed, local part, domain, pattern */
	struct rewrite_rule rule;
};

/*
 * Most rules are of plain addresses: these stay as they are in the text, the
 * left side with a NUL behind it and blanks before the right one, and are
 * taken apart when they are found.
 */
struct entry {
	union {
		const char *text;
		struct full *full;
	} is;
	unsigned line;
	unsigned char kind;	/* enum kind */
	bool plain;
};

/* The patterns of one sort, and the entries that they are. */
struct pattern_list {
	struct patterns set;
	size_t *entry, alloc;
};

/* All of them by kind and key; made when it is asked for. */
struct order {
	const struct entry **entry;
};

struct rewrite_map {
	struct arena *arena;
	struct entry *entry;	/* as they came */
	size_t n, alloc;
	const char *file;	/* of the plain ones */
	uint32_t *slot;		/* entries + 1 by the hash of their keys, 0 = none; no patterns */
	size_t slots;		/* a power of two */
	struct pattern_list *local, *whole;
	struct order *order;
};

struct rewrite_map *rewrite_map_new(struct arena *a)
{
	struct rewrite_map *map = arena_alloc(a, sizeof(*map));

	map->arena = a;
	map->local = arena_alloc(a, sizeof(*map->local));
	map->whole = arena_alloc(a, sizeof(*map->whole));
	map->order = arena_alloc(a, sizeof(*map->order));
	map->local->set.arena = map->whole->set.arena = a;
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

static int read_left(struct arena *a, const char *left, unsigned char *kind, struct full *e,
		     struct error *err)
{
	struct mailbox box;

	if (is_pattern(left)) {
		*kind = KIND_PATTERN;
		e->key = arena_printf(a, "%s%s", *left == '@' ? "*" : "", left);
		return 0;
	}
	if (*left == '@') {
		*kind = KIND_DOMAIN;
		return read_domain(a, left + 1, &e->key, err);
	}
	if (read_address(a, left, &box, err) < 0)
		return -1;
	if (box.angle || box.comment)
		return error_set(err, FAULT_CONFIG, "a name where only an address can stand");
	*kind = box.domain ? KIND_ADDRESS : KIND_NAME;
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

static int make_full(struct rewrite_map *map, struct full *e, unsigned char *kind,
		     struct error *err)
{
	if (!*e->rule.right) {
		error_set(err, FAULT_CONFIG, "needs 'address', 'Name <address>' or '@domain' "
			  "on its right");
		return blame_rule(&e->rule, err);
	}
	if (read_left(map->arena, e->rule.left, kind, e, err) < 0 ||
	    read_right(map->arena, e->rule.right, &e->rule, err) < 0)
		return blame_rule(&e->rule, err);
	return 0;
}

static int take_entry(struct rewrite_map *map, const struct entry *e,
		     const struct rewrite_rule *rule, struct error *err)
{
	if (map->n == RULES_MAX) {
		error_set(err, FAULT_CONFIG, "more than %d rules", RULES_MAX);
		return blame_rule(rule, err);
	}
	map->entry = arena_grow(map->arena, map->entry, map->n, &map->alloc, sizeof(*map->entry));
	map->entry[map->n++] = *e;
	return 0;
}

/* The strings of the rule live as long as the map. */
static int add_full(struct rewrite_map *map, const char *left, const char *right,
		    const char *file, unsigned line, struct error *err)
{
	struct entry e = { .line = line };

	e.is.full = arena_alloc(map->arena, sizeof(*e.is.full));
	e.is.full->rule = (struct rewrite_rule){ .left = left, .right = right, .file = file,
						 .line = line };
	return make_full(map, e.is.full, &e.kind, err) < 0 ? -1 :
		take_entry(map, &e, &e.is.full->rule, err);
}

int rewrite_map_add(struct rewrite_map *map, const char *left, const char *right,
		    const char *file, unsigned line, struct error *err)
{
	if (!map->file || strcmp(map->file, file) != 0)
		map->file = arena_strdup(map->arena, file);
	return add_full(map, arena_strdup(map->arena, left), arena_strdup(map->arena, right),
			map->file, line, err);
}

/* --- plain rules ------------------------------------------------------------------ */

/* 1*64atext *("." 1*atext) of ASCII at p, in all no more than a local part may have; its end. */
static const char *skip_plain_local(const char *p)
{
	static const char more[] = "!#$%&'+-/=^_`{|}~";
	const char *start = p;

	for (; isalnum((unsigned char)*p) || (*p && strchr(more, *p)) ||
	     (*p == '.' && p > start && p[-1] != '.'); p++)
		;
	return p > start && p[-1] != '.' && p - start <= LOCAL_MAX ? p : NULL;
}

/* A domain of lower case, whose last label is a word: nothing is to be made of it. */
static const char *skip_plain_domain(const char *p)
{
	const char *start = p, *label = p;

	for (;; p++) {
		if (*p == '.' || *p == '\0' || text_is_space(*p)) {
			if (p == label || p - label > LABEL_MAX || p[-1] == '-')
				return NULL;
			if (*p != '.')
				break;
			label = p + 1;
		} else if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
			     (*p == '-' && p > label && p[-1] != '-'))) {
			return NULL;
		}
	}
	return *label >= 'a' && p - start <= DOMAIN_MAX ? p : NULL;
}

/* local, "@" domain, or both; its end, NULL if it is something else. */
static const char *skip_plain(const char *p, unsigned char *kind)
{
	*kind = *p == '@' ? KIND_DOMAIN : KIND_NAME;
	if (*p != '@')
		p = skip_plain_local(p);
	if (!p || *p != '@')
		return p;
	if (*kind == KIND_NAME)
		*kind = KIND_ADDRESS;
	return skip_plain_domain(p + 1);
}

/* Where the right side of a plain rule begins. */
static const char *plain_right(const struct entry *e)
{
	const char *right = e->is.text + strlen(e->is.text) + 1;

	return right + strspn(right, BLANKS);
}

static const struct rewrite_rule *rule_of(const struct rewrite_map *map, const struct entry *e)
{
	struct rewrite_rule *rule;
	const char *at;

	if (!e->plain)
		return &e->is.full->rule;
	rule = arena_alloc(map->arena, sizeof(*rule));
	*rule = (struct rewrite_rule){ .left = e->is.text, .right = plain_right(e),
				       .file = map->file, .line = e->line };
	at = strchr(rule->right, '@');
	rule->domain = at + 1;
	rule->local = at == rule->right ? NULL :
		arena_strndup(map->arena, rule->right, (size_t)(at - rule->right));
	return rule;
}

static const char *key_of(const struct entry *e)
{
	return e->plain ? e->is.text + (e->kind == KIND_DOMAIN) : e->is.full->key;
}

/* --- order ---------------------------------------------------------------------- */

static int compare_key(const struct entry *e, enum kind kind, const char *key)
{
	return e->kind == kind ? strcasecmp(key_of(e), key) : e->kind < kind ? -1 : 1;
}

/* What is equal, and patterns, keep their order: that of their places in the map. */
static int compare(const void *x, const void *y)
{
	const struct entry *a = *(const struct entry *const *)x;
	const struct entry *b = *(const struct entry *const *)y;
	const int order = a->kind == KIND_PATTERN && b->kind == KIND_PATTERN ? 0 :
			  compare_key(a, (enum kind)b->kind, key_of(b));

	return order ? order : a < b ? -1 : a > b;
}

/* The slot of a key, or where it is to be; there are slots. */
static uint32_t *find_slot(const struct rewrite_map *map, enum kind kind, const char *key)
{
	size_t at = text_hash(key) * 4 + kind;

	while (map->slot[at & (map->slots - 1)] &&
	       compare_key(&map->entry[map->slot[at & (map->slots - 1)] - 1], kind, key) != 0)
		at++;
	return &map->slot[at & (map->slots - 1)];
}

static void note_pattern(struct rewrite_map *map, size_t i)
{
	const char *key = key_of(&map->entry[i]);
	/* one without '@' is for local parts */
	struct pattern_list *l = strchr(key, '@') ? map->whole : map->local;

	l->entry = arena_grow(map->arena, l->entry, l->set.n, &l->alloc, sizeof(*l->entry));
	l->entry[l->set.n] = i;
	patterns_add(&l->set, key);
}

int rewrite_map_finish(struct rewrite_map *map, struct error *err)
{
	for (map->slots = 16; 2 * map->slots < 3 * map->n; map->slots *= 2)
		;
	map->slot = arena_calloc(map->arena, map->slots, sizeof(*map->slot));
	for (size_t i = 0; i < map->n; i++) {
		const struct entry *e = &map->entry[i];
		uint32_t *slot;

		if (e->kind == KIND_PATTERN) {
			note_pattern(map, i);
			continue;
		}
		slot = find_slot(map, (enum kind)e->kind, key_of(e));
		if (*slot) {
			const struct rewrite_rule *first = rule_of(map, &map->entry[*slot - 1]);

			error_set(err, FAULT_CONFIG, "stands in %s:%u already", first->file,
				  first->line);
			return blame_rule(rule_of(map, e), err);
		}
		*slot = (uint32_t)i + 1;
	}
	return 0;
}

const struct rewrite_rule *rewrite_nth(const struct rewrite_map *map, size_t i)
{
	const struct entry **all = map->order->entry;

	if (!all) {
		map->order->entry = all = arena_calloc(map->arena, map->n + 1, sizeof(*all));
		for (size_t k = 0; k < map->n; k++)
			all[k] = &map->entry[k];
		if (map->n)
			qsort(all, map->n, sizeof(*all), compare);
	}
	return i < map->n ? rule_of(map, all[i]) : NULL;
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
static int take_rule(struct rewrite_map *map, char *rule, unsigned line, struct error *err)
{
	struct entry e = { .is.text = rule, .line = line, .plain = true };
	char *end = rule + strlen(rule), *right = (char *)(uintptr_t)skip_plain(rule, &e.kind);
	unsigned char kind;

	while (end > rule && text_is_space(end[-1]))
		*--end = '\0';
	if (right && *right && text_is_space(*right)) {
		const char *value = right + strspn(right, BLANKS);

		if (skip_plain(value, &kind) == end && kind != KIND_NAME) {
			const struct rewrite_rule told = { .left = rule, .file = map->file,
							   .line = line };

			*right = '\0';
			return take_entry(map, &e, &told, err);
		}
	}
	right = left_end(rule);
	if (*right)
		*right++ = '\0';
	return add_full(map, rule, right + strspn(right, BLANKS), map->file, line, err);
}

static size_t count_lines(const char *text, size_t len)
{
	size_t n = 1;

	for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + len - p))); p++)
		n++;
	return n;
}

/* line = pattern 1*blank result; a line that begins with a blank goes on with the one before */
int rewrite_map_parse(struct rewrite_map *map, const char *name, char *text, size_t len,
		      struct error *err)
{
	struct rcfile_lines l = { .next = text, .end = text + len };
	char *rule = NULL, *line;
	unsigned first = 0;
	int rc;

	map->file = arena_strdup(map->arena, name);
	map->alloc = count_lines(text, len);
	map->entry = arena_calloc(map->arena, map->alloc, sizeof(*map->entry));
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
		if (rule && take_rule(map, rule, first, err) < 0)
			return -1;
		rule = line;
		first = l.number;
	}
	if (rc < 0)
		return error_prefix(err, "%s:%u", name, l.number);
	if (rule && take_rule(map, rule, first, err) < 0)
		return -1;
	return rewrite_map_finish(map, err);
}

/* All of a file, with a NUL behind it, in memory of the map: rules stay where they are. */
static int read_text(struct rewrite_map *map, int fd, const char *path, char **out, size_t *len_out,
		     struct error *err)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX);
	struct stat st;
	ssize_t n = 1;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		const int rc = fs_read_fd(fd, path, &text, err);

		*len_out = text.len;
		*out = rc < 0 ? NULL : arena_strndup(map->arena, text.buf, text.len);
		strbuf_release(&text);
		return rc;
	}
	*out = arena_alloc(map->arena, (size_t)st.st_size + 1);
	for (*len_out = 0; *len_out < (size_t)st.st_size && n > 0; *len_out += (size_t)n) {
		do
			n = read(fd, *out + *len_out, (size_t)st.st_size - *len_out);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return error_errno(err, FAULT_IO, "cannot read %s", path);
	}
	return 0;
}

int rewrite_map_read(struct rewrite_map *map, const char *path, struct error *err)
{
	int fd = fs_open_read(path), rc;
	size_t len;
	char *text;

	if (fd < 0)
		return fs_cannot_open(err, "rewrite_map ", path);
	rc = read_text(map, fd, path, &text, &len, err);
	close(fd);
	return rc < 0 ? error_recast(err, FAULT_CONFIG) :
			rewrite_map_parse(map, path, text, len, err);
}

/* --- searching ------------------------------------------------------------------------ */

static const struct entry *find_key(const struct rewrite_map *map, enum kind kind, const char *key)
{
	const uint32_t *slot = map->n ? find_slot(map, kind, key) : NULL;

	return slot && *slot ? &map->entry[*slot - 1] : NULL;
}

/* The first of the two sorts, in the order of the file. */
static const struct entry *find_pattern(const struct rewrite_map *map, const char *local,
					const char *address)
{
	size_t first = map->n, i;

	if (local && patterns_find(&map->local->set, local, 0, &i))
		first = map->local->entry[i];
	if (address && patterns_find(&map->whole->set, address, 0, &i) &&
	    map->whole->entry[i] < first)
		first = map->whole->entry[i];
	return first < map->n ? &map->entry[first] : NULL;
}

const struct rewrite_rule *rewrite_find(const struct rewrite_map *const *maps,
					const struct rewrite_key *key)
{
	struct arena *scratch = arena_new();
	const char *address = key->domain ? address_format(scratch, key->local, key->domain) : NULL;
	const char *local = key->is_local ? key->local : NULL;
	const char *const wanted[] = { address, local, key->domain };
	const struct entry *found = NULL;
	size_t in = 0;

	for (size_t kind = 0; !found && kind < ARRAY_LEN(wanted); kind++) {
		for (size_t i = 0; wanted[kind] && !found && maps[i]; i++) {
			found = find_key(maps[i], (enum kind)kind, wanted[kind]);
			in = i;
		}
	}
	for (size_t i = 0; !found && maps[i]; i++) {
		found = find_pattern(maps[i], local, address);
		in = i;
	}
	arena_free(scratch);
	return found ? rule_of(maps[in], found) : NULL;
}
