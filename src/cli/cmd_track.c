/* --track-query: where a message is. */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "cli/commands.h"
#include "cli/events.h"
#include "cli/options.h"
#include "cli/report.h"
#include "message/request.h"
#include "smtp/extensions.h"
#include "submit/attempt.h"
#include "submit/submission.h"
#include "track/track.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define OUTPUT_MAX ((size_t)16 * 1024 * 1024)
#define ENVID_LIMIT 1024

/* One question after the other, and the worst of the answers. */
struct tracking_run {
	const struct invocation *inv;
	struct submission submission;	/* the account */
	struct attempt_options opt;
	struct strbuf out;
	struct error worst;	/* exit 0: all is well */
};

static void ask(struct tracking_run *t, const struct track_query *query)
{
	struct error err;

	if (track_query(t->submission.account, &t->opt, query, &t->out, &err) < 0)
		report_worst(t->inv, &err, &t->worst);
}

static int ask_uri(struct tracking_run *t, const char *text, struct error *err)
{
	struct mtqp_uri uri;

	if (mtqp_parse_uri(t->submission.arena, text, &uri, err) < 0)
		return -1;
	const struct track_query query = { .server = uri.host, .port = uri.port,
					   .envid = uri.envid, .secret = uri.secret };

	ask(t, &query);
	return 0;
}

/* One of the messages that were kept. */
struct kept {
	struct tracking_run *run;
	const char *what;
	size_t asked;
};

/* The server is kept as it was connected to; the query goes to another port of it. */
static const char *without_port(struct arena *a, const char *server)
{
	const char *colon = strrchr(server, ':');

	if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")])
		return server;
	return arena_strndup(a, server, (size_t)(colon - server));
}

static int ask_one(void *ctx, const struct tracking *one)
{
	struct kept *k = ctx;
	struct strbuf envid = STRBUF_INIT(ENVID_LIMIT);

	if (strcmp(k->what, "all") != 0 && strcmp(k->what, one->envid) != 0)
		return 0;
	xtext_add(&envid, one->envid);
	const struct track_query query = {
		.server = without_port(k->run->submission.arena, one->server), .envid = envid.buf,
		.secret = one->secret,
	};

	ask(k->run, &query);
	k->asked++;
	strbuf_release(&envid);
	return 0;
}

static int ask_kept(struct tracking_run *t, const char *what, struct error *err)
{
	struct kept k = { .run = t, .what = what };
	const char *path = tracking_path(t->submission.arena);

	if (tracking_read(ask_one, &k, err) < 0)
		return -1;
	if (k.asked == 0 && strcmp(what, "all") != 0)
		return error_set(err, FAULT_NOT_TRACKED,
				 "no message %s is being tracked (%s)", what,
				 path ? path : "no home folder");
	return 0;
}

static int track(struct tracking_run *t, struct events *events, struct error *err)
{
	const char *what = t->inv->subject;

	t->opt = events_options(events);
	if (submission_account(&t->submission, err) < 0)
		return -1;
	return strncasecmp(what, "mtqp:", 5) == 0 ? ask_uri(t, what, err) : ask_kept(t, what, err);
}

int cmd_track_query(const struct invocation *inv)
{
	struct tracking_run t = { .inv = inv, .out = STRBUF_INIT(OUTPUT_MAX) };
	struct events *events = NULL;
	struct error err;
	int status;

	submission_init(&t.submission, &inv->request, NULL);
	if (events_open(inv, &events, &err) < 0 || track(&t, events, &err) < 0)
		t.worst.exit = report_failure(inv, &err);
	status = t.out.len ? report_output(inv, t.out.buf) : EX_OK;
	strbuf_release(&t.out);
	events_free(events);
	submission_release(&t.submission);
	return t.worst.exit ? t.worst.exit : status;
}
