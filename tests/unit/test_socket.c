#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/resolve.h"
#include "net/socket.h"
#include "net/stream.h"
#include "net/wire.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

static const struct deadline none = { .what = "the peer" };
static const struct deadline past = { .at = 1, .seconds = 7, .what = "the peer" };

#define assert_text(err, words) do { \
	if (!strstr((err).text, words)) \
		fail_msg("'%s' is not in '%s'", words, (err).text); \
} while (0)

/* A listening socket on a free port of the loopback address; -1 without that family. */
static int listen_on(int family, unsigned *port_out)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(family, SOCK_STREAM, 0);
	socklen_t len = family == AF_INET ? sizeof(in) : sizeof(in6);
	struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, a, len) < 0 || listen(fd, 5) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, a, &len), 0);
	*port_out = ntohs(family == AF_INET ? in.sin_port : in6.sin6_port);
	return fd;
}

static struct stream *connect_ok(const struct socket_target *target)
{
	struct error err = { 0 };
	struct stream *s = NULL;

	if (socket_connect(target, &none, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static void connect_fails(const struct socket_target *target, const struct deadline *whole,
			  int code, const char *status, const char *words)
{
	struct error err = { 0 };
	struct stream *s = NULL;

	assert_int_equal(socket_connect(target, whole, &s, &err), -1);
	assert_null(s);
	assert_int_equal(err.exit, code);
	assert_string_equal(err.status, status);
	assert_text(err, words);
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

/* --- connecting ----------------------------------------------------------- */

static void connects_to_an_address(void **state)
{
	(void)state;
	unsigned port;
	int server = listen_on(AF_INET, &port);
	struct socket_target target = { .host = "127.0.0.1", .port = port, .timeout = 30 };
	struct stream *s = connect_ok(&target);
	int fd = socket_fd(s);
	char name[64];

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_not_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_not_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
#ifdef TCP_KEEPIDLE
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
#endif
	socket_peer_name(s, name, sizeof(name));
	assert_string_equal(name, "127.0.0.1");
	stream_free(s);
	target.family = AF_INET;
	stream_free(connect_ok(&target));
	close(server);
}

static void connects_to_ipv6(void **state)
{
	(void)state;
	unsigned port;
	int server = listen_on(AF_INET6, &port);

	if (server < 0)
		skip();
	static const char *const hosts[] = { "::1", "[::1]" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct socket_target target = {
			.host = hosts[i], .port = port, .family = AF_INET6, .timeout = 30,
		};
		struct stream *s = connect_ok(&target);
		char name[64];

		socket_peer_name(s, name, sizeof(name));
		assert_string_equal(name, "::1");
		stream_free(s);
	}
	close(server);
}

static void refused_connection(void **state)
{
	(void)state;
	unsigned port;
	char words[100];
	int server = listen_on(AF_INET, &port);

	close(server);
	struct socket_target target = { .host = "127.0.0.1", .port = port, .timeout = 30 };

	snprintf(words, sizeof(words),
		 "cannot connect to 127.0.0.1:%u: 127.0.0.1: Connection refused", port);
	connect_fails(&target, &none, EX_TEMPFAIL, "4.4.1", words);
}

static void address_of_another_family(void **state)
{
	(void)state;
	struct socket_target four = { .host = "127.0.0.1", .port = 9, .family = AF_INET6 };
	struct socket_target six = { .host = "[::1]", .port = 9, .family = AF_INET };

	connect_fails(&four, &none, EX_NOHOST, "5.1.2",
		      "host '127.0.0.1' is not an IPv6 address");
	connect_fails(&six, &none, EX_NOHOST, "5.1.2", "host '[::1]' is not an IPv4 address");
}

static void source_address(void **state)
{
	(void)state;
	unsigned port;
	int server = listen_on(AF_INET, &port);
	static const struct { const char *source, *seen; } cases[] = {
		{ NULL, "127.0.0.1" }, { "", "127.0.0.1" }, { "127.0.0.1", "127.0.0.1" },
		{ "127.0.0.2", "127.0.0.2" }, { "::1", "127.0.0.1" },
		{ "::1, 127.0.0.3", "127.0.0.3" }, { "127.0.0.4,::1", "127.0.0.4" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct socket_options options = { .source_ip = cases[i].source };
		struct socket_target target = {
			.host = "127.0.0.1", .port = port, .options = &options, .timeout = 30,
		};
		struct stream *s = connect_ok(&target);
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		int fd = accept(server, (struct sockaddr *)&from, &len);

		assert_true(fd >= 0);
		assert_string_equal(inet_ntoa(from.sin_addr), cases[i].seen);
		close(fd);
		stream_free(s);
	}
	struct socket_options wrong = { .source_ip = "eth0" };
	struct socket_target bad = { .host = "127.0.0.1", .port = port, .options = &wrong };

	connect_fails(&bad, &none, EX_CONFIG, "5.3.5", "source address 'eth0'");
	wrong.source_ip = "::1";
	wrong.source_ip_strict = true;
	connect_fails(&bad, &none, EX_TEMPFAIL, "4.4.1",
		      "127.0.0.1: cannot use the source address: ");
	wrong.source_ip = "192.0.2.77";
	connect_fails(&bad, &none, EX_TEMPFAIL, "4.4.1",
		      "127.0.0.1: cannot use the source address: ");
	close(server);
}

/* A port of our own, from a range in which some are taken. */
static void source_port(void **state)
{
	(void)state;
	unsigned port, taken;
	int server = listen_on(AF_INET, &port), other = listen_on(AF_INET, &taken);
	struct socket_options options = { .source_port = taken, .source_port_last = taken };
	struct socket_target target = {
		.host = "127.0.0.1", .port = port, .options = &options, .timeout = 30,
		.family = AF_INET,
	};

	connect_fails(&target, &none, EX_TEMPFAIL, "4.4.1",
		      "cannot use the source address: Address already in use");
	options.source_port = taken > 60000 ? taken - 20 : taken;
	options.source_port_last = options.source_port + 20;
	struct stream *s = connect_ok(&target);
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	int fd = accept(server, (struct sockaddr *)&from, &len);

	assert_true(fd >= 0);
	assert_in_range(ntohs(from.sin_port), options.source_port, options.source_port_last);
	assert_int_not_equal(ntohs(from.sin_port), taken);
	close(fd);
	stream_free(s);
	close(server);
	close(other);
}

static void options_of_the_socket(void **state)
{
	(void)state;
	unsigned port;
	int server = listen_on(AF_INET, &port);
	struct socket_options options = {
		.keepalive_idle = 11, .keepalive_interval = 12, .keepalive_count = 5,
		.keepalive = true, .linger = 3, .send_buffer = 20000, .recv_buffer = 30000,
	};
	struct socket_target target = {
		.host = "127.0.0.1", .port = port, .options = &options, .timeout = 30,
	};
	struct stream *s = connect_ok(&target);
	struct linger linger;
	socklen_t len = sizeof(linger);

	assert_int_equal(option(socket_fd(s), IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_equal(option(socket_fd(s), SOL_SOCKET, SO_KEEPALIVE), 1);
#ifdef TCP_KEEPIDLE
	assert_int_equal(option(socket_fd(s), IPPROTO_TCP, TCP_KEEPIDLE), 11);
	assert_int_equal(option(socket_fd(s), IPPROTO_TCP, TCP_KEEPINTVL), 12);
	assert_int_equal(option(socket_fd(s), IPPROTO_TCP, TCP_KEEPCNT), 5);
#endif
	assert_true(option(socket_fd(s), SOL_SOCKET, SO_SNDBUF) >= 20000);
	assert_int_equal(getsockopt(socket_fd(s), SOL_SOCKET, SO_LINGER, &linger, &len), 0);
	assert_true(linger.l_onoff && linger.l_linger == 3);
	stream_free(s);
	options = (struct socket_options){ .nodelay = true };
	s = connect_ok(&target);
	assert_int_equal(option(socket_fd(s), SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(getsockopt(socket_fd(s), SOL_SOCKET, SO_LINGER, &linger, &len), 0);
	assert_false(linger.l_onoff);
	stream_free(s);
	options.interface = "no-such-if";
	connect_fails(&target, &none, EX_TEMPFAIL, "4.4.1",
		      "127.0.0.1: cannot use the interface: ");
	close(server);
}

/* --- several addresses ---------------------------------------------------- */

static struct address loopback(const char *text, unsigned port)
{
	struct address a;

	assert_true(address_from_text(text, port, &a));
	return a;
}

/* A port of 127.0.0.1 that answers nobody: its backlog is full. */
struct deaf {
	int server, full[20];
	size_t n;
	unsigned port;
};

static bool deaf_open(struct deaf *d)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int rc = 0;

	d->server = listen_on(AF_INET, &d->port);
	d->n = 0;
	to.sin_port = htons((in_port_t)d->port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(listen(d->server, 0), 0);
	while (d->n < ARRAY_LEN(d->full) && rc == 0) {
		d->full[d->n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		rc = connect(d->full[d->n++], (struct sockaddr *)&to, sizeof(to));
	}
	return rc < 0;
}

static void deaf_close(struct deaf *d)
{
	while (d->n)
		close(d->full[--d->n]);
	close(d->server);
}

/* The deaf first address must not hold up the second, although it has 30 s. */
static void race_goes_on(void **state)
{
	(void)state;
	struct deaf deaf;
	unsigned port;
	int server = listen_on(AF_INET, &port);

	if (!deaf_open(&deaf)) {
		deaf_close(&deaf);
		close(server);
		skip();
	}
	struct address v[2] = { loopback("127.0.0.1", deaf.port), loopback("127.0.0.1", port) };
	struct host_addresses list = { v, 2 };
	const struct socket_target target = { .host = "here", .port = port, .race_ms = 20,
					      .timeout = 30, .addresses = &list };
	struct stream *s = NULL;
	struct error err = { 0 };

	assert_int_equal(socket_connect(&target, &none, &s, &err), 0);
	assert_int_equal(list.n, 1);
	assert_int_equal(ntohs(list.v[0].to.in.sin_port), port);
	stream_free(s);
	deaf_close(&deaf);
	close(server);
}

/* Both run: each is named with its own reason, in the order of the list. */
static void race_tells_all(void **state)
{
	(void)state;
	unsigned port, other;

	close(listen_on(AF_INET, &port));
	close(listen_on(AF_INET, &other));
	struct address v[2] = { loopback("127.0.0.1", port), loopback("127.0.0.2", other) };

	for (unsigned delay = 0; delay < 20; delay += 10) {
		struct host_addresses list = { v, 2 };
		const struct socket_target target = { .host = "here", .port = 25, .timeout = 30,
						      .race_ms = delay, .addresses = &list };
		struct stream *s = NULL;
		struct error err = { 0 };

		assert_int_equal(socket_connect(&target, &none, &s, &err), -1);
		assert_string_equal(err.text, "cannot connect to here:25: 127.0.0.1: Connection "
					      "refused; 127.0.0.2: Connection refused");
		assert_int_equal(err.fault, FAULT_CONNECT_REFUSED);
		assert_int_equal(err.also[0], FAULT_NONE);
		assert_int_equal(list.n, 0);
	}
}

/* Those left are kept for another try; a list that is there costs no lookup. */
static void addresses_left(void **state)
{
	(void)state;
	unsigned port, dead;
	int server = listen_on(AF_INET, &port);
	struct host_addresses list = { xcalloc(3, sizeof(struct address)), 3 };

	close(listen_on(AF_INET, &dead));
	list.v[0] = loopback("127.0.0.1", dead);
	list.v[1] = loopback("127.0.0.1", port);
	list.v[2] = loopback("127.0.0.1", dead);
	struct socket_target target = {
		.host = "no-such-name.invalid", .port = 25, .timeout = 30, .addresses = &list,
	};
	struct stream *s = connect_ok(&target);

	stream_free(s);
	assert_int_equal(list.n, 2);
	assert_int_equal(ntohs(list.v[0].to.in.sin_port), port);
	host_addresses_drop(&list, 0);
	connect_fails(&target, &none, EX_TEMPFAIL, "4.4.1", "127.0.0.1: Connection refused");
	assert_int_equal(list.n, 0);
	host_addresses_release(&list);
	close(server);
}

/* A server whose backlog is full lets us wait. */
static void silent_server(void **state)
{
	(void)state;
	unsigned port;
	int server = listen_on(AF_INET, &port), full[20];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((in_port_t)port) };
	struct socket_target target = { .host = "127.0.0.1", .port = port, .timeout = 30 };
	size_t n = 0;
	int rc = 0;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(listen(server, 0), 0);
	while (n < ARRAY_LEN(full) && rc == 0) {
		full[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		rc = connect(full[n++], (struct sockaddr *)&to, sizeof(to));
	}
	if (rc < 0)
		connect_fails(&target, &past, EX_TEMPFAIL, "4.4.1",
			      "127.0.0.1: no answer within 7 s; no time is left to try more");
	while (n)
		close(full[--n]);
	close(server);
	if (rc == 0)
		skip();
}

/* --- local sockets -------------------------------------------------------- */

struct local {
	char dir[32], path[64];
	struct sockaddr_un at;
};

static void local_setup(struct local *l)
{
	snprintf(l->dir, sizeof(l->dir), "/tmp/msubmit-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	snprintf(l->path, sizeof(l->path), "%s/lmtp", l->dir);
	l->at.sun_family = AF_UNIX;
	memcpy(l->at.sun_path, l->path, strlen(l->path) + 1);
}

static void local_teardown(const struct local *l)
{
	unlink(l->path);
	rmdir(l->dir);
}

static void local_socket(void **state)
{
	(void)state;
	struct local l = { 0 };

	local_setup(&l);
	struct socket_target target = { .path = l.path, .timeout = 30 };

	connect_fails(&target, &none, EX_TEMPFAIL, "4.4.1", "No such file or directory");
	connect_fails(&target, &none, EX_TEMPFAIL, "4.4.1",
		      "cannot connect to local socket '/tmp/");
	int server = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(bind(server, (struct sockaddr *)&l.at, sizeof(l.at)), 0);
	connect_fails(&target, &none, EX_TEMPFAIL, "4.4.1", "Connection refused");
	assert_int_equal(listen(server, 5), 0);
	struct stream *s = connect_ok(&target);
	char name[16];

	socket_peer_name(s, name, sizeof(name));
	assert_string_equal(name, "local");
	stream_free(s);
	close(server);
	local_teardown(&l);
}

static void busy_local_socket(void **state)
{
	(void)state;
	struct local l = { 0 };
	int full[20];
	size_t n = 0;
	int rc = 0;

	local_setup(&l);
	struct socket_target target = { .path = l.path, .timeout = 30 };
	int server = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(bind(server, (struct sockaddr *)&l.at, sizeof(l.at)), 0);
	assert_int_equal(listen(server, 0), 0);
	while (n < ARRAY_LEN(full) && rc == 0) {
		full[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		rc = connect(full[n++], (struct sockaddr *)&l.at, sizeof(l.at));
	}
	assert_int_equal(rc, -1);
	connect_fails(&target, &past, EX_TEMPFAIL, "4.4.1", "no answer within 7 s");
	while (n)
		close(full[--n]);
	close(server);
	local_teardown(&l);
}

static void local_path_length(void **state)
{
	(void)state;
	char path[200] = "/tmp/msubmit-no-such-folder/";
	struct socket_target target = { .path = path, .timeout = 30 };
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	memset(path + strlen(path), 'x', most - strlen(path));
	connect_fails(&target, &none, EX_TEMPFAIL, "4.4.1", "No such file or directory");
	path[most] = 'y';
	connect_fails(&target, &none, EX_CONFIG, "5.3.5", "is longer than 107 octets");
}

/* --- the stream ----------------------------------------------------------- */

static struct stream *pair(int *other_out)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	*other_out = fd[1];
	return socket_stream_take(fd[0]);
}

/* A TCP connection: our stream and the server's descriptor. */
static struct stream *tcp_pair(int *other_out)
{
	unsigned port;
	int server = listen_on(AF_INET, &port);
	struct socket_target target = { .host = "127.0.0.1", .port = port, .timeout = 30 };
	struct stream *s = connect_ok(&target);

	*other_out = accept(server, NULL, NULL);
	assert_true(*other_out >= 0);
	close(server);
	return s;
}

static void reads_and_ends(void **state)
{
	(void)state;
	int other;
	struct stream *s = pair(&other);
	struct error err = { 0 };
	char buf[10];

	assert_true(fcntl(socket_fd(s), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(stream_read(s, buf, sizeof(buf), &err), STREAM_AGAIN);
	assert_int_equal(write(other, "hello", 5), 5);
	assert_int_equal(stream_wait(s, STREAM_IN, &none, &err), STREAM_IN);
	assert_int_equal(stream_wait(s, STREAM_IN | STREAM_OUT, &none, &err),
			 STREAM_IN | STREAM_OUT);
	assert_int_equal(stream_read(s, buf, 3, &err), 3);
	assert_memory_equal(buf, "hel", 3);
	assert_int_equal(stream_read(s, buf, sizeof(buf), &err), 2);
	close(other);
	assert_int_equal(stream_wait(s, STREAM_IN, &none, &err), STREAM_IN);
	assert_int_equal(stream_read(s, buf, sizeof(buf), &err), 0);
	stream_free(s);
}

static void waiting_ends_in_time(void **state)
{
	(void)state;
	int other;
	struct stream *s = pair(&other);
	struct error err = { 0 };

	assert_int_equal(stream_wait(s, STREAM_OUT, &past, &err), STREAM_OUT);
	assert_int_equal(stream_wait(s, STREAM_IN, &past, &err), -1);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_string_equal(err.status, "4.4.2");
	assert_string_equal(err.text, "timeout after 7 s waiting for the peer");
	stream_free(s);
	close(other);
}

static void full_pipe_says_again(void **state)
{
	(void)state;
	int other;
	struct stream *s = pair(&other);
	struct error err = { 0 };
	char *block = xcalloc(1, 65536);
	ssize_t n = 0;

	for (int i = 0; i < 1000 && n != STREAM_AGAIN; i++)
		n = stream_write(s, block, 65536, &err);
	assert_int_equal(n, STREAM_AGAIN);
	assert_int_equal(stream_wait(s, STREAM_OUT, &past, &err), -1);
	assert_int_equal(stream_write_all(s, block, 65536, &past, &err), -1);
	xfree(block);
	stream_free(s);
	close(other);
}

/* SIGPIPE has its default here: it would end this program. */
static void lost_connection(void **state)
{
	(void)state;
	int other;
	struct stream *s = tcp_pair(&other);
	struct linger reset = { .l_onoff = 1 };
	struct error err = { 0 };
	char buf[10];

	assert_int_equal(setsockopt(other, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(other);
	assert_int_equal(stream_wait(s, STREAM_IN, &none, &err), STREAM_IN);
	assert_int_equal(stream_read(s, buf, sizeof(buf), &err), -1);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_string_equal(err.status, "4.4.2");
	assert_string_equal(err.text, "connection lost: Connection reset by peer");
	assert_int_equal(stream_write(s, "x", 1, &err), -1);
	assert_string_equal(err.text, "connection lost: Broken pipe");
	stream_free(s);
}

static void close_is_half(void **state)
{
	(void)state;
	int other;
	struct stream *s = tcp_pair(&other);
	struct error err = { 0 };
	char buf[10];

	assert_int_equal(stream_write_all(s, "QUIT", 4, &none, &err), 0);
	stream_close(s);
	assert_int_equal(recv(other, buf, sizeof(buf), MSG_WAITALL), 4);
	assert_int_equal(send(other, "221", 3, 0), 3);
	assert_int_equal(stream_read_exact(s, buf, 3, &none, &err), 0);
	assert_memory_equal(buf, "221", 3);
	stream_free(s);
	close(other);
}

static void pipe_as_a_stream(void **state)
{
	(void)state;
	int fd[2];
	struct error err = { 0 };
	char buf[10];

	assert_int_equal(pipe(fd), 0);
	struct stream *in = socket_stream_take(fd[0]), *out = socket_stream_take(fd[1]);

	assert_int_equal(stream_read(in, buf, sizeof(buf), &err), STREAM_AGAIN);
	assert_int_equal(stream_write_all(out, "abc", 3, &none, &err), 0);
	assert_int_equal(stream_read(in, buf, sizeof(buf), &err), 3);
	stream_close(out);
	stream_free(out);
	assert_int_equal(stream_read(in, buf, sizeof(buf), &err), 0);
	socket_peer_name(in, buf, sizeof(buf));
	assert_string_equal(buf, "local");
	stream_free(in);
}

static void exact_reads(void **state)
{
	(void)state;
	int other;
	struct stream *s = pair(&other);
	struct error err = { 0 };
	char buf[10];

	assert_int_equal(write(other, "abcdefg", 7), 7);
	assert_int_equal(stream_read_exact(s, buf, 4, &none, &err), 0);
	assert_memory_equal(buf, "abcd", 4);
	assert_int_equal(stream_read_exact(s, buf, 0, &none, &err), 0);
	assert_int_equal(stream_read_exact(s, buf, 4, &past, &err), -1);
	assert_text(err, "timeout after 7 s");
	close(other);
	assert_int_equal(stream_read_exact(s, buf, 4, &none, &err), -1);
	assert_int_equal(err.exit, EX_TEMPFAIL);
	assert_string_equal(err.status, "4.4.2");
	assert_string_equal(err.text, "connection closed by the peer, while waiting for the peer");
	stream_free(s);
}

static void lowest_stream_has_the_descriptor(void **state)
{
	(void)state;
	static const struct stream_ops ops = { .name = "other" };
	int other;
	struct stream *s = pair(&other);
	struct stream top = { .ops = &ops, .lower = s }, alone = { .ops = &ops };
	char name[8];

	assert_int_equal(socket_fd(&top), socket_fd(s));
	assert_int_equal(socket_fd(&alone), -1);
	socket_peer_name(&alone, name, sizeof(name));
	assert_string_equal(name, "local");
	stream_free(s);
	close(other);
}

/* A server refuses amid the data and closes: its words must still be heard. */
static void reply_survives_a_reset(void **state)
{
	(void)state;
	int other;
	struct wire *w = wire_new_take(tcp_pair(&other));
	struct strbuf line = STRBUF_INIT(100);
	struct error err = { 0 };
	char *block = xcalloc(1, 200000);
	bool cut;
	int rc = wire_put(w, block, 1000, NULL, &none, &err);

	assert_int_equal(rc, 0);
	assert_int_equal(wire_flush(w, &none, &err), 0);
	assert_int_equal(send(other, "552 too large\r\n", 15, 0), 15);
	close(other);		/* with unread data: a reset */
	for (int i = 0; i < 100 && rc == 0; i++)
		rc = wire_put(w, block, 200000, NULL, &none, &err);
	assert_int_equal(rc, -1);
	assert_text(err, "connection lost: ");
	assert_int_equal(wire_read_line(w, &line, &cut, &none, &err), 1);
	assert_string_equal(line.buf, "552 too large");
	assert_int_not_equal(wire_read_line(w, &line, &cut, &none, &err), 1);
	strbuf_release(&line);
	xfree(block);
	wire_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects_to_an_address),
		cmocka_unit_test(connects_to_ipv6),
		cmocka_unit_test(refused_connection),
		cmocka_unit_test(address_of_another_family),
		cmocka_unit_test(source_address),
		cmocka_unit_test(source_port),
		cmocka_unit_test(options_of_the_socket),
		cmocka_unit_test(race_goes_on),
		cmocka_unit_test(race_tells_all),
		cmocka_unit_test(addresses_left),
		cmocka_unit_test(silent_server),
		cmocka_unit_test(local_socket),
		cmocka_unit_test(busy_local_socket),
		cmocka_unit_test(local_path_length),
		cmocka_unit_test(reads_and_ends),
		cmocka_unit_test(waiting_ends_in_time),
		cmocka_unit_test(full_pipe_says_again),
		cmocka_unit_test(lost_connection),
		cmocka_unit_test(close_is_half),
		cmocka_unit_test(pipe_as_a_stream),
		cmocka_unit_test(exact_reads),
		cmocka_unit_test(lowest_stream_has_the_descriptor),
		cmocka_unit_test(reply_survives_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
