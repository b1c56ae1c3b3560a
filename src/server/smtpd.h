/*
 * One session of the listener: RFC 5321 as a server for submission, over any
 * stream (tests use memory), with any delivery (server/delivery.h).
 *
 * Guarantees: 250 to the final dot only when the message is stored for good;
 * nothing is stored when the client goes away inside DATA; nothing of one
 * transaction is left for the next; only CRLF.CRLF ends the data; replies
 * come in order and are sent when no more input is waiting (RFC 2920); what
 * was known before STARTTLS is forgotten after it (RFC 3207), and octets sent
 * ahead of the handshake end the session.
 */
#ifndef SERVER_SMTPD_H
#define SERVER_SMTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message/envelope.h"
#include "util/attr.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/strbuf.h"

struct arena;
struct caller;
struct delivery;
struct delivery_client;
struct incoming;
struct listen_settings;
struct server_options;
struct smtpd;
struct wire;

/* One bit each: the table of commands holds sets of them. */
enum smtpd_state {
	SMTPD_START = 1,	/* connected, no EHLO yet */
	SMTPD_READY = 2,	/* EHLO given, no transaction */
	SMTPD_MAIL = 4,		/* MAIL accepted, no recipient yet */
	SMTPD_RCPT = 8,		/* at least one recipient */
	SMTPD_BDAT = 16,	/* chunks have come, the last has not */
	SMTPD_FAILED = 32	/* a chunk was refused: RSET, or the last one */
};

enum {
	/* RFC 5321 + SIZE, BODY, SMTPUTF8, AUTH, DSN, BY, HOLD, MT-PRIORITY, REQUIRETLS */
	SMTPD_LINE_MAX = 512 + 26 + 17 + 10 + 500 + 116 + 17 + 34 + 15 + 11,
	SMTPD_LOOSE_LINE_MAX = 4096,
	SMTPD_AUTH_LINE_MAX = 12288,			/* RFC 4954, section 4 */
	SMTPD_ERRORS_MAX = 20,
	SMTPD_SIGN_IN_MAX = 3				/* failures in a session */
};

struct smtpd {
	const struct server_options *options;
	struct delivery *delivery;
	struct wire *wire;
	const char *peer;		/* client's address as text */
	int stop_fd;			/* readable: end after the running command; -1 = never */
	unsigned pause_ms;		/* before the reply to a failed sign-in */

	enum smtpd_state state;
	bool ended;			/* nothing more is read from the client */
	bool stopping;			/* stop_fd was seen */
	int64_t stop_looked_ms;		/* clock_ms() of the last look at it between commands */
	struct deadline stop_limit;	/* grace for a message under way */
	struct error error;		/* why it ended, if not by QUIT; exit 0 otherwise */
	bool tls, esmtp, lmtp;
	bool loopback;			/* the client is on this host */
	bool network;			/* it comes by TCP */
	bool certified;			/* it has shown a certificate of server_client_ca */
	bool local;			/* the client is a process of this host, for sure */
	bool stdio;			/* it has started us: -bs */
	bool lf_only;			/* each line so far had a bare LF; set with stdio */
	const struct caller *caller;	/* of a local socket; NULL = none, or not known */
	long uid, pid;			/* of a local client; -1 = unknown */
	const char *program;		/* of that pid; NULL = unknown */
	struct deadline limit;		/* for what is being read; at 0 = none */
	struct deadline session_limit;	/* for the last command */
	struct strbuf helo;		/* name given with EHLO or HELO */
	struct strbuf user;		/* who has signed in; "" = nobody */
	unsigned errors, sign_in_failures, mails, messages;
	struct strbuf line;		/* command being run */

	struct arena *arena;		/* of the transaction, as all below */
	struct envelope envelope;
	bool refused_rcpt;		/* a recipient was refused */
	size_t *accepted;		/* the recipient of each RCPT, repeated ones too */
	size_t rcpt_accepted, accepted_alloc;
	struct incoming *content;	/* NULL = none is under way */
	bool begun;			/* the delivery was told of the transaction */
	bool sender_held;		/* MAIL is not answered yet, nor are */
	struct recipient *held;		/* these */
	size_t held_n, held_alloc;
	struct strbuf *kept_chunk;	/* the content, read while they wait; NULL = it is not */
	bool answering;			/* they are being answered */
	bool spoilt;			/* MAIL was refused then: to be reset */
};

/*
 * Takes the wire; to stay the caller's it is taken out before the release.
 * Options, delivery and peer are borrowed and must outlive it. stop_fd and
 * pause_ms may be changed before smtpd_run().
 */
void smtpd_init_take(struct smtpd *s, const struct server_options *options, struct wire *wire,
		     struct delivery *delivery, const char *peer);
void smtpd_release(struct smtpd *s);

/*
 * Serves the session to its end. -1 when it broke (the client went away
 * without QUIT, silence, no TLS); err says how.
 */
ATTR_CHECK int smtpd_run(struct smtpd *s, struct error *err);

/* --- for the commands ----------------------------------------------------- */

