/*
 * What becomes of a message that the server takes: one table of operations
 * per kind of delivery, so that the session does not know whether it is a
 * folder, a queue, a program, or the next server.
 *
 * Of a transaction: mail and rcpt, where the delivery has them, as the client
 * says MAIL and RCPT, with answer for those that were held; then begin, any
 * number of writes, and commit or abandon, behind which answer may come for a
 * client that sends all of it in one go; reset at last, however it ended. The
 * octets are canonical (lines end with CRLF and nothing else, no NUL). When
 * begin fails there is nothing to abandon; when write fails abandon follows.
 *
 * Guarantee: a recipient is OUTCOME_ACCEPTED or OUTCOME_QUEUED only when the
 * message would survive a loss of power here, or when the next server has
 * taken it. Of all others nothing is left behind.
 */
#ifndef SERVER_DELIVERY_H
#define SERVER_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct delivery;
struct envelope;
struct error;
struct recipient;
struct result;
struct strbuf;

enum { DELIVERY_TEXT_MAX = 480 };	/* octets of a reply behind code and status */

/* Of mail and rcpt: no reply yet, answer() has it, so that several are asked about at once. */
enum { DELIVERY_HELD = 1 };

/* A reply for the client; text is printable and one line. */
struct delivery_reply {
	int code;
	char status[12];		/* enhanced status */
	char text[DELIVERY_TEXT_MAX];
};

/* Who the client is. Strings live as long as the transaction, none is NULL unless said. */
struct delivery_client {
	const char *peer;		/* its address as text; "local" */
	const char *helo;		/* the name that it gave; "" = none */
	const char *user;		/* signed in as; NULL = nobody */
	const char *server_name;	/* ours */
	bool lmtp;			/* it is told about each recipient */
	bool tls, esmtp;
	long uid, pid;			/* of a local process; -1 = unknown */
};

struct delivery_ops {
	/*
	 * Optional: the sender is known, and what was said with him. reply is set
	 * to what the client may be told, and is the default one for success
	 * before: -1 refuses; DELIVERY_HELD.
	 */
	int (*mail)(struct delivery *, const struct delivery_client *, const struct envelope *,
		    struct delivery_reply *reply);
	/* Optional: one recipient more, not yet in the envelope; as mail. */
	int (*rcpt)(struct delivery *, const struct delivery_client *, const struct envelope *,
		    const struct recipient *, struct delivery_reply *reply);
	/*
	 * Where one of them holds: the reply to the oldest that was held, as they
	 * give it. Once a sender is refused there is none to his recipients.
	 */
	int (*answer)(struct delivery *, struct delivery_reply *reply);
	/*
	 * Optional, at any time: who is that, in the words of a 250? -1: it is not
	 * known, which says nothing of the address.
	 */
	int (*verify)(struct delivery *, const char *word, struct delivery_reply *reply);
	/* *id_out names the message in replies and trace fields; valid until reset. */
	int (*begin)(struct delivery *, const struct delivery_client *, const struct envelope *,
		     const char **id_out, struct error *);
	int (*write)(struct delivery *, const char *data, size_t n, struct error *);
	/*
	 * Fills in the outcome of each recipient of the envelope (result was made
	 * for them), and reply_text, which is for those that have it. A client
	 * that is no LMTP client hears one reply for all: where some recipients
	 * have it and others do not, the delivery itself sees to it that the
	 * sender is told about these, or that they get it later.
	 */
	void (*commit)(struct delivery *, struct result *result);
	void (*abandon)(struct delivery *);
	/* Optional: the transaction is over; mail may be called again. */
	void (*reset)(struct delivery *);
	/* Optional: the client has gone. */
	void (*end)(struct delivery *);
	/*
	 * Optional, for a process that waits for another client: milliseconds
	 * until this is to be called again, -1 = need not. leaving: there will be
	 * none, and what is open to others is to be closed.
	 */
	int (*idle)(struct delivery *, bool leaving);
	/* Optional: gives back all that belongs to it. */
	void (*free)(struct delivery *);
};

/* First member of each kind of delivery. */
struct delivery {
	const struct delivery_ops *ops;
	bool final;			/* mail ends here: it gets Return-Path and Delivered-To */
	bool completes;			/* it gives addresses without a domain one of its own */
	bool holds;			/* it keeps a message till the time of its release */
	bool exact;			/* lines or not, the octets stay as they are (BINARYMIME) */
};

/* Frees a delivery with its free(); accepts NULL. */
void delivery_free(struct delivery *d);

/* Its idle(); -1 where it has none. */
int delivery_idle(struct delivery *d, bool leaving);

/* One end for all recipients: they have it, as text says, or, text NULL, err is why not. */
void delivery_settle(struct result *r, const char *text, const struct error *err);

/*
 * What the client is told for err. The words of the next server about sender,
 * recipient and content are passed on with their code and status; what is
 * wrong on this host, or on the way, is temporary to the client (451, 452),
 * and its text only where it helps him.
 */
void delivery_reply_error(struct delivery_reply *reply, const struct error *err);

/* What he is told about recipient i (LMTP), about all (one reply, result_settle() was called). */
void delivery_reply_one(struct delivery_reply *reply, const struct result *r, size_t i);
void delivery_reply_all(struct delivery_reply *reply, const struct result *r);

/* "250 2.1.5 ok", n octets of the next server, as a reply; false when it is none. */
bool delivery_pass_on(struct delivery_reply *reply, const char *words, size_t n);

/* A reply of its own; what cannot be printed becomes '?', and what is too long is cut. */
ATTR_PRINTF(4, 5)
void delivery_say(struct delivery_reply *reply, int code, const char *status, const char *fmt, ...);

#endif
