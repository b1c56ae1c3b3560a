#include "config.h"
#include "cli/report_json.h"

#include "cli/options.h"
#include "cli/report.h"
#include "conf/account.h"
#include "message/envelope.h"
#include "message/result.h"
#include "util/error.h"
#include "util/json.h"
#include "util/names.h"
#include "util/strbuf.h"

#define JSON_LIMIT ((size_t)256 * 1024 * 1024)	/* 100,000 recipients have room */

const char *report_outcome_name(enum outcome outcome)
{
	static const struct name_value names[] = {
		{ "accepted", OUTCOME_ACCEPTED }, { "deferred", OUTCOME_DEFERRED },
		{ "refused", OUTCOME_REFUSED }, { "none", OUTCOME_NONE }, { NULL, 0 },
	};

	return names_name(names, (int)outcome);
}

/* code, status and text: null where there is none. */
static void add_error(struct json *j, const struct error *err)
{
	if (err->reply)
		json_number(j, "code", err->reply);
	else
		json_string(j, "code", NULL);
	json_string(j, "status", err->status[0] ? err->status : NULL);
	json_string(j, "text", err->text[0] ? err->text : NULL);
}

void report_recipient_json(struct json *j, const char *address, const struct rcpt_result *r)
{
	json_string(j, "address", address);
	json_string(j, "outcome", report_outcome_name(r->outcome));
	add_error(j, &r->error);
	json_string(j, "note", r->note);
}

static int print(const struct invocation *inv, struct json *j, struct strbuf *out)
{
	json_end(j, '}');
	strbuf_addch(out, '\n');
	int status = report_output(inv, out->buf);

	strbuf_release(out);
	return status;
}

int report_failure_json(const struct invocation *inv, const struct error *err)
{
	struct strbuf out = STRBUF_INIT(JSON_LIMIT);
	struct json j = { .out = &out };

	json_begin(&j, NULL, '{');
	json_string(&j, "outcome", "failed");
	json_number(&j, "exit", err->exit);
	add_error(&j, err);
	return print(inv, &j, &out);
}

int report_result_json(const struct invocation *inv, const struct account *a,
		       const struct envelope *e, const struct result *r, const char *message_id,
		       long milliseconds)
{
	struct strbuf out = STRBUF_INIT(JSON_LIMIT);
	struct json j = { .out = &out };

	json_begin(&j, NULL, '{');
	json_string(&j, "outcome", report_outcome_name(r->outcome));
	json_number(&j, "exit", r->outcome == OUTCOME_ACCEPTED ? 0 : r->error.exit);
	add_error(&j, &r->error);
	json_string(&j, "account", a->name);
	json_string(&j, "server", r->server);
	json_string(&j, "addr", r->address);
	json_string(&j, "tls", r->tls);
	json_string(&j, "mechanism", r->mechanism);
	json_string(&j, "from", e->sender);
	json_string(&j, "message_id", message_id);
	json_string(&j, "reply", r->reply_text);
	json_number(&j, "size", (int64_t)e->size);
	json_number(&j, "delay_ms", milliseconds);
	json_bool(&j, "unknown", r->unknown);
	json_begin(&j, "recipients", '[');
	for (size_t i = 0; i < r->rcpt_count; i++) {
		json_begin(&j, NULL, '{');
		report_recipient_json(&j, e->rcpt[i].address, &r->rcpt[i]);
		json_end(&j, '}');
	}
	json_end(&j, ']');
	return print(inv, &j, &out);
}
