/*
 * --status: is the queue well? For monitoring: the exit status is that of a
 * plugin of Nagios, and so is the form of the text; as an object (--json), or
 * in the text format of Prometheus.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/queue_view.h"
#include "cli/report.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "conf/settings.h"
#include "queue/look.h"
#include "queue/queue.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/json.h"
#include "util/strbuf.h"

#define STATUS_MAX ((size_t)16 * 1024 * 1024)

enum health { HEALTH_OK, HEALTH_WARNING, HEALTH_CRITICAL, HEALTH_UNKNOWN };

static const char *const health_words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

static const char *const kinds[LOOK_KINDS] = {
	[LOOK_ACTIVE] = "active", [LOOK_DEFERRED] = "deferred", [LOOK_HELD] = "held",
	[LOOK_SCHEDULED] = "scheduled", [LOOK_FAILED] = "failed", [LOOK_CORRUPT] = "corrupt",
	[LOOK_SENT] = "sent",
};

/* The state, and when it is bad. */
struct health_report {
	const struct look *look;
	int64_t now;
	int64_t late_ms;	/* whoever waits longer is late; 0 = nobody is */
	enum health health;
};

static bool is_late(const struct health_report *h, int64_t since)
{
	return h->late_ms && since && h->now - since > h->late_ms;
}

static enum health judge(const struct health_report *h)
{
	const struct look *l = h->look;

	for (size_t i = 0; i < l->paused_n; i++) {
		if (is_late(h, l->paused[i].since_ms))
			return HEALTH_CRITICAL;
	}
	return l->paused_n || is_late(h, l->oldest_ms) || l->count[LOOK_FAILED] ||
		l->count[LOOK_CORRUPT] ? HEALTH_WARNING : HEALTH_OK;
}

static uint64_t waiting(const struct look *l)
{
	return l->count[LOOK_ACTIVE] + l->count[LOOK_DEFERRED] + l->count[LOOK_HELD] +
		l->count[LOOK_SCHEDULED];
}

static int64_t oldest_seconds(const struct health_report *h)
{
	const int64_t age = h->look->oldest_ms ? h->now - h->look->oldest_ms : 0;

	return age > 0 ? age / 1000 : 0;
}

/* --- text ----------------------------------------------------------------------- */

static void add_first_line(struct strbuf *out, const struct health_report *h)
{
	const struct look *l = h->look;

	strbuf_addf(out, "msubmit %s: %" PRIu64 " in the queue", health_words[h->health],
		    waiting(l));
	if (l->oldest_ms) {
		strbuf_addstr(out, ", the oldest for ");
		view_add_age(out, h->now - l->oldest_ms);
	}
	if (l->paused_n)
		strbuf_addf(out, ", %zu account%s paused", l->paused_n,
			    l->paused_n == 1 ? "" : "s");
	if (l->count[LOOK_FAILED])
		strbuf_addf(out, ", %" PRIu64 " failed", l->count[LOOK_FAILED]);
	if (l->count[LOOK_CORRUPT])
		strbuf_addf(out, ", %" PRIu64 " damaged", l->count[LOOK_CORRUPT]);
	strbuf_addstr(out, " |");
	for (int i = 0; i < LOOK_KINDS; i++)
		strbuf_addf(out, " %s=%" PRIu64, kinds[i], l->count[i]);
	strbuf_addf(out, " oldest=%" PRId64 "s", oldest_seconds(h));
	if (h->late_ms)
		strbuf_addf(out, ";%" PRId64, h->late_ms / 1000);
	strbuf_addf(out, " size=%" PRIu64 "B\n", l->octets);
}

/* The perfdata of a plugin begins with this, and a reason may be anybody's text. */
static void add_reason(struct strbuf *out, const char *reason)
{
	for (; *reason; reason++)
		strbuf_addch(out, *reason == '|' ? '/' : *reason);
}

