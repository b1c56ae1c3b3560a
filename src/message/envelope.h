/*
 * The envelope: sender, recipients and delivery options, clean for the wire.
 */
#ifndef MESSAGE_ENVELOPE_H
#define MESSAGE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

struct arena;
struct envelope_index;
struct error;
struct message;

enum body { BODY_7BIT, BODY_8BITMIME };

struct recipient {
	const char *address;	/* local@domain as RCPT TO:<...> takes it */
	const char *orcpt;	/* address before aliasing, NULL = none */
	unsigned notify;	/* enum dsn_notify bits, 0 = not asked for */
};

struct envelope {
	struct arena *arena;
	const char *sender;	/* "" = null reverse-path */
	const char *envid;	/* NULL = none; not yet in xtext */
	struct recipient *rcpt;
	size_t rcpt_count, rcpt_alloc;
	enum body body;
	unsigned ret;		/* enum dsn_ret */
	bool utf8;		/* an address or header field needs SMTPUTF8 */
	bool header_utf8;	/* the header does (5.6.9), not only an address (5.6.7) */
	uint64_t size;		/* octets on the wire, 0 = unknown */
	struct envelope_index *index;	/* of envelope_add() */
};

/* An empty envelope in arena a. */
void envelope_init(struct envelope *e, struct arena *a);

/*
 * Adds a recipient unless an equal one (address_equal) is there; false then.
 * The cost does not grow with their number. Strings are copied. An address
 * that is in the list may only be changed to an equal one.
 */
bool envelope_add(struct envelope *e, const char *address, const char *orcpt);

/*
 * Adds the recipients of command-line words: each word is an address list.
 * All bad words are named: EX_USAGE (5.1.3), nothing is added then. With
 * report, it gets one error per bad word and err tells their number; without
 * (NULL), err names them all.
 */
ATTR_CHECK int envelope_add_words(struct envelope *e, const char *const *words, size_t n,
				  void (*report)(void *ctx, const struct error *), void *ctx,
				  struct error *err);

/*
 * Adds the recipients of the header (-t): To, Cc, Bcc; if there is any
 * Resent-To, Resent-Cc or Resent-Bcc, those of the topmost Resent block that
 * has one only. A block is a run of neighbouring Resent fields; a second
 * Resent-From, Resent-Date or Resent-Message-ID begins the next block (RFC
 * 5322, section 3.6.6). EX_DATAERR (5.1.3) names the field that cannot be
 * read; nothing is added then.
 */
ATTR_CHECK int envelope_add_header(struct envelope *e, const struct message *m, struct error *err);

/*
 * Text for "no recipients": "To: undisclosed-recipients:;, no Cc, no Bcc";
 * printable, long values shortened; in arena e->arena.
 */
const char *envelope_describe_header(struct envelope *e, const struct message *m);

#endif
