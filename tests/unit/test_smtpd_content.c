/* DATA, BDAT and LMTP of one session: server/content.c. */
#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "server/listener.h"
#include "server/smtpd.h"
#include "smtpd_run.h"
#include "util/attr.h"
#include "util/error.h"
#include "util/strbuf.h"

#define FROM "MAIL FROM:<a@x.example>\r\n"
#define RCPT(name) "RCPT TO:<" name "@y.example>\r\n"
#define OK_TO "220 250 250/2.1.0 250/2.1.5 "

/* What lies behind the trace fields of the last message. */
static const char *content(const struct run *r)
{
	const char *text = r->store.messages.n ? r->store.messages.v[r->store.messages.n - 1] : "";
	const char *last = strstr(text, "; ") ? strstr(text, "; ") : strstr(text, ";\r\n\t");

	return last && strstr(last + 3, "\r\n") ? strstr(last + 3, "\r\n") + 2 : "";
}

struct dialogue {
	const char *in, *codes;
	size_t stored;
	const char *content;		/* of the last; NULL = not looked at */
};

static void check(struct run *r, const struct dialogue *d)
{
	for (size_t read_max = 0; read_max < 4; read_max++) {
		strvec_release(&r->store.messages);
		strvec_init(&r->store.messages, 1000);
		r->read_max = read_max;
		run(r, d->in);
		if (strcmp(codes(r), d->codes) != 0)
			fail_msg("%s\n is answered\n%s\n instead of\n%s", d->in,
				 codes(r), d->codes);
		assert_int_equal(r->store.messages.n, d->stored);
		if (d->content && strcmp(content(r), d->content) != 0)
			fail_msg("%s\n is stored as\n%s", d->in, content(r));
	}
}

static const struct dialogue chunks[] = {
	{ HELLO TO "BDAT 9 LAST\r\nA: b\r\n\r\nc", OK_TO "250/2.0.0", 1, "A: b\r\n\r\nc\r\n" },
	{ HELLO TO "bdat 10 last\r\nA: b\r\n\r\nc\n", OK_TO "550/5.5.2", 0, NULL },
	{ HELLO TO "BDAT 4\r\nA: bBDAT 4\r\n\r\n\r\nBDAT 3\r\nc\r\nBDAT 0 LAST\r\nQUIT\r\n",
	  OK_TO "250/2.0.0 250/2.0.0 250/2.0.0 250/2.0.0 221/2.0.0", 1, "A: b\r\n\r\nc\r\n" },
	/* a CR and its LF in two chunks; dots are dots */
	{ HELLO TO "BDAT 7\r\nA: b\r\n\rBDAT 8 LAST\r\n\n.\r\n..\r\n",
	  OK_TO "250/2.0.0 250/2.0.0", 1, "A: b\r\n\r\n.\r\n..\r\n" },
	{ HELLO TO "BDAT 0\r\nBDAT 0\r\nBDAT 0 LAST\r\n" TO "DATA\r\n" BODY,
	  OK_TO "250/2.0.0 250/2.0.0 250/2.0.0 250/2.1.0 250/2.1.5 354 250/2.0.0", 2, NULL },
	{ HELLO TO "BDAT 3 LAST\r\n\r\nx", OK_TO "250/2.0.0", 1, "\r\nx\r\n" },
	{ HELLO TO "BDAT 1 LAST\r\n\r", OK_TO "550/5.5.2", 0, NULL },
	/* commands within a chunk are none */
	{ HELLO TO "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", OK_TO "250/2.0.0 250/2.0.0", 1, "QUIT\r\n" },
	{ HELLO TO "DATA\r\nBDAT 6 LAST\r\n.\r\n", OK_TO "354 250/2.0.0", 1, "BDAT 6 LAST\r\n" },
	/* out of order, the octets are swallowed */
	{ HELLO "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n", "220 250 503/5.5.1 250/2.0.0", 0, NULL },
	{ "BDAT 6\r\nQUIT\r\nNOOP\r\n", "220 503/5.5.1 250/2.0.0", 0, NULL },
	{ HELLO FROM "BDAT 6 LAST\r\nQUIT\r\n" TO,
	  "220 250 250/2.1.0 503/5.5.1 250/2.1.0 250/2.1.5", 0, NULL },
	{ HELLO FROM "RCPT TO:<>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n",
	  "220 250 250/2.1.0 501/5.1.3 554/5.5.1 250/2.0.0", 0, NULL },
	/* nothing but chunks behind the first one */
	{ HELLO TO "BDAT 1\r\nx" FROM RCPT("c") "DATA\r\nSTARTTLS\r\nAUTH PLAIN\r\n"
	  "BDAT 1 LAST\r\ny",
	  OK_TO "250/2.0.0 503/5.5.1 503/5.5.1 503/5.5.1 503/5.5.1 503/5.5.1 250/2.0.0", 1,
	  "xy\r\n" },
	{ HELLO TO "BDAT 1\r\nxRSET\r\nBDAT 1 LAST\r\ny" TO "BDAT 1 LAST\r\nz",
	  OK_TO "250/2.0.0 250/2.0.0 503/5.5.1 250/2.1.0 250/2.1.5 250/2.0.0", 1, "z\r\n" },
	{ HELLO TO "BDAT 1\r\nx" HELLO "BDAT 1 LAST\r\ny",
	  OK_TO "250/2.0.0 250 503/5.5.1", 0, NULL },
	{ HELLO TO "BDAT 1\r\nxQUIT\r\n", OK_TO "250/2.0.0 221/2.0.0", 0, NULL },
	{ HELLO TO "BDAT 1\r\nx", OK_TO "250/2.0.0", 0, NULL },
	/* an early end is not answered */
	{ HELLO TO "BDAT 5\r\nx", "220 250 250/2.1.0 250/2.1.5", 0, NULL },
	/* who cannot say how many octets come is not listened to any more */
	{ HELLO TO "BDAT\r\nQUIT\r\n", OK_TO "501/5.5.4", 0, NULL },
	{ HELLO TO "BDAT x LAST\r\nQUIT\r\n", OK_TO "501/5.5.4", 0, NULL },
	{ HELLO TO "BDAT 5 FIRST\r\nQUIT\r\n", OK_TO "501/5.5.4", 0, NULL },
	{ HELLO TO "BDAT 5LAST\r\nQUIT\r\n", OK_TO "501/5.5.4", 0, NULL },
	{ HELLO TO "BDAT -1\r\nQUIT\r\n", OK_TO "501/5.5.4", 0, NULL },
	{ HELLO TO "BDAT 99999999999999999999 LAST\r\nQUIT\r\n", OK_TO "501/5.5.4", 0, NULL },
	{ HELLO TO "BDAT 18446744073709551615 LAST\r\nQUIT\r\n",
	  "220 250 250/2.1.0 250/2.1.5", 0, NULL },
};

