#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certs.h"
#include "tls/tls_private.h"
#include "tls_peer.h"

/* --- data ------------------------------------------------------------------- */

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

/*
 * Sends total octets and reads them back at the same time, as wire does it:
 * with a peer that stops reading while its own output is stuck, only a client
 * that reads while it writes comes to an end.
 */
static void pump(struct trial *t, size_t total, size_t step)
{
	unsigned char *out = xmalloc(step), in[9000];
	size_t sent = 0, got = 0;

	while (got < total) {
		struct deadline d = limit_now();
		size_t n = total - sent < step ? total - sent : step;
		ssize_t done = STREAM_AGAIN;

		for (size_t i = 0; i < n; i++)
			out[i] = pattern(sent + i);
		if (n) {
			done = stream_write(t->tls, out, n, &t->err);
			if (done == -1)
				fail_msg("write: %s", t->err.text);
			sent += done > 0 ? (size_t)done : 0;
		}
		ssize_t came = stream_read(t->tls, in, sizeof(in), &t->err);

		if (came == -1 || came == 0)
			fail_msg("read: %zd %s", came, t->err.text);
		for (ssize_t i = 0; i < came; i++, got++) {
			if (in[i] != pattern(got))
				fail_msg("octet %zu of %zu is wrong", got, total);
		}
		if (came == STREAM_AGAIN && done == STREAM_AGAIN)
			assert_true(stream_wait(t->tls, STREAM_IN | (n ? STREAM_OUT : 0), &d,
						&t->err) > 0);
	}
	xfree(out);
}

static void pump_case(enum act act, const char *priorities, bool dribble, bool tickets,
		      size_t total, size_t step)
{
	struct trial t = {
		.scene = { .cert = "server.pem", .act = act, .priorities = priorities,
			   .tickets = tickets },
		.client = { .verify = true }, .dribble = dribble,
	};
	char buf[4];

	if (trial_start(&t) < 0)
		fail_msg("%s", t.err.text);
	pump(&t, total, step);
	stream_close(t.tls);
	assert_int_equal(read_some(&t, buf, sizeof(buf)), 0);
	assert_int_equal(read_some(&t, buf, sizeof(buf)), 0);	/* and stays at its end */
	assert_int_equal(trial_end(&t), PEER_OK);
}

static void test_data(void **state)
{
	static const size_t steps[] = { 1, 2, 100, 16383, 16384, 16385, 65536, 65537, 200000 };

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		pump_case(ACT_ECHO, tls13, false, false, steps[i] < 100 ? 300 : 500000, steps[i]);
		pump_case(ACT_ECHO, tls12, false, false, steps[i] < 100 ? 300 : 500000, steps[i]);
	}
	pump_case(ACT_ECHO, tls13, false, false, 6 * 1024 * 1024, 300000);
}

/* One octet in and seven out at a time, each second time not at all. */
static void test_dribble(void **state)
{
	(void)state;
	certs_need();
	pump_case(ACT_ECHO, tls13, true, false, 20000, 4000);
	pump_case(ACT_ECHO, tls12, true, false, 20000, 4000);
	pump_case(ACT_KEY_UPDATE, tls13, true, false, 20000, 700);
}

/* New keys and tickets in the middle of the data. */
static void test_key_update(void **state)
{
	(void)state;
	certs_need();
	pump_case(ACT_KEY_UPDATE, tls13, false, false, 600000, 5000);
	pump_case(ACT_KEY_UPDATE, tls13, false, true, 600000, 100000);
	pump_case(ACT_ECHO, tls13, false, true, 1000, 10);
	pump_case(ACT_ECHO, tls12, false, true, 1000, 10);
	pump_case(ACT_WARNINGS, tls12, false, false, 1000, 10);
}

/* --- ends ------------------------------------------------------------------- */

