/*
 * The main command: sends a message, or shows with --explain and --dry-run what would
 * be sent.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/archive.h"
#include "cli/commands.h"
#include "cli/events.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "message/header.h"
#include "message/message.h"
#include "message/result.h"
#include "mime/compose.h"
#include "queue/keep.h"
#include "queue/queue.h"
#include "smtp/ext/ext.h"
#include "submit/attempt.h"
#include "submit/submission.h"
#include "track/track.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/interrupt.h"
#include "util/strbuf.h"

#define URI_MAX 4096

/* One message, and who wants to know about it. */
struct sending {
	struct invocation inv;		/* with what the account says about reports */
	struct events *events;
	struct submission submission;
	bool interrupted;		/* by a signal, before all had come to an end */
};

/* From here on it is told as the account wants it. */
static const struct invocation *told(struct sending *s)
{
	const struct account *a = s->submission.account;

	if (a)
		s->inv.error_format = (int)a->report.error_format;
	return &s->inv;
}

static void tell_note(void *ctx, const char *text)
{
	report_line(told(ctx), "%s", text);
}

/* --- the result --------------------------------------------------------------------- */

/* The message is sent: what is wrong here is only said. */
static void keep_track(const struct sending *s, const struct result *r)
{
	const struct envelope *e = &s->submission.envelope;
	struct strbuf uri = STRBUF_INIT(URI_MAX);
	struct error err;

	if (tracking_keep(e, r, &err) < 0)
		report_line(&s->inv, "the message cannot be tracked: %s", err.text);
	mtrk_uri(e, r, &uri);
	strbuf_addch(&uri, '\n');
	if (s->submission.account->ext.track_uri)
		(void)report_output(&s->inv, uri.buf);
	strbuf_release_secret(&uri);
}

static struct report make_report(struct sending *s)
{
	const struct submission *sub = &s->submission;
	const char *asked = sub->envelope.orig_sender;

	return (struct report){
		.inv = told(s), .account = sub->account, .envelope = &sub->envelope,
		.message = sub->message, .message_id = submission_message_id(sub),
		.orig_sender = asked ? asked : s->inv.request.sender,
	};
}

/* Those that nothing was sent to are told as those that the server refused. */
static void add_unsendable(struct envelope *e, struct result *r)
{
	for (size_t i = 0; i < e->unsendable_n; i++) {
		const struct unsendable *u = &e->unsendable[i];

		if (envelope_add(e, u->address, NULL))
			result_add(r, u->why);
		else	/* the name itself was among the targets of its alias */
			result_note(r, "%s", u->why->text);
	}
	if (e->unsendable_n)
		result_settle(r);
}

/* drop = on, or all recipients are /dev/null: as if everybody had got it who can. */
static int discard(struct sending *s)
{
	struct envelope *e = &s->submission.envelope;
	struct result result;

	result_init(&result, s->submission.arena, e->rcpt_count);
	for (size_t i = 0; i < e->rcpt_count; i++)
		result.rcpt[i].outcome = OUTCOME_ACCEPTED;
	result_settle(&result);
	add_unsendable(e, &result);
	events_result(s->events, e, &result);
	struct report report = make_report(s);

	report.discarded = true;
	report.result = &result;
	return report_end(&report);
}

/* --- what cannot be sent ------------------------------------------------------------ */

/*
 * What waits on a pipe would be lost: it is read, to be kept, or so that the
 * program in front of us sees our exit status and not SIGPIPE.
 */
static void rescue_input(struct sending *s)
{
	const struct compose_request *c = &s->inv.request.compose;
	struct error ignored;
	char block[4096];
	ssize_t n;

	if (s->submission.input_read || isatty(STDIN_FILENO) ||
	    (c->compose && !compose_reads_input(c)))
		return;
	if (report_keeps(&s->inv) && !c->compose && !s->inv.request.burl.whole) {
		(void)!submission_read(&s->submission, &ignored);
		return;
	}
	do {
		n = read(STDIN_FILENO, block, sizeof(block));
	} while (n > 0 || (n < 0 && errno == EINTR));
}

/* Nobody gets it, each for a reason of his own; the others, if there are any, for the first. */
static void refuse_all(struct sending *s, struct result *r)
{
	struct envelope *e = &s->submission.envelope;

	result_init(r, s->submission.arena, e->rcpt_count);
	result_set_rest(r, e->unsendable[0].why);
	add_unsendable(e, r);
	events_result(s->events, e, r);
}

/* Nothing was sent: why, in every form that was asked for. */
static int give_up(struct sending *s, const struct error *err)
{
	struct result result;

	rescue_input(s);
	show_notes(&s->inv, &s->submission);
	if (s->submission.refused)
		refuse_all(s, &result);
	else if (s->events)
		events_failure(s->events, err);
	struct report report = make_report(s);

	report.error = err;
	report.result = s->submission.refused ? &result : NULL;
	if (!s->inv.request.explain && !s->inv.dry_run)
		return report_end(&report);
	if (s->inv.json)
		(void)report_json(&report);
	return report_tell(&report);
}

