#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/socket.h"
#include "server/listener.h"
#include "server/smtpd.h"
#include "smtpd_run.h"
#include "util/attr.h"
#include "util/base64.h"
#include "util/error.h"

static const struct {
	const char *in, *codes;
	int stored;
} dialogues[] = {
	{ "", "220", 0 },
	{ "QUIT\r\n", "220 221/2.0.0", 0 },
	{ HELLO TO "DATA\r\n" BODY "QUIT\r\n",
	  "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0 221/2.0.0", 1 },
	{ "HELO me\r\n" TO "DATA\r\n" BODY, "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0", 1 },
	{ "ehlo me\r\nmail from:<a@x.example>\r\nrcpt to:<b@y.example>\r\ndata\r\n" BODY,
	  "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0", 1 },
	{ HELLO TO "DATA\r\n" BODY TO "DATA\r\n" BODY,
	  "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0 250/2.1.0 250/2.1.5 354 250/2.0.0", 2 },
	/* order */
	{ TO "DATA\r\n", "220 503/5.5.1 503/5.5.1 503/5.5.1", 0 },
	{ HELLO "RCPT TO:<b@y.example>\r\nDATA\r\n", "220 250 503/5.5.1 503/5.5.1", 0 },
	{ HELLO "MAIL FROM:<a@x.example>\r\nMAIL FROM:<a@x.example>\r\nDATA\r\n",
	  "220 250 250/2.1.0 503/5.5.1 503/5.5.1", 0 },
	{ HELLO "MAIL FROM:<a@x.example>\r\nRCPT TO:<>\r\nDATA\r\n",
	  "220 250 250/2.1.0 501/5.1.3 554/5.5.1", 0 },
	{ HELLO TO "RSET\r\nDATA\r\nRCPT TO:<b@y.example>\r\n",
	  "220 250 250/2.1.0 250/2.1.5 250/2.0.0 503/5.5.1 503/5.5.1", 0 },
	{ HELLO TO HELLO "DATA\r\n", "220 250 250/2.1.0 250/2.1.5 250 503/5.5.1", 0 },
	{ HELLO TO "EHLO\r\nDATA\r\n" BODY,
	  "220 250 250/2.1.0 250/2.1.5 501/5.5.4 354 250/2.0.0", 1 },
	{ HELLO TO "DATA\r\n" BODY "DATA\r\n",
	  "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0 503/5.5.1", 1 },
	/* commands */
	{ "NOOP\r\nNOOP x\r\nRSET\r\nHELP\r\nVRFY joe\r\nVRFY\r\n",
	  "220 250/2.0.0 250/2.0.0 250/2.0.0 214/2.0.0 252/2.5.2 501/5.5.4", 0 },
	{ "EXPN x\r\nETRN x\r\nBDAT 0 LAST\r\nTURN\r\nSEND\r\nFOO\r\n\r\n  NOOP\r\nNOOP\t\r\n",
	  "220 502/5.5.1 502/5.5.1 503/5.5.1 502/5.5.1 502/5.5.1 500/5.5.2 500/5.5.2 500/5.5.2 "
	  "500/5.5.2", 0 },
	{ HELLO "RSET x\r\nQUIT x\r\nSTARTTLS x\r\nNOOP  \r\nRSET  \r\n",
	  "220 250 501/5.5.4 501/5.5.4 501/5.5.4 250/2.0.0 250/2.0.0", 0 },
	{ HELLO TO "DATA x\r\n", "220 250 250/2.1.0 250/2.1.5 501/5.5.4", 0 },
	{ "EHLO\r\nEHLO a b\r\nEHLO <x>\r\nEHLO a\x01\r\nEHLO a\xc3\xa4\r\nHELO\r\n",
	  "220 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4 501/5.5.4", 0 },
	{ "EHLO [127.0.0.1]\r\nEHLO [IPv6:::1]\r\nEHLO my_host-1.example.\r\n",
	  "220 250 250 250", 0 },
	{ "GET / HTTP/1.1\r\nNOOP\r\n", "220 421/4.7.0", 0 },
	{ "POST / HTTP/1.1\r\nHost: x\r\n\r\n" HELLO TO, "220 421/4.7.0", 0 },
	{ HELLO "STARTTLS\r\nAUTH PLAIN\r\n", "220 250 502/5.5.1 502/5.5.1", 0 },
	/* line ends and odd octets */
	{ "NOOP\nNOOP\r\n", "220 500/5.5.2 250/2.0.0", 0 },
	{ "NO\rOP\r\nNOOP\r\r\nNOOP\r\n", "220 500/5.5.2 500/5.5.2 250/2.0.0", 0 },
	{ "NOOP\r\nNOOP", "220 250/2.0.0", 0 },
};

