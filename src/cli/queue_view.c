#include "config.h"
#include "cli/queue_view.h"

#include <inttypes.h>
#include <string.h>

#include "message/ident.h"
#include "queue/entry.h"
#include "queue/manage.h"
#include "queue/pause.h"
#include "queue/schedule.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"
#include "util/strbuf.h"

#define SECOND_MS 1000

void view_add_moment(struct strbuf *out, int64_t ms)
{
	struct arena *a = arena_new();

	strbuf_addstr(out, ident_date(a, (time_t)(ms / SECOND_MS)));
	arena_free(a);
}

void view_add_age(struct strbuf *out, int64_t ms)
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	const int64_t s = ms > 0 ? ms / SECOND_MS : 0;
	size_t i = 0;

	while (i < ARRAY_LEN(units) - 1 && s < units[i].seconds)
		i++;
	strbuf_addf(out, "%" PRId64 " %s", s / units[i].seconds, units[i].unit);
	/* of days and hours the next unit counts, too */
	if (i < 2 && s % units[i].seconds >= units[i + 1].seconds)
		strbuf_addf(out, " %" PRId64 " %s", s % units[i].seconds / units[i + 1].seconds,
			    units[i + 1].unit);
}

/* --- as an object ---------------------------------------------------------------- */

static const char *word_for(const struct entry *e, size_t i)
{
	switch (e->rcpt[i].outcome) {
	case OUTCOME_ACCEPTED:
		return "accepted";
	case OUTCOME_REFUSED:
		return "refused";
	case OUTCOME_DEFERRED:
		return "deferred";
	default:
		return "waiting";
	}
}

static void add_moment_member(struct json *j, const char *key, int64_t ms)
{
	if (ms > 0)
		json_number(j, key, ms / SECOND_MS);
}

static void add_rcpt_object(struct json *j, const struct entry *e, size_t i, bool all)
{
	const struct entry_rcpt *r = &e->rcpt[i];

	json_begin(j, NULL, '{');
	json_string(j, "address", e->envelope.rcpt[i].address);
	if (r->text)
		json_string(j, "delay_reason", r->text);
	if (all) {
		json_string(j, "outcome", word_for(e, i));
		add_moment_member(j, "time", r->at_ms);
		if (r->fault)
			json_string(j, "fault", fault_rows[r->fault].name);
		if (r->code)
			json_number(j, "code", r->code);
		json_string(j, "status", r->status);
		json_string(j, "reply", r->words);
		json_string(j, "server", r->server);
	}
	json_end(j, '}');
}

static void add_rest(struct json *j, const struct entry *e)
{
	json_string(j, "message_id", e->message_id);
	json_string(j, "envid", e->envelope.envid);
	json_number(j, "uid", (int64_t)e->uid);
	add_moment_member(j, "last_try", e->last_ms);
	add_moment_member(j, "expires", e->expires_ms);
	add_moment_member(j, "held_since", e->held_ms);
	add_moment_member(j, "waits_until", manage_waits_until(e, datetime_now()));
	add_moment_member(j, "may_have_arrived", e->unknown_ms);
	add_moment_member(j, "sender_warned", e->warned_ms);
}

void view_add_object(struct strbuf *out, const struct entry *e, bool all)
{
	struct json j = { .out = out };

	json_begin(&j, NULL, '{');
	json_string(&j, "queue_name", e->held ? "hold" : "deferred");
	json_string(&j, "queue_id", e->id);
	json_number(&j, "arrival_time", e->arrival_ms / SECOND_MS);
	json_number(&j, "message_size", (int64_t)e->message_size);
	json_string(&j, "sender", e->envelope.sender);
	json_string(&j, "account", e->account);
	json_number(&j, "attempts", e->attempts);
	json_number(&j, "next_try", e->next_ms / SECOND_MS);
	if (all)
		add_rest(&j, e);
	json_begin(&j, "recipients", '[');
	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		if (all || entry_rcpt_open(e, i))
			add_rcpt_object(&j, e, i, all);
	}
	json_end(&j, ']');
	json_end(&j, '}');
	strbuf_addch(out, '\n');
}

/* --- for people --------------------------------------------------------------------- */

/* "topic: MOMENT (5 min ago)" or "(in 2 h)" */
static void add_when(struct strbuf *out, const char *topic, int64_t ms, int64_t now)
{
	if (ms <= 0)
		return;
	strbuf_addf(out, "%s: ", topic);
	view_add_moment(out, ms);
	strbuf_addstr(out, ms > now ? " (in " : " (");
	view_add_age(out, ms > now ? ms - now : now - ms);
	strbuf_addstr(out, ms > now ? ")\n" : " ago)\n");
}

/* The account of an entry, and what is known of it. */
struct looking {
	const char *account;
	struct strbuf *out;
	int64_t now;
};

static int add_pause(void *ctx, const struct pause *p)
{
	const struct looking *l = ctx;

	if (strcmp(p->account, l->account) != 0)
		return 0;
	strbuf_addf(l->out, "account paused: %s\n", p->reason);
	add_when(l->out, "  since", p->since_ms, l->now);
	add_when(l->out, "  tried again", p->next_ms, l->now);
	return 0;
}

static void add_next(struct strbuf *out, const struct entry *e, int64_t now)
{
	const int64_t until = manage_waits_until(e, now);
	const int64_t unknown = e->unknown_ms ?
		e->unknown_ms + (int64_t)QUEUE_UNKNOWN_SECONDS * SECOND_MS : 0;
	int64_t next = e->next_ms > until ? e->next_ms : until;

	if (unknown > next)
		next = unknown;
	if (e->held) {
		strbuf_addstr(out, "next try: none, it is held\n");
		add_when(out, "held since", e->held_ms, now);
	} else if (next > now) {
		add_when(out, "next try", next, now);
	} else {
		strbuf_addstr(out, "next try: due, with the next run\n");
	}
	if (until)
		strbuf_addstr(out, "it waits for its time: --queue-release sends it now\n");
	if (unknown)
		strbuf_addstr(out, "it may have arrived: the server gave no reply to it\n");
}

static void add_rcpt(struct strbuf *out, const struct entry *e, size_t i)
{
	const struct entry_rcpt *r = &e->rcpt[i];

	strbuf_addf(out, "to: %s: %s", e->envelope.rcpt[i].address, word_for(e, i));
	if (r->text)
		strbuf_addf(out, ": %s", r->text);
	if (r->server)
		strbuf_addf(out, " (%s)", r->server);
	strbuf_addch(out, '\n');
}

void view_add_text(struct strbuf *out, const struct entry *e, const struct queue *q)
{
	const int64_t now = datetime_now();
	struct looking look = { e->account, out, now };
	struct error ignored;

	strbuf_addf(out, "id: %s%s\nfrom: %s\n", e->id, e->held ? " (held)" : "",
		    *e->envelope.sender ? e->envelope.sender : "MAILER-DAEMON");
	if (e->message_id)
		strbuf_addf(out, "message-id: %s\n", e->message_id);
	strbuf_addf(out, "size: %" PRIu64 "\naccount: %s\n", e->message_size, e->account);
	(void)!pause_each(q, add_pause, &look, &ignored);
	add_when(out, "submitted", e->arrival_ms, now);
	strbuf_addf(out, "attempts: %u\n", e->attempts);
	add_when(out, "last try", e->last_ms, now);
	add_next(out, e, now);
	add_when(out, "given up", e->held ? 0 : e->expires_ms, now);
	add_when(out, "sender warned", e->warned_ms, now);
	for (size_t i = 0; i < e->envelope.rcpt_count; i++)
		add_rcpt(out, e, i);
}
