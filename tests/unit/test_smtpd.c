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

#include "net/memory.h"
#include "net/socket.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "server/smtpd.h"
#include "util/attr.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/strvec.h"

/* --- a place that keeps messages in memory -------------------------------- */

struct store {
	struct delivery delivery;
	struct strbuf current;
	struct strvec messages;		/* stored ones; they hold no NUL */
	bool open;
	int begun;
	const char *fail_status;	/* with it the next step of kind fail_at fails */
	int fail_at;
};

enum { FAIL_NEVER, FAIL_BEGIN, FAIL_WRITE, FAIL_COMMIT };

static int maybe_fail(const struct store *s, int step, struct error *err)
{
	if (s->fail_at != step)
		return 0;
	return error_set_status(err, FAULT_CANNOT_WRITE, s->fail_status,
				"scripted: /secret/path is full");
}

static int store_begin(struct delivery *d, const char **id_out, struct error *err)
{
	struct store *s = (struct store *)d;

	assert_false(s->open);
	if (maybe_fail(s, FAIL_BEGIN, err) < 0)
		return -1;
	s->open = true;
	s->begun++;
	strbuf_reset(&s->current);
	*id_out = "ID";
	return 0;
}

static int store_write(struct delivery *d, const char *data, size_t n, struct error *err)
{
	struct store *s = (struct store *)d;

	assert_true(s->open);
	/* the trace fields come first and go well */
	if (s->current.len > 0 && strstr(s->current.buf, "Received:") &&
	    maybe_fail(s, FAIL_WRITE, err) < 0)
		return -1;
	strbuf_add(&s->current, data, n);
	assert_false(strbuf_overflow(&s->current));
	return 0;
}

static int store_commit(struct delivery *d, struct error *err)
{
	struct store *s = (struct store *)d;

	assert_true(s->open);
	s->open = false;
	if (maybe_fail(s, FAIL_COMMIT, err) < 0)
		return -1;
	assert_null(memchr(s->current.buf, '\0', s->current.len));
	strvec_add(&s->messages, s->current.buf);
	return 0;
}

static void store_abandon(struct delivery *d)
{
	struct store *s = (struct store *)d;

	assert_true(s->open);
	s->open = false;
}

static const struct delivery_ops store_ops = {
	.begin = store_begin, .write = store_write, .commit = store_commit,
	.abandon = store_abandon,
};

/* --- a session in memory -------------------------------------------------- */

struct run {
	struct server_options opt;
	struct store store;
	struct strbuf written, log;
	struct error err;
	int rc;
	unsigned writes;
	size_t read_max;
	bool stutter;
};

static void keep_log(void *ctx, const char *line)
{
	struct strbuf *log = ctx;

	strbuf_addf(log, "%s\n", line);
}

static void run_release(struct run *r)
{
	strbuf_release(&r->written);
	strbuf_release(&r->log);
	strbuf_release(&r->store.current);
	strvec_release(&r->store.messages);
}

static void run_init(struct run *r)
{
	*r = (struct run){ .opt = { .name = "srv.example", .strict = true, .size_limit = 100000 },
			   .store.delivery.ops = &store_ops };
	strbuf_init(&r->written, 1 << 22);
	strbuf_init(&r->log, 1 << 20);
	strbuf_init(&r->store.current, 1 << 22);
	strvec_init(&r->store.messages, 1000);
	r->opt.log = keep_log;
	r->opt.log_ctx = &r->log;
}

static void renew(struct run *r)
{
	run_release(r);
	run_init(r);
}

/* The whole session with that input, then the end of the stream. */
static void run_bytes(struct run *r, const char *input, size_t n)
{
	struct stream *peer = memory_new(&r->written);
	struct smtpd s;

	strbuf_reset(&r->written);
	memory_say_bytes(peer, input, n);
	memory_end(peer);
	memory_read_max(peer, r->read_max);
	if (r->stutter)
		memory_stutter(peer);
	smtpd_init_take(&s, &r->opt, peer, &r->store.delivery, "127.0.0.1");
	s.pause_ms = 0;
	r->err = (struct error){ 0 };
	r->rc = smtpd_run(&s, &r->err);
	r->writes = memory_writes(peer);
	assert_false(r->store.open);
	smtpd_release(&s);
}

static void run(struct run *r, const char *input)
{
	run_bytes(r, input, strlen(input));
}

