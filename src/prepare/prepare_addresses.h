/*
 * The address fields of the header: addresses rewritten by rules, missing
 * domains put in, the display name of From. All else stays octet for octet:
 * other names, comments, folding. A list that cannot be read stays as it is.
 */
#ifndef PREPARE_PREPARE_ADDRESSES_H
#define PREPARE_PREPARE_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

struct account;
struct arena;
struct explain;
struct header_field;
struct rewriter;

struct address_job {
	struct arena *arena;
	const struct account *account;
	struct rewriter *rewriter;	/* NULL = no rules */
	/* What completes addresses; asked when first needed; NULL = unknown. */
	const char *(*domain)(void *ctx);
	void *ctx;
	struct explain *explain;	/* is told which rule changed what; NULL = nobody asks */
};

/* What became of one field. */
struct addressed {
	const char *text;	/* the new field, canonical; NULL = as it was */
	bool rewritten;		/* a rule has changed an address */
	bool unreadable;	/* no list of addresses: left alone */
};

/* Settles a field of addresses (HEADER_ADDRESS). */
struct addressed prepare_addresses(const struct address_job *j, const struct header_field *f);

/* Its value on one line, without rules: completed at most. */
const char *prepare_addresses_plain(const struct address_job *j, const struct header_field *f);

#endif
