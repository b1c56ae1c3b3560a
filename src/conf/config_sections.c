/* Lines of the ini form become sections and assignments. */
#include "config.h"
#include "conf/config_parts.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "conf/rcfile.h"
#include "conf/rewrite.h"
#include "net/proxyurl.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/proc.h"

#define SECTIONS_MAX 10000
#define BLANKS " \t"

struct reader {
	struct config *config;
	struct config_file *file;
	struct config_part *part;
	bool in_rewrite;	/* its lines are rules */
};

struct section *config_section_add(struct config *c, struct config_file *f,
				   enum setting_scope scope, const char *name)
{
	struct section *s = arena_alloc(c->arena, sizeof(*s));

	s->file = f;
	s->scope = scope;
	s->name = arena_strdup(c->arena, name);
	s->place = f->name;
	if (f->last)
		f->last->next = s;
	else
		f->first = s;
	f->last = s;
	f->section = arena_grow(c->arena, f->section, f->count, &f->alloc, sizeof(*f->section));
	(void)strmap_add(&f->names[scope], s->name, f->count);	/* the first of a name counts */
	f->section[f->count++] = s;
	return s;
}

struct assignment *config_assign(struct config *c, struct assignments *list,
				 const struct setting *row, char *value)
{
	struct assignment *a = arena_alloc(c->arena, sizeof(*a));

	a->row = row;
	a->value = value;
	if (list->last)
		list->last->next = a;
	else
		list->first = a;
	list->last = a;
	return a;
}

int config_unknown_key(enum setting_scope scope, const char *key, struct error *err)
{
	enum setting_scope other = scope == SCOPE_LISTEN ? SCOPE_ACCOUNT : SCOPE_LISTEN;
	const char *nearest = setting_nearest(scope, key);

	error_set(err, FAULT_CONFIG, "key '%.100s': unknown", key);
	if (setting_find(other, key))
		return error_append(err, " here: it belongs to a section [%s NAME]",
				    other == SCOPE_LISTEN ? "listen" : "account");
	return nearest ? error_append(err, "; did you mean '%s'?", nearest) : -1;
}

/* --- headings ------------------------------------------------------------------ */

/* Cuts blanks off both ends. */
static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && strchr(BLANKS, end[-1]))
		*--end = '\0';
	return s + strspn(s, BLANKS);
}

/* bases = name *("," name), all behind the colon of the heading */
static int read_bases(struct config *c, struct section *s, char *list, struct error *err)
{
	size_t n = 1;

	for (const char *p = list; *p; p++)
		n += *p == ',';
	s->base = arena_calloc(c->arena, n + 1, sizeof(*s->base));
	for (size_t i = 0; i < n; i++) {
		char *comma = strchr(list, ',');

		if (comma)
			*comma = '\0';
		s->base[i] = arena_strdup(c->arena, trim(list));
		if (!*s->base[i])
			return error_set(err, FAULT_CONFIG,
					 "section '%s': a name is missing behind ':'", s->name);
		list = comma ? comma + 1 : list;
	}
	return 0;
}

struct section *config_section_find(const struct config_file *f, enum setting_scope scope,
				    const char *name)
{
	size_t i;

	return strmap_find(&f->names[scope], name, &i) ? f->section[i] : NULL;
}

/* In every file of the user, or of the machine: they are read as one. */
static const struct section *find_same(const struct config *c, const struct config_file *f,
				       enum setting_scope scope, const char *name)
{
	for (const struct config_file *g = c->file; g; g = g->next) {
		const struct section *s = g->system == f->system ?
			config_section_find(g, scope, name) : NULL;

		if (s)
			return s;
	}
	return NULL;
}

static int check_new(const struct reader *r, enum setting_scope scope, const char *kind,
		     const char *name, struct error *err)
{
	const struct section *s = find_same(r->config, r->file, scope, name);

	if (!s)
		return 0;
	error_set(err, FAULT_CONFIG, "%s '%s' was already defined", kind, name);
	return s->place == r->part->name ? -1 : error_append(err, " in %s:%u", s->place, s->line);
}

