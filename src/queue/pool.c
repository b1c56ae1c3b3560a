#include "config.h"
#include "queue/pool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue/entry.h"
#include "queue/queue.h"
#include "queue/queue_private.h"
#include "queue/run_private.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/interrupt.h"
#include "util/xalloc.h"

#define PENDING_MAX 1024	/* ids that wait for a worker */
#define WORKERS_MAX 100
#define DEPTH 3			/* ids that a worker has ahead */

/* What a worker tells, an octet each. */
enum {
	WORD_TAKEN = 'T',	/* an id */
	WORD_DONE = 'D',	/* an entry was tried */
	WORD_PAUSED = 'P',	/* ... and its account can wait */
	WORD_WAITING = 'W'	/* it has nothing in hand */
};

typedef char id_text[ENTRY_ID_LEN + 1];

/* The entries of one account. */
struct group {
	struct group *next;
	char *key;
	unsigned mark;			/* that entries of it have; 0 = not known */
	struct run_limits limits;
	unsigned workers;
	enum { GROUP_PROBE, GROUP_OPEN, GROUP_PAUSED } state;
	id_text *id;			/* a ring */
	size_t at, n, alloc;
};

struct worker {
	int fd;
	pid_t pid;
	struct group *group;		/* that it works for; NULL = it is free */
	unsigned ahead;			/* ids that were sent and not taken */
	bool idle;
};

struct pool {
	struct queue *queue;
	const struct run_request *req;
	const struct run_observer *watch;
	struct run *run;		/* for looking at entries, and for want of a worker */
	struct group *groups;
	struct worker worker[WORKERS_MAX];
	unsigned workers;
	size_t pending;
	bool stopped;			/* a signal */
};

/* --- in a worker ------------------------------------------------------------------------ */

struct work {
	struct run *run;
	int fd;
};

static void tell_parent(int fd, char word)
{
	(void)!send(fd, &word, 1, MSG_NOSIGNAL);
}

/* Waits for an id, and closes a connection that nobody uses meanwhile. */
static bool wait_for_id(const struct work *w)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };

	while (!interrupt_noted()) {
		const int n = poll(&p, 1, run_idle_ms(w->run));

		if (n > 0)
			return true;
		if (n == 0)
			run_close_line(w->run);
	}
	return false;
}

static bool next_of_parent(void *ctx, bool wait, char *id)
{
	const struct work *w = ctx;
	ssize_t n = recv(w->fd, id, sizeof(id_text), MSG_DONTWAIT);

	if (n < 0 && wait && errno == EAGAIN) {
		run_sync(w->run);
		tell_parent(w->fd, WORD_WAITING);
		if (wait_for_id(w))
			n = recv(w->fd, id, sizeof(id_text), 0);
	}
	if (n != (ssize_t)sizeof(id_text))
		return false;
	tell_parent(w->fd, WORD_TAKEN);
	return true;
}

static void tell_done(void *ctx, bool paused)
{
	const struct work *w = ctx;

	tell_parent(w->fd, paused ? WORD_PAUSED : WORD_DONE);
}

_Noreturn static void work(const struct pool *p, int fd)
{
	struct work w = { .fd = fd };
	const struct run_source source = { next_of_parent, tell_done, &w };

	for (unsigned i = 0; i < p->workers; i++)
		close(p->worker[i].fd);
	w.run = run_new(p->queue, p->req, p->watch);
	run_all(w.run, &source);
	run_free(w.run);
	fflush(NULL);
	_exit(0);
}

/* --- the workers --------------------------------------------------------------------------- */

static struct worker *start_worker(struct pool *p)
{
	int fd[2];

	if (p->workers == WORKERS_MAX || p->stopped ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		return NULL;
	fflush(NULL);
	const pid_t pid = fork();

	if (pid == 0) {
		close(fd[0]);
		work(p, fd[1]);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return NULL;
	}
	struct worker *w = &p->worker[p->workers++];

	*w = (struct worker){ .fd = fd[0], .pid = pid, .idle = true };
	return w;
}

static void leave_group(struct worker *w)
{
	if (w->group)
		w->group->workers--;
	w->group = NULL;
}

static void end_worker(struct pool *p, struct worker *w)
{
	leave_group(w);
	close(w->fd);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*w = p->worker[--p->workers];
}

static struct worker *free_worker(struct pool *p)
{
	for (unsigned i = 0; i < p->workers; i++) {
		if (!p->worker[i].group)
			return &p->worker[i];
	}
	return NULL;
}

/* --- the entries ------------------------------------------------------------------------------ */

static struct group *find_group(struct pool *p, const char *id)
{
	struct arena *a = arena_new();
	struct run_limits limits = { .connections = 0 };
	const char *key = run_key(p->run, id, a, NULL);
	struct group *g = p->groups;

