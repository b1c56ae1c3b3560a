/*
 * The kinds of deliveries, for their table in deliver.c: each makes a
 * delivery of what stands behind SCHEME: in the setting.
 */
#ifndef DELIVER_DELIVER_KINDS_H
#define DELIVER_DELIVER_KINDS_H

#include "deliver/deliver.h"
#include "util/attr.h"

/* command:ARGV. EX_CONFIG for words that need a shell. */
ATTR_CHECK int deliver_to_command(const struct deliver_request *r, const char *place,
				  struct delivery **out, struct error *err);

/*
 * account:NAME, queue:NAME; place NULL: the account is chosen for each message.
 * EX_CONFIG when there is none, EX_CANTCREAT when nothing can be put into the
 * queue.
 */
ATTR_CHECK int deliver_to_account(const struct deliver_request *r, const char *place,
				  struct delivery **out, struct error *err);
ATTR_CHECK int deliver_to_queue(const struct deliver_request *r, const char *place,
				struct delivery **out, struct error *err);

/* lmtp:HOST:PORT, lmtp:/PATH. EX_CONFIG for another form. */
ATTR_CHECK int deliver_to_lmtp(const struct deliver_request *r, const char *place,
			       struct delivery **out, struct error *err);

/* The words of a command, as those of every other setting that names one. EX_CONFIG. */
ATTR_CHECK int deliver_split(const struct deliver_request *r, const char *command,
			     const char *const **argv_out, struct error *err);

/* Takes next, which gets what on_message lets pass. */
struct delivery *deliver_behind_hook_take(const struct deliver_request *r, struct delivery *next);

#endif
