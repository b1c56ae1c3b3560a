/*
 * -q: what waits in the queue is sent, once or again and again.
 */
#include "config.h"

#include <fcntl.h>
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
#include "conf/accounts.h"
#include "message/result.h"
#include "net/netwatch.h"
#include "queue/entry.h"
#include "queue/pause.h"
#include "queue/queue.h"
#include "queue/run.h"
#include "submit/attempt.h"
#include "track/track.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/interrupt.h"

/* Who looks on. */
struct running {
	const struct invocation *inv;
	struct events *events;
	struct archive archive;		/* of the entry under way */
	bool background;		/* nobody reads what is said on stderr */
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
	if (!r->inv->verbose || r->background)
		return;
	for (size_t i = 0; i < t->result->rcpt_count; i++)
		report_line(r->inv, "%s: '%s': %s%s%s", t->entry->id, t->envelope->rcpt[i].address,
			    report_recipient_status(&report, i),
			    *t->result->rcpt[i].error.text ? ": " : "",
			    t->result->rcpt[i].error.text);
}

/* --- which queue ------------------------------------------------------------------------ */

bool queue_is_asked(const struct config *config, const struct account *a)
{
	return strcmp(config_origin(config, a, "queue"), "default") != 0 ||
		strcmp(config_origin(config, a, "queue_dir"), "default") != 0;
}

int queue_of_caller(const struct invocation *inv, struct queue *q, struct error *err)
{
	struct config *config = NULL;
	struct error ignored;
	const struct account *a = NULL;

	if (config_load(&inv->request.config, &config, &ignored) == 0)
		a = inv->request.account ? config_account(config, inv->request.account) :
			config_default(config);
	const bool make = a && a->queue.mode != QUEUE_NEVER && queue_is_asked(config, a);
	int rc = queue_open(q, a ? a->queue.dir : NULL, make, err);

	config_free(config);
	return rc;
}

/* One run through the open queue, which is closed then. */
static int run_through(struct running *r, struct queue *q, const struct run_request *req)
{
	const struct run_observer watch = { .attempt = tell_attempt, .problem = tell_queue_problem,
					    .options = set_options, .local = local_mail_deliver,
					    .ctx = r };
	struct error err;
	const int rc = queue_run(q, req, &watch, &err);

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

/* Again and again; at once when the network comes back, or the clock was set. */
static int run_again(struct running *r, const struct run_request *req, unsigned seconds)
{
	struct run_request now = *req;
	struct netwatch watch;
	enum netwatch_reason why;
	int status;

	netwatch_open(&watch);
	do {
		const struct deadline next = deadline_in(seconds, "the next run");

		status = run_once(r, NULL, &now);
		do
			why = netwatch_wait(&watch, &next);
		while (why == NETWATCH_NETWORK && !is_cut_off(r));
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

void queue_run_now(const struct invocation *inv)
{
	const struct run_request req = { .force = inv->queue.force };
	struct running r = { .inv = inv, .background = !inv->foreground };
	struct error err;

	if (events_open(inv, &r.events, &err) < 0)
		return;
	interrupt_heed();
	(void)run_once(&r, NULL, &req);
	events_free(r.events);
}

void queue_run_behind(const struct invocation *inv, const char *dir, const char *id)
{
	const struct run_request req = { .id = id };
	struct running r = { .inv = inv, .background = true };
	struct error err;

	if (!go_behind())
		return;
	if (events_open(inv, &r.events, &err) == 0)
		(void)run_once(&r, dir, &req);
	_exit(EX_OK);
}
