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

#include "net/wire.h"
#include "smtp/extensions.h"
#include "smtp/reply.h"
#include "util/attr.h"
#include "util/clock.h"
#include "util/strbuf.h"
#include "util/strmap.h"
#include "util/strvec.h"

struct arena;
struct auth_memory;
struct early_memory;
struct observer;
struct secret;
struct veil;

/*
 * Who wants to know how an attempt goes on: functions passed down from the
 * command line. Any may be NULL. They must not touch the session.
 */

/* What is done on the way to a session, in this order; EHLO and TLS may come twice. */
enum session_step {
	STEP_CONNECT, STEP_TLS, STEP_GREETING, STEP_EHLO, STEP_STARTTLS, STEP_AUTH, STEP_COUNT
};

struct observer {
	void *ctx;
	/*
	 * A step begins, so the one before it has gone well: what the server
	 * said to it is in s (NULL while there is no session). A failure
	 * belongs to the last step that was told.
	 */
	void (*step)(void *ctx, enum session_step step, const struct session *s);
	/* Connected to server ("mail.example.org:587") at its numeric address. */
	void (*connected)(void *ctx, const char *server, const char *address);
	/* It could not be connected to, or TLS from the first octet failed. */
	void (*failed)(void *ctx, const char *server, const struct error *err);
	/* The connection is closed, whoever did it. */
	void (*closed)(void *ctx);
	/*
	 * TLS is on: what was agreed, whether the certificate was verified, and
	 * the certificates that the server sent, as PEM, its own first.
	 */
	void (*secured)(void *ctx, const char *tls, bool verified, const struct strvec *chain);
	/* A record or handshake message of TLS has gone over the line. */
	wire_trace_fn *tls_trace;
	/*
	 * These octets of the message go out, as they are sent: with DATA that is
	 * with doubled dots and the last one.
	 */
	void (*text)(void *ctx, const char *data, size_t n);
	/* So many octets of the message have gone out. */
	void (*transfer)(void *ctx, uint64_t done, uint64_t total);
};

/* Tells o (may be NULL) that the step begins. */
void observer_step(const struct observer *o, enum session_step step, const struct session *s);

/*
 * TLS has come up under w: a note in the transcript ("TLS: ..."), and the
 * observer (may be NULL) is told.
 */
void observer_secured(const struct observer *o, struct wire *w);

/* Gives the password or token when AUTH needs it; 0, or -1 and err. */
enum credential {
	CREDENTIAL_PASSWORD, CREDENTIAL_TOKEN, CREDENTIAL_KEY_PASSWORD,
	CREDENTIAL_TICKET	/* is there one of Kerberos? nothing is given */
};

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
	bool keep_tls;			/* a session before had TLS: never in clear text now */
	const bool *without;		/* EXT_COUNT: as if not announced; NULL = none */
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
	bool given_up[EXT_COUNT];	/* announced, and not what the server can do */
	uint64_t size_limit;		/* 0 = none told */
	unsigned rcpt_max;		/* LIMITS RCPTMAX, 0 = none */
	unsigned mail_max, domain_max;	/* the same: MAILMAX, RCPTDOMAINMAX */
	unsigned mail_count;		/* MAIL commands of this connection */
	struct strmap domains;		/* of its recipients, when domain_max is set */
	struct strvec mechanisms;	/* of AUTH */
	struct strvec keywords;		/* every EHLO line as it came */
	struct strvec clear_keywords;	/* those of the EHLO before STARTTLS: for --serverinfo */
	char server_name[256];		/* first word of greeting or EHLO */
	bool dovecot;			/* so it calls itself when it greets */
	bool encrypted, verified, authenticated;
	bool local;			/* on a local socket */
	bool dead;			/* closed, 421 or EX_PROTOCOL: no more commands, no QUIT */
	bool chunk_once;		/* BDAT LAST was answered once, as far as was looked */
	unsigned content_count;		/* messages whose content was begun */
	bool need_reset;		/* the last transaction was left open: RSET before MAIL */
	bool hasty;			/* a group is out, and nobody stands: see GROUP_SECONDS */
	bool patient;			/* content is out with its envelope: replies take as long */
	bool xclient_sent;		/* we are somebody else now: never for another message */
	bool send_refused;		/* the server does not know SEND, SOML, SAML */
	const char *mechanism;		/* used for AUTH */
	const char *binding;		/* of the channel, "refused", NULL = none was tried */
	const char *transid;		/* CHECKPOINT: of this transaction; NULL = none */
	struct reply reply;		/* the last one */
	struct veil *veil;		/* of its replies, until it is signed in; NULL = none */
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

/*
 * QUIT unless dead, which the session is then; does not wait longer than
 * timeouts.quit, and without wait only for what comes at once. The code of a
 * reply that nobody had asked for, a goodbye aside: one that lay there before
 * QUIT went out, or a refusal in front of QUIT's own reply; else 0.
 */
int session_quit(struct session *s, bool wait);

/* Does the server say anything within so many milliseconds? Nothing is read; false at its end. */
bool session_hears(struct session *s, int milliseconds);

/*
 * What comes at once behind a reply that was the last one due: its code, and
 * the session is dead then; 0 = nothing does.
 */
int session_stray(struct session *s);

/* Frees what the session holds; not the wire. Harmless when called twice. */
void session_release(struct session *s);

/* Was the extension announced, known here and not switched off? */
bool session_has(const struct session *s, enum extension_id id);

/* The server has shown that it cannot do what it announces: it is as if it did not. */
void session_give_up(struct session *s, enum extension_id id);

/* A line of our own in the transcript, beside what is sent. */
void session_note(const struct session *s, const char *text);

/* --- for the other modules of this folder --- */

/*
 * The most seconds for each reply to a group as long as no recipient was
 * accepted: whoever does not answer all of it gets it once more, one command
 * at a time and with all the time that the account allows.
 */
#define GROUP_SECONDS 30

/* The deadline of a stage by the account's timeouts, and by GROUP_SECONDS when hasty. */
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

/* Makes s->line those words, with a blank and further behind them if that is not NULL. */
void session_line(struct session *s, const char *words, const char *further);

/* Sends s->line and reads the reply; an unasked 421 counts as the reply. */
ATTR_CHECK int session_command(struct session *s, enum stage stage, struct error *err);

/* The same for a line of these words. */
ATTR_CHECK int session_say(struct session *s, enum stage stage, const char *words,
			   struct error *err);

/*
 * EHLO before the greeting, where the server has said on an earlier
 * connection that it may be done (PIPECONNECT of Exim).
 *
 * EHLO alone goes ahead, and nothing is assumed of its reply. What is kept
 * of a server is one flag: that it invites to it.
 */

/* For one address, port and EHLO name; who keeps it is no matter here. */
struct early_memory {
	bool (*invited)(void *ctx);
	void (*note)(void *ctx, bool invited);
	void *ctx;
};

#endif
