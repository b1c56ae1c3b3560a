/*
 * Why things are as they are (--explain): a collector of notes.
 *
 * Whoever decides something about account, sender, recipients or header says
 * why, in one short sentence that names what decided (option, key and where
 * it stands, field, alias). With NULL nobody listens, and nothing is done:
 * a note costs no more than the call, so its arguments should be at hand.
 */
#ifndef PREPARE_EXPLAIN_H
#define PREPARE_EXPLAIN_H

#include <stddef.h>

#include "util/attr.h"

struct arena;

struct explain {
	struct arena *arena;	/* the notes live there; the owner's */
	const char **note;	/* in the order in which they were made */
	size_t n, alloc;
	size_t left_out;	/* notes beyond EXPLAIN_MAX */
	const char *account;	/* why it is this account; NULL = nothing was noted of it */
};

#define EXPLAIN_MAX 10000	/* notes that are kept */

/*
 * Adds a note, unless x is NULL. It may hold any octets: it is escaped when
 * it is shown. Beyond 4096 octets it is cut.
 */
ATTR_PRINTF(2, 3) void explain_note(struct explain *x, const char *fmt, ...);

/* Notes why it is the account of that name, in x->account as well. */
void explain_account(struct explain *x, const char *name, const char *why);

#endif