/*
 * One reply. status is the enhanced status, NULL for greeting, EHLO and 3xx;
 * a code of 500 and above counts as an error. What does not fit the form of a
 * reply (other than printable ASCII) becomes '?'.
 */
ATTR_PRINTF(4, 5)
void smtpd_reply(struct smtpd *s, int code, const char *status, const char *fmt, ...);

/* One line of a longer reply: code, ' ' or '-', text. */
ATTR_PRINTF(4, 5)
void smtpd_reply_line(struct smtpd *s, int code, char separator, const char *fmt, ...);

/* The reply that an error asks for, with its status and text. */
void smtpd_reply_error(struct smtpd *s, int code, const struct error *err);

/* Sends what was put; ends the session on failure. */
void smtpd_flush(struct smtpd *s);

/* Ends the session without further words; err (may be NULL) is why. */
void smtpd_end(struct smtpd *s, const struct error *err);

/*
 * A line from the client into line (limit as set there); *cut_out: it was
 * longer, *bare_out: it did not end with CRLF alone, or held CR or NUL.
 * false when there is none: then the session has ended, with 421 where that
 * can still be said.
 */
ATTR_CHECK bool smtpd_read_line(struct smtpd *s, struct strbuf *line, bool *cut_out,
				bool *bare_out);

/*
 * At least one octet of input, as wire_peek(); replies are sent before
 * waiting. false as above. grace: a stop lets it go on for a while.
 */
ATTR_CHECK bool smtpd_wait_input(struct smtpd *s, bool grace, const char **data_out,
				 size_t *n_out);

/* Forgets the transaction; the state goes back to READY. */
void smtpd_reset(struct smtpd *s);

/*
 * Asks the delivery, where it wants to be asked, about the sender of the
 * envelope or one recipient more (which is not in it yet), replies, and takes
 * whom it takes: SMTPD_MAIL, SMTPD_RCPT. The reply may be held (held.c).
 */
void smtpd_take_sender(struct smtpd *s);
void smtpd_take_recipient(struct smtpd *s, const struct recipient *r);

/* Is a reply held? */
bool smtpd_holds(const struct smtpd *s);

/* Gives the replies that are held; whatever else is said comes behind them. */
void smtpd_answer_held(struct smtpd *s);

/* For the delivery: borrows from the session. */
struct delivery_client smtpd_client(const struct smtpd *s);

/* 503 or 554 to content for nobody. */
void smtpd_refuse_content(struct smtpd *s);

/* Puts a stream on top of the session's; ends the session on failure. */
ATTR_CHECK bool smtpd_start_tls(struct smtpd *s);

/* One line for the log, with what belongs to the session in front. */
ATTR_PRINTF(2, 3)
void smtpd_log(struct smtpd *s, const char *fmt, ...);

/* A pause that a stop cuts short. */
void smtpd_pause(struct smtpd *s, unsigned ms);

/* Name of this server. */
const char *smtpd_name(const struct smtpd *s);

/* Is AUTH offered now, and was it used? */
bool smtpd_offers_auth(const struct smtpd *s);
bool smtpd_signed_in(const struct smtpd *s);

/* Has the client proven itself, by AUTH or by a certificate? */
bool smtpd_proven(const struct smtpd *s);

/* --- AUTH (auth.c) -------------------------------------------------------- */

/*
 * The AUTH command (RFC 4954): mechanisms PLAIN and LOGIN, their dialogues,
 * and what a failure costs.
 */

/* Runs AUTH; arg is what stands behind the verb. Forgets the line after that. */
void signin_run(struct smtpd *s, const char *arg);

/* Adds the names of the mechanisms that are offered, with blanks between: for EHLO. */
void signin_mechanisms(const struct smtpd *s, struct strbuf *out);

/*
 * Names and passwords of the listener's clients: a password file, read anew
 * for each attempt, and the message of AUTH PLAIN (RFC 4616).
 *
 * Lines are USER:{SCHEME}HASH or USER:HASH; '#' begins a comment line; for
 * all schemes but PLAIN the hash ends at the next ':', as in passwd(5).
 * Schemes: CRYPT and *-CRYPT names go to crypt(3), which is loaded when first
 * needed; PLAIN holds the password itself. The file must belong to the caller
 * or root and be closed to others. Comparison takes the same time wherever
 * the difference is, and an unknown name costs as much as a wrong password.
 */

#define AUTH_NAME_MAX 255		/* octets of a user name */
#define AUTH_FILE_MAX ((size_t)4 * 1024 * 1024)

struct auth_login {
	struct secret user, password;
};

/* Both are overwritten and unset after that. */
void auth_login_release(struct auth_login *login);

/*
 * Splits the decoded octets of AUTH PLAIN: authzid NUL user NUL password.
 * EX_NOPERM: 501 5.5.2 in err for a malformed message, 535 5.7.8 for
 * another authzid than the user itself.
 */
ATTR_CHECK int auth_parse_plain(const struct strbuf *message, struct auth_login *login,
				struct error *err);

/*
 * Sets one field (of AUTH LOGIN); NUL or, in a user name, more than
 * AUTH_NAME_MAX octets are refused with 501 5.5.2.
 */
