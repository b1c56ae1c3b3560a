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

/* --- limits --------------------------------------------------------------- */

static void test_max_rcpt(void **state)
{
	struct run r;

	(void)state;
	run_init(&r);
	r.opt.set.max_rcpt = 3;
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

		r.opt.set.strict = at % 2 == 0;
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
	r.opt.set.strict = false;
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
	smtpd_init_take(&s, &r.opt, wire_new_take(peer), &r.store.delivery, "::1");
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
	r.opt.set.server_cert = "/nonexistent/cert";
	r.opt.set.server_key = "/nonexistent/key";
	run(&r, "STARTTLS\r\n" HELLO "STARTTLS x\r\nSTARTTLS\r\n");
	assert_string_equal(codes(&r), "220 503/5.5.1 250 501/5.5.4 454/4.7.0");
	run(&r, HELLO TO "STARTTLS\r\n");
	assert_string_equal(codes(&r), "220 250 250/2.1.0 250/2.1.5 503/5.5.1");
	/* injected commands are neither run in the clear nor after the handshake */
	r.opt.set.server_cert = r.opt.set.server_key = "/dev/null";
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
	r.opt.set.require_tls = true;
	r.opt.set.auth_file = "/nonexistent/auth";
	r.opt.set.auth_plain_loopback = true;
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
		r.opt.set.auth_file = auth_path;
		r.opt.set.auth_required = r.opt.set.auth_plain_loopback = true;
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
	r.opt.set.auth_file = auth_path;
	r.opt.set.auth_plain_loopback = true;
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
	r.opt.set.auth_file = auth_path;
	run(&r, HELLO "AUTH PLAIN " JOE "\r\n");
	assert_string_equal(codes(&r), "220 250 538/5.7.11");
	r.opt.set.auth_plain_loopback = true;
	run(&r, "HELO x\r\nAUTH PLAIN " JOE "\r\n");
	assert_string_equal(codes(&r), "220 250 503/5.5.1");
	run(&r, "AUTH PLAIN " JOE "\r\n");
	assert_string_equal(codes(&r), "220 503/5.5.1");
	r.opt.set.auth_file = "/nonexistent/auth";
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
		r.opt.set.auth_file = auth_path;
		r.opt.set.auth_plain_loopback = true;
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
	smtpd_init_take(&l->s, &l->r.opt, wire_new_take(socket_stream_take(fds[0])),
			&l->r.store.delivery, "local");
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
		l.r.opt.set.idle_timeout = 1;
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
