#include "config.h"
#include "net/stream.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/clock.h"
#include "util/error.h"
#include "util/xalloc.h"

ssize_t stream_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	return s->ops->read(s, buf, n, err);
}

ssize_t stream_write(struct stream *s, const void *buf, size_t n, struct error *err)
{
	return s->ops->write(s, buf, n, err);
}

int stream_wait(struct stream *s, int events, const struct deadline *d, struct error *err)
{
	return s->ops->wait(s, events, d, err);
}

void stream_close(struct stream *s)
{
	s->ops->close(s);
}

void stream_free(struct stream *s)
{
	if (s)
		s->ops->free(s);
}

/* Moves all n octets, in or out. */
static int move_all(struct stream *s, int event, char *p, size_t n, const struct deadline *d,
		    struct error *err)
{
	while (n) {
		ssize_t done = event == STREAM_IN ? stream_read(s, p, n, err) :
						    stream_write(s, p, n, err);

		if (done == 0 && event == STREAM_IN)
			return error_set(err, FAULT_CONNECTION_LOST,
					 "connection closed by the peer, while waiting for %s",
					 d->what);
		if (done == STREAM_AGAIN) {
			if (stream_wait(s, event, d, err) < 0)
				return -1;
			continue;
		}
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int stream_read_exact(struct stream *s, void *buf, size_t n, const struct deadline *d,
		      struct error *err)
{
	return move_all(s, STREAM_IN, buf, n, d, err);
}

int stream_write_all(struct stream *s, const void *buf, size_t n, const struct deadline *d,
		     struct error *err)
{
	return move_all(s, STREAM_OUT, (char *)(uintptr_t)buf, n, d, err);
}

/* --- a limit of octets a second ----------------------------------------------------- */

enum { BURST_PART = 4, BURST_MIN = 512, SECOND_MS = 1000 };

struct rate {
	struct stream stream;
	uint64_t per_second, burst;
	uint64_t tokens;		/* thousandths of octets that may go now */
	uint64_t wanted;		/* octets that the next write waits for */
	int64_t filled;			/* when tokens was counted, in milliseconds */
};

static void fill_bucket(struct rate *r)
{
	const int64_t now = clock_ms();
	const uint64_t passed = (uint64_t)(now - r->filled), most = r->burst * SECOND_MS;

	r->filled = now;
	if (passed >= most / r->per_second + 1 || r->tokens + passed * r->per_second > most)
		r->tokens = most;
	else
		r->tokens += passed * r->per_second;
}

/* Are there enough for the next write? */
static bool enough(const struct rate *r)
{
	return r->tokens >= r->wanted * SECOND_MS;
}

static ssize_t rate_read(struct stream *s, void *buf, size_t n, struct error *err)
{
	return stream_read(s->lower, buf, n, err);
}

static ssize_t rate_write(struct stream *s, const void *buf, size_t n, struct error *err)
{
	struct rate *r = (struct rate *)s;

	fill_bucket(r);
	/* no single octets, where half a burst would go a moment later */
	r->wanted = n < r->burst / 2 ? n : r->burst / 2;
	if (!enough(r))
		return STREAM_AGAIN;
	if (n > r->tokens / SECOND_MS)
		n = (size_t)(r->tokens / SECOND_MS);
	ssize_t done = stream_write(s->lower, buf, n, err);

	if (done > 0)
		r->tokens -= (uint64_t)done * SECOND_MS;
	r->wanted = 0;
	return done;
}

/* When there will be enough to send. */
static struct deadline next_tokens(const struct rate *r)
{
	uint64_t ms = (r->wanted * SECOND_MS - r->tokens) / r->per_second + 1;

	return (struct deadline){ .at = r->filled + (int64_t)ms, .what = "the rate" };
}

static int rate_wait(struct stream *s, int events, const struct deadline *d, struct error *err)
{
	struct rate *r = (struct rate *)s;
	struct error late;

	fill_bucket(r);
	while (events & STREAM_OUT && !enough(r)) {
		const struct deadline soon = next_tokens(r), until = deadline_first(soon, *d);

		if (events & STREAM_IN) {
			int ready = stream_wait(s->lower, STREAM_IN, &until, &late);

			if (ready > 0)
				return ready;
			if (!deadline_passed(&until)) {
				*err = late;
				return -1;
			}
		} else {
			(void)poll(NULL, 0, deadline_poll_ms(&until));
		}
		if (deadline_passed(d))
			return deadline_error(d, err);
		fill_bucket(r);
	}
	return stream_wait(s->lower, events, d, err);
}

static void rate_close(struct stream *s)
{
	stream_close(s->lower);
}

static void rate_free(struct stream *s)
{
	stream_free(s->lower);
	xfree(s);
}

static const struct stream_ops rate_ops = {
	.name = "rate",
	.read = rate_read,
	.write = rate_write,
	.wait = rate_wait,
	.close = rate_close,
	.free = rate_free,
};

struct stream *rate_new_take(struct stream *lower, uint64_t per_second)
{
	struct rate *r = xcalloc(1, sizeof(*r));

	r->stream.ops = &rate_ops;
	r->stream.lower = lower;
	r->per_second = per_second < INT32_MAX ? per_second : INT32_MAX;
	r->burst = r->per_second / BURST_PART;
	if (r->burst < BURST_MIN)
		r->burst = BURST_MIN;
	r->tokens = r->burst * SECOND_MS;
	r->filled = clock_ms();
	return &r->stream;
}
