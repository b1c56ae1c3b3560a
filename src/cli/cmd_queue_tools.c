/*
 * --queue-show, -hold, -release, -retry, -remove, -requeue: what is done by
 * hand to messages that wait. One entry after the other; what can be done is
 * done, and the exit status is that of the worst failure.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/queue_view.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "queue/entry.h"
#include "queue/keep.h"
#include "queue/manage.h"
#include "queue/queue.h"
#include "queue/schedule.h"
#include "queue/tell.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"
#include "util/strbuf.h"

#define LINE_MAX_OCTETS ((size_t)1 << 20)
#define TEXT_MAX ((size_t)256 * 1024 * 1024)

enum { NAMED_AT_MOST = 3 };

struct tool_run;

/* What is done to an entry that is claimed. */
struct tool {
	/* Changes it; what is said of that goes into said. 1: to be written, 0: nothing to do. */
	int (*change)(struct tool_run *, struct entry *, struct strbuf *said);
	bool removes;		/* takes it out of the queue */
	const char *done;	/* a word for programs */
};

struct tool_run {
	const struct invocation *inv;
	struct queue queue;
	const struct tool *tool;	/* NULL: it is shown, or tried */
	/* --queue-requeue --account: the account, and how long it tries a message */
	struct config *config;
	const struct account *account;
	const char *pattern;	/* of those in turn */
	size_t found;
	bool some;		/* something was printed */
	struct error worst;	/* exit 0: all is well */
};

static void fail(struct tool_run *t, const struct error *err)
{
	report_worst(t->inv, err, &t->worst);
}

/* --- what each does ---------------------------------------------------------------- */

static int hold(struct tool_run *t, struct entry *e, struct strbuf *said)
{
	const bool changed = manage_hold(e, datetime_now());

	(void)t;
	strbuf_addstr(said, changed ? "held" : "is held already");
	return changed;
}

static int release(struct tool_run *t, struct entry *e, struct strbuf *said)
{
	const int64_t now = datetime_now();
	const bool changed = manage_release(e, now);
	const int64_t until = manage_waits_until(e, now);

	(void)t;
	strbuf_addstr(said, changed ? "released" : "is not held");
	if (until) {
		strbuf_addstr(said, "; it waits for its time, ");
		view_add_moment(said, until);
	}
	return changed;
}

static int requeue(struct tool_run *t, struct entry *e, struct strbuf *said)
{
	int64_t lifetime = 0;

	if (t->account) {
		const struct queue_settings *q = &t->account->queue;

		lifetime = 1000 * (int64_t)(*e->envelope.sender ? q->lifetime : q->bounce_lifetime);
		/* what its own command line has set was for its own account */
		e->account = arena_strdup(e->arena, t->account->name);
		keep_note_config(e, &t->inv->request.config);
	}
	manage_requeue(e, datetime_now(), lifetime);
	strbuf_addf(said, "queued anew for account '%s'%s", e->account,
		    e->held ? ", and held" : "");
	return 1;
}

static int take_out(struct tool_run *t, struct entry *e, struct strbuf *said)
{
	size_t open = 0;

	(void)t;
	strbuf_addf(said, "removed: from %s",
		    *e->envelope.sender ? e->envelope.sender : "MAILER-DAEMON");
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		if (!entry_rcpt_open(e, i))
			continue;
		if (open++ < NAMED_AT_MOST)
			strbuf_addf(said, "%s %s", open == 1 ? " to" : ",",
				    e->envelope.rcpt[i].address);
	}
	if (open > NAMED_AT_MOST)
		strbuf_addf(said, " and %zu more", open - NAMED_AT_MOST);
	strbuf_addstr(said, "; the sender is not told");
	return 1;
}

static const struct tool tools[QUEUE_TOOL_COUNT] = {
	[QUEUE_TOOL_HOLD] = { hold, .done = "held" },
	[QUEUE_TOOL_RELEASE] = { release, .done = "released" },
	[QUEUE_TOOL_REQUEUE] = { requeue, .done = "requeued" },
	[QUEUE_TOOL_REMOVE] = { take_out, .removes = true, .done = "removed" },
};

