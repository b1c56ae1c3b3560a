/*
 * The log lines of a report, in the account's log_format, to syslog and to a
 * file.
 *
 * msmtp: one line for each attempt, with the keys of msmtp's log first, then
 * our own; when the recipients have come to different ends, a line for each
 * of them follows, which has none of msmtp's keys but "from". key-value and
 * json: one line for each attempt and recipient, all with the same keys.
 * A log that cannot be written changes nothing, and is mentioned only when
 * the message failed as well.
 */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "util/arena.h"
#include "util/aside.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/logsocket.h"
#include "util/json.h"
#include "util/strbuf.h"
#include "util/text.h"

#define LINE_MAX_OCTETS ((size_t)64 * 1024)
#define FILE_MAX_OCTETS ((size_t)256 * 1024 * 1024)	/* 100,000 recipients have room */
#define LOG_RECIPIENTS_MAX 100	/* of one line of msmtp's form; more are counted, not listed */

/* --- pairs of key and value ------------------------------------------------------- */

/* Escaped, the delimiter too, so that no server's words look like a key of ours. */
static void add_marked(struct strbuf *out, const char *mark, const char *value)
{
	strbuf_addstr(out, mark);
	for (const char *p = value;; p++) {
		size_t n = strcspn(p, mark);

		text_escape_add(out, p, n);
		p += n;
		if (!*p)
			break;
		strbuf_addf(out, "\\x%02X", (unsigned)(unsigned char)*p);
	}
	strbuf_addstr(out, mark);
}

/* " key=value", escaped; quoted when it holds blanks or quotes, as msmtp does. */
static void add_pair(struct strbuf *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	if (out->len)
		strbuf_addch(out, ' ');
	strbuf_addstr(out, key);
	strbuf_addch(out, '=');
	if (strpbrk(value, " \"'"))
		add_marked(out, strchr(value, '\'') && !strchr(value, '"') ? "\"" : "'", value);
	else
		text_escape_add(out, value, strlen(value));
}

static void add_number(struct strbuf *out, const char *key, long long value)
{
	char number[32];

	snprintf(number, sizeof(number), "%lld", value);
	add_pair(out, key, number);
}

static const char *seconds(char *out, size_t room, long milliseconds)
{
	snprintf(out, room, "%ld.%03ld", milliseconds / 1000, milliseconds % 1000);
	return out;
}

/* --- msmtp's form ------------------------------------------------------------------- */

/* What a session has left to tell: nothing of a message that was thrown away. */
static const struct result *session_of(const struct report *r)
{
	return r->discarded ? NULL : r->result;
}

static const char *host_of(const struct report *r)
{
	const struct account *a = r->account;

	if (r->result && r->result->server)
		return r->result->server;
	return a->socket ? a->socket : a->host;
}

static const char *sender_of(const struct report *r)
{
	if (!r->envelope || !r->envelope->rcpt_count)
		return NULL;
	return *r->envelope->sender ? r->envelope->sender : "<>";
}

/* The sender before it was rewritten, where that was another one. */
static const char *original_sender(const struct report *r)
{
	const char *was = r->orig_sender;

	if (!was || !r->envelope || strcmp(was, r->envelope->sender) == 0)
		return NULL;
	return *was ? was : "<>";
}

static void add_log_recipients(struct strbuf *out, const struct envelope *e)
{
	struct strbuf list = STRBUF_INIT(LINE_MAX_OCTETS);
	size_t shown = e->rcpt_count < LOG_RECIPIENTS_MAX ? e->rcpt_count : LOG_RECIPIENTS_MAX;

	for (size_t i = 0; i < shown; i++)
		strbuf_addf(&list, "%s%s", i ? "," : "", e->rcpt[i].address);
	if (shown < e->rcpt_count)
		strbuf_addf(&list, ",(%zu more)", e->rcpt_count - shown);
	add_pair(out, "recipients", list.buf);
	strbuf_release(&list);
}

/* What msmtp has as well; what reads its log goes on reading. */
static void add_msmtp_keys(struct strbuf *out, const struct report *r, const struct error *why)
{
	const struct result *result = session_of(r);

	add_pair(out, "host", host_of(r));
	if (result) {
		add_pair(out, "tls", result->tls ? "on" : "off");
		add_pair(out, "auth", result->mechanism ? "on" : "off");
		add_pair(out, "user", result->mechanism ? r->account->auth.user : NULL);
	}
	add_pair(out, "from", sender_of(r));
	if (r->envelope && r->envelope->rcpt_count)
		add_log_recipients(out, r->envelope);
	if (result)
		add_number(out, "mailsize", (long long)r->envelope->size);
	if (result && result->error.reply)
		add_number(out, "smtpstatus", result->error.reply);
	if (result)
		add_pair(out, "smtpmsg", report_words(r, &result->error));
	add_pair(out, "errormsg", why ? why->text : NULL);
	add_pair(out, "exitcode", report_exit_name(why ? why->exit : 0));
}

