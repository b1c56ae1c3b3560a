#include "config.h"
#include "cli/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/report_hook.h"
#include "cli/report_json.h"
#include "cli/report_keep.h"
#include "cli/report_log.h"
#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/reply.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/json.h"
#include "util/strbuf.h"
#include "util/text.h"

#define LINE_MAX_OCTETS ((size_t)64 * 1024)
#define MEANING_MAX 128

/* --- lines ---------------------------------------------------------------------- */

/* Nobody may be reading: the exit status tells all the same. */
static void write_line(struct strbuf *line)
{
	strbuf_addch(line, '\n');
	(void)!fs_write_all(STDERR_FILENO, line->buf, line->len);
}

void report_line(const struct invocation *inv, const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(LINE_MAX_OCTETS), line = STRBUF_INIT(2 * LINE_MAX_OCTETS);
	va_list ap;

	if (inv->quiet)
		return;
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (inv->error_format == ERROR_FORMAT_JSON) {
		struct json j = { .out = &line };

		json_begin(&j, NULL, '{');
		json_string(&j, "note", text.buf);
		json_end(&j, '}');
	} else {
		struct strbuf shown = STRBUF_INIT(LINE_MAX_OCTETS);

		strbuf_addf(&shown, "%s: ", inv->name);
		text_escape_add(&shown, text.buf, text.len);
		strbuf_add(&line, shown.buf, shown.len);
		strbuf_release(&shown);
	}
	write_line(&line);
	strbuf_release(&text);
	strbuf_release(&line);
}

/* error_format = json: {"recipient":...,"exit":67,"code":550,"status":"5.1.1",...} */
static void write_error_json(const char *recipient, const struct error *err)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_OCTETS);
	struct json j = { .out = &line };
	const char *status;
	int code;

	report_reply(err, &code, &status);
	json_begin(&j, NULL, '{');
	json_string(&j, "recipient", recipient);
	json_number(&j, "exit", err->exit);
	json_number(&j, "code", code);
	json_string(&j, "status", status);
	json_string(&j, "text", err->text);
	json_string(&j, "fault", fault_rows[err->fault].name);
	json_end(&j, '}');
	write_line(&line);
	strbuf_release(&line);
}

/*
 * The form that is asked for, if it is this one: smtp is "550 5.1.1 text",
 * behind all other lines; dsn is "5.1.1 text", before them.
 */
static void write_error_reply(const struct invocation *inv, enum error_format form,
			      const struct error *err)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_OCTETS);
	const char *status;
	int code;

	if (inv->quiet || inv->error_format != (int)form)
		return;
	report_reply(err, &code, &status);
	if (form == ERROR_FORMAT_SMTP)
		strbuf_addf(&line, "%03d ", code);
	strbuf_addf(&line, "%s ", status);
	text_escape_add(&line, err->text, strlen(err->text));
	write_line(&line);
	strbuf_release(&line);
}

int report_failure(const struct invocation *inv, const struct error *err)
{
	if (inv->quiet)
		return err->exit;
	write_error_reply(inv, ERROR_FORMAT_DSN, err);
	if (inv->error_format == ERROR_FORMAT_JSON)
		write_error_json(NULL, err);
	else
		report_line(inv, "%s", err->text);
	write_error_reply(inv, ERROR_FORMAT_SMTP, err);
	return err->exit;
}

int report_output(const struct invocation *inv, const char *text)
{
	if (fs_write_all(STDOUT_FILENO, text, strlen(text)) == 0)
		return EX_OK;
	struct error err;

	error_errno(&err, FAULT_IO, "cannot write to standard output");
	return report_failure(inv, &err);
}

/* --- what a report holds ----------------------------------------------------------- */

/* An outcome that nobody explained is a bug, and never success. */
static const struct error unexplained = {
	.fault = FAULT_BUG, .exit = EX_SOFTWARE, .status = "5.3.0",
	.text = "failed, and nothing said why",
};

const struct error *report_error(const struct report *r)
{
	if (!r->result)
		return r->error;
	if (r->result->outcome == OUTCOME_ACCEPTED)
		return NULL;
	return r->result->error.exit ? &r->result->error : &unexplained;
}

static const char *untried(const struct report *r)
{
	return r->discarded ? "discarded" : "failed";
}

const char *report_status(const struct report *r)
{
	return r->result ? report_outcome_name(r->result->outcome) : untried(r);
}

size_t report_recipients(const struct report *r)
{
	return r->result ? r->result->rcpt_count : r->envelope ? r->envelope->rcpt_count : 0;
}

