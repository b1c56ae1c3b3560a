/*
 * What the extensions do beyond the hooks of their rows (smtp/extensions.h).
 *
 * A file of this folder holds the rows of a few extensions and their hooks;
 * what it is about, with the RFC, stands at its top. The rows' list is
 * EXTENSIONS in message/envelope.h. A function is in the file that its name
 * begins with; deliverby and priority are in schedule.c, requiretls in conditions.c.
 */
#ifndef SMTP_EXT_EXT_H
#define SMTP_EXT_EXT_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/account.h"
#include "smtp/extensions.h"
#include "util/attr.h"

struct arena;
struct message;
struct reply;
struct result;
struct transaction;

/* Appends url as it may be shown: scheme and host. */
void burl_mask(const char *url, struct strbuf *out);

/*
 * A transaction begins: chooses whether its MAIL has TRANSID. False: it must
 * not be, as the server may have the message and does not know TRANSID any
 * more; all recipients have an outcome then.
 */
bool checkpoint_begin(struct transaction *t);

/* Must the reply to MAIL be known before anything else is sent? */
bool checkpoint_resumes(const struct transaction *t);

/* Is r, the reply to MAIL, one that goes on with what the server has? It is taken then. */
bool checkpoint_take(struct transaction *t, const struct reply *r);

/*
 * The connection was lost by err. True when the transfer can be resumed: its
 * recipients then stay without outcome.
 */
bool checkpoint_keep(struct transaction *t, const struct error *err);

/* Is CONNEG said in this session? */
bool conneg_used(const struct session *s, const struct envelope *e);

/*
 * The filter of a reply to RCPT, appended to filter. False when the message
 * may not go to that recipient as it is.
 */
bool conneg_take(const struct session *s, const struct envelope *e, const struct reply *r,
		 struct strbuf *filter);

/* NOTIFY of a recipient (enum dsn_notify), with what stands in for mode N. */
unsigned deliverby_notify(const struct session *s, const struct envelope *e, unsigned notify);

/* Does the reply say that the server changed the priority? */
bool priority_changed(const struct session *s, const struct reply *r);

#define DSN_ENVID_MAX 100	/* octets of xtext (RFC 3461, section 4.4) */
#define DSN_ORCPT_MAX 500	/* octets of the value (section 4.2) */
#define DSN_MAIL_OCTETS (sizeof(" RET= ENVID=") - 1 + 8 + DSN_ENVID_MAX)
#define DSN_RCPT_OCTETS (sizeof(" NOTIFY= ORCPT=") - 1 + 28 + DSN_ORCPT_MAX)

/* Appends " ORCPT=" of a recipient as it was asked for, unless it would be too long. */
void dsn_add_orcpt(const struct session *s, const struct recipient *r, struct strbuf *out);

/* Has the session had all the MAIL commands that it may have? */
bool limits_spent(const struct session *s);

/*
 * May a recipient with that address be asked for in this session? Its domain
 * is counted then.
 */
bool limits_take_domain(struct session *s, const char *address);

/* "TIME.PID.RANDOM", at most 38 characters, never twice. */
const char *mtrk_id(struct arena *a);

/*
 * A secret, its hash, and an ENVID of the form local@host for the envelope.
 * None of them when an alias made several recipients of one (section 3.1).
 */
ATTR_CHECK int mtrk_begin(struct envelope *e, struct error *err);

/* "mtqp://HOST/track/ENVID/SECRET" (RFC 3887, section 9), appended. */
void mtrk_uri(const struct envelope *e, const struct result *r, struct strbuf *out);

/*
 * MAIL was refused for its parameters: gives up what the message can be
 * converted to go without, and SIZE with it. False: there is no such thing.
 */
bool body_give_up(struct session *s, const struct envelope *e);

/* May binary content be converted, where BDAT cannot be used after all? Breaks no signature. */
bool body_binary_converts(const struct session *s, const struct envelope *e,
			  const struct message *m);

/* Will MAIL have the parameter? Then notices bring back the header only. */
bool requiretls_used(const struct session *s, const struct envelope *e);

/* How this envelope begins in this session. */
enum send_mode send_mode(const struct session *s, const struct envelope *e);

/* "MAIL FROM:<", "SOML FROM:<". */
const char *send_mode_open(enum send_mode mode);

/*
 * The only parameters these commands can have, SIZE and BODY; returns the
 * octets by which they raise the limit of the line.
 */
size_t send_mode_params(const struct session *s, const struct envelope *e, struct strbuf *out);

/* Must the reply be waited for, because the server may not know the verb? */
bool send_mode_uncertain(const struct session *s, enum send_mode mode);

/* Is r the answer of a server without the verb, and is MAIL to be tried instead? */
bool send_mode_fall_back(struct session *s, const struct envelope *e, const struct reply *r);

/* Is TLS still to be started in this session? */
bool starttls_wanted(const struct session *s);

/*
 * Can the account's attributes be sent? EX_CONFIG 5.3.5 for one that has no
 * name, a name twice, an address that is none, control characters, too long.
 */
ATTR_CHECK int xclient_check_account(const struct account *a, struct error *err);

/*
 * Puts the next XFORWARD command into s->line: as many of the account's
 * attributes from *at on as fit in one, *at moves behind them. False when
 * none is left, or the server has no XFORWARD or not these attributes.
 */
bool xforward_next(struct session *s, size_t *at);

#endif
