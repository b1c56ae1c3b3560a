/* Names and passwords of the listener's clients, and the command AUTH. */
#include "config.h"
#include "server/smtpd.h"

#include <stdbool.h>
#include <string.h>

#include "server/listener.h"
#include "util/base64.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/text.h"

/* What an unknown user's password is compared with: costs as much, fits nothing. */
static const char nobody[] = "$6$msubmit.nobody$";

struct scheme {
	const char *name;
	const char *begin;	/* what the hash must begin with; NULL: it is the password itself */
};

static const struct scheme schemes[] = {
	{ "PLAIN", NULL }, { "CRYPT", "" }, { "SHA512-CRYPT", "$6$" }, { "SHA256-CRYPT", "$5$" },
	{ "BLF-CRYPT", "$2" }, { "YESCRYPT", "$y$" },
};

static char *(*crypt_call)(const char *phrase, const char *setting);

DYNLIB_NOTE(crypt, "[{\"feature\":\"auth-file\",\"description\":\"AUTH of the local listener\","
	    "\"priority\":\"suggested\",\"soname\":[\"" CRYPT_SONAME "\"]}]");

static int load_crypt(struct error *err)
{
	static void *handle;
	static const struct dynlib_symbol symbols[] = { { "crypt", &crypt_call } };

	return dynlib_load(&handle, CRYPT_SONAME, "libcrypt1", symbols, ARRAY_LEN(symbols), err);
}

void auth_login_release(struct auth_login *login)
{
	secret_release(&login->user);
	secret_release(&login->password);
}

static int malformed(struct error *err)
{
	error_set(err, FAULT_SIGN_IN_MALFORMED, "malformed sign-in message");
	err->reply = 501;
	return -1;
}

static int refused(struct error *err)
{
	error_set(err, FAULT_PASSWORD_REFUSED, "sign-in refused");
	err->reply = 535;
	return -1;
}

static bool name_fits(const char *name, size_t len)
{
	return len > 0 && len <= AUTH_NAME_MAX && !memchr(name, '\0', len);
}

int auth_set_user(struct auth_login *login, const struct strbuf *text, struct error *err)
{
	if (!name_fits(text->buf, text->len))
		return malformed(err);
	secret_set(&login->user, text->buf, text->len);
	return 0;
}

int auth_set_password(struct auth_login *login, const struct strbuf *text, struct error *err)
{
	if (!text->len || memchr(text->buf, '\0', text->len))
		return malformed(err);
	secret_set(&login->password, text->buf, text->len);
	return 0;
}

/* message = [authzid] UTF8NUL authcid UTF8NUL passwd   (RFC 4616, section 2) */
int auth_parse_plain(const struct strbuf *message, struct auth_login *login, struct error *err)
{
	const char *end = message->buf + message->len;
	const char *user = memchr(message->buf, '\0', message->len);
	const char *password = user ? memchr(user + 1, '\0', (size_t)(end - user - 1)) : NULL;

	if (!password)
		return malformed(err);
	size_t authzid_len = (size_t)(user++ - message->buf);
	size_t user_len = (size_t)(password++ - user);
	size_t password_len = (size_t)(end - password);

	if (!name_fits(user, user_len) || !password_len || memchr(password, '\0', password_len))
		return malformed(err);
	if (authzid_len &&
	    (authzid_len != user_len || memcmp(message->buf, user, user_len) != 0))
		return refused(err);
	secret_set(&login->user, user, user_len);
	secret_set(&login->password, password, password_len);
	return 0;
}

/* No early end: the time tells only the length of what the client itself sent. */
static bool equal_in_constant_time(const char *given, size_t given_len, const char *stored,
				   size_t stored_len)
{
	volatile unsigned char difference = given_len != stored_len;

	for (size_t i = 0; i < given_len; i++) {
		size_t j = i < stored_len ? i : 0;

		difference |= (unsigned char)((unsigned char)given[i] ^ (unsigned char)stored[j]);
	}
	return difference == 0;
}

/* crypt(3) reports failure with NULL or a string that begins with '*'. */
static bool crypt_fits(const char *password, const char *hash)
{
	const char *made = crypt_call(password, hash);

	return made && made[0] && made[0] != '*' &&
		equal_in_constant_time(made, strlen(made), hash, strlen(hash));
}

