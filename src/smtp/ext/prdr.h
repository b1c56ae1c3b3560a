/*
 * PRDR (an expired draft; Exim and others): an answer per recipient after
 * the content, over SMTP. Asked for when there is more than one recipient.
 */
#ifndef SMTP_EXT_PRDR_H
#define SMTP_EXT_PRDR_H

#include <stdbool.h>

struct envelope;
struct session;
struct strbuf;
struct transaction;

/* Row of the table of extensions. */
void prdr_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);

/* Is it asked for in this session? */
bool prdr_used(const struct session *s, const struct envelope *e);

/*
 * The content was answered with 353: reads an answer for each recipient that
 * stands, in order, and the one for the whole. When that is no acceptance,
 * it counts for all; lost in between, nobody's end is known.
 */
void prdr_replies(struct transaction *t);

#endif
