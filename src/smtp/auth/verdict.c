#include "config.h"
#include "smtp/auth/verdict.h"

#include "conf/account.h"
#include "smtp/auth/mechanism.h"
#include "smtp/reply.h"
#include "smtp/session.h"
#include "util/error.h"

enum auth_verdict auth_judge_code(int code, bool initial)
{
	/* those that leave something to try; all others end the sign-in */
	static const struct {
		int code;
		enum auth_verdict with_initial, without;
	} table[] = {
		{ 432, AUTH_TRANSITION, AUTH_TRANSITION },
		{ 500, AUTH_WITHOUT_INITIAL, AUTH_NEXT },
		{ 501, AUTH_WITHOUT_INITIAL, AUTH_FAILED },
		{ 504, AUTH_NEXT, AUTH_NEXT },
		{ 534, AUTH_STRONGER, AUTH_STRONGER },
		{ 535, AUTH_REFUSED, AUTH_REFUSED },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].code == code)
			return initial ? table[i].with_initial : table[i].without;
	}
	return AUTH_FAILED;
}

void auth_explain(const struct session *s, const struct reply *r, const struct mechanism *m,
		  const char *detail, struct error *err)
{
	reply_error_about(r, STAGE_AUTH, m->name, err);
	if (detail && *detail)
		error_append(err, "; %s", detail);
	if (r->code == 432 && !s->account->auth.transition)
		error_append(err, " (auth_transition = on lets it see the password once)");
	if (r->code == 538 && !s->encrypted)
		error_append(err, " (set tls = starttls)");
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
