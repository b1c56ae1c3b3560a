/*
 * What is asked of the server beyond plain delivery: from the account's keys
 * and the header to the envelope, and what belongs into the header.
 *
 * What contradicts itself is found here, before any connection: EX_USAGE
 * 5.5.4. Whether the server has the extensions is for smtp/extensions.h.
 */
#ifndef PREPARE_REQUESTS_H
#define PREPARE_REQUESTS_H

#include "util/attr.h"

struct account;
struct arena;
struct edits;
struct envelope;
struct error;
struct ext_request;
struct message;
struct result;
struct session;

/*
 * Settles e->ext, the recipients' requests and ENVID, and lists the edits
 * that they need; e's sender, recipients and notify are known by then.
 */
ATTR_CHECK int requests_apply(struct edits *edits, struct envelope *e, const struct message *m,
			      const struct account *a, struct error *err);

/* What a client of ours has asked for with its message goes before what the account asks for. */
void requests_prefer(struct envelope *e, const struct ext_request *asked);

/*
 * Before a transaction of this session: what has another form for a server
 * without the extension gets it (MT-PRIORITY as a header field, RFC 6758),
 * in edits and e, which the caller has for this session alone.
 */
ATTR_CHECK int requests_adapt(const struct session *s, struct edits *edits, struct envelope *e,
			      const struct message *m, struct arena *arena, struct error *err);

/* Notes in the result what this session leaves out of what was asked for. */
void requests_note(const struct session *s, const struct envelope *e, struct result *r);

/* After the transactions of a session: was the message taken with MTRK? */
void requests_settle(const struct session *s, const struct envelope *e, struct result *r);

#endif
