/*
 * From the caller's terminal to the background, without losing the errors of
 * the start: the caller waits for one word of the server. Also the small
 * files by which others find it.
 */
#include "config.h"
#include "server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message/ident.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "net/wire.h"
#include "server/smtpd.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/store.h"
#include "util/strbuf.h"
#include "util/text.h"
#include "util/xalloc.h"

/* --- from the terminal to the background -------------------------------------------- */

/* The word of the server is a whole struct error, exit 0 when all is well. */
static int wait_for_word(int fd, pid_t pid, struct error *err)
{
	struct error word, ignored;
	struct strbuf text = STRBUF_INIT(sizeof(word));
	const bool whole = fs_read_fd(fd, "", &text, &ignored) == 0 && text.len == sizeof(word);

	if (whole)
		memcpy(&word, text.buf, sizeof(word));
	else
		error_set(&word, FAULT_SYSTEM, "the server's process ended before it was ready");
	strbuf_release(&text);
	if (!word.exit)
		return 0;
	*err = word;
	(void)waitpid(pid, NULL, 0);
	return -1;
}

/*
 * Forks. In the new process (own session) it returns 1 and a descriptor for
 * say(). In the caller it returns when the server has said its word: 0, or -1
 * with its error.
 */
static int background_start(int *fd_out, struct error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, FAULT_SYSTEM, "cannot make a pipe");
	pid_t pid = fork();

	if (pid == 0) {
		close(fds[0]);
		(void)setsid();
		*fd_out = fds[1];
		return 1;
	}
	if (pid < 0)
		error_errno(err, FAULT_SYSTEM, "cannot start a process");
	close(fds[1]);
	int rc = pid < 0 ? -1 : wait_for_word(fds[0], pid, err);

	close(fds[0]);
	return rc;
}

/* Whoever waits for the end of our output must not wait for ours. */
static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_NOCTTY | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		if (fd != null)
			(void)dup2(null, fd);
	if (null > 2)
		close(null);
}

/* The word to the caller, whether the server stands; closes fd. */
static void say(int fd, const struct error *word)
{
	(void)!fs_write_all(fd, word, sizeof(*word));
	close(fd);
}

enum {
	CLIENTS_DEFAULT = 50,
	BACKLOG = 128,
	END_LIMIT = 30,		/* seconds the workers have to end; then they are killed */
	DRAIN_MS = 1000,	/* for a client to read our last reply before we close */
	ACCEPT_PAUSE_MS = 100	/* no descriptors or memory: others may give some back */
};

struct listener {
	const struct server_options *opt;
	int fd;
	pid_t *worker;		/* max_clients of them, 0 = free */
	size_t workers_max, workers;
};

/* The signals that a process waits for come by it. */
static int signal_fd = -1;

