#include "config.h"
#include "check/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/check_private.h"
#include "conf/accounts.h"
#include "conf/aliases.h"
#include "message/address.h"
#include "prepare/choose_account.h"
#include "prepare/rewriter.h"
#include "secrets/credentials.h"
#include "smtp/auth/auth.h"
#include "smtp/auth/mechanism.h"
#include "submit/attempt.h"
#include "submit/server_list.h"
#include "submit/service.h"
#include "submit/session_open.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/logsocket.h"
#include "util/sandbox.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"
#include "util/xalloc.h"

#define LINE_MAX_OCTETS ((size_t)16 * 1024)

enum { PATIENCE = 60 };		/* seconds for one answer of a server */

const char *check_verdict_name(enum check_verdict v)
{
	static const char *const names[] = {
		[CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "FAIL",
		[CHECK_SKIP] = "skip",
	};

	return names[v];
}

/* --- findings ----------------------------------------------------------- */

/*
 * From the first failure of a server on it is not known yet whether that is
 * one for the user: another server or address may take the message.
 */
static void pass_on(struct check *c, const struct check_finding *f)
{
	if (!c->network || (!c->held_n && f->verdict != CHECK_FAIL)) {
		c->r->found(c->r->ctx, f);
		return;
	}
	c->held = arena_grow(c->arena, c->held, c->held_n, &c->held_alloc, sizeof(*c->held));
	c->held[c->held_n++] = *f;
}

static void release_held(struct check *c)
{
	for (size_t i = 0; i < c->held_n; i++) {
		if (c->reached && c->held[i].verdict == CHECK_FAIL)
			c->held[i].verdict = CHECK_WARN;
		c->r->found(c->r->ctx, &c->held[i]);
	}
}

/* With err its hint is looked up. */
static void tell(struct check *c, enum check_verdict v, const char *step, const char *hint,
		 const char *text, const struct error *err)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_OCTETS);
	struct hint_query q = c->facts;

	q.step = step;
	q.error = err;

	text_escape_add(&line, text, strlen(text));
	const struct check_finding f = {
		.verdict = v, .step = step, .hint = err ? check_hint(c->arena, &q) : hint,
		.text = arena_take(c->arena, &line),
		.server = c->network ? c->server : NULL, .address = c->network ? c->address : NULL,
		.fault = err ? err->fault : FAULT_NONE, .exit = err ? err->exit : 0,
		.reply = err ? err->reply : 0,
		.status = err ? arena_strdup(c->arena, err->status) : NULL,
	};

	pass_on(c, &f);
}

void check_tell(struct check *c, enum check_verdict v, const char *step, const char *hint,
		const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(LINE_MAX_OCTETS);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	tell(c, v, step, hint, text.buf, NULL);
	strbuf_release(&text);
}

void check_fail(struct check *c, const char *step, const struct error *err)
{
	if (!c->first.exit)
		c->first = *err;
	tell(c, CHECK_FAIL, step, NULL, err->text, err);
}

void check_fail_server(struct check *c, const char *step, const struct error *err, bool last)
{
	if (!c->reached && !c->ended) {
		/* of the addresses of one server the first counts, or who refuses for good */
		if (!c->one.exit || last)
			c->one = *err;
		c->ended = last;
	}
	/* where mail gets through all the same, it is a warning */
	tell(c, c->reached ? CHECK_WARN : CHECK_FAIL, step, NULL, err->text, err);
}

void check_settle_server(struct check *c)
{
	if (c->one.exit)
		session_opening_note_failure(&c->servers, &c->one);
	c->one.exit = 0;
}

void check_tell_failure(check_found_fn *found, void *ctx, const char *step,
			const struct error *err)
{
	const struct check_request r = { .found = found, .ctx = ctx };
	struct check c = { .r = &r, .arena = arena_new() };

	check_fail(&c, step, err);
	arena_free(c.arena);
}

/* --- files ------------------------------------------------------------------ */

