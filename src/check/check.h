/*
 * Would a message go out? Every step of a submission is tried, by the code
 * that submits, and told with what to do where it fails
 * (doc/behaviour.md#check).
 *
 * check_account() is the function to call, when submission_account() has
 * chosen the account; cli/cmd_check.h prints what it finds. Each address of each
 * server is tried up to MAIL and RCPT, taken back by RSET: no content is ever
 * sent. It goes on behind a failure with all that can still be tried, and
 * signs in nowhere once a server has refused the password, nor where the
 * server's certificate is not accepted.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include <stdbool.h>

#include "util/attr.h"
#include "util/fault.h"

struct attempt_options;
struct error;
struct submission;

/* SKIP: not tried, as something before it failed. */
enum check_verdict { CHECK_OK, CHECK_WARN, CHECK_FAIL, CHECK_SKIP };

struct check_finding {
	enum check_verdict verdict;
	const char *step;	/* "config", "dns", "sign-in"... */
	const char *server;	/* "mail.example.org:587"; NULL: about none of them */
	const char *address;	/* numeric; NULL = none */
	const char *text;	/* printable, one line */
	const char *hint;	/* what to do, lines between '\n'; NULL = nothing */
	enum fault fault;	/* of a failure: what has happened */
	int exit;		/* of a failure: its sysexits code */
	const char *status;	/* of a failure: the enhanced status */
	int reply;		/* of a failure: the server's code, 0 = none */
};

/* Strings of the finding are gone when it returns. */
typedef void check_found_fn(void *ctx, const struct check_finding *);

struct check_request {
	struct submission *submission;	/* with an account; gets sender, rules and recipient */
	const char *why;		/* why it is this account; NULL = not known */
	bool is_new;			/* it is being set up: who reads mail is said later */
	const char *to;			/* recipient; NULL = the sender's own address */
	const struct attempt_options *opt;	/* transcript and observer; before is not called */
	check_found_fn *found;
	void *ctx;
};

/*
 * Tells everything to found, in order; lines behind a failure of the network
 * may wait until it is known whether another server makes up for it (then it
 * is a warning). Returns the exit status that sending would have: 0 when a
 * server takes the message, else that of the first failure.
 */
int check_account(const struct check_request *r);

/* A failure outside of an account (the configuration cannot be read): with its hint. */
void check_tell_failure(check_found_fn *found, void *ctx, const char *step,
			const struct error *err);

/* "ok", "warn", "FAIL", "skip". */
const char *check_verdict_name(enum check_verdict v);

#endif
