/*
 * AUTH (RFC 4954): choosing a mechanism, running it, judging the reply.
 *
 * The server's list only says what is possible; the order is ours. A
 * password or token goes in readable form only over verified TLS, over a
 * local socket, or where the account says so in so many words. No secret is
 * fetched before a mechanism is chosen, none is shown in the transcript. A
 * refusal of the password ends it (no second guess with another mechanism),
 * and nothing is ever sent unauthenticated instead - unless the account says
 * otherwise (auth_retry; auth = try).
 */
#ifndef SMTP_AUTH_AUTH_H
#define SMTP_AUTH_AUTH_H

#include <stdbool.h>

#include "smtp/extensions.h"
#include "util/attr.h"

struct auth_settings;
struct mechanism;
struct reply;

/* Must this session be authenticated? */
bool auth_wanted(const struct session *s);

/*
 * With which mechanism the account has signed in before: kept by the caller,
 * asked only when the account has 'auth_remember'. recall: *name_out stays
 * NULL when nothing is known; -1 when that cannot be told.
 */
struct auth_memory {
	int (*recall)(void *ctx, const char **name_out, struct error *err);
	void (*remember)(void *ctx, const char *name);
	void *ctx;
};

/*
 * A recipient was refused by r, of which err was made: if nobody has signed in
 * although the server offers it, and the account names nobody, err says so -
 * unless r is about the mailbox, or about something else than who we are.
 */
void auth_explain_refusal(const struct session *s, const struct reply *r, struct error *err);

/* Row of the table of extensions. */
void auth_parse(struct session *s, const struct strvec *args);
enum ehlo_next auth_after_ehlo(struct session *s, struct error *err);

void auth_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);

/* --- choice.c: which mechanism, by doc/protocol.md#mechanisms; what a reply leads to --- */

struct auth_choice {
	const struct session *s;
	bool bound;		/* there is a channel binding */
	bool bound_used;	/* ... which is good for one sign-in (RFC 9266, section 4.1) */
	unsigned floor;		/* nothing weaker: see mechanism_strength() */
	const char *floor_why;
	bool unprepared;	/* SASLprep does not know all of user and password */
	enum { TICKET_UNKNOWN, TICKET_NONE, TICKET_FOUND } ticket;
};

/* Is there a source of a token, of a password, that the account itself names? */
bool auth_has_token(const struct auth_settings *a);
bool auth_has_password(const struct auth_settings *a);

/* Begins with what the account demands, and with what it remembers (-1: cannot be told). */
ATTR_CHECK int auth_choice_begin(struct auth_choice *c, const struct session *s,
				 struct error *err);

/* From now on nothing weaker than that; why is static text. */
void auth_choice_raise(struct auth_choice *c, unsigned strength, const char *why);

/* NULL when m can be used here and now, else why not. */
const char *auth_hindrance(struct auth_choice *c, const struct mechanism *m);

/*
 * "no way to sign in: the server offers A (why not), B (not known here)":
 * EX_UNAVAILABLE 5.7.4, EX_NOPERM 5.7.9 when one is only too weak; -1.
 */
int auth_nothing_usable(struct auth_choice *c, struct error *err);

/* After a sign-in with m: keeps it for the next one, if the account wants that. */
void auth_remember(const struct session *s, const struct mechanism *m);

/* What a try of one mechanism leads to. */
enum auth_verdict {
	AUTH_DONE,
	AUTH_FAILED,
	AUTH_NEXT, AUTH_STRONGER,	/* another one may do; a stronger one only */
	AUTH_REFUSED,		/* the password is wrong */
	AUTH_TRANSITION,	/* the server wants to see the password once */
	AUTH_WITHOUT_INITIAL,	/* the same again, without initial response */
	AUTH_UNBOUND		/* the server does not like the channel binding */
};

/* What the server had got when it replied. */
enum auth_said {
	SAID_INITIAL = 1,	/* an initial response */
	SAID_ALL = 2		/* all that it judges by: see exchange_shown() */
};

/*
 * Of a reply that is not 235. What was shown once is not shown again: 501 to
 * it is a refusal, and 500 alone may be a line too long (said: enum auth_said).
 */
enum auth_verdict auth_judge_code(int code, unsigned said);

/* May a refusal of a -PLUS mechanism, before any proof, be one of its channel binding? */
bool auth_means_binding(int code);

/* Fills err: the reply, hints, and detail: what the server said of a token (NULL, "": nothing). */
void auth_explain(const struct session *s, const struct reply *r, const struct mechanism *m,
		  unsigned said, const char *detail, struct error *err);

/* A command may have a better token by now; one that was written down has not. */
bool auth_token_from_command(const struct auth_settings *a);

#endif
