/*
 * From sections to accounts: what they inherit, and in which order values count.
 */
#include "config.h"
#include "conf/config_parts.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf/rewrite.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/secret.h"

#define DEPTH_MAX 32	/* accounts on accounts on accounts */
#define BASES_MAX 1000	/* of one account, all together */

/* Where assignments come from, for errors and for what their values may do. */
struct source {
	struct config *config;
	const struct config_file *file;	/* NULL = command line */
	bool public_only;		/* leave secrets out */
	unsigned bases;
};

bool config_names_server(const struct assignments *list)
{
	for (const struct assignment *a = list->first; a; a = a->next) {
		const char *key = a->row->key;

		if (strcmp(key, "host") == 0 || strcmp(key, "socket") == 0 ||
		    strcmp(key, "mx") == 0 || strcmp(key, "via") == 0)
			return true;
	}
	return false;
}

/* --- applying -------------------------------------------------------------------- */

static int blame(const struct source *src, const char *place, unsigned line, struct error *err)
{
	if (!src->file) {
		error_recast(err, FAULT_USAGE);
		return error_prefix(err, "command line");
	}
	if (src->file->origin != ORIGIN_FILE)
		return error_prefix(err, "%s", src->file->name);
	return error_prefix(err, "%s:%u", place, line);
}

/* Words of a command are expanded one by one: what a variable holds is never split. */
static int expand_words(struct config *c, const char *const **field, struct error *err)
{
	size_t n = 0;

	for (const char *const *w = *field; w && *w; w++)
		n++;
	const char **words = arena_calloc(c->arena, n + 1, sizeof(*words));

	for (size_t i = 0; i < n; i++) {
		if (config_env_expand(c->arena, (*field)[i], &words[i], err) < 0)
			return -1;
	}
	*field = n ? words : NULL;
	return 0;
}

static int apply_one(const struct source *src, void *target, const struct assignment *a,
		     struct error *err)
{
	struct arena *arena = src->config->arena;
	const char *value = a->value;
	int rc = 0;

	if (src->public_only && (a->row->type == SETTING_SECRET || a->row->flags & SETTING_URL))
		return 0;
	if (a->expand && a->row->type != SETTING_ARGV)
		rc = config_env_expand(arena, value, &value, err);
	if (rc == 0 && a->from_file)
		rc = config_env_file(arena, value, &value, err);
	if (rc < 0)
		error_prefix(err, "key '%s'", a->row->key);
	else
		rc = setting_set(target, a->row, arena, value, err);
	if (rc == 0 && a->expand && a->row->type == SETTING_ARGV) {
		rc = expand_words(src->config, (const char *const **)
				  (void *)((char *)target + a->row->offset), err);
		if (rc < 0)
			error_prefix(err, "key '%s'", a->row->key);
	}
	return rc < 0 ? blame(src, a->place, a->line, err) : 0;
}

static bool is_password_source(const struct setting *row)
{
	return row->offset >= offsetof(struct account, auth.password) &&
	       row->offset < offsetof(struct account, auth.netrc);
}

/* A password that is said nearer to the account replaces every other way to get one. */
static void forget_password(struct auth_settings *auth)
{
	secret_release(&auth->password);
	auth->password_file = NULL;
	auth->password_command = NULL;
	auth->passwordeval = NULL;
	auth->password_fd = -1;
	auth->password_credential = NULL;
}

/* Applies from first to last (NULL = all): the broad ones, then those that refine them. */
static int apply(const struct source *src, enum setting_scope scope, void *target,
		 const struct assignment *first, const struct assignment *last,
		 struct error *err)
{
	const struct assignment *end = last ? last->next : NULL;
	bool broad = false;

