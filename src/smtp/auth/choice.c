/*
 * Which mechanism a session may sign in with. What stands against one is told in
 * words, so that a sign-in that cannot be has a reason for each that was offered.
 */
#include "config.h"
#include "smtp/auth/auth.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "net/wire.h"
#include "smtp/auth/mechanism.h"
#include "smtp/reply.h"
#include "smtp/session.h"
#include "tls/tls.h"
#include "util/error.h"

#define CLEAR_RULE "plaintext-without-tls"	/* no mechanism: what 'auth_plaintext' says too */

bool auth_has_token(const struct auth_settings *a)
{
	return secret_is_set(&a->token) || a->token_file || a->token_command;
}

bool auth_has_password(const struct auth_settings *a)
{
	return secret_is_set(&a->password) || a->password_file || a->password_command ||
		a->passwordeval || a->password_fd >= 0 || a->password_credential;
}

/* --- how strong it has to be -------------------------------------------- */

void auth_choice_raise(struct auth_choice *c, unsigned strength, const char *why)
{
	if (strength <= c->floor)
		return;
	c->floor = strength;
	c->floor_why = why;
}

/* What the server took before; *m_out is NULL when nothing is known. */
static int recall(const struct session *s, const struct mechanism **m_out, struct error *err)
{
	const struct auth_memory *memory = s->opt.auth_memory;
	const char *name = NULL;

	*m_out = NULL;
	if (!s->account->auth.remember || !memory)
		return 0;
	if (memory->recall(memory->ctx, &name, err) < 0)
		return -1;
	if (name)
		*m_out = mechanism_find(name);
	return 0;
}

int auth_choice_begin(struct auth_choice *c, const struct session *s, struct error *err)
{
	const struct mechanism *before;

	*c = (struct auth_choice){ .s = s };
	if (recall(s, &before, err) < 0)
		return -1;
	auth_choice_raise(c, (unsigned)s->account->auth.minimum, "weaker than 'auth_minimum'");
	if (before)
		auth_choice_raise(c, mechanism_strength(before),
				  "weaker than what worked before: see 'auth_remember'");
	return 0;
}

void auth_remember(const struct session *s, const struct mechanism *m)
{
	const struct auth_memory *memory = s->opt.auth_memory;
	const struct mechanism *before;
	struct error ignored;

	if (!s->account->auth.remember || !memory || recall(s, &before, &ignored) < 0)
		return;
	if (!before || mechanism_strength(m) > mechanism_strength(before))
		memory->remember(memory->ctx, m->name);
}

/* --- what the account says ---------------------------------------------- */

/* In the list "SCRAM-SHA-256" allows its -PLUS form as well, which is the same and more. */
static bool is_called(const char *pattern, const char *name)
{
	const char *plus = strstr(name, "-PLUS");

	if (fnmatch(pattern, name, FNM_CASEFOLD) == 0)
		return true;
	return plus && strlen(pattern) == (size_t)(plus - name) &&
		strncasecmp(pattern, name, strlen(pattern)) == 0;
}

/* How auth_mechanisms puts it: a name says more than a pattern. */
enum listed { LISTED_OUT, LISTED_NOT, LISTED_BY_PATTERN, LISTED_BY_NAME };

static enum listed in_list(const struct auth_settings *a, const char *name)
{
	enum listed found = LISTED_NOT;
	bool all = true;

	for (const char *const *item = a->mechanisms; item && *item; item++) {
		if (**item == '!' && fnmatch(*item + 1, name, FNM_CASEFOLD) == 0)
			return LISTED_OUT;
		if (**item == '!' || strcasecmp(*item, CLEAR_RULE) == 0)
			continue;
		all = false;
		if (is_called(*item, name) && found != LISTED_BY_NAME)
			found = strpbrk(*item, "*?[") ? LISTED_BY_PATTERN : LISTED_BY_NAME;
	}
	return found == LISTED_NOT && !all ? LISTED_OUT : found;
}

/* May a password be shown to whoever listens? Only where the account says so. */
static bool clear_allowed(const struct auth_settings *a)
{
	for (const char *const *item = a->mechanisms; item && *item; item++) {
		if (strcasecmp(*item, CLEAR_RULE) == 0)
			return true;
	}
	return a->plaintext == AUTH_PLAINTEXT_ALWAYS;
}

/* May the server be shown the secret itself? A token never without TLS (RFC 7628, section 3). */
static bool may_be_read(const struct session *s, const struct mechanism *m)
{
	const struct account *a = s->account;

	if (s->verified || s->local)
		return true;
	if (m->flags & MECHANISM_TOKEN && !s->encrypted)
		return false;
	return clear_allowed(&a->auth) || (s->encrypted && a->tls.allow_insecure_auth);
}

