/*
 * The envelope: sender, recipients and delivery options, clean for the wire.
 */
#ifndef MESSAGE_ENVELOPE_H
#define MESSAGE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"
#include "util/error.h"

struct arena;
struct envelope_index;
struct explain;
struct message;

enum body { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

/*
 * The content when the server is to fetch parts of it (BURL, RFC 4468): all
 * of it in order. A part is a URL, text as it goes out, or the message.
 */
struct burl_part {
	const char *url, *text;	/* both NULL: the message */
	size_t len;		/* of text */
};
struct burl {
	const struct burl_part *part;
	size_t n;
};

/* DSN NOTIFY as bits (RFC 3461, section 4.1); 0 = not given. */
enum dsn_notify {
	DSN_NOTIFY_NEVER = 1, DSN_NOTIFY_SUCCESS = 2, DSN_NOTIFY_FAILURE = 4, DSN_NOTIFY_DELAY = 8
};

/* DSN RET (RFC 3461, section 4.3). */
enum dsn_ret { DSN_RET_NONE, DSN_RET_FULL, DSN_RET_HDRS };

/* Where a recipient was named; ADDED: by a setting, a rule, ... */
enum rcpt_source {
	RCPT_SOURCE_ARGUMENT, RCPT_SOURCE_OPTION, RCPT_SOURCE_TO, RCPT_SOURCE_CC, RCPT_SOURCE_BCC,
	RCPT_SOURCE_ADDED
};

struct recipient {
	const char *address;	/* local@domain as RCPT TO:<...> takes it */
	const char *orcpt;	/* address before aliasing, NULL = none */
	const char *orcpt_type;	/* of it (RFC 3461, 4.2), NULL = one of mail */
	const char *original;	/* as it was asked for, where that is another; NULL = the same */
	unsigned notify;	/* enum dsn_notify bits, 0 = not asked for */
	enum rcpt_source source;
	unsigned repeated;	/* how often it was named once more */
	bool blind;		/* not in To or Cc; only looked at for bcc_separate ... */
	bool bcc;		/* ... and in Bcc; for bcc_copies */
	bool rrvs;		/* only if the mailbox has had one owner since (RFC 7293) */
	bool rrvs_continue;	/* ... and nobody minds a server that does not know it */
	int64_t rrvs_ms;	/* since then: see util/clock.h */
};

/* DELIVERBY (RFC 2852): what is to happen when it is too late. */
enum by_mode { BY_NONE, BY_NOTIFY, BY_RETURN };

/* FUTURERELEASE (RFC 4865): how the release was asked for. */
enum hold { HOLD_NONE, HOLD_FOR, HOLD_UNTIL };

/*
 * Extensions, in the order in which their hooks run (STARTTLS, then AUTH,
 * then the rest) and in which their parameters of MAIL and RCPT stand
 * (doc/protocol.md#parameters). The rows, ext_KEYWORD, are in smtp/ext/ and, when they
 * have no hooks of their own, in smtp/extensions.c.
 */
#define EXTENSIONS(ROW) \
	ROW(XCLIENT) ROW(STARTTLS) ROW(SIZE) ROW(8BITMIME) ROW(BINARYMIME) ROW(SMTPUTF8) \
	ROW(REQUIRETLS) ROW(DSN) ROW(AUTH) ROW(MT_PRIORITY) ROW(DELIVERBY) \
	ROW(FUTURERELEASE) ROW(MTRK) ROW(SUBMITTER) ROW(NO_SOLICITING) ROW(CONPERM) \
	ROW(PRDR) ROW(CHECKPOINT) ROW(RRVS) ROW(CONNEG) ROW(ENHANCEDSTATUSCODES) \
	ROW(PIPELINING) ROW(CHUNKING) ROW(BURL) ROW(PIPECONNECT) ROW(X_PIPE_CONNECT) \
	ROW(LIMITS) ROW(XFORWARD) ROW(SEND) ROW(SOML) ROW(SAML)

#define EXTENSION_ID(id) EXT_##id,
enum extension_id { EXTENSIONS(EXTENSION_ID) EXT_COUNT };

/*
 * What is asked of the server beyond plain delivery, ready for the wire. A
 * zeroed one asks for nothing. Moments are those of util/clock.h.
 */
struct ext_request {
	enum by_mode by;
	bool by_trace;
	int64_t by_ms;
	enum hold hold;
	int64_t hold_ms;
	bool priority_given;
	int priority;		/* -9..9 (RFC 6710) */
	bool requiretls;	/* RFC 8689; whether it may be left out is the account's to say */
	const char *solicit;	/* keywords with commas, no blanks (RFC 3865); NULL = none */
	const char *mtrk;	/* certifier (RFC 3885); NULL = not to be tracked */
	const char *mtrk_secret;	/* base64, for the query */
	unsigned mtrk_timeout;	/* seconds, 0 = the server's own */
	bool asked[EXT_COUNT];	/* for by a key that is only on or off */
	const char *features;	/* Content-Features of the message; NULL = none */
	const char *submitter;	/* purported responsible address (RFC 4405); NULL = none */
	const char *mail_auth;	/* who submitted it (RFC 4954); "" = <>, NULL = not told */
};

/* Who cannot be sent to, and why: known before anything is sent. */
struct unsendable {
	const char *address;
	const struct error *why;
};

struct envelope {
	struct arena *arena;
	const char *sender;	/* "" = null reverse-path */
	const char *orig_sender;	/* as it was asked for, or the login name; NULL = unknown */
	const char *const *redirected;	/* who would have got it without redirect_to; or NULL */
	bool redirected_part;	/* ... and others get it as well */
	const char *unparsed;	/* address fields that are none, with commas; NULL = none */
	const char *envid;	/* NULL = none; not yet in xtext */
	struct recipient *rcpt;
	size_t rcpt_count, rcpt_alloc;
	struct unsendable *unsendable;	/* asked for as well; the others get it all the same */
	size_t unsendable_n, unsendable_alloc;
	const char **warning;	/* what is wrong with files that say who gets it: for the log */
	size_t warning_n, warning_alloc;
	const char *to_own;	/* the account's address, which gets mail to local names; or NULL */
	bool discard;		/* all recipients are names whose mail is thrown away */
	enum body body;
	unsigned ret;		/* enum dsn_ret */
	bool utf8;		/* an address or header field needs SMTPUTF8 */
	bool header_utf8;	/* the header does (5.6.9), not only an address (5.6.7) */
	uint64_t size;		/* octets on the wire, 0 = unknown */
	struct ext_request ext;
	const struct burl *burl;	/* NULL = the message is the content */
	struct explain *explain;	/* is told why recipients are as they are; NULL = nobody */
	struct envelope_index *index;	/* of envelope_add() */
};

/* An empty envelope in arena a. */
void envelope_init(struct envelope *e, struct arena *a);

/*
 * Adds a recipient unless an equal one (address_equal) is there; false then,
 * and its "repeated" is counted.
 * The cost does not grow with their number. Strings are copied. An address
 * that is in the list may only be changed to an equal one.
 */
bool envelope_add(struct envelope *e, const char *address, const char *orcpt);

/*
 * The same with all that is asked for another recipient (which may be of the
 * list itself); an orcpt that it has goes before the one given.
 */
bool envelope_add_as(struct envelope *e, const char *address, const char *orcpt,
		     const struct recipient *like);

/* The place of the recipient with that address; rcpt_count when there is none. */
size_t envelope_place(struct envelope *e, const char *address);

/* Takes all recipients out, so that the same or others may be added; the envelope as it was. */
struct envelope envelope_take_recipients(struct envelope *e);

/* Puts each recipient in as often as it was named, one behind the other: when all are there. */
void envelope_repeat(struct envelope *e);

/*
 * Adds the recipients of words: each is an address list. What is no address
 * goes into e->unsendable, EX_USAGE (5.1.3). option: what the words were
 * given with, which their errors name; NULL = the command line itself.
 */
void envelope_add_words(struct envelope *e, const char *const *words, size_t n,
			const char *option);

/*
 * Takes the recipients of others out of e; a name without a domain is the
 * same as that name at domain (NULL: only as itself). Nothing else of e
 * changes.
 */
void envelope_exclude(struct envelope *e, const struct envelope *others, const char *domain);

/*
 * Adds the recipients of the header (-t): To, Cc, Bcc; if there is any
 * Resent-To, Resent-Cc or Resent-Bcc, those of the topmost Resent block that
 * has one only. A block is a run of neighbouring Resent fields; a second
 * Resent-From, Resent-Date or Resent-Message-ID begins the next block (RFC
 * 5322, section 3.6.6). What is no address goes into e->unsendable, EX_DATAERR
 * (5.1.3) with the name of the field; fails as envelope_nobody() when nobody
 * else is a recipient.
 */
ATTR_CHECK int envelope_add_header(struct envelope *e, const struct message *m, struct error *err);

/* One that cannot be sent to: it is told with the result, and copies why; address is kept. */
void envelope_set_aside(struct envelope *e, const char *address, const struct error *why);

/* Adds a warning, which is copied. */
void envelope_warn(struct envelope *e, const char *text);

/*
 * Nobody is left to send to, and somebody is in e->unsendable: all of them
 * in one error, with the exit code that counts of theirs. Returns -1.
 */
int envelope_nobody(const struct envelope *e, struct error *err);

/*
 * "argument", "option", "To", "Cc", "Bcc" (also for their Resent forms),
 * "setting".
 */
const char *envelope_source_name(enum rcpt_source source);

/*
 * Text for "no recipients": "To: undisclosed-recipients:;, no Cc, no Bcc";
 * printable, long values shortened; in arena e->arena.
 */
const char *envelope_describe_header(struct envelope *e, const struct message *m);

#endif
