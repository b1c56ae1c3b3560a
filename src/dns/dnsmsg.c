#include "config.h"
#include "dns/dnsmsg.h"

#include <string.h>
#include <strings.h>

#include "util/xalloc.h"

/*
 * RFC 1035, section 4.1. Octets:
 *   message   header, questions, answers, and more that is not looked at
 *   header    id(2) flags(2) and the number of each of the four, 2 octets each
 *   question  name type(2) class(2)
 *   record    name type(2) class(2) ttl(4) length(2) data
 *   name      *( length label ) ( 0 / pointer ); a pointer is 11 and 14 bits
 */
enum {
	HEADER = 12, QUESTION_TAIL = 4, RECORD_TAIL = 10, CLASS_IN = 1,
	LABEL_MAX = 63, NAME_OCTETS_MAX = 255, POINTER = 0xc0,
	FLAG_ANSWER = 0x8000, FLAG_TRUNCATED = 0x0200, FLAG_RECURSE = 0x0100,
	FLAG_AUTHENTIC = 0x0020, OPCODE = 0x7800, CODE = 0x000f,
	CHAIN_MAX = 8, RECORDS_MAX = 200,
};

struct reader {
	const unsigned char *data;
	size_t n, at;
};

/* Without the final dot. */
static size_t name_len(const char *name)
{
	const size_t len = strlen(name);

	return len && name[len - 1] == '.' ? len - 1 : len;
}

/* --- asking ---------------------------------------------------------------- */

static unsigned char *put16(unsigned char *p, unsigned value)
{
	*p++ = (value >> 8) & 0xff;
	*p++ = value & 0xff;
	return p;
}

int dns_question(const char *name, enum dns_type type, unsigned id,
		 unsigned char out[DNS_QUERY_MAX])
{
	unsigned char *p = out;
	const size_t len = name_len(name);

	if (len == 0 || len > NAME_OCTETS_MAX - 2)
		return -1;
	p = put16(p, id);
	p = put16(p, FLAG_RECURSE | FLAG_AUTHENTIC);	/* AD: tell me (RFC 6840, 5.7) */
	p = put16(p, 1);
	memset(p, 0, 6);
	p += 6;
	for (const char *end = name + len, *dot; name <= end; name = dot + 1) {
		dot = memchr(name, '.', (size_t)(end - name));
		if (!dot)
			dot = end;
		if (dot == name || dot - name > LABEL_MAX)
			return -1;
		*p++ = (unsigned char)(dot - name);
		memcpy(p, name, (size_t)(dot - name));
		p += dot - name;
	}
	*p++ = 0;
	p = put16(p, (unsigned)type);
	p = put16(p, CLASS_IN);
	return (int)(p - out);
}

/* --- reading --------------------------------------------------------------- */

/* Are n octets left? Then they are taken; else NULL. */
static const unsigned char *take(struct reader *r, size_t n)
{
	const unsigned char *p = r->data + r->at;

	if (r->n - r->at < n)
		return NULL;
	r->at += n;
	return p;
}

static unsigned get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Can a host (or a service, with '_') be called that? */
static bool host_label(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
			    p[i]) || !p[i])
			return false;
	}
	return true;
}

static void add_label(char out[DNS_NAME_TEXT], size_t *len, const unsigned char *label, size_t n)
{
	if (*len)
		out[(*len)++] = '.';
	memcpy(out + *len, label, n);
	*len += n;
	out[*len] = '\0';
}

/* A name as text without the final dot; *plain_out: is it a host's? -1 if malformed. */
static int read_name(struct reader *r, char out[DNS_NAME_TEXT], bool *plain_out)
{
	struct reader at = *r;
	size_t octets = 1, len = 0, behind = 0, lowest = r->at;

	*plain_out = true;
	out[0] = '\0';
	for (;;) {
		const unsigned char *p = take(&at, 1), *label;

		if (!p)
			return -1;
		if ((*p & POINTER) == POINTER) {
			const unsigned char *low = take(&at, 1);
			size_t to = low ? (size_t)(*p & ~POINTER) << 8 | *low : at.n;

			if (!behind)
				behind = at.at;
			if (to >= lowest)	/* backwards, and each time further */
				return -1;
			at.at = lowest = to;
			continue;
		}
		if (*p == 0)
			break;
		octets += *p + 1U;
		if (*p > LABEL_MAX || octets > NAME_OCTETS_MAX || !(label = take(&at, *p)))
			return -1;
		if (!host_label(label, *p))
			*plain_out = false;
		add_label(out, &len, label, *p);
	}
	r->at = behind ? behind : at.at;
	return 0;
}

/* The question must be the one that was asked. */
static int read_question(struct reader *r, const char *name, enum dns_type type)
{
	char asked[DNS_NAME_TEXT];
	bool plain;
	const size_t len = name_len(name);

	if (read_name(r, asked, &plain) < 0 || strlen(asked) != len ||
	    strncasecmp(asked, name, len) != 0)
		return -1;
	const unsigned char *p = take(r, QUESTION_TAIL);

	return p && get16(p) == (unsigned)type && get16(p + 2) == CLASS_IN ? 0 : -1;
}

/* One record as it stands; its data is at [data, data + n) of the message. */
struct raw {
	char owner[DNS_NAME_TEXT];
	bool plain;
	unsigned type, class;
	size_t data, n;
};