/* The scheme of entry ("{NAME}..." or a bare hash), *hash_out behind it; NULL if unknown. */
static const struct scheme *find_scheme(const char *entry, const char **hash_out)
{
	const char *end = entry[0] == '{' ? strchr(entry, '}') : NULL;

	*hash_out = end ? end + 1 : entry;
	if (!end)
		return &schemes[1];
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (text_same(entry + 1, (size_t)(end - entry - 1), schemes[i].name))
			return &schemes[i];
	}
	return NULL;
}

/* Compares with one entry of the file: what stands behind "USER:". */
static int check_entry(char *entry, const struct auth_login *login, struct error *err)
{
	const char *hash;
	const struct scheme *scheme = find_scheme(entry, &hash);
	const struct secret *password = &login->password;

	if (!scheme || (scheme->begin && strncmp(hash, scheme->begin, strlen(scheme->begin)) != 0))
		return error_set(err, FAULT_CONFIG, "password scheme of user '%s' is "
				 "unknown or does not fit the hash", login->user.data);
	if (!scheme->begin) {
		size_t len = strlen(hash);

		return len && equal_in_constant_time(password->data, password->len, hash, len) ?
			0 : refused(err);
	}
	entry[strcspn(entry, ":")] = '\0';
	if (load_crypt(err) < 0)
		return -1;
	return crypt_fits(password->data, hash) ? 0 : refused(err);
}

/* The first entry of the user in the file, which is cut into strings on the way; NULL if none. */
static char *find_entry(struct strbuf *file, const struct secret *user)
{
	char *at = file->buf, *line;

	while ((line = text_line(&at, file->buf + file->len))) {
		if (line[0] != '#' && strncmp(line, user->data, user->len) == 0 &&
		    line[user->len] == ':')
			return line + user->len + 1;
	}
	return NULL;
}

/* As long as a wrong password takes; without the library there is nothing to hide. */
static int check_nobody(const struct auth_login *login, struct error *err)
{
	struct error ignored;

	if (load_crypt(&ignored) == 0)
		(void)crypt_fits(login->password.data, nobody);
	return refused(err);
}

int auth_check(const char *path, const struct auth_login *login, struct error *err)
{
	struct strbuf file = STRBUF_SECRET(AUTH_FILE_MAX);
	int rc = fs_read_file(path, FS_SECRET, &file, err);

	if (rc == 0) {
		char *entry = find_entry(&file, &login->user);

		rc = entry ? check_entry(entry, login, err) : check_nobody(login, err);
	}
	strbuf_release_secret(&file);
	return rc;
}

int auth_find_password(const char *path, const char *user, struct secret *out,
		       struct error *err)
{
	struct strbuf file = STRBUF_SECRET(AUTH_FILE_MAX);
	struct secret name = { NULL, 0 };
	int rc = fs_read_file(path, FS_SECRET, &file, err);
	const char *hash;

	secret_set(&name, user, strlen(user));
	if (rc == 0 && name_fits(user, strlen(user))) {
		char *entry = find_entry(&file, &name);
		const struct scheme *scheme = entry ? find_scheme(entry, &hash) : NULL;

		if (scheme && !scheme->begin && *hash)
			secret_set(out, hash, strlen(hash));
	}
	secret_release(&name);
	strbuf_release_secret(&file);
	return rc;
}

int auth_check_file(const char *path, struct error *err)
{
	struct strbuf file = STRBUF_SECRET(AUTH_FILE_MAX);
	int rc = fs_read_file(path, FS_SECRET, &file, err);

	strbuf_release_secret(&file);
	return rc;
}

/* --- the command AUTH --------------------------------------------------------------- */

/*
 * A dialogue fills login and returns 0; or replies by itself and returns -1.
 * initial is the initial response, NULL if there was none.
 */
struct mechanism {
	const char *name;
	int (*converse)(struct smtpd *, const char *initial, struct auth_login *login);
	bool scram;		/* instead: the password does not come over the line */
	bool bound;		/* ... to TLS (RFC 9266, 5929) */
};

