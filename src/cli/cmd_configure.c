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
#include "cli/configure_private.h"
#include "cli/configure_service.h"
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

#define FILE_MAX ((size_t)8 << 20)
#define PASSWORDS_TYPED 3	/* before a wrong one is final: servers lock accounts */
#define SYSTEM_FILE SYSCONFDIR "/msmtprc"
#define SECRETS_MAX 100		/* files that are tried for one account */

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

/* Is the value one that msmtp reads as well? Only of keys that have others here. */
static bool msmtp_reads(const char *key, const char *value)
{
	if (strcmp(key, "auth") == 0)
		return strcasecmp(value, "try") != 0 && strcasecmp(value, "auto") != 0;
	if (strcmp(key, "tls") == 0)
		return strcasecmp(value, "may") != 0;
	if (strcmp(key, "timeout") == 0 || strcmp(key, "connect_timeout") == 0)
		return !value[strspn(value, "0123456789")] || strcasecmp(value, "off") == 0;
	/* written as passwordeval: what only a shell would take in another way */
	if (strcmp(key, "password_command") == 0)
		return !strpbrk(value, ";&*?[#()<>!{");
	return strcmp(key, "password_file") == 0 || strcmp(key, "password_fd") == 0 ||
	       config_msmtp_has(key);
}

/* Told before anybody is asked for a password: msmtp must be able to read its file. */
static int check_classic(const struct setup *s, struct error *err)
{
	const struct config_request *given = &s->inv->request.config;

	for (size_t i = 0; i < given->override_n; i++) {
		const char *key = given->override[i].key, *value = given->override[i].value;

		if (!msmtp_reads(key, value ? value : "on"))
			return error_set(err, FAULT_CONFIG, "%s is in msmtp's syntax, and msmtp "
					 "would not read '%s %s': write the account into another "
					 "file with --output=FILE", config_append_path(s->file),
					 key, value ? value : "on");
	}
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
static int setup_file(struct setup *s, const char *path, struct error *err)
{
	const bool named = s->inv->configure.output || s->inv->request.config.file;
	const struct config_request req = { .file = named ? path : NULL };
	struct config *config = NULL;

	/* of the system's file everybody reads what is no secret */
	if (config_append_open(path, s->system ? 0644 : 0600, &s->file, err) < 0)
		return -1;
	if (config_append_exists(s->file) && config_load(&req, &config, err) < 0)
		return -1;
	int rc = choose_name(s, config, err);

	if (rc == 0 && config_append_is_classic(s->file))
		rc = check_classic(s, err);
	if (rc == 0)
		rc = check_folder(s, err);
	config_free(config);
	return rc;
}

static int setup_place(struct setup *s, struct error *err)
{
	const char *path = choose_file(s);
	int through = 0;

	s->system = strcmp(path, SYSTEM_FILE) == 0;
	s->service = (struct service_setup){
		.inv = s->inv, .arena = s->arena, .address = s->who.address,
		.machine = { .note = note, .ctx = (void *)s->inv },
	};
	if (s->system && geteuid() == 0)
		through = service_setup_open(&s->service, err);
	if (through <= 0)
		return through < 0 ? -1 : setup_file(s, path, err);
	s->through = true;
	s->name = s->service.name;
	s->file = s->service.own;
	return 0;
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
	const char *folder = s->through ? MACHINE_SECRETS : s->system ? SYSCONFDIR "/msubmit" :
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
	/* root's file is not one that the service could read: it gets what is in it */
	if (s->through && setup_has(s, "password_file") && !s->inv->configure.print)
		return setup_secret_path(s, err) < 0 ? -1 :
			credentials_password(s->base, false, &s->secret, err);
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
	if (!c->print && !s->through && is_kept_elsewhere(s)) {
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
		a.auth.password_file = a.auth.passwordeval = NULL;
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

/* The machine is set up: what every user can do now. */
static void tell_service(const struct setup *s, enum source source)
{
	if (source == SOURCE_MISSING)
		report_line(s->inv, "put its password into %s (one line; the file must belong to "
			    "user '" MACHINE_USER "', mode 0600) before you send", s->secret_path);
	if (setup_has(s, "password_command") || setup_has(s, "oauth_token_command"))
		report_line(s->inv, "the service runs the command for the password as user '"
			    MACHINE_USER "'");
	report_line(s->inv, "try it, as any user: msubmit --check; echo hello | msubmit %s",
		    setup_shell_word(s->arena, s->who.address));
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
		report_line(s->inv, "only root can read the password: for all users move %s away "
			    "and run this again, see A WHOLE MACHINE in msubmit(1)", path);
	const char *address = setup_shell_word(s->arena, s->who.address);

	report_line(s->inv, "try it: echo hello | msubmit %s%s-a %s %s",
		    s->inv->configure.output || s->inv->request.config.file ? "-C " : "",
		    s->inv->configure.output || s->inv->request.config.file ?
		    arena_printf(s->arena, "%s ", setup_shell_word(s->arena, path)) : "",
		    setup_shell_word(s->arena, s->name), address);
}

/* --- the command ------------------------------------------------------------------ */

/* The account, with a server that has been found and signed in to. */
static int make_account(struct setup *s, const struct attempt_options *opt,
			enum source *source, struct error *err)
{
	if (fetch_named(s, err) < 0 || find_server(s, opt, err) < 0 ||
	    find_password(s, source, err) < 0 || setup_text(s, err) < 0)
		return -1;
	if (s->inv->configure.print || s->inv->configure.no_check)
		return 0;
	return check_new_account(s, *source, err);
}

static int show_files(struct setup *s, struct error *err)
{
	struct strbuf out = STRBUF_INIT(2 * SECTION_MAX);

	if (s->through) {
		config_write_comment(&out, MACHINE_CONFIG);
		strbuf_add(&out, s->text.buf, s->text.len);
		strbuf_addch(&out, '\n');
		config_write_comment(&out, SYSTEM_FILE);
		strbuf_add(&out, s->service.text.buf, s->service.text.len);
	} else {
		strbuf_add(&out, s->text.buf, s->text.len);
	}
	int rc = report_output(s->inv, out.buf) == EX_OK ? 0 :
		error_set(err, FAULT_IO, "the account was not shown");

	strbuf_release(&out);
	return rc;
}

static int write_machine(struct setup *s, enum source source, struct error *err)
{
	const char *slash = s->secret_path ? strrchr(s->secret_path, '/') : NULL;

	if (service_setup_write(&s->service, &s->text, slash ? slash + 1 : NULL, &s->secret,
				err) < 0)
		return -1;
	tell_service(s, source);
	return 0;
}

static int configure(struct setup *s, const struct attempt_options *opt, struct error *err)
{
	enum source source = SOURCE_NAMED;
	int rc;

	if (read_address(s, err) < 0 || setup_base(s, err) < 0 || setup_place(s, err) < 0)
		return -1;
	if (!(s->through && s->service.in_own) && make_account(s, opt, &source, err) < 0)
		return -1;
	if (s->through && service_setup_text(&s->service, setup_from(s),
					     public_domain(s->who.domain) ? NULL : s->who.domain,
					     err) < 0)
		return -1;
	if (s->inv->configure.print)
		return show_files(s, err);
	if (s->through)
		return write_machine(s, source, err);
	rc = write_all(s, err);
	if (rc == 0)
		tell(s, source);
	return rc;
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
	if (s.through)
		service_setup_close(&s.service);
	else
		config_append_close(s.file);
	config_free(s.base_config);
	events_free(events);
	return status;
}
