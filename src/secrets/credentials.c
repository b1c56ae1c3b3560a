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
#include "secrets/netrc.h"
#include "secrets/terminal.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/proc.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define SECRET_MAX (1 << 16)

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
	const char *const words[] = { "lookup", "host", host, "service", "smtp", "user", user };
	char *argv[ARRAY_LEN(words) + 2] = { NULL };
	struct error why = { 0 };
	int rc;

	*found_out = false;
	/* a value must not be read as an option */
	if (!user || !*user || !host || *host == '-' || *user == '-' || !has_session_bus())
		return 0;
	argv[0] = find_command("secret-tool");
	if (!argv[0])
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		argv[i + 1] = xstrdup(words[i]);
	rc = proc_capture(argv, seconds, out, &why);
	for (size_t i = 0; argv[i]; i++)
		xfree(argv[i]);
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

bool ticket_exists(void)
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

/* --- sources ------------------------------------------------------------------------ */

static int from_file(const char *path, struct secret *out, struct error *err)
{
	struct strbuf text = STRBUF_INIT(SECRET_MAX);
	int rc = fs_read_file(path, FS_SECRET, &text, err);

	if (rc == 0)
		rc = take_line(&text, path, out, err);
	else
		error_recast(err, FAULT_CONFIG);
	strbuf_release_secret(&text);
	return rc;
}

/* Octet by octet: what stands behind the line belongs to somebody else. */
static int from_descriptor(int fd, struct secret *out, struct error *err)
{
	struct strbuf text = STRBUF_INIT(SECRET_MAX);
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
	struct strbuf path = STRBUF_INIT(1 << 16), text = STRBUF_INIT(SECRET_MAX);
	int rc;

	if (!dir || !*dir)
		return error_set(err, FAULT_NO_CREDENTIALS, "password_credential '%s': "
				 "$CREDENTIALS_DIRECTORY is not set (LoadCredential= in the unit)",
				 name);
	if (strchr(name, '/') || strcmp(name, "..") == 0 || strcmp(name, ".") == 0)
		return error_set(err, FAULT_CONFIG,
				 "password_credential '%s': a name, not a path, is wanted", name);
	strbuf_addf(&path, "%s/%s", dir, name);
	rc = fs_read_file(path.buf, 0, &text, err);
	if (rc == 0)
		rc = take_line(&text, path.buf, out, err);
	else
		error_recast(err, FAULT_CONFIG);
	strbuf_release(&path);
	strbuf_release_secret(&text);
	return rc;
}

static int from_command(char *const argv[], const char *key, unsigned seconds, struct secret *out,
			struct error *err)
{
	struct strbuf text = STRBUF_INIT(SECRET_MAX);
	int rc = proc_capture(argv, seconds, &text, err);

	if (rc == 0)
		rc = take_line(&text, "its output", out, err);
	strbuf_release_secret(&text);
	return rc < 0 ? error_prefix(err, "%s", key) : 0;
}

static int from_words(const char *const *words, const char *key, unsigned seconds,
		      struct secret *out, struct error *err)
{
	size_t n = 0;

	while (words[n])
		n++;
	char **argv = xcalloc(n + 1, sizeof(*argv));

	for (size_t i = 0; i < n; i++)
		argv[i] = xstrdup(words[i]);
	int rc = from_command(argv, key, seconds, out, err);

	for (size_t i = 0; i < n; i++)
		xfree(argv[i]);
	xfree(argv);
	return rc;
}

static int from_shell(const char *command, const char *key, unsigned seconds, struct secret *out,
		      struct error *err)
{
	const char *const words[] = { "/bin/sh", "-c", command, NULL };

	return from_words(words, key, seconds, out, err);
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
	struct strbuf text = STRBUF_INIT(SECRET_MAX);
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
	struct strbuf prompt = STRBUF_INIT(4096), line = STRBUF_INIT(SECRET_MAX);
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

/* The sources that an account names; *found stays false when it names none. */
static int named_password(const struct account *a, struct secret *out, bool *found,
			  struct error *err)
{
	const struct auth_settings *auth = &a->auth;

	*found = true;
	if (secret_is_set(&auth->password)) {
		secret_copy(out, &auth->password);
		return 0;
	}
	if (auth->password_file)
		return from_file(auth->password_file, out, err);
	if (auth->password_fd >= 0)
		return from_descriptor(auth->password_fd, out, err);
	if (auth->password_credential)
		return from_credential(auth->password_credential, out, err);
	if (auth->password_command)
		return from_words(auth->password_command, "password_command",
				  auth->command_timeout, out, err);
	if (auth->passwordeval)
		return from_shell(auth->passwordeval, "passwordeval", auth->command_timeout, out,
				  err);
	*found = false;
	return 0;
}

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
	bool found = false;

	if (named_password(a, out, &found, err) < 0)
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

bool credentials_has_ticket(void)
{
	return ticket_exists();
}

int credentials_token(const struct account *a, struct secret *out, struct error *err)
{
	const struct auth_settings *auth = &a->auth;

	if (secret_is_set(&auth->token)) {
		secret_copy(out, &auth->token);
		return 0;
	}
	if (auth->token_file)
		return from_file(auth->token_file, out, err);
	if (auth->token_command)
		return from_words(auth->token_command, "oauth_token_command",
				  auth->command_timeout, out, err);
	if (token_is_password(auth))
		return credentials_password(a, false, out, err);
	return error_set(err, FAULT_NO_TOKEN, "no access token: set oauth_token_command, "
			 "oauth_token_file or oauth_token");
}

int credentials_proxy_password(const struct account *a, struct secret *out, struct error *err)
{
	const struct proxy_settings *p = &a->proxy;

	if (secret_is_set(&p->password))
		secret_copy(out, &p->password);
	else if (p->password_file)
		return from_file(p->password_file, out, err);
	else if (p->password_command)
		return from_words(p->password_command, "proxy_password_command",
				  a->auth.command_timeout, out, err);
	return 0;
}

int credentials_key_password(const struct account *a, struct secret *out, struct error *err)
{
	const struct tls_settings *t = &a->tls;
	const unsigned seconds = a->auth.command_timeout;

	if (t->key_password_file)
		return from_file(t->key_password_file, out, err);
	if (t->key_password_command)
		return from_words(t->key_password_command, "tls_key_password_command", seconds,
				  out, err);
	if (t->key_passwordeval)
		return from_shell(t->key_passwordeval, "tls_key_passwordeval", seconds, out, err);
	return 0;
}