static const char *owner(struct check *c, uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	return pw ? arena_strdup(c->arena, pw->pw_name) :
		arena_printf(c->arena, "%lu", (unsigned long)uid);
}

static void look_at_config(struct check *c)
{
	const char *name;
	struct stat st;

	for (size_t i = 0; (name = config_file_name(c->submission->config, i)) != NULL; i++) {
		if (stat(name, &st) < 0)	/* "environment", "command line" */
			check_ok(c, "config", "%s", name);
		else
			check_ok(c, "config", "%s (mode %04o, owner %s)", name,
				 (unsigned)(st.st_mode & 07777), owner(c, st.st_uid));
	}
	for (size_t i = 0; (name = config_file_denied(c->submission->config, i)) != NULL; i++)
		check_warn(c, "config", "if it is meant for you, its mode, or a folder "
			   "above it, keeps you out: ls -l, namei -l", "%s is not read", name);
}

static void look_at_account(struct check *c)
{
	const struct account *a = &c->account;
	struct error err;
	const char *where = a->file ? arena_printf(c->arena, " (%s:%u)", a->file, a->line) : "";

	check_ok(c, "account", "'%s'%s%s%s", a->name, where, c->r->why ? ", " : "",
		 c->r->why ? c->r->why : "");
	if (permission_check(a, &err) < 0)
		check_fail(c, "account", &err);
	if (a->redirect.drop)
		check_warn(c, "account", "set 'drop = off' when mail is to go out",
			   "drop = on: messages are taken and thrown away");
	else if (a->redirect.to)
		check_warn(c, "account", "unset 'redirect_to' when mail is to reach "
			   "its recipients", "redirect_to: all mail goes to %s", a->redirect.to[0]);
}

/* --- what contradicts itself ------------------------------------------------- */

static void warn_config(void *ctx, const struct account *a, const char *text)
{
	struct check *c = ctx;

	(void)a;
	check_warn(c, "config", NULL, "%s", text);
}

/* --- log ---------------------------------------------------------------------- */

static void look_at_syslog(struct check *c)
{
	if (logsocket_try(LOGSOCKET_PATH) == 0)
		check_ok(c, "log", "syslog (%s)", LOGSOCKET_PATH);
	else
		check_warn(c, "log", "run a syslog service (journald, rsyslog), or set "
			   "'logfile = FILE', or 'syslog = off'",
			   "nobody takes what goes to syslog: %s: %s", LOGSOCKET_PATH,
			   strerror(errno));
}

/* A file that is not there yet can be made where its folder lets us. */
static int try_log(struct check *c, const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno != ENOENT)
		return -1;
	const char *slash = strrchr(path, '/');
	const char *folder = !slash ? "." : slash == path ? "/" :
		arena_strndup(c->arena, path, (size_t)(slash - path));

	return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS);
}

/* The mode would let us: then something else does not. */
static const char *log_denied_hint(const char *path)
{
	const int why = errno;
	const bool mode = faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;

	errno = why;
	return why == EACCES && mode ?
		" (file mode allows it; check AppArmor/SELinux: journalctl -k -g DENIED)" : "";
}

static void look_at_logfile(struct check *c)
{
	const char *path = c->account.logfile;

	if (strcmp(path, "-") == 0)
		check_ok(c, "log", "to standard output");
	else if (try_log(c, path) == 0)
		check_ok(c, "log", "%s can be written", path);
	else
		check_warn(c, "log", "mail goes out all the same; every user that "
			   "sends must be able to write the file, or set 'syslog = on' in its "
			   "place", "cannot write %s: %s%s", path, strerror(errno),
			   log_denied_hint(path));
}

static void look_at_log(struct check *c)
{
	if (c->account.syslog >= 0)
		look_at_syslog(c);
	if (c->account.logfile)
		look_at_logfile(c);
	if (c->account.syslog < 0 && !c->account.logfile)
		check_ok(c, "log", "none (syslog = off, no logfile)");
}

/* --- the program that is told of failures -------------------------------------------- */

