#include "config.h"
#include "server/signin.h"

#include <string.h>
#include <strings.h>

#include "server/auth.h"
#include "server/listener.h"
#include "server/smtpd.h"
#include "util/base64.h"

/*
 * A dialogue fills login and returns 0; or replies by itself and returns -1.
 * initial is the initial response, NULL if there was none.
 */
struct mechanism {
	const char *name;
	int (*converse)(struct smtpd *, const char *initial, struct auth_login *login);
};

static int refuse(struct smtpd *s, int code, const char *status, const char *text)
{
	smtpd_reply(s, code, status, "%s", text);
	return -1;
}

/* One response in base64; the text is of the client and secret. */
static int decode(struct smtpd *s, const char *text, size_t len, struct strbuf *out)
{
	if (len == 1 && text[0] == '*')
		return refuse(s, 501, "5.7.0", "sign-in given up");
	if (base64_decode(out, text, len) < 0 || strbuf_overflow(out))
		return refuse(s, 501, "5.5.2", "no valid base64");
	return 0;
}

/* Asks with a challenge (in base64) and takes the response. */
static int ask(struct smtpd *s, const char *challenge, struct strbuf *out)
{
	struct strbuf line = STRBUF_INIT(SMTPD_AUTH_LINE_MAX);
	bool cut, bare;
	int rc = -1;

	smtpd_reply(s, 334, NULL, "%s", challenge);
	if (!smtpd_read_line(s, &line, &cut, &bare))
		rc = -1;
	else if (cut)
		refuse(s, 500, "5.5.6", "line too long");
	else if (bare && s->options->strict)
		refuse(s, 500, "5.5.2", "lines end with CRLF");
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
		return ask(s, challenge, out);
	return strcmp(initial, "=") == 0 ? 0 : decode(s, initial, strlen(initial), out);
}

static int reply_malformed(struct smtpd *s, const struct error *err)
{
	smtpd_reply_error(s, err->reply, err);
	return -1;
}

static int plain(struct smtpd *s, const char *initial, struct auth_login *login)
{
	struct strbuf text = STRBUF_INIT(SMTPD_AUTH_LINE_MAX);
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
	struct strbuf user = STRBUF_INIT(SMTPD_AUTH_LINE_MAX);
	struct strbuf password = STRBUF_INIT(SMTPD_AUTH_LINE_MAX);
	struct error err;
	int rc = first_response(s, initial, "VXNlcm5hbWU6", &user);

	if (rc == 0 && auth_set_user(login, &user, &err) < 0)
		rc = reply_malformed(s, &err);
	if (rc == 0)
		rc = ask(s, "UGFzc3dvcmQ6", &password);
	if (rc == 0 && auth_set_password(login, &password, &err) < 0)
		rc = reply_malformed(s, &err);
	strbuf_release_secret(&user);
	strbuf_release_secret(&password);
	return rc;
}

static const struct mechanism mechanisms[] = {
	{ "PLAIN", plain },
	{ "LOGIN", login_dialogue },
};

const char *signin_mechanisms(void)
{
	return "PLAIN LOGIN";
}

static const struct mechanism *find_mechanism(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (strlen(mechanisms[i].name) == len &&
		    strncasecmp(mechanisms[i].name, name, len) == 0)
			return &mechanisms[i];
	return NULL;
}

static void verify(struct smtpd *s, const char *mechanism, const struct auth_login *login)
{
	struct error err;

	if (auth_check(s->options->auth_file, login, &err) == 0) {
		strbuf_reset(&s->user);
		strbuf_add(&s->user, login->user.data, login->user.len);
		smtpd_log(s, "mechanism=%s result=signed-in", mechanism);
		smtpd_reply(s, 235, "2.7.0", "welcome");
		return;
	}
	smtpd_log(s, "mechanism=%s name='%s' result=%s", mechanism, login->user.data, err.text);
	if (err.exit != EX_NOPERM) {
		smtpd_reply(s, 454, "4.7.0", "sign-in is not possible now");
		return;
	}
	s->sign_in_failures++;
	smtpd_pause(s, s->pause_ms);
	smtpd_reply(s, 535, "5.7.8", "sign-in refused: user name or password is wrong");
}

/* What speaks against signing in at all; true when it was answered. */
static bool refuse_now(struct smtpd *s)
{
	if (!s->options->auth_file)
		refuse(s, 502, "5.5.1", "AUTH is not offered");
	else if (!smtpd_offers_auth(s))
		refuse(s, 538, "5.7.11", "sign-in needs TLS: send STARTTLS first");
	else if (!s->esmtp)
		refuse(s, 503, "5.5.1", "send EHLO first");
	else if (smtpd_signed_in(s))
		refuse(s, 503, "5.5.1", "signed in already");
	else
		return false;
	return true;
}

/* auth-command = "AUTH" SP sasl-mech [SP initial-response]   (RFC 4954, section 8) */
static void run(struct smtpd *s, const char *arg)
{
	size_t len = strcspn(arg, " ");
	const struct mechanism *mechanism = find_mechanism(arg, len);
	const char *initial = arg[len] ? arg + len + 1 : NULL;
	struct auth_login login = { 0 };

	if (s->sign_in_failures >= SMTPD_SIGN_IN_MAX) {
		smtpd_reply(s, 421, "4.7.0", "too many failures to sign in");
		smtpd_end(s, NULL);
	} else if (!len) {
		refuse(s, 501, "5.5.4", "AUTH needs the name of a mechanism");
	} else if (!mechanism) {
		refuse(s, 504, "5.5.4", "unknown mechanism");
	} else if (mechanism->converse(s, initial, &login) == 0) {
		verify(s, mechanism->name, &login);
	}
	auth_login_release(&login);
}

void signin_run(struct smtpd *s, const char *arg)
{
	if (!refuse_now(s))
		run(s, arg);
	strbuf_release_secret(&s->line);
}
