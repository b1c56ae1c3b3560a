/*
 * Header fields that options make, change and remove: in a message from
 * standard input as in one that is composed. They are put into the header
 * before anything else looks at it, so that all that follows (recipients,
 * account, missing fields, qualification) sees a message that came so.
 *
 * In order: user_headers_check() when the options are known,
 * user_headers_recipients(), user_headers_apply() when the message is there,
 * user_headers_finish() when account and sender are.
 */
#ifndef PREPARE_USER_HEADERS_H
#define PREPARE_USER_HEADERS_H

#include <stddef.h>

#include "mime/compose.h"
#include "util/attr.h"

struct account;
struct arena;
struct envelope;
struct error;
struct message;
struct prepare_options;

/*
 * EX_USAGE for names that are none, fields that options must not set (Bcc,
 * Return-Path; with --compose also To, Cc and those of MIME), values with CR
 * or LF, and options that do not go together. The option is named.
 */
ATTR_CHECK int user_headers_check(const struct compose_request *req, struct error *err);

/*
 * Adds the recipients of --to, --cc and --bcc to the envelope, as
 * envelope_add_words() does.
 */
void user_headers_recipients(struct envelope *e, const struct compose_request *req);

/* The From field that the options give; NULL = none. */
const char *user_headers_from(const struct compose_request *req);

/*
 * Puts the fields into m's header: in front of what is there for a message
 * that is composed, else behind. words (n of them) are the recipients without
 * option, which are shown when --to, --cc and --bcc are not given. EX_USAGE
 * when a field that may occur once only is added to one that is there.
 */
ATTR_CHECK int user_headers_apply(struct message *m, const struct compose_request *req,
				  const char *const *words, size_t n, struct error *err);

/*
 * Fields that need account and sender (receipts, importance, the Resent
 * block); then all of our own are encoded and folded. *warning is what the
 * user should be told, NULL = nothing. With strict_headers also EX_DATAERR
 * 5.6.0 for a header with two of a field that may occur once.
 */
ATTR_CHECK int user_headers_finish(struct message *m, const struct compose_request *req,
				   const struct account *a, const struct envelope *e,
				   const struct prepare_options *opt, const char **warning,
				   struct error *err);

#endif