/* The reply codes with their enhanced codes, in one line: "220 250 250 2.1.0 ...". */
static const char *codes(const struct run *r)
{
	static struct strbuf out = STRBUF_INIT(100000);
	const char *p = r->written.buf;

	strbuf_reset(&out);
	while (*p) {
		const char *end = strstr(p, "\r\n");
		unsigned a, b, c;
		int used = 0;

		assert_non_null(end);
		assert_true(end - p >= 4 && end - p <= 510);
		for (const char *q = p; q < end; q++)
			assert_true(*q >= ' ' && *q <= '~');
		if (p[3] == ' ') {
			strbuf_addf(&out, "%s%.3s", out.len ? " " : "", p);
			if (sscanf(p + 4, "%1u.%1u.%2u%n", &a, &b, &c, &used) == 3 && used &&
			    p[4 + used] == ' ')
				strbuf_addf(&out, "/%u.%u.%u", a, b, c);
		}
		p = end + 2;
	}
	return out.len ? out.buf : "";
}

#define HELLO "EHLO me.example\r\n"
#define TO "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"
#define BODY "Subject: hi\r\n\r\nbody\r\n.\r\n"

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
	{ "EXPN x\r\nETRN x\r\nBDAT 3 LAST\r\nTURN\r\nSEND\r\nFOO\r\n\r\n  NOOP\r\nNOOP\t\r\n",
	  "220 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1 502/5.5.1 500/5.5.2 500/5.5.2 500/5.5.2 "
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

		r.opt.strict = i % 2 == 0;
		strbuf_addf(&in, HELLO "MAIL %s\r\n", mail_cases[i / 2].arg);
		check_last_code(&r, in.buf, r.opt.strict || !mail_cases[i / 2].loose ?
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

		r.opt.strict = i % 2 == 0;
		strbuf_addf(&in, HELLO "MAIL FROM:<>\r\nRCPT %s\r\n", rcpt_cases[i / 2].arg);
		check_last_code(&r, in.buf, r.opt.strict || !rcpt_cases[i / 2].loose ?
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
			    "250 ENHANCEDSTATUSCODES\r\n");
	r.opt.cert_file = "/nonexistent/c";
	r.opt.key_file = "/nonexistent/k";
	r.opt.auth_file = "/nonexistent/a";
	r.opt.size_limit = 0;
	run(&r, HELLO);
	assert_non_null(strstr(r.written.buf, "250-STARTTLS\r\n"));
	assert_non_null(strstr(r.written.buf, "250-SIZE 0\r\n"));
	assert_null(strstr(r.written.buf, "AUTH"));
	r.opt.auth_plain_loopback = true;
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
			       "<c@y.example> size=23 id=ID reply=250 result=stored\n"));
	run_release(&r);
}

static void test_null_sender_and_peer(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.strict = false;
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
		r.opt.size_limit = 1000;
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
	r.opt.size_limit = 0;
	run_release(&r);
}

static void test_storage_fails(void **state)
{
	static const struct { int at; const char *status, *codes; } cases[] = {
		{ FAIL_BEGIN, "4.3.1", "220 250 250/2.1.0 250/2.1.5 452/4.3.1 250/2.0.0" },
		{ FAIL_BEGIN, "4.3.0", "220 250 250/2.1.0 250/2.1.5 451/4.3.0 250/2.0.0" },
		{ FAIL_WRITE, "4.3.1", "220 250 250/2.1.0 250/2.1.5 354 452/4.3.1 250/2.0.0" },
		{ FAIL_WRITE, "4.3.0", "220 250 250/2.1.0 250/2.1.5 354 451/4.3.0 250/2.0.0" },
		{ FAIL_COMMIT, "4.3.1", "220 250 250/2.1.0 250/2.1.5 354 452/4.3.1 250/2.0.0" },
		{ FAIL_COMMIT, "4.3.0", "220 250 250/2.1.0 250/2.1.5 354 451/4.3.0 250/2.0.0" },
	};
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		renew(&r);
		r.store.fail_at = cases[i].at;
		r.store.fail_status = cases[i].status;
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
		r.opt.strict = i % 2 == 0;
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
		smtpd_init_take(&s, &r.opt, peer, &r.store.delivery, "127.0.0.1");
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
		smtpd_init_take(&s, &r.opt, peer, &r.store.delivery, "127.0.0.1");
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

static size_t count_of(const char *text, const char *word)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, word)); p++)
		n++;
	return n;
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

