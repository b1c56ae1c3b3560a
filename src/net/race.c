#include "config.h"
#include "net/race.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/resolve.h"
#include "net/sockopt.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

struct runner {
	bool started;
	struct deadline limit;
	int error;		/* errno, once it has failed */
	const char *stage;	/* what failed, before connect() */
};

struct field {
	const struct race *race;
	const struct deadline *whole;
	struct runner *runner;
	struct pollfd *p;	/* -1 where nobody runs */
	size_t next, running;
	int64_t next_at;	/* when the next one may start beside those that run */
};

static void fail(struct field *f, size_t i, int error)
{
	f->runner[i].error = error;
	if (f->p[i].fd >= 0) {
		close(f->p[i].fd);
		f->p[i].fd = -1;
		f->running--;
	}
}

/* Begins a connection: true when it stands at once. */
static bool start(struct field *f, size_t i)
{
	const struct address *to = &f->race->list->v[i];
	struct runner *r = &f->runner[i];
	int fd = socket(to->to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	r->started = true;
	r->limit = deadline_first(deadline_in(f->race->timeout, "the connection"), *f->whole);
	if (fd < 0) {
		r->stage = "cannot make a socket: ";
		r->error = errno;
		return false;
	}
	f->p[i].fd = fd;
	f->running++;
	if (sockopt_prepare(fd, to->to.any.sa_family, f->race->options, &r->stage) < 0) {
		fail(f, i, errno);
		return false;
	}
	if (connect(fd, &to->to.any, to->len) == 0)
		return true;
	if (errno != EINPROGRESS && errno != EINTR)
		fail(f, i, errno);
	return false;
}

/* Is the connection of i there? A failed one is marked so. */
static bool finished(struct field *f, size_t i)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(f->p[i].fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error)
		fail(f, i, error);
	return error == 0;
}

/* Until something can happen, in milliseconds for poll(). */
static int patience(const struct field *f)
{
	int64_t left = INT_MAX;

	if (f->next < f->race->list->n && f->race->delay_ms)
		left = f->next_at - clock_ms();
	for (size_t i = 0; i < f->next; i++) {
		int ms = f->p[i].fd >= 0 ? deadline_poll_ms(&f->runner[i].limit) : -1;

		if (ms >= 0 && ms < left)
			left = ms;
	}
	return left == INT_MAX ? -1 : left < 0 ? 0 : (int)left;
}

/* One wait: the place of the winner, or -1. */
static int wait_for_one(struct field *f)
{
	int ready = poll(f->p, (nfds_t)f->next, patience(f));
	int winner = -1;

	for (size_t i = 0; i < f->next; i++) {
		if (f->p[i].fd < 0)
			continue;
		if (ready > 0 && f->p[i].revents) {
			if (finished(f, i) && winner < 0)
				winner = (int)i;
		} else if (deadline_passed(&f->runner[i].limit)) {
			fail(f, i, ETIMEDOUT);
		}
	}
	return winner;
}

static int run(struct field *f)
{
	for (;;) {
		bool more = f->next < f->race->list->n && !deadline_passed(f->whole);
		bool now = f->race->delay_ms && clock_ms() >= f->next_at;

		if (more && (f->running == 0 || now)) {
			size_t i = f->next++;

			f->next_at = clock_ms() + f->race->delay_ms;
			if (start(f, i))
				return (int)i;
			continue;
		}
		if (f->running == 0)
			return -1;
		int winner = wait_for_one(f);

		if (winner >= 0)
			return winner;
	}
}

static void note(struct error *kinds, enum fault fault)
{
	if (kinds->fault == FAULT_NONE)
		error_turn(kinds, fault);
	else
		error_also(kinds, fault);
}

static void tell(const struct field *f, struct strbuf *reasons, struct error *kinds)
{
	const struct address_list *list = f->race->list;

	for (size_t i = 0; i < f->next; i++) {
		const struct runner *r = &f->runner[i];
		char name[ADDRESS_TEXT];

		note(kinds, socket_fault(r->error));
		address_text(&list->v[i].to.any, name, sizeof(name));
		strbuf_addf(reasons, "%s%s: %s", i ? "; " : "", name, r->stage ? r->stage : "");
		if (r->error == ETIMEDOUT && deadline_passed(&r->limit))
			strbuf_addf(reasons, "no answer within %u s", r->limit.seconds);
		else
			strbuf_addstr(reasons, strerror(r->error));
	}
	if (deadline_passed(f->whole))
		strbuf_addstr(reasons, "; no time is left to try more");
}

int race_run(const struct race *r, const struct deadline *whole, size_t *winner_out,
	     struct strbuf *reasons, struct error *kinds)
{
	struct field f = { .race = r, .whole = whole };
	int fd = -1;

	f.runner = xcalloc(r->list->n, sizeof(*f.runner));
	f.p = xcalloc(r->list->n, sizeof(*f.p));
	for (size_t i = 0; i < r->list->n; i++)
		f.p[i] = (struct pollfd){ .fd = -1, .events = POLLOUT };
	/* a limit that has passed already still allows one try, as poll() does */
	int winner = deadline_passed(whole) && r->list->n && start(&f, f.next++) ? 0 : run(&f);

	if (winner >= 0) {
		*winner_out = (size_t)winner;
		fd = f.p[winner].fd;
		f.p[winner].fd = -1;
	} else {
		*kinds = (struct error){ .fault = FAULT_NONE };
		tell(&f, reasons, kinds);
	}
	for (size_t i = 0; i < r->list->n; i++) {
		if (f.p[i].fd >= 0)
			close(f.p[i].fd);
	}
	xfree(f.runner);
	xfree(f.p);
	return fd;
}