/* Without close_notify the end may be an attacker's: an error, and the stream is dead. */
static void test_premature_end(void **state)
{
	static const char *const versions[] = { tls12, tls13 };

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct deadline d = limit_now();
		struct trial t = {
			.scene = { .cert = "server.pem", .act = ACT_SILENT_END,
				   .priorities = versions[i] },
			.client = { .verify = true },
		};
		char buf[10] = "", first[1024];

		assert_int_equal(trial_start(&t), 0);
		assert_int_equal(read_some(&t, buf, sizeof(buf)), 2);
		assert_string_equal(buf, "hi");
		assert_int_equal(read_some(&t, buf, sizeof(buf)), -1);
		assert_error(&t.err, EX_TEMPFAIL, "4.4.2", "connection closed by the server");
		snprintf(first, sizeof(first), "%s", t.err.text);
		t.err = (struct error){ 0 };
		assert_int_equal(stream_read(t.tls, buf, sizeof(buf), &t.err), -1);
		assert_string_equal(t.err.text, first);
		assert_int_equal(stream_write(t.tls, "secret", 6, &t.err), -1);
		assert_string_equal(t.err.text, first);
		assert_int_equal(stream_wait(t.tls, STREAM_IN | STREAM_OUT, &d, &t.err), -1);
		stream_close(t.tls);
		assert_int_equal(trial_end(&t), PEER_OK);
	}
}

static void test_renegotiation(void **state)
{
	char buf[10];
	struct trial t = {
		.scene = { .cert = "server.pem", .act = ACT_RENEGOTIATE, .priorities = tls12 },
		.client = { .verify = true },
	};

	(void)state;
	certs_need();
	assert_int_equal(trial_start(&t), 0);
	assert_int_equal(read_some(&t, buf, sizeof(buf)), -1);
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "renegotiate");
	trial_end(&t);
}

/* stream_close() says so to the peer; stream_free() alone does not. */
static void test_close(void **state)
{
	struct trial t = {
		.scene = { .cert = "server.pem", .act = ACT_READ_END },
		.client = { .verify = true },
	};
	char buf[10];

	(void)state;
	certs_need();
	assert_int_equal(trial_start(&t), 0);
	stream_close(t.tls);
	assert_int_equal(trial_end(&t), PEER_OK);
	assert_int_equal(trial_start(&t), 0);
	assert_int_equal(trial_end(&t), PEER_PREMATURE);
	t.scene.act = ACT_END_FIRST;
	assert_int_equal(trial_start(&t), 0);
	assert_int_equal(read_some(&t, buf, sizeof(buf)), 0);
	stream_close(t.tls);
	assert_int_equal(trial_end(&t), PEER_OK);
}

/* No octet of what was to be protected shows below, nor in a stream that died. */
static void test_no_clear_text(void **state)
{
	struct deadline d = limit_now();
	struct error err = { 0 };
	struct trial t = {
		.scene = { .cert = "server.pem", .act = ACT_SILENT_END },
		.client = { .verify = true },
	};
	char buf[10];

	(void)state;
	certs_need();
	assert_int_equal(trial_start(&t), 0);
	struct stream *lower = t.tls->lower;

	assert_int_equal(read_some(&t, buf, sizeof(buf)), 2);
	assert_int_equal(read_some(&t, buf, sizeof(buf)), -1);
	int pair[2];

	/* the dead stream gets a fresh, working descriptor below: nothing may come out of it */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	t.tls->lower = socket_stream_take(pair[0]);
	assert_int_equal(stream_write(t.tls, "AUTH PLAIN", 10, &err), -1);
	assert_int_equal(stream_wait(t.tls, STREAM_OUT, &d, &err), -1);
	stream_close(t.tls);
	assert_true(recv(pair[1], buf, sizeof(buf), MSG_DONTWAIT) <= 0);
	stream_free(t.tls->lower);
	t.tls->lower = lower;
	close(pair[1]);
	trial_end(&t);
}

/* --- what is told about a session ------------------------------------------- */

static void name_case(const char *host, const char *wanted)
{
	struct trial t = {
		.scene = { .cert = "server.pem", .act = ACT_NAME },
		.client = { .host = host },
	};
	char name[256];

	assert_int_equal(trial_start(&t), 0);
	assert_int_equal(read_some(&t, name, sizeof(name)), (int)strlen(wanted));
	assert_memory_equal(name, wanted, strlen(wanted));
	trial_end(&t);
}

/* RFC 6066, section 3: the server is told which of its names is meant; addresses are none. */
static void test_server_name(void **state)
{
	(void)state;
	certs_need();
	name_case("mail.example.org", "mail.example.org");
	name_case("127.0.0.1", "none");
	name_case("::1", "none");
	name_case("mail.example.org.", "mail.example.org");
	/* GnuTLS ends the handshake at these, whoever is right */
	name_case("mail_server", "none");
	name_case("_smtp.example.org", "none");
	name_case("[::1]", "none");
	name_case("fe80::1%lo", "none");
}

