/*
 * The listener: from the caller's terminal to the background without losing
 * the errors of the start (the caller waits for one word of the server), the
 * sockets of all sections, and the loop of the process that owns the workers.
 */
#include "config.h"
#include "server/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message/ident.h"
#include "net/stdio.h"
#include "net/wire.h"
#include "server/smtpd.h"
#include "server/sockets.h"
#include "server/workers.h"
#include "tls/tls.h"
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
	END_LIMIT = 30,		/* seconds the workers have to end; then they are killed */
	FORK_PAUSE_MS = 1000	/* when no process could be had */
};

/* The pools of one reading of the configuration. */
struct generation {
	struct generation *before;	/* whose workers still have clients */
	struct arena *arena;
	struct server_options *section;	/* with all that was left open filled in */
	struct worker_pool *pool;
	size_t n;
};

struct listener {
	const struct listener_request *req;
	struct generation *now;
	int signals, wake;
	pid_t runner;			/* 0 = none */
	int64_t next_run;		/* clock_ms() */
};

static void tell(const struct listener *l, const char *line)
{
	const struct server_options *opt = &l->now->section[0];

	if (opt->log)
		opt->log(opt->log_ctx, line);
}

/* --- settings ------------------------------------------------------------- */

static int check_server_files(const struct listen_settings *set, struct error *err)
{
	if (set->server_client_ca && fs_check_readable(set->server_client_ca, err) < 0)
		return -1;
	if (set->server_cert && (fs_check_readable(set->server_cert, err) < 0 ||
				 fs_check_readable(set->server_key, err) < 0))
		return -1;
	return set->auth_file ? auth_check_file(set->auth_file, err) : 0;
}

/* A pair that cannot be used would be found by the first client, and by nobody else. */
static int check_tls(const struct listen_settings *set, struct error *err)
{
	const struct tls_server files = { .cert_file = set->server_cert,
					  .key_file = set->server_key,
					  .client_ca = set->server_client_ca };

	if (!set->server_cert || tls_server_check(&files, err) == 0)
		return 0;
	return error_recast(err, FAULT_CONFIG);
}

/* What can be known to be wrong before the first client comes. */
static int check_settings(const struct listen_settings *set, struct error *err)
{
	if (!set->listen || !*set->listen)
		return error_set(err, FAULT_CONFIG, "no address to listen on: set 'listen'");
	if (!set->server_cert != !set->server_key)
		return error_set(err, FAULT_KEY_MISMATCH, "certificate and key belong together: "
				 "set both or none");
	if ((set->require_tls || set->implicit_tls || set->server_client_ca) && !set->server_cert)
		return error_set(err, FAULT_CONFIG, "TLS is required of clients, and there "
				 "is no certificate to offer it");
	if (set->auth_required && !set->auth_file && !set->on_auth)
		return error_set(err, FAULT_CONFIG, "sign-in is required of clients, and "
				 "there is no password file, nor on_auth");
	if (set->server_name && (!*set->server_name || strchr(set->server_name, ' ') ||
				 text_has_control(set->server_name, strlen(set->server_name))))
		return error_set(err, FAULT_CONFIG, "server name '%s' is no host name",
				 set->server_name);
	return check_server_files(set, err);
}

static bool is_local(const struct listen_settings *set)
{
	return set->listen && strncmp(set->listen, "unix:", strlen("unix:")) == 0;
}

/* What the settings leave open: the name of this host, and how strict to be. */
static struct server_options completed(const struct server_options *opt, struct arena *arena)
{
	struct server_options c = *opt;
	const char *own = opt->set.server_name ? NULL : ident_host(arena);

	if (!c.set.server_name)
		c.set.server_name = own ? own : "localhost";
	if (c.set.strict == STRICT_AUTO)
		c.set.strict = is_local(&c.set) ? STRICT_OFF : STRICT_ON;
	return c;
}

/* --- the sockets of all sections ------------------------------------------ */

/* A socket that the service manager has opened, or that inetd waits on; -1 = none. */
static int passed_socket(const struct listen_settings *set, size_t i)
{
	int listening = 0;
	socklen_t len = sizeof(listening);
	const int fd = listen_socket_passed(set->name ? set->name : "");

	if (fd >= 0 || i > 0)
		return fd;
	if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 ||
	    !listening)
		return -1;
	return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_section(const struct server_options *a, const struct server_options *b)
{
	return strcmp(a->set.listen, b->set.listen) == 0 && same_text(a->set.name, b->set.name);
}