/* --- one entry ----------------------------------------------------------------------- */

static void say(struct tool_run *t, const struct entry *e, bool changed, const char *said)
{
	struct strbuf out = STRBUF_INIT(LINE_MAX_OCTETS);
	struct json j = { .out = &out };

	if (t->inv->json) {
		json_begin(&j, NULL, '{');
		json_string(&j, "queue_id", e->id);
		json_string(&j, "done", changed ? t->tool->done : NULL);
		json_string(&j, "text", said);
		json_end(&j, '}');
	} else {
		strbuf_addf(&out, "%s: %s", e->id, said);
	}
	strbuf_addch(&out, '\n');
	if (report_output(t->inv, out.buf) != EX_OK && !t->worst.exit)
		error_set(&t->worst, FAULT_IO, "cannot write to standard output");
	strbuf_release(&out);
}

static void change(struct tool_run *t, const char *id)
{
	struct strbuf said = STRBUF_INIT(LINE_MAX_OCTETS);
	struct queue_claim c;
	struct error err;
	const int claimed = queue_claim(&t->queue, id, &c, &err);
	int rc = claimed < 0 ? -1 : 0;

	if (claimed > 0 && tell_send_off(&t->queue, &c.entry, &err) < 0) {
		rc = -1;
	} else if (claimed > 0) {
		const int what = t->tool->change(t, &c.entry, &said);

		if (what && t->tool->removes)
			rc = queue_remove(&c, &err);
		else if (what)
			rc = queue_update(&c, &err);
		if (rc == 0)
			say(t, &c.entry, what, said.buf);
	} else if (claimed == 0) {
		rc = error_set(&err, FAULT_BUSY, "queue: %s: it is being sent just now, or was: "
			       "nothing was done; see --queue-show=%s", id, id);
	}
	if (rc < 0)
		fail(t, &err);
	queue_release(&c);
	strbuf_release(&said);
}

static void show_entry(struct tool_run *t, const struct entry *e)
{
	struct strbuf out = STRBUF_INIT(TEXT_MAX);

	if (t->inv->json) {
		view_add_object(&out, e, true);
	} else {
		if (t->some)
			strbuf_addch(&out, '\n');
		view_add_text(&out, e, &t->queue);
	}
	if (report_output(t->inv, out.buf) != EX_OK && !t->worst.exit)
		error_set(&t->worst, FAULT_IO, "cannot write to standard output");
	t->some = true;
	strbuf_release(&out);
}

/* What must not be sent now is said, and not tried. */
static int may_be_tried(const struct entry *e, struct error *err)
{
	const int64_t now = datetime_now();
	const int64_t until = manage_waits_until(e, now);
	const int64_t unknown = e->unknown_ms ? 
		e->unknown_ms + (int64_t)QUEUE_UNKNOWN_SECONDS * 1000 : 0;
	char at[DATETIME_UTC_SIZE];

	if (e->held)
		return error_set(err, FAULT_BUSY, "queue: %s: it is held: --queue-release=%s comes "
				 "first", e->id, e->id);
	if (until)
		return error_set(err, FAULT_BUSY, "queue: %s: it waits for its time, %s: "
				 "--queue-release=%s sends it now", e->id, datetime_utc(at, until),
				 e->id);
	if (unknown > now)
		return error_set(err, FAULT_BUSY, "queue: %s: the server may have it already: it "
				 "is not tried before %s", e->id, datetime_utc(at, unknown));
	return 0;
}

static void retry(struct tool_run *t, const struct entry *e)
{
	struct error err;

	if (may_be_tried(e, &err) < 0 || queue_retry(t->inv, &t->queue, e->id, &err) < 0)
		fail(t, &err);
}