const struct error *report_recipient_error(const struct report *r, size_t i)
{
	static const struct error none;

	return r->result ? &r->result->rcpt[i].error : r->error ? r->error : &none;
}

const char *report_recipient_status(const struct report *r, size_t i)
{
	return r->result ? report_outcome_name(r->result->rcpt[i].outcome) : untried(r);
}

const char *report_words(const struct report *r, const struct error *err)
{
	size_t n;
	const char *words = error_words(err, &n);

	if (words && r->result)
		return arena_strndup(r->result->arena, words, n);
	return r->result && !err->text[0] ? r->result->reply_text : NULL;
}

bool report_recipient_failed(const struct report *r, size_t i)
{
	if (!r->result)
		return !r->discarded;
	return r->result->rcpt[i].outcome != OUTCOME_ACCEPTED;
}

/* --- what is said --------------------------------------------------------------------- */

/* The whole attempt failed for one reason: saying it once is enough. */
static bool one_reason(const struct result *r)
{
	for (size_t i = 0; i < r->rcpt_count; i++) {
		if (strcmp(r->rcpt[i].error.text, r->error.text) != 0)
			return false;
	}
	return true;
}

/* " (the mailbox is full)" where a server said 5.2.2: an aside that may be empty. */
static const char *meaning(char *out, size_t room, const struct report *r,
			   const struct error *err)
{
	const char *words = err->reply ? reply_meaning(err, r->envelope) : NULL;

	if (!words)
		return "";
	snprintf(out, room, " (%s)", words);
	return out;
}

static void tell_recipient(const struct report *r, size_t i)
{
	const struct rcpt_result *one = &r->result->rcpt[i];
	const char *address = r->envelope->rcpt[i].address;
	char words[MEANING_MAX];

	if (r->inv->error_format == ERROR_FORMAT_JSON && !r->inv->quiet)
		write_error_json(address, &one->error);
	else
		report_line(r->inv, "recipient '%s' %s: %s%s", address,
			    one->outcome == OUTCOME_DEFERRED ? "deferred" : "refused",
			    one->error.text, meaning(words, sizeof(words), r, &one->error));
}

static void tell_recipients(const struct report *r)
{
	const struct result *result = r->result;
	size_t taken = 0;

	for (size_t i = 0; i < result->rcpt_count; i++) {
		if (report_recipient_failed(r, i))
			tell_recipient(r, i);
		else
			taken++;
	}
	if (taken)
		report_line(r->inv, "the server took the message for %zu of %zu recipients", taken,
			    result->rcpt_count);
}

/* 251 and 252: accepted, but the user may want to know. */
static void tell_notes(const struct report *r)
{
	const struct result *result = r->result;

	for (size_t i = 0; i < result->rcpt_count; i++) {
		if (result->rcpt[i].note)
			report_line(r->inv, "recipient '%s': %s", r->envelope->rcpt[i].address,
				    result->rcpt[i].note);
	}
	for (size_t i = 0; i < result->note_n; i++)
		report_line(r->inv, "%s", result->note[i]);
}

static void tell_result(const struct report *r, const struct error *why)
{
	char words[MEANING_MAX];

	if (r->inv->verbose || r->account->ext.asked[EXT_CONNEG] || isatty(STDERR_FILENO))
		tell_notes(r);
	if (!why)
		return;
	if (!one_reason(r->result)) {
		tell_recipients(r);
	} else if (r->inv->error_format == ERROR_FORMAT_JSON && !r->inv->quiet) {
		write_error_json(NULL, why);
	} else {
		report_line(r->inv, "account '%s': %s%s", r->account->name, why->text,
			    meaning(words, sizeof(words), r, why));
	}
}

static void tell_failure(const struct report *r)
{
	if (r->inv->error_format == ERROR_FORMAT_JSON && !r->inv->quiet)
		write_error_json(NULL, r->error);
	else
		report_line(r->inv, "%s", r->error->text);
}

int report_end(const struct report *r)
{
	const struct error *why = report_error(r);
	int status = why ? why->exit : EX_OK;

	if (why)
		write_error_reply(r->inv, ERROR_FORMAT_DSN, why);
	report_log(r);
	if (r->result)
		tell_result(r, why);
	else if (why)
		tell_failure(r);
	if (why)
		report_keep(r);
	if (why)
		report_hook(r);
	if (r->inv->json && report_json(r) != EX_OK && status == EX_OK)
		status = EX_IOERR;
	if (why)
		write_error_reply(r->inv, ERROR_FORMAT_SMTP, why);
	return status;
}
