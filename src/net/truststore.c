#include "config.h"
#include "net/truststore.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "net/gnutls_api.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define STORE_MAX ((size_t)64 * 1024 * 1024)
#define NAMES_MAX ((size_t)64 * 1024)	/* octets of a certificate before the end of its subject */

enum { READ_STEP = 4096 };

struct truststore {
	struct strbuf text;
	bool of_library;	/* no file: GnuTLS knows its own */
};

/*
 * A certificate that is decoded from base64 only as far as it is looked at.
 * With text == text_end it is in DER and all of it is there.
 */
struct certificate {
	const char *text, *text_end;
	const unsigned char *der;
	unsigned char *room;		/* where der is decoded to: NAMES_MAX octets and a group */
	size_t have;
	const unsigned char *digits;	/* value of each character; see digits_init() */
};

enum { DIGIT_BAD = 0x80 };

/* --- PEM (RFC 7468): lazily decoded ------------------------------------- */

static void digits_init(unsigned char digits[256])
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	memset(digits, DIGIT_BAD, 256);
	for (unsigned i = 0; i < 64; i++)
		digits[(unsigned char)alphabet[i]] = (unsigned char)i;
}

static bool is_blank(char c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

/* Four characters, possibly with white space between, to at most three octets. */
static bool decode_slowly(struct certificate *c)
{
	uint32_t bits = 0;
	int n = 0, pad = 0;

	for (; n < 4 && c->text < c->text_end; c->text++) {
		unsigned char d = c->digits[(unsigned char)*c->text];

		if (is_blank(*c->text))
			continue;
		if (*c->text == '=')
			pad++;
		else if (d == DIGIT_BAD || pad)
			return false;
		bits = bits << 6 | (d & 63);
		n++;
	}
	if (n < 4 || pad > 2)
		return false;
	for (int i = 0; i < 3 - pad; i++)
		c->room[c->have++] = (unsigned char)(bits >> (16 - 8 * i));
	return true;
}

/* Groups of four characters of the alphabet, until n octets are there or another one comes. */
static void decode_fast(struct certificate *c, size_t n)
{
	const unsigned char *in = (const unsigned char *)c->text, *digits = c->digits;
	size_t groups = (size_t)(c->text_end - c->text) / 4, wanted = (n - c->have + 2) / 3;
	unsigned char *out = c->room + c->have;

	for (groups = groups < wanted ? groups : wanted; groups; groups--, in += 4, out += 3) {
		uint32_t a = digits[in[0]], b = digits[in[1]], d = digits[in[2]], e = digits[in[3]];

		if ((a | b | d | e) & DIGIT_BAD)
			break;
		out[0] = (unsigned char)(a << 2 | b >> 4);
		out[1] = (unsigned char)(b << 4 | d >> 2);
		out[2] = (unsigned char)(d << 6 | e);
	}
	c->text = (const char *)in;
	c->have = (size_t)(out - c->room);
}

/* Are the first n octets of the certificate there, after decoding what is needed? */
static bool certificate_has(struct certificate *c, size_t n)
{
	if (n <= c->have)
		return true;
	if (n > NAMES_MAX)
		return false;
	while (c->have < n && c->text < c->text_end) {
		decode_fast(c, n);
		if (c->have < n && c->text < c->text_end && is_blank(*c->text))
			c->text++;	/* the end of a line, mostly between two groups */
		else if (c->have < n && !decode_slowly(c))
			return false;
	}
	return c->have >= n;
}

static const char begin_line[] = "-----BEGIN ";
static const char *const labels[] = { "CERTIFICATE-----", "X509 CERTIFICATE-----" };

/* Behind the label of a certificate that follows "-----BEGIN ", else NULL. */
static const char *after_label(const char *p, const char *end)
{
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		size_t n = strlen(labels[i]);

		if ((size_t)(end - p) > n && memcmp(p, labels[i], n) == 0)
			return p + n;
	}
	return NULL;
}

/*
 * The next certificate of the PEM text at *pos: block is the whole of it for
 * GnuTLS, *body its base64. No character of base64 is a '-', so a search for
 * that octet finds both ends.
 */