static bool has_ticket(struct auth_choice *c)
{
	const struct session_options *o = &c->s->opt;
	struct error ignored;

	if (c->ticket == TICKET_UNKNOWN)
		c->ticket = o->credential &&
			o->credential(o->credential_ctx, CREDENTIAL_TICKET, NULL, &ignored) == 0
			? TICKET_FOUND : TICKET_NONE;
	return c->ticket == TICKET_FOUND;
}

/* What m rests on is not there, or something that goes before it is. */
static const char *nothing_to_show(struct auth_choice *c, const struct mechanism *m, bool named)
{
	const struct session *s = c->s;
	const struct auth_settings *a = &s->account->auth;

	if ((m->flags & MECHANISM_CERTIFICATE) &&
	    (!s->encrypted || !tls_is(wire_stream(s->wire)) ||
	     !tls_sent_certificate(wire_stream(s->wire)) || auth_has_password(a)))
		return "no client certificate in use";
	if ((m->flags & MECHANISM_TICKET) && !named) {
		if (auth_has_password(a) || auth_has_token(a))
			return "with a password only when named in 'auth'";
		if (!has_ticket(c))
			return "no Kerberos ticket";
	}
	if ((m->flags & MECHANISM_TOKEN) && !auth_has_token(a))
		return "no token configured";
	if (!(m->flags & MECHANISM_PASSWORD))
		return NULL;
	if (!a->user)
		return "'user' is not set";
	return auth_has_token(a) && !auth_has_password(a) ? "no password configured" : NULL;
}

/* Does the account say by other means than 'auth' that it wants m? NULL or why not. */
static const char *unwanted(struct auth_choice *c, const struct mechanism *m)
{
	const struct session *s = c->s;
	const struct auth_settings *a = &s->account->auth;
	enum listed listed = in_list(a, m->name);
	bool named = listed == LISTED_BY_NAME;

	if (listed == LISTED_OUT)
		return "not in 'auth_mechanisms'";
	if (!s->encrypted && !s->local && !s->account->classic && !clear_allowed(a) && !named)
		return "it needs TLS unless named in 'auth'";
	if ((m->flags & MECHANISM_NAMED) && !named)
		return "only when named in 'auth'";
	if ((m->flags & MECHANISM_LEGACY) && !a->legacy && !named)
		return "weak: only when named in 'auth'";
	return nothing_to_show(c, m, named);
}

/* Not the weaker form where the stronger one is to be had (RFC 5802, section 6). */
static bool bound_form_offered(const struct auth_choice *c, const struct mechanism *m)
{
	const struct auth_settings *a = &c->s->account->auth;

	/* one that is named is that one and no other */
	if (a->mode == AUTH_MECHANISM || strncmp(m->name, "SCRAM-", 6) != 0 ||
	    m->flags & MECHANISM_BINDING || !c->bound)
		return false;
	for (size_t i = 0; i < mechanism_count; i++) {
		const struct mechanism *other = &mechanisms[i];

		if (!(other->flags & MECHANISM_BINDING) ||
		    !strvec_has(&c->s->mechanisms, other->name))
			continue;
		if (in_list(a, other->name) != LISTED_OUT)
			return true;
	}
	return false;
}

static bool has_quote(const struct auth_settings *a)
{
	return strpbrk(a->user ? a->user : "", "\"\\") ||
		strpbrk(a->authzid ? a->authzid : "", "\"\\");
}

const char *auth_hindrance(struct auth_choice *c, const struct mechanism *m)
{
	const struct auth_settings *a = &c->s->account->auth;
	const char *why;

	if (a->mode == AUTH_MECHANISM)
		why = strcasecmp(a->mechanism, m->name) == 0 ? NULL
							     : "not the one named in 'auth'";
	else
		why = unwanted(c, m);
	if (why)
		return why;
	if (bound_form_offered(c, m))
		return "its -PLUS form is to be used";
	if ((m->flags & MECHANISM_PREPARED) && c->unprepared)
		return "a character of the password is too new for it";
	if ((m->flags & MECHANISM_BINDING) && (!c->bound || c->bound_used))
		return "no channel binding";
	if (a->authzid && !(m->flags & MECHANISM_AUTHZID))
		return "has no place for 'authzid'";
	if ((m->flags & MECHANISM_UNQUOTED) && has_quote(a))
		return "'user' or 'authzid' has a quote or backslash";
	if ((m->flags & MECHANISM_READABLE) && !may_be_read(c->s, m))
		return c->s->encrypted ? "needs a verified certificate" : "needs TLS";
	return mechanism_strength(m) < c->floor ? c->floor_why : NULL;
}

