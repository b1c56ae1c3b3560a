/*
 * --configure: finds the server of a mail address, signs in, writes the account.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/events.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_write.h"
#include "conf/public_domains.h"
#include "conf/settings.h"
#include "message/address.h"
#include "secrets/credentials.h"
#include "secrets/terminal.h"
#include "setup/discover.h"
#include "submit/attempt.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define SECTION_MAX ((size_t)1 << 20)
#define FILE_MAX ((size_t)8 << 20)
#define PASSWORDS_TYPED 3	/* before a wrong one is final: servers lock accounts */
#define SYSTEM_FILE SYSCONFDIR "/msmtprc"
#define SECRETS_MAX 100		/* files that are tried for one account */

/* The account that is made: where it goes, what it is called, and its text. */
struct setup {
	const struct invocation *inv;
	struct arena *arena;
	struct found_address who;
	struct config_append *file;	/* where the account goes */
	bool system;			/* that is the file of the whole host */
	const char *name;		/* of the account */
	struct config *base_config;	/* the options of the command line alone */
	const struct account *base;
	struct found_server server;
	struct secret secret, token;	/* to sign in with; unset = the account knows itself */
	const char *secret_path;	/* where the secret is to be kept; NULL = nowhere */
	struct strbuf text;		/* the section */
};

/* Where a password comes from. */
enum source {
	SOURCE_NAMED,		/* by an option, netrc or the key ring; or none is needed */
	SOURCE_GIVEN,		/* --password-fd: kept in a file of its own */
	SOURCE_TYPED,		/* the same */
	SOURCE_MISSING		/* the user is told where to put it */
};

static void note(void *ctx, const char *line)
{
	report_line(ctx, "%s", line);
}

/* Was the setting given on the command line? */
static bool setup_has(const struct setup *s, const char *key)
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

/*
 * Chooses file and name. EX_CONFIG when the file has an account of that name
 * or for that address, or cannot be read; EX_CANTCREAT when nothing can be
 * written there.
 */
static int setup_place(struct setup *s, struct error *err)
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

/* The account of the options alone, for the search. EX_USAGE for what makes no sense here. */
static int setup_base(struct setup *s, struct error *err)
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

/* A path for the secret that nothing has yet; into s->secret_path. */
static int setup_secret_path(struct setup *s, struct error *err)
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

/* --- the server ------------------------------------------------------------------- */

static int read_address(struct setup *s, struct error *err)
{
	struct mailbox box;

	if (address_parse_one(s->arena, s->inv->subject, 0, &box, err) < 0) {
		error_recast(err, FAULT_USAGE);
		return error_prefix(err, "--configure");
	}
	s->who = (struct found_address){ .address = box.address, .local = box.local,
					      .domain = box.domain };
	return 0;
}

/* A server that only DNS names is asked about; nobody to ask is a no. */
static int confirm(const struct setup *s, struct error *err)
{
	const struct found_server *server = &s->server;
	struct strbuf prompt = STRBUF_INIT(4096);
	bool yes;

	if (!server->unproven || s->inv->configure.print)
		return 0;
	strbuf_addf(&prompt, "%s:%u is outside of %s and only DNS, which can be forged, says that "
		    "it is the server. Send your password there? [y/N] ", server->host,
		    server->port, s->who.domain);
	yes = terminal_confirm(prompt.buf);
	strbuf_release(&prompt);
	return yes ? 0 : error_set(err, FAULT_CONFIG, "%s:%u is outside of %s and only DNS "
				   "says that it is the server: if that is right, give "
				   "--host=%s:%u", server->host, server->port, s->who.domain,
				   server->host, server->port);
}

static int find_server(struct setup *s, const struct attempt_options *opt, struct error *err)
{
	const struct discover_request req = {
		.who = s->who, .base = s->base, .host_given = setup_has(s, "host"),
		.no_ispdb = s->inv->configure.no_ispdb, .no_check = s->inv->configure.no_check,
		.opt = opt, .note = note, .note_ctx = (void *)s->inv,
	};

	if (discover(&req, s->arena, &s->server, err) < 0)
		return -1;
	report_line(s->inv, "server: %s:%u, %s, user %s", s->server.host, s->server.port,
		    s->server.mode == TLS_IMPLICIT ? "TLS from the start" :
		    s->server.mode == TLS_STARTTLS ? "STARTTLS" : "TLS not required",
		    s->server.user);
	if (s->server.hint)
		report_line(s->inv, "%s %s", s->server.host, s->server.hint);
	return confirm(s, err);
}

/* --- the password ----------------------------------------------------------------- */

