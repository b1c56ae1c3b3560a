/* Postfix's main.cf: lines, defaults, and values that name other parameters. */
#include "config.h"
#include "import/import_postfix.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "util/arena.h"
#include "util/error.h"

#define DEPTH_MAX 20
#define VALUE_MAX (1 << 16)

/* --- defaults that values refer to ------------------------------------------------------ */

static const char *host_name(struct import *im)
{
	char name[HOST_NAME_MAX + 1];

	if (gethostname(name, sizeof(name)) < 0)
		return "localhost";
	name[sizeof(name) - 1] = '\0';
	return arena_strdup(im->arena, name);
}

/* What $name is when the file does not say. */
static const char *default_of(const struct import_source *src, const char *name)
{
	static const struct {
		const char *name, *value;
	} known[] = {
		{ "config_directory", "/etc/postfix" }, { "data_directory", "/var/lib/postfix" },
		{ "queue_directory", "/var/spool/postfix" }, { "mail_owner", "postfix" },
		{ "default_database_type", "hash" }, { "default_cache_db_type", "btree" },
		{ "myorigin", "$myhostname" }, { "smtp_helo_name", "$myhostname" },
		{ "alias_maps", "hash:/etc/aliases" }, { "alias_database", "hash:/etc/aliases" },
		{ "smtp_sasl_security_options", "noplaintext, noanonymous" },
	};

	if (strcmp(name, "myhostname") == 0)
		return host_name(src->im);
	if (strcmp(name, "mydomain") == 0) {
		const char *host = import_get(src, "myhostname");
		const char *dot = strchr(host ? host : host_name(src->im), '.');

		return dot ? dot + 1 : "localdomain";
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(known[i].name, name) == 0)
			return known[i].value;
	}
	return NULL;
}

/* --- $name -------------------------------------------------------------------------------- */

static bool expand(const struct import_source *src, const char *value, unsigned depth,
		   struct strbuf *out);

/* The end of what is in the bracket at p; NULL if it is not closed. */
static const char *closing(const char *p)
{
	const char open = *p, close = open == '(' ? ')' : '}';
	unsigned depth = 0;

	for (; *p; p++) {
		depth += *p == open;
		if (*p == close && --depth == 0)
			return p;
	}
	return NULL;
}

/* reference = name / name "?" text / name ":" text, where text may be in braces */
static bool expand_reference(const struct import_source *src, const char *text, size_t n,
			     unsigned depth, struct strbuf *out)
{
	char *copy = arena_strndup(src->im->arena, text, n), *op = copy + strcspn(copy, "?:");
	const char kind = *op;

	*op = '\0';
	const char *value = import_get(src, import_trim(copy));
	char *then = kind ? op + 1 : NULL, *otherwise = NULL;

	if (!value)
		value = default_of(src, copy);
	if (then && *then == '{') {
		char *end = (char *)closing(then);

		if (!end)
			return false;
		otherwise = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
		then++;
	}
	if (otherwise && *otherwise == '{') {
		otherwise[strlen(otherwise) - 1] = '\0';
		otherwise++;
	}
	const bool set = value && *value;

	if (!kind)
		return !value || expand(src, value, depth + 1, out);
	if (set == (kind == '?'))
		return expand(src, then, depth + 1, out);
	return !otherwise || expand(src, otherwise, depth + 1, out);
}

/* value = *( "$$" / "$" name / "${" reference "}" / "$(" reference ")" / any ) */
static bool expand(const struct import_source *src, const char *p, unsigned depth,
		   struct strbuf *out)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_";
	bool good = depth < DEPTH_MAX && !strbuf_overflow(out);

	while (good && *p) {
		const size_t name = *p == '$' ? strspn(p + 1, letters) : 0;
		const char *end;

		if (*p != '$') {
			strbuf_addch(out, *p++);
		} else if (p[1] == '$') {
			strbuf_addch(out, '$');
			p += 2;
		} else if (name) {
			good = expand_reference(src, p + 1, name, depth, out);
			p += name + 1;
		} else {
			end = p[1] == '{' || p[1] == '(' ? closing(p + 1) : NULL;
			good = end && expand_reference(src, p + 2, (size_t)(end - p) - 2, depth,
						       out);
			p = end ? end + 1 : p + 1;
		}
	}
	return good;
}

static void expand_all(struct import_source *src)
{
	for (struct import_value *v = src->first; v; v = v->next) {
		struct strbuf out = STRBUF_INIT(VALUE_MAX);

		if (!strchr(v->value, '$')) {
			strbuf_release(&out);
			continue;
		}
		if (expand(src, v->value, 0, &out) && !strbuf_overflow(&out)) {
			v->value = arena_strdup(src->im->arena, out.buf);
		} else {
			import_note(src, v, "what '$' begins cannot be followed, and was left out");
			v->value = "";
		}
		strbuf_release(&out);
	}
}

int import_postfix_parameters(struct import_source *src, struct import_text *t,
			      struct error *err)
{
	struct import_lines l;
	char *line;

	import_lines_init(&l, src->im, t);
	while ((line = import_logical_line(&l))) {
		char *equals = strchr(line, '=');

		if (!equals)
			return error_set(err, FAULT_FOREIGN_CONFIG, "%s:%u: no '=' in this line",
					 t->name, l.first);
		*equals = '\0';
		import_add(src, import_trim(line),
			   arena_strdup(src->im->arena, import_trim(equals + 1)), l.first);
	}
	expand_all(src);
	return 0;
}