static const char *joined(const struct result *r, const char *all, const char *more)
{
	return all && more ? arena_printf(r->arena, "%s; %s", all, more) : all ? all : more;
}

/*
 * "a; b": what the user may want to know, with what is about recipient i (251,
 * 252); NULL for nothing. Lives in the result's arena.
 */
static const char *notes_of(const struct report *r, size_t i)
{
	const struct result *result = r->result;
	const char *all = NULL;

	for (size_t k = 0; result && k < result->note_n; k++)
		all = joined(result, all, result->note[k]);
	return result && i < result->rcpt_count ? joined(result, all, result->rcpt[i].note) : all;
}

/* The same with what is about any of them: "<b@example.org>: 251 ...". */
static const char *all_notes_of(const struct report *r)
{
	const struct result *result = r->result;
	const char *all = notes_of(r, SIZE_MAX);

	for (size_t i = 0; result && i < result->rcpt_count && i < LOG_RECIPIENTS_MAX; i++) {
		if (result->rcpt[i].note)
			all = joined(result, all, arena_printf(result->arena, "<%s>: %s",
							       r->envelope->rcpt[i].address,
							       result->rcpt[i].note));
	}
	return all;
}

static void add_own_keys(struct strbuf *out, const struct report *r, const struct error *why)
{
	const struct result *result = session_of(r);
	char number[32];

	add_pair(out, "account", r->account->name);
	if (result) {
		add_pair(out, "addr", result->address);
		add_pair(out, "cipher", result->tls);
		add_pair(out, "mechanism", result->mechanism);
		add_pair(out, "binding", result->binding);
	}
	add_pair(out, "msgid", r->message_id);
	if (result)
		add_pair(out, "left_out", result->left_out);
	add_pair(out, "unparsed", r->envelope ? r->envelope->unparsed : NULL);
	add_pair(out, "note", all_notes_of(r));
	if (result)
		add_pair(out, "delay", seconds(number, sizeof(number), r->milliseconds));
	add_pair(out, "id", r->queue_id);
	add_number(out, "uid", (long long)getuid());
	add_pair(out, "orig_from", original_sender(r));
	add_pair(out, "dsn", why ? why->status : NULL);
	if (r->attempt)
		add_number(out, "attempt", r->attempt);
	add_pair(out, "status", report_status(r));
}

/* --- our own forms: the same keys for each recipient ------------------------------------ */

/* A key of a line; text NULL = not known. */
struct field {
	const char *key, *text;
	bool number;
};

#define FIELDS_MAX 24

struct fields {
	struct field v[FIELDS_MAX];
	size_t n;
	char uid[24], code[24], delay[32], attempt[24];
};

static void put(struct fields *f, const char *key, const char *text, bool number)
{
	assert(f->n < FIELDS_MAX);
	f->v[f->n++] = (struct field){ key, text && *text ? text : NULL, number };
}

/* A key that is there only when it has something to say. */
static void put_said(struct fields *f, const char *key, const char *text)
{
	if (text)
		put(f, key, text, false);
}

/* All keys, in the order of doc/behaviour.md#log. */
static void fill(struct fields *f, const struct report *r, size_t i)
{
	const struct result *result = session_of(r);
	const bool any = i < report_recipients(r);
	const struct error *e = any ? report_recipient_error(r, i) : report_error(r);
	const bool failed = any ? report_recipient_failed(r, i) : e != NULL;

	f->n = 0;
	snprintf(f->uid, sizeof(f->uid), "%lu", (unsigned long)getuid());
	snprintf(f->code, sizeof(f->code), "%d", e ? e->reply : 0);
	snprintf(f->attempt, sizeof(f->attempt), "%u", r->attempt);
	put(f, "id", r->queue_id, false);
	put(f, "msgid", r->message_id, false);
	put(f, "uid", f->uid, true);
	put(f, "from", sender_of(r), false);
	put(f, "orig_from", original_sender(r), false);
	put(f, "to", any ? r->envelope->rcpt[i].address : NULL, false);
	put(f, "account", r->account->name, false);
	put(f, "host", host_of(r), false);
	put(f, "addr", result ? result->address : NULL, false);
	put(f, "tls", !result ? NULL : result->tls ? result->tls : "off", false);
	put(f, "auth", result ? result->mechanism : NULL, false);
	put_said(f, "binding", result ? result->binding : NULL);
	put(f, "code", e && e->reply ? f->code : NULL, true);
	put(f, "dsn", e ? e->status : NULL, false);
	put(f, "reply", e ? report_words(r, e) : NULL, false);
	put(f, "error", failed ? e->text : NULL, false);
	put(f, "delay", result ? seconds(f->delay, sizeof(f->delay), r->milliseconds) : NULL,
	    true);
	put(f, "attempt", r->attempt ? f->attempt : NULL, true);
	put_said(f, "unparsed", r->envelope ? r->envelope->unparsed : NULL);
	put_said(f, "note", notes_of(r, i));
	put(f, "exitcode", report_exit_name(failed ? e->exit : 0), false);
	put(f, "status", any ? report_recipient_status(r, i) : report_status(r), false);
}

