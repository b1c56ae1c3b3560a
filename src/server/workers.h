/*
 * The workers of one socket: processes that serve one client after the other.
 *
 * Each waits on the socket itself, so that what it has opened (TLS library,
 * connections to the next server) lives from client to client. One more than
 * there are clients is there, as far as the limit allows: the next client
 * waits for nobody to be started. Those that are not needed end after a
 * minute, each after many sessions. A worker may gain no privileges by exec.
 * No user but root has more than four fifths of the places by a local socket:
 * there is room for the others, whatever he does.
 * What happens to one is of no matter to the others.
 */
#ifndef SERVER_WORKERS_H
#define SERVER_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "server/sockets.h"
#include "util/attr.h"

struct error;
struct server_options;
struct worker_slot;

struct worker_pool {
	const struct server_options *opt;	/* borrowed */
	struct listen_socket socket;
	unsigned max;
	struct worker_slot *slot;	/* of each worker; shared with them */
	pid_t *pid;			/* 0 = free */
	unsigned workers;
	int wake;			/* a worker says that it has got a client */
};

/* Takes the socket. wake is an eventfd. EX_OSERR without memory to share. */
ATTR_CHECK int worker_pool_open_take(struct worker_pool *p, const struct server_options *opt,
				     struct listen_socket *s, int wake, struct error *err);

/* Gives all back but the workers, which were told to end before; closes the socket. */
void worker_pool_close(struct worker_pool *p);

/*
 * Starts workers until one has no client, or there are as many as there may
 * be. others (n of them, p may be among them) are closed in a new worker.
 */
void worker_pool_fill(struct worker_pool *p, struct worker_pool *others, size_t n);

/* Has each worker a client, and may there be no more? */
bool worker_pool_full(const struct worker_pool *p);

/* Answers those with 421 who wait for a worker that there is not. */
void worker_pool_refuse(struct worker_pool *p);

/* A process has ended: true when it was a worker of this pool. */
bool worker_pool_reap(struct worker_pool *p, pid_t pid);

/* SIGTERM: end soon; SIGUSR1: end when there is no client; SIGKILL. */
void worker_pool_signal(const struct worker_pool *p, int number);

/* Serves the client on fd, in this process, and closes it. stop_fd as in struct smtpd. */
ATTR_CHECK int worker_serve(const struct server_options *opt, int fd, int stop_fd,
			    struct error *err);

/* A descriptor that is readable when one of the signals has come; they are blocked. */
ATTR_CHECK int worker_signal_fd(const int *numbers, size_t n, int *out, struct error *err);

#endif
