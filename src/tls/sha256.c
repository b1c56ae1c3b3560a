#include "config.h"
#include "tls/sha256.h"

#include "tls/gnutls_api.h"
#include "util/error.h"

int sha256_init(struct sha256 *h, struct error *err)
{
	gnutls_hash_hd_t handle;

	if (gnutls_rare_load(err) < 0)
		return -1;
	if (gtls_rare.hash_init(&handle, GNUTLS_DIG_SHA256) < 0)
		return error_set(err, FAULT_BUG, "GnuTLS has no SHA-256");
	h->state = handle;
	return 0;
}

void sha256_add(struct sha256 *h, const void *data, size_t n)
{
	(void)gtls_rare.hash(h->state, data, n);
}

void sha256_end(struct sha256 *h, unsigned char out[SHA256_OCTETS])
{
	gtls_rare.hash_deinit(h->state, out);
	h->state = NULL;
}