/* Values with anything but the plainest characters stand in double quotes. */
static void add_key_values(struct strbuf *out, const struct fields *f)
{
	for (size_t i = 0; i < f->n; i++) {
		const char *value = f->v[i].text;

		if (!value)
			continue;
		strbuf_addf(out, "%s%s=", out->len ? " " : "", f->v[i].key);
		if (strpbrk(value, " \"'="))
			add_marked(out, "\"", value);
		else
			text_escape_add(out, value, strlen(value));
	}
}

static void put_json(struct strbuf *out, const struct fields *f)
{
	struct json j = { .out = out };
	char now[DATETIME_UTC_SIZE];

	json_begin(&j, NULL, '{');
	json_string(&j, "time", datetime_utc(now, datetime_now()));
	for (size_t i = 0; i < f->n; i++) {
		if (f->v[i].number && f->v[i].text)
			json_raw(&j, f->v[i].key, f->v[i].text);
		else
			json_string(&j, f->v[i].key, f->v[i].text);
	}
	json_end(&j, '}');
}

/* --- where the lines go -------------------------------------------------------------- */

struct output {
	const struct report *report;
	bool failed;
	struct strbuf file;		/* all lines, for one write */
};

/* The format is the administrator's own: strftime() cannot be led astray by it. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

/* "Mar 04 10:20:30 " or what logfile_time_format says. */
static void add_time(struct strbuf *out, const struct account *a)
{
	const char *format = a->logfile_time_format ? a->logfile_time_format : "%b %d %H:%M:%S";
	time_t now = time(NULL);
	struct tm when;
	char text[256];

	if (localtime_r(&now, &when) && strftime(text, sizeof(text), format, &when) > 0)
		strbuf_addf(out, "%s ", text);
}

#pragma GCC diagnostic pop

void report_log_syslog(const struct invocation *inv, int facility, int priority, const char *line)
{
	logsocket_send(LOGSOCKET_PATH, facility | priority,
		       inv->syslog_tag ? inv->syslog_tag : inv->name, line);
}

static void emit(struct output *o, const char *text)
{
	const struct account *a = o->report->account;

	if (a->syslog >= 0)
		report_log_syslog(o->report->inv, a->syslog, o->failed ? LOG_ERR : LOG_INFO, text);
	if (!a->logfile)
		return;
	if (o->file.len)
		strbuf_addch(&o->file, '\n');
	if (a->report.log_format != LOG_FORMAT_JSON)
		add_time(&o->file, a);
	strbuf_addstr(&o->file, text);
}

#define LOG_SECONDS 10		/* a disk that hangs is given up then */

struct log_lines {
	const char *path, *name;	/* the latter in its folder */
	const struct strbuf *text;
	int folder;
};

/* errno says why. */
static int cannot_write(const char *path, struct error *err)
{
	return error_errno(err, FAULT_CANNOT_WRITE, "cannot write the log %s", path);
}