/* --- limits --------------------------------------------------------------- */

static void test_max_rcpt(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.max_rcpt = 3;
	run(&r, HELLO TO "RCPT TO:<c@y.example>\r\nRCPT TO:<c@y.example>\r\n"
	    "RCPT TO:<d@y.example>\r\n"
	    "DATA\r\n" BODY TO);
	assert_string_equal(codes(&r), "220 250 250/2.1.0 250/2.1.5 250/2.1.5 250/2.1.5 452/4.5.3 "
			    "354 250/2.0.0 250/2.1.0 250/2.1.5");
	assert_int_equal(count_of(r.store.messages.v[0], "Delivered-To:"), 2);
	run_release(&r);
}

static void test_errors_limit(void **state)
{
	struct strbuf in = STRBUF_INIT(10000);
	struct run r;

	(void)state;
	for (size_t n = 18; n <= 21; n++) {
		strbuf_reset(&in);
		for (size_t i = 0; i < n; i++)
			strbuf_addstr(&in, "FOO\r\n");
		strbuf_addstr(&in, HELLO TO "DATA\r\n" BODY);
		run_init(&r);
		run(&r, in.buf);
		assert_int_equal(count_of(codes(&r), "500/"), n < 20 ? n : 20);
		assert_int_equal(count_of(codes(&r), "421/4.7.0"), n < 20 ? 0 : 1);
		assert_int_equal(r.store.messages.n, n < 20 ? 1 : 0);
		run_release(&r);
	}
	strbuf_release(&in);
}

static void test_line_limit(void **state)
{
	static const size_t sizes[] = { SMTPD_LINE_MAX - 1, SMTPD_LINE_MAX, SMTPD_LINE_MAX + 1,
		SMTPD_AUTH_LINE_MAX - 1, SMTPD_AUTH_LINE_MAX, SMTPD_AUTH_LINE_MAX + 1, 200000 };
	struct run r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (int auth = 0; auth < 2; auth++) {
			struct strbuf in = STRBUF_INIT(300000);
			size_t limit = auth ? SMTPD_AUTH_LINE_MAX : SMTPD_LINE_MAX;

			strbuf_addstr(&in, auth ? "AUTH " : "NOOP ");
			while (in.len < sizes[i])
				strbuf_addch(&in, 'x');
			strbuf_addstr(&in, "\r\nQUIT\r\n");
			run_init(&r);
			r.read_max = i % 2 ? 4096 : 0;
			run(&r, in.buf);
			assert_string_equal(codes(&r), sizes[i] > limit ?
					    (auth ? "220 500/5.5.6 221/2.0.0" :
					     "220 500/5.5.2 221/2.0.0") :
					    (auth ? "220 503/5.5.1 221/2.0.0" :
					     "220 250/2.0.0 221/2.0.0"));
			run_release(&r);
			strbuf_release(&in);
		}
	}
}

static void test_nul_in_command(void **state)
{
	static const char text[] = "MAIL FROM:<a@x.example>\r\n";
	struct run r;

	(void)state;
	run_init(&r);
	for (size_t at = 0; at < sizeof(text) - 2; at++) {
		struct strbuf in = STRBUF_INIT(1000);

		r.opt.strict = at % 2 == 0;
		strbuf_addstr(&in, HELLO);
		strbuf_add(&in, text, at);
		strbuf_addch(&in, '\0');
		strbuf_addstr(&in, text + at);
		strbuf_addstr(&in, "NOOP\r\n");
		run_bytes(&r, in.buf, in.len);
		assert_string_equal(codes(&r), "220 250 500/5.5.2 250/2.0.0");
		strbuf_release(&in);
	}
	run_release(&r);
}

/* Without "strict" a bare LF ends a command; the end of data does not change. */
static void test_loose_line_ends(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.strict = false;
	run(&r, "EHLO x\nMAIL FROM:<a@x.example>\nRCPT TO:<b@y.example>\nDATA\n"
	    "Subject: x\n\nbody\n.\n"
	    "MAIL FROM:<forged@x.example>\n\r\n.\r\nQUIT\n");
	assert_string_equal(codes(&r), "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0 221/2.0.0");
	assert_int_equal(r.store.messages.n, 1);
	assert_non_null(strstr(r.store.messages.v[0], "\r\nbody\r\n\r\nMAIL FROM:<forged"));
	run_release(&r);
}

