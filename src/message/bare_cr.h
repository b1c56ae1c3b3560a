/*
 * A message whose body has CRs that end no line, written anew: as blanks, or
 * kept as octets of binary content for mime_convert() to encode. The header
 * is the same, field by field (there a CR is a blank already), so that edits
 * made for the old message fit the new one. Line ends become CRLF, NUL goes,
 * by the rules of message.h. Memory does not grow with the size.
 */
#ifndef MESSAGE_BARE_CR_H
#define MESSAGE_BARE_CR_H

#include "util/attr.h"

struct error;
struct message;

enum bare_cr_way {
	BARE_CR_AS_BLANKS,		/* a blank for each such CR */
	BARE_CR_AS_BINARY		/* they stay: the new message is binary (body_binary) */
};

/* *out is the new message, to be freed. EX_IOERR, EX_CANTCREAT as in message.h. */
ATTR_CHECK int bare_cr_rewrite(const struct message *m, enum bare_cr_way how, struct message **out,
			       struct error *err);

#endif
