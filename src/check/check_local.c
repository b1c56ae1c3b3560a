/*
 * What can be known of an account without a connection: files, programs, the log, and
 * the sender and recipient of the rehearsal.
 */
#include "config.h"
#include "check/check_private.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conf/accounts.h"
#include "conf/config_warn.h"
#include "message/address.h"
#include "prepare/choose_account.h"
#include "prepare/permission.h"
#include "prepare/rewriter.h"
#include "submit/server_list.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"

#define SYSLOG_SOCKET "/dev/log"

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
			check_tell(c, CHECK_OK, "config", NULL, "%s", name);
		else
			check_tell(c, CHECK_OK, "config", NULL, "%s (mode %04o, owner %s)", name,
				   (unsigned)(st.st_mode & 07777), owner(c, st.st_uid));
	}
	for (size_t i = 0; (name = config_file_denied(c->submission->config, i)) != NULL; i++)
		check_tell(c, CHECK_WARN, "config", "if it is meant for you, its mode, or a folder "
			   "above it, keeps you out: ls -l, namei -l", "%s is not read", name);
}

static void look_at_account(struct check *c)
{
	const struct account *a = &c->account;
	struct error err;
	const char *where = a->file ? arena_printf(c->arena, " (%s:%u)", a->file, a->line) : "";

	check_tell(c, CHECK_OK, "account", NULL, "'%s'%s%s%s", a->name, where,
		   c->r->why ? ", " : "", c->r->why ? c->r->why : "");
	if (permission_check(a, &err) < 0)
		check_fail(c, "account", &err);
	if (a->redirect.drop)
		check_tell(c, CHECK_WARN, "account", "set 'drop = off' when mail is to go out",
			   "drop = on: messages are taken and thrown away");
	else if (a->redirect.to)
		check_tell(c, CHECK_WARN, "account", "unset 'redirect_to' when mail is to reach "
			   "its recipients", "redirect_to: all mail goes to %s", a->redirect.to[0]);
}

/* --- what contradicts itself ------------------------------------------------- */

static void warn_config(void *ctx, const struct account *a, const char *text)
{
	struct check *c = ctx;

	(void)a;
	check_tell(c, CHECK_WARN, "config", NULL, "%s", text);
}

/* --- log ---------------------------------------------------------------------- */

static int connect_log(int type)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = SYSLOG_SOCKET };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&to, sizeof(to));
	int why = errno;

	if (fd >= 0)
		close(fd);
	errno = why;
	return rc;
}

/* syslog(3) takes either kind of socket. */
static void look_at_syslog(struct check *c)
{
	if (connect_log(SOCK_DGRAM) == 0 ||
	    (errno == EPROTOTYPE && connect_log(SOCK_STREAM) == 0))
		check_tell(c, CHECK_OK, "log", NULL, "syslog (%s)", SYSLOG_SOCKET);
	else
		check_tell(c, CHECK_WARN, "log", "run a syslog service (journald, rsyslog), or set "
			   "'logfile = FILE', or 'syslog = off'",
			   "nobody takes what goes to syslog: %s: %s", SYSLOG_SOCKET,
			   strerror(errno));
}

