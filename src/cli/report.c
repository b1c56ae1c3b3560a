#include "config.h"
#include "cli/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "smtp/reply.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/json.h"
#include "util/text.h"
#include "util/strbuf.h"

#define LINE_MAX_OCTETS ((size_t)64 * 1024)
#define MEANING_MAX 128
#define JSON_LIMIT ((size_t)256 * 1024 * 1024)	/* 100,000 recipients have room */

/* --- a failure as an SMTP reply ------------------------------------------------------ */

/* What each exit code is as a reply, when no server has given one. */
#define REPLY(exit, code, status) { exit, #exit, code, status }

static const struct {
	int exit;
	const char *name;
	int code;
	const char *status;
} replies[] = {
	REPLY(EX_USAGE, 501, "5.5.4"),
	REPLY(EX_DATAERR, 554, "5.6.0"),
	REPLY(EX_NOINPUT, 554, "5.3.0"),
	REPLY(EX_NOUSER, 550, "5.1.1"),
	REPLY(EX_NOHOST, 550, "5.1.2"),
	REPLY(EX_UNAVAILABLE, 554, "5.3.2"),
	REPLY(EX_SOFTWARE, 554, "5.3.0"),
	REPLY(EX_OSERR, 451, "4.3.0"),
	REPLY(EX_OSFILE, 554, "5.3.5"),
	REPLY(EX_CANTCREAT, 452, "4.3.1"),
	REPLY(EX_IOERR, 451, "4.3.0"),
	REPLY(EX_TEMPFAIL, 451, "4.3.0"),
	REPLY(EX_PROTOCOL, 554, "5.5.0"),
	REPLY(EX_NOPERM, 550, "5.7.1"),
	REPLY(EX_CONFIG, 554, "5.3.5"),
};

const char *report_exit_name(int exit)
{
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		if (replies[i].exit == exit)
			return replies[i].name;
	}
	return exit == EX_OK ? "EX_OK" : "EX_SOFTWARE";
}

/* The status that is known counts; a code of another class than it has would contradict it. */
void report_reply(const struct error *err, int *code, const char **status)
{
	int invented = 554;

	*status = "5.3.0";
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		if (replies[i].exit != err->exit)
			continue;
		invented = replies[i].code;
		*status = replies[i].status;
	}
	if (err->status[0] == '4' || err->status[0] == '5')
		*status = err->status;
	int class = (*status)[0] - '0';

	if (err->reply / 100 == class)
		*code = err->reply;
	else if (invented / 100 == class)
		*code = invented;
	else
		*code = class == 4 ? 451 : 554;
}

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

/* error_format = json, if it is that: {"recipient":...,"exit":67,"code":550,...} */
static bool tell_json(const struct invocation *inv, const char *recipient,
		      const struct error *err)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_OCTETS);
	struct json j = { .out = &line };
	const char *status;
	int code;

	if (inv->error_format != ERROR_FORMAT_JSON || inv->quiet)
		return false;
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
	return true;
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
	write_error_reply(inv, ERROR_FORMAT_DSN, err);
	if (!tell_json(inv, NULL, err))
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

int report_print(const struct invocation *inv, struct strbuf *text)
{
	int status = report_output(inv, text->buf);

	strbuf_release(text);
	return status;
}

void report_worst(const struct invocation *inv, const struct error *err, struct error *worst)
{
	report_failure(inv, err);
	if (!worst->exit || (error_is_temporary(worst) && !error_is_temporary(err)))
		*worst = *err;
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
	if (r->result->outcome == OUTCOME_ACCEPTED || r->result->outcome == OUTCOME_QUEUED)
		return NULL;
	return r->result->error.exit ? &r->result->error : &unexplained;
}

/* "failed" where nothing was tried; NULL is such an outcome. */
static const char *outcome_name(const struct report *r, const enum outcome *outcome)
{
	if (!outcome)
		return "failed";
	return r->discarded && *outcome == OUTCOME_ACCEPTED ? "discarded" :
		report_outcome_name(*outcome);
}

const char *report_status(const struct report *r)
{
	return outcome_name(r, r->result ? &r->result->outcome : NULL);
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
	return outcome_name(r, r->result ? &r->result->rcpt[i].outcome : NULL);
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
	return !r->result || (r->result->rcpt[i].outcome != OUTCOME_ACCEPTED &&
			      r->result->rcpt[i].outcome != OUTCOME_QUEUED);
}

/* --- JSON ---------------------------------------------------------------------------- */

const char *report_outcome_name(enum outcome outcome)
{
	static const struct name_value names[] = {
		{ "accepted", OUTCOME_ACCEPTED }, { "deferred", OUTCOME_DEFERRED },
		{ "queued", OUTCOME_QUEUED }, { "refused", OUTCOME_REFUSED },
		{ "none", OUTCOME_NONE }, NAMES_END,
	};

	return names_name(names, (int)outcome);
}

/* Null where there is none. */
static void add_code(struct json *j, int code)
{
	if (code)
		json_number(j, "code", code);
	else
		json_string(j, "code", NULL);
}

