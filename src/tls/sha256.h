/*
 * SHA-256 by GnuTLS, octet by octet: to tell apart, not to keep secrets. What
 * is worked on is not wiped. The library is loaded with the first use.
 */
#ifndef TLS_SHA256_H
#define TLS_SHA256_H

#include <stddef.h>

#include "util/attr.h"

struct error;

#define SHA256_OCTETS 32

struct sha256 {
	void *state;
};

/* sha256_end() has to follow. EX_CONFIG when the library is missing, EX_SOFTWARE when it fails. */
ATTR_CHECK int sha256_init(struct sha256 *h, struct error *err);
void sha256_add(struct sha256 *h, const void *data, size_t n);

/* The digest of all that was added; h is to be begun anew after that. */
void sha256_end(struct sha256 *h, unsigned char out[SHA256_OCTETS]);

#endif
