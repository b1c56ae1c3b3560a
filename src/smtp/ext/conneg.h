/*
 * CONPERM and CONNEG (RFC 4141): permission to convert the content, and the
 * question what content a recipient takes.
 *
 * Nothing is converted here. A message that may be converted (conperm) is
 * not sent to a server with neither extension (5.6.3); with CONNEG alone it
 * goes only to recipients whose filter is ANY or equals the message's
 * Content-Features (5.6.5). RCPT with CONNEG is a point where the replies
 * are waited for, before any content is sent.
 */
#ifndef SMTP_EXT_CONNEG_H
#define SMTP_EXT_CONNEG_H

#include <stdbool.h>

#include "smtp/extensions.h"

struct envelope;
struct recipient;
struct reply;
struct session;
struct strbuf;

/* Rows of the table of extensions. */
bool conperm_wanted(const struct session *s, const struct envelope *e);
enum ext_level conperm_floor(const struct session *s, const struct envelope *e);
void conperm_mail_params(const struct session *s, const struct envelope *e, struct strbuf *out);
bool conneg_wanted(const struct session *s, const struct envelope *e);
void conneg_rcpt_params(const struct session *s, const struct envelope *e,
			const struct recipient *r, struct strbuf *out);

/* Is CONNEG said in this session? */
bool conneg_used(const struct session *s, const struct envelope *e);

/*
 * The filter of a reply to RCPT, appended to filter. False when the message
 * may not go to that recipient as it is.
 */
bool conneg_take(const struct session *s, const struct envelope *e, const struct reply *r,
		 struct strbuf *filter);

#endif
