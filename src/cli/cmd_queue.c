/*
 * -q: what waits in the queue is sent, once or again and again.
 */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/archive.h"
#include "cli/commands.h"
#include "cli/events.h"
#include "cli/local_mail.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "message/result.h"
#include "net/netwatch.h"
#include "queue/arrival.h"
#include "queue/entry.h"
#include "queue/pause.h"
#include "queue/queue.h"
#include "queue/run.h"
#include "submit/attempt.h"
#include "track/track.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/interrupt.h"
#include "util/strbuf.h"

#define LINES_MAX ((size_t)64 * 1024 * 1024)

/* Who looks on. */
struct running {
	const struct invocation *inv;
	struct events *events;
	struct archive archive;		/* of the entry under way */
	const struct arrival *arrival;	/* who tells of new entries; NULL = nobody does */
	bool background;		/* nobody reads what is said on stderr */
	bool shown;			/* --queue-retry: what becomes of it goes to stdout */
	size_t attempts;
	struct error last;		/* of the last one: exit 0 if nothing has failed */
};

/* --- what is told of it -------------------------------------------------------------- */

static void tell_queue_problem(void *ctx, const struct error *err)
{
	const struct running *r = ctx;

	if (r->background)
		report_log_syslog(r->inv, LOG_MAIL, LOG_ERR, err->text);
	else
		report_line(r->inv, "%s", err->text);
}

static void set_options(void *ctx, const struct account *a, struct attempt_options *opt)
{
	struct running *r = ctx;

	*opt = events_options(r->events);
	r->archive = (struct archive){ .path = a->report.archive_dir };
	opt->sent = r->archive.path ? archive_message : NULL;
	opt->sent_ctx = &r->archive;
}

/* A line for each recipient. */
static void show_outcomes(const struct running *r, const struct run_attempt *t,
			    const struct report *report)
{
	struct strbuf out = STRBUF_INIT(LINES_MAX);

	for (size_t i = 0; i < t->result->rcpt_count; i++) {
		const char *why = t->result->rcpt[i].error.text;

		strbuf_addf(&out, "%s: '%s': %s%s%s\n", t->entry->id, t->envelope->rcpt[i].address,
			    report_recipient_status(report, i), *why ? ": " : "", why);
		if (!r->shown) {
			report_line(r->inv, "%.*s", (int)out.len - 1, out.buf);
			strbuf_reset(&out);
		}
	}
	if (r->shown)
		(void)report_output(r->inv, out.buf);
	strbuf_release(&out);
}

static void tell_attempt(void *ctx, const struct run_attempt *t)
{
	struct running *r = ctx;
	const struct report report = {
		.inv = r->inv, .account = t->account, .envelope = t->envelope,
		.message = t->message, .result = t->result, .queue_id = t->entry->id,
		.message_id = t->entry->message_id, .attempt = t->entry->attempts,
		.orig_sender = t->envelope->orig_sender, .milliseconds = t->milliseconds,
	};
	struct error err;

	report_log(&report);
	events_result(r->events, t->envelope, t->result);
	if (t->result->tracked && tracking_keep(t->envelope, t->result, &err) < 0)
		tell_queue_problem(r, &err);
	if (t->account)
		archive_tell(&report, &r->archive);
	if (t->result->outcome == OUTCOME_REFUSED || t->paused)
		report_hook(&report);
	r->attempts++;
	r->last = t->result->error;
	if ((r->inv->verbose || r->shown) && !r->background)
		show_outcomes(r, t, &report);
}

/* --- the runs ------------------------------------------------------------------------- */

static int run_watched(struct running *r, struct queue *q, const struct run_request *req,
		       struct error *err)
{
	const struct run_observer watch = { .attempt = tell_attempt, .problem = tell_queue_problem,
					    .options = set_options, .local = local_mail_deliver,
					    .ctx = r };

	return queue_run(q, req, &watch, err);
}

/* One run through the open queue, which is closed then. */
static int run_through(struct running *r, struct queue *q, const struct run_request *req)
{
	struct error err;
	const int rc = run_watched(r, q, req, &err);

	queue_close(q);
	if (rc == 0)
		return EX_OK;
	tell_queue_problem(r, &err);
	return err.exit;
}

static int run_once(struct running *r, const char *dir, const struct run_request *req)
{
	struct queue q;
	struct error err;

	if ((dir ? queue_open(&q, dir, false, &err) : queue_of_caller(r->inv, &q, &err)) == 0)
		return run_through(r, &q, req);
	tell_queue_problem(r, &err);
	return err.exit;
}

/* A process of its own, which has nothing of the caller's any more: true in it. */
static bool go_behind(void)
{
	int null;

	if (fork() != 0)
		return false;
	(void)setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	return true;
}