static void test_chunks(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++)
		check(&r, &chunks[i]);
	run_release(&r);
}

/* A refused chunk costs the message: the next are read and refused, too. */
static void test_chunk_refused(void **state)
{
	static const struct dialogue cases[] = {
		{ HELLO TO "BDAT 20\r\n12345678901234567890BDAT 6\r\nQUIT\r\n"
		  "BDAT 6 LAST\r\nQUIT\r\n" TO,
		  OK_TO "552/5.3.4 503/5.5.1 503/5.5.1 250/2.1.0 250/2.1.5", 0, NULL },
		{ HELLO TO "BDAT 20\r\n12345678901234567890" FROM "RSET\r\n" FROM,
		  OK_TO "552/5.3.4 503/5.5.1 250/2.0.0 250/2.1.0", 0, NULL },
		{ HELLO TO "BDAT 20 LAST\r\n12345678901234567890" FROM,
		  OK_TO "552/5.3.4 250/2.1.0", 0, NULL },
		{ HELLO TO "BDAT 6\r\n123456BDAT 6\r\n789012BDAT 0 LAST\r\n" FROM,
		  OK_TO "250/2.0.0 552/5.3.4 503/5.5.1 250/2.1.0", 0, NULL },
		/* CRLF that is added counts as well */
		{ HELLO TO "BDAT 10 LAST\r\n1234567890", OK_TO "552/5.3.4", 0, NULL },
		{ HELLO TO "BDAT 8 LAST\r\n12345678", OK_TO "250/2.0.0", 1, "12345678\r\n" },
	};
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.set.message_size_limit = 10;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&r, &cases[i]);
	run_release(&r);
}

static void test_chunk_store_fails(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.store.fail_fault = FAULT_DISK_FULL;
	r.store.fail_at = FAIL_BEGIN;
	check(&r, &(struct dialogue){ HELLO TO "BDAT 2\r\nxyBDAT 2 LAST\r\nxy" TO,
	      OK_TO "452/4.3.1 503/5.5.1 250/2.1.0 250/2.1.5", 0, NULL });
	r.store.fail_at = FAIL_COMMIT;
	check(&r, &(struct dialogue){ HELLO TO "BDAT 2\r\nxyBDAT 2 LAST\r\nxy" TO,
	      OK_TO "250/2.0.0 452/4.3.1 250/2.1.0 250/2.1.5", 0, NULL });
	run_release(&r);
}