static void test_dialogues(void **state)
{
	struct run r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dialogues); i++) {
		for (size_t read_max = 0; read_max < 4; read_max++) {
			run_init(&r);
			r.read_max = read_max;
			r.stutter = read_max == 2;
			run(&r, dialogues[i].in);
			if (strcmp(codes(&r), dialogues[i].codes) != 0)
				fail_msg("%s\n is answered\n%s\n instead of\n%s", dialogues[i].in,
					 codes(&r), dialogues[i].codes);
			assert_int_equal(r.store.messages.n, dialogues[i].stored);
			run_release(&r);
		}
	}
}

/* --- paths and parameters ------------------------------------------------- */

static const struct {
	const char *arg, *code;		/* when strict */
	const char *loose;		/* when not; NULL = the same */
} mail_cases[] = {
	{ "FROM:<a@x.example>", "250/2.1.0", NULL },
	{ "FROM:<>", "250/2.1.0", NULL },
	{ "FROM:<\"a b\"@x.example>", "250/2.1.0", NULL },
	{ "FROM:<\"a>b\"@x.example>", "250/2.1.0", NULL },
	{ "FROM:<\"a\\\">b\"@x.example>", "250/2.1.0", NULL },
	{ "FROM:<@r1.example,@r2.example:a@x.example>", "250/2.1.0", NULL },
	{ "FROM:<a@[127.0.0.1]>", "250/2.1.0", NULL },
	{ "FROM: <a@x.example>", "501/5.5.4", "250/2.1.0" },
	{ "FROM:a@x.example", "501/5.5.4", "250/2.1.0" },
	{ "FROM:a@x.example SIZE=5", "501/5.5.4", "250/2.1.0" },
	{ "FROM:<a>", "501/5.1.7", "250/2.1.0" },
	{ "FROM:<a@x.example", "501/5.5.4", NULL },
	{ "FROM:<a@x.example>x", "501/5.5.4", NULL },
	{ "FROM:<a@x.example>>", "501/5.5.4", NULL },
	{ "FROM:", "501/5.5.4", NULL },
	{ "FROM", "501/5.5.4", NULL },
	{ "", "501/5.5.4", NULL },
	{ "TO:<a@x.example>", "501/5.5.4", NULL },
	{ "FROM:<a@>", "501/5.1.7", NULL },
	{ "FROM:<@x.example>", "501/5.1.7", NULL },
	{ "FROM:<a@x.example,b@x.example>", "501/5.1.7", NULL },
	{ "FROM:<a b@x.example>", "501/5.5.4", "501/5.1.7" },
	{ "FROM:<a@x.example(c)>", "501/5.5.4", "250/2.1.0" },
	{ "FROM:<a\x01@x.example>", "501/5.1.7", NULL },
	{ "FROM:<\xc3\xa4@x.example>", "553/5.6.7", NULL },
	{ "FROM:<\xc3\xa4@x.example> SMTPUTF8", "250/2.1.0", NULL },
	{ "FROM:<\xff@x.example> SMTPUTF8", "501/5.1.7", NULL },
	{ "FROM:<a@x.example> SIZE=100000", "250/2.1.0", NULL },
	{ "FROM:<a@x.example> SIZE=100001", "552/5.3.4", NULL },
	{ "FROM:<a@x.example> SIZE=99999999999999999999", "552/5.3.4", NULL },
	{ "FROM:<a@x.example> SIZE=18446744073709551616", "552/5.3.4", NULL },
	{ "FROM:<a@x.example> SIZE=00000000000000000005", "250/2.1.0", NULL },
	{ "FROM:<a@x.example> SIZE=000000000000000000005", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> SIZE=", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> SIZE", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> SIZE=-1", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> SIZE=5x", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> SIZE=5 SIZE=5", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> size=5 body=8bitmime smtputf8", "250/2.1.0", NULL },
	{ "FROM:<a@x.example>  SIZE=5   BODY=7BIT ", "250/2.1.0", NULL },
	{ "FROM:<a@x.example> BODY=BINARYMIME", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> BODY=", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> BODY", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> SMTPUTF8=yes", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> SMTPUTF8=", "501/5.5.4", NULL },
	{ "FROM:<a@x.example> RET=HDRS", "555/5.5.4", NULL },
	{ "FROM:<a@x.example> AUTH=<>", "555/5.5.4", NULL },
	{ "FROM:<a@x.example> =5", "555/5.5.4", NULL },
	{ "FROM:<a@x.example> SIZE=5\xc3\xa4", "501/5.5.4", NULL },
	{ "FROM:<a@x.example>\tSIZE=5", "501/5.5.4", NULL },
};