	while (key && g && strcmp(g->key, key) != 0)
		g = g->next;
	if (key && !g) {
		key = run_key(p->run, id, a, &limits);
		g = xcalloc(1, sizeof(*g));
		g->next = p->groups;
		g->key = xstrdup(key ? key : "");
		g->limits = limits;
		g->state = run_is_waiting(p->run, g->key, a) ? GROUP_PAUSED : GROUP_PROBE;
		p->groups = g;
	}
	arena_free(a);
	return key ? g : NULL;
}

static void put_id(struct pool *p, struct group *g, const char *id)
{
	if (g->at + g->n == g->alloc && g->at) {
		memmove(g->id, g->id + g->at, g->n * sizeof(*g->id));
		g->at = 0;
	}
	if (g->n == g->alloc) {
		g->alloc = g->alloc ? 2 * g->alloc : 16;
		g->id = xrealloc(g->id, g->alloc, sizeof(*g->id));
	}
	memcpy(g->id[g->at + g->n++], id, sizeof(id_text));
	p->pending++;
}

static const char *take_id(struct pool *p, struct group *g)
{
	p->pending--;
	g->n--;
	return g->id[g->at++];
}

static void drop_ids(struct pool *p, struct group *g)
{
	p->pending -= g->n;
	g->n = g->at = 0;
}

/* Groups that nothing is known of but that they are empty. */
static void drop_groups(struct pool *p)
{
	for (struct group **at = &p->groups; *at;) {
		struct group *g = *at;

		if (g->n || g->workers || (g->state == GROUP_PAUSED && !p->stopped)) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		xfree(g->id);
		xfree(g->key);
		xfree(g);
	}
}

/* --- handing out --------------------------------------------------------------- */

static void feed(struct pool *p, struct worker *w)
{
	struct group *g = w->group;
	const unsigned depth = g->state == GROUP_PROBE ? 1 : DEPTH;

	while (g->n && w->ahead < depth && (g->state != GROUP_PROBE || w->idle)) {
		if (send(w->fd, take_id(p, g), sizeof(id_text), MSG_NOSIGNAL) < 0)
			return;
		w->ahead++;
		w->idle = false;
	}
}

/* For want of a worker: all of the group, by this process. */
struct own_work {
	struct pool *pool;
	struct group *group;
};

static bool next_of_group(void *ctx, bool wait, char *id)
{
	const struct own_work *w = ctx;

	(void)wait;
	if (!w->group->n)
		return false;
	memcpy(id, take_id(w->pool, w->group), sizeof(id_text));
	return true;
}

static void work_here(struct pool *p, struct group *g)
{
	struct own_work w = { p, g };
	const struct run_source source = { next_of_group, NULL, &w };

	run_all(p->run, &source);
}

static void serve_group(struct pool *p, struct group *g)
{
	const unsigned max = g->state == GROUP_PROBE ? 1 : g->limits.connections;

	if (g->state == GROUP_PAUSED)
		drop_ids(p, g);
	for (unsigned i = 0; i < p->workers; i++) {
		if (p->worker[i].group == g)
			feed(p, &p->worker[i]);
	}
	while (g->n && g->workers < max) {
		struct worker *w = free_worker(p);

		w = w ? w : start_worker(p);
		if (!w && !p->workers)
			work_here(p, g);
		if (!w)
			return;
		w->group = g;
		g->workers++;
		feed(p, w);
	}
}

static void hear(struct pool *p, struct worker *w)
{
	struct group *g = w->group;
	char word;
	const ssize_t n = recv(w->fd, &word, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/* what it had is in the queue still, for the next run */
		end_worker(p, w);
	} else if (word == WORD_TAKEN) {
		w->ahead--;
	} else if (word == WORD_WAITING && !w->ahead) {
		w->idle = true;
		if (g && (!g->n || g->state == GROUP_PAUSED))
			leave_group(w);
	} else if (word == WORD_DONE && g && g->state == GROUP_PROBE) {
		g->state = GROUP_OPEN;
	} else if (word == WORD_PAUSED && g) {
		g->state = GROUP_PAUSED;
	}
}

/*
 * Waits for a word of a worker, and takes all that are there. True when fd
 * (-1 = none) can be read.
 */
static bool pump_or_read(struct pool *p, int fd, int milliseconds)
{
	struct pollfd fds[WORKERS_MAX + 1];

	for (struct group *g = p->groups; g; g = g->next)
		serve_group(p, g);
	const unsigned n = p->workers;

	for (unsigned i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = p->worker[i].fd, .events = POLLIN };
	fds[n] = (struct pollfd){ .fd = fd, .events = POLLIN };
	if ((!n && fd < 0) || poll(fds, n + 1, milliseconds) <= 0)
		return false;
	/* from behind: one that ends is replaced by the last */
	for (unsigned i = n; i-- > 0;) {
		if (fds[i].revents)
			hear(p, &p->worker[i]);
	}
	return fds[n].revents;
}

static void pump(struct pool *p, int milliseconds)
{
	(void)pump_or_read(p, -1, milliseconds);
}

static void pass_signal_on(struct pool *p)
{
	if (p->stopped || !interrupt_noted())
		return;
	p->stopped = true;
	for (unsigned i = 0; i < p->workers; i++)
		(void)kill(p->worker[i].pid, interrupt_noted());
	for (struct group *g = p->groups; g; g = g->next)
		drop_ids(p, g);
}

static bool is_busy(const struct pool *p)
{
	for (unsigned i = 0; i < p->workers; i++) {
		if (!p->worker[i].idle || p->worker[i].ahead)
			return true;
	}
	return p->pending > 0;
}

struct pool *pool_new(struct queue *q, const struct run_request *req,
		      const struct run_observer *watch)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->queue = q;
	p->req = req;
	p->watch = watch;
	p->run = run_new(q, req, watch);
	return p;
}

