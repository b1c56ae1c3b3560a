/*
 * TLS on any lower stream, by GnuTLS, which is loaded with the first call.
 *
 * Client: TLS 1.2 or later unless the priorities say otherwise; the chain is
 * verified against the trust store, then the name (or address), the time and
 * the purpose; a stapled OCSP answer and must-staple are honoured. Of a
 * bundle of CAs only the certificates are parsed whose subject the peer's
 * chain names; what is accepted is exactly what the whole store would accept
 * (see tls/truststore.h). With a fingerprint or pins just such a leaf is
 * accepted, whoever signed it; with TLSA records (RFC 7672) what they say.
 * A session may be resumed in a later process (tls/tls_cache.h), but only one
 * whose certificate was accepted under the very same settings.
 * Server: certificate and key from PEM files.
 * The handshake reads from the descriptor below, never from a buffer.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct deadline;
struct error;
struct secret;
struct strbuf;
struct stream;
struct tls;
struct tlsa;

struct tls_client {
	const char *host;		/* name (ASCII) or address to check; SNI if a name */
	const char *also_host;		/* a name that will do as well; NULL = none */
	bool verify;
	const char *trust_file;		/* "system", PEM text or a path; NULL = "system" */
	const char *trust_dir;		/* folder of certificates; NULL = none */
	const char *crl_file;		/* NULL = none */
	bool ocsp_required;		/* a stapled OCSP answer must come */
	bool ocsp_ignored;		/* nor does one that must come, or a bad one, matter */
	const char *fingerprint;	/* hex with or without ':'; NULL = none */
	const char *const *pins;	/* ends with NULL; see tls/tls_pin.c; NULL = none */
	const struct tlsa *tlsa;	/* usable records; the leaf has to match one */
	size_t tlsa_n;
	const char *cert_file, *key_file;	/* PEM, "pkcs11:" or "tpmkey:" URI; NULL = none */
	const char *pkcs12_file;	/* both in one; NULL = none */
	/* The passphrase or PIN of the key, asked for when needed: 0 (unset: none), or -1. */
	int (*key_password)(void *ctx, struct secret *out, struct error *err);
	void *key_password_ctx;
	const char *priorities;		/* NULL = our default */
	bool reasons_only;		/* no advice behind what is wrong with a certificate */
	bool only_tls13;		/* nothing older, whatever the priorities say */
	const char *cache;		/* folder of sessions to resume, or "auto"; NULL = none */
	const char *cache_name;		/* whose sessions they are: account and server */
	unsigned min_dh_prime_bits;	/* 0 = library's default */
	unsigned port;			/* for hints in errors */
	bool starttls;			/* for hints in errors */
};

struct tls_server {
	const char *cert_file, *key_file;
};

/*
 * Performs the handshake on lower and verifies; on success *out is a stream
 * that owns lower, on failure lower stays the caller's (and is useless).
 * EX_PROTOCOL 5.7.5 for a certificate that is not acceptable (all reasons
 * named), for a peer that does not speak TLS and for whatever else of it
 * cannot be decoded; EX_TEMPFAIL 4.7.5 / 4.4.2 when the peer or the line ends
 * the handshake, and for a certificate that no TLSA record fits; EX_CONFIG
 * for settings, EX_OSFILE 5.3.5 for a trust file that cannot be read.
 */
ATTR_CHECK int tls_connect(struct stream *lower, const struct tls_client *settings,
			   const struct deadline *d, struct stream **out, struct error *err);

/* The same for the server's end. */
ATTR_CHECK int tls_accept(struct stream *lower, const struct tls_server *settings,
			  const struct deadline *d, struct stream **out, struct error *err);

/* Is s a TLS stream? The functions below take only such a one. */
bool tls_is(const struct stream *s);

/* Was the certificate verified against a trust store or by DANE (a pin does not count)? */
bool tls_verified(const struct stream *s);

/* Is it the peer's for sure: verified, or pinned? */
bool tls_authenticated(const struct stream *s);

/* Was a client certificate sent? */
bool tls_sent_certificate(const struct stream *s);

/* "TLS1.3 ECDHE-RSA-... AES-256-GCM", and " (resumed)"; appended to out. */
void tls_describe(const struct stream *s, struct strbuf *out);

/*
 * Channel binding for SCRAM-*-PLUS (RFC 9266, 5929): raw octets appended to
 * out; -1 if there is none. unique: tls-unique (TLS 1.2 with extended master
 * secret only), else tls-exporter.
 */
ATTR_CHECK int tls_channel_binding(const struct stream *s, bool unique, struct strbuf *out);

/*
 * The peer's certificate for people: subject, issuer, validity, names,
 * SHA-256 fingerprints of certificate and public key, the settings that pin
 * them; one "key: value" a line, appended to out.
 */
void tls_describe_certificate(const struct stream *s, struct strbuf *out);

/* Appends the versions of the TLS library: "GnuTLS 3.7.9"; -1 if it cannot be loaded. */
ATTR_CHECK int tls_library_version(struct strbuf *out, struct error *err);

#endif