/* msmtp wants the bases of an account above it. */
static int check_defined(const struct config_file *f, const struct section *s, struct error *err)
{
	for (char **base = f->classic ? s->base : NULL; base && *base; base++) {
		const struct section *found = config_section_find(f, SCOPE_ACCOUNT, *base);

		if (!found || found == s)
			return error_set(err, FAULT_CONFIG,
					 "account '%s' is not defined above", *base);
	}
	return 0;
}

/* heading = ("account" / "listen") 1*WSP name [ *WSP ":" bases ] */
static int named_section(struct reader *r, enum setting_scope scope, char *rest, unsigned line,
			 struct error *err)
{
	struct config_file *f = r->file;
	const char *kind = scope == SCOPE_LISTEN ? "listen" : "account";
	char *colon = scope == SCOPE_ACCOUNT ? strchr(rest, ':') : NULL;
	struct section *s;

	if (colon)
		*colon = '\0';
	rest = trim(rest);
	if (!*rest || strpbrk(rest, ":,"))
		return error_set(err, FAULT_CONFIG,
				 "'%s' needs a name without ':' and ','", kind);
	if (check_new(r, scope, kind, rest, err) < 0)
		return -1;
	if (f->count >= SECTIONS_MAX)
		return error_set(err, FAULT_CONFIG, "more than %d sections", SECTIONS_MAX);
	s = config_section_add(r->config, f, scope, rest);
	s->place = r->part->name;
	s->line = line;
	s->defaults_end = f->defaults.last;
	f->current = s;
	if (colon && read_bases(r->config, s, colon + 1, err) < 0)
		return -1;
	return check_defined(f, s, err);
}

static int begin_section(struct reader *r, char *heading, unsigned line, struct error *err)
{
	static const struct {
		const char *word;
		enum setting_scope scope;
	} kinds[] = { { "account", SCOPE_ACCOUNT }, { "listen", SCOPE_LISTEN } };
	size_t n = strcspn(heading, BLANKS);

	r->file->begun = true;
	r->in_rewrite = false;
	if (n == strlen("defaults") && strncasecmp(heading, "defaults", n) == 0) {
		if (heading[n])
			return error_set(err, FAULT_CONFIG, "'defaults' takes no name");
		r->file->current = NULL;
		return 0;
	}
	if (n == strlen("rewrite") && strncasecmp(heading, "rewrite", n) == 0) {
		if (heading[n])
			return error_set(err, FAULT_CONFIG, "'rewrite' takes no name: it is "
					 "for all accounts");
		r->in_rewrite = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (n == strlen(kinds[i].word) && strncasecmp(heading, kinds[i].word, n) == 0)
			return named_section(r, kinds[i].scope, heading + n, line, err);
	}
	return error_set(err, FAULT_CONFIG,
			 "section '%.100s': must be [defaults], [account NAME], [listen NAME] or "
			 "[rewrite]",
			 heading);
}

/* What stands below a heading that is wrong belongs to nobody, and is looked at all the same. */
static int take_section(void *ctx, char *heading, unsigned line, struct error *err)
{
	struct reader *r = ctx;

	if (begin_section(r, heading, line, err) == 0)
		return 0;
	if (!r->config->problem)
		return -1;
	const bool listen = strncasecmp(heading, "listen", strlen("listen")) == 0;
	struct section *lost = config_section_add(r->config, r->file, listen ? SCOPE_LISTEN :
						  SCOPE_ACCOUNT, "");

	lost->shadowed = true;
	lost->place = r->part->name;
	lost->line = line;
	lost->defaults_end = r->file->defaults.last;
	r->file->current = lost;
	return -1;
}

static int take_problem(void *ctx, const struct error *err)
{
	return config_problem(((struct reader *)ctx)->config, err);
}

/* --- settings --------------------------------------------------------------------- */

/* Commands split words at quotes, a list or an address may begin with a quoted local part. */
static bool has_own_quotes(const struct setting *row)
{
	return row->type == SETTING_LIST || row->type == SETTING_WORDS ||
	       row->type == SETTING_SPECIAL || row->type == SETTING_ARGV ||
	       row->flags & SETTING_RAW;
}