/* The pool before that listens at the same place; NULL = none. */
static struct worker_pool *same_place(struct generation *before,
				      const struct server_options *opt)
{
	for (size_t i = 0; before && i < before->n; i++) {
		struct worker_pool *p = &before->pool[i];

		if (p->socket.fd >= 0 && same_section(p->opt, opt))
			return p;
	}
	return NULL;
}

/*
 * Who may use a socket of ours was said when it was made. To go on as if that
 * were another now would leave a door open that its owner thinks is shut.
 */
static int check_access(const struct worker_pool *old, const struct listen_settings *set,
			struct error *err)
{
	const struct listen_settings *was = &old->opt->set;

	if (!old->socket.path || (same_text(was->socket_mode, set->socket_mode) &&
				  same_text(was->socket_owner, set->socket_owner)))
		return 0;
	return error_set(err, FAULT_CONFIG, "another socket_mode or socket_owner of '%s' needs a "
			 "restart", set->listen);
}

static int open_section(struct generation *g, size_t i, int wake, struct error *err)
{
	const struct server_options *opt = &g->section[i];
	struct worker_pool *old = same_place(g->before, opt);
	struct listen_socket s = { .fd = -1 };

	if (old && check_access(old, &opt->set, err) < 0)
		return -1;
	if (old)
		s.fd = fcntl(old->socket.fd, F_DUPFD_CLOEXEC, 0);
	else
		s.fd = passed_socket(&opt->set, i);
	if (s.fd >= 0) {
		if (listen_socket_check(&opt->set, s.fd, err) < 0) {
			close(s.fd);
			return -1;
		}
	} else if (listen_socket_open(&opt->set, &s, err) < 0) {
		return -1;
	}
	return worker_pool_open_take(&g->pool[i], opt, &s, wake, err);
}

static void generation_free(struct generation *g)
{
	for (size_t i = 0; i < g->n; i++)
		worker_pool_close(&g->pool[i]);
	arena_free(g->arena);
}

/* All or nothing: the new sections are checked and listened for before the old ones go. */
static int open_generation(const struct server_options *section, size_t n,
			   struct generation *before, int wake, struct generation **out,
			   struct error *err)
{
	struct arena *arena = arena_new();
	struct generation *g = arena_calloc(arena, 1, sizeof(*g));

	*g = (struct generation){ .arena = arena, .before = before,
				  .section = arena_calloc(arena, n, sizeof(*g->section)),
				  .pool = arena_calloc(arena, n, sizeof(*g->pool)) };
	for (size_t i = 0; i < n; i++) {
		g->section[i] = completed(&section[i], arena);
		if (check_settings(&section[i].set, err) < 0 ||
		    check_tls(&section[i].set, err) < 0 || open_section(g, i, wake, err) < 0) {
			generation_free(g);
			return -1;
		}
		g->n++;
	}
	*out = g;
	return 0;
}

/* --- the loop ------------------------------------------------------------- */

static void fill_all(struct listener *l)
{
	for (size_t i = 0; i < l->now->n; i++)
		worker_pool_fill(&l->now->pool[i], l->now->pool, l->now->n);
}

static unsigned workers_left(const struct generation *g)
{
	unsigned n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += g->pool[i].workers;
	return n;
}

static void reap_one(struct listener *l, pid_t pid)
{
	if (pid == l->runner) {
		l->runner = 0;
		return;
	}
	for (struct generation *g = l->now; g; g = g->before)
		for (size_t i = 0; i < g->n; i++)
			if (worker_pool_reap(&g->pool[i], pid))
				return;
}

static void reap_all(struct listener *l)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		reap_one(l, pid);
	for (struct generation **g = &l->now->before; *g;) {
		struct generation *gone = *g;

		if (workers_left(gone)) {
			g = &gone->before;
			continue;
		}
		*g = gone->before;
		generation_free(gone);
	}
}

