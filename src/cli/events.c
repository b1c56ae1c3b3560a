#include "config.h"
#include "cli/events.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/report.h"
#include "message/envelope.h"
#include "message/result.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/json.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"
#include "util/xalloc.h"

#define LINE_LIMIT ((size_t)1 << 20)
#define TRANSFER_MS 100		/* between two events of a transfer */
#define METER_AFTER_MS 1000	/* a transfer that is done by then shows no meter */
#define METER_MS 200

struct events {
	const struct invocation *inv;
	struct observer observer;
	int fd;				/* of --events, -1 = none */
	int trace_fd;			/* of --trace, -1 = none */
	bool meter, metered;		/* wanted; something is on the terminal */
	int64_t transfer_start, transfer_last;
	struct strbuf line;		/* the event under way */
	struct json json;
	char cut[4];			/* of the text: a character that is not whole yet */
	size_t cut_n;
};

/* {"event":"NAME","time":1795380684.123 ... the caller adds the rest. */
static struct json *begin(struct events *e, const char *name)
{
	struct timespec now;

	e->json = (struct json){ .out = &e->line };
	clock_gettime(CLOCK_REALTIME, &now);
	strbuf_reset(&e->line);
	json_begin(&e->json, NULL, '{');
	json_string(&e->json, "event", name);
	strbuf_addf(&e->line, ",\"time\":%" PRId64 ".%03ld", (int64_t)now.tv_sec,
		    now.tv_nsec / 1000000);
	return &e->json;
}

static void end(struct events *e)
{
	json_end(&e->json, '}');
	strbuf_addch(&e->line, '\n');
	if (e->fd >= 0 && fs_write_all(e->fd, e->line.buf, e->line.len) < 0)
		e->fd = -1;	/* nobody reads any more */
}

static void write_trace(int fd, enum wire_direction direction, const char *text, size_t n)
{
	struct strbuf line = STRBUF_INIT(LINE_LIMIT);

	strbuf_addstr(&line, direction == WIRE_OUT || direction == WIRE_NOTE_OUT ? "--> " :
								       "<-- ");
	text_escape_add(&line, text, n);
	strbuf_addch(&line, '\n');
	(void)!fs_write_all(fd, line.buf, line.len);
	strbuf_release(&line);
}

static void trace(void *ctx, enum wire_direction direction, const char *text, size_t n)
{
	static const char *const names[] = {
		[WIRE_IN] = "reply", [WIRE_OUT] = "command",
		[WIRE_NOTE_IN] = "note", [WIRE_NOTE_OUT] = "note",
	};
	struct events *e = ctx;

	if (e->inv->verbose)
		write_trace(STDERR_FILENO, direction, text, n);
	if (e->trace_fd >= 0)
		write_trace(e->trace_fd, direction, text, n);
	if (e->fd >= 0) {
		json_octets(begin(e, names[direction]), "line", text, n);
		end(e);
	}
}

static void tls_trace(void *ctx, enum wire_direction direction, const char *text, size_t n)
{
	const struct events *e = ctx;

	write_trace(STDERR_FILENO, direction, text, n);
	if (e->trace_fd >= 0)
		write_trace(e->trace_fd, direction, text, n);
}

static void connected(void *ctx, const char *server, const char *address)
{
	struct json *j = begin(ctx, "connection");

	json_string(j, "server", server);
	json_string(j, "address", address);
	end(ctx);
}

static void failed(void *ctx, const char *server, const struct error *err)
{
	struct json *j = begin(ctx, "connection-failed");

	json_string(j, "server", server);
	json_string(j, "text", err->text);
	json_string(j, "fault", fault_rows[err->fault].name);
	end(ctx);
}

static void closed(void *ctx)
{
	(void)begin(ctx, "closed");
	end(ctx);
}

static void secured(void *ctx, const char *tls, bool verified, const struct strvec *chain)
{
	struct json *j = begin(ctx, "tls");

	json_string(j, "description", tls);
	json_bool(j, "verified", verified);
	json_begin(j, "chain", '[');
	for (size_t i = 0; i < chain->n; i++)
		json_string(j, NULL, chain->v[i]);
	json_end(j, ']');
	end(ctx);
}

/* "\r 12.5 of 40.0 MiB, 31 %": written over itself, wiped at the end. */
static void show_meter(struct events *e, uint64_t done, uint64_t total)
{
	struct strbuf line = STRBUF_INIT(200);
	double mib = 1024.0 * 1024.0;

	if (done < total)
		strbuf_addf(&line, "\r%s: %.1f of %.1f MiB, %.0f %%", e->inv->name,
			    (double)done / mib, (double)total / mib,
			    100.0 * (double)done / (double)total);
	else
		strbuf_addstr(&line, "\r\033[K");
	(void)!fs_write_all(STDERR_FILENO, line.buf, line.len);
	e->metered = done < total;
	strbuf_release(&line);
}

static void write_text(struct events *e, const char *text, size_t n)
{
	json_octets(begin(e, "text"), "text", text, n);
	end(e);
}