/* The account that waits and has that mark; NULL = none. */
static struct group *find_marked(const struct pool *p, unsigned mark)
{
	struct group *g = p->groups;

	while (mark && g && (g->mark != mark || g->state != GROUP_PAUSED))
		g = g->next;
	return mark ? g : NULL;
}

static bool next_alone(void *ctx, bool wait, char *id)
{
	const char **alone = ctx;

	(void)wait;
	if (!*alone)
		return false;
	memcpy(id, *alone, sizeof(id_text));
	*alone = NULL;
	return true;
}

/* Of an account that waits: only what is so old that it may have to be given up is looked at. */
static void give_up_if_old(struct pool *p, const struct group *g, const char *id)
{
	const struct run_source source = { next_alone, NULL, &id };

	if (datetime_now() - queue_id_ms(id) >= g->limits.lifetime_ms)
		run_all(p->run, &source);
}

void pool_add(struct pool *p, const struct queue_item *item)
{
	struct group *g = find_marked(p, item->mark);

	g = g ? g : find_group(p, item->id);
	if (!g)
		return;
	if (item->mark)
		g->mark = item->mark;
	if (g->state == GROUP_PAUSED) {
		give_up_if_old(p, g, item->id);
		return;
	}
	put_id(p, g, item->id);
	pump(p, 0);
	while (p->pending >= PENDING_MAX && !p->stopped) {
		pump(p, -1);
		pass_signal_on(p);
	}
}

bool pool_wait(struct pool *p, int fd, int quiet_ms, const struct deadline *until)
{
	int64_t busy_ms = clock_ms();

	while (!p->stopped && !deadline_passed(until)) {
		if (is_busy(p))
			busy_ms = clock_ms();
		const int64_t quiet = busy_ms + quiet_ms - clock_ms();
		const int left = deadline_poll_ms(until);

		if (quiet <= 0)
			return false;
		if (pump_or_read(p, fd, left < 0 || quiet < left ? (int)quiet : left))
			return true;
		drop_groups(p);
		pass_signal_on(p);
	}
	return false;
}

void pool_finish(struct pool *p)
{
	pass_signal_on(p);
	while (is_busy(p) && !p->stopped) {
		pump(p, -1);
		drop_groups(p);
		pass_signal_on(p);
	}
	for (unsigned i = 0; i < p->workers; i++)
		(void)shutdown(p->worker[i].fd, SHUT_WR);
	while (p->workers)
		end_worker(p, &p->worker[0]);
	p->stopped = true;
	drop_groups(p);
	run_free(p->run);
	xfree(p);
}