static void signal_all(const struct listener *l, int number)
{
	for (struct generation *g = l->now; g; g = g->before)
		for (size_t i = 0; i < g->n; i++)
			worker_pool_signal(&g->pool[i], number);
	if (l->runner)
		(void)kill(l->runner, number);
}

/*
 * The old workers end when they have no client; where the new settings are
 * wrong, all stays as it is.
 */
static void reload(struct listener *l)
{
	const struct server_options *section;
	struct generation *g;
	struct strbuf line = STRBUF_INIT(2048);
	struct error err;
	size_t n;

	if (!l->req->reload)
		return;
	if (l->req->reload(l->req->ctx, &section, &n, &err) < 0 ||
	    open_generation(section, n, l->now, l->wake, &g, &err) < 0) {
		strbuf_addf(&line, "result=not-reloaded reason='%s'", err.text);
		tell(l, line.buf);
		strbuf_release(&line);
		return;
	}
	for (size_t i = 0; i < l->now->n; i++) {
		struct worker_pool *old = &l->now->pool[i];

		worker_pool_signal(old, SIGUSR1);
		for (size_t k = 0; k < n; k++) {
			if (!same_section(&g->section[k], old->opt))
				continue;
			g->pool[k].socket.own = old->socket.own;
			g->pool[k].socket.path = old->socket.path ?
				g->section[k].set.listen + strlen("unix:") : NULL;
			old->socket.own = false;
		}
		listen_socket_close(&old->socket);
	}
	l->now = g;
	tell(l, "result=reloaded");
}

/* Takes the signals that have come; true when one of them asks us to end. */
static bool take_signals(struct listener *l)
{
	struct signalfd_siginfo info;
	bool stop = false, again = false;

	while (read(l->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		stop |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
		again |= info.ssi_signo == SIGHUP;
	}
	reap_all(l);
	/* the terminal has gone: so have those who wanted us in front of it */
	if (again && l->req->foreground && isatty(STDIN_FILENO))
		stop = true;
	else if (again && !stop)
		reload(l);
	return stop;
}

/* Never returns: what goes on beside has a process of its own, that does not outlive us. */
static void be_runner(struct listener *l)
{
	sigset_t none;

	for (size_t i = 0; i < l->now->n; i++)
		close(l->now->pool[i].socket.fd);
	close(l->signals);
	close(l->wake);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGHUP, SIG_DFL);
#ifdef __linux__
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
	l->req->run(l->req->ctx);
	_exit(0);
}

static void run_when_due(struct listener *l)
{
	if (!l->req->run || l->runner || clock_ms() < l->next_run)
		return;
	l->next_run = clock_ms() + (int64_t)l->req->interval * 1000;
	l->runner = fork();
	if (l->runner == 0)
		be_runner(l);
	if (l->runner < 0)
		l->runner = 0;
}

/* How long nothing has to be done but what others ask for. */
static int quiet_ms(const struct listener *l)
{
	int64_t left = -1;

	if (l->req->run && !l->runner) {
		left = l->next_run - clock_ms();
		left = left < 0 ? 0 : left > 3600000 ? 3600000 : left;
	}
	for (size_t i = 0; i < l->now->n; i++)
		if (!l->now->pool[i].workers && (left < 0 || left > FORK_PAUSE_MS))
			left = FORK_PAUSE_MS;
	return (int)left;
}

/* Waits for signals, for workers that have got a client, and for clients that none can get. */
static void wait_for_work(struct listener *l)
{
	struct pollfd *p = xcalloc(2 + l->now->n, sizeof(*p));
	uint64_t count;

	p[0] = (struct pollfd){ .fd = l->signals, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = l->wake, .events = POLLIN };
	for (size_t i = 0; i < l->now->n; i++) {
		const struct worker_pool *pool = &l->now->pool[i];

		p[2 + i] = (struct pollfd){ .fd = worker_pool_full(pool) ? pool->socket.fd : -1,
					    .events = POLLIN };
	}
	(void)poll(p, 2 + l->now->n, quiet_ms(l));
	(void)!read(l->wake, &count, sizeof(count));
	for (size_t i = 0; i < l->now->n; i++)
		if (p[2 + i].revents)
			worker_pool_refuse(&l->now->pool[i]);
	xfree(p);
}

