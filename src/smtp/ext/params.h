/*
 * Parameters of MAIL and RCPT that the user adds (mail_param, rcpt_param):
 * KEYWORD[@EHLONAME][=VALUE], sent only when the server has announced a
 * keyword of that name.
 */
#ifndef SMTP_EXT_PARAMS_H
#define SMTP_EXT_PARAMS_H

#include <stddef.h>

#include "util/attr.h"

struct account;
struct error;
struct session;
struct strbuf;

/* Appends those that may go out; returns the octets by which they lengthen the command. */
size_t params_add(const struct session *s, const char *const *list, struct strbuf *out);

/* Are they well-formed, and none that an extension of ours sends? EX_CONFIG. */
ATTR_CHECK int params_check(const struct account *a, struct error *err);

#endif
