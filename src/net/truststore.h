/*
 * The certificates of CAs that the peer's chain is verified against.
 *
 * A store is a file of PEM certificates: the system's bundle or a file of the
 * user's. Parsing all of it costs more than the rest of a TLS session, so it
 * is only looked through: of each certificate the subject is decoded, and
 * those are handed to GnuTLS whose subject is, octet by octet, the issuer or
 * the subject of a certificate of the peer's chain.
 *
 * Why that accepts what the whole store accepts: a certificate of the store
 * takes part in a verification in two ways only. As the issuer of a
 * certificate of the chain: then its subject is that certificate's issuer.
 * Or as a certificate that the chain itself holds (a trusted intermediate or
 * leaf): then its subject is that certificate's subject. Verification ends at
 * the first trusted certificate, so the issuers of those found do not matter.
 * Names are compared by GnuTLS as raw octets too. The order of the store is
 * kept, all of several certificates with one subject are taken, and what
 * cannot be read here is handed over all the same, so the library judges it.
 * One difference is left: a store that is damaged elsewhere still works.
 */
#ifndef NET_TRUSTSTORE_H
#define NET_TRUSTSTORE_H

#include <stddef.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "util/attr.h"

struct error;
struct truststore;

struct octets {
	const unsigned char *data;
	size_t n;
};

/*
 * Reads the file, or for "system" the system's bundle; without such a bundle
 * the store is the one that GnuTLS was built with. EX_OSFILE 5.3.5 when the
 * file cannot be read, EX_CONFIG 5.3.5 when there is no certificate in it.
 * *out is the caller's.
 */
ATTR_CHECK int truststore_open(const char *trust_file, struct truststore **out, struct error *err);

void truststore_free(struct truststore *store);	/* accepts NULL */

/*
 * Adds the certificates of the store that can matter for the n certificates
 * (DER) of chain to list; returns their number. GnuTLS must be loaded.
 */
unsigned truststore_choose(const struct truststore *store, const gnutls_datum_t *chain, unsigned n,
			   gnutls_x509_trust_list_t list);

/* Adds the whole store; the number of certificates or a GnuTLS error code. */
int truststore_add_all(const struct truststore *store, gnutls_x509_trust_list_t list);

/*
 * Finds issuer and subject, tag and length included, in a certificate in DER
 * (RFC 5280, section 4.1). -1 if it is not of that form.
 */
ATTR_CHECK int truststore_names(const void *der, size_t n, struct octets *issuer_out,
				struct octets *subject_out);

#endif