/* Quotes around the whole value are no part of it; others are for the reader of the key. */
static int unquote(const struct config_file *f, const struct setting *row, char **value,
		   struct error *err)
{
	if (**value != '"')
		return 0;
	if (f->classic) {
		if (row->type != SETTING_ARGV || ini_is_quoted(*value))
			*value = classic_unquote(*value);
		return 0;
	}
	if (has_own_quotes(row) && !ini_is_quoted(*value))
		return 0;
	return ini_unquote(*value, err) < 0 ? error_prefix(err, "key '%s'", row->key) : 0;
}

/* "include = FILE": what it says counts as if it stood here. */
static int take_include(const struct reader *r, char *value, struct error *err)
{
	struct config_file *f = r->file;
	const bool begun = f->begun;

	if (f->current)
		return error_set(err, FAULT_CONFIG, "key 'include': stands in a section; "
				 "put it above all sections or into [defaults]");
	if (ini_unquote(value, err) < 0)
		return error_prefix(err, "key 'include'");
	f->begun = false;
	int rc = config_include(r->config, f, r->part, value, err);

	f->begun = begun;
	f->current = NULL;
	return rc;
}

/* "inherit = BASE, ..." is "[account NAME : BASE, ...]". */
static int take_inherit(const struct reader *r, char *value, struct error *err)
{
	struct section *s = r->file->current;

	if (!s || s->scope != SCOPE_ACCOUNT)
		return error_set(err, FAULT_CONFIG, "key 'inherit': belongs to a section "
				 "[account NAME]");
	if (s->base)
		return error_set(err, FAULT_CONFIG,
				 "key 'inherit': account '%s' has its bases already", s->name);
	if (ini_unquote(value, err) < 0)
		return error_prefix(err, "key 'inherit'");
	return read_bases(r->config, s, value, err);
}

/* Keys that are no settings of an account. Not in msmtp's syntax, which has none such. */
static const struct directive {
	const char *key;
	int (*take)(const struct reader *r, char *value, struct error *err);
} directives[] = { { "include", take_include }, { "inherit", take_inherit } };

static const struct directive *find_directive(const struct config_file *f, const char *key)
{
	for (size_t i = 0; !f->classic && i < ARRAY_LEN(directives); i++) {
		if (strcasecmp(directives[i].key, key) == 0)
			return &directives[i];
	}
	return NULL;
}

/*
 * "@/PATH" or "@~/PATH", which no address or pattern begins with; in quotes
 * it is the value itself. Never of
 * a secret: those have keys of their own for that, which check the file.
 */
static bool names_file(const struct setting *row, const char *value)
{
	return row->type != SETTING_SECRET && row->type != SETTING_ARGV &&
	       !(row->flags & (SETTING_RAW | SETTING_URL)) &&
	       (strncmp(value, "@/", 2) == 0 || strncmp(value, "@~/", 3) == 0);
}

/* Where a secret stands, to be overwritten when it is not needed there any more. */
static void note_secret(struct assignment *a, char *text, size_t n)
{
	if (a->row->type != SETTING_SECRET || !n)
		return;
	a->text = text;
	a->text_n = n;
}

static int take_setting(void *ctx, const char *key, char *value, unsigned line,
			struct error *err)
{
	struct reader *r = ctx;
	struct config_file *f = r->file;
	struct section *s = f->current;
	enum setting_scope scope = s ? s->scope : SCOPE_ACCOUNT;
	const struct setting *row = setting_find(scope, key);
	const struct directive *d = row ? NULL : find_directive(f, key);

	if (d)
		return d->take(r, value, err);
	if (!row)
		return config_unknown_key(scope, key, err);
	if (!f->begun)
		return error_set(err, FAULT_CONFIG,
				 "key '%s': stands above any section; put '[account default]' or "
				 "'[defaults]' in front of it", row->key);
	const bool from_file = !f->classic && names_file(row, value);
	char *const text = value;
	const size_t text_n = strlen(text);

