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
 * Settles e's recipients: aliases, rules of rewriting (rewriter may be NULL),
 * completing; redirect_to in place of all that no pattern of redirect_except
 * fits (e->redirected lists those that went); domains to A-labels unless the
 * address needs SMTPUTF8 anyway. A local name with nowhere to go, or whose
 * alias cannot be followed (EX_NOUSER), and a domain without ASCII form are
 * put into e->unsendable; it fails, as envelope_nobody(), where nobody else
 * is left. What is wrong with the file of aliases, or that it cannot be read,
 * is a warning of the envelope.
 * Where only names are left whose mail is thrown away, they are the
 * recipients, and e->discard is set.
 */
ATTR_CHECK int recipients_settle(struct envelope *e, const struct account *a,
				 struct rewriter *rewriter, struct error *err);

/*
 * Adds always_bcc, which is never redirected. Where somebody asks for
 * reports these ask for none: they are nothing to the sender.
 */
void recipients_add_copies(struct envelope *e, const struct account *a);

#endif
