/*
 * What the sender of a message in the queue is told about it: a delivery
 * status notification (RFC 3461, 3464, 6522, 6533) made of the entry.
 *
 * Told is who asked for it: NOTIFY of each recipient decides, the null
 * reverse-path and notifications themselves never get an answer. The
 * notification has three parts: what has happened in plain words, the same in
 * fields for programs, and the message, or its header alone. It is written
 * into a message of its own: memory does not grow with the one it is about.
 * What an entry says may be anybody's octets: none of them begins a field, a
 * line or a part.
 */
#ifndef QUEUE_BOUNCE_H
#define QUEUE_BOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

struct arena;
struct entry;
struct error;
struct message;

/* What has become of the recipients; the field Action of RFC 3464, section 2.3.3. */
enum bounce_kind {
	BOUNCE_FAILED,		/* they are refused, or their time is over */
	BOUNCE_DELAYED,		/* it is still tried */
	BOUNCE_PAUSED,		/* the same, of all mail of the account: for b.to alone */
	BOUNCE_RELAYED,		/* a server has it that will send no notifications */
	BOUNCE_DELIVERED	/* it lies in their mailboxes (LMTP) */
};

/* All that a notification is made of; everything is borrowed. */
struct bounce {
	const struct entry *entry;
	const struct message *original;	/* the entry's */
	enum bounce_kind kind;
	const bool *only;	/* recipients it may be about, in their order; NULL = all */
	const char *host;	/* name of this host: who reports */
	/*
	 * Somebody else who gets it instead of the sender, whatever NOTIFY says:
	 * for what could not be told to any sender. NULL = the sender.
	 */
	const char *to;
	unsigned long suppressed;	/* how often he was not told: bounce_notice_due() */
	uint64_t size_limit;	/* a larger message is not sent back whole; 0 = no limit */
	int64_t now_ms;		/* datetime_now() */
};

/* Where it has to go. */
enum bounce_way {
	BOUNCE_TO_SENDER,	/* by mail to bounce_address() */
	BOUNCE_TO_USER,		/* the sender is a name that only this host knows: no mail */
	BOUNCE_TO_NOBODY	/* nobody may be told by mail: null sender, or it is an answer */
};

/*
 * By the sender, and by the message: one that is a notification itself gets
 * no answer, unless somebody has sent it on (Resent-From). RFC 3461, section
 * 5.2; RFC 5321, section 4.5.5.
 */
enum bounce_way bounce_way(const struct entry *e, const struct message *original);

/*
 * Has the message too many notices of ours behind it (a field of them counts),
 * so that there must not be another one to b.to, either?
 */
bool bounce_is_notice(const struct message *original);

/*
 * Is b.to to be told, or was he told of the same server and status less than
 * interval seconds ago? Sets b->suppressed; *trouble as in util/once.h.
 */
bool bounce_notice_due(struct bounce *b, unsigned interval, struct error *trouble);

/*
 * Is recipient i to be listed? It is when its outcome is one of that kind
 * (FAILED: refused and not told, or open when the time is over; DELAYED:
 * open; the others: accepted) and NOTIFY allows it (RFC 3461, section 5.2.2 to
 * 5.2.6), or, for DELAYED and RELAYED, DELIVERBY with notice (RFC 2852).
 */
bool bounce_about(const struct bounce *b, size_t i);

/* The number of those; 0 = there is nothing to tell. */
size_t bounce_count(const struct bounce *b);

/*
 * Is it time to tell the sender that the message is late: after so many
 * seconds (0 = never), or when DELIVERBY says so? Once only: e->warned_ms.
 */
bool bounce_is_late(const struct entry *e, unsigned seconds, int64_t now_ms);

/* Who gets it: b.to, or the sender, with @host where that has no domain; in arena a. */
const char *bounce_address(const struct bounce *b, struct arena *a);

/*
 * Makes the notification; bounce_count() must not be 0. *out is to be freed
 * with message_free(), and needs no edits. EX_IOERR and EX_CANTCREAT of the
 * original and of message.h.
 */
ATTR_CHECK int bounce_compose(const struct bounce *b, struct message **out, struct error *err);

/*
 * Its entry, which goes the way of the original: from the null reverse-path
 * to bounce_address(), with the priority and the REQUIRETLS of the original
 * (RFC 6710; RFC 8689, section 5), due now and for lifetime seconds. Lives in
 * arena a, and as long as the entry of the original.
 */
void bounce_entry(const struct bounce *b, const struct message *bounce, unsigned lifetime,
		  struct arena *a, struct entry *out);

#endif
