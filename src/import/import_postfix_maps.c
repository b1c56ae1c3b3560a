/* Postfix's tables: passwords, senders, generic and canonical addresses. */
#include "config.h"
#include "import/import_postfix.h"

#include <string.h>
#include <strings.h>

#include "util/arena.h"
#include "util/error.h"
#include "util/text.h"

/*
 * A table in text form: "key blanks value" in logical lines. Keys are in any
 * case. Of compiled kinds the text is read that they are made of.
 */

/* Called for each line of a table; the first error ends it. */
typedef int table_fn(void *ctx, const struct import_source *table, const struct import_value *v,
		     struct error *err);

static bool has_text(const char *kind, size_t n)
{
	static const char *const kinds[] = { "hash", "btree", "lmdb", "cdb", "dbm", "sdbm",
					     "texthash" };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (text_same(kind, n, kinds[i]))
			return true;
	}
	return false;
}

static int read_table(const struct import_source *src, const char *path, table_fn *take,
		      void *ctx, struct error *err)
{
	struct import_source table = { .im = src->im };
	struct import_text *t;
	struct import_lines l;
	char *line;

	if (import_open(src->im, path, true, &t, err) < 0)
		return -1;
	table.file = t->name;
	import_lines_init(&l, src->im, t);
	int rc = 0;

	while (rc == 0 && (line = import_logical_line(&l))) {
		char *value = line + strcspn(line, " \t");

		if (*value)
			*value++ = '\0';
		const struct import_value v = { .key = line, .value = import_trim(value),
						.line = l.first };

		text_lower(line);
		rc = take(ctx, &table, &v, err);
	}
	/* it may be read again, and nothing points into it */
	strbuf_release_secret(&t->text);
	return rc;
}

static table_fn take_login;

/* "static:" with the same value for every key, as manuals of providers write logins. */
static bool is_login(const char *name, table_fn *take)
{
	return take == take_login && strncasecmp(name, "static:", 7) == 0 && name[7] &&
	       name[7] != '{';
}

/* tables = *( kind ":" path ), separated by blanks or commas */
static int read_tables(const struct import_source *src, const char *parameter, table_fn *take,
		       void *ctx, struct error *err)
{
	const struct import_value *v = import_find(src, parameter);
	const char *p = v ? v->value + strspn(v->value, " \t,") : "";

	for (; *p; p += strspn(p, " \t,")) {
		const size_t n = strcspn(p, " \t,"), kind = strcspn(p, ":");
		const char *name = arena_strndup(src->im->arena, p, n);

		p += n;
		if (kind < n && has_text(name, kind)) {
			const char *path = import_beside(src->im, src->file, name + kind + 1);

			if (read_table(src, path, take, ctx, err) < 0)
				return error_prefix(err, "%s:%u: %s", src->file, v->line, v->key);
		} else if (is_login(name, take)) {
			const struct import_value login = { .value = name + 7, .line = v->line };

			if (take(ctx, src, &login, err) < 0)
				return -1;
		} else {
			/* not what is behind the colon: "static:" has the value itself there */
			import_note(src, v, "a table of kind '%.*s' has no text form that can be "
				    "read here, and was left out",
				    (int)(kind < n ? kind : 0), name);
		}
	}
	return 0;
}

/* --- signing in ----------------------------------------------------------------------- */

static const char passwords[] = "smtp_sasl_password_maps";

/* In the order in which Postfix looks them up. */
enum { KEY_SENDER, KEY_NEXTHOP, KEY_HOST, KEY_COUNT };

struct lookup {
	const char *key[KEY_COUNT];
	unsigned best;			/* index of the key found, KEY_COUNT = none */
	struct import_login *out;
	bool whole;			/* the value found has no ':' */
};

/* The secret is in the buffer of the line, which is used again: it is kept in a text. */
static char *keep_secret(struct import *im, const char *value)
{
	struct import_text *t = arena_alloc(im->arena, sizeof(*t));

	t->name = "";
	strbuf_init(&t->text, IMPORT_FILE_MAX);
	strbuf_addstr(&t->text, value);
	t->next = im->texts;
	im->texts = t;
	return t->text.buf;
}

/* value = user ":" password; without a key it is that of all of them */
static int take_login(void *ctx, const struct import_source *table, const struct import_value *v,
		      struct error *err)
{
	struct lookup *l = ctx;

	(void)err;
	for (unsigned i = 0; i < l->best; i++) {
		if (!l->key[i] || (v->key && strcasecmp(l->key[i], v->key) != 0))
			continue;
		char *user = keep_secret(table->im, v->value), *colon = strchr(user, ':');

		if (colon)
			*colon++ = '\0';
		l->best = i;
		*l->out = (struct import_login){ .user = user, .password = colon,
						 .file = table->file };
		if (!colon)
			import_note(table, v->key ? v : import_find(table, passwords),
				    "no ':' between user and password");
	}
	return 0;
}

