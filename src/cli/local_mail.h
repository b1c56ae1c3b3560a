/*
 * Mail for a name that only this host knows: a notification for a sender who
 * has no address (BOUNCE_TO_USER of queue/bounce.h).
 *
 * It is put where the user who submitted the message reads his mail, into the
 * first of these below his home that is there already: the Maildir "Maildir",
 * "Mail" when that is one, "Mail/inbox" when that is one, else the mbox
 * "Mail/bounces" in a folder "Mail".
 */
#ifndef CLI_LOCAL_MAIL_H
#define CLI_LOCAL_MAIL_H

#include <sys/types.h>

#include "util/attr.h"

struct error;
struct message;
struct strbuf;

/*
 * Stores m for user uid, synced, and appends its place to where. EX_CANTCREAT
 * when there is none, or when that user is another than the one of this
 * process: nothing is written into somebody else's home.
 */
ATTR_CHECK int local_mail_deliver(uid_t uid, const struct message *m, struct strbuf *where,
				  struct error *err);

#endif
