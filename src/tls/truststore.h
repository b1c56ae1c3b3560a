/*
 * The certificates of CAs that the peer's chain is verified against.
 *
 * A store is PEM text - the system's bundle, a file of the user's, or the
 * text itself - or a folder of files, or both. Parsing all of it costs more
 * than the rest of a TLS session, so it is only looked through: of each
 * certificate the subject is decoded, and those are handed to GnuTLS whose
 * subject is, octet by octet, the issuer or the subject of a certificate of
 * the peer's chain. In a folder with hashed names (openssl rehash) only the
 * files are read that have the hash of such a name; when none of them fits,
 * or there are no such names, all *.pem, *.crt and *.cer files are.
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
#ifndef TLS_TRUSTSTORE_H
#define TLS_TRUSTSTORE_H

#include <stddef.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "util/attr.h"

struct error;
struct strbuf;
struct truststore;

/*
 * file: "system" is the system's bundle, and without such a bundle the store
 * that GnuTLS was built with; a text that begins with "-----BEGIN" is the
 * certificates themselves ("\n" may stand for the ends of lines); anything
 * else is a path. dir: a folder, NULL = none; with it "system" is not read.
 * EX_OSFILE 5.3.5 when file or folder cannot be read, EX_CONFIG 5.3.5 when
 * there is no certificate in the file. *out is the caller's.
 */
ATTR_CHECK int truststore_open(const char *file, const char *dir, struct truststore **out,
			       struct error *err);

void truststore_free(struct truststore *store);	/* accepts NULL */

/*
 * Adds the certificates of the store that can matter for the n certificates
 * (DER) of chain to list; returns their number. GnuTLS must be loaded.
 */
unsigned truststore_choose(struct truststore *store, const gnutls_datum_t *chain, unsigned n,
			   gnutls_x509_trust_list_t list);

/* Adds the whole store; the number of certificates or a GnuTLS error code. */
int truststore_add_all(struct truststore *store, gnutls_x509_trust_list_t list);

/*
 * Appends what changes when the store does: path, size and time of its files
 * and folders. For the session cache (tls/tls_cache.h).
 */
void truststore_identify(const char *file, const char *dir, struct strbuf *out);

#endif
