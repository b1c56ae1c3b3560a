#include "config.h"
#include "tls/certificate.h"

#include <stdint.h>
#include <string.h>

#include "util/strbuf.h"
#include "util/xalloc.h"

#define NAMES_MAX ((size_t)64 * 1024)	/* octets of a certificate before the end of its subject */

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

static void digits_init(unsigned char *digits)
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
bool certificate_next_pem(const char **pos, const char *end, struct octets *block,
			  struct octets *body)
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
struct names {
	struct element tbs, issuer, subject;
};

static bool find_names(struct certificate *c, size_t limit, struct names *names)
{
	struct element whole, e;
	size_t at = 0;

	if (!der_expect(c, DER_SEQUENCE, &at, limit, &whole))
		return false;
	at = whole.content;
	if (!der_expect(c, DER_SEQUENCE, &at, whole.end, &names->tbs))
		return false;
	at = names->tbs.content;
	if (der_element(c, at, names->tbs.end, &e) && e.tag == DER_VERSION)
		at = e.end;
	return der_expect(c, DER_INTEGER, &at, names->tbs.end, &e) &&
	       der_expect(c, DER_SEQUENCE, &at, names->tbs.end, &e) &&
	       der_expect(c, DER_SEQUENCE, &at, names->tbs.end, &names->issuer) &&
	       der_expect(c, DER_SEQUENCE, &at, names->tbs.end, &e) &&
	       der_expect(c, DER_SEQUENCE, &at, names->tbs.end, &names->subject);
}

static struct octets element_octets(const struct certificate *c, const struct element *e)
{
	return (struct octets){ c->der + e->start, e->end - e->start };
}

int certificate_names(const void *der, size_t n, struct octets *issuer_out,
		      struct octets *subject_out)
{
	struct certificate c = { .der = der, .have = n };
	struct names names;

	if (!find_names(&c, n, &names))
		return -1;
	*issuer_out = element_octets(&c, &names.issuer);
	*subject_out = element_octets(&c, &names.subject);
	return 0;
}

bool certificate_self_signed(const void *der, size_t n)
{
	struct octets issuer, subject;

	return certificate_names(der, n, &issuer, &subject) == 0 && issuer.n == subject.n &&
	       memcmp(issuer.data, subject.data, issuer.n) == 0;
}

/* TBSCertificate goes on: subjectPublicKeyInfo SEQUENCE, ... */
int certificate_public_key(const void *der, size_t n, struct octets *key_out)
{
	struct certificate c = { .der = der, .have = n };
	struct names names;
	struct element key;

	if (!find_names(&c, n, &names))
		return -1;
	size_t at = names.subject.end;

	if (!der_expect(&c, DER_SEQUENCE, &at, names.tbs.end, &key))
		return -1;
	*key_out = element_octets(&c, &key);
	return 0;
}

/* --- names in PEM ------------------------------------------------------- */

struct certificate_reader {
	struct certificate c;
	unsigned char digits[256];
	unsigned char room[NAMES_MAX + 4];
};

struct certificate_reader *certificate_reader_new(void)
{
	struct certificate_reader *r = xmalloc(sizeof(*r));

	digits_init(r->digits);
	r->c = (struct certificate){ .der = r->room, .room = r->room, .digits = r->digits };
	return r;
}

void certificate_reader_free(struct certificate_reader *r)
{
	xfree(r);
}

bool certificate_subject_among(struct certificate_reader *r, const struct octets *body,
			       const struct octets *names, size_t count)
{
	struct certificate *c = &r->c;
	struct names found;

	c->text = (const char *)body->data;
	c->text_end = c->text + body->n;
	c->have = 0;
	if (!find_names(c, body->n, &found))
		return true;
	size_t n = found.subject.end - found.subject.start;

	for (size_t i = 0; i < count; i++) {
		if (names[i].n != n)
			continue;
		if (!certificate_has(c, found.subject.end))
			return true;
		if (memcmp(names[i].data, c->der + found.subject.start, n) == 0)
			return true;
	}
	return false;
}

