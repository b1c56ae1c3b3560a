/*
 * What enhanced status codes mean, in words for the user, where a server's own
 * words may leave that open (RFC 3463, 5248, 7372, 7505 and those of
 * extensions).
 */
#ifndef SMTP_STATUS_H
#define SMTP_STATUS_H

struct envelope;

/*
 * "the mailbox is full" for 4.2.2 and 5.2.2; NULL for those that say nothing
 * more. 7.16 and 7.17 mean something else with each extension, so e tells
 * what was asked for; it may be NULL.
 */
const char *status_meaning(const char *status, const struct envelope *e);

#endif
