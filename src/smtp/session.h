/*
 * A session with the server, from greeting to QUIT.
 *
 * Straight-line: send, expect, decide. Holds what the server said; all of it
 * is forgotten when TLS starts.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/extensions.h"
#include "smtp/reply.h"
#include "util/attr.h"
#include "util/clock.h"
#include "util/strbuf.h"
#include "util/strvec.h"

struct account;
struct arena;
struct auth_memory;
struct early_memory;
struct envelope;
struct error;
struct observer;
struct limits_domains;
struct wire;

/* Gives the password or token when AUTH needs it; 0, or -1 and err. */
enum credential {
	CREDENTIAL_PASSWORD, CREDENTIAL_TOKEN, CREDENTIAL_KEY_PASSWORD,
	CREDENTIAL_TICKET	/* is there one of Kerberos? nothing is given */
};
struct secret;
typedef int credential_fn(void *ctx, enum credential, struct secret *out, struct error *);

struct session_options {
	const struct account *account;
	const char *host;		/* name to verify, ASCII; as connected */
	const char *tls_domain;		/* another name the certificate may have; NULL = none */
	unsigned port;
	credential_fn *credential;
	void *credential_ctx;
	const struct observer *observer;	/* NULL = nobody watches */
	const char *ehlo_name;		/* domain or address literal */
	const struct envelope *envelope;	/* what will be sent; NULL = not known */
	bool needs_extensions;		/* false: a HELO session will do */
	bool info_only;			/* --serverinfo: no AUTH, TLS verified as usual */
	const struct early_memory *early;	/* may EHLO go before the greeting? NULL = never */
	const struct auth_memory *auth_memory;	/* NULL = none */
};

struct session {
	struct wire *wire;
	struct session_options opt;
	const struct account *account;
	struct arena *arena;
	enum session_protocol { SESSION_ESMTP, SESSION_SMTP, SESSION_LMTP } protocol;
	bool announced[EXT_COUNT];
	uint64_t size_limit;		/* 0 = none told */
	unsigned rcpt_max;		/* LIMITS RCPTMAX, 0 = none */
	unsigned mail_max, domain_max;	/* the same: MAILMAX, RCPTDOMAINMAX */
	unsigned mail_count;		/* MAIL commands of this connection */
	struct limits_domains *domains;	/* of its recipients, when domain_max is set */
	struct strvec mechanisms;	/* of AUTH */
	struct strvec keywords;		/* every EHLO line as it came */
	struct strvec clear_keywords;	/* those of the EHLO before STARTTLS: for --serverinfo */
	char server_name[256];		/* first word of greeting or EHLO */
	bool encrypted, verified, authenticated;
	bool local;			/* on a local socket */
	bool dead;			/* closed, 421 or EX_PROTOCOL: no more commands, no QUIT */
	bool need_reset;		/* the last transaction was left open: RSET before MAIL */
	bool xclient_sent;		/* we are somebody else now: never for another message */
	bool send_refused;		/* the server does not know SEND, SOML, SAML */
	const char *mechanism;		/* used for AUTH */
	const char *transid;		/* CHECKPOINT: of this transaction; NULL = none */
	struct reply reply;		/* the last one */
	struct strbuf line;		/* the command that is being built */
};

/* How a session that failed may be tried once more, in a new connection. */
enum session_retry {
	SESSION_RETRY_NOT,
	SESSION_RETRY_HELO,		/* EHLO was dropped without reply: with HELO */
	SESSION_RETRY_GREETED		/* EHLO went before the greeting: behind it */
};

/*
 * Greeting, EHLO (HELO, LHLO), STARTTLS, EHLO, AUTH as the account wants.
 * Takes no ownership of wire. On failure the session is closed (QUIT where
 * it makes sense), and still to be released.
 */
ATTR_CHECK int session_open(struct session *s, struct wire *wire,
			    const struct session_options *opt, bool helo_only,
			    enum session_retry *retry_out, struct error *err);

/* QUIT unless dead, which the session is then; does not wait longer than timeouts.quit. */
void session_quit(struct session *s, bool wait);

/* Frees what the session holds; not the wire. Harmless when called twice. */
void session_release(struct session *s);

/* Was the extension announced, known here and not switched off? */
bool session_has(const struct session *s, enum extension_id id);

/* A line of our own in the transcript, beside what is sent. */
void session_note(const struct session *s, const char *text);

/* --- for the other modules of this folder --- */

/* The deadline of a stage by the account's timeouts. */
struct deadline session_deadline(const struct session *s, enum stage stage);

/*
 * Has the server said anything that nobody asked for? 0: no; 1: a 421, which
 * is in s->reply and ends the session; -1: anything else (EX_PROTOCOL 5.5.0).
 */
ATTR_CHECK int session_quiet(struct session *s, struct error *err);

/* Reads a reply into s->reply. A failure and a 421 make the session dead. */
ATTR_CHECK int session_reply(struct session *s, enum stage stage, struct error *err);

/*
 * The text of err says what the server calls itself: is that the name by
 * which it was asked for (err->named)? Returns -1.
 */
int session_named(const struct session *s, struct error *err);

/* Sends s->line and reads the reply; an unasked 421 counts as the reply. */
ATTR_CHECK int session_command(struct session *s, enum stage stage, struct error *err);

#endif