/* --- names of files ----------------------------------------------------- */

enum { DER_UTF8 = 0x0c, DER_SET = 0x31, DER_OID = 0x06 };

/* Strings whose octets are their characters, or UTF-8 already: RFC 5280, section 4.1.2.4. */
static bool is_simple_string(unsigned tag, const unsigned char *s, size_t n)
{
	const unsigned printable = 0x13, ia5 = 0x16, visible = 0x1a;

	if (tag == DER_UTF8)
		return true;
	if (tag != printable && tag != ia5 && tag != visible)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] > 127)
			return false;
	}
	return true;
}

static bool is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void add_length(struct strbuf *out, size_t n)
{
	unsigned char octets[sizeof(n)];
	unsigned count = 0;

	for (size_t rest = n; rest; rest >>= 8)
		octets[count++] = (unsigned char)rest;
	if (n > 127)
		strbuf_addch(out, (char)(0x80 | count));
	else if (n == 0)
		strbuf_addch(out, 0);
	while (count)
		strbuf_addch(out, (char)octets[--count]);
}

static void add_element(struct strbuf *out, unsigned tag, const struct strbuf *content)
{
	strbuf_addch(out, (char)tag);
	add_length(out, content->len);
	strbuf_add(out, content->buf, content->len);
}

/* No blanks around it, one between words, ASCII letters in lower case. */
static void add_plain(struct strbuf *out, const unsigned char *s, size_t n)
{
	size_t from = 0;

	while (from < n && is_space(s[from]))
		from++;
	while (n > from && is_space(s[n - 1]))
		n--;
	for (size_t i = from; i < n; i++) {
		unsigned char c = s[i];

		if (is_space(c) && is_space(s[i + 1]))
			continue;
		if (is_space(c))
			c = ' ';
		else if (c >= 'A' && c <= 'Z')
			c = (unsigned char)(c + 32);
		strbuf_addch(out, (char)c);
	}
}

/* AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY } */
static bool add_attribute(struct certificate *c, const struct element *set, struct strbuf *out)
{
	struct strbuf plain = STRBUF_INIT(NAMES_MAX), pair = STRBUF_INIT(NAMES_MAX);
	struct element attribute, type, value;
	size_t at = set->content;
	bool good = der_expect(c, DER_SEQUENCE, &at, set->end, &attribute) && at == set->end;

	at = attribute.content;
	good = good && der_expect(c, DER_OID, &at, attribute.end, &type) &&
	       der_element(c, at, attribute.end, &value) && value.end == attribute.end &&
	       is_simple_string(value.tag, c->der + value.content, value.end - value.content);
	if (good) {
		add_plain(&plain, c->der + value.content, value.end - value.content);
		strbuf_add(&pair, c->der + type.start, type.end - type.start);
		add_element(&pair, DER_UTF8, &plain);
		strbuf_reset(&plain);
		add_element(&plain, DER_SEQUENCE, &pair);
		add_element(out, DER_SET, &plain);
	}
	good = good && !strbuf_overflow(&plain) && !strbuf_overflow(&pair);
	strbuf_release(&plain);
	strbuf_release(&pair);
	return good;
}

/*
 * Name ::= SEQUENCE OF RelativeDistinguishedName
 * RelativeDistinguishedName ::= SET OF AttributeTypeAndValue
 * Sets of several are left alone: what is written anew has to be sorted anew.
 */
int certificate_canonical_name(const struct octets *name, struct strbuf *out)
{
	struct certificate c = { .der = name->data, .have = name->n };
	struct element whole, set;
	size_t at = 0, before = out->len;

	if (!der_expect(&c, DER_SEQUENCE, &at, name->n, &whole) || whole.end != name->n)
		return -1;
	for (at = whole.content; at < whole.end;) {
		if (!der_expect(&c, DER_SET, &at, whole.end, &set) ||
		    !add_attribute(&c, &set, out)) {
			strbuf_truncate(out, before);
			return -1;
		}
	}
	return strbuf_overflow(out) ? -1 : 0;
}