/* What would be sent, and to whom nothing would. */
static int show_all(struct sending *s)
{
	const struct envelope *e = &s->submission.envelope;
	struct envelope others;
	struct result result;
	int status = show_message(told(s), &s->submission);

	if (status != EX_OK || !e->unsendable_n)
		return status;
	others = *e;
	(void)envelope_take_recipients(&others);
	result_init(&result, s->submission.arena, 0);
	add_unsendable(&others, &result);
	struct report report = make_report(s);

	report.envelope = &others;
	report.result = &result;
	return report_tell(&report);
}

/* --- the queue ------------------------------------------------------------------------ */

static enum queue_mode queue_mode(const struct sending *s)
{
	const enum queue_mode set = s->submission.account->queue.mode;

	if (set == QUEUE_NEVER || s->inv.probes || !keep_possible(&s->submission))
		return QUEUE_NEVER;
	switch (s->inv.delivery) {
	case DELIVERY_NOW:
		return QUEUE_AUTO;
	case DELIVERY_BACKGROUND:
	case DELIVERY_QUEUE:
		return QUEUE_ALWAYS;
	case DELIVERY_AS_SET:
		break;
	}
	return s->submission.account->queue.undo_window ? QUEUE_ALWAYS : set;
}

/* Is it sent by a process of our own, behind us? Whoever sends what is kept anyway does it else. */
static bool sends_behind(const struct sending *s)
{
	const struct queue_settings *q = &s->submission.account->queue;

	return s->inv.delivery == DELIVERY_BACKGROUND ||
		(s->inv.delivery == DELIVERY_AS_SET && q->mode == QUEUE_AUTO && q->undo_window);
}

/*
 * What is done with a message that can be sent later, and the queue for it. One
 * that nobody has asked for is used only when it is there.
 */
static enum queue_mode open_queue(const struct sending *s, struct queue *q, struct error *err)
{
	const enum queue_mode mode = queue_mode(s);
	const bool asked = mode != QUEUE_NEVER &&
		queue_is_asked(s->submission.config, s->submission.account);

	*q = (struct queue)QUEUE_INIT;
	if (mode == QUEUE_NEVER)
		return mode;
	if (queue_open(q, s->submission.account->queue.dir, asked, err) == 0)
		return queue_exists(q) ? mode : QUEUE_NEVER;
	if (!asked)
		err->exit = 0;
	return asked && mode == QUEUE_ALWAYS ? mode : QUEUE_NEVER;
}

/* Its id, and when it can no longer be taken back. */
static void note_kept(const struct sending *s, struct result *r, const char *id)
{
	const unsigned window = s->submission.account->queue.undo_window;
	char at[DATETIME_UTC_SIZE];

	if (!window)
		result_note(r, "in the queue as %s", id);
	else
		result_note(r, "in the queue as %s, not sent before %s: --queue-remove=%s takes it "
			    "back", id, datetime_utc(at, datetime_now() + 1000 * (int64_t)window),
			    id);
}

/* No try: it is in the queue, or it is nowhere. */
static int enqueue(struct sending *s, struct queue *q, struct error *err)
{
	const struct submission *sub = &s->submission;
	struct result result;
	struct report report = make_report(s);
	const struct keep_request keep = { .submission = sub, .message_id = report.message_id,
					   .result = &result };

	result_init(&result, sub->arena, sub->envelope.rcpt_count);
	if (err->exit || keep_submission(q, &keep, &report.queue_id, err) < 0)
		return give_up(s, err);
	/* it is in the queue, whatever comes now */
	interrupt_heed();
	interrupt_defer();
	note_kept(s, &result, report.queue_id);
	result_settle(&result);
	add_unsendable(&s->submission.envelope, &result);
	events_result(s->events, &s->submission.envelope, &result);
	report.result = &result;
	const int status = report_end(&report);

	if (sends_behind(s))
		queue_run_behind(&s->inv, sub->account->queue.dir, report.queue_id,
				 sub->account->queue.undo_window);
	return status;
}

/* A signal behind the last reply comes too late to change anything. */
static bool is_interrupted(const struct result *r)
{
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (error_is(&r->rcpt[i].error, FAULT_INTERRUPTED))
			return true;
	}
	return false;
}

/* What the try has not brought to an end goes into the queue. */
static void keep_rest(struct sending *s, struct queue *q, struct result *r,
		      const struct attempt_transfer *transfer, int64_t begun_ms,
		      struct report *report)
{
	const struct keep_request keep = { .submission = &s->submission, .result = r,
					   .message_id = report->message_id, .tried = true,
					   .begun_ms = begun_ms, .transfer = transfer };
	const struct error why = r->error;
	char at[DATETIME_UTC_SIZE];
	struct error err;
	const int kept = queue_exists(q) && !s->interrupted ?
		keep_submission(q, &keep, &report->queue_id, &err) : 0;

	if (kept > 0 && why.fault == FAULT_HOLD_HERE)
		result_note(r, "in the queue as %s, to be sent at %s: the server does not hold "
			    "messages back", report->queue_id,
			    datetime_utc(at, s->submission.envelope.ext.hold_ms));
	else if (kept > 0)
		result_note(r, "in the queue as %s: %s", report->queue_id, why.text);
	if (kept > 0) {
		result_settle(r);
	} else if (kept < 0) {
		report_line(told(s), "the message cannot be kept: %s", err.text);
	}
}