/* The octets of BINARYMIME stay as they are, and do not come by DATA. */
static void test_binary(void **state)
{
	static const char binary[] = " BODY=BINARYMIME\r\nRCPT TO:<b@y.example>\r\n";
	struct run r;
	struct strbuf in = STRBUF_INIT(1000);

	(void)state;
	run_init(&r);
	r.store.delivery.exact = true;
	strbuf_addf(&in, HELLO "MAIL FROM:<a@x.example>%sDATA\r\nBDAT 4\r\na\nb\rBDAT 1 LAST\r\n.",
		    binary);
	check(&r, &(struct dialogue){ in.buf, OK_TO "503/5.5.1 250/2.0.0 250/2.0.0", 1,
	      "a\nb\r." });
	assert_non_null(strstr(r.written.buf, "250-BINARYMIME\r\n"));
	r.store.delivery.exact = false;
	check(&r, &(struct dialogue){ HELLO "MAIL FROM:<a@x.example> BODY=BINARYMIME\r\n",
	      "220 250 501/5.5.4", 0, NULL });
	assert_null(strstr(r.written.buf, "BINARYMIME\r\n"));
	strbuf_release(&in);
	run_release(&r);
}

/* RFC 2033: a reply for each RCPT that was accepted, in their order, one told twice has two. */
static void test_lmtp(void **state)
{
	static const struct dialogue cases[] = {
		{ "EHLO me\r\nHELO me\r\nLHLO me\r\n", "220 500/5.5.2 500/5.5.2 250", 0, NULL },
		{ "LHLO me\r\n" FROM RCPT("b") RCPT("full") "RCPT TO:<>\r\n" RCPT("c") RCPT("b")
		  "DATA\r\n" BODY "QUIT\r\n", "220 250 250/2.1.0 250/2.1.5 250/2.1.5 501/5.1.3 "
		  "250/2.1.5 250/2.1.5 354 250/2.0.0 550/5.1.1 250/2.0.0 250/2.0.0 221/2.0.0", 1,
		  NULL },
		{ "LHLO me\r\n" FROM RCPT("b") RCPT("full") "BDAT 1\r\nxBDAT 1 LAST\r\ny",
		  "220 250 250/2.1.0 250/2.1.5 250/2.1.5 250/2.0.0 250/2.0.0 550/5.1.1", 1, NULL },
		/* without a recipient: 503, and to BDAT LAST no reply at all */
		{ "LHLO me\r\n" FROM "RCPT TO:<>\r\nDATA\r\nBDAT 1 LAST\r\nxNOOP\r\n",
		  "220 250 250/2.1.0 501/5.1.3 503/5.5.1 250/2.0.0", 0, NULL },
	};
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.set.lmtp = true;
	r.store.full = "full";
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check(&r, &cases[i]);
	r.opt.set.lmtp = false;
	check(&r, &(struct dialogue){ "LHLO me\r\n" HELLO, "220 500/5.5.2 250", 0, NULL });
	run_release(&r);
}

/* What a place can do is what is offered; unknown parameters are refused. */
static void test_offers(void **state)
{
	static const char *const relayed[] = { "DSN", "MT-PRIORITY", "DELIVERBY", "RRVS" };
	struct run r;

	(void)state;
	run_init(&r);
	r.store.delivery.final = true;
	run(&r, HELLO);
	for (size_t i = 0; i < ARRAY_LEN(relayed); i++)
		assert_null(strstr(r.written.buf, relayed[i]));
	assert_null(strstr(r.written.buf, "FUTURERELEASE"));
	check(&r, &(struct dialogue){ HELLO "MAIL FROM:<a@x.example> RET=FULL\r\n",
	      "220 250 555/5.5.4", 0, NULL });
	r.store.delivery.final = false;
	r.store.delivery.holds = true;
	run(&r, HELLO);
	for (size_t i = 0; i < ARRAY_LEN(relayed); i++)
		assert_non_null(strstr(r.written.buf, relayed[i]));
	assert_non_null(strstr(r.written.buf, "250-FUTURERELEASE 2592000 2"));
	assert_non_null(strstr(r.written.buf, "250-LIMITS RCPTMAX=1000 MAILMAX=1000\r\n"));
	assert_null(strstr(r.written.buf, "REQUIRETLS"));
	check(&r, &(struct dialogue){ HELLO "MAIL FROM:<a@x.example> RET=FULL ENVID=a+2Bb "
	      "MT-PRIORITY=3 BY=60;R HOLDFOR=5 BODY=8BITMIME SMTPUTF8 SIZE=5\r\n"
	      "RCPT TO:<b@y.example> NOTIFY=SUCCESS ORCPT=rfc822;c@z.example "
	      "RRVS=2024-02-29T12:00:00Z\r\nRCPT TO:<c@y.example> SIZE=5\r\n",
	      "220 250 250/2.1.0 250/2.1.5 555/5.5.4", 0, NULL });
	run_release(&r);
}

