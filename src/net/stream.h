/*
 * A stream of octets to a peer, stackable: socket, TLS, pipe, memory.
 *
 * Operations never wait: they move what can be moved now, or say
 * STREAM_AGAIN. All waiting is stream_wait(), which ends in poll() at the
 * lowest stream. A stream owns the one below; none knows what that is.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/attr.h"

struct deadline;
struct error;
struct stream;

#define STREAM_AGAIN ((ssize_t)-2)	/* nothing can be moved now: stream_wait() */

enum { STREAM_IN = 1, STREAM_OUT = 2 };

struct stream_ops {
	const char *name;
	/* Octets moved; 0 = end (read only); STREAM_AGAIN; -1 and err. */
	ssize_t (*read)(struct stream *, void *, size_t, struct error *);
	ssize_t (*write)(struct stream *, const void *, size_t, struct error *);
	/* Waits until one of events (STREAM_IN, STREAM_OUT) is possible: the ready ones, or -1. */
	int (*wait)(struct stream *, int events, const struct deadline *, struct error *);
	/* Polite end of what we send (close_notify, shutdown); never waits. */
	void (*close)(struct stream *);
	/* Frees this stream and the lower ones. */
	void (*free)(struct stream *);
};

/* First member of each kind of stream. */
struct stream {
	const struct stream_ops *ops;
	struct stream *lower;
};

ATTR_CHECK ssize_t stream_read(struct stream *s, void *buf, size_t n, struct error *err);
ATTR_CHECK ssize_t stream_write(struct stream *s, const void *buf, size_t n, struct error *err);
ATTR_CHECK int stream_wait(struct stream *s, int events, const struct deadline *d,
			   struct error *err);
void stream_close(struct stream *s);
void stream_free(struct stream *s);	/* accepts NULL */

/* Exactly n octets, not one more: for proxy dialogues. EX_TEMPFAIL at an early end. */
ATTR_CHECK int stream_read_exact(struct stream *s, void *buf, size_t n, const struct deadline *d,
				 struct error *err);

/* All n octets. */
ATTR_CHECK int stream_write_all(struct stream *s, const void *buf, size_t n,
				const struct deadline *d, struct error *err);

/*
 * A stream that sends no more than so many octets a second: a token bucket
 * right above the socket, below TLS. What is received is not held back.
 */

/* Takes lower; per_second > 0. A quarter of a second's worth may go at once. */
struct stream *rate_new_take(struct stream *lower, uint64_t per_second);

#endif
