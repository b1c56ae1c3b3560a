#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dns/dnsmsg.h"
#include "util/attr.h"
#include "util/strbuf.h"

/* --- writing answers ------------------------------------------------------------ */

static void add16(struct strbuf *m, unsigned value)
{
	strbuf_addch(m, (char)(value >> 8));
	strbuf_addch(m, (char)value);
}

static void add_name(struct strbuf *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		strbuf_addch(m, (char)n);
		strbuf_add(m, name, n);
		name += n + (name[n] == '.');
	}
	strbuf_addch(m, '\0');
}

static void begin(struct strbuf *m, unsigned flags, unsigned answers, const char *name,
		  enum dns_type type)
{
	strbuf_reset(m);
	add16(m, 0x1234);
	add16(m, flags);
	add16(m, 1);
	add16(m, answers);
	add16(m, 0);
	add16(m, 0);
	add_name(m, name);
	add16(m, (unsigned)type);
	add16(m, 1);
}

/* A record whose owner is the name of the question, by a pointer. */
static void add_record(struct strbuf *m, const char *owner, unsigned type, const char *data,
		       size_t n)
{
	if (owner)
		add_name(m, owner);
	else
		strbuf_add(m, "\xc0\x0c", 2);
	add16(m, type);
	add16(m, 1);
	add16(m, 0);
	add16(m, 60);
	add16(m, (unsigned)n);
	strbuf_add(m, data, n);
}

#define DATA(s) s, sizeof(s) - 1

/* The same message cut to its exact length, so that a sanitizer sees a read beyond it. */
static int read_exact(const struct strbuf *m, size_t n, const char *name, enum dns_type type,
		      struct dns_answer *out)
{
	unsigned char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, m->buf, n);
	int rc = dns_answer_read(copy, n, name, type, 0x1234, out);

	free(copy);
	return rc;
}

static int read_all(const struct strbuf *m, const char *name, enum dns_type type,
		    struct dns_answer *out)
{
	return read_exact(m, m->len, name, type, out);
}

/* --- tests ------------------------------------------------------------------------- */

static void questions(void **state)
{
	(void)state;
	unsigned char out[DNS_QUERY_MAX];
	static const char wanted[] = "\x12\x34\x01\x20\0\1\0\0\0\0\0\0\7example\3org\0\0\x0f\0\1";
	char name[300];

	assert_int_equal(dns_question("example.org", DNS_MX, 0x1234, out), sizeof(wanted) - 1);
	assert_memory_equal(out, wanted, sizeof(wanted) - 1);
	assert_int_equal(dns_question("example.org.", DNS_MX, 0x1234, out), sizeof(wanted) - 1);
	assert_memory_equal(out, wanted, sizeof(wanted) - 1);

	static const char *const bad[] = { "", ".", "..", ".a", "a..b", "a.." };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(dns_question(bad[i], DNS_A, 1, out), -1);
	memset(name, 'a', sizeof(name));
	name[63] = '\0';
	assert_true(dns_question(name, DNS_A, 1, out) > 0);
	name[63] = 'a';
	name[64] = '\0';
	assert_int_equal(dns_question(name, DNS_A, 1, out), -1);
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '.' : 'a';
	name[253] = '\0';
	assert_int_equal(dns_question(name, DNS_A, 1, out), 12 + 255 + 4);
	name[253] = '.';
	name[254] = '\0';
	assert_int_equal(dns_question(name, DNS_A, 1, out), 12 + 255 + 4);
	name[254] = 'a';
	name[255] = '\0';
	assert_int_equal(dns_question(name, DNS_A, 1, out), -1);
}