/* 0, or -1 and errno: the first in PATH counts, as for execvp(3). */
static int find_program(struct check *c, const char *name)
{
	const char *path = secure_getenv("PATH");
	int rc = -1;

	if (strchr(name, '/'))
		return faccessat(AT_FDCWD, name, X_OK, AT_EACCESS);
	errno = ENOENT;
	for (const char *p = path ? path : "/bin:/usr/bin"; rc < 0 && *p; p += *p == ':') {
		const size_t n = strcspn(p, ":");

		rc = faccessat(AT_FDCWD, arena_printf(c->arena, "%.*s/%s", (int)n, p, name), X_OK,
			       AT_EACCESS);
		p += n;
	}
	return rc;
}

static void look_at_hook(struct check *c)
{
	const char *const *command = c->account.report.on_failure;

	if (!command)
		return;
	if (find_program(c, command[0]) == 0)
		check_ok(c, "hook", "on_failure runs %s", command[0]);
	else
		check_warn(c, "hook", "nobody would hear of a failure: give the "
			   "whole path of a program that may be run",
			   "on_failure cannot run %s: %s", command[0], strerror(errno));
}

/* --- mail to local names ----------------------------------------------------------- */

/* The name root as it is completed where nothing leads elsewhere. */
static const char *own_root(struct check *c)
{
	const char *domain = c->account.qualify ?
		choose_account_domain(c->arena, &c->account) : NULL;

	return domain ? arena_printf(c->arena, "root@%s", domain) : "root";
}

static void no_alias(struct check *c, const char *address)
{
	const char *where = c->account.aliases;

	check_warn(c, "aliases", arena_printf(c->arena, "let cron's and the system's "
		   "mail reach somebody:\necho 'root: you@example.org' >> %s",
		   where ? where : "/etc/aliases"), "%s%s: mail to 'root' goes to '%s'",
		   where ? where : "there is no file of aliases",
		   where ? " has no entry for root" : "",
		   address);
}

/* Mail goes on without the lines, and without the file. What else is wrong, mail to root shows. */
static void look_at_lines(struct check *c)
{
	struct error err;
	struct aliases *a;

	if (!c->account.aliases)
		return;
	if (aliases_load(c->account.aliases, &a, &err) < 0) {
		tell(c, CHECK_WARN, "aliases", NULL, err.text, &err);
		return;
	}
	const struct strvec *warnings = aliases_warnings(a);

	for (size_t i = 0; i < warnings->n; i++)
		check_warn(c, "aliases", "correct the line, or remove it", "%s", warnings->v[i]);
	aliases_free(a);
}

/* Nobody has said who reads the mail of this host. */
static void no_reader(struct check *c, const char *own)
{
	struct error err;

	error_set(&err, FAULT_NO_READER, "mail to 'root' and all other names of this host goes "
		  "to '%s': nobody is known to have them at a public provider", own);
	if (c->r->is_new)
		tell(c, CHECK_WARN, "aliases", NULL, err.text, &err);
	else
		check_fail(c, "aliases", &err);
}

/* Where mail to root ends, by the way that recipients go: aliases, rules, redirection. */
static void look_at_aliases(struct check *c)
{
	struct envelope e;
	struct error err;

	if (!c->account.aliases && !c->account.qualify)
		return;
	look_at_lines(c);
	if (submission_expand(c->submission, "root", &e, &err) < 0) {
		if (err.fault == FAULT_ALIAS)
			check_fail(c, "aliases", &err);
		else
			check_warn(c, "aliases", NULL, "mail to 'root': %s", err.text);
	} else if (e.to_own) {
		no_reader(c, e.to_own);
	} else if (e.discard) {
		check_warn(c, "aliases", NULL, "%s: mail to root is thrown away",
			   c->account.aliases);
	} else if (e.unsendable_n) {
		tell(c, CHECK_WARN, "aliases", NULL, e.unsendable[0].why->text,
		     e.unsendable[0].why);
	} else if (e.rcpt_count == 1 && strcasecmp(e.rcpt[0].address, own_root(c)) == 0) {
		no_alias(c, e.rcpt[0].address);
	} else if (e.rcpt_count) {
		check_ok(c, "aliases", "%s%smail to root goes to %s%s",
			 c->account.aliases ? c->account.aliases : "",
			 c->account.aliases ? ": " : "",
			 e.rcpt[0].address, e.rcpt_count > 1 ? " and others" : "");
	}
}