static void binding_case(const char *client, const char *server, bool unique, size_t wanted)
{
	struct trial t = {
		.scene = { .cert = "server.pem", .act = ACT_BINDING, .priorities = server,
			   .unique = unique },
		.client = { .verify = true, .priorities = client },
	};
	struct strbuf ours = STRBUF_INIT(100);
	char theirs[100];

	assert_int_equal(trial_start(&t), 0);
	int rc = tls_channel_binding(t.tls, unique, &ours);

	assert_int_equal(rc, wanted ? 0 : -1);
	assert_int_equal(ours.len, wanted);
	ssize_t n = read_some(&t, theirs, sizeof(theirs));

	if (wanted) {
		assert_int_equal(n, wanted);
		assert_memory_equal(ours.buf, theirs, wanted);
	}
	strbuf_release(&ours);
	trial_end(&t);
}

static void test_channel_binding(void **state)
{
	(void)state;
	certs_need();
	binding_case(NULL, tls13, false, 32);
	binding_case(NULL, tls13, true, 0);
	binding_case(NULL, tls12, false, 32);
	binding_case(NULL, tls12, true, 12);
	binding_case(tls12_no_ems, tls12, false, 0);
	binding_case(tls12_no_ems, tls12, true, 0);
	binding_case(NULL, tls12_no_ems, true, 0);
}

static void test_describe(void **state)
{
	static const char *const versions[][2] = { { tls12, "TLS1.2 ECDHE-ECDSA-SECP256R1 " },
						   { tls13, "TLS1.3 ECDHE-SECP256R1 " } };
	struct strbuf pin = STRBUF_INIT(1000), line = STRBUF_INIT(1000);

	(void)state;
	certs_need();
	openssl_line(&pin, "server.pem", "-sha256");
	strbuf_addf(&line, "\ncertificate SHA256: %s\n", pin.buf);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct trial t = { .scene = { .cert = "server.pem", .priorities = versions[i][0] },
				   .client = { .verify = true } };
		struct strbuf out = STRBUF_INIT(10000);

		assert_int_equal(trial_start(&t), 0);
		tls_describe(t.tls, &out);
		assert_text(out.buf, versions[i][1]);
		assert_text(out.buf, "SHA256 AES-");
		strbuf_reset(&out);
		tls_describe_certificate(t.tls, &out);
		assert_text(out.buf, "subject: CN=localhost\nissuer: CN=Test CA\nvalid from: 20");
		assert_text(out.buf, "\nvalid until: 20");
		assert_text(out.buf, "\nnames: localhost, 127.0.0.1, ::1\n");
		assert_text(out.buf, line.buf);
		assert_text(out.buf, "\npublic key SHA256: ");
		assert_int_equal(out.buf[out.len - 1], '\n');
		strbuf_release(&out);
		trial_end(&t);
	}
	strbuf_release(&pin);
	strbuf_release(&line);
}

static void test_library_version(void **state)
{
	struct strbuf out = STRBUF_INIT(100);
	struct error err = { 0 };

	(void)state;
	assert_int_equal(tls_library_version(&out, &err), 0);
	assert_int_equal(strncmp(out.buf, "GnuTLS 3.", 9), 0);
	strbuf_release(&out);
}

static void test_is(void **state)
{
	struct trial t = { .scene = { .cert = "server.pem" } };

	(void)state;
	assert_false(tls_is(NULL));
	certs_need();
	assert_int_equal(trial_start(&t), 0);
	assert_true(tls_is(t.tls));
	assert_false(tls_is(t.tls->lower));
	trial_end(&t);
}

/* Stands in for a library that does not ask what is thought of the certificate. */
static void never_asks(gnutls_session_t session, gnutls_certificate_verify_function *function)
{
	(void)session;
	(void)function;
}

static void test_never_verified(void **state)
{
	struct trial t = { .scene = { .cert = "server.pem" }, .client = { .verify = true } };

	(void)state;
	certs_need();
	assert_int_equal(trial_start(&t), 0);
	trial_end(&t);

	__typeof__(gtls.session_set_verify_function) kept = gtls.session_set_verify_function;

	gtls.session_set_verify_function = never_asks;
	int rc = trial_start(&t);

	gtls.session_set_verify_function = kept;
	assert_int_equal(rc, -1);
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "was not verified");
	trial_end(&t);
}

