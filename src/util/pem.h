/*
 * PEM (RFC 7468): written; and read as the value of a setting, whole or in one
 * line with "\n" or a blank for each end of a line.
 */
#ifndef UTIL_PEM_H
#define UTIL_PEM_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct strbuf;

/* Does the text begin as PEM does? */
ATTR_PURE bool pem_is(const char *text);

/*
 * Appends the text with line ends in the place of "\n". Text that is no PEM
 * has to be base64 of DER, without blanks, and becomes a block of that label
 * ("CERTIFICATE"). -1 when it is neither; out is to be thrown away then.
 */
ATTR_CHECK int pem_read(const char *text, const char *label, struct strbuf *out);

/* Appends the n octets of DER as a block of that label, in lines of 64 (RFC 7468, section 2). */
void pem_write(struct strbuf *out, const char *label, const void *der, size_t n);

#endif