static int open_signals(const int *numbers, size_t n, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		(void)sigaddset(&set, numbers[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return error_errno(err, FAULT_SYSTEM, "cannot make a descriptor for signals");
	return 0;
}

static void tell(const struct server_options *opt, const char *line)
{
	if (opt->log)
		opt->log(opt->log_ctx, line);
}

/* --- the address ---------------------------------------------------------- */

static bool is_loopback(const struct address *a)
{
	return a->to.any.sa_family == AF_INET ? ntohl(a->to.in.sin_addr.s_addr) >> 24 == 127 :
		IN6_IS_ADDR_LOOPBACK(&a->to.in6.sin6_addr);
}

/* ADDRESS:PORT, [ADDRESS]:PORT, localhost:PORT; no names are looked up. */
static bool parse_address(const char *text, struct address *out)
{
	const char *colon = strrchr(text, ':');
	const long port = colon ? text_port(colon + 1, strlen(colon + 1)) : -1;

	if (port < 0)
		return false;
	const bool bracket = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
	char *host = bracket ? xstrndup(text + 1, (size_t)(colon - text) - 2) :
		xstrndup(text, (size_t)(colon - text));
	const bool local = !bracket && strcmp(host, "localhost") == 0;
	const bool good = address_from_text(local ? "127.0.0.1" : host, (unsigned)port, out) &&
		bracket == (out->to.any.sa_family == AF_INET6);

	xfree(host);
	return good;
}

static int open_socket(const char *listen_on, struct error *err)
{
	struct address a;
	int one = 1;

	if (!parse_address(listen_on, &a))
		return error_set(err, FAULT_CONFIG, "listen address '%s' is none of "
				 "ADDRESS:PORT and [ADDRESS]:PORT", listen_on);
	if (!is_loopback(&a))
		return error_set(err, FAULT_CONFIG, "listen address '%s' is not a loopback "
				 "address: use 127.0.0.1 or [::1]", listen_on);
	int fd = socket(a.to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, &a.to.any, a.len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error_errno(err, FAULT_SYSTEM, "cannot listen on %s", listen_on);
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Writes "ADDRESS:PORT" of the socket. */
static void describe_socket(int fd, struct strbuf *out)
{
	struct address a = { .len = sizeof(a.to) };
	char host[ADDRESS_TEXT];

	(void)getsockname(fd, &a.to.any, &a.len);
	address_text(&a.to.any, host, sizeof(host));
	if (a.to.any.sa_family == AF_INET6)
		strbuf_addf(out, "[%s]:%u", host, ntohs(a.to.in6.sin6_port));
	else
		strbuf_addf(out, "%s:%u", host, ntohs(a.to.in.sin_port));
}

/* --- workers -------------------------------------------------------------- */

/* Reads what the client still says: closing with input unread would reset our last reply away. */
static void drain(int fd)
{
	struct deadline d = deadline_in(1, "the client to close");
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char lost[4096];

	while (!deadline_passed(&d) && poll(&p, 1, deadline_poll_ms(&d)) > 0)
		if (recv(fd, lost, sizeof(lost), MSG_DONTWAIT) <= 0)
			return;
}

/* One session, in its own process. */
static void serve_client(struct listener *l, int fd)
{
	struct stream *stream = socket_stream_take(fd);
	struct smtpd session;
	struct error err;
	char peer[ADDRESS_TEXT];

	socket_peer_name(stream, peer, sizeof(peer));
	smtpd_init_take(&session, l->opt, wire_new_take(stream), l->opt->delivery, peer);
	session.stop_fd = signal_fd;
	if (smtpd_run(&session, &err) < 0)
		smtpd_log(&session, "result=broken reason='%s'", err.text);
	else
		smtpd_log(&session, "result=ended messages=%u", session.messages);
	drain(fd);
	smtpd_release(&session);
}

/* Never returns. What the parent waits for stays blocked: ^C of the terminal is its to handle. */
static void be_worker(struct listener *l, int fd)
{
	static const int end = SIGTERM;
	struct error err;

	close(l->fd);
	close(signal_fd);
	if (open_signals(&end, 1, &err) < 0)
		_exit(EX_OSERR);
	serve_client(l, fd);
	_exit(0);
}

static void refuse_client(const struct listener *l, int fd)
{
	static const char text[] = "421 4.3.2 too many connections, try again later\r\n";

	(void)!send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
	tell(l->opt, "result=refused reason='too many connections'");
}

static void start_worker(struct listener *l, int fd)
{
	size_t slot = 0;

	while (l->worker[slot])
		slot++;
	pid_t pid = fork();

	if (pid == 0)
		be_worker(l, fd);
	if (pid < 0) {
		refuse_client(l, fd);
		return;
	}
	l->worker[slot] = pid;
	l->workers++;
}

static void reap(struct listener *l)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
		for (size_t i = 0; i < l->workers_max; i++) {
			if (l->worker[i] != pid)
				continue;
			l->worker[i] = 0;
			l->workers--;
		}
	}
}

static void signal_workers(const struct listener *l, int number)
{
	for (size_t i = 0; i < l->workers_max; i++)
		if (l->worker[i])
			(void)kill(l->worker[i], number);
}

static void accept_all(struct listener *l)
{
	for (;;) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				(void)poll(NULL, 0, ACCEPT_PAUSE_MS);
			return;
		}
		reap(l);
		if (l->workers < l->workers_max)
			start_worker(l, fd);
		else
			refuse_client(l, fd);
		close(fd);
	}
}