static void add_status_text(struct strbuf *out, const struct health_report *h)
{
	const struct look *l = h->look;

	add_first_line(out, h);
	for (size_t i = 0; i < l->paused_n; i++) {
		const struct pause *p = &l->paused[i];

		strbuf_addf(out, "account '%s' is paused: ", p->account);
		add_reason(out, p->reason);
		strbuf_addstr(out, "; for ");
		view_add_age(out, h->now - p->since_ms);
		strbuf_addf(out, ", %u attempt%s, the next one ", p->failures,
			    p->failures == 1 ? "" : "s");
		if (p->next_ms > h->now) {
			strbuf_addstr(out, "in ");
			view_add_age(out, p->next_ms - h->now);
			strbuf_addch(out, '\n');
		} else {
			strbuf_addstr(out, "with the next run\n");
		}
	}
	if (*l->oldest)
		strbuf_addf(out, "the oldest: %s\n", l->oldest);
	if (l->success_ms) {
		strbuf_addstr(out, "last success: ");
		view_add_moment(out, l->success_ms);
		strbuf_addch(out, '\n');
	}
}

/* --- JSON ------------------------------------------------------------------------- */

static void add_seconds(struct json *j, const char *key, int64_t ms)
{
	if (ms)
		json_number(j, key, ms / 1000);
	else
		json_string(j, key, NULL);
}

static void add_status_object(struct strbuf *out, const struct health_report *h)
{
	static const char *const words[] = { "ok", "warning", "critical", "unknown" };
	const struct look *l = h->look;
	struct json j = { .out = out };

	json_begin(&j, NULL, '{');
	json_string(&j, "status", words[h->health]);
	for (int i = 0; i < LOOK_KINDS; i++)
		json_number(&j, kinds[i], (int64_t)l->count[i]);
	json_number(&j, "size", (int64_t)l->octets);
	json_string(&j, "oldest_id", *l->oldest ? l->oldest : NULL);
	add_seconds(&j, "oldest_since", l->oldest_ms);
	add_seconds(&j, "last_success", l->success_ms);
	json_begin(&j, "paused", '[');
	for (size_t i = 0; i < l->paused_n; i++) {
		const struct pause *p = &l->paused[i];

		json_begin(&j, NULL, '{');
		json_string(&j, "account", p->account);
		json_string(&j, "fault", p->fault);
		json_string(&j, "reason", p->reason);
		add_seconds(&j, "since", p->since_ms);
		add_seconds(&j, "last_try", p->last_ms);
		add_seconds(&j, "next_try", p->next_ms);
		json_number(&j, "attempts", p->failures);
		json_end(&j, '}');
	}
	json_end(&j, ']');
	json_end(&j, '}');
	strbuf_addch(out, '\n');
}

/* --- Prometheus --------------------------------------------------------------------- */

static void add_metric(struct strbuf *out, const char *name, const char *help)
{
	strbuf_addf(out, "# HELP msubmit_%s %s\n# TYPE msubmit_%s gauge\n", name, help, name);
}

/* The value of a label: backslash, quote and line end are escaped. */
static void add_label(struct strbuf *out, const char *key, const char *value)
{
	strbuf_addf(out, "%s=\"", key);
	for (; *value; value++) {
		if (*value == '\n')
			strbuf_addstr(out, "\\n");
		else if (*value == '\\' || *value == '"')
			strbuf_addf(out, "\\%c", *value);
		else
			strbuf_addch(out, *value);
	}
	strbuf_addch(out, '"');
}

static void add_paused_metrics(struct strbuf *out, const struct look *l)
{
	add_metric(out, "account_paused", "Accounts that are paused, and why.");
	for (size_t i = 0; i < l->paused_n; i++) {
		strbuf_addstr(out, "msubmit_account_paused{");
		add_label(out, "account", l->paused[i].account);
		strbuf_addch(out, ',');
		add_label(out, "fault", l->paused[i].fault);
		strbuf_addstr(out, "} 1\n");
	}
	add_metric(out, "account_paused_since_timestamp_seconds", "When the pause began.");
	for (size_t i = 0; i < l->paused_n; i++) {
		strbuf_addstr(out, "msubmit_account_paused_since_timestamp_seconds{");
		add_label(out, "account", l->paused[i].account);
		strbuf_addf(out, "} %" PRId64 "\n", l->paused[i].since_ms / 1000);
	}
}

