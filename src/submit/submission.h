/*
 * One submission up to the connection: configuration, account, message,
 * recipients, sender, content, in that order; submission_prepare() is the
 * order. Command line and --dry-run prepare a message with it, as a listener
 * or a queue may; --check, -bv and what asks a server something use its parts.
 *
 * What is asked for is plain data. What is there already is not fetched
 * again: config, account and message (nothing is read then) and what the
 * envelope is to have (recipients with their requests, ENVID, RET) may be put
 * in after submission_init(). Nothing is printed here: who wants to hear what
 * happens meanwhile gives functions for it.
 */
#ifndef SUBMIT_SUBMISSION_H
#define SUBMIT_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/accounts.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "mime/compose.h"
#include "prepare/burl.h"
#include "prepare/choose_account.h"
#include "prepare/explain.h"
#include "util/attr.h"

struct account;
struct arena;
struct error;
struct message;

/* What is asked for. A zeroed one asks for nothing. */
struct submission_request {
	struct config_request config;
	const char *account;		/* -a; NULL = to be chosen */
	const char *sender;		/* -f; NULL = not given, "" = null path */
	const char *full_name;		/* -F; NULL = not given */
	const char **word;		/* recipients: each an address list */
	size_t words;
	const char **rcpt;		/* --rcpt: recipients with options of their own */
	size_t rcpt_n, rcpt_alloc;
	bool read_recipients;		/* -t */
	bool exclude_words;		/* --exclude-args: with -t, words are taken out */
	const char *envid;		/* -V; NULL = not given */
	unsigned dsn_notify;		/* -N, 0 = not given */
	unsigned dsn_ret;		/* -R, 0 = not given */
	struct compose_request compose;	/* what options say about the message itself */
	bool dots_ignored;		/* -i */
	bool binary_input;		/* --binary-input, -B BINARYMIME */
	int body;			/* -B: enum body */
	struct burl_request burl;	/* --burl, --burl-part, --burl-size */
	bool gateway;			/* -G */
	bool explain;			/* --explain: the reasons are collected */
};

/* Who is told what happens meanwhile; each may be NULL. */
struct submission_observer {
	void (*note)(void *ctx, const char *text);	/* what the user should know */
	void *ctx;
};

/* What has become of it. It must not move: members point to each other. */
struct submission {
	const struct submission_request *request;
	struct submission_observer observer;
	struct arena *arena;
	const struct config *config;	/* NULL = not loaded yet */
	struct config *loaded;		/* the same, if it was loaded here: freed with it */
	const struct account *account;	/* NULL = not chosen yet */
	struct account_choice choice;
	struct message *message;	/* freed with it, put in or not; NULL = not there yet */
	struct envelope envelope;
	struct envelope excluded;	/* these get nothing */
	struct edits edits;
	struct explain explain;		/* the reasons, where they are asked for */
	bool refused;			/* it is for envelope.unsendable that nobody gets it */
	bool input_read;		/* standard input has been read, or begun */
	bool stepwise;			/* submission_begin() was called */
	struct ext_request asked;	/* what the client asked for with MAIL: before all else */
};

/* Nothing of it is done yet. request is kept; observer may be NULL. */
void submission_init(struct submission *s, const struct submission_request *request,
		     const struct submission_observer *observer);

/* Frees config, message and arena; a zeroed one is nothing to free. */
void submission_release(struct submission *s);

/*
 * For what needs no message: loads the configuration and chooses the account
 * by the request alone. EX_CONFIG, as config_load() and choose_account();
 * config is NULL if it is that which failed.
 */
ATTR_CHECK int submission_account(struct submission *s, struct error *err);

/*
 * For a client that tells sender, recipients and message one after the other,
 * in the place of submission_prepare(). Before the first, what MAIL said is
 * put in: request->sender, and of the envelope body, utf8, ret, envid, size
 * and ext. Then account, sender and what the account asks of servers are
 * known.
 */
ATTR_CHECK int submission_begin(struct submission *s, struct error *err);

/*
 * One recipient of such a client: *out is an envelope of its own, in s->arena,
 * of those whom the account makes of him; nobody when his mail is thrown away
 * (out->discard). They are to be added to s->envelope by who wants them. An
 * alias of which a part cannot be sent to is an error as a whole.
 */
ATTR_CHECK int submission_settle(const struct submission *s, const struct recipient *r,
				 struct envelope *out, struct error *err);

/* The message of such a client has been put in: then all is ready. */
ATTR_CHECK int submission_finish(struct submission *s, struct error *err);

/*
 * All of it: then account, message, envelope and edits are ready for
 * submit_attempt(). What fails here has sent nothing; err has the exit code
 * (doc/sendmail.md#exit-codes), and s holds what was known by then.
 */
ATTR_CHECK int submission_prepare(struct submission *s, struct error *err);

/* The Message-ID that goes out: the message's own or the one added; NULL if there is none. */
const char *submission_message_id(const struct submission *s);

/* The message alone, from standard input, unless it is there: to keep what cannot be sent. */
ATTR_CHECK int submission_read(struct submission *s, struct error *err);

/*
 * Who would get a message to that word, by aliases, rules and completion:
 * *out is an envelope of its own in s->arena, with the sender known so far.
 * The account is chosen, and choice.rewriter opened, if there is one.
 */
ATTR_CHECK int submission_expand(const struct submission *s, const char *word,
				 struct envelope *out, struct error *err);

#endif