static const struct {
	const char *arg, *code, *loose;
} rcpt_cases[] = {
	{ "TO:<b@y.example>", "250/2.1.5", NULL },
	{ "TO:<postmaster>", "250/2.1.5", NULL },
	{ "TO:<Postmaster>", "250/2.1.5", NULL },
	{ "TO:<postmaster@y.example>", "250/2.1.5", NULL },
	{ "TO:<@r.example:b@y.example>", "250/2.1.5", NULL },
	{ "TO:<>", "501/5.1.3", NULL },
	{ "TO:<b>", "501/5.1.3", "250/2.1.5" },
	{ "TO: <b@y.example>", "501/5.5.4", "250/2.1.5" },
	{ "FROM:<b@y.example>", "501/5.5.4", NULL },
	{ "TO:<b@y.example> NOTIFY=NEVER", "555/5.5.4", NULL },
	{ "TO:<b@y.example> SIZE=5", "555/5.5.4", NULL },
	{ "TO:<b@y.example> ", "250/2.1.5", NULL },
	{ "TO:<b@-.example>", "501/5.1.3", NULL },
	{ "TO:<b@y..example>", "501/5.1.3", NULL },
	{ "TO:<\xc3\xa4@y.example>", "553/5.6.7", NULL },
	{ "TO:<b@y.example>\0330", "501/5.5.4", NULL },
};

static void check_last_code(struct run *r, const char *input, const char *expected)
{
	run(r, input);
	const char *last = strrchr(codes(r), ' ');

	if (!last || strcmp(last + 1, expected) != 0)
		fail_msg("%s is answered %s", input, r->written.buf);
}

static void test_mail(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t i = 0; i < 2 * ARRAY_LEN(mail_cases); i++) {
		struct strbuf in = STRBUF_INIT(1000);

		r.opt.set.strict = i % 2 == 0;
		strbuf_addf(&in, HELLO "MAIL %s\r\n", mail_cases[i / 2].arg);
		check_last_code(&r, in.buf, r.opt.set.strict || !mail_cases[i / 2].loose ?
				mail_cases[i / 2].code : mail_cases[i / 2].loose);
		strbuf_release(&in);
	}
	run_release(&r);
}

static void test_rcpt(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t i = 0; i < 2 * ARRAY_LEN(rcpt_cases); i++) {
		struct strbuf in = STRBUF_INIT(1000);

		r.opt.set.strict = i % 2 == 0;
		strbuf_addf(&in, HELLO "MAIL FROM:<>\r\nRCPT %s\r\n", rcpt_cases[i / 2].arg);
		check_last_code(&r, in.buf, r.opt.set.strict || !rcpt_cases[i / 2].loose ?
				rcpt_cases[i / 2].code : rcpt_cases[i / 2].loose);
		strbuf_release(&in);
	}
	run_release(&r);
}

static void test_utf8_transaction(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	run(&r, HELLO "MAIL FROM:<a@x.example> SMTPUTF8 BODY=8BITMIME\r\n"
	    "RCPT TO:<\xc3\xa4@y.example>\r\nDATA\r\n" BODY
	    "MAIL FROM:<a@x.example>\r\nRCPT TO:<\xc3\xa4@y.example>\r\n");
	assert_string_equal(codes(&r), "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0 "
			    "250/2.1.0 553/5.6.7");
	assert_non_null(strstr(r.store.messages.v[0], "\twith UTF8SMTP id ID\r\n"));
	assert_non_null(strstr(r.store.messages.v[0], "\tfor <\xc3\xa4@y.example>;\r\n"));
	run_release(&r);
}

