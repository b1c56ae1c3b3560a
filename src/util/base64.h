/*
 * Base64 (RFC 4648, section 4), strict as RFC 4954 wants it: no line breaks,
 * padding required, nothing outside the alphabet.
 */
#ifndef UTIL_BASE64_H
#define UTIL_BASE64_H

#include <stddef.h>

#include "util/attr.h"

struct strbuf;

/* Appends the n octets of data to out, encoded. */
void base64_encode(struct strbuf *out, const void *data, size_t n);

/* Appends the octets that the n characters of s stand for; -1 if malformed. */
ATTR_CHECK int base64_decode(struct strbuf *out, const char *s, size_t n);

#endif
