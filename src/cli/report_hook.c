#include "config.h"
#include "cli/report_hook.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/report.h"
#include "cli/report_json.h"
#include "cli/report_log.h"
#include "conf/account.h"
#include "message/header.h"
#include "message/message.h"
#include "message/result.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/json.h"
#include "util/proc.h"
#include "util/state.h"
#include "util/strbuf.h"

#define JSON_LIMIT ((size_t)64 * 1024 * 1024)
#define PATH_LIMIT 8192
#define STATE_MAX 128		/* octets of "TIME COUNT" */

/* --- once in a while -------------------------------------------------------------- */

/* When it was run last for this cause, and how often it was not run since. */
struct last {
	int fd;			/* locked; -1 = nothing can be kept */
	int64_t when;
	unsigned long suppressed;
};

/* FNV-1a, 64 bits, of what makes two failures the same; its name in the folder. */
static void cause_name(char out[17], const struct report *r)
{
	const struct error *why = report_error(r);
	struct strbuf text = STRBUF_INIT(PATH_LIMIT);
	uint64_t h = 14695981039346656037ULL;

	strbuf_addf(&text, "%s\n%d\n%s\n%s", r->account->name, why->exit, why->status,
		    r->result && r->result->server ? r->result->server : "");
	for (size_t i = 0; i < text.len; i++) {
		h ^= (unsigned char)text.buf[i];
		h *= 1099511628211ULL;
	}
	snprintf(out, 17, "%016" PRIx64, h);
	strbuf_release(&text);
}

static void read_last(struct last *last)
{
	char text[STATE_MAX], *end;
	ssize_t n = pread(last->fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	errno = 0;
	last->when = strtoll(text, &end, 10);
	last->suppressed = *end == ' ' ? strtoul(end + 1, NULL, 10) : 0;
	if (errno || last->when < 0)
		*last = (struct last){ .fd = last->fd };
}

static int write_last(const struct last *last)
{
	char text[STATE_MAX];
	int n = snprintf(text, sizeof(text), "%" PRId64 " %lu\n", last->when, last->suppressed);

	return pwrite(last->fd, text, (size_t)n, 0) == n && ftruncate(last->fd, n) == 0 ? 0 : -1;
}

/* Opens and locks the state of the cause; without a place for it fd is -1, and err says why. */
static int open_last(struct last *last, const struct report *r, struct error *err)
{
	struct strbuf path = STRBUF_INIT(PATH_LIMIT);
	char name[17];
	int folder = state_open("notify", &path, err);

	*last = (struct last){ .fd = -1 };
	if (folder >= 0) {
		cause_name(name, r);
		last->fd = openat(folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC |
				  O_NOCTTY | O_NONBLOCK, 0600);
		if (last->fd < 0)
			error_errno(err, FAULT_CANNOT_WRITE, "cannot write %s/%s", path.buf,
				    name);
		close(folder);
	}
	strbuf_release(&path);
	if (last->fd < 0)
		return -1;
	(void)!flock(last->fd, LOCK_EX);
	read_last(last);
	return 0;
}

/*
 * Is it time again? What is noted is noted before the program runs, so that
 * many failures at once are one. A clock that was put back counts as time.
 */
static bool is_due(const struct report *r, unsigned long *suppressed, struct error *err)
{
	const int64_t now = (int64_t)time(NULL), interval = r->account->report.notify_interval;
	struct last last;

	*suppressed = 0;
	if (interval == 0)
		return true;
	if (open_last(&last, r, err) < 0) {
		/* better told once too often than never */
		report_log_aside(r, err);
		return true;
	}
	bool due = !last.when || now >= last.when + interval || now < last.when;

	*suppressed = last.suppressed;
	last.suppressed = due ? 0 : last.suppressed + 1;
	last.when = due ? now : last.when;
	if (write_last(&last) < 0) {
		error_errno(err, FAULT_IO, "cannot note when on_failure was run");
		report_log_aside(r, err);
	}
	close(last.fd);
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

static void describe(struct strbuf *out, const struct report *r, unsigned long suppressed)
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
	describe(&text, r, suppressed);
	if (proc_feed((char *const *)(void *)r->account->report.on_failure,
		      r->account->report.on_failure_timeout, text.buf, text.len, &err) < 0) {
		error_prefix(&err, "on_failure");
		report_log_aside(r, &err);
	}
	strbuf_release(&text);
}
