/*
 * The rules of rewriting of one account, ready for its messages: those of
 * [rewrite] and of rewrite_map (conf/rewrite.h), its local domains and its
 * rewrite_classes. And what they make of the address fields of a header.
 */
#ifndef PREPARE_REWRITER_H
#define PREPARE_REWRITER_H

#include <stdbool.h>

#include "conf/rewrite.h"
#include "util/attr.h"

struct account;
struct arena;
struct error;
struct explain;
struct header_field;
struct rewriter;

/*
 * Reads the file of rewrite_map (EX_CONFIG). *out is NULL when the account
 * has no rules; else it lives in arena a, as what the functions below return.
 */
ATTR_CHECK int rewriter_open(struct arena *a, const struct account *account,
			     struct rewriter **out, struct error *err);

/* Are there rules for any of these classes (bits of enum rewrite_class)? r may be NULL. */
bool rewriter_does(const struct rewriter *r, unsigned classes);

/*
 * The rule for an address of that class: local part without quotes, domain
 * as written, NULL for none; NULL if no rule fits. r may be NULL.
 */
const struct rewrite_rule *rewriter_find(struct rewriter *r, unsigned class, const char *local,
					 const char *domain);

/* The address that the rule makes of one with that local part. */
const char *rewriter_address(struct arena *a, const struct rewrite_rule *rule, const char *local);

/* What it makes of an address (clean, "" = null path, which stays); NULL if no rule fits. */
const char *rewriter_apply(struct rewriter *r, unsigned class, const char *address,
			   const struct rewrite_rule **rule_out);

/*
 * The address fields of the header: addresses rewritten by rules, missing
 * domains put in, the display name of From. All else stays octet for octet:
 * other names, comments, folding. A list that cannot be read stays as it is.
 */

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
struct addressed rewriter_field(const struct address_job *j, const struct header_field *f);

/* Its value on one line, without rules: completed at most. */
const char *rewriter_field_plain(const struct address_job *j, const struct header_field *f);

#endif