/* --- pipelining ----------------------------------------------------------- */

/* What comes in one piece is answered in one: greeting first, then all the rest. */
static void test_one_write_per_flight(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	run(&r, HELLO TO "DATA\r\n" BODY TO "DATA\r\n" BODY "QUIT\r\n");
	assert_int_equal(r.store.messages.n, 2);
	assert_in_range(r.writes, 1, 2);
	run_release(&r);
}

/* A client that waits for each reply gets it. */
static void test_lockstep(void **state)
{
	static const struct { const char *await, *say; } steps[] = {
		{ "220 ", HELLO }, { "250 ENH", "MAIL FROM:<a@x.example>\r\n" },
		{ "250 2.1.0", "RCPT TO:<b@y.example>\r\n" }, { "250 2.1.5", "DATA\r\n" },
		{ "354 ", "Subject: x\r\n\r\nbo" }, { "", "dy\r\n." }, { "", "\r\n" },
		{ "250 2.0.0", "QUIT\r\n" }, { "221 ", "" },
	};
	struct stream *peer;
	struct smtpd s;
	struct run r;

	(void)state;
	run_init(&r);
	peer = memory_new(&r.written);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (*steps[i].await)
			memory_await(peer, steps[i].await);
		memory_say(peer, steps[i].say);
	}
	smtpd_init_take(&s, &r.opt, peer, &r.store.delivery, "::1");
	assert_int_equal(smtpd_run(&s, &r.err), 0);
	assert_int_equal(memory_closed(peer), 1);
	smtpd_release(&s);
	assert_int_equal(r.store.messages.n, 1);
	assert_non_null(strstr(r.store.messages.v[0], "from me.example ([IPv6:::1])"));
	run_release(&r);
}

/* --- STARTTLS without TLS: what must be refused before the handshake ------ */

static void test_starttls(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.cert_file = "/nonexistent/cert";
	r.opt.key_file = "/nonexistent/key";
	run(&r, "STARTTLS\r\n" HELLO "STARTTLS x\r\nSTARTTLS\r\n");
	assert_string_equal(codes(&r), "220 503/5.5.1 250 501/5.5.4 454/4.7.0");
	run(&r, HELLO TO "STARTTLS\r\n");
	assert_string_equal(codes(&r), "220 250 250/2.1.0 250/2.1.5 503/5.5.1");
	/* injected commands are neither run in the clear nor after the handshake */
	r.opt.cert_file = r.opt.key_file = "/dev/null";
	run(&r, HELLO "STARTTLS\r\n" HELLO TO "DATA\r\n" BODY);
	assert_string_equal(codes(&r), "220 250 501/5.5.1");
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.store.begun, 0);
	run(&r, HELLO "STARTTLS\r\n\n");
	assert_string_equal(codes(&r), "220 250 501/5.5.1");
	run_release(&r);
}

static void test_require_tls(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.require_tls = true;
	r.opt.auth_file = "/nonexistent/auth";
	r.opt.auth_plain_loopback = true;
	run(&r, HELLO TO "DATA\r\nHELO x\r\nRSET\r\nVRFY x\r\nHELP\r\n"
	    "AUTH PLAIN\r\nNOOP\r\nQUIT\r\n");
	assert_string_equal(codes(&r), "220 250 530/5.7.0 530/5.7.0 530/5.7.0 530/5.7.0 530/5.7.0 "
			    "530/5.7.0 530/5.7.0 530/5.7.0 250/2.0.0 221/2.0.0");
	run_release(&r);
}

/* --- AUTH ----------------------------------------------------------------- */

static char auth_path[64];

static int make_auth_file(void **state)
{
	static const char users[] = "joe:{PLAIN}secret\nann:{ROT13}x\n";

	(void)state;
	snprintf(auth_path, sizeof(auth_path), "/tmp/msubmit-smtpd-XXXXXX");
	int fd = mkstemp(auth_path);
	int rc = fd >= 0 && write(fd, users, sizeof(users) - 1) == (ssize_t)(sizeof(users) - 1) ?
		0 : -1;

	if (fd >= 0)
		close(fd);
	return rc;
}

static int remove_auth_file(void **state)
{
	(void)state;
	return unlink(auth_path);
}

