/*
 * The insides of a TLS stream, shared by tls.c (stream, handshake),
 * tls_trace.c (what goes over the line),
 * tls_cert.c (our own certificate), tls_verify.c (is the peer's acceptable, by
 * chain or pin?), tls_crl.c (lists of what is revoked), dane.c (by TLSA
 * records), tls_cache.c (sessions for later) and tls_info.c (what people and
 * SASL want to know).
 * Nobody else includes this.
 */
#ifndef TLS_TLS_PRIVATE_H
#define TLS_TLS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "net/stream.h"
#include "net/wire.h"
#include "tls/gnutls_api.h"
#include "tls/tls.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"

struct secret;
struct tls_resume;
struct truststore;

/* Where a direction stands in its records: of the header, and of what is behind it. */
struct tls_record {
	unsigned char head[5];
	size_t have, left;
};

struct tls {
	struct stream stream;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	const struct tls_client *settings;	/* only in a client's handshake */
	struct truststore *trust;		/* during the handshake only */
	gnutls_x509_crl_t *crl;			/* of tls_crl_file, at least until then */
	unsigned crl_n;
	struct strbuf out;			/* records that did not yet go down */
	size_t out_sent;
	struct error fault;			/* of the lower stream, or of verification */
	struct error unwritable;		/* why nothing goes down any more, but comes up */
	unsigned char first[3];			/* what the peer said first: is it TLS at all? */
	size_t first_count;
	unsigned warnings;			/* warning alerts received */
	bool server;
	bool verified, pinned;		/* the peer's certificate: by chain or DANE, by pin */
	bool dane;			/* verified by TLSA records */
	bool resumed;
	struct tls_resume *resume;	/* what is kept for a later session; NULL = nothing */
	wire_trace_fn *trace;		/* NULL = nobody wants to see it */
	void *trace_ctx;
	struct tls_record record[2];	/* going out, coming in */
	bool ended;				/* the lower stream is at its end */
	bool dead;				/* fault says why */
};

/*
 * Our own certificate: a pair of PEM files (without a key file the key is in
 * the file of the certificate), or what a client's settings name; nothing if
 * they name nothing. EX_CONFIG 5.3.5.
 */
ATTR_CHECK int tls_load_pair(struct tls *t, const char *cert_file, const char *key_file,
			     struct error *err);
ATTR_CHECK int tls_load_client(struct tls *t, struct error *err);

/* Shows records and handshake messages to fn from now on; NULL = nothing. */
ATTR_CHECK int tls_trace_begin(struct tls *t, wire_trace_fn *fn, void *ctx, struct error *err);

/* These octets have gone over the line. */
void tls_trace_octets(struct tls *t, bool incoming, const void *data, size_t n);

/* Loads trust store and CRL file, and checks the form of fingerprint and pins. */
ATTR_CHECK int tls_verify_prepare(struct tls *t, struct error *err);

/* Appends "spki-sha256:BASE64" or "cert-sha256:HEX" of a certificate; nothing if it fails. */
void tls_add_pin(struct strbuf *out, const gnutls_datum_t *der, bool key);

/* Does a TLSA record fit (RFC 7672, section 3.1)? -1 and t->fault. */
ATTR_CHECK int tls_dane_check(struct tls *t, const gnutls_datum_t *chain, unsigned n);

/* The lists of revoked certificates in a PEM file; EX_OSFILE, EX_CONFIG. Kept until released. */
ATTR_CHECK int tls_crl_load(struct tls *t, const char *path, struct error *err);
void tls_crl_release(struct tls *t);

/*
 * Is there a list of the CA with that name (DER), and is the time of all of
 * them over? *when_out is that of the last.
 */
bool tls_crl_is_old(const struct tls *t, const gnutls_datum_t *issuer, time_t *when_out);

/* The chain against the trust store, with all reasons in t->fault if it is not acceptable. */
ATTR_CHECK int tls_check_chain(struct tls *t, const gnutls_datum_t *chain, unsigned n);

/* Does a subjectAltName of the certificate match the name (or address) host? */
bool tls_name_matches(gnutls_x509_crt_t leaf, const char *host);

/*
 * Sessions to resume. prepare: offers one of the cache, if there is one for
 * these settings. started: after the handshake, was it taken, and may the new
 * one be kept? refused: the handshake has failed with err; if a session was
 * offered, it is forgotten, and err turns into FAULT_TLS_SESSION where the
 * peer may have failed for that. save: at the end, when the tickets have
 * come. drop: without saving. A failure of the cache is never one of the
 * session.
 */
void tls_resume_prepare(struct tls *t);
void tls_resume_started(struct tls *t);
void tls_resume_refused(const struct tls *t, struct error *err);
void tls_resume_save(struct tls *t);
void tls_resume_drop(struct tls *t);

/* The session's verify function: 0, or a GnuTLS error and t->fault. */
int tls_verify_callback(gnutls_session_t session);

/*
 * RFC 9525, section 6.3: is the reference name host (ASCII, no final dot)
 * the presented DNS-ID of n octets? Case is ignored; "*" stands for exactly
 * one whole label, the left-most, and at least two must follow it.
 */
bool tls_dns_matches(const char *presented, size_t n, const char *host);

/* Octets (4 or 16) of an address literal, brackets allowed; 0 for a name. */
size_t tls_parse_address(const char *host, unsigned char out[16]);

/* The subjectAltName of a certificate, parsed once; NULL if there is none. */
gnutls_subject_alt_names_t tls_names_open(gnutls_x509_crt_t cert);

/* Appends the DNS names and addresses, escaped, "a, b, c"; at most max, then "...". */
void tls_add_names(struct strbuf *out, gnutls_x509_crt_t cert, unsigned max);

/* Appends subject or issuer as RFC 4514 writes it, escaped. */
void tls_add_dn(struct strbuf *out, gnutls_x509_crt_t cert, bool issuer);

/* A certificate in DER parsed; NULL if it cannot be. x509_crt_deinit() it. */
gnutls_x509_crt_t tls_parse_certificate(const gnutls_datum_t *der);

/* Appends pairs of hex digits with ':' between. */
void tls_add_hex(struct strbuf *out, const unsigned char *data, size_t n);

/* Appends "2026-11-22", in UTC. */
void tls_add_date(struct strbuf *out, time_t when);

#endif
