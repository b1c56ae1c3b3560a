/*
 * The entry points of GnuTLS, loaded with the first use of TLS.
 *
 * gtls.NAME(...) calls gnutls_NAME(...); the headers of the library give the
 * types, so a wrong argument is a warning as usual. Nothing of gtls may be
 * called before gnutls_api_load() has succeeded once. What few sessions need
 * is in a table of its own, gtls_rare, with gnutls_rare_load(): each entry
 * point costs as much to find as a line of SMTP to send.
 */
#ifndef TLS_GNUTLS_API_H
#define TLS_GNUTLS_API_H

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/ocsp.h>
#include <gnutls/pkcs11.h>
#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>

#include "util/attr.h"

struct error;

#define GNUTLS_API(X) \
	X(alert_get) \
	X(alert_get_name) \
	X(alert_send_appropriate) \
	X(bye) \
	X(certificate_allocate_credentials) \
	X(certificate_free_credentials) \
	X(certificate_get_ours) \
	X(certificate_get_peers) \
	X(certificate_get_trust_list) \
	X(certificate_set_x509_key_mem2) \
	X(certificate_verify_peers) \
	X(check_version) \
	X(cipher_get) \
	X(cipher_get_name) \
	X(credentials_set) \
	X(deinit) \
	X(dh_set_prime_bits) \
	X(fingerprint) \
	X(group_get) \
	X(group_get_name) \
	X(handshake) \
	X(hash_fast) \
	X(init) \
	X(kx_get) \
	X(kx_get_name) \
	X(priority_set_direct) \
	X(protocol_get_name) \
	X(protocol_get_version) \
	X(record_check_pending) \
	X(record_recv) \
	X(record_send) \
	X(server_name_set) \
	X(session_channel_binding) \
	X(session_get_flags) \
	X(session_get_ptr) \
	X(session_set_ptr) \
	X(session_set_verify_function) \
	X(sign_algorithm_get) \
	X(sign_get_name) \
	X(sign_is_secure2) \
	X(strerror) \
	X(subject_alt_names_deinit) \
	X(subject_alt_names_get) \
	X(subject_alt_names_init) \
	X(transport_set_errno) \
	X(transport_set_ptr) \
	X(transport_set_pull_function) \
	X(transport_set_push_function) \
	X(x509_crt_deinit) \
	X(x509_crt_get_activation_time) \
	X(x509_crt_get_dn) \
	X(x509_crt_get_expiration_time) \
	X(x509_crt_get_extension_by_oid2) \
	X(x509_crt_get_issuer_dn) \
	X(x509_crt_get_key_id) \
	X(x509_crt_get_pk_algorithm) \
	X(x509_crt_get_signature_algorithm) \
	X(x509_crt_import) \
	X(x509_crt_init) \
	X(x509_ext_import_subject_alt_names) \
	X(x509_trust_list_add_system_trust) \
	X(x509_trust_list_add_trust_mem)

#define GNUTLS_RARE_API(X) \
	X(certificate_server_set_request) \
	X(certificate_set_x509_trust_file) \
	X(alpn_set_protocols) \
	X(certificate_set_pin_function) \
	X(certificate_set_x509_crl) \
	X(certificate_set_x509_key_file2) \
	X(certificate_set_x509_simple_pkcs12_mem) \
	X(handshake_description_get_name) \
	X(handshake_set_hook_function) \
	X(hash) \
	X(hash_deinit) \
	X(hash_init) \
	X(ocsp_status_request_is_checked) \
	X(pem_base64_decode2) \
	X(session_get_data2) \
	X(session_is_resumed) \
	X(session_set_data) \
	X(x509_crl_deinit) \
	X(x509_crl_get_next_update) \
	X(x509_crl_get_raw_issuer_dn) \
	X(x509_crl_list_import2) \
	X(x509_crt_export2) \
	X(x509_crt_get_raw_issuer_dn) \
	X(x509_trust_list_add_cas) \
	X(x509_trust_list_deinit) \
	X(x509_trust_list_get_issuer) \
	X(x509_trust_list_init) \
	X(x509_trust_list_verify_crt2)

struct gnutls_api {
#define GNUTLS_MEMBER(name) __typeof__(gnutls_##name) *name;
	GNUTLS_API(GNUTLS_MEMBER)
#undef GNUTLS_MEMBER
	gnutls_free_function *free_memory;	/* the library's variable gnutls_free */
};

struct gnutls_rare_api {
#define GNUTLS_MEMBER(name) __typeof__(gnutls_##name) *name;
	GNUTLS_RARE_API(GNUTLS_MEMBER)
#undef GNUTLS_MEMBER
};

extern struct gnutls_api gtls;
extern struct gnutls_rare_api gtls_rare;

/* Loads the library; later calls return at once. EX_CONFIG when it is missing. */
ATTR_CHECK int gnutls_api_load(struct error *err);
ATTR_CHECK int gnutls_rare_load(struct error *err);

#endif
