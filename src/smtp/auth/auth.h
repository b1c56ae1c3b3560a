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

struct envelope;
struct error;
struct reply;
struct session;
struct strbuf;
struct strvec;

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

#endif
