/*
 * Requests to the server as users write them: in settings, options and
 * header fields. Each reader checks the grammar of its RFC, so that what it
 * lets pass can go out in a command.
 *
 * Errors are EX_USAGE 5.5.4 and say what is wanted, not where it stood.
 */
#ifndef MESSAGE_REQUEST_H
#define MESSAGE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/attr.h"

struct arena;
struct envelope;
struct error;
struct ext_request;
struct recipient;

/* Would the reader of this setting take the value? Keys without reader: yes. */
ATTR_CHECK int request_check(const char *key, const char *value, struct error *err);

/* TIME[;R|;N][T] (RFC 2852); without a letter it is N. R needs at least a second. */
ATTR_CHECK int request_deliver_by(const char *text, int64_t now, struct ext_request *out,
				  struct error *err);

/* A release time (RFC 4865): an interval, or a moment. */
ATTR_CHECK int request_hold(const char *text, int64_t now, struct ext_request *out,
			    struct error *err);

/* -9..9 or a name of the MIXER or STANAG4406 profile (RFC 6710, appendices). */
ATTR_CHECK int request_priority(const char *text, int *out, struct error *err);

/* TIME[;C|;R] (RFC 7293): fills the fields of rrvs. */
ATTR_CHECK int request_rrvs(const char *text, int64_t now, struct recipient *out,
			    struct error *err);

/* Solicitation keywords (RFC 3865), blanks and comments taken out; NULL when they are none. */
const char *request_solicit(struct arena *a, const char *text);

/* "on" (0, the server's own) or a time; seconds. */
ATTR_CHECK int request_track(const char *text, int64_t now, unsigned *out, struct error *err);

/*
 * KEYWORD[@EHLONAME][=VALUE] (RFC 5321, section 4.1.2). *name_len_out and
 * *ehlo_out (with its length) may be NULL.
 */
ATTR_CHECK int request_param(const char *text, size_t *name_len_out, const char **ehlo_out,
			     size_t *ehlo_len_out, const char **value_out, struct error *err);

/* never, or success,failure,delay: the bits of enum dsn_notify; 0 when it is neither. */
unsigned request_notify(const char *text, size_t len);

/*
 * Adds one recipient with options of its own:
 * ADDRESS[,notify=WHEN[,WHEN]...][,orcpt=TYPE;ADDRESS][,rrvs=TIME[;C]]
 */
ATTR_CHECK int request_recipient(struct envelope *e, const char *text, int64_t now,
				 struct error *err);

#endif