/* A refused MAIL leaves nothing: the parameter of the refused one does not count later. */
static void test_refused_mail_leaves_nothing(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	run(&r, HELLO "MAIL FROM:<a@x.example> SMTPUTF8 SIZE=999999\r\n"
	    "MAIL FROM:<\xc3\xa4@x.example>\r\nRCPT TO:<b@y.example>\r\n");
	assert_string_equal(codes(&r), "220 250 552/5.3.4 553/5.6.7 503/5.5.1");
	run_release(&r);
}

static void test_ehlo(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	run(&r, HELLO);
	assert_string_equal(r.written.buf, "220 srv.example ESMTP msubmit\r\n250-srv.example\r\n"
			    "250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
			    "250-CHUNKING\r\n250-LIMITS RCPTMAX=1000 MAILMAX=1000\r\n250-HELP\r\n"
			    "250 ENHANCEDSTATUSCODES\r\n");
	r.opt.set.server_cert = "/nonexistent/c";
	r.opt.set.server_key = "/nonexistent/k";
	r.opt.set.auth_file = "/nonexistent/a";
	r.opt.set.message_size_limit = 0;
	run(&r, HELLO);
	assert_non_null(strstr(r.written.buf, "250-STARTTLS\r\n"));
	assert_non_null(strstr(r.written.buf, "250-SIZE 0\r\n"));
	assert_null(strstr(r.written.buf, "AUTH"));
	r.opt.set.auth_plain_loopback = true;
	run(&r, HELLO);
	assert_non_null(strstr(r.written.buf, "250-AUTH PLAIN LOGIN\r\n"));
	run(&r, "HELO x\r\n");
	assert_string_equal(r.written.buf, "220 srv.example ESMTP msubmit\r\n250 srv.example\r\n");
	run_release(&r);
}

/* --- messages ------------------------------------------------------------- */

static void test_stored_text(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	run(&r, HELLO "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"
	    "RCPT TO:<c@y.example>\r\nRCPT TO:<B@y.example>\r\nDATA\r\n"
	    "Subject: x\r\n\r\n..dot\r\n\xff\r\n.\r\n");
	assert_int_equal(r.store.messages.n, 1);
	const char *text = r.store.messages.v[0];
	static const char head[] = "Return-Path: <a@x.example>\r\nDelivered-To: b@y.example\r\n"
		"Delivered-To: c@y.example\r\n"
		"Received: from me.example ([127.0.0.1])\r\n\tby srv.example (msubmit)\r\n"
		"\twith ESMTP id ID;\r\n\t";
	static const char tail[] = "\r\nSubject: x\r\n\r\n.dot\r\n\xff\r\n";

	assert_memory_equal(text, head, sizeof(head) - 1);
	assert_string_equal(text + strlen(text) - (sizeof(tail) - 1), tail);
	assert_null(strstr(text, " for <"));
	assert_non_null(strstr(r.log.buf, "from=<a@x.example> recipients=2 to=<b@y.example>,"
			       "<c@y.example> size=23 id=ID reply=250 result=stored as ID\n"));
	run_release(&r);
}

static void test_null_sender_and_peer(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.set.strict = false;
	run(&r, "HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe>\r\nDATA\r\n" BODY);
	assert_int_equal(r.store.messages.n, 1);
	assert_non_null(strstr(r.store.messages.v[0], "Return-Path: <>\r\n"
			       "Delivered-To: joe@srv.example\r\nReceived: from x "));
	assert_non_null(strstr(r.store.messages.v[0], "\twith SMTP id ID\r\n"
			       "\tfor <joe@srv.example>;\r\n"));
	run_release(&r);
}

