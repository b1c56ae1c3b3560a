/*
 * From the recipients that were asked for to those that are sent to: local
 * names become what their aliases say, addresses what the rules of rewriting
 * say, and what has no domain then gets one.
 *
 * A name in a local domain is a local name: "root@localhost" has the alias
 * of "root". Without alias and rule it keeps its domain, unless nobody else
 * can know that ("localhost", a name without a dot): then it is completed as
 * a name without domain.
 */
#ifndef PREPARE_RECIPIENTS_H
#define PREPARE_RECIPIENTS_H

#include "util/attr.h"

struct account;
struct envelope;
struct error;
struct rewriter;

/*
 * Replaces e's recipients. EX_NOUSER for a local name with nowhere to go,
 * EX_CONFIG for aliases that cannot be read or followed.
 */
ATTR_CHECK int recipients_expand(struct envelope *e, const struct account *a,
				 struct rewriter *rewriter, struct error *err);

#endif
