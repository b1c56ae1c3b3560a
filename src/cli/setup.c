#include "config.h"
#include "cli/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/options.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_append.h"
#include "conf/config_write.h"
#include "conf/settings.h"
#include "message/address.h"
#include "setup/discover.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/xalloc.h"

#define SYSTEM_FILE SYSCONFDIR "/msmtprc"
#define SECRETS_MAX 100		/* files that are tried for one account */

bool setup_has(const struct setup *s, const char *key)
{
	const struct config_request *c = &s->inv->request.config;

	for (size_t i = 0; i < c->override_n; i++) {
		if (strcmp(c->override[i].key, key) == 0)
			return true;
	}
	return false;
}

/* --- place ------------------------------------------------------------------------ */

/* $XDG_CONFIG_HOME, else ~/.config, as a setting can hold it. */
static const char *config_home(struct arena *a)
{
	const char *xdg = secure_getenv("XDG_CONFIG_HOME");

	return xdg && *xdg == '/' ? arena_strdup(a, xdg) : "~/.config";
}

static bool is_there(const char *path)
{
	char *full = fs_expand_home(path);
	struct stat st;
	const bool there = lstat(full, &st) == 0;

	xfree(full);
	return there;
}

/* The file that would be read: the user's, which of the two there is, or root's. */
static const char *choose_file(struct setup *s)
{
	const char *other;

	if (s->inv->configure.output)
		return s->inv->configure.output;
	if (s->inv->request.config.file)
		return s->inv->request.config.file;
	if (geteuid() == 0)
		return SYSTEM_FILE;
	other = arena_printf(s->arena, "%s/msmtp/config", config_home(s->arena));
	return !is_there("~/.msmtprc") && is_there(other) ? other : "~/.msmtprc";
}

/* Does the account send for that address already? */
static bool sends_for(const struct account *a, const char *address)
{
	for (const char *const *f = a->from; f && *f; f++) {
		if (address_equal(*f, address))
			return true;
	}
	return false;
}

/* The user's file is read with that of the system. */
static bool in_this_file(const struct setup *s, const struct account *a)
{
	return a->file && strcmp(a->file, config_append_path(s->file)) == 0;
}

/* "default" where there is none, else the address: both say what the account is for. */
static int choose_name(struct setup *s, const struct config *c, struct error *err)
{
	const char *wanted = s->inv->request.account;
	const char *path = config_append_path(s->file);
	const struct account *a = NULL;

	if (c)
		a = config_account(c, "default");
	s->name = wanted ? wanted : a && in_this_file(s, a) ? s->who.address : "default";
	for (size_t i = 0; c && !wanted && (a = config_nth(c, i)) != NULL; i++) {
		if (in_this_file(s, a) && sends_for(a, s->who.address))
			return error_set(err, FAULT_CONFIG,
					 "%s has account '%s' for %s already: to have another, "
					 "name it with --account=NAME", path, a->name,
					 s->who.address);
	}
	a = c ? config_account(c, s->name) : NULL;
	if (a && in_this_file(s, a))
		return error_set(err, FAULT_CONFIG, "%s has an account '%s' already: name "
				 "the new one with --account=NAME", path, s->name);
	return 0;
}

/* Told before anybody is asked for a password. */
static int check_folder(const struct setup *s, struct error *err)
{
	const char *path = config_append_path(s->file), *slash = strrchr(path, '/');
	const char *folder = slash ? arena_strndup(s->arena, path, (size_t)(slash - path) + 1) :
				     ".";

	if (s->inv->configure.print || access(folder, W_OK | X_OK) == 0)
		return 0;
	return error_errno(err, FAULT_CANNOT_CREATE, "cannot write %s", path);
}

int setup_place(struct setup *s, struct error *err)
{
	const char *path = choose_file(s);
	const bool named = s->inv->configure.output || s->inv->request.config.file;
	const struct config_request req = { .file = named ? path : NULL };
	struct config *config = NULL;

	s->system = strcmp(path, SYSTEM_FILE) == 0;
	/* of the system's file everybody reads what is no secret */
	if (config_append_open(path, s->system ? 0644 : 0600, &s->file, err) < 0)
		return -1;
	if (config_append_exists(s->file) && config_load(&req, &config, err) < 0)
		return -1;
	int rc = choose_name(s, config, err);

	if (rc == 0)
		rc = check_folder(s, err);
	config_free(config);
	return rc;
}

/* --- the options alone ------------------------------------------------------------ */

int setup_base(struct setup *s, struct error *err)
{
	static const char *const useless[] = { "socket", "mx", "protocol", "tunnel" };
	const struct config_request *given = &s->inv->request.config;
	struct config_override *all = arena_calloc(s->arena, given->override_n + 1, sizeof(*all));
	struct config_request req = { .override = all, .no_files = true };

	for (size_t i = 0; i < ARRAY_LEN(useless); i++) {
		if (setup_has(s, useless[i]))
			return error_set(err, FAULT_USAGE, "--configure does not go with "
					 "--%s: write the account by hand, see msmtprc(5)",
					 useless[i]);
	}
	/* an account is made of options only where they name a server */
	all[req.override_n++] = (struct config_override){ .key = "host", .value = "localhost" };
	for (size_t i = 0; i < given->override_n; i++)
		all[req.override_n++] = given->override[i];
	if (config_load(&req, &s->base_config, err) < 0)
		return -1;
	s->base = config_default(s->base_config);
	if (!s->base || s->base->server_n || !s->base->host)
		return error_set(err, FAULT_USAGE, "--configure takes one server in --host: "
				 "NAME or NAME:PORT");
	return 0;
}

