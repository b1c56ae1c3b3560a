/*
 * Can the password or token be had? It is fetched once, and kept for all servers.
 */
#include "config.h"
#include "check/check_private.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/accounts.h"
#include "secrets/credentials.h"
#include "smtp/auth/choice.h"
#include "smtp/auth/mechanism.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/sandbox.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

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

static bool needs_password(const struct account *a)
{
	return a->auth.mode != AUTH_OFF && !a->net.mx && !credentials_has_token(a) &&
		(a->auth.user || auth_has_password(&a->auth)) &&
		mechanism_needs(&a->auth, MECHANISM_PASSWORD);
}

static bool needs_token(const struct account *a)
{
	return a->auth.mode != AUTH_OFF && !a->net.mx && credentials_has_token(a) &&
		mechanism_needs(&a->auth, MECHANISM_TOKEN);
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

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & (S_IRWXG | S_IRWXO))
		check_tell(c, CHECK_WARN, step, arena_printf(c->arena, "chmod 600 %s", path),
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
	char *copy = command ? arena_strdup(c->arena, command) : NULL;
	const char *words[16];
	size_t n = 0;

	for (char *at = copy; at && *at && n < ARRAY_LEN(words) - 1;) {
		at += strspn(at, " \t'\"");
		if (*at)
			words[n++] = at;
		at += strcspn(at, " \t'\"");
		if (*at)
			*at++ = '\0';
	}
	words[n] = NULL;
	if (n)
		look_at_command(c, key, words);
}

/* A password that is written into a command is written into the configuration. */
static void look_at_echo(struct check *c, const char *key, const char *program)
{
	const char *slash = strrchr(program, '/'), *name = slash ? slash + 1 : program;
	struct stat st;

	if ((strncmp(name, "echo", 4) != 0 && strncmp(name, "printf", 6) != 0) ||
	    !c->account.file || stat(c->account.file, &st) < 0 ||
	    !(st.st_mode & (S_IRWXG | S_IRWXO)))
		return;
	check_tell(c, CHECK_WARN, step, arena_printf(c->arena, "chmod 600 %s", c->account.file),
		   "the password stands in %s, in %s, and others may read that (mode %04o)", key,
		   c->account.file, (unsigned)(st.st_mode & 07777));
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
		check_tell(c, CHECK_OK, step, NULL, "%s%s, from netrc or the key ring", what, user);
	else
		check_tell(c, CHECK_OK, step, NULL, "%s%s, by %s (%s)", what, user, key,
			   config_origin(c->submission->config, c->submission->account, key));
}

static void no_secret(struct check *c, const struct error *err)
{
	if (c->account.auth.mode == AUTH_TRY) {	/* a message goes without */
		check_tell(c, CHECK_WARN, step, NULL, "%s", err->text);
		return;
	}
	c->no_secret = true;
	check_fail(c, step, err);
}

static bool somebody_there(void)
{
	return isatty(STDIN_FILENO) || isatty(STDERR_FILENO);
}

static void fetch_password(struct check *c)
{
	const char *key = credentials_source(&c->account, false);
	struct error err;

	if (credentials_password(&c->account, false, &c->password, &err) == 0)
		tell_source(c, "password", key);
	else if (key || !(credentials_has_ticket() || somebody_there()))
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

void check_secret(struct check *c)
{
	const bool token = needs_token(&c->account), password = needs_password(&c->account);

	if (!token && !password)
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
