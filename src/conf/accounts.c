#include "config.h"
#include "conf/accounts.h"

#include <string.h>

#include "conf/config_parts.h"
#include "net/proxyurl.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/xalloc.h"

#define FILES_MAX 100
#define PROBLEMS_MAX 100000

/* --- loading --------------------------------------------------------------------- */

static int take_option(struct config *c, const struct config_override *o, struct error *err)
{
	enum setting_scope scope = SCOPE_ACCOUNT;
	const struct setting *row = setting_find(scope, o->key);

	if (!row) {
		scope = SCOPE_LISTEN;
		row = setting_find(scope, o->key);
	}
	if (!row) {
		config_unknown_key(SCOPE_ACCOUNT, o->key, err);
	} else if (row->flags & SETTING_FILE_ONLY) {
		error_set(err, FAULT_CONFIG, "key '%s': only in a configuration file",
			  row->key);
	} else if (row->flags & SETTING_NO_OPTION ||
		   (row->flags & SETTING_URL && o->value && proxyurl_has_password(o->value))) {
		error_set(err, FAULT_CONFIG, "key '%s': not on the command line, where "
			  "everybody can see it", row->key);
	} else {
		char *value = arena_strdup(c->arena, o->value ? o->value :
					   row->flags & SETTING_SWITCH ? "on" : "");

		config_assign(c, &c->options[scope], row, value);
		return 0;
	}
	error_recast(err, FAULT_USAGE);
	return error_prefix(err, "command line");
}

/* Accounts take over from one another: each mistake is told once. */
int config_problem(struct config *c, const struct error *err)
{
	if (!c->problem)
		return -1;
	if (!strvec_has(&c->told, err->text)) {
		strvec_add(&c->told, err->text);
		c->problem(c->problem_ctx, err);
	}
	return 0;
}

static struct section *make_listener(struct config *c, struct error *err)
{
	struct section *s = arena_alloc(c->arena, sizeof(*s));

	s->name = "default";
	s->scope = SCOPE_LISTEN;
	return config_resolve_listener(c, s, err) < 0 ? NULL : s;
}

/*
 * Whoever calls sendmail with -C may have had the file named by a stranger,
 * who is to learn nothing of it: what an error says of the command line stays.
 */
static void hide_content(const struct config *c, const struct config_request *req,
			 struct error *err)
{
	if (req->as_sendmail && c->file && err->fault != FAULT_USAGE)
		error_set(err, FAULT_CONFIG, "%s: no configuration that can be used; what is "
			  "wrong is told to whoever calls 'msubmit -C %s --check-config'",
			  c->file->name, c->file->name);
}

/* The accounts are made and have their passwords: what they were written in is forgotten. */
static void forget_texts(const struct assignments *list)
{
	static char something[] = "*";

	for (struct assignment *a = list->first; a; a = a->next) {
		if (!a->text)
			continue;
		explicit_bzero(a->text, a->text_n);
		a->text = NULL;
		a->value = something;
	}
}

static int load(struct config *c, const struct config_request *req, struct error *err)
{
	for (size_t i = 0; i < req->override_n; i++) {
		if (take_option(c, &req->override[i], err) < 0)
			return -1;
	}
	if (config_files_read(c, req, err) < 0 || config_resolve(c, err) < 0)
		return -1;
	for (const struct config_file *f = c->file; f; f = f->next) {
		forget_texts(&f->defaults);
		for (const struct section *s = f->first; s; s = s->next)
			forget_texts(&s->own);
	}
	/* made here when it can fail, else when it is asked for */
	if (c->options[SCOPE_LISTEN].first) {
		c->made_listener = make_listener(c, err);
		return c->made_listener ? 0 : -1;
	}
	return 0;
}