/* Until then, or until a signal. */
static void wait_until(const struct deadline *then)
{
	while (!interrupt_noted() && !deadline_passed(then))
		(void)poll(NULL, 0, deadline_poll_ms(then));
}

static int is_one(void *ctx, const struct pause *p)
{
	(void)ctx;
	(void)p;
	return 1;
}

/* Does an account wait for its server? */
static bool is_cut_off(const struct running *r)
{
	struct queue q;
	struct error err;

	if (queue_of_caller(r->inv, &q, &err) < 0)
		return false;
	const bool paused = queue_exists(&q) && pause_each(&q, is_one, NULL, &err) != 0;

	queue_close(&q);
	return paused;
}

/* Those of which it was told, till no more come; false: not of all. */
static bool run_arrived(struct running *r, struct run_arrivals *from)
{
	const struct run_request req = { .arrivals = from };

	if (arrival_missed(r->arrival))
		return false;
	from->alone = true;
	(void)run_once(r, NULL, &req);
	from->alone = false;
	return true;
}

/*
 * Again and again; at once when the network comes back, or the clock was set,
 * and what others tell of as it comes.
 */
static int run_again(struct running *r, const struct run_request *req, unsigned seconds)
{
	struct run_request now = *req;
	struct run_arrivals from = { .from = r->arrival };
	struct netwatch watch;
	enum netwatch_reason why;
	int status;

	netwatch_open(&watch);
	if (r->arrival)
		watch.other = r->arrival->out;
	do {
		const struct deadline next = deadline_in(seconds, "the next run");

		from.until = &next;
		/* what comes is sent when it is due, whatever may be forced */
		now.arrivals = r->arrival && !now.force ? &from : NULL;
		status = run_once(r, NULL, &now);
		do
			why = netwatch_wait(&watch, &next);
		while ((why == NETWATCH_NETWORK && !is_cut_off(r)) ||
		       (why == NETWATCH_OTHER && run_arrived(r, &from)));
		now.force = req->force || why == NETWATCH_NETWORK;
	} while (why != NETWATCH_SIGNAL);
	netwatch_close(&watch);
	return status;
}

int cmd_queue_run(const struct invocation *inv)
{
	const struct queue_options *o = &inv->queue;
	const struct run_request req = { .force = o->force, .id = o->id, .sender = o->sender,
					 .rcpt = o->rcpt };
	struct running r = { .inv = inv };
	struct queue q;
	struct error err;
	int status;

	if (o->nothing)
		return EX_OK;
	if (queue_of_caller(inv, &q, &err) < 0)
		return report_failure(inv, &err);
	const bool there = queue_exists(&q);

	if (!there || o->interval)	/* each run of many opens it anew */
		queue_close(&q);
	if (!there)
		return EX_OK;
	if (o->interval && !inv->foreground) {
		if (!go_behind())
			return EX_OK;
		r.background = true;
	}
	if (events_open(inv, &r.events, &err) < 0) {
		queue_close(&q);
		return report_failure(inv, &err);
	}
	interrupt_heed();
	status = o->interval ? run_again(&r, &req, o->interval) : run_through(&r, &q, &req);
	events_free(r.events);
	return status;
}

void queue_run_again(const struct invocation *inv, const struct arrival *arrival)
{
	const struct run_request req = { .force = inv->queue.force };
	struct running r = { .inv = inv, .background = !inv->foreground,
			     .arrival = arrival };
	struct error err;

	if (events_open(inv, &r.events, &err) < 0)
		return;
	interrupt_heed();
	(void)run_again(&r, &req, inv->queue.interval);
	events_free(r.events);
}

int queue_retry(const struct invocation *inv, struct queue *q, const char *id, struct error *err)
{
	const struct run_request req = { .force = true, .id = id };
	struct running r = { .inv = inv, .shown = true };
	int rc = events_open(inv, &r.events, err);

	interrupt_heed();
	if (rc == 0)
		rc = run_watched(&r, q, &req, err);
	events_free(r.events);
	if (rc < 0)
		return -1;
	if (r.attempts == 0)
		return error_set(err, FAULT_BUSY, "queue: %s: it was not tried: it is being sent "
				 "just now, or was; see --queue-show=%s", id, id);
	*err = r.last;
	return r.last.exit ? error_prefix(err, "queue: %s", id) : 0;
}

void queue_run_behind(const struct invocation *inv, const char *dir, const char *id,
		      unsigned seconds)
{
	const struct deadline then = deadline_in(seconds, "the message");
	const struct run_request req = { .id = id };
	struct running r = { .inv = inv, .background = true };
	struct error err;

	if (!go_behind())
		return;
	if (seconds) {
		interrupt_heed();
		wait_until(&then);
	}
	if (events_open(inv, &r.events, &err) == 0)
		(void)run_once(&r, dir, &req);
	_exit(EX_OK);
}