/* The account as it will be, for the questions before there is a text of it. */
static struct account preview_account(const struct setup *s)
{
	struct account a = *s->base;

	a.name = s->name;
	a.host = s->server.host;
	a.port = s->server.port;
	a.auth.user = s->server.user;
	return a;
}

/* Takes the secret; Google shows its passwords in groups, and people copy them so. */
static int take_secret(struct setup *s, bool ask, struct error *err)
{
	const struct account a = preview_account(s);

	secret_release(&s->secret);
	if (credentials_password(&a, ask, &s->secret, err) < 0)
		return -1;
	return s->secret_path ? 0 : setup_secret_path(s, err);
}

static bool has_token(const struct setup *s)
{
	return setup_has(s, "oauth_token_command") || setup_has(s, "oauth_token_file");
}

static bool has_password(const struct setup *s)
{
	static const char *const keys[] = { "password_file", "password_command", "passwordeval",
					    "password_credential" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (setup_has(s, keys[i]))
			return true;
	}
	return false;
}

static bool is_named(const struct setup *s)
{
	return has_password(s) || has_token(s) || setup_has(s, "netrc") ||
	       s->base->auth.mode == AUTH_OFF;
}

/*
 * What a command prints is fetched before the first server is asked: a
 * process that has been connected gains no privileges by exec any more.
 */
static int fetch_named(struct setup *s, struct error *err)
{
	if (s->inv->configure.print || s->inv->configure.no_check)
		return 0;
	if (has_token(s))
		return credentials_token(s->base, &s->token, err);
	return has_password(s) ? credentials_password(s->base, false, &s->secret, err) : 0;
}

/* Are netrc or key ring of this user able to give it? */
static bool is_kept_elsewhere(const struct setup *s)
{
	const struct account a = preview_account(s);
	struct secret found = { .data = NULL };
	struct error ignored;
	const bool kept = credentials_password(&a, false, &found, &ignored) == 0;

	secret_release(&found);
	return kept;
}

static int need_token(const struct setup *s, struct error *err)
{
	return error_set(err, FAULT_CONFIG, "%s takes OAuth2 only: give "
			 "--oauth-token-command=COMMAND, which prints an access token (see "
			 "msmtprc(5)), or --no-check to write the account without it",
			 s->server.host);
}

static int find_password(struct setup *s, enum source *out, struct error *err)
{
	const struct configure_options *c = &s->inv->configure;

	*out = SOURCE_NAMED;
	if (is_named(s))
		return 0;
	if (s->server.auth == FOUND_AUTH_OAUTH2)
		return c->no_check || c->print ? 0 : need_token(s, err);
	if (setup_has(s, "password_fd") && !c->print) {
		*out = SOURCE_GIVEN;
		return take_secret(s, false, err);
	}
	if (!c->print && is_kept_elsewhere(s)) {
		report_line(s->inv, "its password is in netrc or the key ring already");
		return 0;
	}
	*out = SOURCE_MISSING;
	if (c->print || (c->no_check && !terminal_is_there()))
		return setup_secret_path(s, err);
	*out = SOURCE_TYPED;
	if (take_secret(s, true, err) == 0)
		return 0;
	return error_append(err, "; with --no-check the account is written without it");
}

/* --- text ------------------------------------------------------------------------- */

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
	static const char *const modes[] = {
		[TLS_AUTO] = "starttls", [TLS_STARTTLS] = "starttls",
		[TLS_IMPLICIT] = "implicit", [TLS_OFF] = "off", [TLS_MAY] = "may",
	};
	char port[16];

	(void)snprintf(port, sizeof(port), "%u", s->server.port);
	if (add(s, "host", s->server.host, err) < 0 || add(s, "port", port, err) < 0 ||
	    add(s, "tls", modes[s->server.mode], err) < 0)
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
	if (setup_has(s, "default_domain") || public_domain(s->who.domain))
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

/* The section into s->text, from all of the above. */
static int setup_text(struct setup *s, struct error *err)
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

/* --- the check ------------------------------------------------------------------- */

/*
 * The configuration as it will be; the section alone where the rest of the
 * file stands on accounts of another one.
 */
static int load(const struct setup *s, struct config **out, struct error *err)
{
	const char *path = config_append_path(s->file);
	struct strbuf whole = STRBUF_INIT(FILE_MAX);

	config_append_preview(s->file, s->text.buf, s->text.len, &whole);
	int rc = config_load_text(path, whole.buf, whole.len, out, err);

	strbuf_release_secret(&whole);
	return rc == 0 ? 0 : config_load_text(path, s->text.buf, s->text.len, out, err);
}

/*
 * Tries all of a submission but the content (--check) with the account as
 * the file will have it; what is found goes to standard output.
 */
