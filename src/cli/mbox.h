/*
 * Messages in files of the user's: added to an mbox, or one by itself.
 *
 * Lines end with LF there. An mbox is of the kind "mboxrd": lines that begin
 * with "From ", behind any number of ">", get one ">" more.
 */
#ifndef CLI_MBOX_H
#define CLI_MBOX_H

#include "util/attr.h"

struct error;
struct message;

/*
 * Adds m to the mbox at path, which is made (0600) where it is missing, and
 * synced. It must be the caller's, have one name and be no link; it is locked,
 * and as it was when anything fails (EX_CANTCREAT, EX_CONFIG, EX_IOERR).
 * sender: of the envelope, for the line in front. fields: lines with LF that
 * go before the header; "" = none.
 */
ATTR_CHECK int mbox_append(const char *path, const char *sender, const char *fields,
			   const struct message *m, struct error *err);

/* Writes m to fd; what is binary stays octet for octet. EX_IOERR. */
ATTR_CHECK int mbox_write_message(int fd, const struct message *m, struct error *err);

#endif
