/*
 * on_failure: a program of the administrator's is told that a message failed.
 *
 * It gets one JSON object on standard input (that of --json, with "host",
 * "uid", "suppressed", and "subject" where on_failure_subject asks for it), is
 * run without shell, its output is thrown away, and it is ended after
 * on_failure_timeout. For each cause - account, exit code, enhanced status
 * and server - it is run once in notify_interval; what was left out meanwhile
 * is counted in "suppressed". Its failure changes nothing but that the log
 * has a line about it.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/report.h"
#include "conf/account.h"
#include "message/header.h"
#include "message/message.h"
#include "message/result.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/json.h"
#include "util/proc.h"
#include "util/store.h"
#include "util/strbuf.h"

#define JSON_LIMIT ((size_t)64 * 1024 * 1024)
#define PATH_LIMIT 8192
#define STATE_MAX 128		/* octets of "TIME COUNT" */

/* --- once in a while -------------------------------------------------------------- */

/* When it was run last for this cause, and how often it was not run since. */
struct last {
	int64_t when;
	unsigned long suppressed;
};

/* What makes two failures the same, as the name of a note. */
static void cause_name(struct strbuf *name, const struct report *r)
{
	const struct error *why = report_error(r);
	struct strbuf text = STRBUF_INIT(PATH_LIMIT);

	strbuf_addf(&text, "%s\n%d\n%s\n%s", r->account->name, why->exit, why->status,
		    r->result && r->result->server ? r->result->server : "");
	store_name(name, "", &text);
	strbuf_release(&text);
}

/* No note, and one that says nothing, is as if it never was run. */
static int read_last(const struct store *notes, const char *name, struct last *last,
		     struct error *err)
{
	struct strbuf text = STRBUF_INIT(STATE_MAX);
	char *end;
	int rc = store_read(notes, name, FS_OWN | FS_NOT_OTHERS, &text, err);

	errno = 0;
	last->when = strtoll(text.buf, &end, 10);
	last->suppressed = *end == ' ' ? strtoul(end + 1, NULL, 10) : 0;
	if (rc < 0 || errno || last->when < 0)
		*last = (struct last){ .when = 0 };
	strbuf_release(&text);
	return rc;
}

static int write_last(const struct store *notes, const char *name, const struct last *last,
		      struct error *err)
{
	char text[STATE_MAX];
	int n = snprintf(text, sizeof(text), "%" PRId64 " %lu\n", last->when, last->suppressed);

	return store_write(notes, name, 0600, STORE_REPLACE, text, (size_t)n, err);
}

/*
 * Is it time again? What is noted is noted before the program runs, so that
 * many failures at once are one. A clock that was put back counts as time.
 * Without a note it is better told once too often than never.
 */
static bool is_due(const struct report *r, unsigned long *suppressed, struct error *err)
{
	const int64_t now = (int64_t)time(NULL), interval = r->account->report.notify_interval;
	struct store notes;
	struct last last;
	struct strbuf name = STRBUF_INIT(64);
	bool due = true;

	*suppressed = 0;
	if (interval == 0)
		return true;
	cause_name(&name, r);
	if (store_open_state(&notes, "notify", err) < 0 ||
	    store_lock(&notes, FS_LOCK_MS, err) < 0) {
		report_log_aside(r, err);
	} else {
		if (read_last(&notes, name.buf, &last, err) < 0)
			report_log_aside(r, err);
		due = !last.when || now >= last.when + interval || now < last.when;
		*suppressed = last.suppressed;
		last.suppressed = due ? 0 : last.suppressed + 1;
		last.when = due ? now : last.when;
		if (write_last(&notes, name.buf, &last, err) < 0)
			report_log_aside(r, err);
	}
	strbuf_release(&name);
	store_close(&notes);
	return due;
}

/* --- the program --------------------------------------------------------------------- */

static void add_subject(struct json *j, const struct report *r)
{
	const struct header_field *f = r->message ?
		header_find(&r->message->header, HEADER_SUBJECT) : NULL;
	struct arena *a = arena_new();

	json_string(j, "subject", f ? header_value(a, f) : NULL);
	arena_free(a);
}

static void describe_failure(struct strbuf *out, const struct report *r, unsigned long suppressed)
{
	struct json j = { .out = out };
	char host[256] = "";

	(void)!gethostname(host, sizeof(host) - 1);
	json_begin(&j, NULL, '{');
	report_json_members(&j, r);
	json_string(&j, "host", host);
	json_number(&j, "uid", (int64_t)getuid());
	json_number(&j, "suppressed", (int64_t)suppressed);
	if (r->account->report.on_failure_subject)
		add_subject(&j, r);
	json_end(&j, '}');
	strbuf_addch(out, '\n');
}

void report_hook(const struct report *r)
{
	struct strbuf text = STRBUF_INIT(JSON_LIMIT);
	unsigned long suppressed;
	struct error err;

	if (!r->account || !r->account->report.on_failure)
		return;
	if (!is_due(r, &suppressed, &err))
		return;
	describe_failure(&text, r, suppressed);
	if (proc_feed((char *const *)(void *)r->account->report.on_failure,
		      r->account->report.on_failure_timeout, text.buf, text.len, &err) < 0) {
		error_prefix(&err, "on_failure");
		report_log_aside(r, &err);
	}
	strbuf_release(&text);
}
