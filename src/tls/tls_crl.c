/* Lists of revoked certificates (tls_crl_file): read for one handshake, and how old they are. */
#include "config.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tls/gnutls_api.h"
#include "tls/tls_private.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"

#define CRL_MAX ((size_t)64 * 1024 * 1024)

static int use_crls(struct tls *t, const gnutls_datum_t *pem)
{
	int code = gtls_rare.x509_crl_list_import2(&t->crl, &t->crl_n, pem, GNUTLS_X509_FMT_PEM, 0);

	return code < 0 || t->crl_n == 0 ? code :
		gtls_rare.certificate_set_x509_crl(t->credentials, t->crl, (int)t->crl_n);
}

void tls_crl_release(struct tls *t)
{
	for (unsigned i = 0; i < t->crl_n; i++)
		gtls_rare.x509_crl_deinit(t->crl[i]);
	if (t->crl)
		(*gtls.free_memory)(t->crl);
	t->crl = NULL;
	t->crl_n = 0;
}

int tls_crl_load(struct tls *t, const char *path, struct error *err)
{
	struct strbuf text = STRBUF_INIT(CRL_MAX);
	int fd = fs_open_read(path), rc;

	if (fd < 0)
		return error_errno(err, FAULT_TRUST_FILE, "cannot open CRL file %s", path);
	rc = fs_read_fd(fd, path, &text, err);
	close(fd);
	if (rc == 0) {
		gnutls_datum_t pem = { (unsigned char *)text.buf, (unsigned)text.len };
		int code = use_crls(t, &pem);

		if (code <= 0)
			rc = error_set(err, FAULT_CONFIG, "cannot use CRL file %s: %s", path,
				       code < 0 ? gtls.strerror(code) : "there is no CRL in it");
	}
	strbuf_release(&text);
	return rc;
}

/*
 * nextUpdate = the time by which the next list will be issued (RFC 5280,
 * section 5.1.2.5). The library takes what is older in silence.
 */
bool tls_crl_is_old(const struct tls *t, const gnutls_datum_t *issuer, time_t *when_out)
{
	time_t last = 0;

	for (unsigned i = 0; i < t->crl_n; i++) {
		gnutls_datum_t of = { NULL, 0 };
		bool ours = gtls_rare.x509_crl_get_raw_issuer_dn(t->crl[i], &of) >= 0 &&
			of.size == issuer->size && memcmp(of.data, issuer->data, of.size) == 0;
		time_t next = gtls_rare.x509_crl_get_next_update(t->crl[i]);

		(*gtls.free_memory)(of.data);
		if (!ours)
			continue;
		if (next == (time_t)-1 || next >= time(NULL))
			return false;
		last = next > last ? next : last;
	}
	*when_out = last;
	return last != 0;
}
