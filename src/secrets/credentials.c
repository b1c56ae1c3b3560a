#include "config.h"
#include "secrets/credentials.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conf/account.h"
#include "secrets/terminal.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/proc.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define SECRET_MAX (1 << 16)
#define NETRC_MAX (1 << 20)	/* octets of a netrc file */

/* Keeps the first line of text, without its end; source is for the error. */
static int take_line(struct strbuf *text, const char *source, struct secret *out,
		     struct error *err)
{
	char *newline = memchr(text->buf, '\n', text->len);
	size_t n = newline ? (size_t)(newline - text->buf) : text->len;

	while (n && text->buf[n - 1] == '\r')
		n--;
	if (n == 0)
		return error_set(err, FAULT_SECRET_EMPTY, "%s gives an empty line", source);
	if (memchr(text->buf, '\0', n))
		return error_set(err, FAULT_SECRET_MALFORMED, "%s gives a NUL octet", source);
	secret_set(out, text->buf, n);
	return 0;
}

/* proc_capture() changes no word of its argv. */
static int run(const char *const *argv, unsigned seconds, struct strbuf *out, struct error *err)
{
	return proc_capture((char *const *)(uintptr_t)argv, seconds, out, err);
}

/* --- the key ring of the desktop session -------------------------------------------- */

#define PATH_ROOM ((size_t)PATH_MAX)

/* $DBUS_SESSION_BUS_ADDRESS, else the socket that systemd's user bus has. */
static bool has_session_bus(void)
{
	const char *address = secure_getenv("DBUS_SESSION_BUS_ADDRESS");
	const char *dir = secure_getenv("XDG_RUNTIME_DIR");
	struct strbuf path = STRBUF_INIT(PATH_ROOM);
	bool there;

	if (address && *address)
		return true;
	if (!dir || !*dir)
		return false;
	strbuf_addf(&path, "%s/bus", dir);
	there = !strbuf_overflow(&path) && access(path.buf, R_OK | W_OK) == 0;
	strbuf_release(&path);
	return there;
}

/* The command's path (xfree()), NULL if it is nowhere; a relative folder does not count. */
static char *find_command(const char *name)
{
	const char *folder = secure_getenv("PATH");
	struct strbuf path = STRBUF_INIT(PATH_ROOM);

	while (folder && *folder) {
		size_t n = strcspn(folder, ":");

		strbuf_reset(&path);
		strbuf_add(&path, folder, n);
		strbuf_addf(&path, "/%s", name);
		if (*folder == '/' && !strbuf_overflow(&path) && access(path.buf, X_OK) == 0)
			return strbuf_detach(&path);
		folder += n + (folder[n] == ':');
	}
	strbuf_release(&path);
	return NULL;
}

int keyring_lookup(const char *host, const char *user, unsigned seconds, struct strbuf *out,
		   bool *found_out, struct error *err)
{
	struct error why = { 0 };

	*found_out = false;
	/* a value must not be read as an option */
	if (!user || !*user || !host || *host == '-' || *user == '-' || !has_session_bus())
		return 0;
	char *path = find_command("secret-tool");
	const char *const argv[] = { path, "lookup", "host", host, "service", "smtp", "user", user,
				     NULL };

	if (!path)
		return 0;
	const int rc = run(argv, seconds, out, &why);

	xfree(path);
	if (rc < 0 && why.exit == EX_TEMPFAIL) {
		*err = why;
		return error_prefix(err, "keyring");
	}
	/* it ends with a status other than 0 when there is nothing */
	*found_out = rc == 0 && out->len > 0;
	return 0;
}

/* --- Kerberos tickets --------------------------------------------------------------- */

/* MIT Kerberos: what libgsasl's GSSAPI and GS2-KRB5 rest on, too. */
#define KRB5_SONAME "libkrb5.so.3"

DYNLIB_NOTE(krb5, "[{\"feature\":\"kerberos\",\"description\":\"finding Kerberos tickets\","
	    "\"priority\":\"optional\",\"soname\":[\"" KRB5_SONAME "\"]}]");

/* Its handles are opaque here, so its headers are not needed for the build. */
static struct {
	int32_t (*init_context)(void **context);
	int32_t (*cc_default)(void *context, void **cache);
	int32_t (*cc_get_principal)(void *context, void *cache, void **principal);
	void (*free_principal)(void *context, void *principal);
	int32_t (*cc_close)(void *context, void *cache);
	void (*free_context)(void *context);
} krb5;