static int read_raw(struct reader *r, struct raw *out)
{
	const unsigned char *p;

	if (read_name(r, out->owner, &out->plain) < 0 || !(p = take(r, RECORD_TAIL)))
		return -1;
	out->type = get16(p);
	out->class = get16(p + 2);
	out->n = get16(p + 8);
	out->data = r->at;
	return take(r, out->n) ? 0 : -1;
}

/* The name at offset skip of a record's data, which it must fill to its end. */
static int name_in(const struct reader *r, const struct raw *raw, size_t skip,
		   char out[DNS_NAME_TEXT], bool *plain_out)
{
	struct reader at = { r->data, raw->data + raw->n, raw->data + skip };

	if (raw->n < skip || read_name(&at, out, plain_out) < 0 || at.at != at.n)
		return -1;
	return 0;
}

/* RFC 6698, section 2.1: usage(1) selector(1) matching(1) data */
void dns_tlsa_read(const unsigned char *p, size_t n, struct dns_record *out)
{
	if (n < 4)
		return;
	out->usage = p[0];
	out->selector = p[1];
	out->matching = p[2];
	out->data_n = n - 3;
	out->data = xmalloc(out->data_n);
	memcpy(out->data, p + 3, out->data_n);
}

/* 1: *out is filled; 0: of no use; -1: malformed. */
static int read_record(const struct reader *r, const struct raw *raw, enum dns_type type,
		       struct dns_record *out)
{
	const unsigned char *p = r->data + raw->data;
	bool plain = true;

	*out = (struct dns_record){ .priority = 0 };
	switch (type) {
	case DNS_A:
		if (raw->n != sizeof(out->address.in))
			return -1;
		memcpy(&out->address.in, p, raw->n);
		return 1;
	case DNS_AAAA:
		if (raw->n != sizeof(out->address.in6))
			return -1;
		memcpy(&out->address.in6, p, raw->n);
		return 1;
	case DNS_MX:
		if (name_in(r, raw, 2, out->target, &plain) < 0)
			return -1;
		out->priority = get16(p);
		return plain;
	case DNS_SRV:
		if (name_in(r, raw, 6, out->target, &plain) < 0)
			return -1;
		out->priority = get16(p);
		out->weight = get16(p + 2);
		out->port = get16(p + 4);
		return plain && (out->port || !*out->target);
	case DNS_TLSA:
		dns_tlsa_read(p, raw->n, out);
		return out->data != NULL;
	case DNS_CNAME:
		break;
	}
	return 0;
}

static void copy_name(char out[DNS_NAME_TEXT], const char *name, size_t len)
{
	memcpy(out, name, len);
	out[len] = '\0';
}

/* Goes from alias to alias; a chain that is too long or no host's name ends where it is. */
static int follow_aliases(const struct reader *start, unsigned count, struct dns_answer *out)
{
	bool moved = true;

	for (unsigned hops = 0; moved && hops < CHAIN_MAX; hops++) {
		struct reader r = *start;

		moved = false;
		for (unsigned i = 0; i < count; i++) {
			struct raw raw;
			char next[DNS_NAME_TEXT];
			bool plain;

			if (read_raw(&r, &raw) < 0)
				return -1;
			if (moved || raw.type != DNS_CNAME || raw.class != CLASS_IN ||
			    strcasecmp(raw.owner, out->canonical) != 0)
				continue;
			if (name_in(&r, &raw, 0, next, &plain) < 0)
				return -1;
			if (!plain || !*next)
				continue;
			copy_name(out->canonical, next, strlen(next));
			out->aliased = moved = true;
		}
	}
	return 0;
}

static int read_records(const struct reader *start, unsigned count, enum dns_type type,
			struct dns_answer *out)
{
	struct reader r = *start;

	for (unsigned i = 0; i < count; i++) {
		struct raw raw;
		struct dns_record one;

		if (read_raw(&r, &raw) < 0)
			return -1;
		if (raw.type != (unsigned)type || raw.class != CLASS_IN ||
		    strcasecmp(raw.owner, out->canonical) != 0 || out->n == RECORDS_MAX)
			continue;
		int use = read_record(&r, &raw, type, &one);

		if (use < 0)
			return -1;
		if (!use)
			continue;
		out->v = xrealloc(out->v, out->n + 1, sizeof(one));
		out->v[out->n++] = one;
	}
	return 0;
}

int dns_answer_read(const unsigned char *data, size_t n, const char *name, enum dns_type type,
		    unsigned id, struct dns_answer *out)
{
	struct reader r = { data, n, 0 };
	const unsigned char *p = take(&r, HEADER);
	struct dns_answer a = { .code = 0 };
	const size_t len = name_len(name);

	if (!p || len >= DNS_NAME_TEXT || get16(p) != id || get16(p + 4) != 1 ||
	    (get16(p + 2) & (FLAG_ANSWER | OPCODE)) != FLAG_ANSWER ||
	    read_question(&r, name, type) < 0)
		return -1;
	a.code = get16(p + 2) & CODE;
	a.truncated = get16(p + 2) & FLAG_TRUNCATED;
	a.authentic = get16(p + 2) & FLAG_AUTHENTIC;
	copy_name(a.canonical, name, len);
	if (a.code == DNS_OK && !a.truncated &&
	    (follow_aliases(&r, get16(p + 6), &a) < 0 ||
	     read_records(&r, get16(p + 6), type, &a) < 0)) {
		dns_answer_release(&a);
		return -1;
	}
	*out = a;
	return 0;
}

void dns_answer_release(struct dns_answer *a)
{
	for (size_t i = 0; i < a->n; i++)
		xfree(a->v[i].data);
	xfree(a->v);
	*a = (struct dns_answer){ .code = 0 };
}
