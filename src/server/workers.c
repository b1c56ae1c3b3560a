#include "config.h"
#include "server/workers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/resolve.h"
#include "net/socket.h"
#include "net/wire.h"
#include "server/caller.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "server/smtpd.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/sandbox.h"
#include "util/xalloc.h"

enum {
	CLIENTS_DEFAULT = 50,
	SPARE_MAX = 4,			/* workers without a client that may stay */
	SPARE_MS = 60000,
	SESSIONS_MAX = 10000,		/* of one worker */
	ACCEPT_PAUSE_MS = 100,		/* no descriptors or memory: others may give some back */
	OTHERS_SHARE = 5		/* of so many places one is for other users */
};

enum slot_state { SLOT_FREE, SLOT_IDLE, SLOT_BUSY };

struct worker_slot {
	atomic_int state;		/* enum slot_state */
	_Atomic uint64_t user;		/* uid + 1 of the client; 0 = not known */
};

static const char full_text[] = "421 4.3.2 too many connections, try again later\r\n";

static unsigned count_slots(const struct worker_pool *p, enum slot_state state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->max; i++)
		n += atomic_load(&p->slot[i].state) == (int)state;
	return n;
}

int worker_signal_fd(const int *numbers, size_t n, int *out, struct error *err)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < n; i++)
		(void)sigaddset(&set, numbers[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	*out = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (*out < 0)
		return error_errno(err, FAULT_SYSTEM, "cannot make a descriptor for signals");
	return 0;
}

/* --- one client ---------------------------------------------------------------------- */

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

/* Who is at the other end of a Unix socket: the kernel knows. */
static void identify(struct smtpd *s, int fd, struct arena *arena, struct caller *caller)
{
	if (!caller_read(fd, s->options->set.allow_groups != NULL, arena, caller))
		return;
	s->local = true;
	s->caller = caller;
	s->uid = (long)caller->uid;
	s->pid = caller->pid > 0 ? (long)caller->pid : -1;
	s->program = caller->program;
}

int worker_serve(const struct server_options *opt, int fd, int stop_fd, struct error *err)
{
	struct stream *stream = socket_stream_take(fd);
	struct arena *arena = arena_new();
	struct caller caller;
	struct smtpd session;
	char peer[ADDRESS_TEXT];

	socket_peer_name(stream, peer, sizeof(peer));
	smtpd_init_take(&session, opt, wire_new_take(stream), opt->delivery, peer);
	session.stop_fd = stop_fd;
	if (strcmp(peer, "local") == 0)
		identify(&session, fd, arena, &caller);
	else
		session.network = true;
	int rc = smtpd_run(&session, err);

	if (rc < 0)
		smtpd_log(&session, "result=broken reason='%s'", err->text);
	else
		smtpd_log(&session, "result=ended messages=%u", session.messages);
	drain(fd);
	smtpd_release(&session);
	arena_free(arena);
	return rc;
}

/* --- a worker ------------------------------------------------------------------------ */

struct worker {
	struct worker_pool *pool;
	struct worker_slot *slot;
	int stop_fd, retire_fd;
	int wait_fd;			/* an epoll of these and the listening socket */
};

/* Of the workers that wait, a client wakes one and not all. */
static int open_wait(struct worker *w, struct error *err)
{
	const int fds[] = { w->pool->socket.fd, w->stop_fd, w->retire_fd };
	int rc = 0;

	w->wait_fd = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; w->wait_fd >= 0 && i < ARRAY_LEN(fds); i++) {
		struct epoll_event e = { .events = i ? EPOLLIN : EPOLLIN | EPOLLEXCLUSIVE,
					 .data.fd = fds[i] };

		rc |= epoll_ctl(w->wait_fd, EPOLL_CTL_ADD, fds[i], &e);
	}
	if (w->wait_fd < 0 || rc < 0)
		return error_errno(err, FAULT_SYSTEM, "cannot wait for clients");
	return 0;
}

/* Waits so long at most for a client: true; *told_out: it is to end. */
static bool wait_for_client(const struct worker *w, int ms, bool *told_out)
{
	struct epoll_event e[3];
	const int n = epoll_wait(w->wait_fd, e, ARRAY_LEN(e), ms);
	bool client = false;

	*told_out = false;
	for (int i = 0; i < n; i++) {
		client |= e[i].data.fd == w->pool->socket.fd;
		*told_out |= e[i].data.fd != w->pool->socket.fd;
	}
	return client;
}

