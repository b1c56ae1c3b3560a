#include "config.h"
#include "cli/report_json.h"

#include "cli/report.h"
#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "util/error.h"
#include "util/json.h"
#include "util/strbuf.h"
#include "util/text.h"

#define JSON_LIMIT ((size_t)256 * 1024 * 1024)	/* 100,000 recipients have room */

const char *report_outcome_name(enum outcome outcome)
{
	static const struct name_value names[] = {
		{ "accepted", OUTCOME_ACCEPTED }, { "deferred", OUTCOME_DEFERRED },
		{ "refused", OUTCOME_REFUSED }, { "none", OUTCOME_NONE }, { NULL, 0 },
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
		if (r->result) {
			report_recipient_json(j, address, &r->result->rcpt[i]);
		} else {
			json_string(j, "address", address);
			json_string(j, "outcome", report_recipient_status(r, i));
			add_error(j, report_recipient_error(r, i));
			json_string(j, "note", NULL);
		}
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
	int status = report_output(r->inv, out.buf);

	strbuf_release(&out);
	return status;
}