/* code, status, text and fault: null where there is none. */
static void add_error(struct json *j, const struct error *err)
{
	add_code(j, err->reply);
	json_string(j, "status", err->status[0] ? err->status : NULL);
	json_string(j, "text", err->text[0] ? err->text : NULL);
	json_string(j, "fault", err->fault != FAULT_NONE ? fault_rows[err->fault].name : NULL);
}

void report_recipient_json(struct json *j, const char *address, const struct rcpt_result *r)
{
	json_string(j, "address", address);
	json_string(j, "outcome", report_outcome_name(r->outcome));
	add_error(j, &r->error);
	json_string(j, "note", r->note);
}

static void add_recipients(struct json *j, const struct report *r)
{
	json_begin(j, "recipients", '[');
	for (size_t i = 0; i < report_recipients(r); i++) {
		const char *address = r->envelope->rcpt[i].address;

		json_begin(j, NULL, '{');
		json_string(j, "address", address);
		json_string(j, "outcome", report_recipient_status(r, i));
		add_error(j, report_recipient_error(r, i));
		json_string(j, "note", r->result ? r->result->rcpt[i].note : NULL);
		json_end(j, '}');
	}
	json_end(j, ']');
}

void report_json_members(struct json *j, const struct report *r)
{
	static const struct result untried;
	const struct result *result = r->result ? r->result : &untried;
	const struct error *why = report_error(r);

	json_string(j, "outcome", report_status(r));
	json_number(j, "exit", why ? why->exit : 0);
	add_error(j, why ? why : &result->error);
	json_string(j, "account", r->account ? r->account->name : NULL);
	json_string(j, "server", result->server);
	json_string(j, "addr", result->address);
	json_string(j, "tls", result->tls);
	json_string(j, "mechanism", result->mechanism);
	json_string(j, "from", r->account && r->envelope ? r->envelope->sender : NULL);
	json_string(j, "message_id", r->message_id);
	json_string(j, "reply", r->result ? report_words(r, &result->error) : NULL);
	json_number(j, "size", r->envelope ? (int64_t)r->envelope->size : 0);
	json_number(j, "delay_ms", r->milliseconds);
	json_number(j, "attempt", r->attempt);
	json_string(j, "orig_from", r->orig_sender);
	json_string(j, "id", r->queue_id);
	json_bool(j, "unknown", result->unknown);
	add_recipients(j, r);
}

int report_json(const struct report *r)
{
	struct strbuf out = STRBUF_INIT(JSON_LIMIT);
	struct json j = { .out = &out };

	json_begin(&j, NULL, '{');
	report_json_members(&j, r);
	json_end(&j, '}');
	strbuf_addch(&out, '\n');
	return report_print(r->inv, &out);
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

	if (!tell_json(r->inv, address, &one->error))
		report_line(r->inv, "recipient '%s' %s: %s%s", address,
			    one->outcome == OUTCOME_DEFERRED ? "deferred" : "refused",
			    one->error.text, meaning(words, sizeof(words), r, &one->error));
}

static void tell_recipients(const struct report *r)
{
	const struct result *result = r->result;
	size_t taken = 0, waiting = 0;

	for (size_t i = 0; i < result->rcpt_count; i++) {
		if (report_recipient_failed(r, i))
			tell_recipient(r, i);
		else if (result->rcpt[i].outcome == OUTCOME_QUEUED)
			waiting++;
		else
			taken++;
	}
	if (waiting)
		report_line(r->inv, "the message waits in the queue for %zu of %zu recipients",
			    waiting, result->rcpt_count);
	if (taken && !r->discarded)
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
	const struct account *a = r->account;
	char words[MEANING_MAX];

	if (r->inv->verbose || (a && a->ext.asked[EXT_CONNEG]) || isatty(STDERR_FILENO))
		tell_notes(r);
	if (!why)
		return;
	if (!one_reason(r->result))
		tell_recipients(r);
	else if (!tell_json(r->inv, NULL, why))
		report_line(r->inv, "%s%s%s%s%s", a ? "account '" : "", a ? a->name : "",
			    a ? "': " : "", why->text, meaning(words, sizeof(words), r, why));
}

/* Both kinds of an end, between what the forms of error_format put around it. */
static void tell_end(const struct report *r, const struct error *why)
{
	if (r->result)
		tell_result(r, why);
	else if (why && !tell_json(r->inv, NULL, why))
		report_line(r->inv, "%s", why->text);
}

int report_tell(const struct report *r)
{
	const struct error *why = report_error(r);

	if (why)
		write_error_reply(r->inv, ERROR_FORMAT_DSN, why);
	tell_end(r, why);
	if (why)
		write_error_reply(r->inv, ERROR_FORMAT_SMTP, why);
	return why ? why->exit : EX_OK;
}

int report_end(const struct report *r)
{
	const struct error *why = report_error(r);
	int status = why ? why->exit : EX_OK;

	if (why)
		write_error_reply(r->inv, ERROR_FORMAT_DSN, why);
	report_log(r);
	tell_end(r, why);
	if (why) {
		report_keep(r);
		report_hook(r);
	}
	/* the message is sent, or not: what cannot be told of it here changes nothing */
	if (r->inv->json)
		(void)report_json(r);
	if (why)
		write_error_reply(r->inv, ERROR_FORMAT_SMTP, why);
	return status;
}
