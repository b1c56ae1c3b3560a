/*
 * What is done to the header before sending: rewriting, qualification,
 * fields removed and added, size and SMTPUTF8 policy.
 */
#ifndef PREPARE_PREPARE_H
#define PREPARE_PREPARE_H

#include <stdbool.h>

#include "util/attr.h"

struct account;
struct edits;
struct envelope;
struct error;
struct message;
struct rewriter;

struct prepare_options {
	const char *full_name;	/* -F; NULL = not given, "" = none wanted */
	bool no_fixes;		/* -G: the header stays as it is, Bcc too */
	struct rewriter *rewriter;	/* rules for addresses; NULL = none */
};

/*
 * Who writes for that account, as From wants it: "Name <address>", and the
 * address by itself; for a null sender they are the account's own. A
 * Message-ID of its own.
 */
ATTR_CHECK int prepare_author(const struct envelope *e, const struct account *a,
			      const struct prepare_options *opt, const char **address,
			      const char **out, struct error *err);
const char *prepare_message_id(const struct envelope *e, const struct account *a);

/*
 * Lists the edits of m's header (doc/sendmail.md#header), settles body, size
 * and utf8 of the envelope. EX_DATAERR for a message that cannot be sent.
 */
ATTR_CHECK int prepare_message(struct edits *edits, struct envelope *e, const struct message *m,
			       const struct account *a, const struct prepare_options *opt,
			       struct error *err);

#endif