/* A file that is not there yet can be made where its folder lets us. */
static int try_log(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno != ENOENT)
		return -1;
	const char *slash = strrchr(path, '/');
	struct arena *a = arena_new();
	const char *folder = !slash ? "." : slash == path ? "/" :
		arena_strndup(a, path, (size_t)(slash - path));
	int rc = faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS);
	int why = errno;

	arena_free(a);
	errno = why;
	return rc;
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
		check_tell(c, CHECK_OK, "log", NULL, "to standard output");
	else if (try_log(path) == 0)
		check_tell(c, CHECK_OK, "log", NULL, "%s can be written", path);
	else
		check_tell(c, CHECK_WARN, "log", "mail goes out all the same; every user that "
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
		check_tell(c, CHECK_OK, "log", NULL, "none (syslog = off, no logfile)");
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
		check_tell(c, CHECK_OK, "hook", NULL, "on_failure runs %s", command[0]);
	else
		check_tell(c, CHECK_WARN, "hook", "nobody would hear of a failure: give the "
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

	check_tell(c, CHECK_WARN, "aliases", arena_printf(c->arena, "let cron's and the system's "
		   "mail reach somebody:\necho 'root: you@example.org' >> %s", where ? where :
		   "/etc/aliases"), "%s%s: mail to 'root' goes to '%s'",
		   where ? where : "there is no file of aliases",
		   where ? " has no entry for root" : "", address);
}

/* Where mail to root ends, by the way that recipients go: aliases, rules, redirection. */
static void look_at_aliases(struct check *c)
{
	struct envelope e;
	struct error err;

	if (!c->account.aliases && !c->account.qualify)
		return;
	if (submission_expand(c->submission, "root", &e, &err) < 0) {
		if (err.exit == EX_CONFIG)
			check_fail(c, "aliases", &err);
		else
			check_tell(c, CHECK_WARN, "aliases", NULL, "mail to 'root': %s", err.text);
	} else if (e.rcpt_count == 1 && strcasecmp(e.rcpt[0].address, own_root(c)) == 0) {
		no_alias(c, e.rcpt[0].address);
	} else if (e.rcpt_count) {
		check_tell(c, CHECK_OK, "aliases", NULL, "%s%smail to root goes to %s%s",
			   c->account.aliases ? c->account.aliases : "",
			   c->account.aliases ? ": " : "", e.rcpt[0].address,
			   e.rcpt_count > 1 ? " and others" : "");
	}
}

/* --- sender and recipient ---------------------------------------------------------- */

static bool same_domain(const char *a, const char *b)
{
	return server_inside_domain(a, b) || server_inside_domain(b, a);
}

static void look_at_sender(struct check *c)
{
	const char *sender = c->submission->envelope.sender, *user = c->account.auth.user;
	const char *domain = address_domain(sender), *users = user ? address_domain(user) : NULL;

	if (*sender && !c->account.from && !c->submission->request->sender)
		check_tell(c, CHECK_WARN, "sender", "set 'from' to an address that may be answered",
			   "the account has no 'from': mail comes from '%s'", sender);
	if (domain && users && !same_domain(domain, users))
		check_tell(c, CHECK_WARN, "sender", "many servers take mail only from the "
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
		check_tell(c, CHECK_OK, "sender", NULL, "%s", without_subject(s->explain.note[i]));
	look_at_sender(c);
	if (!to && c->account.net.mx && !c->account.socket)
		return error_set(err, FAULT_USAGE, "account '%s' sends to the servers of "
				 "each recipient (mx = on): to which one?", c->account.name);
	if (!to && !*e->sender)
		return error_set(err, FAULT_USAGE, "the null sender has no address of its "
				 "own to ask for");
	if (submission_expand(s, to ? to : e->sender, e, err) < 0)
		return -1;
	c->facts.to = e->rcpt[0].address;
	return 0;
}

void check_envelope(struct check *c)
{
	struct error err;

	c->no_envelope = settle_envelope(c, &err) < 0;
	if (c->no_envelope)
		check_fail(c, c->facts.sender ? "recipient" : "sender", &err);
}

static void look_at_rules(struct check *c)
{
	struct submission *s = c->submission;
	struct error err;

	if (rewriter_open(s->arena, s->account, &s->choice.rewriter, &err) < 0)
		check_fail(c, "rewrite", &err);
}

void check_local(struct check *c)
{
	look_at_config(c);
	look_at_account(c);
	config_warn(c->submission->config, c->submission->account, warn_config, c);
	check_secret(c);
	look_at_log(c);
	look_at_hook(c);
	look_at_rules(c);
	look_at_aliases(c);
}