static void add_metrics(struct strbuf *out, const struct health_report *h)
{
	const struct look *l = h->look;

	add_metric(out, "queue_messages", "Messages in the queue and its folders.");
	for (int i = 0; i < LOOK_KINDS; i++)
		strbuf_addf(out, "msubmit_queue_messages{state=\"%s\"} %" PRIu64 "\n", kinds[i],
			    l->count[i]);
	add_metric(out, "queue_size_bytes", "What waits in the queue has so many octets.");
	strbuf_addf(out, "msubmit_queue_size_bytes %" PRIu64 "\n", l->octets);
	add_metric(out, "queue_oldest_age_seconds", "How long the oldest deferred message waits.");
	strbuf_addf(out, "msubmit_queue_oldest_age_seconds %" PRId64 "\n", oldest_seconds(h));
	add_metric(out, "queue_health", "0 well, 1 warning, 2 critical.");
	strbuf_addf(out, "msubmit_queue_health %d\n", (int)h->health);
	add_paused_metrics(out, l);
	if (!l->success_ms)
		return;
	add_metric(out, "last_success_timestamp_seconds", "When a server last took a message.");
	strbuf_addf(out, "msubmit_last_success_timestamp_seconds %" PRId64 "\n",
		    l->success_ms / 1000);
}

/* --- the command ---------------------------------------------------------------------- */

/* delay_warning_time of the account: its users are warned then, too. */
static int64_t late_of(const struct invocation *inv)
{
	struct config *config = NULL;
	struct account defaults;
	const struct account *a = NULL;
	struct error ignored;

	settings_defaults(SCOPE_ACCOUNT, &defaults, inv->arena, false);
	if (config_load(&inv->request.config, &config, &ignored) == 0)
		a = inv->request.account ? config_account(config, inv->request.account) :
			config_default(config);
	const int64_t late = 1000 * (int64_t)(a ? a : &defaults)->queue.delay_warning;

	config_free(config);
	return late;
}

static int cannot_tell(const struct invocation *inv, const struct error *err)
{
	struct strbuf out = STRBUF_INIT(STATUS_MAX);

	(void)report_failure(inv, err);
	if (!inv->json && !inv->subject) {
		strbuf_addf(&out, "msubmit %s: ", health_words[HEALTH_UNKNOWN]);
		add_reason(&out, err->text);
		strbuf_addch(&out, '\n');
		(void)report_output(inv, out.buf);
	}
	strbuf_release(&out);
	return HEALTH_UNKNOWN;
}

int cmd_status(const struct invocation *inv)
{
	const bool metrics = inv->subject && strcmp(inv->subject, "prometheus") == 0;
	struct strbuf out = STRBUF_INIT(STATUS_MAX);
	struct queue q = QUEUE_INIT;
	struct look look;
	struct health_report h = { .look = &look, .now = datetime_now(), .late_ms = late_of(inv) };
	struct error err;

	if (inv->subject && !metrics) {
		error_set(&err, FAULT_USAGE, "--status=%.100s: the only other form is "
			  "'prometheus'; see --json, too", inv->subject);
		return report_failure(inv, &err);
	}
	int rc = queue_of_owner(inv, &q, &err);

	if (rc == 0)
		rc = queue_look(&q, h.now, inv->arena, &look, &err);
	queue_close(&q);
	if (rc < 0)
		return cannot_tell(inv, &err);
	h.health = judge(&h);
	if (metrics)
		add_metrics(&out, &h);
	else if (inv->json)
		add_status_object(&out, &h);
	else
		add_status_text(&out, &h);
	if (report_print(inv, &out) != EX_OK)
		return HEALTH_UNKNOWN;
	/* whoever collects numbers judges them himself */
	return metrics ? HEALTH_OK : (int)h.health;
}
