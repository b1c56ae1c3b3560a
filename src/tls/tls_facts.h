/*
 * What there is to know about a TLS connection and the peer's certificate,
 * in pieces: for those who have to judge it, not only to show it.
 */
#ifndef TLS_TLS_FACTS_H
#define TLS_TLS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct stream;

struct tls_facts {
	const char *text;	/* "TLS1.3 ECDHE-X25519 ... AES-256-GCM" */
	bool version_13;	/* TLS 1.3 or later */
	bool verified, pinned;	/* by chain or DANE; by a pin */
	bool dane;		/* verified by DANE */
	bool stapled, staple_good;	/* an OCSP answer came; it is a good one */
	const char *our_chain;	/* as chain, of the certificate that we sent; NULL = none */
	const char *our_until;
	int64_t our_days_left;
	/* The rest is about the peer's certificate; chain_n 0: there is none. */
	size_t chain_n;
	const char *chain;	/* "CN=mail.example.org, by CN=R3": subjects, the last issuer */
	const char *names;	/* "a, b" */
	const char *first_name;	/* of them; NULL = none */
	const char *from, *until;	/* "2026-11-22", UTC */
	int64_t days_left;	/* of validity; < 0: it is over */
	bool self_signed;
	const char *pin;	/* value of 'tls_pin' for its key; "" if there is none */
};

/* Fills *out, whose strings live in a, from a TLS stream of tls_is(). */
void tls_facts(const struct stream *s, struct arena *a, struct tls_facts *out);

#endif
