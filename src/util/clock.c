#include "config.h"
#include "util/clock.h"

#include <limits.h>
#include <time.h>

#include "util/error.h"
#include "util/interrupt.h"

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
	if (interrupt_pending())
		return 0;
	if (d->at == 0)
		return -1;
	int64_t left = d->at - clock_ms();

	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

bool deadline_passed(const struct deadline *d)
{
	return interrupt_pending() || (d->at != 0 && clock_ms() >= d->at);
}

int deadline_error(const struct deadline *d, struct error *err)
{
	const int number = interrupt_pending();

	if (number)
		return error_set(err, FAULT_INTERRUPTED, "ended by %s while waiting for %s",
				 interrupt_name(number), d->what);
	if (d->whole)
		return error_set(err, FAULT_TIMEOUT,
				 "the whole attempt took longer than %u s, while waiting for %s",
				 d->seconds, d->what);
	return error_set(err, FAULT_TIMEOUT, "timeout after %u s waiting for %s",
			 d->seconds, d->what);
}