static int load_krb5(struct error *err)
{
	static void *handle;
	static const struct dynlib_symbol symbols[] = {
		{ "krb5_init_context", &krb5.init_context },
		{ "krb5_cc_default", &krb5.cc_default },
		{ "krb5_cc_get_principal", &krb5.cc_get_principal },
		{ "krb5_free_principal", &krb5.free_principal },
		{ "krb5_cc_close", &krb5.cc_close },
		{ "krb5_free_context", &krb5.free_context },
	};

	return dynlib_load(&handle, KRB5_SONAME, "libkrb5-3", symbols, ARRAY_LEN(symbols), err);
}

bool credentials_has_ticket(void)
{
	void *context = NULL, *cache = NULL, *principal = NULL;
	struct error ignored;
	bool found = false;

	if (load_krb5(&ignored) < 0 || krb5.init_context(&context) != 0)
		return false;
	if (krb5.cc_default(context, &cache) == 0) {
		found = krb5.cc_get_principal(context, cache, &principal) == 0;
		if (found)
			krb5.free_principal(context, principal);
		(void)krb5.cc_close(context, cache);
	}
	krb5.free_context(context);
	return found;
}

/* --- netrc ------------------------------------------------------------------------ */

struct reader {
	const char *p, *end;
	struct strbuf word;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

/*
 * netrc   = *entry
 * entry   = ("machine" word / "default") *( ("login" / "password" / "account") word )
 *         / "macdef" word *line empty-line
 * word    = 1*char / DQUOTE *( char / space ) DQUOTE
 * char    = "\" any / any but space
 * A '#' where a keyword is expected makes the rest of the line a comment.
 */
static bool next_word(struct reader *r, bool keyword)
{
	bool quoted;

	for (;;) {
		while (r->p < r->end && is_space(*r->p))
			r->p++;
		if (r->p == r->end)
			return false;
		if (!keyword || *r->p != '#')
			break;
		while (r->p < r->end && *r->p != '\n')
			r->p++;
	}
	strbuf_reset(&r->word);
	quoted = *r->p == '"';
	r->p += quoted;
	while (r->p < r->end && (quoted ? *r->p != '"' : !is_space(*r->p))) {
		if (*r->p == '\\' && r->p + 1 < r->end)
			r->p++;
		strbuf_addch(&r->word, *r->p++);
	}
	if (quoted && r->p < r->end)
		r->p++;
	return true;
}

/* A macro ends at an empty line. */
static void skip_macro(struct reader *r)
{
	const char *stop = memmem(r->p, (size_t)(r->end - r->p), "\n\n", 2);

	r->p = stop ? stop + 2 : r->end;
}

static bool word_is(const struct reader *r, const char *keyword)
{
	return strcmp(r->word.buf, keyword) == 0 && r->word.len == strlen(keyword);
}

/* What is known of the entry that is being read. */
struct entry {
	bool host;		/* it is for our host */
	bool user_known, user;	/* a login was given; it is ours */
	struct secret password;
};

/* An entry without login serves any user. */
static bool entry_fits(const struct entry *e)
{
	return e->host && (!e->user_known || e->user) && secret_is_set(&e->password);
}

static void begin_entry(struct entry *e, bool host)
{
	secret_release(&e->password);
	*e = (struct entry){ .host = host };
}

bool netrc_find(const char *text, size_t len, const char *host, const char *user,
		struct secret *out)
{
	struct reader r = { .p = text, .end = text + len, .word = STRBUF_SECRET(SECRET_MAX) };
	struct entry e = { .host = false };
	bool found = false;

	while (next_word(&r, true)) {
		bool machine = word_is(&r, "machine"), other = word_is(&r, "default");
		bool login = word_is(&r, "login"), password = word_is(&r, "password");

		if ((machine || other) && entry_fits(&e))
			break;
		if (other)
			begin_entry(&e, true);
		else if (word_is(&r, "macdef"))
			skip_macro(&r);
		else if (!next_word(&r, false))
			break;
		else if (machine)
			begin_entry(&e, strcasecmp(r.word.buf, host) == 0);
		else if (login) {
			e.user_known = true;
			e.user = !user || strcmp(r.word.buf, user) == 0;
		} else if (password && e.host && r.word.len &&
			   !memchr(r.word.buf, '\0', r.word.len)) {
			secret_set(&e.password, r.word.buf, r.word.len);
		}
	}
	found = entry_fits(&e);
	if (found)
		secret_copy(out, &e.password);
	secret_release(&e.password);
	strbuf_release_secret(&r.word);
	return found;
}

int netrc_password(const char *path, bool must_exist, const char *host, const char *user,
		   struct secret *out, bool *found, struct error *err)
{
	struct strbuf text = STRBUF_SECRET(NETRC_MAX);
	struct secret password = { .data = NULL };
	int fd = fs_open_read(path);
	int rc;

