/*
 * --configure: finds the server of a mail address, signs in, writes the account.
 */
#include "config.h"

#include <unistd.h>

#include "cli/cmd_check.h"
#include "cli/commands.h"
#include "cli/events.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/setup.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/config_append.h"
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

/* --- the server ------------------------------------------------------------------- */

static int read_address(struct setup *s, struct error *err)
{
	struct mailbox box;

	if (address_parse_one(s->arena, s->inv->configure.address, 0, &box, err) < 0) {
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
		const struct attempt_options opt = {
			.trace = events_trace(events), .trace_ctx = events,
			.observer = events_observer(events),
		};

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
