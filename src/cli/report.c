#include "config.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "cli/options.h"
#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/names.h"
#include "util/strbuf.h"
#include "util/text.h"

#define LINE_MAX_OCTETS ((size_t)64 * 1024)
#define LOG_RECIPIENTS_MAX 100	/* more are counted, not listed */

void report_line(const struct invocation *inv, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(LINE_MAX_OCTETS), line = STRBUF_INIT(LINE_MAX_OCTETS);
	va_list ap;

	if (inv->quiet)
		return;
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	strbuf_addf(&line, "%s: ", inv->name);
	text_escape_add(&line, text.buf, text.len);
	strbuf_addch(&line, '\n');
	/* nobody may be reading: the exit status tells all the same */
	(void)!fs_write_all(STDERR_FILENO, line.buf, line.len);
	strbuf_release(&text);
	strbuf_release(&line);
}

int report_failure(const struct invocation *inv, const struct error *err)
{
	report_line(inv, "%s", err->text);
	return err->exit;
}

int report_output(const struct invocation *inv, const char *text)
{
	if (fs_write_all(STDOUT_FILENO, text, strlen(text)) == 0)
		return EX_OK;
	struct error err;

	error_errno(&err, EX_IOERR, "4.3.0", "cannot write to standard output");
	return report_failure(inv, &err);
}

static const char *exit_name(int code)
{
	static const struct name_value names[] = {
		{ "EX_OK", EX_OK }, { "EX_USAGE", EX_USAGE }, { "EX_DATAERR", EX_DATAERR },
		{ "EX_NOINPUT", EX_NOINPUT }, { "EX_NOUSER", EX_NOUSER },
		{ "EX_NOHOST", EX_NOHOST }, { "EX_UNAVAILABLE", EX_UNAVAILABLE },
		{ "EX_SOFTWARE", EX_SOFTWARE }, { "EX_OSERR", EX_OSERR },
		{ "EX_OSFILE", EX_OSFILE }, { "EX_CANTCREAT", EX_CANTCREAT },
		{ "EX_IOERR", EX_IOERR }, { "EX_TEMPFAIL", EX_TEMPFAIL },
		{ "EX_PROTOCOL", EX_PROTOCOL }, { "EX_NOPERM", EX_NOPERM },
		{ "EX_CONFIG", EX_CONFIG }, { NULL, 0 },
	};
	const char *name = names_name(names, code);

	return name ? name : "EX_SOFTWARE";
}