static int submit(struct sending *s, struct queue *q)
{
	const struct submission *sub = &s->submission;
	struct envelope *e = &s->submission.envelope;
	struct archive archive = { .path = sub->account->report.archive_dir };
	const bool archived = archive.path && !e->burl;
	struct attempt_options opt = events_options(s->events);
	struct attempt_transfer transfer = { .transid = NULL };
	struct result result;
	const int64_t start = clock_ms(), begun_ms = datetime_now();

	opt.before = s->inv.probes ? raw_commands_run : NULL;
	opt.before_ctx = &s->inv;
	opt.sent = archived ? archive_message : NULL;
	opt.sent_ctx = &archive;
	opt.transfer = &transfer;
	opt.direct_timeout = queue_exists(q) ? sub->account->queue.direct_timeout : 0;
	result_init(&result, sub->arena, e->rcpt_count);
	interrupt_heed();
	submit_attempt(sub->account, e, sub->message, &sub->edits, &opt, &result);
	interrupt_defer();
	s->interrupted = is_interrupted(&result);
	struct report report = make_report(s);

	if (result.outcome == OUTCOME_ACCEPTED)
		keep_note_success(q, sub);
	keep_rest(s, q, &result, &transfer, begun_ms, &report);
	add_unsendable(e, &result);
	report.result = &result;
	report.attempt = 1;
	report.milliseconds = (long)(clock_ms() - start);
	events_result(s->events, e, &result);
	if (result.tracked)
		keep_track(s, &result);
	if (archive.path && e->burl)
		error_set_status(&archive.error, FAULT_REFUSED, "5.3.0", "the server fetches "
				 "parts of the message (--burl)");
	archive_tell(&report, &archive);
	return report_end(&report);
}

/* Now, or later, or now and the rest later. */
static int deliver(struct sending *s)
{
	struct error err = { .exit = 0 };
	struct queue q;
	const enum queue_mode mode = open_queue(s, &q, &err);
	int status;

	if (mode == QUEUE_ALWAYS) {
		status = enqueue(s, &q, &err);
	} else {
		if (err.exit)
			report_line(told(s), "%s", err.text);
		status = submit(s, &q);
	}
	queue_close(&q);
	return status;
}

static int prepare(struct sending *s, struct error *err)
{
	const struct envelope *e = &s->submission.envelope;
	int rc;

	if (events_open(&s->inv, &s->events, err) < 0)
		return -1;
	if (s->inv.dry_run && s->inv.request.burl.n)
		return error_set(err, FAULT_USAGE, "--dry-run cannot show what the server "
				 "is to fetch: leave out --burl and --burl-part");
	rc = submission_prepare(&s->submission, err);
	if (e->unparsed && s->inv.verbose)
		report_line(told(s), "left as they are, as they are no lists of addresses: %s",
			    e->unparsed);
	for (size_t i = 0; s->inv.verbose && i < e->warning_n; i++)
		report_line(told(s), "warning: %s", e->warning[i]);
	return rc;
}

/* Called on a terminal without any word: nobody wants to type a message then. */
static bool is_lost(const struct submission_request *r)
{
	return r->words == 0 && r->rcpt_n == 0 && !r->read_recipients &&
	       r->compose.address_n == 0 && isatty(STDIN_FILENO);
}

#define FILES_LEAST 16		/* that may be open: with fewer, names seem not to exist */

static int get_files(struct error *err)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_LEAST)
		return 0;
	const struct rlimit enough = { FILES_LEAST, limit.rlim_max };

	if (limit.rlim_max >= FILES_LEAST && setrlimit(RLIMIT_NOFILE, &enough) == 0)
		return 0;
	return error_set(err, FAULT_SYSTEM, "no more than %lu files may be open, and %d are needed "
			 "(ulimit -n)", (unsigned long)limit.rlim_cur, FILES_LEAST);
}

int cmd_send(const struct invocation *inv)
{
	struct sending s = { .inv = *inv };
	const struct submission_observer observer = { tell_note, &s };
	struct error err;
	int status;

	if (is_lost(&inv->request)) {
		report_line(inv, "usage: msubmit [OPTION]... RECIPIENT... < MESSAGE; see --help");
		return EX_USAGE;
	}
	submission_init(&s.submission, &s.inv.request, &observer);
	if (get_files(&err) < 0 || prepare(&s, &err) < 0)
		status = give_up(&s, &err);
	else if (inv->request.explain || inv->dry_run)
		status = show_all(&s);
	else
		status = s.submission.account->redirect.drop || s.submission.envelope.discard ?
			discard(&s) : deliver(&s);
	events_free(s.events);
	submission_release(&s.submission);
	/* a shell that runs us in a loop ends it when we end by its ^C */
	if (status != EX_OK && s.interrupted && interrupt_noted() == SIGINT)
		interrupt_die(SIGINT);
	return status;
}