static int refuse_auth(struct smtpd *s, int code, const char *status, const char *text)
{
	smtpd_reply(s, code, status, "%s", text);
	return -1;
}

/* One response in base64; the text is of the client and secret. */
static int decode(struct smtpd *s, const char *text, size_t len, struct strbuf *out)
{
	if (len == 1 && text[0] == '*')
		return refuse_auth(s, 501, "5.7.0", "sign-in given up");
	if (base64_decode(out, text, len) < 0 || strbuf_overflow(out))
		return refuse_auth(s, 501, "5.5.2", "no valid base64");
	return 0;
}

/* Asks with a challenge (in base64) and takes the response. */
int signin_ask(struct smtpd *s, const char *challenge, struct strbuf *out)
{
	struct strbuf line = STRBUF_SECRET(SMTPD_AUTH_LINE_MAX);
	bool cut, bare;
	int rc = -1;

	smtpd_reply(s, 334, NULL, "%s", challenge);
	if (!smtpd_read_line(s, &line, &cut, &bare))
		rc = -1;
	else if (cut)
		refuse_auth(s, 500, "5.5.6", "line too long");
	else if (bare && s->options->set.strict)
		refuse_auth(s, 500, "5.5.2", "lines end with CRLF");
	else
		rc = decode(s, line.buf, line.len, out);
	strbuf_release_secret(&line);
	return rc;
}

/* The initial response ("=" is an empty one) or the answer to a challenge. */
static int first_response(struct smtpd *s, const char *initial, const char *challenge,
			  struct strbuf *out)
{
	if (!initial)
		return signin_ask(s, challenge, out);
	return strcmp(initial, "=") == 0 ? 0 : decode(s, initial, strlen(initial), out);
}

static int reply_malformed(struct smtpd *s, const struct error *err)
{
	smtpd_reply_error(s, err->reply, err);
	return -1;
}

static int plain(struct smtpd *s, const char *initial, struct auth_login *login)
{
	struct strbuf text = STRBUF_SECRET(SMTPD_AUTH_LINE_MAX);
	struct error err;
	int rc = first_response(s, initial, "", &text);

	if (rc == 0 && auth_parse_plain(&text, login, &err) < 0)
		rc = reply_malformed(s, &err);
	strbuf_release_secret(&text);
	return rc;
}

/* draft-murchison-sasl-login: "Username:", then "Password:". */
static int login_dialogue(struct smtpd *s, const char *initial, struct auth_login *login)
{
	struct strbuf text = STRBUF_SECRET(SMTPD_AUTH_LINE_MAX);
	struct error err;
	int rc = first_response(s, initial, "VXNlcm5hbWU6", &text);

	if (rc == 0 && auth_set_user(login, &text, &err) < 0)
		rc = reply_malformed(s, &err);
	strbuf_reset(&text);
	if (rc == 0)
		rc = signin_ask(s, "UGFzc3dvcmQ6", &text);
	if (rc == 0 && auth_set_password(login, &text, &err) < 0)
		rc = reply_malformed(s, &err);
	strbuf_release_secret(&text);
	return rc;
}

static const struct mechanism mechanisms[] = {
	{ "SCRAM-SHA-256-PLUS", .scram = true, .bound = true },
	{ "SCRAM-SHA-1-PLUS", .scram = true, .bound = true },
	{ "SCRAM-SHA-256", .scram = true }, { "SCRAM-SHA-1", .scram = true },
	{ "PLAIN", .converse = plain }, { "LOGIN", .converse = login_dialogue },
};

/* A client that may choose takes SCRAM, which only passwords in clear can answer. */
static bool is_offered(const struct smtpd *s, const struct mechanism *m)
{
	const struct listen_settings *set = &s->options->set;

	return (!m->scram || (set->auth_scram && set->auth_file && !set->on_auth)) &&
		(!m->bound || s->tls);
}

void signin_mechanisms(const struct smtpd *s, struct strbuf *out)
{
	const size_t before = out->len;

	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (is_offered(s, &mechanisms[i]))
			strbuf_addf(out, "%s%s", out->len > before ? " " : "", mechanisms[i].name);
}