static void addresses(void **state)
{
	(void)state;
	struct strbuf m = STRBUF_INIT(10000);
	struct dns_answer a;

	begin(&m, 0x8180, 2, "example.org", DNS_A);
	add_record(&m, NULL, DNS_A, DATA("\xc0\0\2\1"));
	add_record(&m, "EXAMPLE.org", DNS_A, DATA("\xc0\0\2\2"));
	assert_int_equal(read_all(&m, "Example.Org", DNS_A, &a), 0);
	assert_int_equal(a.n, 2);
	assert_int_equal(ntohl(a.v[1].address.in.s_addr), 0xc0000202);
	assert_false(a.authentic || a.aliased || a.truncated);
	dns_answer_release(&a);
	begin(&m, 0x81a0, 1, "example.org", DNS_AAAA);
	add_record(&m, NULL, DNS_AAAA, DATA("0123456789abcdef"));
	assert_int_equal(read_all(&m, "example.org.", DNS_AAAA, &a), 0);
	assert_int_equal(a.n, 1);
	assert_memory_equal(&a.v[0].address.in6, "0123456789abcdef", 16);
	assert_true(a.authentic);
	dns_answer_release(&a);
	strbuf_release(&m);
}

static void mx_and_srv(void **state)
{
	(void)state;
	struct strbuf m = STRBUF_INIT(10000);
	struct dns_answer a;

	begin(&m, 0x8180, 3, "example.org", DNS_MX);
	add_record(&m, NULL, DNS_MX, DATA("\0\x0a\4mail\xc0\x0c"));
	add_record(&m, NULL, DNS_MX, DATA("\1\0\1b\0"));
	add_record(&m, NULL, DNS_MX, DATA("\0\0\0"));
	assert_int_equal(read_all(&m, "example.org", DNS_MX, &a), 0);
	assert_int_equal(a.n, 3);
	assert_int_equal(a.v[0].priority, 10);
	assert_string_equal(a.v[0].target, "mail.example.org");
	assert_int_equal(a.v[1].priority, 256);
	assert_string_equal(a.v[1].target, "b");
	assert_string_equal(a.v[2].target, "");
	dns_answer_release(&a);
	begin(&m, 0x8180, 3, "_s._tcp.x", DNS_SRV);
	add_record(&m, NULL, DNS_SRV, DATA("\0\1\0\2\1\xd1\4mail\1x\0"));
	add_record(&m, NULL, DNS_SRV, DATA("\0\1\0\2\0\0\0"));
	add_record(&m, NULL, DNS_SRV, DATA("\0\1\0\2\0\0\1x\0"));	/* port 0 */
	assert_int_equal(read_all(&m, "_s._tcp.x", DNS_SRV, &a), 0);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.v[0].priority, 1);
	assert_int_equal(a.v[0].weight, 2);
	assert_int_equal(a.v[0].port, 465);
	assert_string_equal(a.v[0].target, "mail.x");
	assert_string_equal(a.v[1].target, "");
	dns_answer_release(&a);
	strbuf_release(&m);
}

/* A target that no host is called makes its record worthless and spares the others. */
static void strange_targets(void **state)
{
	(void)state;
	struct strbuf m = STRBUF_INIT(10000);
	struct dns_answer a;

	begin(&m, 0x8180, 5, "x", DNS_MX);
	add_record(&m, NULL, DNS_MX, DATA("\0\1\3a b\0"));
	add_record(&m, NULL, DNS_MX, DATA("\0\1\3a\r\n\0"));
	add_record(&m, NULL, DNS_MX, DATA("\0\1\3a.b\0"));
	add_record(&m, NULL, DNS_MX, DATA("\0\1\3a\0b\0"));
	add_record(&m, NULL, DNS_MX, DATA("\0\1\4good\0"));
	assert_int_equal(read_all(&m, "x", DNS_MX, &a), 0);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.v[0].target, "good");
	dns_answer_release(&a);
	strbuf_release(&m);
}