static void test_size_limit(void **state)
{
	static const struct { size_t size; const char *code; } cases[] = {
		{ 999, "250/2.0.0" }, { 1000, "250/2.0.0" }, { 1001, "552/5.3.4" },
		{ 70000, "552/5.3.4" }, { 300000, "552/5.3.4" },
	};
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct strbuf in = STRBUF_INIT(1 << 20);

		renew(&r);
		r.opt.set.message_size_limit = 1000;
		strbuf_addstr(&in, HELLO TO "DATA\r\n");
		/* a doubled dot is not counted */
		strbuf_addch(&in, '.');
		for (size_t n = 0; n < cases[i].size - 2; n++)
			strbuf_addch(&in, n ? 'x' : '.');
		strbuf_addstr(&in, "\r\n.\r\nNOOP\r\n");
		run(&r, in.buf);
		assert_non_null(strstr(codes(&r), cases[i].code));
		assert_non_null(strstr(codes(&r), "250/2.0.0"));	/* NOOP is reached */
		assert_int_equal(r.store.messages.n, cases[i].size <= 1000);
		strbuf_release(&in);
	}
	r.opt.set.message_size_limit = 0;
	run_release(&r);
}

static void test_storage_fails(void **state)
{
	static const struct { int at; enum fault fault; const char *codes; } cases[] = {
		{ FAIL_BEGIN, FAULT_DISK_FULL,
		  "220 250 250/2.1.0 250/2.1.5 452/4.3.1 250/2.0.0" },
		{ FAIL_BEGIN, FAULT_CANNOT_WRITE,
		  "220 250 250/2.1.0 250/2.1.5 451/4.3.0 250/2.0.0" },
		{ FAIL_WRITE, FAULT_DISK_FULL,
		  "220 250 250/2.1.0 250/2.1.5 354 452/4.3.1 250/2.0.0" },
		{ FAIL_WRITE, FAULT_CANNOT_WRITE,
		  "220 250 250/2.1.0 250/2.1.5 354 451/4.3.0 250/2.0.0" },
		{ FAIL_COMMIT, FAULT_DISK_FULL,
		  "220 250 250/2.1.0 250/2.1.5 354 452/4.3.1 250/2.0.0" },
		{ FAIL_COMMIT, FAULT_CANNOT_WRITE,
		  "220 250 250/2.1.0 250/2.1.5 354 451/4.3.0 250/2.0.0" },
	};
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		renew(&r);
		r.store.fail_at = cases[i].at;
		r.store.fail_fault = cases[i].fault;
		run(&r, cases[i].at == FAIL_BEGIN ? HELLO TO "DATA\r\nNOOP\r\n" :
		    HELLO TO "DATA\r\n" BODY "NOOP\r\n");
		assert_string_equal(codes(&r), cases[i].codes);
		assert_int_equal(r.store.messages.n, 0);
		/* what is wrong is for the log, not for the client */
		assert_null(strstr(r.written.buf, "/secret"));
		assert_non_null(strstr(r.log.buf, "/secret"));
	}
	run_release(&r);
}

#define S(literal) literal, sizeof(literal) - 1

static const struct {
	const char *text;
	size_t len;
	const char *strict, *loose;
} forms[] = {
	{ S("a\r\n.\r\n"), "250/2.0.0", "250/2.0.0" },
	{ S(".\r\n"), "250/2.0.0", "250/2.0.0" },
	{ S("a\n.\r\nb\r\n.\r\n"), "550/5.5.2", "250/2.0.0" },
	{ S("a\n.\nb\r\n.\r\n"), "550/5.5.2", "250/2.0.0" },
	{ S("a\r\n.\nb\r\n.\r\n"), "550/5.5.2", "250/2.0.0" },
	{ S("a\r.\rb\r\n.\r\n"), "550/5.5.2", "250/2.0.0" },
	{ S("a\r.\r\nb\r\n.\r\n"), "550/5.5.2", "250/2.0.0" },
	{ S("a\r\n.\rb\r\n.\r\n"), "550/5.5.2", "250/2.0.0" },
	{ S("a\n.\rb\r\n.\r\n"), "550/5.5.2", "250/2.0.0" },
	{ S("a\r.\nb\r\n.\r\n"), "550/5.5.2", "250/2.0.0" },
	{ S("a\r\r\n.\r\r\nb\r\n.\r\n"), "550/5.5.2", "250/2.0.0" },
	{ S("a\r\n\0.\r\nb\r\n.\r\n"), "554/5.6.0", "554/5.6.0" },
	{ S("a\r\n.\0\r\nb\r\n.\r\n"), "554/5.6.0", "554/5.6.0" },
	{ S("a\r\n.\r\0\nb\r\n.\r\n"), "554/5.6.0", "554/5.6.0" },
	{ S("\0\r\n.\r\n"), "554/5.6.0", "554/5.6.0" },
};