/* A client, or -1 when there is reason to end. */
static int next_client(const struct worker *w)
{
	bool told;

	for (;;) {
		const int idle = delivery_idle(w->pool->opt->delivery, false);
		const bool client = wait_for_client(w, idle >= 0 && idle < SPARE_MS ? idle :
						    SPARE_MS, &told);

		if (told)
			return -1;
		if (!client && idle < 0 && count_slots(w->pool, SLOT_IDLE) > SPARE_MAX)
			return -1;
		if (!client)
			continue;
		int fd = accept4(w->pool->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			(void)poll(NULL, 0, ACCEPT_PAUSE_MS);
	}
}

/* The parent has to know when none waits any more: then it makes another one, or refuses. */
static void tell_state(const struct worker *w, enum slot_state state)
{
	const uint64_t one = 1;

	atomic_store(&w->slot->state, (int)state);
	if (state == SLOT_BUSY && count_slots(w->pool, SLOT_IDLE) == 0)
		(void)!write(w->pool->wake, &one, sizeof(one));
}

/* Has the user at the other end of a local socket more of the places than are for one? */
static bool has_too_many(const struct worker *w, int fd)
{
	const struct worker_pool *p = w->pool;
	uid_t uid = 0;
	unsigned n = 0;

	atomic_store(&w->slot->user, caller_user(fd, &uid) ? (uint64_t)uid + 1 : 0);
	for (unsigned i = 0; uid != 0 && i < p->max; i++)
		n += atomic_load(&p->slot[i].user) == (uint64_t)uid + 1 &&
			atomic_load(&p->slot[i].state) == SLOT_BUSY;
	return n > p->max - p->max / OTHERS_SHARE;
}

/* Closes the connection with a word. */
static void turn_away(const struct worker_pool *p, int fd, const char *why)
{
	(void)!send(fd, full_text, sizeof(full_text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
	close(fd);
	if (p->opt->log)
		p->opt->log(p->opt->log_ctx, why);
}

/* Never returns. What the parent waits for stays blocked: ^C of the terminal is its to handle. */
static void be_worker(struct worker_pool *pool, struct worker_slot *slot)
{
	static const int stop = SIGTERM, retire = SIGUSR1;
	struct worker w = { .pool = pool, .slot = slot };
	struct error err;
	int fd;

	if (worker_signal_fd(&stop, 1, &w.stop_fd, &err) < 0 ||
	    worker_signal_fd(&retire, 1, &w.retire_fd, &err) < 0 || open_wait(&w, &err) < 0)
		_exit(EX_OSERR);
	sandbox_connected();
	for (unsigned n = 0; n < SESSIONS_MAX && (fd = next_client(&w)) >= 0; n++) {
		tell_state(&w, SLOT_BUSY);
		if (has_too_many(&w, fd))
			turn_away(pool, fd, "result=refused reason='too many connections of one "
				  "user'");
		else
			(void)!worker_serve(pool->opt, fd, w.stop_fd, &err);
		tell_state(&w, SLOT_IDLE);
	}
	(void)delivery_idle(pool->opt->delivery, true);
	_exit(0);
}

/* --- the pool ------------------------------------------------------------------------ */

int worker_pool_open_take(struct worker_pool *p, const struct server_options *opt,
			  struct listen_socket *s, int wake, struct error *err)
{
	*p = (struct worker_pool){ .opt = opt, .socket = *s, .wake = wake,
				   .max = opt->set.max_clients ? opt->set.max_clients :
					  CLIENTS_DEFAULT };
	s->fd = -1;
	p->slot = mmap(NULL, p->max * sizeof(*p->slot), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->slot == MAP_FAILED) {
		error_errno(err, FAULT_SYSTEM, "cannot share memory with workers");
		p->slot = NULL;
		listen_socket_close(&p->socket);
		return -1;
	}
	p->pid = xcalloc(p->max, sizeof(*p->pid));
	return 0;
}

void worker_pool_close(struct worker_pool *p)
{
	listen_socket_close(&p->socket);
	if (p->slot)
		(void)munmap(p->slot, p->max * sizeof(*p->slot));
	xfree(p->pid);
	p->slot = NULL;
	p->pid = NULL;
}

static void close_others(const struct worker_pool *p, struct worker_pool *others, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (others[i].socket.fd >= 0 && others[i].socket.fd != p->socket.fd)
			close(others[i].socket.fd);
}

/* false when no process can be had: then the clients wait. */
static bool start_worker(struct worker_pool *p, struct worker_pool *others, size_t n)
{
	unsigned i = 0;

	while (p->pid[i])
		i++;
	atomic_store(&p->slot[i].state, SLOT_IDLE);
	pid_t pid = fork();

	if (pid == 0) {
		close_others(p, others, n);
		be_worker(p, &p->slot[i]);
	}
	if (pid < 0) {
		atomic_store(&p->slot[i].state, SLOT_FREE);
		return false;
	}
	p->pid[i] = pid;
	p->workers++;
	return true;
}

void worker_pool_fill(struct worker_pool *p, struct worker_pool *others, size_t n)
{
	while (p->workers < p->max && count_slots(p, SLOT_IDLE) == 0)
		if (!start_worker(p, others, n))
			return;
}

bool worker_pool_full(const struct worker_pool *p)
{
	return p->workers >= p->max && count_slots(p, SLOT_IDLE) == 0;
}

void worker_pool_refuse(struct worker_pool *p)
{
	while (worker_pool_full(p)) {
		int fd = accept4(p->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		turn_away(p, fd, "result=refused reason='too many connections'");
	}
}

bool worker_pool_reap(struct worker_pool *p, pid_t pid)
{
	for (unsigned i = 0; i < p->max; i++) {
		if (p->pid[i] != pid)
			continue;
		p->pid[i] = 0;
		p->workers--;
		atomic_store(&p->slot[i].state, SLOT_FREE);
		return true;
	}
	return false;
}

void worker_pool_signal(const struct worker_pool *p, int number)
{
	for (unsigned i = 0; i < p->max; i++)
		if (p->pid[i])
			(void)kill(p->pid[i], number);
}
