/*
 * SHA-256 (FIPS 180-4): to tell apart, not to keep secrets. What is worked
 * on is not wiped.
 */
#ifndef UTIL_SHA256_H
#define UTIL_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_OCTETS 32

struct sha256 {
	uint32_t state[8];
	unsigned char block[64];
	uint64_t total;		/* octets taken */
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t n);

/* The digest of all that was added; h is to be begun anew after that. */
void sha256_end(struct sha256 *h, unsigned char out[SHA256_OCTETS]);

#endif