ATTR_CHECK int auth_set_user(struct auth_login *login, const struct strbuf *text,
			     struct error *err);
ATTR_CHECK int auth_set_password(struct auth_login *login, const struct strbuf *text,
				 struct error *err);

/*
 * Is that the password of that user in file path? EX_NOPERM, 535 5.7.8 if
 * not; any other error is a local fault (454 4.7.0, the text is for the log).
 */
ATTR_CHECK int auth_check(const char *path, const struct auth_login *login, struct error *err);

/*
 * Says set->on_auth that this is the password of that user? It is told by
 * descriptor 3: authzid, user, password, mechanism, peer, each with a NUL
 * behind it. Exit 0 is yes, 1 is no (EX_NOPERM); all else, and a program that
 * fails or hangs, is an error of another exit code: 454.
 */
ATTR_CHECK int auth_hook(const struct listen_settings *set, const struct auth_login *login,
			 const char *mechanism, const char *peer, struct error *err);

/*
 * The password of a user whose entry holds it ({PLAIN}); *out stays unset for
 * all others. A local fault as above.
 */
ATTR_CHECK int auth_find_password(const char *path, const char *user, struct secret *out,
				  struct error *err);

/* Asks with a challenge in base64 and adds the answer to out; -1: the client was answered. */
ATTR_CHECK int signin_ask(struct smtpd *s, const char *challenge, struct strbuf *out);

/*
 * SCRAM by its name, first being the client's first message (auth_scram.c):
 * the user in login when he has proven himself. -1 and EX_NOPERM when not; any
 * other error is a local fault; with exit 0 the client was answered already.
 */
ATTR_CHECK int scram_converse(struct smtpd *s, const char *name, struct strbuf *first,
			      struct auth_login *login, struct error *err);

/* Can the file be read, and is it closed to others? EX_CONFIG if not. */
ATTR_CHECK int auth_check_file(const char *path, struct error *err);

/* --- the content (content.c) ------------------------------------------------ */

/*
 * Runs DATA: 354, the message through indata_push() into the delivery with its
 * trace fields on top (RFC 5321, section 4.4), and the verdict. The
 * transaction must have a recipient. When the client goes away, is silent too
 * long or the message cannot be taken, nothing is stored.
 */
void receive_data(struct smtpd *s);

/*
 * Runs BDAT (RFC 3030): reads exactly size octets and replies. Where a chunk
 * is out of order, or one before was refused, they are read all the same, and
 * none of them is a command. The message is taken with the last one.
 */
void receive_chunk(struct smtpd *s, uint64_t size, bool last);

/* Gives up a message that is on its way; for smtpd_reset(). */
void receive_reset(struct smtpd *s);

/*
 * The octets between 354 and the end of data (RFC 5321, sections 4.1.1.4 and
 * 4.5.2): finds the end, removes the doubled dots, makes the lines canonical.
 *
 * The end is CRLF "." CRLF and nothing else, whatever the settings; a dot
 * after a bare LF or a bare CR never begins it. With lf_only, as long as each
 * line has ended in a bare LF, LF "." LF is the end, too. What comes out has
 * CRLF line ends only, no bare CR (it becomes a blank), no bare LF (it becomes
 * CRLF), no NUL (dropped); what had to be mended is noted, and it is the
 * caller who refuses such a message. Any way of cutting the input into pieces
 * gives the same output. It holds no memory of its own.
 */
enum indata_state {
	INDATA_LINE,		/* at the start of a line */
	INDATA_TEXT,
	INDATA_CR,		/* behind a CR */
	INDATA_DOT,		/* behind the dot that began a line */
	INDATA_DOT_CR,		/* behind that dot and a CR */
	INDATA_DONE
};

/* Begins zeroed, with the first octet behind the 354. */
struct indata {
	enum indata_state state;
	bool after_lf;		/* the line began behind a bare LF */
	bool lf_only;		/* set before: no line of the client has ended in CRLF */
	bool chunked;		/* of BDAT: dots are dots, the caller knows the end; INDATA_TEXT */
	bool bare_lf, bare_cr, nul;
	char last;		/* octet given out; 0 = none */
	uint64_t size;		/* octets given out */
};

/*
 * Takes octets and appends what they mean to out, whose limit must leave
 * room for 2 n + 4 more. Returns how many were taken: all n, or fewer when
 * the end of data was among them (state INDATA_DONE); the rest are commands.
 */
size_t indata_push(struct indata *in, const char *data, size_t n, struct strbuf *out);

/* The end of chunks: the last line gets its CRLF. */
void indata_finish(struct indata *in, struct strbuf *out);

/* --- verbs (commands.c) --------------------------------------------------- */

/*
 * The commands of the listener: one table of verbs, the states in which each
 * is allowed, and its handler.
 */

/* Runs the command in s->line (without its end; no NUL in it) and replies. */
void commands_run(struct smtpd *s);

/* Is that line an AUTH command? Its length limit is another. */
bool commands_is_auth(const struct strbuf *line);

#endif
