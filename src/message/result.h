/*
 * What became of each recipient and of the whole attempt.
 */
#ifndef MESSAGE_RESULT_H
#define MESSAGE_RESULT_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"
#include "util/error.h"

struct arena;

/* In order of their weight for the whole: see result_settle(). QUEUED: it will be sent later. */
enum outcome {
	OUTCOME_NONE, OUTCOME_ACCEPTED, OUTCOME_QUEUED, OUTCOME_DEFERRED, OUTCOME_REFUSED
};

struct rcpt_result {
	enum outcome outcome;
	struct error error;	/* why not; for ACCEPTED: reply and status */
	const char *words;	/* of the reply that took it for him alone (LMTP); NULL = none */
	const char *note;	/* 251, 252: the server's words for the user; NULL = none */
	const char *rcpt_reply;	/* as mail_reply, of RCPT */
};

struct result {
	struct arena *arena;
	enum outcome outcome;
	struct error error;		/* worst of all, the one that makes the exit code */
	struct rcpt_result *rcpt;	/* in the order of the envelope */
	size_t rcpt_count, rcpt_alloc;
	size_t settled;			/* so many at the front are known to have an outcome */
	size_t set_n, accepted_n;	/* see result_set() */
	struct error refusal;		/* the first that ends it for all; exit 0 = none */
	bool unknown;			/* sent, but the connection broke before the reply */
	const char *server;		/* host:port */
	const char *address;		/* numeric address in use */
	const char *tls;		/* "TLS1.3 AES-256-GCM", NULL = clear */
	const char *mechanism;		/* of AUTH, NULL = none */
	const char *binding;		/* what ties it to TLS; "refused"; NULL = none; static */
	const char *reply_text;		/* last reply of the transaction */
	const char *mail_reply;		/* the one that accepted MAIL, where it is asked for */
	const char **note;		/* what the user may want to know although all is well */
	size_t note_n, note_alloc;
	const char *left_out;		/* extensions asked for and not offered; NULL = none */
	bool tracked;			/* the server took the message with MTRK */
};

/* Adds a note for the user, unless it is there already. */
ATTR_PRINTF(2, 3) void result_note(struct result *r, const char *fmt, ...);

/* count recipients, all OUTCOME_NONE; lives in arena a. */
void result_init(struct result *r, struct arena *a, size_t count);

/*
 * Nobody can know whether the message was taken: says so in err, behind what
 * happened, and in r.
 */
void result_doubt(struct result *r, struct error *err);

/* How many recipients have that outcome? */
size_t result_count(const struct result *r, enum outcome outcome);

/* The same error for every recipient that has no outcome yet. */
void result_set_rest(struct result *r, const struct error *err);

/* One recipient refused or deferred by err (its status says which). */
void result_set_error(struct result *r, size_t i, const struct error *err);

/*
 * The outcome of a recipient. What transactions do goes through here: set_n
 * grows by one for each that gets an outcome and accepted_n for each that is
 * accepted, and shrink for those who lose it. Only differences of them count,
 * and they cost nothing to look at.
 */
void result_set(struct result *r, size_t i, enum outcome outcome);

/* The first recipient without an outcome; rcpt_count when there is none. */
size_t result_first_open(struct result *r);

/* Nobody knows about those who seemed to have got it: result_doubt(), and err for each of them. */
void result_take_back(struct result *r, struct error *err);

/* As result_init() left it, but for the notes. */
void result_clear(struct result *r);

/* A recipient more at the end, OUTCOME_NONE. */
void result_grow(struct result *r);

/*
 * A recipient more at the end, who was not sent to because of err; then
 * result_settle() is due again.
 */
void result_add(struct result *r, const struct error *err);

/*
 * Outcome and error of the whole from those of the recipients: refused beats
 * deferred beats accepted; among refused ones 67 beats 69 and 77, then the
 * first one counts (doc/sendmail.md#exit-codes).
 */
void result_settle(struct result *r);

#endif