/* Takes those that have come; true when one of them asks us to end. */
static bool read_signals(void)
{
	struct signalfd_siginfo info;
	bool stop = false;

	while (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		stop |= info.ssi_signo != SIGCHLD;
	return stop;
}

static void wait_for_workers(struct listener *l)
{
	struct deadline d = deadline_in(END_LIMIT, "the workers");
	struct pollfd p = { .fd = signal_fd, .events = POLLIN };

	signal_workers(l, SIGTERM);
	for (reap(l); l->workers && !deadline_passed(&d); reap(l)) {
		(void)poll(&p, 1, deadline_poll_ms(&d));
		(void)read_signals();
	}
	signal_workers(l, SIGKILL);
}

static void serve_until_told(struct listener *l)
{
	struct pollfd p[2] = {
		{ .fd = l->fd, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};

	for (;;) {
		(void)poll(p, 2, -1);
		if (read_signals())
			return;
		reap(l);
		accept_all(l);
	}
}

/* --- start and end -------------------------------------------------------- */

/* What can be known to be wrong before the first client comes. */
static int check_settings(const struct listen_settings *set, struct error *err)
{
	if (!set->listen || !*set->listen)
		return error_set(err, FAULT_CONFIG, "no address to listen on: set 'listen'");
	if (!set->server_cert != !set->server_key)
		return error_set(err, FAULT_KEY_MISMATCH, "certificate and key belong together: "
				 "set both or none");
	if (set->require_tls && !set->server_cert)
		return error_set(err, FAULT_CONFIG, "TLS is required of clients, and there "
				 "is no certificate to offer it");
	if (set->auth_required && !set->auth_file && !set->on_auth)
		return error_set(err, FAULT_CONFIG, "sign-in is required of clients, and "
				 "there is no password file, nor on_auth");
	if (set->server_name && (!*set->server_name || strchr(set->server_name, ' ') ||
				 text_has_control(set->server_name, strlen(set->server_name))))
		return error_set(err, FAULT_CONFIG, "server name '%s' is no host name",
				 set->server_name);
	if (set->server_cert && (fs_check_readable(set->server_cert, err) < 0 ||
				 fs_check_readable(set->server_key, err) < 0))
		return -1;
	return set->auth_file ? auth_check_file(set->auth_file, err) : 0;
}

static int write_files(const struct listener *l, struct error *err)
{
	const char *port_file = l->opt->set.port_file, *pid_file = l->opt->set.pid_file;
	struct strbuf text = STRBUF_INIT(128);
	int rc = 0;

	describe_socket(l->fd, &text);
	strbuf_addch(&text, '\n');
	if (port_file)
		rc = store_write_path(port_file, 0644, STORE_REPLACE, text.buf, text.len, err);
	strbuf_reset(&text);
	strbuf_addf(&text, "%ld\n", (long)getpid());
	if (rc == 0 && pid_file &&
	    (rc = store_write_path(pid_file, 0644, STORE_REPLACE, text.buf, text.len, err)) < 0 &&
	    port_file)
		unlink(port_file);
	strbuf_release(&text);
	return rc;
}

static void remove_files(const struct listener *l)
{
	if (l->opt->set.port_file)
		unlink(l->opt->set.port_file);
	if (l->opt->set.pid_file)
		unlink(l->opt->set.pid_file);
}

static int set_signals(bool foreground, struct error *err)
{
	static const int waited_for[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);	/* a file size limit is an error as a full disk is */
	(void)signal(SIGCHLD, SIG_DFL);
	if (!foreground)
		(void)signal(SIGHUP, SIG_IGN);
	return open_signals(waited_for, ARRAY_LEN(waited_for) - !foreground, err);
}

/* The server proper; background is its word to the process that waits, -1 in the foreground. */
static int run_server(struct listener *l, int background, struct error *err)
{
	static const struct error fine;
	struct strbuf ready = STRBUF_INIT(128);

	if (set_signals(l->opt->foreground, err) < 0)
		return -1;
	int rc = write_files(l, err);

	if (rc == 0) {
		if (background >= 0) {
			leave_terminal();
			say(background, &fine);
		}
		strbuf_addstr(&ready, "listening on ");
		describe_socket(l->fd, &ready);
		tell(l->opt, ready.buf);
		strbuf_release(&ready);
		serve_until_told(l);
		close(l->fd);
		l->fd = -1;
		wait_for_workers(l);
		remove_files(l);
	}
	close(signal_fd);
	return rc;
}

static int go_on(struct listener *l, struct error *err)
{
	int pipe_fd = -1;

	if (l->opt->foreground)
		return run_server(l, -1, err);
	int who = background_start(&pipe_fd, err);

	if (who < 1)
		return who;
	int rc = run_server(l, pipe_fd, err);

	if (rc < 0)
		say(pipe_fd, err);
	return rc;
}

static int run_listener(struct listener *l, struct error *err)
{
	const struct listen_settings *set = &l->opt->set;

	l->workers_max = set->max_clients ? set->max_clients : CLIENTS_DEFAULT;
	l->worker = xcalloc(l->workers_max, sizeof(*l->worker));
	l->fd = open_socket(set->listen, err);
	int rc = l->fd < 0 ? -1 : go_on(l, err);

	if (l->fd >= 0)
		close(l->fd);
	xfree(l->worker);
	return rc;
}

/* The options with the name of this host where they give none. */
static struct server_options with_name(const struct server_options *opt, struct arena *arena)
{
	struct server_options complete = *opt;

	const char *own = opt->set.server_name ? NULL : ident_host(arena);

	if (!opt->set.server_name)
		complete.set.server_name = own ? own : "localhost";
	return complete;
}

int listener_run(const struct server_options *opt, struct error *err)
{
	if (check_settings(&opt->set, err) < 0)
		return -1;
	struct arena *arena = arena_new();
	const struct server_options complete = with_name(opt, arena);
	struct listener l = { .opt = &complete, .fd = -1 };
	int rc = run_listener(&l, err);

	arena_free(arena);
	return rc;
}

/* --- the client of a session as its server ------------------------------------------ */

enum { REVERSED_IDLE = 600 };	/* RFC 2645, section 5: at least ten minutes */

int atrn_run(const struct server_options *opt, struct wire *wire, bool tls, const char *peer,
	     unsigned *messages_out, struct error *err)
{
	struct arena *arena = arena_new();
	struct server_options complete = with_name(opt, arena);
	struct smtpd session;

	complete.set.strict = true;
	complete.set.idle_timeout = REVERSED_IDLE;
	smtpd_init_take(&session, &complete, wire, opt->delivery, peer);
	session.tls = tls;
	int rc = smtpd_run(&session, err);

	*messages_out = session.messages;
	session.wire = NULL;		/* the caller's */
	smtpd_release(&session);
	arena_free(arena);
	return rc;
}