	for (const struct assignment *a = first; a != end; a = a->next) {
		if (a->row->flags & SETTING_BROAD)
			broad = true;
		if (scope == SCOPE_ACCOUNT && is_password_source(a->row))
			forget_password(&((struct account *)target)->auth);
	}
	for (int pass = broad ? 0 : 1; pass < 2; pass++) {
		for (const struct assignment *a = first; a != end; a = a->next) {
			bool now = !(a->row->flags & SETTING_BROAD) == (pass == 1);

			if (now && apply_one(src, target, a, err) < 0 &&
			    config_problem(src->config, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* --- inheritance ------------------------------------------------------------------ */

static struct section *find_in(const struct config_file *f, const char *name)
{
	return config_section_find(f, SCOPE_ACCOUNT, name);
}

/*
 * The same file comes first, then the others of the user or of the machine;
 * a user's account may stand on one of the machine.
 */
struct section *config_base(const struct config *c, const struct section *s, const char *name)
{
	struct section *found = find_in(s->file, name);

	for (const struct config_file *f = c->file; f && !found; f = f->next)
		found = f->system == s->file->system ? find_in(f, name) : NULL;
	for (const struct config_file *f = c->file; f && !found && !s->file->system; f = f->next)
		found = f->system ? find_in(f, name) : NULL;
	return found;
}

static int apply_bases(struct source *src, struct section *s, struct account *target,
		       unsigned depth, struct error *err)
{
	const struct source at = { .config = src->config, .file = s->file };

	for (char **name = s->base; name && *name; name++) {
		struct section *base = config_base(src->config, s, *name);
		int rc;

		if (!base) {
			error_set(err, FAULT_CONFIG, "account '%s': there is no account '%s'",
				  s->name, *name);
			blame(&at, s->place, s->line, err);
			if (config_problem(src->config, err) < 0)
				return -1;
			continue;
		}
		if (base->entered || depth > DEPTH_MAX || src->bases++ > BASES_MAX) {
			error_set(err, FAULT_CONFIG, "account '%s': '%s' below it %s",
				  s->name, *name, base->entered ? "stands on it: a loop" :
				  "stands on too many others");
			blame(&at, s->place, s->line, err);
			return config_problem(src->config, err);
		}
		base->entered = true;
		rc = apply_bases(src, base, target, depth + 1, err);
		base->entered = false;
		const struct source from = {
			.config = src->config, .file = base->file,
			.public_only = base->file->system != src->file->system,
		};

		if (rc < 0 || apply(&from, SCOPE_ACCOUNT, target, base->own.first, NULL, err) < 0)
			return -1;
	}
	return 0;
}

/* --- the whole account ---------------------------------------------------------------- */

static bool has_pattern(const char *value)
{
	return value && strchr(value, '%');
}

/* from and domain with msmtp's patterns; from of the login name */
static int replace_patterns(struct config *c, struct account *a, struct error *err)
{
	size_t n = 0;
	bool any = false;

	if (has_pattern(a->rewrite.from_name) &&
	    config_env_patterns(c->arena, a->rewrite.from_name, &a->rewrite.from_name, err) < 0)
		return error_prefix(err, "key 'from_name'");
	if (has_pattern(a->domain) && config_env_patterns(c->arena, a->domain, &a->domain, err) < 0)
		return error_prefix(err, "key 'domain'");
	if (a->auto_from) {
		const char **from = arena_calloc(c->arena, 2, sizeof(*from));

		from[0] = a->maildomain ? arena_printf(c->arena, "%%U@%s", a->maildomain) : "%U";
		a->from = from;
	}
	for (const char *const *f = a->from; f && *f; f++, n++)
		any = any || has_pattern(*f);
	const char **from = any ? arena_calloc(c->arena, n + 1, sizeof(*from)) : NULL;

	for (size_t i = 0; from && i < n; i++) {
		if (config_env_patterns(c->arena, a->from[i], &from[i], err) < 0)
			return error_prefix(err, "key 'from'");
	}
	if (from)
		a->from = from;
	return 0;
}

/* Longest waits for a service on this machine; it may have to be started first. */
#define SERVICE_CONNECT 5
#define SERVICE_GREETING 60

static unsigned sooner(unsigned seconds, unsigned limit)
{
	return seconds && seconds < limit ? seconds : limit;
}

/*
 * The service has the server and signs in. All that is left here is its
 * socket, LMTP on it so that each recipient gets an answer of its own, and no
 * secret.
 */
static void lead_to_service(struct account *a)
{
	a->socket = a->service_socket;
	a->protocol = PROTOCOL_LMTP;
	a->host = a->proxy_host = NULL;
	a->port = 0;
	a->servers = NULL;
	a->server_n = 0;
	a->net.mx = a->proxy.from_env = a->lmtp_required = false;
	a->net.tunnel = NULL;
	a->tls.mode = TLS_OFF;
	a->tls.cert_file = a->tls.key_file = a->tls.pkcs12_file = NULL;
	a->auth.mode = AUTH_OFF;
	a->auth.user = NULL;
	forget_password(&a->auth);
	secret_release(&a->auth.token);
	secret_release(&a->tls.key);
	secret_release(&a->proxy.password);
	a->auth.token_file = NULL;
	a->auth.token_command = NULL;
	a->timeouts.connect = sooner(a->timeouts.connect, SERVICE_CONNECT);
	a->timeouts.greeting = sooner(a->timeouts.greeting, SERVICE_GREETING);
}

/* What can be judged only when every key is known. */
static int finish(const struct source *src, const struct section *s, struct account *a,
		  struct error *err)
{
	int rc = replace_patterns(src->config, a, err);

	if (a->via == VIA_SERVICE)
		lead_to_service(a);
	if (rc == 0 && a->protocol == PROTOCOL_LMTP && !a->socket && a->host && a->port == 25)
		rc = error_set(err, FAULT_CONFIG,
			       "account '%s': LMTP must not be spoken on port 25 (RFC 2033)",
			       s->name);
	if (rc == 0)
		return 0;
	blame(src, s->place, s->line, err);
	return config_problem(src->config, err);
}

/* A secret of its own in the place of another's. */
static void own_secret(struct secret *s)
{
	const struct secret others = *s;

	*s = (struct secret){ .data = NULL };
	if (secret_is_set(&others))
		secret_copy(s, &others);
}

static void copy_account(struct account *to, const struct account *from)
{
	*to = *from;
	own_secret(&to->auth.password);
	own_secret(&to->auth.token);
	own_secret(&to->tls.key);
	own_secret(&to->proxy.password);
}

static int resolve_account(struct config *c, struct section *s, struct error *err)
{
	struct source src = { .config = c, .file = s->file };
	const struct source options = { .config = c };
	struct account *a = &s->account;
	int rc;

	copy_account(a, &s->file->prototype);
	a->name = s->name;
	a->file = s->file->origin == ORIGIN_FILE ? s->place : NULL;
	a->line = s->line;
	a->rewrite.maps = (const struct rewrite_map *const *)c->rewrite;
	s->entered = true;
	rc = apply_bases(&src, s, a, 0, err);
	s->entered = false;
	if (rc < 0 || apply(&src, SCOPE_ACCOUNT, a, s->own.first, NULL, err) < 0 ||
	    apply(&options, SCOPE_ACCOUNT, a, c->options[SCOPE_ACCOUNT].first, NULL, err) < 0)
		return -1;
	return finish(&src, s, a, err);
}

int config_resolve_listener(struct config *c, struct section *s, struct error *err)
{
	const struct source src = { .config = c, .file = s->file };
	const struct source options = { .config = c };

	settings_defaults(SCOPE_LISTEN, &s->listen, c->arena, false);
	s->listen.name = s->name;
	if (apply(&src, SCOPE_LISTEN, &s->listen, s->own.first, NULL, err) < 0)
		return -1;
	return apply(&options, SCOPE_LISTEN, &s->listen, c->options[SCOPE_LISTEN].first, NULL, err);
}

/* Applies the file's defaults behind `done` up to `last` to its prototype. */
static int apply_defaults(struct config *c, struct config_file *f, const struct assignment **done,
			  const struct assignment *last, struct error *err)
{
	const struct source src = { .config = c, .file = f };
	const struct assignment *first = *done ? (*done)->next : f->defaults.first;

	if (last == *done || !first)
		return 0;
	*done = last ? last : f->defaults.last;
	return apply(&src, SCOPE_ACCOUNT, &f->prototype, first, *done, err);
}

static int resolve_file(struct config *c, struct config_file *f, struct error *err)
{
	struct account *p = &f->prototype;
	const struct assignment *done = NULL;

	settings_defaults(SCOPE_ACCOUNT, p, c->arena, f->classic);
	if (p->aliases && access(p->aliases, F_OK) < 0)
		p->aliases = NULL;
	if (!f->classic && apply_defaults(c, f, &done, f->defaults.last, err) < 0)
		return -1;
	for (struct section *s = f->first; s; s = s->next) {
		if (s->scope == SCOPE_LISTEN) {
			if (config_resolve_listener(c, s, err) < 0)
				return -1;
			continue;
		}
		/* msmtp's defaults count for the accounts below them */
		if (f->classic && s->defaults_end &&
		    apply_defaults(c, f, &done, s->defaults_end, err) < 0)
			return -1;
		if (resolve_account(c, s, err) < 0)
			return -1;
	}
	return apply_defaults(c, f, &done, f->defaults.last, err);
}

/* Notes whom the section stands on. */
static void note_bases(struct config *c, const struct section *s)
{
	for (char **base = s->base; base && *base; base++)
		(void)strmap_add(&c->base_names, *base, 0);
}

/* Puts the accounts in order and leaves out those that a user's account hides. */
static void list_accounts(struct config *c)
{
	size_t n = 0;

	for (const struct config_file *f = c->file; f; f = f->next)
		n += f->count;
	c->account = arena_calloc(c->arena, n + 1, sizeof(struct section *));
	for (const struct config_file *f = c->file; f; f = f->next) {
		for (struct section *s = f->first; s; s = s->next) {
			note_bases(c, s);
			for (const struct config_file *g = c->file; g != f; g = g->next)
				s->shadowed = s->shadowed || find_in(g, s->name);
			if (s->scope != SCOPE_ACCOUNT || s->shadowed)
				continue;
			(void)strmap_add(&c->account_names, s->name, c->account_n);
			c->account[c->account_n++] = s;
		}
	}
}

/* Options alone make an account where no file has one. */
static void add_option_account(struct config *c)
{
	if (!config_names_server(&c->options[SCOPE_ACCOUNT]))
		return;
	for (const struct config_file *f = c->file; f; f = f->next) {
		for (const struct section *s = f->first; s; s = s->next) {
			if (s->scope == SCOPE_ACCOUNT)
				return;
		}
	}
	if (!c->file)
		config_file_add(c, "command line", ORIGIN_OPTION);
	config_section_add(c, c->file, SCOPE_ACCOUNT, "default");
}

/* The rules of all files, the user's first. */
static int list_rules(struct config *c, struct error *err)
{
	size_t n = 0;

	for (const struct config_file *f = c->file; f; f = f->next)
		n += f->rewrite != NULL;
	if (!n)
		return 0;
	c->rewrite = arena_calloc(c->arena, n + 1, sizeof(*c->rewrite));
	n = 0;
	for (const struct config_file *f = c->file; f; f = f->next) {
		if (!f->rewrite)
			continue;
		if (rewrite_map_finish(f->rewrite, err) < 0)
			return -1;
		c->rewrite[n++] = f->rewrite;
	}
	return 0;
}

int config_resolve(struct config *c, struct error *err)
{
	add_option_account(c);
	if (list_rules(c, err) < 0)
		return -1;
	for (struct config_file *f = c->file; f; f = f->next) {
		if (resolve_file(c, f, err) < 0)
			return -1;
	}
	list_accounts(c);
	return 0;
}
