#include "config.h"
#include "util/clock.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"

int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;
}

struct deadline deadline_in(unsigned seconds, const char *what)
{
	struct deadline d = { .seconds = seconds, .what = what };

	if (seconds)
		d.at = clock_ms() + (int64_t)seconds * 1000;
	return d;
}

struct deadline deadline_first(struct deadline a, struct deadline b)
{
	if (a.at == 0)
		return b.at == 0 ? a : b;
	return b.at != 0 && b.at < a.at ? b : a;
}

int deadline_poll_ms(const struct deadline *d)
{
	if (d->at == 0)
		return -1;
	int64_t left = d->at - clock_ms();

	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

bool deadline_passed(const struct deadline *d)
{
	return d->at != 0 && clock_ms() >= d->at;
}

ssize_t deadline_read(const struct deadline *d, int fd, void *buf, size_t n)
{
	for (bool wait = d->at != 0;; wait = d->at != 0 || errno == EAGAIN) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (wait && poll(&ready, 1, deadline_poll_ms(d)) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		ssize_t got = read(fd, buf, n);

		if (got >= 0 || (errno != EINTR && errno != EAGAIN))
			return got;
	}
}

int deadline_error(const struct deadline *d, struct error *err)
{
	if (d->whole)
		return error_set(err, FAULT_TIMEOUT,
				 "the whole attempt took longer than %u s, while waiting for %s",
				 d->seconds, d->what);
	return error_set(err, FAULT_TIMEOUT, "timeout after %u s waiting for %s",
			 d->seconds, d->what);
}
