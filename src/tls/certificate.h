/*
 * A certificate looked at without a parser of certificates: PEM and just as
 * much DER as finding it in a store takes.
 *
 * To choose the one issuer out of a bundle of 140 certificates, the subject
 * of each has to be read, and nothing else: PEM is decoded only that far, and
 * the walk through DER takes no copy. All lengths are checked against what
 * is there; nothing found here decides about trust (GnuTLS does), it only
 * says which certificates the library is to parse.
 * PEM: RFC 7468. DER: X.690. Certificates: RFC 5280, section 4.1.
 */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct certificate_reader;
struct strbuf;

struct octets {
	const unsigned char *data;
	size_t n;
};

/*
 * The next certificate of the PEM text at *pos, which moves behind it: block
 * is all of it, BEGIN and END lines included, *body its base64.
 */
bool certificate_next_pem(const char **pos, const char *end, struct octets *block,
			  struct octets *body);

/* The room that decoding takes, for any number of certificates; never NULL. */
struct certificate_reader *certificate_reader_new(void);
void certificate_reader_free(struct certificate_reader *r);	/* accepts NULL */

/*
 * Is the subject of the certificate in body one of the names, octet by octet?
 * Also true when its subject cannot be read.
 */
bool certificate_subject_among(struct certificate_reader *r, const struct octets *body,
			       const struct octets *names, size_t count);

/*
 * Finds issuer and subject, tag and length included, in a certificate in
 * DER. -1 if it is not of that form.
 */
ATTR_CHECK int certificate_names(const void *der, size_t n, struct octets *issuer_out,
				 struct octets *subject_out);

/* Are issuer and subject of that certificate the same? */
bool certificate_self_signed(const void *der, size_t n);

/* Finds the SubjectPublicKeyInfo, tag and length included; -1 if there is none. */
ATTR_CHECK int certificate_public_key(const void *der, size_t n, struct octets *key_out);

/*
 * Appends the form of a name (DER, with its tag) that the file names of a
 * hashed folder of certificates are made of: each attribute as a UTF8String
 * in lower case with single blanks, without the outer SEQUENCE. The first
 * four octets of its SHA-1, the last one first, are the name. -1 for a name
 * with a kind of string or a structure that needs more than that.
 */
ATTR_CHECK int certificate_canonical_name(const struct octets *name, struct strbuf *out);

#endif