/* How many octets at the end of the text begin a character of UTF-8 that goes on? */
static size_t unfinished(const char *text, size_t n)
{
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		const unsigned char c = (unsigned char)text[n - back];

		if (c >= 0xc0)
			return back < (c >= 0xf0 ? 4U : c >= 0xe0 ? 3U : 2U) ? back : 0;
		if (c < 0x80)
			break;
	}
	return 0;
}

/* Each piece has whole characters, wherever the blocks of the transfer end. */
static void show_text(void *ctx, const char *data, size_t n)
{
	struct events *e = ctx;
	struct strbuf all = STRBUF_INIT(LINE_LIMIT);

	strbuf_add(&all, e->cut, e->cut_n);
	strbuf_add(&all, data, n);
	e->cut_n = unfinished(all.buf, all.len);
	memcpy(e->cut, all.buf + all.len - e->cut_n, e->cut_n);
	if (all.len > e->cut_n)
		write_text(e, all.buf, all.len - e->cut_n);
	strbuf_release(&all);
}

static void transfer(void *ctx, uint64_t done, uint64_t total)
{
	struct events *e = ctx;
	int64_t now = clock_ms();
	bool last = done >= total;

	if (last && e->cut_n) {
		write_text(e, e->cut, e->cut_n);
		e->cut_n = 0;
	}

	if (!e->transfer_start)
		e->transfer_start = now;
	if (!last && now - e->transfer_last < (e->fd >= 0 ? TRANSFER_MS : METER_MS))
		return;
	e->transfer_last = now;
	if (e->fd >= 0) {
		struct json *j = begin(e, "transfer");

		json_number(j, "octets", (int64_t)done);
		json_number(j, "total", (int64_t)total);
		end(e);
	}
	bool due = e->inv->progress || now - e->transfer_start >= METER_AFTER_MS;

	if (e->meter && due && (!last || e->metered))
		show_meter(e, done, total);
}

static int open_trace(const char *path, int *fd_out, struct error *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
		      0600);

	if (fd < 0)
		return error_errno(err, FAULT_CANNOT_WRITE, "cannot write the trace %s", path);
	*fd_out = fd;
	return 0;
}

int events_open(const struct invocation *inv, struct events **out, struct error *err)
{
	struct events e = { .inv = inv, .fd = inv->events_fd, .trace_fd = -1,
			    .line = STRBUF_INIT(LINE_LIMIT) };

	if (e.fd >= 0 && fcntl(e.fd, F_GETFD) < 0)
		return error_set(err, FAULT_USAGE, "--events: descriptor %d is not open",
				 e.fd);
	if (inv->events_text && e.fd < 0)
		return error_set(err, FAULT_USAGE, "--events-text belongs to --events");
	if (inv->trace_file && open_trace(inv->trace_file, &e.trace_fd, err) < 0)
		return -1;
	e.meter = !inv->quiet && (inv->progress || (isatty(STDERR_FILENO) && !inv->verbose &&
						   !inv->trace_tls));
	*out = xcalloc(1, sizeof(e));
	**out = e;
	(*out)->observer = (struct observer){
		.ctx = *out, .connected = e.fd >= 0 ? connected : NULL,
		.failed = e.fd >= 0 ? failed : NULL, .closed = e.fd >= 0 ? closed : NULL,
		.secured = e.fd >= 0 ? secured : NULL,
		.tls_trace = inv->trace_tls ? tls_trace : NULL,
		.text = inv->events_text ? show_text : NULL,
		.transfer = e.fd >= 0 || e.meter ? transfer : NULL,
	};
	return 0;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	if (e->trace_fd >= 0)
		close(e->trace_fd);
	strbuf_release(&e->line);
	xfree(e);
}

struct attempt_options events_options(struct events *e)
{
	return (struct attempt_options){
		.trace = e->inv->verbose || e->fd >= 0 || e->trace_fd >= 0 ? trace : NULL,
		.trace_ctx = e, .observer = &e->observer,
	};
}

static void end_event(struct events *e, const char *outcome, const struct error *err)
{
	struct json *j = begin(e, "end");

	json_string(j, "outcome", outcome);
	json_number(j, "exit", err ? err->exit : 0);
	json_string(j, "text", err ? err->text : NULL);
	json_string(j, "fault", err ? fault_rows[err->fault].name : NULL);
	end(e);
}

void events_failure(struct events *e, const struct error *err)
{
	if (e->fd >= 0)
		end_event(e, "failed", err);
}

void events_result(struct events *e, const struct envelope *envelope, const struct result *r)
{
	if (e->metered)
		show_meter(e, 1, 1);
	for (size_t i = 0; e->fd >= 0 && i < r->rcpt_count; i++) {
		report_recipient_json(begin(e, "recipient"), envelope->rcpt[i].address,
				      &r->rcpt[i]);
		end(e);
	}
	if (e->fd >= 0)
		end_event(e, report_outcome_name(r->outcome),
			  r->outcome == OUTCOME_ACCEPTED || r->outcome == OUTCOME_QUEUED ?
			  NULL : &r->error);
}
