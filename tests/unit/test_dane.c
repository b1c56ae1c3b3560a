#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls/dane.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/*
 * A resolver in a process of its own, which says that all is proven: A for
 * mail.example.org, TLSA as the test has it, nothing else. tests/dane_test.py
 * has the rest: aliases, signatures, the server's side.
 */
struct resolver {
	const unsigned char *tlsa;	/* the data of one record; NULL = none */
	size_t tlsa_n;
	bool authentic;
	bool bare_tlsa;			/* ... but not of TLSA, in a zone of its own */
	char address[32];
	pid_t pid;
};

enum { HEADER = 12, TYPE_A = 1, TYPE_TLSA = 52 };

/* Behind the question: one record with a pointer to its name. */
static size_t add_record(unsigned char *out, size_t n, unsigned type, const unsigned char *data,
			 size_t data_n)
{
	const unsigned char head[] = { 0xc0, HEADER, 0, (unsigned char)type, 0, 1, 0, 0, 0, 60,
				       (unsigned char)(data_n >> 8), (unsigned char)data_n };

	memcpy(out + n, head, sizeof(head));
	memcpy(out + n + sizeof(head), data, data_n);
	return n + sizeof(head) + data_n;
}

static size_t answer(const struct resolver *r, unsigned char *q, size_t n)
{
	static const unsigned char home[] = { 127, 0, 0, 1 };
	unsigned type = q[n - 3];
	const bool proven = r->authentic && !(r->bare_tlsa && type == TYPE_TLSA);
	bool found = type == TYPE_A || (type == TYPE_TLSA && r->tlsa);

	q[2] = 0x81;
	q[3] = (unsigned char)(0x80 | (proven ? 0x20 : 0));
	q[7] = found;
	if (type == TYPE_A)
		return add_record(q, n, type, home, sizeof(home));
	return found ? add_record(q, n, type, r->tlsa, r->tlsa_n) : n;
}

static void resolver_start(struct resolver *r)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	socklen_t len = sizeof(to);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
	snprintf(r->address, sizeof(r->address), "127.0.0.1:%u", ntohs(to.sin_port));
	r->pid = fork();
	while (r->pid == 0) {
		unsigned char text[4096];
		ssize_t n;

		alarm(60);
		len = sizeof(to);
		n = recvfrom(fd, text, 512, 0, (struct sockaddr *)&to, &len);
		if (n > HEADER)
			sendto(fd, text, answer(r, text, (size_t)n), 0, (struct sockaddr *)&to,
			       len);
	}
	close(fd);
}

static int ask(struct resolver *r, const char *host, unsigned port, struct dane *out,
	       struct error *err)
{
	struct deadline d = deadline_in(30, "DNS");
	const struct dnssec_source source = { .trust_ad = true, .resolver = r->address };

	resolver_start(r);
	int rc = dane_lookup(&source, host, port, &d, out, err);

