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
#include <stdint.h>

#include "net/wire.h"
#include "util/attr.h"

struct arena;
struct deadline;
struct error;
struct secret;
struct strbuf;
struct stream;
struct strvec;
struct tls;
struct tlsa;

/*
 * A TLSA record (RFC 6698, section 2.1): plain data, made by tls/dane.h and
 * compared with the peer's certificate by tls/tls.h.
 */
enum tlsa_usage { TLSA_PKIX_TA = 0, TLSA_PKIX_EE = 1, TLSA_DANE_TA = 2, TLSA_DANE_EE = 3 };
enum tlsa_selector { TLSA_CERTIFICATE = 0, TLSA_PUBLIC_KEY = 1 };
enum tlsa_matching { TLSA_FULL = 0, TLSA_SHA256 = 1, TLSA_SHA512 = 2 };

struct tlsa {
	unsigned usage, selector, matching;
	const unsigned char *data;	/* certificate association data; borrowed */
	size_t n;
};

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
	const char *const *pins;	/* ends with NULL; see net/pin.h; NULL = none */
	const struct tlsa *tlsa;	/* usable records; the leaf has to match one */
	size_t tlsa_n;
	/* Files with PEM, "pkcs11:" or "tpmkey:" URI; of the certificate also PEM itself. */
	const char *cert_file, *key_file;	/* NULL = none */
	const char *key_text;		/* the key itself, PEM or base64; NULL = in a file */
	const char *pkcs12_file;	/* both in one; NULL = none */
	/* The passphrase or PIN of the key, asked for when needed: 0 (unset: none), or -1. */
	int (*key_password)(void *ctx, struct secret *out, struct error *err);
	void *key_password_ctx;
	const char *priorities;		/* NULL = our default */
	const char *const *alpn;	/* protocols to offer, ends with NULL; NULL = none */
	bool reasons_only;		/* no advice behind what is wrong with a certificate */
	bool only_tls13;		/* nothing older, whatever the priorities say */
	const char *cache;		/* folder of sessions to resume, or "auto"; NULL = none */
	const char *cache_name;		/* whose sessions they are: account and server */
	unsigned min_dh_prime_bits;	/* 0 = library's default */
	unsigned port;			/* for hints in errors */
	bool starttls;			/* for hints in errors */
	/* Told of each record and handshake message, by kind and length; NULL = nobody. */
	wire_trace_fn *trace;
	void *trace_ctx;		/* lives as long as the stream */
};

struct tls_server {
	const char *cert_file, *key_file;
	const char *client_ca;		/* PEM: clients need a certificate of theirs; NULL = none */
};

/*
 * Performs the handshake on lower and verifies; on success *out is a stream
 * that owns lower, on failure lower stays the caller's (and is useless).
 * EX_PROTOCOL 5.7.5 for a certificate that is not acceptable (all reasons
 * named), for a peer that does not speak TLS and for whatever else of it
 * cannot be decoded; EX_TEMPFAIL 4.7.5 / 4.4.2 when the peer or the line ends
 * the handshake, and for a certificate that no TLSA record fits; FAULT_TLS_SESSION
 * where it ended at a session of the cache: once more, and it is without; EX_CONFIG
 * for settings, EX_OSFILE 5.3.5 for a trust file that cannot be read.
 */
ATTR_CHECK int tls_connect(struct stream *lower, const struct tls_client *settings,
			   const struct deadline *d, struct stream **out, struct error *err);

/* The same for the server's end; tls_verified() then says whether the client has proven itself. */
ATTR_CHECK int tls_accept(struct stream *lower, const struct tls_server *settings,
			  const struct deadline *d, struct stream **out, struct error *err);

/*
 * Can tls_accept() use these files: pair, mode of the key, authorities?
 * EX_CONFIG otherwise, which names the file.
 */
ATTR_CHECK int tls_server_check(const struct tls_server *settings, struct error *err);

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

/* Adds the certificates that the peer has sent, as PEM, its own first. */
void tls_add_peer_chain(const struct stream *s, struct strvec *out);

/* Appends the versions of the TLS library: "GnuTLS 3.7.9"; -1 if it cannot be loaded. */
ATTR_CHECK int tls_library_version(struct strbuf *out, struct error *err);

/*
 * What there is to know about a TLS connection and the peer's certificate,
 * in pieces: for those who have to judge it, not only to show it.
 */
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
