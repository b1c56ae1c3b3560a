/*
 * What a reply to AUTH leads to (RFC 4954, section 6), and how it is told.
 */
#ifndef SMTP_AUTH_VERDICT_H
#define SMTP_AUTH_VERDICT_H

#include <stdbool.h>

#include "util/attr.h"

struct auth_settings;
struct error;
struct mechanism;
struct reply;
struct session;

/* What a try of one mechanism leads to. */
enum auth_verdict {
	AUTH_DONE,
	AUTH_FAILED,
	AUTH_NEXT, AUTH_STRONGER,	/* another one may do; a stronger one only */
	AUTH_REFUSED,		/* the password is wrong */
	AUTH_TRANSITION,	/* the server wants to see the password once */
	AUTH_WITHOUT_INITIAL	/* the same again, without initial response */
};

/* Of a reply that is not 235; initial: there was an initial response. */
enum auth_verdict auth_judge_code(int code, bool initial);

/* Fills err: the reply, hints, and detail: what the server said of a token (NULL, "": nothing). */
void auth_explain(const struct session *s, const struct reply *r, const struct mechanism *m,
		  const char *detail, struct error *err);

/* A command may have a better token by now; one that was written down has not. */
bool auth_token_from_command(const struct auth_settings *a);

#endif