int import_postfix_login(const struct import_source *src, const char *nexthop,
			 const char *sender, struct import_login *out, struct error *err)
{
	const bool by_sender = import_is_on(import_get(src,
						       "smtp_sender_dependent_authentication"));
	struct import_way way = { .port = 0 };
	struct lookup l = { .best = KEY_COUNT, .out = out };

	if (!import_is_on(import_get(src, "smtp_sasl_auth_enable")))
		return 0;
	import_postfix_nexthop(src->im, nexthop, &way);
	l.key[KEY_SENDER] = by_sender ? sender : NULL;
	l.key[KEY_NEXTHOP] = nexthop;
	l.key[KEY_HOST] = way.host;
	if (read_tables(src, passwords, take_login, &l, err) < 0)
		return -1;
	if (l.best == KEY_COUNT)
		import_note(src, import_find(src, "smtp_sasl_auth_enable"),
			    "smtp_sasl_password_maps has no line for '%s': it does not sign in",
			    nexthop);
	return 0;
}

/* --- servers by sender ---------------------------------------------------------------------- */

struct senders {
	const struct import_source *src;
	const struct import_account *base;
};

/* key = user@domain / @domain; each is an account whose 'from' it is */
static int take_sender(void *ctx, const struct import_source *table, const struct import_value *v,
		       struct error *err)
{
	const struct senders *s = ctx;
	struct import *im = table->im;
	const bool domain = *v->key == '@';
	struct import_login login = { .user = NULL };
	const char *address = arena_strdup(im->arena, v->key);
	const char *nexthop = arena_strdup(im->arena, v->value);

	if (!strchr(address, '@') || strncasecmp(nexthop, "dunno", 5) == 0) {
		import_note(table, v, "not a rule for an address or a domain, and left out");
		return 0;
	}
	if (!import_has_room(table))
		return 0;
	struct import_account *a = import_account(im, address + domain);
	/* the buffer of the line is used again below: nothing of v is good after it */
	const struct import_value about = { .key = address, .file = table->file,
					    .line = v->line };
	struct strbuf line = im->line;

	strbuf_init(&im->line, IMPORT_FILE_MAX);
	int rc = import_postfix_login(s->src, nexthop, domain ? NULL : address, &login, err);

	strbuf_release_secret(&im->line);
	im->line = line;
	if (rc < 0)
		return -1;
	a->base = s->base->name;
	import_postfix_server(s->src, a, &about, nexthop, &login);
	if (!login.user)	/* not with the password that is for the other server */
		import_set(s->src, &about, a, "auth", "off");
	import_setf(s->src, &about, a, "from", domain ? "*%s" : "%s", address);
	import_set(s->src, &about, a, "from_override", "any");
	return 0;
}

/* --- rewriting ---------------------------------------------------------------- */

static int take_rule(void *ctx, const struct import_source *table, const struct import_value *v,
		     struct error *err)
{
	(void)ctx, (void)err;
	import_add_rule(table, v, v->key, v->value);
	return 0;
}

/* Maps for one side alone, which rewrite_classes says for all rules or none. */
static int read_one_sided(const struct import_source *src, struct import_account *base,
			  struct error *err)
{
	static const struct {
		const char *parameter, *classes;
	} maps[] = {
		{ "sender_canonical_maps", "envelope_sender, header_sender" },
		{ "recipient_canonical_maps", "envelope_recipient, header_recipient" },
	};

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		const struct import_value *v = import_find(src, maps[i].parameter);

		if (!v || !*v->value)
			continue;
		if (src->im->rewrite.len) {
			import_note(src, v, "does not go together with rules for other addresses: "
				    "see rewrite_classes");
			continue;
		}
		if (read_tables(src, maps[i].parameter, take_rule, NULL, err) < 0)
			return -1;
		import_set(src, v, base, "rewrite_classes", maps[i].classes);
	}
	return 0;
}

int import_postfix_tables(const struct import_source *src, struct import_account *base,
			  struct error *err)
{
	struct senders senders = { .src = src, .base = base };

	if (read_tables(src, "sender_dependent_relayhost_maps", take_sender, &senders, err) < 0 ||
	    read_tables(src, "smtp_generic_maps", take_rule, NULL, err) < 0 ||
	    read_tables(src, "canonical_maps", take_rule, NULL, err) < 0)
		return -1;
	return read_one_sided(src, base, err);
}