static int open_folder(const char *path, const char *name)
{
	struct strbuf folder = STRBUF_INIT(PATH_MAX);

	strbuf_add(&folder, path, (size_t)(name - path) - (name - path > 1));
	const int fd = open(folder.len ? folder.buf : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const int why = errno;

	strbuf_release(&folder);
	errno = why;
	return fd;
}

/* Where others can put a link none is followed: it could lead to what only we may write to. */
static int open_log(const struct log_lines *l)
{
	int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat st;

	if (fstat(l->folder, &st) < 0)
		return -1;
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		flags |= O_NOFOLLOW;
	return openat(l->folder, l->name, flags, 0600);
}

/* Whole lines in one write. */
static int append_lines(void *ctx, struct error *err)
{
	const struct log_lines *l = ctx;
	const int fd = open_log(l);
	const int rc = fd < 0 ? -1 : fs_write_all(fd, l->text->buf, l->text->len);

	if (rc < 0)
		(void)!cannot_write(l->path, err);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* A process of its own costs as much as all the rest, so only what may hang gets one. */
static int append_log(const char *path, const struct strbuf *text, struct error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	struct log_lines l = { path, name, text, open_folder(path, name) };

	if (l.folder < 0)
		return cannot_write(path, err);
	const int rc = fs_is_local(l.folder) ? append_lines(&l, err) :
		aside_run(path, LOG_SECONDS, append_lines, &l, err);

	close(l.folder);
	return rc;
}

/* "-" is standard output, as in msmtp. */
static int write_log(const char *path, const struct strbuf *text, struct error *err)
{
	if (strcmp(path, "-") != 0)
		return append_log(path, text, err);
	if (fs_write_all(STDOUT_FILENO, text->buf, text->len) == 0)
		return 0;
	return cannot_write(path, err);
}

/* A log that cannot be written changes nothing else. */
static void finish(struct output *o)
{
	const struct account *a = o->report->account;
	struct error err;

	if (o->file.len)
		strbuf_addch(&o->file, '\n');
	if (a->logfile && o->file.len && write_log(a->logfile, &o->file, &err) < 0 && o->failed)
		report_line(o->report->inv, "%s", err.text);
	strbuf_release(&o->file);
}

static bool several_ends(const struct report *r)
{
	for (size_t i = 1; i < report_recipients(r); i++) {
		const struct error *e = report_recipient_error(r, i);
		const struct error *first = report_recipient_error(r, 0);

		if (strcmp(report_recipient_status(r, i), report_recipient_status(r, 0)) != 0 ||
		    strcmp(e->text, first->text) != 0)
			return true;
	}
	return false;
}

/* The line about one recipient in msmtp's form: none of its keys that readers look for. */
static void add_log_part(struct strbuf *out, const struct report *r, size_t i)
{
	const struct error *e = report_recipient_error(r, i);
	char code[24];

	snprintf(code, sizeof(code), "%d", e->reply);
	add_pair(out, "to", r->envelope->rcpt[i].address);
	add_pair(out, "status", report_recipient_status(r, i));
	add_pair(out, "code", e->reply ? code : NULL);
	add_pair(out, "dsn", e->status);
	add_pair(out, "reply", report_words(r, e));
	add_pair(out, "error", report_recipient_failed(r, i) ? e->text : NULL);
	add_pair(out, "account", r->account->name);
	add_pair(out, "msgid", r->message_id);
	add_pair(out, "id", r->queue_id);
}

static void log_msmtp(struct output *o, struct strbuf *line)
{
	const struct report *r = o->report;

	add_msmtp_keys(line, r, report_error(r));
	add_own_keys(line, r, report_error(r));
	emit(o, line->buf);
	if (!r->result || !several_ends(r))
		return;
	for (size_t i = 0; i < report_recipients(r); i++) {
		strbuf_reset(line);
		add_log_part(line, r, i);
		emit(o, line->buf);
	}
}

static void emit_fields(struct output *o, struct strbuf *line, const struct fields *f)
{
	strbuf_reset(line);
	if (o->report->account->report.log_format == LOG_FORMAT_JSON)
		put_json(line, f);
	else
		add_key_values(line, f);
	emit(o, line->buf);
}

static void log_fields(struct output *o, struct strbuf *line)
{
	const struct report *r = o->report;
	const size_t n = report_recipients(r);
	struct fields f;

	for (size_t i = 0; i < (n ? n : 1); i++) {
		fill(&f, r, i);
		emit_fields(o, line, &f);
	}
}

/* -oem: nobody can be mailed about a failure, and nobody reads stderr. */
static bool log_for_caller(const struct report *r)
{
	return report_error(r) && r->inv->errors_mailed && !isatty(STDERR_FILENO);
}

/* A line of its own, in none of msmtp's keys. */
static void log_warning(const struct report *r, const char *text)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_OCTETS);
	struct output o = { .report = r };
	struct fields f = { .n = 0 };

	if (!r->account || (!r->account->logfile && r->account->syslog < 0))
		return;
	strbuf_init(&o.file, FILE_MAX_OCTETS);
	put(&f, "id", r->queue_id, false);
	put(&f, "msgid", r->message_id, false);
	put(&f, "account", r->account->name, false);
	put(&f, "warning", text, false);
	emit_fields(&o, &line, &f);
	finish(&o);
	strbuf_release(&line);
}

void report_log(const struct report *asked)
{
	static const struct account nobody = { .syslog = LOG_MAIL };
	struct report copy = *asked, *r = &copy;
	struct strbuf line = STRBUF_INIT(LINE_MAX_OCTETS);
	struct output o = { .report = r, .failed = report_error(r) != NULL };

	if (!r->account && log_for_caller(r))
		r->account = &nobody;
	if (!r->account || (!r->account->logfile && r->account->syslog < 0))
		return;
	strbuf_init(&o.file, FILE_MAX_OCTETS);
	if (r->account->report.log_format == LOG_FORMAT_MSMTP)
		log_msmtp(&o, &line);
	else
		log_fields(&o, &line);
	finish(&o);
	strbuf_release(&line);
	for (size_t i = 0; r->envelope && i < r->envelope->warning_n; i++)
		log_warning(r, r->envelope->warning[i]);
}

void report_log_aside(const struct report *r, const struct error *err)
{
	log_warning(r, err->text);
}