/* --- sender and recipient ---------------------------------------------------------- */

static void look_at_sender(struct check *c)
{
	const char *sender = c->submission->envelope.sender, *user = c->account.auth.user;
	const char *domain = address_domain(sender), *users = user ? address_domain(user) : NULL;

	if (*sender && !c->account.from && !c->submission->request->sender)
		check_warn(c, "sender", "set 'from' to an address that may be answered",
			   "the account has no 'from': mail comes from '%s'", sender);
	if (domain && users && !server_inside_domain(domain, users) &&
	    !server_inside_domain(users, domain))
		check_warn(c, "sender", "many servers take mail only from the "
			   "addresses of who signs in: if it is refused, or put among the spam, "
			   "set 'from' accordingly",
			   "'%s' is in another domain than the user '%s'", sender, user);
}

/* The step is called so already. */
static const char *without_subject(const char *note)
{
	static const char subject[] = "sender ";

	return strncmp(note, subject, strlen(subject)) == 0 ? note + strlen(subject) : note;
}

static int settle_envelope(struct check *c, struct error *err)
{
	struct submission *s = c->submission;
	struct envelope *e = &s->envelope;
	const char *to = c->r->to;
	size_t i = s->explain.n;

	if (choose_account_sender(c->arena, s->account, &s->choice, &e->sender, NULL, err) < 0)
		return -1;
	c->facts.sender = e->sender;
	for (; i < s->explain.n; i++)
		check_ok(c, "sender", "%s", without_subject(s->explain.note[i]));
	look_at_sender(c);
	if (!to && c->account.net.mx && !c->account.socket)
		return error_set(err, FAULT_USAGE, "account '%s' sends to the servers of "
				 "each recipient (mx = on): to which one?", c->account.name);
	if (!to && !*e->sender)
		return error_set(err, FAULT_USAGE, "the null sender has no address of its "
				 "own to ask for");
	if (submission_expand(s, to ? to : e->sender, e, err) < 0)
		return -1;
	for (i = 0; i < e->unsendable_n; i++)
		check_fail(c, "recipient", e->unsendable[i].why);
	c->facts.to = e->rcpt[0].address;
	return 0;
}

static void check_envelope(struct check *c)
{
	struct error err;

	c->no_envelope = settle_envelope(c, &err) < 0;
	if (c->no_envelope)
		check_fail(c, c->facts.sender ? "recipient" : "sender", &err);
}

/* --- passwords and tokens ----------------------------------------------------------- */

static const char step[] = "secret";

/* --- giving ------------------------------------------------------------- */

/*
 * A password may come from a descriptor that can be read once, or from a
 * person: it is fetched once for all servers. A token is given once from what
 * was kept: whoever asks again wants another one.
 */
int check_credential(void *ctx, enum credential kind, struct secret *out, struct error *err)
{
	struct check *c = ctx;

	switch (kind) {
	case CREDENTIAL_KEY_PASSWORD:
		return credentials_key_password(&c->account, out, err);
	case CREDENTIAL_TICKET:
		return credentials_has_ticket() ? 0 : -1;
	case CREDENTIAL_TOKEN:
		if (!secret_is_set(&c->token))
			return credentials_token(&c->account, out, err);
		*out = c->token;
		c->token = (struct secret){ .data = NULL };
		return 0;
	case CREDENTIAL_PASSWORD:
		break;
	}
	if (!secret_is_set(&c->password) &&
	    credentials_password(&c->account, true, &c->password, err) < 0)
		return -1;
	secret_copy(out, &c->password);
	return 0;
}

