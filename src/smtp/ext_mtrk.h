/*
 * MTRK (RFC 3885): the message can be asked for later, by whoever knows the
 * secret whose hash is sent here. It needs ENVID, and ORCPT should go along;
 * where the server has no DSN they are sent with it.
 */
#ifndef SMTP_EXT_MTRK_H
#define SMTP_EXT_MTRK_H

#include <stdbool.h>

struct envelope;
struct recipient;
struct session;
struct strbuf;

/* Rows of the table of extensions. */
bool mtrk_wanted(const struct session *s, const struct envelope *e);
void mtrk_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);
void mtrk_rcpt_params(const struct session *s, const struct envelope *e,
		      const struct recipient *r, struct strbuf *out);

#endif
