/*
 * MTRK (RFC 3885): the message can be asked for later, by whoever knows the
 * secret whose hash is sent here. It needs ENVID, and ORCPT should go along;
 * where the server has no DSN they are sent with it. Here too are the secret,
 * the id and the URI; what keeps them is in track/tracking.h.
 */
#ifndef SMTP_EXT_MTRK_H
#define SMTP_EXT_MTRK_H

#include <stdbool.h>

#include "util/attr.h"

struct arena;
struct envelope;
struct error;
struct recipient;
struct result;
struct session;
struct strbuf;

/* Rows of the table of extensions. */
bool mtrk_wanted(const struct session *s, const struct envelope *e);
void mtrk_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);
void mtrk_rcpt_params(const struct session *s, const struct envelope *e,
		      const struct recipient *r, struct strbuf *out);

/* "TIME.PID.RANDOM", at most 38 characters, never twice. */
const char *mtrk_id(struct arena *a);

/*
 * A secret, its hash, and an ENVID of the form local@host for the envelope.
 * None of them when an alias made several recipients of one (section 3.1).
 */
ATTR_CHECK int mtrk_begin(struct envelope *e, struct error *err);

/* "mtqp://HOST/track/ENVID/SECRET" (RFC 3887, section 9), appended. */
void mtrk_uri(const struct envelope *e, const struct result *r, struct strbuf *out);

#endif
