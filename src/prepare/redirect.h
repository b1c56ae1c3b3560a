/*
 * Other recipients than those asked for: redirect_to, redirect_except,
 * redirect_tag and always_bcc.
 */
#ifndef PREPARE_REDIRECT_H
#define PREPARE_REDIRECT_H

#include "util/attr.h"

struct account;
struct edits;
struct envelope;
struct error;
struct message;

/*
 * Puts redirect_to in place of all recipients that no pattern of
 * redirect_except fits; e->redirected lists those that went.
 */
void redirect_envelope(struct envelope *e, const struct account *a);

/*
 * Adds always_bcc, which is never redirected. Where somebody asks for
 * reports these ask for none: they are nothing to the sender.
 */
void redirect_copies(struct envelope *e, const struct account *a);

/*
 * Adds X-Original-To for each recipient that was redirected, and the tag of
 * the subject. When somebody else gets the message, too, only those are
 * named that stand in To or Cc.
 */
ATTR_CHECK int redirect_header(struct edits *edits, const struct envelope *e,
			       const struct message *m, const struct account *a,
			       struct error *err);

#endif