static const struct mechanism *find_mechanism(const struct smtpd *s, const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (text_same(name, len, mechanisms[i].name) && is_offered(s, &mechanisms[i]))
			return &mechanisms[i];
	return NULL;
}

static int ask_who_knows(const struct smtpd *s, const char *mechanism,
			 const struct auth_login *login, struct error *err)
{
	const struct listen_settings *set = &s->options->set;

	return set->on_auth ? auth_hook(set, login, mechanism, s->peer, err) :
		auth_check(set->auth_file, login, err);
}

static void welcome(struct smtpd *s, const char *mechanism, const struct auth_login *login)
{
	strbuf_reset(&s->user);
	strbuf_add(&s->user, login->user.data, login->user.len);
	smtpd_log(s, "mechanism=%s result=signed-in", mechanism);
	smtpd_reply(s, 235, "2.7.0", "welcome");
}

static void reply_refused(struct smtpd *s, const char *mechanism, const struct auth_login *login,
			  const struct error *err)
{
	smtpd_log(s, "mechanism=%s name='%s' result=%s", mechanism,
		  secret_is_set(&login->user) ? login->user.data : "", err->text);
	if (err->exit != EX_NOPERM) {
		smtpd_reply(s, 454, "4.7.0", "sign-in is not possible now");
		return;
	}
	s->sign_in_failures++;
	smtpd_pause(s, s->pause_ms);
	smtpd_reply(s, 535, "5.7.8", "sign-in refused: user name or password is wrong");
}

static void verify(struct smtpd *s, const char *mechanism, const struct auth_login *login)
{
	struct error err;

	if (ask_who_knows(s, mechanism, login, &err) == 0)
		welcome(s, mechanism, login);
	else
		reply_refused(s, mechanism, login, &err);
}

static void run_scram(struct smtpd *s, const char *name, const char *initial,
		      struct auth_login *login)
{
	struct strbuf text = STRBUF_SECRET(SMTPD_AUTH_LINE_MAX);
	struct error err = { 0 };

	if (first_response(s, initial, "", &text) == 0) {
		if (scram_converse(s, name, &text, login, &err) == 0)
			welcome(s, name, login);
		else if (err.exit)
			reply_refused(s, name, login, &err);
	}
	strbuf_release_secret(&text);
}

/* What speaks against signing in at all; true when it was answered. */
static bool refuse_now(struct smtpd *s)
{
	if (!s->options->set.auth_file && !s->options->set.on_auth)
		refuse_auth(s, 502, "5.5.1", "AUTH is not offered");
	else if (!smtpd_offers_auth(s))
		refuse_auth(s, 538, "5.7.11", "sign-in needs TLS: send STARTTLS first");
	else if (!s->esmtp)
		refuse_auth(s, 503, "5.5.1", "send EHLO first");
	else if (smtpd_signed_in(s))
		refuse_auth(s, 503, "5.5.1", "signed in already");
	else
		return false;
	return true;
}

/* auth-command = "AUTH" SP sasl-mech [SP initial-response]   (RFC 4954, section 8) */
static void run_auth(struct smtpd *s, const char *arg)
{
	size_t len = strcspn(arg, " ");
	const struct mechanism *mechanism = find_mechanism(s, arg, len);
	const char *initial = arg[len] ? arg + len + 1 : NULL;
	struct auth_login login = { 0 };

	if (s->sign_in_failures >= SMTPD_SIGN_IN_MAX) {
		smtpd_reply(s, 421, "4.7.0", "too many failures to sign in");
		smtpd_end(s, NULL);
	} else if (!len) {
		refuse_auth(s, 501, "5.5.4", "AUTH needs the name of a mechanism");
	} else if (!mechanism) {
		refuse_auth(s, 504, "5.5.4", "unknown mechanism");
	} else if (mechanism->scram) {
		run_scram(s, mechanism->name, initial, &login);
	} else if (mechanism->converse(s, initial, &login) == 0) {
		verify(s, mechanism->name, &login);
	}
	auth_login_release(&login);
}

void signin_run(struct smtpd *s, const char *arg)
{
	if (!refuse_now(s))
		run_auth(s, arg);
	strbuf_release_secret(&s->line);
}