/* The server's prime has 2048 bits when the client does not ask for a named group. */
static void test_dh_bits(void **state)
{
	static const char dhe[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA";
	struct trial t = {
		.scene = { .cert = "rsa.pem", .key = "rsa.key", .priorities = dhe },
		.client = { .verify = true, .min_dh_prime_bits = 2048,
			    .priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA:"
					  "-GROUP-DH-ALL" },
	};

	(void)state;
	certs_need();
	assert_int_equal(trial_start(&t), 0);
	echo_once(&t);
	trial_end(&t);
	t.client.min_dh_prime_bits = 2049;
	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_PROTOCOL, "5.7.5", "tls_min_dh_prime_bits");
	trial_end(&t);
}

/* Exim takes "smtp", Dovecot "submission", and both break off at another one. */
static void test_alpn(void **state)
{
	static const struct {
		const char *names[3], *server;
		bool good;
	} cases[] = {
		{ { "smtp" }, "smtp", true }, { { "esmtp", "smtp" }, "smtp", true },
		{ { "smtp" }, NULL, true }, { { NULL }, "smtp", true },
		{ { "smtp" }, "submission", false },
	};
	static const char *const many[] = { "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL };

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct trial t = {
			.scene = { .cert = "server.pem", .alpn = cases[i].server },
			.client = { .verify = true, .alpn = cases[i].names },
		};

		if ((trial_start(&t) == 0) != cases[i].good)
			fail_msg("%zu: %s", i, t.err.text);
		if (cases[i].good)
			echo_once(&t);
		else
			assert_error(&t.err, EX_TEMPFAIL, "4.7.5", "see tls_alpn");
		trial_end(&t);
	}
	struct trial t = {
		.scene = { .cert = "server.pem" }, .client = { .verify = true, .alpn = many },
	};

	assert_int_equal(trial_start(&t), -1);
	assert_error(&t.err, EX_CONFIG, "5.3.5", "tls_alpn: more than 8 protocols");
	trial_end(&t);
}

/* --- the server's end --------------------------------------------------------- */

/* tls_accept() in a process of its own, which returns what it reads. */
static pid_t accept_start(int fd, const struct tls_server *settings)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	struct deadline d = limit_now();
	struct error err = { 0 };
	struct stream *tls = NULL, *lower = socket_stream_take(fd);
	char buf[1000];
	ssize_t n;

	alarm(60);
	if (tls_accept(lower, settings, &d, &tls, &err) < 0)
		_exit(err.exit);
	if (tls_verified(tls) || tls_sent_certificate(tls))
		_exit(1);
	for (;;) {
		n = stream_read(tls, buf, sizeof(buf), &err);
		if (n == STREAM_AGAIN && stream_wait(tls, STREAM_IN, &d, &err) > 0)
			continue;
		if (n <= 0 || stream_write_all(tls, buf, (size_t)n, &d, &err) < 0)
			break;
	}
	stream_close(tls);
	stream_free(tls);
	_exit(n == 0 ? 0 : err.exit);
}

static int accept_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_accept(void **state)
{
	static const char *const versions[] = { NULL, tls12, tls13 };

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tls_server server = { certs_path("chain.pem"), certs_path("server.key"),
					     NULL };
		struct trial t = { .client = { .host = "localhost", .verify = true,
					       .trust_file = certs_path("ca.pem"),
					       .priorities = versions[i] } };
		struct deadline d = limit_now();
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		pid_t pid = accept_start(pair[1], &server);

		close(pair[1]);
		struct stream *lower = socket_stream_take(pair[0]);

		assert_int_equal(tls_connect(lower, &t.client, &d, &t.tls, &t.err), 0);
		assert_true(tls_verified(t.tls));
		echo_once(&t);
		pump(&t, 100000, 5000);
		stream_close(t.tls);
		stream_free(t.tls);
		assert_int_equal(accept_status(pid), 0);
	}
}

