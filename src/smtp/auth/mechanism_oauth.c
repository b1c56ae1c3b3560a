/* OAUTHBEARER (RFC 7628) and XOAUTH2, which libgsasl has not. */
#include "config.h"
#include "smtp/auth/mechanism.h"

#include <stdio.h>
#include <string.h>

#include "smtp/command.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define JSON_MAX 4096

/* saslname: "," and "=" are written as =2C and =3D (RFC 5801, section 4) */
static void add_saslname(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '=')
			strbuf_addstr(out, "=3D");
		else if (*s == ',')
			strbuf_addstr(out, "=2C");
		else
			strbuf_addch(out, *s);
	}
}

static int check(const struct exchange *x, struct error *err)
{
	const struct mechanism_input *in = x->in;

	if (!in->secret || !*in->secret)
		return error_set(err, FAULT_SECRET_EMPTY, "the access token is empty");
	/* ^A would end the value: nobody may write fields of his own */
	if (text_has_control(in->secret, strlen(in->secret)) ||
	    (in->user && text_has_control(in->user, strlen(in->user))) ||
	    (in->authzid && text_has_control(in->authzid, strlen(in->authzid))))
		return error_set(err, FAULT_SECRET_MALFORMED,
				 "control character in user, authzid or token");
	return 0;
}

/*
 * The value of a member of {"status":"invalid_token",...} (RFC 7628, section
 * 3.2.2): a string without escapes, or a number. It is untrusted text, of
 * which little is believed and nothing fetched. "" when there is none.
 */
static void find_member(const char *json, size_t n, const char *quoted_name, char *out, size_t room)
{
	const char *end = json + (n < JSON_MAX ? n : JSON_MAX);
	const char *p = memmem(json, (size_t)(end - json), quoted_name, strlen(quoted_name));

	*out = '\0';
	if (!p)
		return;
	for (p += strlen(quoted_name); p < end && (*p == ' ' || *p == ':' || *p == '\t'); p++)
		;
	bool is_string = p < end && *p == '"';
	const char *close = p += is_string;

	while (!is_string && close < end && *close >= '0' && *close <= '9')
		close++;
	if (is_string)
		close = memchr(p, '"', (size_t)(end - p));
	if (close)
		text_escape(out, room, p, (size_t)(close - p));
}

/* What the server's status means: codes of RFC 7628, numbers with XOAUTH2. */
static const struct {
	const char *status, *words;
	bool stale;
} statuses[] = {
	{ "invalid_token", "the access token is not valid or has expired", true },
	{ "400", "the access token is not valid or has expired", true },
	{ "401", "the access token is not valid or has expired", true },
	{ "invalid_scope", "the access token is not for sending mail", false },
	{ "insufficient_scope", "the access token is not for sending mail", false },
	{ "403", "the access token is not for sending mail", false },
	{ "invalid_request", "the server did not understand the request", false },
};

static void note_status(struct exchange *x, const char *json, size_t n)
{
	const char *words = NULL;
	char status[64], scope[100];

	find_member(json, n, "\"status\"", status, sizeof(status));
	find_member(json, n, "\"scope\"", scope, sizeof(scope));
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		if (strcmp(status, statuses[i].status) != 0)
			continue;
		words = statuses[i].words;
		x->stale = statuses[i].stale;
	}
	if (!*status)
		return;
	(void)snprintf(x->detail, sizeof(x->detail), "%s%sstatus %s%s%s%s", words ? words : "",
		       words ? " (" : "", status, *scope ? ", scope " : "", scope,
		       words ? ")" : "");
}

/* Behind the token the server sends nothing but the reason of a failure. */
static int after_token(struct exchange *x, const char *in, size_t n, const char *answer,
		       struct strbuf *out, struct error *err)
{
	if (x->steps > 1)
		return error_set(err, FAULT_PROTOCOL, "the server does not come to an end");
	note_status(x, in, n);
	strbuf_addstr(out, answer);
	x->complete = false;
	return 0;
}

/*
 * client-resp = gs2-header kvsep *kvpair kvsep, kvsep = %x01 (RFC 7628,
 * section 3.1); the gs2-header is "n," ["a=" saslname] ","
 */
static int oauthbearer_step(struct exchange *x, const char *in, size_t n, struct strbuf *out,
			    struct error *err)
{
	const struct mechanism_input *set = x->in;
	const char *identity = set->authzid ? set->authzid : set->user;

	if (x->steps > 0)
		return after_token(x, in, n, "\1", out, err);
	if (check(x, err) < 0)
		return -1;
	strbuf_addstr(out, "n,");
	if (identity) {
		strbuf_addstr(out, "a=");
		add_saslname(out, identity);
	}
	strbuf_addstr(out, ",\1host=");
	strbuf_addstr(out, set->host);
	strbuf_addstr(out, "\1port=");
	command_add_number(out, set->port);
	strbuf_addstr(out, "\1auth=Bearer ");
	strbuf_addstr(out, set->secret);
	strbuf_addstr(out, "\1\1");
	x->complete = true;
	return 0;
}

/* "user=" USER ^A "auth=Bearer " TOKEN ^A ^A; a failure is answered with an empty line */
static int xoauth2_step(struct exchange *x, const char *in, size_t n, struct strbuf *out,
			struct error *err)
{
	if (x->steps > 0)
		return after_token(x, in, n, "", out, err);
	if (check(x, err) < 0)
		return -1;
	if (!x->in->user)
		return error_set(err, FAULT_CONFIG, "it needs 'user'");
	strbuf_addstr(out, "user=");
	strbuf_addstr(out, x->in->user);
	strbuf_addstr(out, "\1auth=Bearer ");
	strbuf_addstr(out, x->in->secret);
	strbuf_addstr(out, "\1\1");
	x->complete = true;
	return 0;
}

const struct mechanism_kind mechanism_oauthbearer = { NULL, oauthbearer_step, NULL };
const struct mechanism_kind mechanism_xoauth2 = { NULL, xoauth2_step, NULL };