/* Whatever stands in the message, one reply is given, and the NOOP behind the true end is read. */
static void test_forms(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t i = 0; i < 2 * ARRAY_LEN(forms); i++) {
		struct strbuf in = STRBUF_INIT(1000), want = STRBUF_INIT(1000);
		const char *code = i % 2 ? forms[i / 2].loose : forms[i / 2].strict;

		renew(&r);
		r.opt.set.strict = i % 2 == 0;
		strbuf_addstr(&in, HELLO TO "DATA\r\n");
		strbuf_add(&in, forms[i / 2].text, forms[i / 2].len);
		strbuf_addstr(&in, "NOOP\r\n");
		run_bytes(&r, in.buf, in.len);
		strbuf_addf(&want, "220 250 250/2.1.0 250/2.1.5 354 %s 250/2.0.0", code);
		assert_string_equal(codes(&r), want.buf);
		assert_int_equal(r.store.messages.n, *code == '2');
		strbuf_release(&in);
		strbuf_release(&want);
	}
	run_release(&r);
}

#define SESSION HELLO TO "DATA\r\nSubject: one\r\n\r\nMAIL FROM:<x@y>\r\n.\r\n" \
	TO "RCPT TO:<c@y.example>\r\nDATA\r\nSubject: two\r\n\r\n..\r\n.\r\nQUIT\r\n"

/* A client that hangs up: only messages whose true end came are stored. */
static void test_every_prefix(void **state)
{
	static const char session[] = SESSION;
	const char *first = strstr(session, "\r\n.\r\n") + 5;
	const char *second = strstr(first, "\r\n.\r\n") + 5;
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t n = 0; n < sizeof(session); n++) {
		for (r.read_max = 0; r.read_max < 2; r.read_max++) {
			size_t read_max = r.read_max;

			renew(&r);
			r.read_max = read_max;
			run_bytes(&r, session, n);
			assert_int_equal(r.store.messages.n,
					 (n >= (size_t)(first - session)) +
					 (n >= (size_t)(second - session)));
			assert_int_equal(r.rc, n == sizeof(session) - 1 ? 0 : -1);
		}
	}
	run_release(&r);
}

/* The connection breaks (not: ends) at each octet. */
static void test_broken_connection(void **state)
{
	static const char session[] = SESSION;
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t n = 0; n < sizeof(session) - 1; n += 3) {
		struct stream *peer = memory_new(&r.written);
		struct smtpd s;

		memory_say_bytes(peer, session, n);
		memory_fail(peer);
		smtpd_init_take(&s, &r.opt, wire_new_take(peer), &r.store.delivery,
				"127.0.0.1");
		assert_int_equal(smtpd_run(&s, &r.err), -1);
		assert_non_null(strstr(r.err.text, "connection lost"));
		assert_false(r.store.open);
		smtpd_release(&s);
	}
	run_release(&r);
}

/* The client stops reading: the session ends, and no message is half there. */
static void test_replies_cannot_be_written(void **state)
{
	static const char session[] = SESSION;
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t n = 0; n < 600; n += 7) {
		struct stream *peer = memory_new(&r.written);
		struct smtpd s;

		memory_say_bytes(peer, session, sizeof(session) - 1);
		memory_end(peer);
		memory_read_max(peer, 20);
		memory_write_fail(peer, n);
		smtpd_init_take(&s, &r.opt, wire_new_take(peer), &r.store.delivery,
				"127.0.0.1");
		(void)!smtpd_run(&s, &r.err);
		assert_false(r.store.open);
		smtpd_release(&s);
	}
	run_release(&r);
}

/* --- commands in every order against a model ------------------------------ */

struct model {
	bool greeted, mail;
	size_t rcpt;
	bool refused;
};

enum step {
	STEP_EHLO, STEP_MAIL, STEP_RCPT, STEP_BAD_RCPT, STEP_DATA, STEP_RSET, STEP_NOOP, STEPS
};

