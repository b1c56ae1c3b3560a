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

#include "message/edits.h"
#include "message/envelope.h"
#include "smtp/pipeline.h"
#include "smtp/reply.h"
#include "smtp/transaction.h"
#include "util/attr.h"
#include "util/error.h"

struct transfer;

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
	bool mail_taken;	/* MAIL was answered with 2xx */
	bool unfit;		/* a recipient that stood must not get it as it is */
	bool retry;		/* once more, with what was switched off in the session */
	bool slow;		/* 503 within a group: no pipelining with this server */
	bool resumed;		/* CHECKPOINT: the server has the envelope and "from" octets */
	uint64_t from;		/* octets of the content that it has */
	size_t seen;		/* recipients of the envelope that were looked at */
	size_t put;		/* of the candidates: asked for, or left */
	bool asked;		/* MAIL is out: the content may follow */
	bool data_asked;	/* so is DATA */
	int data_code;		/* its reply; 0 = none yet */
	struct error data_error;	/* ... what it means, when it is not 3xx */
	bool begun;		/* some of the content may have gone out */
	bool sent;		/* the content was written whole */
	bool followed;		/* more stands behind it, in the same flight */
	bool ahead;		/* it goes out with the envelope, before any reply */
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
	size_t rcpt_alloc;
	bool under_way;		/* a try was begun and has not come to its end */
	struct try try;
	enum transaction_next next;	/* DONE: as the outcomes say */
	const struct envelope *whole_e;	/* e and edits, but for a copy of one recipient */
	const struct edits *whole_edits;
	struct envelope own_e;	/* those of the copy */
	struct edits own_edits;
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

/* One refusal ends it for all, and there is one. */
void transaction_refuse_all(struct transaction *t);

/* One recipient has got the message, by r. */
void transaction_accept(struct transaction *t, size_t i, const struct reply *r);

/* The reply to the content, which counts for all that stand. */
void transaction_finish(struct transaction *t, enum stage stage, const struct reply *r);

/* The connection has come to its end before the transaction has: what that means for all. */
void transaction_fail_lost(struct transaction *t, const struct error *err);

/* Takes the next reply: a pipeline_fn, with the transaction as its ctx. */
void transaction_take_reply(void *ctx, const struct pipeline_expected *what,
			    const struct reply *r);

/* Keeps the words of r as the last ones of the transaction, for the log. */
void transaction_note_reply(struct transaction *t, const struct reply *r);

/*
 * The message on its way: DATA's lines with dots doubled, or BDAT's octets
 * as they are (RFC 5321, section 4.5.2; RFC 3030). A transfer hands it out
 * in pieces of exactly the size that is asked for.
 */

enum data_form { DATA_LINES, DATA_CHUNK };

enum data_end {
	DATA_SENT,		/* all of it is put into the wire (and not yet flushed) */
	DATA_ANSWERED,		/* a reply came before the end: take it, then close */
	DATA_FAILED		/* err says why; the connection can only be closed */
};

/*
 * Asked when the server has said something amid the content: true when that
 * is a reason to stop. left: octets of the piece that are still to be put.
 */
typedef bool data_watch_fn(void *ctx, uint64_t left);

/* From octet "from" of the canonical message on (RFC 1845); m and edits are borrowed. */
struct transfer *transfer_new(struct session *s, const struct message *m,
			      const struct edits *edits, enum data_form form, uint64_t from);
void transfer_free(struct transfer *x);	/* accepts NULL */

/* Octets that are not yet put; without the dots that are doubled. */
uint64_t transfer_left(const struct transfer *x);

/*
 * Puts the next octets of a DATA_CHUNK, which are there, or all of a
 * DATA_LINES into the wire, in large pieces. watch NULL: any word of the server
 * is one to stop for, as it has no reason to but a refusal.
 */
enum data_end transfer_put(struct transfer *x, uint64_t octets, data_watch_fn *watch, void *ctx,
			   struct error *err);

/*
 * Moves to the first octet that is to be sent: 1; 0 when DATA_LINES cannot begin
 * there; -1 and err when the message cannot be read.
 */
ATTR_CHECK int transfer_skip(struct transfer *x, struct error *err);

/* Flushes; DATA_ANSWERED when it fails but the server had said something before. */
enum data_end data_flush(struct session *s, struct error *err);

/*
 * MAIL and RCPT are put: DATA as well, where the content need not wait for
 * their replies. Reads nothing where the server has PIPELINING.
 */
void content_ask(struct transaction *t);

/* The reply to DATA. */
void content_data_reply(struct transaction *t, const struct reply *r);

/*
 * All that content_ask() is about is put: offers the content where somebody
 * stands or may stand, reads all replies and fills in the outcomes, or breaks
 * the pipeline.
 */
void content_send(struct transaction *t);

/* Nothing of this transaction is wanted any more: RSET, which is answered with 2xx or else. */
void content_abandon(struct transaction *t);

/* The end of the content is put and not flushed: more may go out with it (see opt->behind). */
void content_end(struct transaction *t);

/* The reply to a chunk that is not the last. */
void content_chunk_reply(struct transaction *t, enum stage stage, const struct reply *r);

/* Must the content go in chunks, or not at all? */
bool content_is_chunked(const struct transaction *t);

/* A recipient stands: sends the content in chunks, and what content_send() does then. */
void content_send_chunks(struct transaction *t);

/* May it be sent with the envelope, whose replies are still due? Then it is. */
bool content_goes_ahead(const struct transaction *t);
void content_send_ahead(struct transaction *t);

/* Small enough for chunks that save a wait, and they are wanted? */
bool content_is_small(const struct transaction *t);

/* All is sent: reads the replies and fills in the outcomes, or breaks the pipeline. */
void content_replies(struct transaction *t, enum stage stage);

/* The same when the first reply has been read already: it is the session's last one. */
void content_reply(struct transaction *t, enum stage stage);

/* The server spoke while the content was being sent: a refusal, or nonsense. */
void content_interrupted(struct transaction *t, enum stage stage);

/*
 * Does a refusal with that code say that the server has no BDAT, and nothing
 * of the message? Then it goes with DATA in another session.
 */
bool content_needs_data(struct transaction *t, enum stage stage, const struct error *err);

/* LMTP: takes a reply for each that stands; the first is the session's last one. */
ATTR_CHECK int content_take_replies(struct transaction *t, struct error *err);

#endif