	if (unquote(f, row, &value, err) < 0)
		return -1;
	if (f->classic && !*value && row->flags & SETTING_SWITCH)
		value = arena_strdup(r->config->arena, "on");
	struct assignment *a = config_assign(r->config, s ? &s->own : &f->defaults, row, value);

	a->place = r->part->name;
	a->line = line;
	a->from_file = from_file;
	note_secret(a, text, text_n);
	a->expand = !f->classic && row->type != SETTING_SECRET && !(row->flags & SETTING_RAW) &&
		    strstr(value, "${");
	if ((row->type == SETTING_SECRET && *value) ||
	    (row->flags & SETTING_URL && proxyurl_has_password(value)))
		r->part->holds_secret = true;
	return 0;
}

/* --- rules of rewriting ----------------------------------------------------------- */

static bool has_pairs(void *ctx)
{
	return ((const struct reader *)ctx)->in_rewrite;
}

/* ${VAR}, then %U and its like. */
static int expand_side(struct config *c, const char *side, const char **out, struct error *err)
{
	*out = side;
	if (strstr(side, "${") && config_env_expand(c->arena, side, out, err) < 0)
		return -1;
	return strchr(*out, '%') ? config_env_patterns(c->arena, *out, out, err) : 0;
}

static int take_pair(void *ctx, const char *left, const char *right, unsigned line,
		     struct error *err)
{
	struct reader *r = ctx;
	struct config_file *f = r->file;

	if (expand_side(r->config, left, &left, err) < 0 ||
	    expand_side(r->config, right, &right, err) < 0)
		return error_prefix(err, "%s:%u", r->part->name, line);
	if (!f->rewrite)
		f->rewrite = rewrite_map_new(r->config->arena);
	return rewrite_map_add(f->rewrite, left, right, r->part->name, line, err);
}

/* The line may hold a secret, so it is kept where it will be overwritten. */
static int take_eval(void *ctx, const char *command, char **line_out, struct error *err)
{
	struct reader *r = ctx;
	struct config_line *l = arena_alloc(r->config->arena, sizeof(*l));
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };

	strbuf_init(&l->text, 1 << 17);
	l->next = r->config->lines;
	r->config->lines = l;
	if (proc_capture((char *const *)(uintptr_t)argv, 0, &l->text, err) < 0)
		return -1;
	size_t len = strcspn(l->text.buf, "\n");

	if (len < l->text.len && !l->text.buf[len])
		return error_set(err, FAULT_CONFIG, "the command prints a NUL octet");
	strbuf_truncate(&l->text, len);
	*line_out = l->text.buf;
	return 0;
}

/* As editors of other systems may save it: with its mark, or every other octet of a line NUL. */
static bool is_utf16(const struct strbuf *text)
{
	const char *p = text->buf;

	return text->len >= 4 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0 ||
				  (!p[0] != !p[1] && !p[0] == !p[2] && !p[1] == !p[3]));
}

int config_sections_read(struct config *c, struct config_file *f, struct config_part *part,
			 struct error *err)
{
	struct reader r = { .config = c, .file = f, .part = part };
	const struct rcfile_handler h = {
		.section = take_section, .setting = take_setting, .eval = take_eval,
		.has_pairs = has_pairs, .pair = take_pair,
		.problem = take_problem,
		.ctx = &r, .name = part->name,
	};
	struct strbuf *text = &part->text;

	if (is_utf16(text))
		return error_set(err, FAULT_CONFIG, "%s is in UTF-16: save it as UTF-8",
				 part->name);
	const bool classic = !ini_detect(text->buf, text->len);

	if (classic && part != f->part)
		return error_set(err, FAULT_CONFIG, "%s must be in the ini form: a line "
				 "'[account NAME]', then 'key = value'", part->name);
	f->begun = false;
	f->current = NULL;
	f->classic = classic;
	if (classic)
		return classic_read(text->buf, text->len, &h, err);
	return ini_read(text->buf, text->len, &h, err);
}