	if (fd < 0 && !must_exist) {
		*found = false;
		return 0;
	}
	if (fd < 0)
		return fs_cannot_open(err, "", path);
	rc = fs_read_fd(fd, path, &text, err);
	if (rc == 0) {
		*found = netrc_find(text.buf, text.len, host, user, &password);
		if (*found)
			rc = fs_check(fd, FS_SECRET, path, err);
		if (*found && rc == 0)
			secret_copy(out, &password);
	}
	close(fd);
	secret_release(&password);
	strbuf_release_secret(&text);
	return rc;
}

/* --- sources ------------------------------------------------------------------------ */

static int from_file(const char *path, unsigned rules, struct secret *out, struct error *err)
{
	struct strbuf text = STRBUF_SECRET(SECRET_MAX);
	int rc = fs_read_file(path, rules, &text, err);

	if (rc == 0)
		rc = take_line(&text, path, out, err);
	else
		error_recast(err, FAULT_CONFIG);
	/* others are not meant to read it: there is another way for them */
	if (rc < 0 && err->fault == FAULT_FILE_DENIED && geteuid() != 0)
		error_append(err, ": as root 'msubmit --configure ADDRESS' sets up a service that "
			     "sends for all users");
	strbuf_release_secret(&text);
	return rc;
}

/* Octet by octet: what stands behind the line belongs to somebody else. */
static int from_descriptor(int fd, struct secret *out, struct error *err)
{
	struct strbuf text = STRBUF_SECRET(SECRET_MAX);
	char c = '\0';
	int rc = 0;

	while (rc == 0 && c != '\n') {
		ssize_t n = read(fd, &c, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = error_errno(err, FAULT_FILE, "cannot read password_fd %d", fd);
		if (n <= 0)
			break;
		strbuf_addch(&text, c);
		if (strbuf_overflow(&text))
			rc = error_set(err, FAULT_SECRET_MALFORMED,
				       "password_fd %d gives more than %d octets", fd, SECRET_MAX);
	}
	if (rc == 0 && text.len == 0)
		rc = error_set(err, FAULT_SECRET_EMPTY,
			       "password_fd %d gives nothing (it can be read once only)", fd);
	if (rc == 0)
		rc = take_line(&text, "password_fd", out, err);
	explicit_bzero(&c, sizeof(c));
	strbuf_release_secret(&text);
	return rc;
}

/*
 * The service manager keeps the folder from others; its files may carry
 * access lists that look like group rights, so their mode says nothing.
 */
static int from_credential(const char *name, struct secret *out, struct error *err)
{
	const char *dir = secure_getenv("CREDENTIALS_DIRECTORY");
	struct strbuf path = STRBUF_INIT(1 << 16);

	if (!dir || !*dir)
		return error_set(err, FAULT_NO_CREDENTIALS, "password_credential '%s': "
				 "$CREDENTIALS_DIRECTORY is not set (LoadCredential= in the unit)",
				 name);
	if (strchr(name, '/') || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
		return error_set(err, FAULT_CONFIG,
				 "password_credential '%s': a name, not a path, is wanted", name);
	strbuf_addf(&path, "%s/%s", dir, name);
	int rc = from_file(path.buf, 0, out, err);

	strbuf_release(&path);
	return rc;
}

/* what: how the key of the command goes on behind that of the secret. */
static int from_command(const char *const *argv, const char *key, const char *what,
			unsigned seconds, struct secret *out, struct error *err)
{
	struct strbuf text = STRBUF_SECRET(SECRET_MAX);
	int rc = run(argv, seconds, &text, err);

	if (rc == 0)
		rc = take_line(&text, "its output", out, err);
	strbuf_release_secret(&text);
	return rc < 0 ? error_prefix(err, "%s%s", key, what) : 0;
}

/* The keys that may give one secret, in the order in which they are looked at. */
struct ways {
	const char *key;			/* how all of them begin */
	const struct secret *written;
	const char *file;
	int fd;					/* -1 = none */
	const char *credential;
	const char *const *command;
	const char *shell;
};

/* *found_out stays false when none of them is set. */
static int take_secret(const struct ways *w, const struct account *a, struct secret *out,
		       bool *found_out, struct error *err)
{
	const unsigned seconds = a->auth.command_timeout;
	const char *const words[] = { "/bin/sh", "-c", w->shell, NULL };

	*found_out = true;
	if (w->written && secret_is_set(w->written)) {
		secret_copy(out, w->written);
		return 0;
	}
	if (w->file)
		return from_file(w->file, FS_SECRET, out, err);
	if (w->fd >= 0)
		return from_descriptor(w->fd, out, err);
	if (w->credential)
		return from_credential(w->credential, out, err);
	if (w->command)
		return from_command(w->command, w->key, "_command", seconds, out, err);
	if (w->shell)
		return from_command(words, w->key, "eval", seconds, out, err);
	*found_out = false;
	return 0;
}

/* The account's netrc, else the two that msmtp knows. */
static int from_netrc(const struct account *a, struct secret *out, bool *found, struct error *err)
{
	const struct auth_settings *auth = &a->auth;
	const char *host = a->host ? a->host : "localhost";
	int rc;

	if (auth->netrc)
		return netrc_password(auth->netrc, true, host, auth->user, out, found, err);
	char *own = fs_expand_home("~/.netrc");

	rc = netrc_password(own, false, host, auth->user, out, found, err);
	xfree(own);
	if (rc == 0 && !*found)
		rc = netrc_password(SYSCONFDIR "/netrc", false, host, auth->user, out, found, err);
	return rc;
}

/* What is stored for the account's user at its host. */
static int from_keyring(const struct account *a, struct secret *out, bool *found,
			struct error *err)
{
	struct strbuf text = STRBUF_SECRET(SECRET_MAX);
	int rc;

	if (!a->auth.keyring)
		return 0;
	rc = keyring_lookup(a->host ? a->host : "localhost", a->auth.user,
			    a->auth.command_timeout, &text, found, err);
	if (rc == 0 && *found)
		rc = take_line(&text, "the key ring", out, err);
	strbuf_release_secret(&text);
	return rc;
}

static int from_terminal(const struct account *a, struct secret *out, struct error *err)
{
	struct strbuf prompt = STRBUF_INIT(4096), line = STRBUF_SECRET(SECRET_MAX);
	int rc;

	strbuf_addf(&prompt, "password for %s at %s: ", a->auth.user ? a->auth.user : a->name,
		    a->host ? a->host : a->socket ? a->socket : "the server");
	rc = terminal_ask(prompt.buf, &line, err);
	if (rc == 0)
		rc = take_line(&line, "the terminal", out, err);
	strbuf_release(&prompt);
	strbuf_release_secret(&line);
	return rc;
}

/* --- choosing --------------------------------------------------------------------------- */

/* group = 4ALPHA, four of them with blanks between: how Google shows an app password */
static bool is_app_password(const char *p)
{
	for (int group = 0; group < 4; group++) {
		p += strspn(p, " ");
		if (strspn(p, "abcdefghijklmnopqrstuvwxyz") != 4)
			return false;
		p += 4;
		if (group < 3 && *p != ' ')
			return false;
	}
	return p[strspn(p, " ")] == '\0';
}

static bool is_google(const char *host)
{
	static const char *const names[] = { "smtp.gmail.com", "smtp.googlemail.com",
					     "smtp-relay.gmail.com" };

	for (size_t i = 0; host && i < ARRAY_LEN(names); i++) {
		if (strcasecmp(host, names[i]) == 0)
			return true;
	}
	return false;
}

static void strip_spaces(const struct account *a, struct secret *password)
{
	const enum strip_spaces mode = a->auth.strip_spaces;
	size_t n = 0;

	if (mode == STRIP_SPACES_OFF || !memchr(password->data, ' ', password->len) ||
	    (mode == STRIP_SPACES_AUTO && !(is_google(a->host) && is_app_password(password->data))))
		return;
	for (size_t i = 0; i < password->len; i++) {
		if (password->data[i] != ' ')
			password->data[n++] = password->data[i];
	}
	explicit_bzero(password->data + n, password->len - n);
	password->len = n;
}

static int find_password(const struct account *a, bool interactive, struct secret *out,
			 struct error *err)
{
	const struct auth_settings *auth = &a->auth;
	const struct ways ways = {
		.key = "password", .written = &auth->password, .file = auth->password_file,
		.fd = auth->password_fd, .credential = auth->password_credential,
		.command = auth->password_command, .shell = auth->passwordeval,
	};
	bool found = false;

	if (take_secret(&ways, a, out, &found, err) < 0)
		return -1;
	if (!found && from_netrc(a, out, &found, err) < 0)
		return -1;
	if (!found && from_keyring(a, out, &found, err) < 0)
		return -1;
	if (found)
		return 0;
	if (interactive && from_terminal(a, out, err) == 0)
		return 0;
	error_set(err, FAULT_NO_PASSWORD, "no password for user '%s': set password_command, "
		  "password_file, password_credential, passwordeval or password, or put it into "
		  "~/.netrc or the key ring", a->auth.user ? a->auth.user : "");
	return error_append(err, "%s", interactive ? " (and none was typed)" : "");
}

int credentials_password(const struct account *a, bool interactive, struct secret *out,
			 struct error *err)
{
	if (find_password(a, interactive, out, err) < 0)
		return -1;
	strip_spaces(a, out);
	return 0;
}

/* msmtp has the token in the place of the password when such a mechanism is named. */
static bool token_is_password(const struct auth_settings *auth)
{
	return auth->mode == AUTH_MECHANISM && auth->mechanism &&
	       (strcmp(auth->mechanism, "XOAUTH2") == 0 ||
		strcmp(auth->mechanism, "OAUTHBEARER") == 0);
}

static bool has_own_token(const struct auth_settings *auth)
{
	return secret_is_set(&auth->token) || auth->token_file || auth->token_command;
}

bool credentials_has_token(const struct account *a)
{
	return has_own_token(&a->auth) || token_is_password(&a->auth);
}

const char *credentials_source(const struct account *a, bool token)
{
	const struct auth_settings *auth = &a->auth;
	const struct {
		const char *key;
		bool token, set;
	} sources[] = {	/* in the order in which they are looked at */
		{ "oauth_token", true, secret_is_set(&auth->token) },
		{ "oauth_token_file", true, auth->token_file != NULL },
		{ "oauth_token_command", true, auth->token_command != NULL },
		{ "password", false, secret_is_set(&auth->password) },
		{ "password_file", false, auth->password_file != NULL },
		{ "password_fd", false, auth->password_fd >= 0 },
		{ "password_credential", false, auth->password_credential != NULL },
		{ "password_command", false, auth->password_command != NULL },
		{ "passwordeval", false, auth->passwordeval != NULL },
		{ "netrc", false, auth->netrc != NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		/* msmtp has the token in the place of the password */
		if (sources[i].set && (token || !sources[i].token))
			return sources[i].key;
	}
	return NULL;
}

int credentials_token(const struct account *a, struct secret *out, struct error *err)
{
	const struct auth_settings *auth = &a->auth;
	const struct ways ways = {
		.key = "oauth_token", .written = &auth->token, .file = auth->token_file, .fd = -1,
		.command = auth->token_command,
	};
	bool found = false;

	if (take_secret(&ways, a, out, &found, err) < 0)
		return -1;
	if (found)
		return 0;
	if (token_is_password(auth))
		return credentials_password(a, false, out, err);
	return error_set(err, FAULT_NO_TOKEN, "no access token: set oauth_token_command, "
			 "oauth_token_file or oauth_token");
}

int credentials_proxy_password(const struct account *a, struct secret *out, struct error *err)
{
	const struct proxy_settings *p = &a->proxy;
	const struct ways ways = {
		.key = "proxy_password", .written = &p->password, .file = p->password_file,
		.fd = -1, .command = p->password_command,
	};
	bool ignored;

	return take_secret(&ways, a, out, &ignored, err);
}

int credentials_key_password(const struct account *a, struct secret *out, struct error *err)
{
	const struct tls_settings *t = &a->tls;
	const struct ways ways = {
		.key = "tls_key_password", .file = t->key_password_file, .fd = -1,
		.command = t->key_password_command, .shell = t->key_passwordeval,
	};
	bool ignored;

	return take_secret(&ways, a, out, &ignored, err);
}
