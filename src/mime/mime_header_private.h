/*
 * Shared by mime_header*.c: one field that is being written in ASCII.
 */
#ifndef MIME_MIME_HEADER_PRIVATE_H
#define MIME_MIME_HEADER_PRIVATE_H

#include <stddef.h>

#include "message/rfc2047.h"

struct strbuf;

struct downgrade {
	struct strbuf *out;
	const char *charset;
	unsigned left;		/* bits of mime_header.h */
};

/* Appends n octets as encoded words, folded to where the line stands. */
void downgrade_encode(struct downgrade *d, const char *text, size_t n, enum rfc2047_place place);

/* Appends octets that have no other form; notes it if they are not ASCII. */
void downgrade_leave(struct downgrade *d, const char *text, size_t n, unsigned what);

/* Appends octets with %XX for those above 127. */
void downgrade_percent(struct downgrade *d, const char *text, size_t n);

/* Appends the comment [p, end) that begins with '('. */
void downgrade_comment(struct downgrade *d, const char *p, const char *end);

/* Octets of the output's last line. */
size_t downgrade_column(const struct downgrade *d);

/* An address list; a list of phrases; a Content-Type or the like. */
void downgrade_addresses(struct downgrade *d, const char *value, size_t n);
void downgrade_phrases(struct downgrade *d, const char *p, size_t n);
void downgrade_params(struct downgrade *d, const char *value, size_t n);

#endif
