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

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "cli/report.h"
#include "conf/account.h"
#include "message/header.h"
#include "message/message.h"
#include "message/result.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/json.h"
#include "util/once.h"
#include "util/proc.h"
#include "util/strbuf.h"

#define JSON_LIMIT ((size_t)64 * 1024 * 1024)
#define PATH_LIMIT 8192

/* --- once in a while -------------------------------------------------------------- */

/* Is it time again for this cause? */
static bool is_due(const struct report *r, unsigned long *suppressed)
{
	const struct error *why = report_error(r);
	struct strbuf cause = STRBUF_INIT(PATH_LIMIT);
	struct error trouble;

	strbuf_addf(&cause, "%s\n%d\n%s\n%s", r->account->name, why->exit, why->status,
		    r->result && r->result->server ? r->result->server : "");
	const bool due = once_due(&cause, r->account->report.notify_interval, suppressed,
				  &trouble);

	if (trouble.exit)
		report_log_aside(r, &trouble);
	strbuf_release(&cause);
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
	if (!is_due(r, &suppressed))
		return;
	describe_failure(&text, r, suppressed);
	if (proc_feed((char *const *)(void *)r->account->report.on_failure,
		      r->account->report.on_failure_timeout, text.buf, text.len, &err) < 0) {
		error_prefix(&err, "on_failure");
		report_log_aside(r, &err);
	}
	strbuf_release(&text);
}