static int try_account(const struct setup *s, struct error *err)
{
	const struct submission_request request = { .account = s->name, .explain = true,
						    .sender = s->inv->request.sender };
	struct config *config = NULL;
	struct submission sub;

	if (load(s, &config, err) < 0)
		return -1;
	struct account a = *config_account(config, s->name);

	if (secret_is_set(&s->secret)) {
		a.auth.password = s->secret;
		a.auth.password_file = NULL;
	}
	if (secret_is_set(&s->token))
		a.auth.token = s->token;
	submission_init(&sub, &request, NULL);
	sub.config = config;
	sub.account = &a;
	int status = submission_account(&sub, err) < 0 ? err->exit :
		check_and_print(s->inv, &sub, "it is the new one", NULL);

	submission_release(&sub);
	config_free(config);
	if (status == EX_OK)
		return 0;
	error_set(err, FAULT_CONFIG, "account '%s' does not work yet", s->name);
	err->exit = status;	/* that of what does not work */
	return -1;
}

static int check_new_account(struct setup *s, enum source source, struct error *err)
{
	for (int typed = 1;; typed++) {
		if (try_account(s, err) == 0)
			return 0;
		if (source != SOURCE_TYPED || err->exit != EX_NOPERM || typed == PASSWORDS_TYPED)
			break;
		report_line(s->inv, "once more:");
		if (take_secret(s, true, err) < 0)
			break;
	}
	return error_append(err, ": nothing was written (--no-check would)");
}

/* --- writing ---------------------------------------------------------------------- */

static int write_all(struct setup *s, struct error *err)
{
	char *path = s->secret_path ? fs_expand_home(s->secret_path) : NULL;
	const bool secret = path && secret_is_set(&s->secret);
	int rc = config_append_stage(s->file, s->text.buf, s->text.len, err);

	if (rc == 0 && secret)
		rc = config_secret_write(path, &s->secret, err);
	if (rc == 0 && (rc = config_append_commit(s->file, err)) < 0 && secret)
		(void)unlink(path);
	xfree(path);
	return rc;
}

static void tell(const struct setup *s, enum source source)
{
	const char *path = config_append_path(s->file);
	const bool kept = secret_is_set(&s->secret) && s->secret_path;

	report_line(s->inv, "account '%s' written to %s%s%s", s->name, path,
		    kept ? ", its password to " : "", kept ? s->secret_path : "");
	if (source == SOURCE_MISSING)
		report_line(s->inv, "put its password into %s (one line; folder of mode 0700, file "
			    "of mode 0600) before you send", s->secret_path);
	if (s->system && s->secret_path)
		report_line(s->inv, "only root can read the password: others send through the "
			    "listener (msubmit -bd, see msubmit(1))");
	report_line(s->inv, "try it: echo hello | msubmit %s%s-a %s %s",
		    s->inv->configure.output || s->inv->request.config.file ? "-C " : "",
		    s->inv->configure.output || s->inv->request.config.file ?
		    arena_printf(s->arena, "%s ", path) : "", s->name, s->who.address);
}

/* --- the command ------------------------------------------------------------------ */

static int configure(struct setup *s, const struct attempt_options *opt, struct error *err)
{
	const struct configure_options *c = &s->inv->configure;
	enum source source;

	if (read_address(s, err) < 0 || setup_base(s, err) < 0 || setup_place(s, err) < 0 ||
	    fetch_named(s, err) < 0 || find_server(s, opt, err) < 0 ||
	    find_password(s, &source, err) < 0 || setup_text(s, err) < 0)
		return -1;
	if (c->print)
		return report_output(s->inv, s->text.buf) == EX_OK ? 0 :
			error_set(err, FAULT_IO, "the account was not shown");
	if (!c->no_check && check_new_account(s, source, err) < 0)
		return -1;
	if (write_all(s, err) < 0)
		return -1;
	tell(s, source);
	return 0;
}

int cmd_configure(const struct invocation *inv)
{
	struct setup s = { .inv = inv, .arena = inv->arena, .text = STRBUF_INIT(SECTION_MAX) };
	struct events *events = NULL;
	struct error err;
	int status = EX_OK;

	if (events_open(inv, &events, &err) < 0) {
		status = report_failure(inv, &err);
	} else {
		const struct attempt_options opt = events_options(events);

		if (configure(&s, &opt, &err) < 0)
			status = report_failure(inv, &err);
	}
	secret_release(&s.secret);
	secret_release(&s.token);
	strbuf_release(&s.text);
	config_append_close(s.file);
	config_free(s.base_config);
	events_free(events);
	return status;
}