/* --- the secret's place ----------------------------------------------------------- */

/* The account's name as the name of a file. */
static const char *file_name(struct arena *a, const char *name)
{
	char *copy = arena_strdup(a, name);

	for (char *c = copy; *c; c++) {
		if (*c == '/' || (c == copy && *c == '.'))
			*c = '_';
	}
	return copy;
}

int setup_secret_path(struct setup *s, struct error *err)
{
	const char *folder = s->system ? SYSCONFDIR "/msubmit" :
		arena_printf(s->arena, "%s/msubmit", config_home(s->arena));
	const char *name = file_name(s->arena, s->name);

	for (unsigned i = 1; i < SECRETS_MAX; i++) {
		const char *path = i == 1 ?
			arena_printf(s->arena, "%s/%s.password", folder, name) :
			arena_printf(s->arena, "%s/%s-%u.password", folder, name, i);

		if (!is_there(path)) {
			s->secret_path = path;
			return 0;
		}
	}
	return error_set(err, FAULT_CANNOT_CREATE, "%s/%s.password and %u more are there "
			 "already", folder, name, SECRETS_MAX - 2);
}

/* --- text ------------------------------------------------------------------------- */

static const char *mode_name(enum tls_mode mode)
{
	switch (mode) {
	case TLS_IMPLICIT:
		return "implicit";
	case TLS_MAY:
		return "may";
	case TLS_OFF:
		return "off";
	case TLS_AUTO:
	case TLS_STARTTLS:
		break;
	}
	return "starttls";
}

/* Written by the search, or of no use in a file. */
static bool is_ours(const char *key)
{
	static const char *const keys[] = { "host", "port", "tls", "tls_starttls", "user",
					    "password_fd" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i], key) == 0)
			return true;
	}
	return false;
}

static int add(struct setup *s, const char *key, const char *value, struct error *err)
{
	return config_write_setting(&s->text, config_append_is_classic(s->file), key, value, err);
}

static int add_server(struct setup *s, struct error *err)
{
	char port[16];

	(void)snprintf(port, sizeof(port), "%u", s->server.port);
	if (add(s, "host", s->server.host, err) < 0 || add(s, "port", port, err) < 0 ||
	    add(s, "tls", mode_name(s->server.mode), err) < 0)
		return -1;
	if (!setup_has(s, "auth") && add(s, "auth", "on", err) < 0)
		return -1;
	return s->base->auth.mode == AUTH_OFF ? 0 : add(s, "user", s->server.user, err);
}

/* A local part in quotes may hold commas; without quotes it is as it stands. */
static int add_identity(struct setup *s, struct error *err)
{
	if (!setup_has(s, "from") && add(s, "from", s->who.address, err) < 0)
		return -1;
	if (s->secret_path && add(s, "password_file", s->secret_path, err) < 0)
		return -1;
	if (!s->system)
		return 0;
	if (!setup_has(s, "aliases") && access("/etc/aliases", F_OK) == 0 &&
	    add(s, "aliases", "/etc/aliases", err) < 0)
		return -1;
	/* "root" at a provider's domain would be a stranger */
	if (setup_has(s, "default_domain") || provider_find(PROVIDER_DOMAIN, s->who.domain))
		return 0;
	return add(s, "default_domain", s->who.domain, err);
}

/* What the user has said besides: the last word on each key. */
static int add_options(struct setup *s, struct error *err)
{
	const struct config_request *c = &s->inv->request.config;

	for (size_t i = 0; i < c->override_n; i++) {
		const struct config_override *o = &c->override[i];
		bool last = true;

		for (size_t k = i + 1; k < c->override_n && last; k++)
			last = strcmp(c->override[k].key, o->key) != 0;
		if (last && !is_ours(o->key) && add(s, o->key, o->value ? o->value : "on", err) < 0)
			return -1;
	}
	return 0;
}

int setup_text(struct setup *s, struct error *err)
{
	const bool classic = config_append_is_classic(s->file);
	const char *comment = arena_printf(s->arena, "%s, found by %s", s->who.address,
					   s->server.source);

	strbuf_reset(&s->text);
	config_write_comment(&s->text, comment);
	if (s->server.unproven)
		config_write_comment(&s->text, "only DNS, which can be forged, names this server");
	if (s->server.hint)
		config_write_comment(&s->text, arena_printf(s->arena, "%s %s", s->server.host,
							    s->server.hint));
	/* the comment belongs to the heading: no empty line between them */
	struct strbuf heading = STRBUF_INIT(4096);
	int rc = config_write_heading(&heading, classic, s->name, err);

	strbuf_addstr(&s->text, heading.buf);
	strbuf_release(&heading);
	if (rc < 0 || add_server(s, err) < 0 || add_identity(s, err) < 0)
		return -1;
	return add_options(s, err);
}