int config_load(const struct config_request *req, struct config **out, struct error *err)
{
	struct config *c = xcalloc(1, sizeof(*c));

	c->arena = arena_new();
	c->account_names = c->base_names = (struct strmap){ .arena = c->arena, .exact = true };
	c->problem = req->problem;
	c->problem_ctx = req->problem_ctx;
	strvec_init(&c->told, PROBLEMS_MAX);
	strbuf_init(&c->searched, 1 << 16);
	strvec_init(&c->denied, FILES_MAX);
	if (load(c, req, err) < 0) {
		hide_content(c, req, err);
		config_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

int config_load_text(const char *name, const char *text, size_t n, struct config **out,
		     struct error *err)
{
	const struct config_request req = { .file = name, .text = text, .text_n = n };

	return config_load(&req, out, err);
}

void config_forget(struct account *a)
{
	secret_release(&a->auth.password);
	secret_release(&a->auth.token);
	secret_release(&a->tls.key);
	secret_release(&a->proxy.password);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (struct config_file *f = c->file; f; f = f->next) {
		config_forget(&f->prototype);
		for (struct section *s = f->first; s; s = s->next)
			config_forget(&s->account);
		for (struct config_part *p = f->part; p; p = p->next)
			strbuf_release_secret(&p->text);
	}
	for (struct config_line *l = c->lines; l; l = l->next)
		strbuf_release_secret(&l->text);
	strbuf_release(&c->searched);
	strvec_release(&c->denied);
	strvec_release(&c->told);
	arena_free(c->arena);
	xfree(c);
}

/* --- looking up --------------------------------------------------------------------- */

unsigned account_port(const struct account *a)
{
	if (a->port)
		return a->port;
	if (a->protocol == PROTOCOL_LMTP)
		return 24;
	if (a->tls.mode == TLS_IMPLICIT)
		return 465;
	return a->classic ? 25 : 587;
}

const struct account *config_account(const struct config *c, const char *name)
{
	size_t i;

	return strmap_find(&c->account_names, name, &i) ? &c->account[i]->account : NULL;
}

const struct account *config_default(const struct config *c)
{
	const struct account *a = config_account(c, "default");

	return !a && c->account_n == 1 ? &c->account[0]->account : a;
}

const struct account *config_nth(const struct config *c, size_t i)
{
	return i < c->account_n ? &c->account[i]->account : NULL;
}

static struct section *find_listener(const struct config *c, const char *name)
{
	for (const struct config_file *f = c->file; f; f = f->next) {
		for (struct section *s = f->first; s; s = s->next) {
			if (s->scope == SCOPE_LISTEN && (!name || strcmp(s->name, name) == 0))
				return s;
		}
	}
	return NULL;
}

const struct listen_settings *config_listen_nth(const struct config *c, size_t i)
{
	bool any = false;

	for (const struct config_file *f = c->file; f && !any; f = f->next) {
		for (struct section *s = f->first; s; s = s->next) {
			if (s->scope != SCOPE_LISTEN || s->shadowed)
				continue;
			any = true;
			if (i-- == 0)
				return &s->listen;
		}
	}
	return NULL;
}

const struct listen_settings *config_listen_plain(const struct config *c)
{
	struct section *s = c->made_listener;

	if (!s) {
		/* nothing but defaults: it cannot fail; the arena is not const */
		struct config only = { .arena = c->arena };
		struct error ignored;

		s = make_listener(&only, &ignored);
	}
	return &s->listen;
}

const struct listen_settings *config_listen(const struct config *c, const char *name)
{
	struct section *s = find_listener(c, name);

	if (!s && !name)
		return config_listen_plain(c);
	return s ? &s->listen : NULL;
}

/* --- telling ------------------------------------------------------------------------- */

const char *config_searched(const struct config *c)
{
	return c->searched.buf;
}

const char *config_file_name(const struct config *c, size_t i)
{
	for (const struct config_file *f = c->file; f; f = f->next) {
		const struct config_part *p = f->part;

		do {
			if (i-- == 0)
				return p ? p->name : f->name;
			p = p ? p->next : NULL;
		} while (p);
	}
	return NULL;
}

const char *config_file_denied(const struct config *c, size_t i)
{
	return i < c->denied.n ? c->denied.v[i] : NULL;
}

/* Does an assignment to row decide what setting s is? */
static bool decides(const struct setting *row, const struct setting *s)
{
	const size_t first = offsetof(struct account, timeouts);

	row = setting_meant(row);
	s = setting_meant(s);
	if (!row || !s)
		return false;
	if (strcmp(row->key, "timeout") != 0)
		return row->offset == s->offset;
	return s->offset >= first && s->offset < first + sizeof(struct timeouts) &&
	       s->offset != offsetof(struct account, timeouts.total) &&
	       s->offset != offsetof(struct account, timeouts.rset) &&
	       s->offset != offsetof(struct account, timeouts.quit);
}

/* The last assignment that decides; an exact key beats a broad one. */
static const struct assignment *find_last(const struct assignment *first,
					  const struct assignment *last, const struct setting *s)
{
	const struct assignment *end = last ? last->next : NULL, *found = NULL;

	for (const struct assignment *a = first; a != end; a = a->next) {
		if (decides(a->row, s) && !(found && a->row->flags & SETTING_BROAD &&
					    !(found->row->flags & SETTING_BROAD)))
			found = a;
	}
	return found;
}

static const char *place(const struct config *c, const struct assignment *a)
{
	return a->line ? arena_printf(c->arena, "%s:%u", a->place, a->line) : a->place;
}

/* Own assignments, then the bases from the last to the first. */
static const struct assignment *section_assignment(const struct config *c,
						   const struct section *s,
						   const struct setting *row)
{
	const struct assignment *found = find_last(s->own.first, NULL, row);
	size_t n = 0;

	while (s->base && s->base[n])
		n++;
	while (!found && n-- > 0)
		found = section_assignment(c, config_base(c, s, s->base[n]), row);
	return found;
}

const struct assignment *config_assignment(const struct config *c, const struct section *s,
					   const struct setting *row)
{
	const struct config_file *f = s->file;
	const struct assignment *found = section_assignment(c, s, row);

	if (found || (f->classic && !s->defaults_end))
		return found;
	return find_last(f->defaults.first, f->classic ? s->defaults_end : NULL, row);
}

/* Options, the section with its bases, the file's defaults; NULL if none sets it. */
static const char *assigned_at(const struct config *c, const struct section *s,
			       const struct setting *row)
{
	const struct assignment *a;

	if (find_last(c->options[SCOPE_ACCOUNT].first, NULL, row))
		return "option";
	a = config_assignment(c, s, row);
	return a ? place(c, a) : NULL;
}

const char *config_origin(const struct config *c, const struct account *account, const char *key)
{
	const struct setting *row = setting_find(SCOPE_ACCOUNT, key);
	const struct section *s;
	const char *found;
	size_t i;

	if (!row || !account->name || !strmap_find(&c->account_names, account->name, &i) ||
	    &c->account[i]->account != account)
		return "default";
	s = c->account[i];
	found = assigned_at(c, s, row);
	/* no key 'port' anywhere, and yet a port: "host = NAME:PORT" */
	if (!found && strcmp(row->key, "port") == 0 && account->port)
		found = assigned_at(c, s, setting_find(SCOPE_ACCOUNT, "host"));
	return found ? found : "default";
}
