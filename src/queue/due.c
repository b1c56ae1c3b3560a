/*
 * A whole run: which entries it tries, by itself or by the pool.
 */
#include "config.h"
#include "queue/run.h"

#include <string.h>

#include "queue/arrival.h"
#include "queue/pool.h"
#include "queue/queue.h"
#include "queue/run_private.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/interrupt.h"

#define ARRIVALS_QUIET_MS 2000	/* so long a pool waits for work */
#define HANDFUL 8		/* so many are sent by this process alone */

/* The ids that are due: a handful, or the pool that has them. */
struct due {
	struct queue *queue;
	const struct run_request *req;
	const struct run_observer *watch;
	struct pool *pool;
	struct queue_item item[HANDFUL];
	size_t n, at;
};

static bool next_of_handful(void *ctx, bool wait, char *id)
{
	struct due *d = ctx;

	(void)wait;
	if (d->at == d->n)
		return false;
	memcpy(id, d->item[d->at++].id, sizeof(d->item[0].id));
	return true;
}

static void add_due(struct due *d, const struct queue_item *item)
{
	if (!d->pool && d->n < HANDFUL) {
		d->item[d->n++] = *item;
		return;
	}
	if (!d->pool) {
		d->pool = pool_new(d->queue, d->req, d->watch);
		for (; d->at < d->n; d->at++)
			pool_add(d->pool, &d->item[d->at]);
	}
	pool_add(d->pool, item);
}

/* What has come into the queue meanwhile. */
static void add_arrivals(struct due *d)
{
	const struct run_arrivals *a = d->req->arrivals;
	struct queue_item one = { .mark = 0 };

	while (a && !interrupt_noted() && arrival_next(a->from, one.id))
		pool_add(d->pool, &one);
}

static void wait_for_arrivals(struct due *d)
{
	const struct run_arrivals *a = d->req->arrivals;

	do
		add_arrivals(d);
	while (pool_wait(d->pool, a->from->out, ARRIVALS_QUIET_MS, a->until));
}

static int take(void *ctx, const struct queue_item *item)
{
	struct due *d = ctx;

	add_arrivals(d);
	if ((d->req->force || item->due_ms <= datetime_now()) &&
	    run_fits(item->id, d->req->id))
		add_due(d, item);
	return interrupt_noted() ? 1 : 0;
}

/* What is due, and few. */
static void run_handful(struct due *d)
{
	struct run *r = run_new(d->queue, d->req, d->watch);
	const struct run_source source = { next_of_handful, NULL, d };

	run_all(r, &source);
	run_free(r);
}

int queue_run(struct queue *q, const struct run_request *req, const struct run_observer *watch,
	      struct error *err)
{
	struct due d = { .queue = q, .req = req, .watch = watch };
	struct queue_item one = { .mark = 0 };
	/* one that is not there yet is opened anew when there is something in it */
	const bool waits = req->arrivals && (req->arrivals->alone || queue_exists(q));
	int rc = 0;

	if (waits)
		d.pool = pool_new(q, req, watch);
	if (req->id && queue_is_id(req->id)) {
		memcpy(one.id, req->id, sizeof(one.id));
		add_due(&d, &one);
	} else if (!req->arrivals || !req->arrivals->alone) {
		rc = queue_each(q, take, &d, err);
	}
	if (waits)
		wait_for_arrivals(&d);
	if (d.pool)
		pool_finish(d.pool);
	else
		run_handful(&d);
	queue_clean(q);
	return rc < 0 ? -1 : 0;
}
