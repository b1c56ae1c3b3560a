/*
 * The main command: sends a message, or shows with --explain and --dry-run what would
 * be sent.
 */
#include "config.h"

#include <string.h>
#include <unistd.h>

#include "cli/archive.h"
#include "cli/commands.h"
#include "cli/events.h"
#include "cli/raw_commands.h"
#include "cli/report.h"
#include "cli/report_json.h"
#include "cli/report_log.h"
#include "cli/sending.h"
#include "cli/show.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "message/header.h"
#include "message/message.h"
#include "message/result.h"
#include "mime/compose.h"
#include "smtp/ext/ext.h"
#include "submit/attempt.h"
#include "track/tracking.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"

#define URI_MAX 4096

/* The Message-ID that goes out: the message's own or the one added. */
static const char *message_id(const struct sending *s)
{
	static const char name[] = "Message-ID: ";
	const struct header_field *f = header_find(&s->message->header, HEADER_MESSAGE_ID);

	for (size_t i = 0; i < s->edits.added_n; i++) {
		const char *text = s->edits.added[i];

		if (strncmp(text, name, strlen(name)) == 0)
			return arena_strndup(s->arena, text + strlen(name),
					     strcspn(text + strlen(name), "\r\n"));
	}
	return f ? header_value(s->arena, f) : NULL;
}

/* The message is sent: what is wrong here is only said. */
static void keep_track(const struct sending *s, const struct result *r)
{
	struct strbuf uri = STRBUF_INIT(URI_MAX);
	struct error err;

	if (tracking_keep(&s->envelope, r, &err) < 0)
		report_line(s->inv, "the message cannot be tracked: %s", err.text);
	mtrk_uri(&s->envelope, r, &uri);
	strbuf_addch(&uri, '\n');
	if (s->account->ext.track_uri)
		(void)report_output(s->inv, uri.buf);
	strbuf_release_secret(&uri);
}

static struct report make_report(const struct sending *s)
{
	return (struct report){
		.inv = s->inv, .account = s->account, .envelope = &s->envelope,
		.message = s->message, .message_id = s->message ? message_id(s) : NULL,
		.orig_sender = s->envelope.orig_sender ? s->envelope.orig_sender : s->inv->sender,
	};
}

/* The message is sent: a copy that cannot be made is said, and changes nothing. */
static void tell_archive(const struct report *r, struct archive *archive)
{
	if (!archive->error.exit)
		return;
	error_prefix(&archive->error, "no copy in archive_dir");
	report_line(r->inv, "%s", archive->error.text);
	report_log_aside(r, &archive->error);
}

/* drop = on: as if everybody had got it. */
static int discard(struct sending *s)
{
	const struct envelope *e = &s->envelope;
	struct report report = make_report(s);
	struct result result;

	result_init(&result, s->arena, e->rcpt_count);
	for (size_t i = 0; i < e->rcpt_count; i++)
		result.rcpt[i].outcome = OUTCOME_ACCEPTED;
	result_settle(&result);
	events_result(s->events, e, &result);
	report.discarded = true;
	return report_end(&report);
}

static int submit(struct sending *s)
{
	struct archive archive = { .path = s->account->report.archive_dir };
	const bool archived = archive.path && !s->envelope.burl;
	const struct attempt_options opt = { .trace = events_trace(s->events),
					     .trace_ctx = s->events,
					     .observer = events_observer(s->events),
					     .before = s->inv->probes ? raw_commands_run : NULL,
					     .before_ctx = (void *)s->inv,
					     .sent = archived ? archive_message : NULL,
					     .sent_ctx = &archive };
	const struct envelope *e = &s->envelope;
	struct result result;
	int64_t start = clock_ms();

	result_init(&result, s->arena, e->rcpt_count);
	submit_attempt(s->account, e, s->message, &s->edits, &opt, &result);
	struct report report = make_report(s);

	report.result = &result;
	report.attempt = 1;
	report.milliseconds = (long)(clock_ms() - start);
	events_result(s->events, e, &result);
	if (result.tracked)
		keep_track(s, &result);
	if (archive.path && s->envelope.burl)
		error_set_status(&archive.error, FAULT_REFUSED, "5.3.0",
				 "the server fetches parts of "
			  "the message (--burl)");
	tell_archive(&report, &archive);
	return report_end(&report);
}

static struct show what_to_show(const struct sending *s)
{
	return (struct show){ .inv = s->inv, .config = s->config, .account = s->account,
			      .envelope = &s->envelope, .message = s->message,
			      .edits = &s->edits, .explain = &s->explain };
}

/* Nothing was sent: why, in every form that was asked for. */
static int give_up(struct sending *s, const struct error *err)
{
	const struct show show = what_to_show(s);

	sending_rescue_input(s);
	show_notes(&show);
	struct report report = make_report(s);

	report.error = err;
	if (s->events)
		events_failure(s->events, err);
	if (!s->inv->explain && !s->inv->dry_run)
		return report_end(&report);
	if (s->inv->json)
		(void)report_json(&report);
	return report_failure(s->inv, err);
}

/* Called on a terminal without any word: nobody wants to type a message then. */
static bool is_lost(const struct invocation *inv)
{
	return inv->words == 0 && inv->rcpt_n == 0 && !inv->read_recipients &&
	       inv->compose.address_n == 0 && isatty(STDIN_FILENO);
}

int cmd_send(const struct invocation *inv)
{
	struct sending s = { .inv = inv, .arena = arena_new() };
	struct error err;
	int status;

	s.input_read = inv->compose.compose && !compose_reads_input(&inv->compose);
	envelope_init(&s.envelope, s.arena);
	envelope_init(&s.excluded, s.arena);
	s.explain.arena = s.arena;
	s.envelope.explain = inv->explain ? &s.explain : NULL;
	if (is_lost(inv)) {
		report_line(inv, "usage: msubmit [OPTION]... RECIPIENT... < MESSAGE; see --help");
		status = EX_USAGE;
	} else if (events_open(inv, &s.events, &err) < 0 || sending_prepare(&s, &err) < 0) {
		status = give_up(&s, &err);
	} else if (inv->explain || inv->dry_run) {
		const struct show show = what_to_show(&s);

		status = show_message(&show);
	} else {
		status = s.account->redirect.drop ? discard(&s) : submit(&s);
	}
	events_free(s.events);
	message_free(s.message);
	config_free(s.config);
	arena_free(s.arena);
	return status;
}
