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

struct envelope;
struct error;
struct recipient;
struct strbuf;

/*
 * The readers of settings, each named like its key: what text asks for goes
 * into the envelope. A row of the settings has its reader, and the header
 * fields that ask for the same go through it. Nothing changes on failure.
 */
#define REQUEST_READER(name) \
	ATTR_CHECK int name(const char *text, int64_t now, struct envelope *e, struct error *err)

/* TIME[;R|;N][T] (RFC 2852); without a letter it is N. R needs at least a second. */
REQUEST_READER(request_deliver_by);

/* A release time (RFC 4865): an interval; that or a moment. One of them only. */
REQUEST_READER(request_hold_for);
REQUEST_READER(request_hold_until);

/* -9..9 or a name of the MIXER or STANAG4406 profile (RFC 6710, appendices). */
REQUEST_READER(request_mt_priority);

/* TIME[;C|;R] (RFC 7293), for the recipients that have nothing of the kind yet. */
REQUEST_READER(request_rrvs);

/* Solicitation keywords (RFC 3865), blanks and comments taken out. */
REQUEST_READER(request_solicit);

/* "on" (0, the server's own) or a time. */
REQUEST_READER(request_track);

/* An address, or "auto", which is for others to find (RFC 4405). */
REQUEST_READER(request_submitter);

/* An address or "<>" (RFC 4954). */
REQUEST_READER(request_mail_auth);

/* What may stand behind a field name, on one line; nothing is kept of it. */
REQUEST_READER(request_field);

/* TIME[;C|;R] (RFC 7293) for one recipient. */
ATTR_CHECK int request_rcpt_rrvs(struct recipient *r, const char *text, int64_t now,
				 struct error *err);

/* never, or success,failure,delay: the bits of enum dsn_notify; 0 when it is neither. */
unsigned request_notify(const char *text);

/* Are the n octets the type of an address (RFC 3461, section 4.2): an atom? */
bool request_is_type(const char *text, size_t n);

/* xtext (RFC 3461, section 4) of s, appended. */
void xtext_add(struct strbuf *out, const char *s);

/* What xtext stands for, appended; -1 when it is none, or stands for NUL. */
ATTR_CHECK int xtext_decode(struct strbuf *out, const char *xtext);

/*
 * KEYWORD[@EHLONAME][=VALUE] (RFC 5321, section 4.1.2). *name_len_out and
 * *ehlo_out (with its length) may be NULL.
 */
ATTR_CHECK int request_param(const char *text, size_t *name_len_out, const char **ehlo_out,
			     size_t *ehlo_len_out, const char **value_out, struct error *err);

/*
 * Adds one recipient with options of its own:
 * ADDRESS[,notify=WHEN[,WHEN]...][,orcpt=TYPE;ADDRESS][,rrvs=TIME[;C]]
 */
ATTR_CHECK int request_recipient(struct envelope *e, const char *text, int64_t now,
				 struct error *err);

#endif
