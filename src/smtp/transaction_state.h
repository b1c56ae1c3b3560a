/*
 * A transaction under way, and what a reply means for its recipients.
 *
 * For the modules that send its commands and its content. Nothing becomes
 * OUTCOME_ACCEPTED before the reply to the content; until then a recipient
 * that the server took is only STANDING.
 */
#ifndef SMTP_TRANSACTION_STATE_H
#define SMTP_TRANSACTION_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/pipeline.h"
#include "smtp/reply.h"
#include "smtp/transaction.h"
#include "util/error.h"

struct edits;
struct envelope;
struct message;
struct result;
struct session;

struct candidate {
	size_t index;		/* in envelope and result */
	enum {
		UNASKED, ASKED, ANSWERED,
		STUMBLED,	/* refused for parameters that may be left out */
		STANDING	/* accepted at RCPT */
	} state;
};

/* What one try has come to: all of it is forgotten when the next one begins. */
struct try {
	size_t rcpt_count, standing;
	size_t left;		/* recipients that wait for another transaction */
	size_t set_aside;	/* those of them that were not even to be asked for */
	bool null_sender;	/* these recipients want no notice, and the server has no DSN */
	bool prdr;		/* asked for PRDR */
	bool mail_refused;
	bool unfit;		/* a recipient that stood must not get it as it is */
	bool retry;		/* once more, with what was switched off in the session */
	bool drop_params;	/* a recipient was refused for its parameters (STUMBLED) */
	bool slow;		/* 503 within a group: no pipelining with this server */
	bool resumed;		/* CHECKPOINT: the server has the envelope and "from" octets */
	uint64_t from;		/* octets of the content that it has */
	bool begun;		/* some of the content may have gone out */
	bool sent;		/* the content was written whole */
	bool last_begun;	/* the last chunk's command was sent */
	bool chunks_taken;	/* a chunk before it was accepted */
	struct error chunk_error;	/* a chunk was refused; exit 0 = none */
};

struct transaction {
	struct session *s;
	const struct envelope *e;
	const struct message *m;
	const struct edits *edits;
	const struct transaction_options *opt;
	struct result *result;
	struct error *why;
	struct pipeline pipe;
	struct candidate *rcpt;	/* try.rcpt_count */
	struct try try;
	enum transaction_next next;	/* DONE: as the outcomes say */
	const struct envelope *whole_e;	/* e and edits, but for a copy of one recipient */
	const struct edits *whole_edits;
	struct envelope *own_e;	/* room for those */
	struct edits *own_edits;
};

/* The error of all that have no outcome yet, of this transaction and of those to come. */
void transaction_fail_open(struct transaction *t, const struct error *err);

/* The same for those that stand. */
void transaction_fail_standing(struct transaction *t, const struct error *err);

/* The good news for those that stand does not count, nor, with refusals, the bad. */
void transaction_forget(struct transaction *t, bool refusals);

/* The good news does not count: breaks the pipeline, nobody knows. */
void transaction_lose(struct transaction *t, const struct error *err);

/*
 * 500, 502, 503, 504: the server has not understood, or not at that place.
 * Where it announces more than it can do that may be no word on the message.
 */
bool transaction_misread(int code);

/* May the refusal of a recipient end it for all? Then the content waits for the replies. */
bool transaction_strict(const struct transaction *t);

/* One recipient (index in the envelope) is refused or deferred by err. */
void transaction_refuse(struct transaction *t, size_t i, const struct error *err);

/* One recipient has got the message, by r. */
void transaction_accept(struct transaction *t, size_t i, const struct reply *r);

/* The reply to the content, which counts for all that stand. */
void transaction_finish(struct transaction *t, enum stage stage, const struct reply *r);

/* Keeps the words of r as the last ones of the transaction, for the log. */
void transaction_note_reply(struct transaction *t, const struct reply *r);

#endif