static void do_it(struct tool_run *t, const struct entry *e)
{
	if (t->tool)
		change(t, e->id);
	else if (t->inv->queue.tool == QUEUE_TOOL_RETRY)
		retry(t, e);
	else
		show_entry(t, e);
}

/* --- which ones ------------------------------------------------------------------------- */

static void do_id(struct tool_run *t, const char *id)
{
	struct arena *a = arena_new();
	struct entry e;
	struct error err;

	if (queue_peek(&t->queue, id, a, &e, &err) < 0)
		fail(t, &err);
	else if (!manage_allowed(&e, getuid())) {
		error_set(&err, FAULT_USER_NOT_ALLOWED, "queue: %s: it is of user %lu: only he "
			  "and root may do that", id, (unsigned long)e.uid);
		fail(t, &err);
	} else {
		do_it(t, &e);
	}
	arena_free(a);
}

/* Those of others are as if they were not there; a damaged one is told. */
static int take(void *ctx, const struct queue_item *item)
{
	struct tool_run *t = ctx;
	struct arena *a = arena_new();
	struct entry e;
	struct error err;

	if (queue_peek(&t->queue, item->id, a, &e, &err) < 0) {
		if (!error_is(&err, FAULT_NO_INPUT))
			fail(t, &err);
	} else if (manage_allowed(&e, getuid()) && manage_fits(&e, t->pattern)) {
		t->found++;
		do_it(t, &e);
	}
	arena_free(a);
	return 0;
}

static void do_pattern(struct tool_run *t, const char *pattern)
{
	struct error err;

	t->pattern = pattern;
	t->found = 0;
	if (queue_each(&t->queue, take, t, &err) < 0) {
		fail(t, &err);
	} else if (t->found == 0) {
		error_set(&err, FAULT_NO_INPUT, "queue: nothing that waits fits '%s'", pattern);
		fail(t, &err);
	}
}

/* All words are looked at before anything is done. */
static int check_words(const struct invocation *inv, struct error *err)
{
	for (size_t i = 0; i < inv->queue.words; i++) {
		const char *word = inv->queue.word[i];

		if (!queue_is_id(word) && !manage_is_pattern(word))
			return error_set(err, FAULT_USAGE, "'%.100s' is neither the id of an entry "
					 "nor a pattern: a pattern has one of @ * ? [ in it, such "
					 "as '*@example.org', or is '<>'", word);
	}
	return 0;
}

/* --account says to whom the entries go, not where they are. */
static int find_target(struct tool_run *t, struct error *err)
{
	const struct invocation *inv = t->inv;

	if (inv->queue.tool != QUEUE_TOOL_REQUEUE || !inv->request.account)
		return 0;
	if (config_load(&inv->request.config, &t->config, err) < 0)
		return -1;
	t->account = config_account(t->config, inv->request.account);
	return t->account ? 0 : error_set(err, FAULT_NO_ACCOUNT, "no account '%s': tried %s",
					  inv->request.account, config_searched(t->config));
}

int cmd_queue_tool(const struct invocation *inv)
{
	struct invocation where = *inv;
	struct tool_run t = { .inv = inv, .queue = QUEUE_INIT };
	struct error err;

	if (tools[inv->queue.tool].change)
		t.tool = &tools[inv->queue.tool];
	if (inv->queue.tool == QUEUE_TOOL_REQUEUE)
		where.request.account = NULL;
	if (check_words(inv, &err) < 0 || find_target(&t, &err) < 0 ||
	    queue_of_owner(&where, &t.queue, &err) < 0) {
		config_free(t.config);
		return report_failure(inv, &err);
	}
	for (size_t i = 0; i < inv->queue.words; i++) {
		if (queue_is_id(inv->queue.word[i]))
			do_id(&t, inv->queue.word[i]);
		else
			do_pattern(&t, inv->queue.word[i]);
	}
	queue_close(&t.queue);
	config_free(t.config);
	return t.worst.exit;
}