/* Escaped, the delimiter too, so that no server's words look like a key of ours. */
static void add_quoted(struct strbuf *out, const char *value)
{
	const char *mark = strchr(value, '\'') && !strchr(value, '"') ? "\"" : "'";

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

/* " key=value", escaped; quoted when it holds blanks or quotes. */
static void add_pair(struct strbuf *out, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	strbuf_addf(out, "%s%s=", out->len ? " " : "", key);
	if (strpbrk(value, " \"'"))
		add_quoted(out, value);
	else
		text_escape_add(out, value, strlen(value));
}

static void add_recipients(struct strbuf *out, const struct envelope *e)
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

/* The keys of msmtp's log first, so that what reads that log goes on reading. */
static void log_text(struct strbuf *out, const struct account *a, const struct envelope *e,
		     const struct result *r, const char *message_id, long milliseconds)
{
	char number[32];

	add_pair(out, "host", r->server ? r->server : a->socket ? a->socket : a->host);
	add_pair(out, "tls", r->tls ? "on" : "off");
	add_pair(out, "auth", r->mechanism ? "on" : "off");
	add_pair(out, "user", r->mechanism ? a->auth.user : NULL);
	add_pair(out, "from", *e->sender ? e->sender : "<>");
	add_recipients(out, e);
	snprintf(number, sizeof(number), "%" PRIu64, e->size);
	add_pair(out, "mailsize", number);
	snprintf(number, sizeof(number), "%d", r->error.reply);
	add_pair(out, "smtpstatus", r->error.reply ? number : NULL);
	add_pair(out, "smtpmsg", r->reply_text);
	add_pair(out, "errormsg", r->outcome == OUTCOME_ACCEPTED ? NULL : r->error.text);
	add_pair(out, "exitcode", exit_name(r->outcome == OUTCOME_ACCEPTED ? 0 : r->error.exit));
	add_pair(out, "account", a->name);
	add_pair(out, "addr", r->address);
	add_pair(out, "cipher", r->tls);
	add_pair(out, "mechanism", r->mechanism);
	add_pair(out, "msgid", message_id);
	add_pair(out, "left_out", r->left_out);
	snprintf(number, sizeof(number), "%ld.%03ld", milliseconds / 1000, milliseconds % 1000);
	add_pair(out, "delay", number);
}

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

static void write_log(const struct invocation *inv, const struct account *a, const char *text,
		      bool failed)
{
	if (a->syslog >= 0)
		log_syslog(inv->syslog_tag ? inv->syslog_tag : inv->name, a->syslog,
			   failed ? LOG_ERR : LOG_INFO, text);
	if (!a->logfile)
		return;
	struct strbuf line = STRBUF_INIT(2 * LINE_MAX_OCTETS);

	add_time(&line, a);
	strbuf_addstr(&line, text);
	if (log_file(a->logfile, line.buf) < 0 && failed)
		report_line(inv, "cannot write the log %s", a->logfile);
	strbuf_release(&line);
}

void report_log_failure(const struct invocation *inv, const struct account *a,
			const struct error *err)
{
	static const struct account none = { .syslog = LOG_MAIL };
	struct strbuf text = STRBUF_INIT(LINE_MAX_OCTETS);

	if (!a && (!inv->errors_mailed || isatty(STDERR_FILENO)))
		return;
	if (!a)
		a = &none;
	add_pair(&text, "host", a->socket ? a->socket : a->host);
	add_pair(&text, "errormsg", err->text);
	add_pair(&text, "exitcode", exit_name(err->exit));
	add_pair(&text, "account", a->name);
	write_log(inv, a, text.buf, true);
	strbuf_release(&text);
}

/* The whole attempt failed for one reason: saying it once is enough. */
static bool one_reason(const struct result *r)
{
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (strcmp(r->rcpt[i].error.text, r->error.text) != 0)
			return false;
	}
	return true;
}

static void tell_recipients(const struct invocation *inv, const struct envelope *e,
			    const struct result *r)
{
	size_t taken = 0;

	for (size_t i = 0; i < r->rcpt_count; i++) {
		const struct rcpt_result *one = &r->rcpt[i];

		if (one->outcome == OUTCOME_ACCEPTED) {
			taken++;
			continue;
		}
		report_line(inv, "recipient '%s' %s: %s", e->rcpt[i].address,
			    one->outcome == OUTCOME_DEFERRED ? "deferred" : "refused",
			    one->error.text);
	}
	if (taken)
		report_line(inv, "the server took the message for %zu of %zu recipients", taken,
			    r->rcpt_count);
}

/* 251 and 252: accepted, but the user may want to know. */
static void tell_notes(const struct invocation *inv, const struct envelope *e,
		       const struct result *r)
{
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (r->rcpt[i].note)
			report_line(inv, "recipient '%s': %s", e->rcpt[i].address, r->rcpt[i].note);
	}
	for (size_t i = 0; i < r->note_n; i++)
		report_line(inv, "%s", r->note[i]);
}

int report_result(const struct invocation *inv, const struct account *a, const struct envelope *e,
		  const struct result *r, const char *message_id, long milliseconds)
{
	bool failed = r->outcome != OUTCOME_ACCEPTED;

	if (a->logfile || a->syslog >= 0) {
		struct strbuf text = STRBUF_INIT(LINE_MAX_OCTETS);

		log_text(&text, a, e, r, message_id, milliseconds);
		write_log(inv, a, text.buf, failed);
		strbuf_release(&text);
	}
	if (inv->verbose || a->ext.conneg || isatty(STDERR_FILENO))
		tell_notes(inv, e, r);
	if (!failed)
		return EX_OK;
	if (one_reason(r))
		report_line(inv, "account '%s': %s", a->name, r->error.text);
	else
		tell_recipients(inv, e, r);
	return r->error.exit ? r->error.exit : EX_SOFTWARE;
}
