/*
 * The rules of rewriting of one account, ready for its messages: those of
 * [rewrite] and of rewrite_map (conf/rewrite.h), its local domains and its
 * rewrite_classes.
 */
#ifndef PREPARE_REWRITER_H
#define PREPARE_REWRITER_H

#include <stdbool.h>

#include "conf/rewrite.h"
#include "util/attr.h"

struct account;
struct arena;
struct error;
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

#endif