static bool pem_next(const char **pos, const char *end, struct octets *block, struct octets *body)
{
	const size_t dashes = 5;

	for (const char *p = *pos; (p = memchr(p, '-', (size_t)(end - p))); p++) {
		const char *label = NULL, *stop;

		if ((size_t)(end - p) > sizeof(begin_line) &&
		    memcmp(p, begin_line, sizeof(begin_line) - 1) == 0)
			label = after_label(p + sizeof(begin_line) - 1, end);
		if (!label)
			continue;
		stop = memchr(label, '-', (size_t)(end - label));
		if (!stop)
			break;
		*body = (struct octets){ (const unsigned char *)label, (size_t)(stop - label) };
		/* the block goes on to the end of the line "-----END CERTIFICATE-----" */
		const char *tail = (size_t)(end - stop) > dashes
			? memchr(stop + dashes, '-', (size_t)(end - stop) - dashes) : NULL;

		*pos = tail && (size_t)(end - tail) > dashes ? tail + dashes : end;
		*block = (struct octets){ (const unsigned char *)p, (size_t)(*pos - p) };
		return true;
	}
	return false;
}

/* --- DER ---------------------------------------------------------------- */

struct element {
	unsigned tag;
	size_t start, content, end;	/* offsets of its tag, its content, and what follows it */
};

/*
 * X.690, section 8.1: identifier octet (no tag numbers above 30 occur here),
 * length octets (short form, or long form of up to four octets; the
 * indefinite form is not DER), content. The element must end by limit.
 */
static bool der_element(struct certificate *c, size_t at, size_t limit, struct element *e)
{
	size_t length, extra = 0;

	if (limit - at < 2 || !certificate_has(c, at + 2) || (c->der[at] & 0x1f) == 0x1f)
		return false;
	length = c->der[at + 1];
	if (length & 0x80) {
		extra = length & 0x7f;
		if (extra < 1 || extra > 4 || limit - at - 2 < extra ||
		    !certificate_has(c, at + 2 + extra))
			return false;
		length = 0;
		for (size_t i = 0; i < extra; i++)
			length = length << 8 | c->der[at + 2 + i];
	}
	*e = (struct element){ .tag = c->der[at], .start = at, .content = at + 2 + extra };
	if (length > limit - e->content)
		return false;
	e->end = e->content + length;
	return true;
}

/* The element at *at must have this tag; *at moves behind it. */
static bool der_expect(struct certificate *c, unsigned tag, size_t *at, size_t limit,
		       struct element *e)
{
	if (!der_element(c, *at, limit, e) || e->tag != tag)
		return false;
	*at = e->end;
	return true;
}

enum { DER_INTEGER = 0x02, DER_SEQUENCE = 0x30, DER_VERSION = 0xa0 };

/*
 * RFC 5280, section 4.1:
 * Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }
 * TBSCertificate ::= SEQUENCE { version [0] EXPLICIT DEFAULT v1,
 *	serialNumber INTEGER, signature SEQUENCE, issuer Name,
 *	validity SEQUENCE, subject Name, ... }
 */
static bool find_names(struct certificate *c, size_t limit, struct element *issuer,
		       struct element *subject)
{
	struct element whole, tbs, e;
	size_t at = 0;

	if (!der_expect(c, DER_SEQUENCE, &at, limit, &whole))
		return false;
	at = whole.content;
	if (!der_expect(c, DER_SEQUENCE, &at, whole.end, &tbs))
		return false;
	at = tbs.content;
	if (der_element(c, at, tbs.end, &e) && e.tag == DER_VERSION)
		at = e.end;
	return der_expect(c, DER_INTEGER, &at, tbs.end, &e) &&
	       der_expect(c, DER_SEQUENCE, &at, tbs.end, &e) &&
	       der_expect(c, DER_SEQUENCE, &at, tbs.end, issuer) &&
	       der_expect(c, DER_SEQUENCE, &at, tbs.end, &e) &&
	       der_expect(c, DER_SEQUENCE, &at, tbs.end, subject);
}

int truststore_names(const void *der, size_t n, struct octets *issuer_out,
		     struct octets *subject_out)
{
	struct certificate c = { .der = der, .have = n };
	struct element issuer, subject;

	if (!find_names(&c, n, &issuer, &subject))
		return -1;
	*issuer_out = (struct octets){ c.der + issuer.start, issuer.end - issuer.start };
	*subject_out = (struct octets){ c.der + subject.start, subject.end - subject.start };
	return 0;
}

/* --- the store ---------------------------------------------------------- */