static void serve_until_told(struct listener *l)
{
	do {
		fill_all(l);
		run_when_due(l);
		wait_for_work(l);
	} while (!take_signals(l));
}

static void end_workers(struct listener *l)
{
	struct deadline d = deadline_in(END_LIMIT, "the workers");
	struct pollfd p = { .fd = l->signals, .events = POLLIN };
	struct signalfd_siginfo info;

	for (size_t i = 0; i < l->now->n; i++)
		listen_socket_close(&l->now->pool[i].socket);
	signal_all(l, SIGTERM);
	for (reap_all(l); (workers_left(l->now) || l->now->before || l->runner) &&
	     !deadline_passed(&d); reap_all(l)) {
		(void)poll(&p, 1, deadline_poll_ms(&d));
		while (read(l->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
			;
	}
	signal_all(l, SIGKILL);
}

/* --- one client, and then the end ------------------------------------------ */

/* Of a process that was made for one client (inetd, Accept=yes): it is standard input. */
static bool has_client(const struct listener_request *req)
{
	int listening = 1, domain = 0;
	socklen_t len = sizeof(listening), domain_len = sizeof(domain);

	return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 &&
		!listening &&
		getsockopt(STDIN_FILENO, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) == 0 &&
		(domain != AF_UNIX || req->once);
}

static int serve_stdin(const struct listener_request *req, struct error *err)
{
	struct arena *arena = arena_new();
	const struct server_options opt = completed(&req->section[0], arena);
	const int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int rc = fd < 0 ? error_errno(err, FAULT_SYSTEM, "cannot use the socket") : 0;

	if (rc == 0)
		(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	if (rc == 0 && (check_settings(&opt.set, err) < 0 ||
			listen_socket_check(&opt.set, fd, err) < 0)) {
		close(fd);
		rc = -1;
	}
	if (rc == 0)
		rc = worker_serve(&opt, fd, -1, err);
	arena_free(arena);
	return rc;
}

/* The first client of any section, in this process. */
static int serve_once(struct listener *l, struct error *err)
{
	struct generation *g = l->now;
	struct pollfd *p = xcalloc(1 + g->n, sizeof(*p));
	int rc = 0, fd = -1;

	p[0] = (struct pollfd){ .fd = l->signals, .events = POLLIN };
	for (size_t i = 0; i < g->n; i++)
		p[1 + i] = (struct pollfd){ .fd = g->pool[i].socket.fd, .events = POLLIN };
	while (fd < 0 && !p[0].revents) {
		(void)poll(p, 1 + g->n, -1);
		for (size_t i = 0; i < g->n && fd < 0; i++) {
			if (!p[1 + i].revents)
				continue;
			fd = accept4(g->pool[i].socket.fd, NULL, NULL,
				     SOCK_CLOEXEC | SOCK_NONBLOCK);
			if (fd >= 0)
				rc = worker_serve(&g->section[i], fd, l->signals, err);
		}
	}
	xfree(p);
	return rc;
}

/* --- start and end -------------------------------------------------------- */

static int write_section_files(const struct worker_pool *p, struct error *err)
{
	const char *port_file = p->opt->set.port_file, *pid_file = p->opt->set.pid_file;
	struct strbuf text = STRBUF_INIT(256);
	int rc = 0;

	listen_socket_describe(p->socket.fd, &text);
	strbuf_addch(&text, '\n');
	if (port_file)
		rc = store_write_path(port_file, 0644, STORE_REPLACE, text.buf, text.len, err);
	strbuf_reset(&text);
	strbuf_addf(&text, "%ld\n", (long)getpid());
	if (rc == 0 && pid_file)
		rc = store_write_path(pid_file, 0644, STORE_REPLACE, text.buf, text.len, err);
	strbuf_release(&text);
	return rc;
}

static void remove_files(const struct generation *g)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->section[i].set.port_file)
			unlink(g->section[i].set.port_file);
		if (g->section[i].set.pid_file)
			unlink(g->section[i].set.pid_file);
	}
}

static int write_files(const struct generation *g, struct error *err)
{
	for (size_t i = 0; i < g->n; i++) {
		if (write_section_files(&g->pool[i], err) < 0) {
			remove_files(g);
			return -1;
		}
	}
	return 0;
}

