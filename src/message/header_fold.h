/*
 * Header fields whose lines are longer than a server takes (RFC 5322,
 * section 2.1.1): folded anew, at white space that is there already.
 */
#ifndef MESSAGE_HEADER_FOLD_H
#define MESSAGE_HEADER_FOLD_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct error;
struct strbuf;

/* Has the canonical text a line of more than 998 octets, its CRLF not counted? */
ATTR_PURE bool header_fold_needed(const char *text, size_t len);

/*
 * Appends a canonical field with its long lines folded: at 78 octets where a
 * blank outside quotes allows it, else at the next one, inside quotes only
 * when nothing else will do. Lines that are not too long stay as they are.
 * Where there is no blank: with split, a line end and a blank are put in,
 * between two characters; else EX_DATAERR 5.6.0, and out is not changed.
 */
ATTR_CHECK int header_fold(struct strbuf *out, const char *field, size_t len, bool split,
			   struct error *err);

/*
 * The same for a field of our own making: lines of more than width octets
 * (76 to 998) are folded where a blank outside quotes allows it. What cannot
 * be folded there may be longer, up to 998 octets. EX_DATAERR as above.
 */
ATTR_CHECK int header_fold_to(struct strbuf *out, const char *field, size_t len, size_t width,
			      struct error *err);

#endif