/* Straight into the buffer: copying the system's bundle would cost as much as searching it. */
static int read_store(const char *path, struct strbuf *text, struct error *err)
{
	int fd = fs_open_read(path);
	struct stat st;

	if (fd < 0)
		return error_errno(err, EX_OSFILE, "5.3.5", "cannot open trust file %s", path);
	size_t step = fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size < STORE_MAX
		? (size_t)st.st_size + 1 : READ_STEP;
	ssize_t n = 0;
	char *room;

	while ((room = strbuf_reserve(text, step))) {
		n = read(fd, room, step);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		strbuf_commit(text, (size_t)n);
		step = READ_STEP;
	}
	if (n < 0)
		error_errno(err, EX_OSFILE, "5.3.5", "cannot read trust file %s", path);
	else if (!room)
		error_set(err, EX_OSFILE, "5.3.5", "trust file %s is too large", path);
	close(fd);
	return room && n == 0 ? 0 : -1;
}

static bool has_certificate(const struct truststore *store)
{
	struct octets block, body;
	const char *pos = store->text.buf;

	return pem_next(&pos, pos + store->text.len, &block, &body);
}

int truststore_open(const char *trust_file, struct truststore **out, struct error *err)
{
	struct truststore *store = xcalloc(1, sizeof(*store));
	bool system = strcmp(trust_file, "system") == 0;
	const char *path = system ? SYSTEM_TRUST_BUNDLE : trust_file;
	int rc = 0;

	strbuf_init(&store->text, STORE_MAX);
	if (system && (!*path || (access(path, F_OK) < 0 && errno == ENOENT)))
		store->of_library = true;
	else
		rc = read_store(path, &store->text, err);
	if (rc == 0 && !store->of_library && !has_certificate(store))
		rc = error_set(err, EX_CONFIG, "5.3.5",
			       "there is no certificate in trust file %s (PEM is expected)", path);
	if (rc < 0) {
		truststore_free(store);
		return -1;
	}
	*out = store;
	return 0;
}

void truststore_free(struct truststore *store)
{
	if (store) {
		strbuf_release(&store->text);
		xfree(store);
	}
}

static int add_pem(gnutls_x509_trust_list_t list, const void *text, size_t n)
{
	gnutls_datum_t pem = { .data = (unsigned char *)(uintptr_t)text, .size = (unsigned)n };

	return gtls.x509_trust_list_add_trust_mem(list, &pem, NULL, GNUTLS_X509_FMT_PEM,
						  GNUTLS_TL_NO_DUPLICATES, 0);
}

int truststore_add_all(const struct truststore *store, gnutls_x509_trust_list_t list)
{
	if (store->of_library)
		return gtls.x509_trust_list_add_system_trust(list, GNUTLS_TL_NO_DUPLICATES, 0);
	return add_pem(list, store->text.buf, store->text.len);
}

/* Is the subject of the certificate in body one of the names (or unreadable here)? */
static bool is_wanted(struct certificate *c, const struct octets *body, const struct octets *names,
		      size_t count)
{
	struct element issuer, subject;

	c->text = (const char *)body->data;
	c->text_end = c->text + body->n;
	c->have = 0;
	if (!find_names(c, body->n, &issuer, &subject))
		return true;
	size_t n = subject.end - subject.start;

	for (size_t i = 0; i < count; i++) {
		if (names[i].n != n)
			continue;
		if (!certificate_has(c, subject.end))
			return true;
		if (memcmp(names[i].data, c->der + subject.start, n) == 0)
			return true;
	}
	return false;
}

static unsigned choose(const struct truststore *store, const struct octets *names, size_t count,
		       gnutls_x509_trust_list_t list)
{
	unsigned char digits[256];
	struct certificate c = { .room = xmalloc(NAMES_MAX + 4), .digits = digits };
	const char *pos = store->text.buf, *end = pos + store->text.len;
	struct octets block, body;
	unsigned added = 0;

	c.der = c.room;
	digits_init(digits);
	while (pem_next(&pos, end, &block, &body)) {
		if (is_wanted(&c, &body, names, count) && add_pem(list, block.data, block.n) > 0)
			added++;
	}
	xfree(c.room);
	return added;
}

unsigned truststore_choose(const struct truststore *store, const gnutls_datum_t *chain, unsigned n,
			   gnutls_x509_trust_list_t list)
{
	struct octets *names = xcalloc(n, 2 * sizeof(*names));
	bool readable = !store->of_library;
	int all;

	for (unsigned i = 0; readable && i < n; i++)
		readable = truststore_names(chain[i].data, chain[i].size, &names[2 * (size_t)i],
					    &names[2 * (size_t)i + 1]) == 0;
	if (readable) {
		unsigned added = choose(store, names, 2 * (size_t)n, list);

		xfree(names);
		return added;
	}
	xfree(names);
	all = truststore_add_all(store, list);
	return all > 0 ? (unsigned)all : 0;
}