static int set_signals(struct listener *l, struct error *err)
{
	static const int waited_for[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);	/* a file size limit is an error as a full disk is */
	(void)signal(SIGCHLD, SIG_DFL);
	return worker_signal_fd(waited_for, ARRAY_LEN(waited_for), &l->signals, err);
}

static void tell_ready(const struct listener *l)
{
	for (size_t i = 0; i < l->now->n; i++) {
		struct strbuf ready = STRBUF_INIT(256);

		strbuf_addstr(&ready, "listening on ");
		listen_socket_describe(l->now->pool[i].socket.fd, &ready);
		tell(l, ready.buf);
		strbuf_release(&ready);
	}
}

/* The server proper; background is its word to the process that waits, -1 in the foreground. */
static int run_server(struct listener *l, int background, struct error *err)
{
	static const struct error fine;

	if (set_signals(l, err) < 0)
		return -1;
	int rc = write_files(l->now, err);

	if (rc == 0) {
		if (background >= 0) {
			leave_terminal();
			say(background, &fine);
		}
		tell_ready(l);
		if (l->req->once)
			rc = serve_once(l, err);
		else
			serve_until_told(l);
		end_workers(l);
		remove_files(l->now);
	}
	close(l->signals);
	return rc;
}

static int go_on(struct listener *l, struct error *err)
{
	int pipe_fd = -1;

	if (l->req->foreground || l->req->once)
		return run_server(l, -1, err);
	int who = background_start(&pipe_fd, err);

	if (who < 1) {
		/* the sockets are the other process's now: only their descriptors go */
		for (size_t i = 0; i < l->now->n; i++)
			l->now->pool[i].socket.own = false;
		return who;
	}
	int rc = run_server(l, pipe_fd, err);

	if (rc < 0)
		say(pipe_fd, err);
	return rc;
}

int listener_run(const struct listener_request *req, struct error *err)
{
	struct listener l = { .req = req, .signals = -1 };

	if (has_client(req))
		return serve_stdin(req, err);
	l.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l.wake < 0)
		return error_errno(err, FAULT_SYSTEM, "cannot make a descriptor for workers");
	int rc = open_generation(req->section, req->n, NULL, l.wake, &l.now, err);

	if (rc == 0)
		rc = go_on(&l, err);
	for (struct generation *g = l.now, *before; g; g = before) {
		before = g->before;
		generation_free(g);
	}
	close(l.wake);
	return rc;
}

/* --- a client that has started us ------------------------------------------- */

int listener_serve_stdio(const struct server_options *opt, struct error *err)
{
	struct arena *arena = arena_new();
	struct server_options complete = completed(opt, arena);
	struct smtpd session;

	complete.set.strict = STRICT_OFF;
	complete.set.helo_required = false;
	smtpd_init_take(&session, &complete,
			wire_new_take(stdio_stream_new(STDIN_FILENO, STDOUT_FILENO)),
			opt->delivery, "local");
	session.local = session.stdio = session.lf_only = true;
	session.uid = (long)getuid();
	session.pid = (long)getppid();
	int rc = smtpd_run(&session, err);

	smtpd_release(&session);
	arena_free(arena);
	return rc;
}

/* --- the client of a session as its server ------------------------------------------ */

enum {
	REVERSED_IDLE = 600,	/* RFC 2645, section 5: at least ten minutes */
	REVERSED_MESSAGE = 3600
};

int atrn_run(const struct server_options *opt, struct wire *wire, bool tls, const char *peer,
	     unsigned *messages_out, struct error *err)
{
	struct arena *arena = arena_new();
	struct server_options complete = completed(opt, arena);
	struct smtpd session;

	complete.set.strict = STRICT_ON;
	complete.set.helo_required = true;
	complete.set.idle_timeout = REVERSED_IDLE;
	complete.set.message_timeout = REVERSED_MESSAGE;
	complete.set.session_timeout = 0;	/* we have called */
	smtpd_init_take(&session, &complete, wire, opt->delivery, peer);
	session.tls = tls;
	int rc = smtpd_run(&session, err);

	*messages_out = session.messages;
	session.wire = NULL;		/* the caller's */
	smtpd_release(&session);
	arena_free(arena);
	return rc;
}