/* The server takes no version below TLS 1.2, no clear text, and no key that others can read. */
static void test_accept_refuses(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		int exit;
	} cases[] = {
		{ "EHLO client\r\n", 13, EX_PROTOCOL },
		{ "GET / HTTP/1.0\r\n\r\n", 18, EX_PROTOCOL },
		{ "", 0, EX_TEMPFAIL },
		{ "\x16\x03\x01\x00\x05", 5, EX_TEMPFAIL },
		{ "\x15\x03\x03\x00\x02\x02\x28", 7, EX_PROTOCOL },
	};
	struct tls_server server = { certs_path("server.pem"), certs_path("server.key"), NULL };
	int pair[2];

	(void)state;
	certs_need();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		/* All of it is there at first: GnuTLS calls an alert that it finds at once
		 * unexpected, and one that it had to wait for an alert. */
		assert_int_equal(fs_write_all(pair[0], cases[i].text, cases[i].n), 0);
		shutdown(pair[0], SHUT_WR);
		pid_t pid = accept_start(pair[1], &server);

		close(pair[1]);
		if (accept_status(pid) != cases[i].exit)
			fail_msg("case %zu", i);
		close(pair[0]);
	}
	struct trial t = { .client = { .host = "localhost", .verify = true,
				       .trust_file = certs_path("ca.pem"),
				       .priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.1" } };
	struct deadline d = limit_now();

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid_t pid = accept_start(pair[1], &server);

	close(pair[1]);
	struct stream *lower = socket_stream_take(pair[0]);

	assert_int_equal(tls_connect(lower, &t.client, &d, &t.tls, &t.err), -1);
	stream_free(lower);
	assert_int_not_equal(accept_status(pid), 0);
}

static void accept_wrong(const char *cert, const char *key, const char *words)
{
	struct tls_server server = { cert, key, NULL };
	struct deadline d = limit_now();
	struct error err = { 0 };
	struct stream *out = NULL;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct stream *lower = socket_stream_take(pair[0]);

	assert_int_equal(tls_accept(lower, &server, &d, &out, &err), -1);
	assert_error(&err, EX_CONFIG, "5.3.5", words);
	stream_free(lower);
	close(pair[1]);
}

static void test_accept_settings(void **state)
{
	(void)state;
	certs_need();
	accept_wrong("/nonexistent", certs_path("server.key"), "cannot open certificate");
	accept_wrong(certs_path("server.pem"), "/nonexistent", "cannot open /nonexistent");
	accept_wrong(certs_path("server.pem"), certs_path("client.key"), "does not belong");
	accept_wrong(certs_path("server.pem"), certs_path("encrypted.key"), "passphrase");
	assert_int_equal(chmod(certs_path("ca2.key"), 0644), 0);
	accept_wrong(certs_path("ca2.pem"), certs_path("ca2.key"), "chmod 600");
}

static int setup(void **state)
{
	return tls_peer_load() < 0 ? -1 : certs_setup(state);
}

/* --- the trace -------------------------------------------------------------------- */

static void note_line(void *ctx, enum wire_direction direction, const char *text, size_t n)
{
	strbuf_addstr(ctx, direction == WIRE_IN ? "<" : ">");
	strbuf_add(ctx, text, n);
	strbuf_addch(ctx, '\n');
}

/* Records are told apart wherever the pieces of them end, each direction by itself. */
static void test_trace_in_pieces(void **state)
{
	static const char octets[] = "\x16\3\1\0\3abc" "\x15\3\3\0\0" "\x17\3\3\0\1x"
		"\x7f\3\3\1\0";
	static const char wanted[] = "TLS record: handshake, 3 octets\n"
		"TLS record: alert, 0 octets\n" "TLS record: application data, 1 octet\n"
		"TLS record: unknown, 256 octets\n";
	struct strbuf told = STRBUF_INIT(1000), expected = STRBUF_INIT(1000);

	(void)state;
	for (const char *p = wanted; *p; p += strcspn(p, "\n") + 1)
		strbuf_addf(&expected, "<%.*s", (int)strcspn(p, "\n") + 1, p);
	for (size_t step = 1; step < sizeof(octets); step++) {
		struct tls t = { .trace = note_line, .trace_ctx = &told };

		strbuf_reset(&told);
		tls_trace_octets(&t, false, "\x16\3", 2);
		for (size_t at = 0, n; at < sizeof(octets) - 1; at += n) {
			n = sizeof(octets) - 1 - at;
			n = n < step ? n : step;
			tls_trace_octets(&t, true, octets + at, n);
		}
		assert_string_equal(told.buf, expected.buf);
	}
	strbuf_release(&told);
	strbuf_release(&expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trace_in_pieces),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_dribble),
		cmocka_unit_test(test_key_update),
		cmocka_unit_test(test_premature_end),
		cmocka_unit_test(test_renegotiation),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_no_clear_text),
		cmocka_unit_test(test_server_name),
		cmocka_unit_test(test_channel_binding),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_library_version),
		cmocka_unit_test(test_is),
		cmocka_unit_test(test_never_verified),
		cmocka_unit_test(test_dh_bits),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_accept_refuses),
		cmocka_unit_test(test_accept_settings),
	};

	return cmocka_run_group_tests(tests, setup, certs_teardown);
}