static void aliases(void **state)
{
	(void)state;
	struct strbuf m = STRBUF_INIT(10000);
	struct dns_answer a;

	/* in any order; what belongs to another name does not count */
	begin(&m, 0x8180, 4, "x", DNS_A);
	add_record(&m, "z", DNS_A, DATA("\xc0\0\2\1"));
	add_record(&m, "y", DNS_CNAME, DATA("\1z\0"));
	add_record(&m, NULL, DNS_CNAME, DATA("\1y\0"));
	add_record(&m, "evil", DNS_A, DATA("\xc0\0\2\2"));
	assert_int_equal(read_all(&m, "x", DNS_A, &a), 0);
	assert_int_equal(a.n, 1);
	assert_int_equal(ntohl(a.v[0].address.in.s_addr), 0xc0000201);
	assert_true(a.aliased);
	assert_string_equal(a.canonical, "z");
	dns_answer_release(&a);
	/* a circle ends */
	begin(&m, 0x8180, 2, "x", DNS_A);
	add_record(&m, NULL, DNS_CNAME, DATA("\1y\0"));
	add_record(&m, "y", DNS_CNAME, DATA("\1x\0"));
	assert_int_equal(read_all(&m, "x", DNS_A, &a), 0);
	assert_int_equal(a.n, 0);
	dns_answer_release(&a);
	strbuf_release(&m);
}

static void codes(void **state)
{
	(void)state;
	struct strbuf m = STRBUF_INIT(10000);
	struct dns_answer a;

	begin(&m, 0x8183, 0, "x", DNS_A);
	assert_int_equal(read_all(&m, "x", DNS_A, &a), 0);
	assert_int_equal(a.code, DNS_NO_NAME);
	dns_answer_release(&a);
	begin(&m, 0x8182, 0, "x", DNS_A);
	assert_int_equal(read_all(&m, "x", DNS_A, &a), 0);
	assert_int_equal(a.code, DNS_SERVER_FAILED);
	dns_answer_release(&a);
	/* of a truncated one the rest is not even looked at */
	begin(&m, 0x8380, 9, "x", DNS_A);
	assert_int_equal(read_all(&m, "x", DNS_A, &a), 0);
	assert_true(a.truncated);
	assert_int_equal(a.n, 0);
	dns_answer_release(&a);
	strbuf_release(&m);
}

static void not_the_answer(void **state)
{
	(void)state;
	struct strbuf m = STRBUF_INIT(10000);
	struct dns_answer a;

	begin(&m, 0x8180, 0, "x", DNS_A);
	assert_int_equal(dns_answer_read((unsigned char *)m.buf, m.len, "x", DNS_A, 0x1235, &a),
			 -1);
	assert_int_equal(read_all(&m, "y", DNS_A, &a), -1);
	assert_int_equal(read_all(&m, "x", DNS_AAAA, &a), -1);
	assert_int_equal(read_all(&m, "x.x", DNS_A, &a), -1);
	m.buf[5] = 0;		/* no question */
	assert_int_equal(read_all(&m, "x", DNS_A, &a), -1);
	begin(&m, 0x0100, 0, "x", DNS_A);	/* a question */
	assert_int_equal(read_all(&m, "x", DNS_A, &a), -1);
	begin(&m, 0x8980, 0, "x", DNS_A);	/* of another kind */
	assert_int_equal(read_all(&m, "x", DNS_A, &a), -1);
	strbuf_release(&m);
}

