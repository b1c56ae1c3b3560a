/*
 * A transaction under way, and what each reply means for its recipients.
 *
 * For transaction.c and content.c, which send the commands. Nothing becomes
 * OUTCOME_ACCEPTED before the reply to the content; until then a recipient
 * that the server took is only STANDING.
 */
#ifndef SMTP_OUTCOME_H
#define SMTP_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/pipeline.h"
#include "smtp/reply.h"
#include "util/error.h"

struct edits;
struct envelope;
struct message;
struct result;
struct session;
struct transaction_options;

struct candidate {
	size_t index;		/* in envelope and result */
	enum {
		UNASKED, ASKED, ANSWERED,
		STUMBLED,	/* refused for parameters that may be left out */
		STANDING	/* accepted at RCPT */
	} state;
};

struct transaction {
	struct session *s;
	const struct envelope *e;
	const struct message *m;
	const struct edits *edits;
	const struct transaction_options *opt;
	struct result *result;
	struct pipeline pipe;
	struct candidate *rcpt;
	size_t rcpt_count, standing;
	const struct envelope *whole_e;	/* e and edits, but for a copy of one recipient */
	const struct edits *whole_edits;
	struct envelope *own_e;	/* room for those */
	struct edits *own_edits;
	size_t left;		/* recipients that wait for another transaction */
	size_t set_aside;	/* those of them that were not even to be asked for */
	bool mail_refused;
	bool retry;		/* once more, with what was switched off in the session */
	bool drop_params;	/* a recipient was refused for its parameters (STUMBLED) */
	bool params_used;	/* a RCPT had parameters */
	bool slow;		/* 503 within a group: no pipelining with this server */
	bool sent;		/* the content was written whole */
	bool null_sender;	/* these recipients want no notice, and the server has no DSN */
	bool prdr;		/* asked for PRDR */
	bool unfit;		/* a recipient that stood must not get it as it is */
	bool last_begun;	/* the last chunk's command was sent */
	bool resumed;		/* CHECKPOINT: the server has the envelope and "from" octets */
	uint64_t from;		/* octets of the content that it has */
	struct error content_error;	/* a chunk was refused; exit 0 = none */
	bool changed;		/* the server announces something else than was assumed */
	struct error ahead_error;	/* what was sent ahead of all failed; exit 0 = it did not */
	struct error refusal;	/* the first that ends it for all; exit 0 = none */
};

/* Reads one reply of the group: the pipeline's function, ctx is the transaction. */
void outcome_take_reply(void *ctx, const struct pipeline_expected *what, const struct reply *r);

/* The error of all that have no outcome yet, of this transaction and of those to come. */
void outcome_fail_open(struct transaction *t, const struct error *err);

/* The same for those that stand. */
void outcome_fail_standing(struct transaction *t, const struct error *err);

/*
 * The connection is lost. When the content had been written whole, what
 * became of it is not known for those that were not refused before.
 */
void outcome_fail_lost(struct transaction *t, const struct error *err);

/* May the refusal of a recipient end it for all? Then the content waits for the replies. */
bool outcome_strict(const struct transaction *t);

/* One recipient (index in the envelope) is refused or deferred by err. */
void outcome_refuse(struct transaction *t, size_t i, const struct error *err);

/* One recipient has got the message, by r. */
void outcome_accept(struct transaction *t, size_t i, const struct reply *r);

/* The reply to the content, which counts for all that stand. */
void outcome_finish(struct transaction *t, enum stage stage, const struct reply *r);

/* Keeps the words of r as the last ones of the transaction, for the log. */
void outcome_note_reply(struct transaction *t, const struct reply *r);

#endif
