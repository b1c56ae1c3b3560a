/*
 * The walk through certificates, in DER and in PEM: nothing is read outside
 * of what is there, what is found lies inside, and PEM and DER agree.
 *
 * First octet: 'P' for a text with PEM blocks, anything else for DER.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tls/certificate.h"
#include "util/base64.h"
#include "util/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static int is_inside(const struct octets *o, const uint8_t *data, size_t size)
{
	return o->n >= 2 && o->data >= data && o->n <= size &&
	       (size_t)(o->data - data) <= size - o->n;
}

static void check_name(const struct octets *name)
{
	struct strbuf out = STRBUF_INIT(1 << 20);

	strbuf_addch(&out, 'x');
	int rc = certificate_canonical_name(name, &out);

	require(out.buf[0] == 'x');
	require(rc == 0 || out.len == 1);
	strbuf_release(&out);
}

/* The same certificate in PEM has the same subject. */
static void check_pem(const uint8_t *der, size_t n, const struct octets *subject)
{
	struct strbuf text = STRBUF_INIT(1 << 24);
	struct certificate_reader *r = certificate_reader_new();

	base64_encode(&text, der, n);
	const struct octets body = { (const unsigned char *)text.buf, text.len };

	require(certificate_subject_among(r, &body, subject, 1));
	certificate_reader_free(r);
	strbuf_release(&text);
}

static void try_der(const uint8_t *der, size_t n)
{
	struct octets issuer, subject, key;
	const struct octets whole = { der, n };

	check_name(&whole);
	if (certificate_names(der, n, &issuer, &subject) < 0) {
		require(certificate_public_key(der, n, &key) < 0);
		return;
	}
	require(is_inside(&issuer, der, n) && is_inside(&subject, der, n));
	require(issuer.data + issuer.n <= subject.data);
	check_name(&issuer);
	check_name(&subject);
	check_pem(der, n, &subject);
	if (certificate_public_key(der, n, &key) == 0)
		require(is_inside(&key, der, n) && key.data == subject.data + subject.n);
}

static void try_pem(const uint8_t *text, size_t n)
{
	struct certificate_reader *r = certificate_reader_new();
	const char *pos = (const char *)text, *end = pos + n, *before = pos;
	const struct octets names[] = { { (const unsigned char *)"\x30\x00", 2 }, { text, n } };
	struct octets block, body;

	while (certificate_next_pem(&pos, end, &block, &body)) {
		require(pos > before && pos <= end);
		require(is_inside(&block, text, n));
		require(body.data >= block.data &&
			body.data + body.n <= block.data + block.n);
		(void)certificate_subject_among(r, &body, names, 2);
		before = pos;
	}
	certificate_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] == 'P')
		try_pem(data + 1, size - 1);
	else
		try_der(data + 1, size - 1);
	return 0;
}