int auth_nothing_usable(struct auth_choice *c, struct error *err)
{
	const struct strvec *offered = &c->s->mechanisms;
	struct strbuf list = STRBUF_INIT(2048);
	bool weak = false;

	for (size_t i = 0; i < offered->n; i++) {
		const struct mechanism *m = mechanism_find(offered->v[i]);
		const char *why = m ? auth_hindrance(c, m) : NULL;

		weak = weak || (why && why == c->floor_why);
		strbuf_addf(&list, "%s%s (%s)", i ? ", " : "", offered->v[i],
			    why ? why : "not known here");
	}
	error_set(err, weak ? FAULT_MECHANISM_WEAK : FAULT_NO_MECHANISM,
		  "no way to sign in: the server offers %s", list.len ? list.buf : "no mechanism");
	strbuf_release(&list);
	return -1;
}

/* --- what a reply to AUTH leads to -------------------------------------------------- */

bool auth_means_binding(int code)
{
	return code == 501 || auth_judge_code(code, 0) == AUTH_NEXT;
}

enum auth_verdict auth_judge_code(int code, unsigned said)
{
	/* those that leave something to try; all others end the sign-in */
	static const struct {
		int code;
		enum auth_verdict nothing, initial, all, all_at_once;
	} table[] = {
		{ 432, AUTH_TRANSITION, AUTH_TRANSITION, AUTH_TRANSITION, AUTH_TRANSITION },
		{ 500, AUTH_NEXT, AUTH_WITHOUT_INITIAL, AUTH_NEXT, AUTH_WITHOUT_INITIAL },
		{ 501, AUTH_FAILED, AUTH_WITHOUT_INITIAL, AUTH_REFUSED, AUTH_REFUSED },
		{ 502, AUTH_NEXT, AUTH_NEXT, AUTH_NEXT, AUTH_NEXT },
		{ 504, AUTH_NEXT, AUTH_NEXT, AUTH_NEXT, AUTH_NEXT },
		{ 534, AUTH_STRONGER, AUTH_STRONGER, AUTH_STRONGER, AUTH_STRONGER },
		{ 535, AUTH_REFUSED, AUTH_REFUSED, AUTH_REFUSED, AUTH_REFUSED },
	};
	const bool initial = said & SAID_INITIAL, all = said & SAID_ALL;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].code != code)
			continue;
		if (all)
			return initial ? table[i].all_at_once : table[i].all;
		return initial ? table[i].initial : table[i].nothing;
	}
	return AUTH_FAILED;
}

/* What may be done about a refusal, where its words do not tell. */
static void add_hint(const struct session *s, const struct reply *r, const struct mechanism *m,
		     unsigned said, struct error *err)
{
	const bool elsewhere = s->account->auth.mode != AUTH_MECHANISM &&
		strcmp(m->name, "PLAIN") == 0 && strvec_has(&s->mechanisms, "LOGIN");

	if (r->code == 432 && !s->account->auth.transition)
		error_append(err, " (auth_transition = on lets it see the password once)");
	else if (r->code == 538 && !s->encrypted)
		error_append(err, " (set tls = starttls)");
	else if (r->code == 501 && said == (SAID_ALL | SAID_INITIAL))
		error_append(err, " (a password that is right: auth_initial_response = never)");
	else if ((r->code == 550 || r->code == 553) && elsewhere)
		error_append(err, " (a password that is right: auth = login)");
}

void auth_explain(const struct session *s, const struct reply *r, const struct mechanism *m,
		  unsigned said, const char *detail, struct error *err)
{
	reply_error_about(r, STAGE_AUTH, m->name, err);
	if (r->code == 501 && said & SAID_ALL) {
		error_turn(err, FAULT_PASSWORD_REFUSED);	/* Cyrus's word for it */
		if (r->status[0])
			snprintf(err->status, sizeof(err->status), "%s", r->status);
	}
	if (detail && *detail)
		error_append(err, "; %s", detail);
	add_hint(s, r, m, said, err);
}

bool auth_token_from_command(const struct auth_settings *a)
{
	if (secret_is_set(&a->token) || a->token_file)
		return false;
	if (a->token_command)
		return true;
	/* msmtp's way: the password is the token */
	return !secret_is_set(&a->password) && !a->password_file && a->password_fd < 0 &&
		!a->password_credential && (a->password_command || a->passwordeval);
}
