/*
 * -bp and mailq, -bpc: what waits in the queue, in the form that Postfix's
 * mailq has and that scripts read (doc/sendmail.md#queue), or as objects in
 * JSON, one a line. One entry at a time is in memory.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/queue_view.h"
#include "cli/report.h"
#include "queue/entry.h"
#include "queue/queue.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define ENTRY_TEXT_MAX ((size_t)256 * 1024 * 1024)

/* What has been listed so far. */
struct listing {
	const struct invocation *inv;
	struct queue *queue;
	uint64_t entries, octets;
	int status;		/* code of sysexits.h: of what could not be read */
};

/* "Mon Jan  1 00:00:00" of here. */
static void add_moment(struct strbuf *out, int64_t ms)
{
	const time_t when = (time_t)(ms / 1000);
	char text[40] = "";
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(text, sizeof(text), "%a %b %e %H:%M:%S", &tm);
	strbuf_addf(out, "%19.19s", text);
}

/* Those who wait, each reason in front of the first whom it is about. */
static void add_waiting(struct strbuf *out, const struct entry *e)
{
	const char *before = "";

	for (size_t i = 0; i < e->envelope.rcpt_count; i++) {
		const char *why = e->rcpt[i].text ? e->rcpt[i].text : "";

		if (!entry_rcpt_open(e, i))
			continue;
		if (*why && strcmp(why, before) != 0)
			strbuf_addf(out, "%37s(%s)\n", "", why);
		before = why;
		strbuf_addf(out, "%42s%s\n", "", e->envelope.rcpt[i].address);
	}
}

static void add_text(struct strbuf *out, const struct entry *e, bool first)
{
	if (first)
		strbuf_addstr(out, "----Queue ID----- --Size-- ---Arrival Time---- "
			      "-Sender/Recipient------\n");
	strbuf_addf(out, "%s%c %8" PRIu64 " ", e->id, e->held ? '!' : ' ', e->message_size);
	add_moment(out, e->arrival_ms);
	strbuf_addf(out, "  %s\n", *e->envelope.sender ? e->envelope.sender : "MAILER-DAEMON");
	add_waiting(out, e);
	strbuf_addch(out, '\n');
}

/* One that has just been sent is passed over; a damaged one is named. */
static int list_entry(void *ctx, const struct queue_item *item)
{
	struct listing *l = ctx;
	struct arena *a = arena_new();
	struct strbuf text = STRBUF_INIT(ENTRY_TEXT_MAX);
	struct entry e;
	struct error err;
	int rc = 0;

	if (queue_peek(l->queue, item->id, a, &e, &err) == 0) {
		if (l->inv->json)
			view_add_object(&text, &e, false);
		else
			add_text(&text, &e, l->entries == 0);
		l->entries++;
		l->octets += e.message_size;
		rc = report_output(l->inv, text.buf);
	} else if (!error_is(&err, FAULT_NO_INPUT)) {
		report_line(l->inv, "%s", err.text);
		l->status = err.exit;
	}
	strbuf_release(&text);
	arena_free(a);
	return rc;
}

static int end_listing(const struct listing *l)
{
	struct strbuf text = STRBUF_INIT(200);

	if (l->entries || l->status)
		strbuf_addf(&text, "-- %" PRIu64 " Kbytes in %" PRIu64 " Request%s.\n",
			    (l->octets + 1023) / 1024, l->entries, l->entries == 1 ? "" : "s");
	else
		strbuf_addstr(&text, "Mail queue is empty\n");
	return report_print(l->inv, &text);
}

int cmd_queue_list(const struct invocation *inv)
{
	struct queue q = QUEUE_INIT;
	struct listing l = { .inv = inv, .queue = &q };
	struct error err;

	if (queue_of_caller(inv, &q, &err) < 0)
		return report_failure(inv, &err);
	int rc = queue_each(&q, list_entry, &l, &err);

	queue_close(&q);
	if (rc < 0)
		return report_failure(inv, &err);
	if (rc == 0 && !inv->json)
		rc = end_listing(&l);
	return rc ? rc : l.status;
}

static int count_entry(void *ctx, const struct queue_item *item)
{
	uint64_t *n = ctx;

	(void)item;
	++*n;
	return 0;
}

int cmd_queue_count(const struct invocation *inv)
{
	struct strbuf text = STRBUF_INIT(40);
	struct queue q = QUEUE_INIT;
	uint64_t n = 0;
	struct error err;
	int rc = queue_of_caller(inv, &q, &err);

	if (rc == 0)
		rc = queue_each(&q, count_entry, &n, &err);
	queue_close(&q);
	if (rc < 0)
		return report_failure(inv, &err);
	strbuf_addf(&text, "%" PRIu64 "\n", n);
	return report_print(inv, &text);
}