static const char *const step_text[STEPS] = {
	HELLO, "MAIL FROM:<a@x.example>\r\n", "RCPT TO:<", "RCPT TO:<@>\r\n", "DATA\r\n",
	"RSET\r\n",
	"NOOP\r\n",
};

/* What the step is to be answered with; *stored_out recipients when a message is stored. */
static const char *model_step(struct model *m, enum step step, size_t *stored_out)
{
	switch (step) {
	case STEP_EHLO:
		*m = (struct model){ .greeted = true };
		return "250";
	case STEP_MAIL:
		if (!m->greeted || m->mail)
			return "503/5.5.1";
		m->mail = true;
		return "250/2.1.0";
	case STEP_RCPT:
		if (!m->mail)
			return "503/5.5.1";
		m->rcpt++;
		return "250/2.1.5";
	case STEP_BAD_RCPT:
		if (!m->mail)
			return "503/5.5.1";
		m->refused = true;
		return "501/5.1.3";
	case STEP_DATA:
		if (!m->mail || (!m->rcpt && !m->refused))
			return "503/5.5.1";
		if (!m->rcpt)
			return "554/5.5.1";
		*stored_out = m->rcpt;
		*m = (struct model){ .greeted = true };
		return "354 250/2.0.0";
	case STEP_RSET:
		*m = (struct model){ .greeted = m->greeted };
		return "250/2.0.0";
	default:
		return "250/2.0.0";
	}
}

static void run_steps(struct run *r, const enum step *steps, size_t n)
{
	struct strbuf in = STRBUF_INIT(10000), want = STRBUF_INIT(10000);
	struct model m = { false };
	size_t stored[32], stored_n = 0;

	strbuf_addstr(&want, "220");
	for (size_t i = 0; i < n; i++) {
		size_t rcpts = 0;

		strbuf_addf(&want, " %s", model_step(&m, steps[i], &rcpts));
		strbuf_addstr(&in, step_text[steps[i]]);
		if (steps[i] == STEP_RCPT)
			strbuf_addf(&in, "r%zu@y.example>\r\n", i);
		if (rcpts) {
			strbuf_addf(&in, "Subject: %zu\r\n\r\nbody\r\n.\r\n", i);
			stored[stored_n++] = rcpts;
		}
	}
	run(r, in.buf);
	if (strcmp(codes(r), want.buf) != 0)
		fail_msg("%s\n is answered %s\n instead of %s", in.buf, codes(r), want.buf);
	assert_int_equal(r->store.messages.n, stored_n);
	for (size_t i = 0; i < stored_n; i++)
		assert_int_equal(count_of(r->store.messages.v[i], "Delivered-To:"), stored[i]);
	strbuf_release(&in);
	strbuf_release(&want);
}

static void test_all_orders(void **state)
{
	enum step steps[20];
	struct run r;
	uint32_t seed = 7;

	(void)state;
	run_init(&r);
	/* every sequence of four behind EHLO, MAIL */
	for (size_t number = 0; number < STEPS * STEPS * STEPS * STEPS; number++) {
		size_t rest = number;

		steps[0] = STEP_EHLO;
		steps[1] = STEP_MAIL;
		for (size_t i = 2; i < 6; i++, rest /= STEPS)
			steps[i] = (enum step)(rest % STEPS);
		renew(&r);
		run_steps(&r, steps, 6);
	}
	/* and long ones by chance, with fewer than 20 errors */
	for (size_t round = 0; round < 1000; round++) {
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			seed = seed * 1664525U + 1013904223U;
			steps[i] = (enum step)((seed >> 16) % STEPS);
		}
		renew(&r);
		run_steps(&r, steps, ARRAY_LEN(steps) - 1);
	}
	run_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogues),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_utf8_transaction),
		cmocka_unit_test(test_refused_mail_leaves_nothing),
		cmocka_unit_test(test_ehlo),
		cmocka_unit_test(test_stored_text),
		cmocka_unit_test(test_null_sender_and_peer),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_storage_fails),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_broken_connection),
		cmocka_unit_test(test_replies_cannot_be_written),
		cmocka_unit_test(test_all_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