/* Compression that points forwards, at itself or beyond, and data of a wrong length. */
static void malformed(void **state)
{
	(void)state;
	static const struct { unsigned type; const char *data; size_t n;
	} cases[] = {
		{DNS_MX, DATA("\0\1\xc0\x21")},
		{DNS_MX, DATA("\0\1\xc0\x20")},
		{DNS_MX, DATA("\0\1\xc0\xff")},
		{DNS_MX, DATA("\0\1\xff\xff")},
		{DNS_MX, DATA("\0\1\x40")},
		{DNS_MX, DATA("\0\1\x80\0")},
		{DNS_MX, DATA("\0\1\1a")},
		{DNS_MX, DATA("\0\1\1a\0x")},
		{DNS_MX, DATA("\0\1")},
		{DNS_MX, DATA("\0")},
		{DNS_MX, DATA("")},
		{DNS_MX, DATA("\0\1\1a\xc0")},
		{DNS_SRV, DATA("\0\1\0\1\0")},
		{DNS_SRV, DATA("\0\1\0\1\0\1")},
		{DNS_A, DATA("\1\2\3")},
		{DNS_A, DATA("\1\2\3\4\5")},
		{DNS_AAAA, DATA("0123456789abcde")},
		{DNS_AAAA, DATA("0123456789abcdefg")},
		{DNS_CNAME, DATA("\1y")},
		{DNS_CNAME, DATA("\1y\0\0")},
	};
	struct strbuf m = STRBUF_INIT(10000);
	struct dns_answer a;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum dns_type type = cases[i].type == DNS_CNAME ? DNS_A :
							(enum dns_type)cases[i].type;

		begin(&m, 0x8180, 1, "x", type);
		add_record(&m, NULL, cases[i].type, cases[i].data, cases[i].n);
		if (read_all(&m, "x", type, &a) == 0)
			fail_msg("case %zu is taken", i);
	}
	strbuf_release(&m);
}

/* Cut anywhere, and with each octet changed in turn: an answer or none, no more. */
static void cut_and_changed(void **state)
{
	(void)state;
	struct strbuf m = STRBUF_INIT(10000);
	struct dns_answer a;

	begin(&m, 0x8180, 3, "example.org", DNS_MX);
	add_record(&m, NULL, DNS_CNAME, DATA("\5other\xc0\x14"));
	add_record(&m, "other.org", DNS_MX, DATA("\0\x0a\4mail\xc0\x0c"));
	add_record(&m, "other.org", DNS_MX, DATA("\0\x14\2m2\xc0\x0c"));
	assert_int_equal(read_all(&m, "example.org", DNS_MX, &a), 0);
	assert_int_equal(a.n, 2);
	dns_answer_release(&a);
	for (size_t n = 0; n < m.len; n++)
		assert_int_equal(read_exact(&m, n, "example.org", DNS_MX, &a), -1);
	for (size_t i = 0; i < m.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			m.buf[i] ^= (char)(1 << bit);
			if (read_all(&m, "example.org", DNS_MX, &a) == 0)
				dns_answer_release(&a);
			m.buf[i] ^= (char)(1 << bit);
		}
	}
	strbuf_release(&m);
}

/* A name of 255 octets is read, a longer one is not. */
static void longest_name(void **state)
{
	(void)state;
	struct strbuf m = STRBUF_INIT(10000), data = STRBUF_INIT(10000);
	struct dns_answer a;

	for (int over = 0; over < 2; over++) {
		strbuf_reset(&data);
		add16(&data, 1);
		for (int i = 0; i < 127 + over; i++)
			strbuf_addstr(&data, "\1a");
		strbuf_addch(&data, '\0');
		begin(&m, 0x8180, 1, "x", DNS_MX);
		add_record(&m, NULL, DNS_MX, data.buf, data.len);
		int rc = read_all(&m, "x", DNS_MX, &a);

		assert_int_equal(rc, over ? -1 : 0);
		if (rc == 0) {
			assert_int_equal(strlen(a.v[0].target), 253);
			dns_answer_release(&a);
		}
	}
	strbuf_release(&m);
	strbuf_release(&data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions),
		cmocka_unit_test(addresses),
		cmocka_unit_test(mx_and_srv),
		cmocka_unit_test(strange_targets),
		cmocka_unit_test(aliases),
		cmocka_unit_test(codes),
		cmocka_unit_test(not_the_answer),
		cmocka_unit_test(malformed),
		cmocka_unit_test(cut_and_changed),
		cmocka_unit_test(longest_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