/* base64: NUL joe NUL secret; NUL joe NUL wrong; ann NUL joe NUL secret; NUL ann NUL x */
#define JOE "AGpvZQBzZWNyZXQ="
#define WRONG "AGpvZQB3cm9uZw=="
#define AS_ANN "YW5uAGpvZQBzZWNyZXQ="
#define ANN "AGFubgB4"

static const struct {
	const char *in, *codes;
} auth_cases[] = {
	{ "AUTH PLAIN " JOE "\r\n", "235/2.7.0" },
	{ "auth plain " JOE "\r\n", "235/2.7.0" },
	{ "AUTH PLAIN\r\n" JOE "\r\n", "334 235/2.7.0" },
	{ "AUTH LOGIN\r\nam9l\r\nc2VjcmV0\r\n", "334 334 235/2.7.0" },
	{ "AUTH LOGIN am9l\r\nc2VjcmV0\r\n", "334 235/2.7.0" },
	{ "AUTH PLAIN " WRONG "\r\n", "535/5.7.8" },
	{ "AUTH PLAIN " AS_ANN "\r\n", "535/5.7.8" },
	{ "AUTH PLAIN " ANN "\r\n", "454/4.7.0" },
	{ "AUTH LOGIN\r\nam9l\r\nd3Jvbmc=\r\n", "334 334 535/5.7.8" },
	{ "AUTH\r\n", "501/5.5.4" },
	{ "AUTH CRAM-MD5\r\n", "504/5.5.4" },
	{ "AUTH PLAINX " JOE "\r\n", "504/5.5.4" },
	{ "AUTH PLAIN =\r\n", "501/5.5.2" },
	{ "AUTH PLAIN !\r\n", "501/5.5.2" },
	{ "AUTH PLAIN " JOE " x\r\n", "501/5.5.2" },
	{ "AUTH PLAIN  " JOE "\r\n", "501/5.5.2" },
	{ "AUTH PLAIN *\r\n", "501/5.7.0" },
	{ "AUTH PLAIN\r\n*\r\n", "334 501/5.7.0" },
	{ "AUTH PLAIN\r\n\r\n", "334 501/5.5.2" },
	{ "AUTH PLAIN\r\n" JOE "\n", "334 500/5.5.2" },
	{ "AUTH PLAIN\r\nAGpv\0ZQ==\r\n", "334 500/5.5.2" },
	{ "AUTH LOGIN\r\n*\r\n", "334 501/5.7.0" },
	{ "AUTH LOGIN\r\nam9l\r\n*\r\n", "334 334 501/5.7.0" },
	{ "AUTH LOGIN\r\n\r\n", "334 501/5.5.2" },
	{ "AUTH LOGIN\r\nam9l\r\n\r\n", "334 334 501/5.5.2" },
	{ "AUTH LOGIN =\r\n", "501/5.5.2" },
	{ "AUTH LOGIN am8A\r\n", "501/5.5.2" },
	{ "AUTH PLAIN " JOE "\r\nAUTH PLAIN " JOE "\r\n", "235/2.7.0 503/5.5.1" },
	{ "AUTH PLAIN " WRONG "\r\nAUTH PLAIN " JOE "\r\n", "535/5.7.8 235/2.7.0" },
	{ "AUTH PLAIN " WRONG "\r\nAUTH PLAIN " WRONG "\r\nAUTH PLAIN " WRONG "\r\nAUTH PLAIN " JOE
	  "\r\nNOOP\r\n", "535/5.7.8 535/5.7.8 535/5.7.8 421/4.7.0" },
	{ "MAIL FROM:<a@x.example>\r\n", "530/5.7.0" },
	{ "AUTH PLAIN " JOE "\r\nMAIL FROM:<a@x.example> AUTH=a+40x\r\nAUTH PLAIN " JOE "\r\n",
	  "235/2.7.0 250/2.1.0 503/5.5.1" },
	{ "AUTH PLAIN " JOE "\r\nMAIL FROM:<a@x.example> AUTH=<>\r\n", "235/2.7.0 250/2.1.0" },
	{ "AUTH PLAIN " JOE "\r\nMAIL FROM:<a@x.example> AUTH=a+4\r\n", "235/2.7.0 501/5.5.4" },
	{ "AUTH PLAIN " JOE "\r\nMAIL FROM:<a@x.example> AUTH=a+4g\r\n", "235/2.7.0 501/5.5.4" },
	{ "AUTH PLAIN " JOE "\r\nEHLO again\r\nMAIL FROM:<a@x.example>\r\n",
	  "235/2.7.0 250 250/2.1.0" },
	{ "AUTH PLAIN " JOE "\r\n" TO "DATA\r\n" BODY,
	  "235/2.7.0 250/2.1.0 250/2.1.5 354 250/2.0.0" },
	{ "AUTH PLAIN\r\n", "334" },
};