/* --- is one needed? ------------------------------------------------------- */

/* By the mechanism that is named; without a name any may be used. */
static bool mechanism_needs(const struct auth_settings *auth, unsigned flag)
{
	const struct mechanism *m = auth->mode == AUTH_MECHANISM && auth->mechanism ?
		mechanism_find(auth->mechanism) : NULL;

	return !m || m->flags & flag;
}

/* --- where it lies ---------------------------------------------------------- */

/* Programs that only pass on what is in their argument. */
static bool shows_files(const char *program)
{
	static const char *const names[] = { "cat", "head", "tail", "sed", "awk", "grep", "cut" };
	const char *slash = strrchr(program, '/');

	program = slash ? slash + 1 : program;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(program, names[i]) == 0)
			return true;
	}
	return false;
}

static void warn_open_file(struct check *c, const char *key, const char *word)
{
	char *path = fs_expand_home(word);
	struct stat st;
	struct error ignored;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    fs_check_stat(&st, FS_CONFIDED, path, &ignored) < 0)
		check_warn(c, step, arena_printf(c->arena, "chmod 600 %s", path),
			   "%s shows %s, which others may read (mode %04o)", key, path,
			   (unsigned)(st.st_mode & 07777));
	xfree(path);
}

static void look_at_command(struct check *c, const char *key, const char *const *words)
{
	if (!words || !shows_files(words[0]))
		return;
	for (size_t i = 1; words[i]; i++) {
		if (strchr(words[i], '/'))
			warn_open_file(c, key, words[i]);
	}
}

/* As far as the shell's command is plain words. */
static void look_at_shell(struct check *c, const char *key, const char *command)
{
	struct strvec words = STRVEC_INIT(15);

	if (command)
		strvec_split(&words, command, " \t'\"");
	look_at_command(c, key, (const char *const *)words.v);
	strvec_release(&words);
}

/* A password that is written into a command is written into the configuration. */
static void look_at_echo(struct check *c, const char *key, const char *program)
{
	const char *slash = strrchr(program, '/'), *name = slash ? slash + 1 : program;
	struct stat st;
	struct error ignored;

	if ((strncmp(name, "echo", 4) != 0 && strncmp(name, "printf", 6) != 0) ||
	    !c->account.file || stat(c->account.file, &st) < 0 ||
	    fs_check_stat(&st, FS_CONFIDED, c->account.file, &ignored) == 0)
		return;
	check_warn(c, step, arena_printf(c->arena, "chmod 600 %s", c->account.file),
		   "the password stands in %s, in %s, and others may read that (mode %04o)",
		   key, c->account.file, (unsigned)(st.st_mode & 07777));
}

static void look_at_places(struct check *c)
{
	const struct auth_settings *auth = &c->account.auth;

	look_at_command(c, "password_command", auth->password_command);
	look_at_command(c, "oauth_token_command", auth->token_command);
	look_at_shell(c, "passwordeval", auth->passwordeval);
	if (auth->passwordeval)
		look_at_echo(c, "passwordeval", auth->passwordeval);
	if (auth->password_command)
		look_at_echo(c, "password_command", auth->password_command[0]);
}

/* --- can it be had? ----------------------------------------------------------- */

static void tell_source(struct check *c, const char *what, const char *key)
{
	const struct auth_settings *auth = &c->account.auth;
	const char *user = auth->user ? arena_printf(c->arena, " of '%s'", auth->user) : "";

	if (!key)
		check_ok(c, step, "%s%s, from netrc or the key ring", what, user);
	else
		check_ok(c, step, "%s%s, by %s (%s)", what, user, key,
			 config_origin(c->submission->config, c->submission->account, key));
}

static void no_secret(struct check *c, const struct error *err)
{
	if (c->account.auth.mode == AUTH_TRY) {	/* a message goes without */
		check_warn(c, step, NULL, "%s", err->text);
		return;
	}
	c->no_secret = true;
	check_fail(c, step, err);
}

