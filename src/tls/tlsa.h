/*
 * A TLSA record (RFC 6698, section 2.1): plain data, made by tls/dane.h and
 * compared with the peer's certificate by tls/tls.h.
 */
#ifndef TLS_TLSA_H
#define TLS_TLSA_H

#include <stddef.h>

enum tlsa_usage { TLSA_PKIX_TA = 0, TLSA_PKIX_EE = 1, TLSA_DANE_TA = 2, TLSA_DANE_EE = 3 };
enum tlsa_selector { TLSA_CERTIFICATE = 0, TLSA_PUBLIC_KEY = 1 };
enum tlsa_matching { TLSA_FULL = 0, TLSA_SHA256 = 1, TLSA_SHA512 = 2 };

struct tlsa {
	unsigned usage, selector, matching;
	const unsigned char *data;	/* certificate association data; borrowed */
	size_t n;
};

#endif