static void test_auth(void **state)
{
	struct run r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(auth_cases); i++) {
		struct strbuf in = STRBUF_INIT(10000), want = STRBUF_INIT(1000);
		const char *nul = "AUTH PLAIN\r\nAGpv";

		run_init(&r);
		r.opt.auth_file = auth_path;
		r.opt.auth_required = r.opt.auth_plain_loopback = true;
		strbuf_addf(&in, HELLO "%s", auth_cases[i].in);
		if (strcmp(auth_cases[i].in, nul) == 0)	/* the one with a NUL */
			strbuf_add(&in, "\0ZQ==\r\n", 7);
		run_bytes(&r, in.buf, in.len);
		strbuf_addf(&want, "220 250 %s", auth_cases[i].codes);
		if (strcmp(codes(&r), want.buf) != 0)
			fail_msg("%s is answered %s", auth_cases[i].in, codes(&r));
		assert_null(strstr(r.log.buf, "secret"));
		assert_null(strstr(r.written.buf, "secret"));
		assert_null(strstr(r.log.buf, JOE));
		run_release(&r);
		strbuf_release(&in);
		strbuf_release(&want);
	}
}

static void test_auth_is_told(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.auth_file = auth_path;
	r.opt.auth_plain_loopback = true;
	run(&r, HELLO "AUTH PLAIN " JOE "\r\n" TO "DATA\r\n" BODY);
	assert_non_null(strstr(r.store.messages.v[0], "\twith ESMTPA id ID\r\n"));
	assert_non_null(strstr(r.log.buf, " user=joe "));
	run_release(&r);
}

static void test_auth_not_offered(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.auth_file = auth_path;
	run(&r, HELLO "AUTH PLAIN " JOE "\r\n");
	assert_string_equal(codes(&r), "220 250 538/5.7.11");
	r.opt.auth_plain_loopback = true;
	run(&r, "HELO x\r\nAUTH PLAIN " JOE "\r\n");
	assert_string_equal(codes(&r), "220 250 503/5.5.1");
	run(&r, "AUTH PLAIN " JOE "\r\n");
	assert_string_equal(codes(&r), "220 503/5.5.1");
	r.opt.auth_file = "/nonexistent/auth";
	run(&r, HELLO "AUTH PLAIN " JOE "\r\n");
	assert_string_equal(codes(&r), "220 250 454/4.7.0");
	assert_null(strstr(r.written.buf, "nonexistent"));
	run_release(&r);
}

static void test_auth_line_limit(void **state)
{
	struct run r;

	(void)state;
	for (size_t n = SMTPD_AUTH_LINE_MAX - 1; n <= SMTPD_AUTH_LINE_MAX + 1; n++) {
		struct strbuf in = STRBUF_INIT(30000);

		run_init(&r);
		r.opt.auth_file = auth_path;
		r.opt.auth_plain_loopback = true;
		strbuf_addstr(&in, HELLO "AUTH PLAIN\r\n");
		for (size_t i = 0; i < n; i++)
			strbuf_addch(&in, 'A');
		strbuf_addstr(&in, "\r\nNOOP\r\n");
		run(&r, in.buf);
		assert_string_equal(codes(&r), n > SMTPD_AUTH_LINE_MAX ?
				    "220 250 334 500/5.5.6 250/2.0.0" :
				    "220 250 334 501/5.5.2 250/2.0.0");
		run_release(&r);
		strbuf_release(&in);
	}
}

/* --- on sockets: silence and being told to stop --------------------------- */

struct live {
	struct run r;
	struct smtpd s;
	int client;
	int stop[2];
};

static void live_open(struct live *l)
{
	int fds[2];

	run_init(&l->r);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
			 0);
	assert_int_equal(pipe(l->stop), 0);
	l->client = fds[1];
	smtpd_init_take(&l->s, &l->r.opt, socket_stream_take(fds[0]), &l->r.store.delivery,
			"local");
	l->s.stop_fd = l->stop[0];
}