static void fetch_password(struct check *c)
{
	const char *key = credentials_source(&c->account, false);
	const bool asks = isatty(STDIN_FILENO) || isatty(STDERR_FILENO);
	struct error err;

	if (credentials_password(&c->account, false, &c->password, &err) == 0)
		tell_source(c, "password", key);
	else if (key || !(credentials_has_ticket() || asks))
		no_secret(c, &err);
	/* else the sign-in shows whether it is needed, and asks for it */
}

static void fetch_token(struct check *c)
{
	struct error err;

	if (credentials_token(&c->account, &c->token, &err) == 0)
		tell_source(c, "token", credentials_source(&c->account, true));
	else
		no_secret(c, &err);
}

static void check_secret(struct check *c)
{
	const struct auth_settings *auth = &c->account.auth;
	const bool token = credentials_has_token(&c->account);

	if (c->account.via == VIA_SERVICE)
		check_ok(c, "secret", "none here: the service has it, and signs in; as root "
			 "'" SERVICE_AS_USER " -C " SYSCONFDIR "/msubmit/msubmit.conf --check' "
			 "tries that");
	if (auth->mode == AUTH_OFF || c->account.net.mx ||
	    !mechanism_needs(auth, token ? MECHANISM_TOKEN : MECHANISM_PASSWORD) ||
	    !(token || auth->user || auth_has_password(auth)))
		return;
	/* with what a session may still do by then; a tunnel is begun before */
	if (!c->account.net.tunnel)
		sandbox_connected();
	if (token)
		fetch_token(c);
	else
		fetch_password(c);
	look_at_places(c);
}

/* --- all of it ----------------------------------------------------------- */

static void look_at_local(struct check *c)
{
	struct submission *s = c->submission;
	struct error err;

	look_at_config(c);
	look_at_account(c);
	config_warn(s->config, s->account, warn_config, c);
	check_secret(c);
	look_at_log(c);
	look_at_hook(c);
	if (rewriter_open(s->arena, s->account, &s->choice.rewriter, &err) < 0)
		check_fail(c, "rewrite", &err);
	look_at_aliases(c);
}

/* Nobody wants to look at a silent server for as long as a message may wait for it. */
static void be_impatient(struct timeouts *t)
{
	unsigned *const each[] = { &t->connect, &t->greeting, &t->helo, &t->starttls, &t->auth,
				   &t->mail, &t->rcpt, &t->rset };

	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		if (!*each[i] || *each[i] > PATIENCE)
			*each[i] = PATIENCE;
	}
}

/* Direct delivery means another account, and the domain that the mail is for. */
static bool settle_account(struct check *c)
{
	struct error err;
	const char *at;

	if (!c->account.net.mx || c->account.socket)
		return true;
	c->account = attempt_direct_account(&c->account);
	at = c->no_envelope ? NULL : strrchr(c->submission->envelope.rcpt[0].address, '@');
	c->mx_domain = at ? at + 1 : NULL;
	if (!at && !c->no_envelope) {
		error_set(&err, FAULT_NO_DOMAIN, "recipient '%s' has no domain to send to",
			  c->submission->envelope.rcpt[0].address);
		check_fail(c, "recipient", &err);
	}
	return at != NULL;
}

int check_account(const struct check_request *r)
{
	struct check c = { .r = r, .arena = r->submission->arena, .submission = r->submission,
			   .account = *r->submission->account };

	look_at_local(&c);
	check_envelope(&c);
	if (settle_account(&c)) {
		/* what a session in memory would spare is what is to be looked at */
		c.account.tls.session_cache = NULL;
		/* what is advised about a certificate is in the hints, line by line */
		c.account.tls.reasons_only = true;
		be_impatient(&c.account.timeouts);
		c.network = true;
		check_servers(&c);
		release_held(&c);
	}
	int status = c.first.exit ? c.first.exit : c.reached ? 0 : c.servers.exit;

	secret_release(&c.password);
	secret_release(&c.token);
	return status;
}