	kill(r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	return rc;
}

#define SHA256_OF "0123456789abcdef0123456789abcdef"
#define SHA512_OF SHA256_OF SHA256_OF

/* Which records can be used, where. */
static void test_usable(void **state)
{
	static const struct {
		const char *data;
		size_t n;
		unsigned port;
		enum dane_state wanted;
	} cases[] = {
#define DATA(s) (s), sizeof(s) - 1
		{ DATA("\3\1\1" SHA256_OF), 587, DANE_USABLE },
		{ DATA("\3\1\1" SHA256_OF), 25, DANE_USABLE },
		{ DATA("\2\0\2" SHA512_OF), 25, DANE_USABLE },
		{ DATA("\2\0\0" "any length"), 25, DANE_USABLE },
		{ DATA("\1\1\1" SHA256_OF), 587, DANE_USABLE },
		{ DATA("\0\1\1" SHA256_OF), 465, DANE_USABLE },
		{ DATA("\1\1\1" SHA256_OF), 25, DANE_UNUSABLE },
		{ DATA("\0\1\1" SHA256_OF), 25, DANE_UNUSABLE },
		{ DATA("\4\1\1" SHA256_OF), 587, DANE_UNUSABLE },
		{ DATA("\377\1\1" SHA256_OF), 587, DANE_UNUSABLE },
		{ DATA("\3\2\1" SHA256_OF), 587, DANE_UNUSABLE },
		{ DATA("\3\1\3" SHA256_OF), 587, DANE_UNUSABLE },
		{ DATA("\3\1\1" SHA512_OF), 587, DANE_UNUSABLE },
		{ DATA("\3\1\2" SHA256_OF), 587, DANE_UNUSABLE },
		{ DATA("\3\1\1" SHA256_OF "x"), 587, DANE_UNUSABLE },
		/* no record at all: malformed */
		{ DATA("\3\1\1"), 587, DANE_ABSENT },
		{ DATA("\3"), 587, DANE_ABSENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct resolver r = { .tlsa = (const unsigned char *)cases[i].data,
				      .tlsa_n = cases[i].n, .authentic = true };
		struct error err = { 0 };
		struct dane found;

		if (ask(&r, "mail.example.org", cases[i].port, &found, &err) < 0)
			fail_msg("case %zu: %s", i, err.text);
		if (found.state != cases[i].wanted)
			fail_msg("case %zu: %d", i, found.state);
		assert_int_equal(found.n, found.state == DANE_USABLE);
		if (found.n) {
			assert_string_equal(found.base, "mail.example.org");
			assert_int_equal(found.records[0].usage, (unsigned char)cases[i].data[0]);
			assert_int_equal(found.records[0].n, cases[i].n - 3);
			assert_memory_equal(found.records[0].data, cases[i].data + 3,
					    cases[i].n - 3);
		}
		dane_release(&found);
		dane_release(&found);
	}
}

static void test_absent(void **state)
{
	struct resolver none = { .authentic = true };
	struct resolver insecure = { .tlsa = (const unsigned char *)"\3\1\1" SHA256_OF,
				     .tlsa_n = 35 };
	struct resolver bare_tlsa = insecure;
	struct error err = { 0 };
	struct dane found;

	(void)state;
	bare_tlsa.authentic = bare_tlsa.bare_tlsa = true;
	assert_int_equal(ask(&bare_tlsa, "mail.example.org", 587, &found, &err), 0);
	assert_int_equal(found.state, DANE_ABSENT);
	dane_release(&found);
	assert_int_equal(ask(&none, "mail.example.org", 587, &found, &err), 0);
	assert_int_equal(found.state, DANE_ABSENT);
	dane_release(&found);
	assert_int_equal(ask(&insecure, "mail.example.org", 587, &found, &err), 0);
	assert_int_equal(found.state, DANE_ABSENT);
	dane_release(&found);
	assert_int_equal(ask(&insecure, "mail.example.org.", 587, &found, &err), 0);
	assert_int_equal(found.state, DANE_ABSENT);
	dane_release(&found);
}

/* For an address, and for no name, nobody is asked: there is no such resolver. */
static void test_addresses(void **state)
{
	static const char *const hosts[] = { "127.0.0.1", "::1", "[::1]", "" };
	const struct dnssec_source source = { .trust_ad = true, .resolver = "127.0.0.1:1" };
	struct deadline d = deadline_in(30, "DNS");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct error err = { 0 };
		struct dane found;

		assert_int_equal(dane_lookup(&source, hosts[i], 587, &d, &found, &err), 0);
		assert_int_equal(found.state, DANE_ABSENT);
		dane_release(&found);
	}
}

static void test_no_answer(void **state)
{
	const struct dnssec_source source = { .trust_ad = true, .resolver = "127.0.0.1:1" };
	struct deadline d = deadline_in(30, "DNS");
	struct error err = { 0 };
	struct dane found;

	(void)state;
	assert_int_equal(dane_lookup(&source, "mail.example.org", 587, &d, &found, &err), -1);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_int_equal(strncmp(err.text, "DANE: ", 6), 0);
}

/* Without keys of the root nothing can be proven. */
static void test_no_anchor(void **state)
{
	const struct dnssec_source source = { .anchor = "/nonexistent/root.key" };
	struct deadline d = deadline_in(30, "DNS");
	struct error err = { 0 };
	struct dane found;

	(void)state;
	assert_int_equal(dane_lookup(&source, "mail.example.org", 587, &d, &found, &err), -1);
	assert_int_equal(err.exit, EX_CONFIG);
	assert_string_equal(err.status, "5.3.5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usable),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_no_anchor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