/* After HELO there are no parameters. */
static void test_helo(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	check(&r, &(struct dialogue){ "HELO me\r\nMAIL FROM:<a@x.example> SIZE=5\r\n" FROM,
	      "220 250 555/5.5.4 250/2.1.0", 0, NULL });
	run_release(&r);
}

static void test_messages_max(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.set.max_messages = 2;
	check(&r, &(struct dialogue){ HELLO FROM "RSET\r\n" FROM "RSET\r\n" FROM "NOOP\r\n",
	      "220 250 250/2.1.0 250/2.0.0 250/2.1.0 250/2.0.0 421/4.5.3", 0, NULL });
	assert_non_null(strstr(r.written.buf, " MAILMAX=2\r\n"));
	run_release(&r);
}

/* A message that goes round, a header without end. */
static void test_header_limits(void **state)
{
	struct strbuf in = STRBUF_INIT(1 << 21);
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.set.message_size_limit = 0;
	for (int hops = 50; hops <= 51; hops++) {
		strbuf_reset(&in);
		strbuf_addstr(&in, HELLO TO "DATA\r\n");
		for (int i = 0; i < hops; i++)
			strbuf_addstr(&in, i % 2 ? "Received: x\r\n" : "received: y\r\n\tz\r\n");
		strbuf_addstr(&in, "\r\nReceived: in the body\r\n.\r\n");
		run(&r, in.buf);
		assert_non_null(strstr(r.written.buf, hops > 50
				       ? "\r\n554 5.4.6" : "\r\n250 2.0.0"));
	}
	for (int lines = 10000; lines <= 10001; lines++) {
		strbuf_reset(&in);
		strbuf_addstr(&in, HELLO TO "DATA\r\n");
		for (int i = 1; i < lines; i++)
			strbuf_addstr(&in, "X: y\r\n");
		strbuf_addstr(&in, "\r\n.\r\n");
		run(&r, in.buf);
		assert_non_null(strstr(r.written.buf, lines > 10000
				       ? "\r\n554 5.6.0" : "\r\n250 2.0.0"));
	}
	strbuf_release(&in);
	run_release(&r);
}

static const char one_data[] = HELLO TO "DATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n";
static const char one_bdat[] = HELLO TO "BDAT 7\r\nA: b\r\n\rBDAT 5 LAST\r\n\nxy\r\n";

/* The client goes at each octet: nothing is taken but the whole message. */
static void test_prefixes(void **state)
{
	static const char *const sessions[] = { one_data, one_bdat };
	struct run r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++) {
		for (size_t n = 0; n <= strlen(sessions[i]); n++) {
			run_init(&r);
			run_bytes(&r, sessions[i], n);
			assert_int_equal(r.store.messages.n, n == strlen(sessions[i]));
			assert_int_equal(count_of(r.written.buf, "stored as"), r.store.messages.n);
			run_release(&r);
		}
	}
}

/* A NUL before each octet: it is never in a message that is taken. */
static void test_nul_everywhere(void **state)
{
	static const char *const sessions[] = { one_data, one_bdat };
	struct run r;

	(void)state;
	for (size_t i = 0; i < 4 * ARRAY_LEN(sessions); i++) {
		const char *session = sessions[i / 4];

		for (size_t at = 0; at < strlen(session); at++) {
			struct strbuf in = STRBUF_INIT(1000);

			strbuf_add(&in, session, at);
			strbuf_addch(&in, '\0');
			strbuf_addstr(&in, session + at);
			run_init(&r);
			r.opt.set.strict = i % 2 ? STRICT_ON : STRICT_OFF;
			r.read_max = i % 4 / 2;
			run_bytes(&r, in.buf, in.len);
			assert_int_equal(r.store.messages.n, 0);
			run_release(&r);
			strbuf_release(&in);
		}
	}
}

/* As many empty chunks as one likes cost nothing but their replies. */
static void test_empty_chunks(void **state)
{
	enum { CHUNKS = 1000000 };
	struct strbuf in = STRBUF_INIT((size_t)1 << 24);
	struct run r;

	(void)state;
	run_init(&r);
	strbuf_addstr(&in, HELLO TO);
	for (int i = 0; i < CHUNKS; i++)
		strbuf_addstr(&in, "BDAT 0\r\n");
	strbuf_addstr(&in, "BDAT 3 LAST\r\nx\r\n");
	run(&r, in.buf);
	assert_int_equal(count_of(r.written.buf, "250 2.0.0 0 octets"), CHUNKS);
	assert_int_equal(r.store.messages.n, 1);
	assert_string_equal(content(&r), "x\r\n");
	strbuf_release(&in);
	run_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_chunk_refused),
		cmocka_unit_test(test_chunk_store_fails),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_lmtp),
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_helo),
		cmocka_unit_test(test_messages_max),
		cmocka_unit_test(test_header_limits),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_nul_everywhere),
		cmocka_unit_test(test_empty_chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