/* Reads all replies into r.written and gives everything back. */
static void live_close(struct live *l)
{
	char text[4096];
	ssize_t n;

	while ((n = read(l->client, text, sizeof(text))) > 0)
		strbuf_add(&l->r.written, text, (size_t)n);
	smtpd_release(&l->s);
	close(l->client);
	close(l->stop[0]);
	close(l->stop[1]);
}

static void send_text(const struct live *l, const char *text)
{
	assert_int_equal(write(l->client, text, strlen(text)), strlen(text));
}

static void test_idle(void **state)
{
	static const char *const said[] = { "", HELLO "NOO", HELLO TO "DATA\r\nhalf\r\n" };
	static const char *const answered[] = { "220 421/4.4.2", "220 250 421/4.4.2",
		"220 250 250/2.1.0 250/2.1.5 354 421/4.4.2" };
	struct live l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		live_open(&l);
		l.r.opt.idle_timeout = 1;
		send_text(&l, said[i]);
		assert_int_equal(smtpd_run(&l.s, &l.r.err), -1);
		assert_string_equal(l.r.err.status, "4.4.2");
		live_close(&l);
		assert_string_equal(codes(&l.r), answered[i]);
		assert_int_equal(l.r.store.messages.n, 0);
		assert_false(l.r.store.open);
		run_release(&l.r);
	}
}

static void test_stop(void **state)
{
	static const char *const said[] = {
		"", HELLO TO, HELLO TO "NOO", HELLO TO "DATA\r\n" BODY
	};
	static const char *const answered[] = { "220 421/4.3.2", "220 250 421/4.3.2",
		"220 250 421/4.3.2", "220 250 421/4.3.2" };
	struct live l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		live_open(&l);
		send_text(&l, said[i]);
		assert_int_equal(write(l.stop[1], "", 1), 1);
		assert_int_equal(smtpd_run(&l.s, &l.r.err), 0);
		live_close(&l);
		assert_string_equal(codes(&l.r), answered[i]);
		assert_int_equal(l.r.store.messages.n, 0);
		run_release(&l.r);
	}
}

/* Told to stop by the log line of a stored message, as if it came meanwhile: 250 is said first. */
static void stop_when_stored(void *ctx, const char *line)
{
	const struct live *l = ctx;

	if (strstr(line, "result=stored"))
		assert_int_equal(write(l->stop[1], "", 1), 1);
}

static void test_stop_finishes_the_command(void **state)
{
	struct live l;

	(void)state;
	live_open(&l);
	l.r.opt.log = stop_when_stored;
	l.r.opt.log_ctx = &l;
	send_text(&l, HELLO TO "DATA\r\n" BODY TO);
	assert_int_equal(smtpd_run(&l.s, &l.r.err), 0);
	live_close(&l);
	assert_string_equal(codes(&l.r), "220 250 250/2.1.0 250/2.1.5 354 250/2.0.0 421/4.3.2");
	assert_int_equal(l.r.store.messages.n, 1);
	run_release(&l.r);
}

/* The name and the addresses of a client cannot make lines of their own in the log. */
static void test_log_is_escaped(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	run(&r, HELLO "MAIL FROM:<\"a\\\\ x\"@x.example>\r\nRCPT TO:<\xe2\x80\xae@y.example>\r\n"
	    "RCPT TO:<b@y.example>\r\nDATA\r\n" BODY "QUIT\r\n");
	for (const char *p = r.log.buf; *p; p++)
		assert_true(*p == '\n' || (*p >= ' ' && *p <= '~'));
	assert_int_equal(count_of(r.log.buf, "\n"), 1);
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
		cmocka_unit_test(test_max_rcpt),
		cmocka_unit_test(test_errors_limit),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_nul_in_command),
		cmocka_unit_test(test_loose_line_ends),
		cmocka_unit_test(test_one_write_per_flight),
		cmocka_unit_test(test_lockstep),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_require_tls),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_auth_is_told),
		cmocka_unit_test(test_auth_not_offered),
		cmocka_unit_test(test_auth_line_limit),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_finishes_the_command),
		cmocka_unit_test(test_log_is_escaped),
	};

	return cmocka_run_group_tests(tests, make_auth_file, remove_auth_file);
}
