/*
 * The result of an attempt as one JSON object on standard output (--json).
 */
#ifndef CLI_REPORT_JSON_H
#define CLI_REPORT_JSON_H

struct account;
struct envelope;
struct error;
struct invocation;
struct json;
struct rcpt_result;
struct result;

enum outcome;

/* "accepted", "deferred", "refused". */
const char *report_outcome_name(enum outcome outcome);

/* Members address, outcome, code, status, text, note of one recipient. */
void report_recipient_json(struct json *j, const char *address, const struct rcpt_result *r);

/* The whole result; returns EX_OK or EX_IOERR. */
int report_result_json(const struct invocation *inv, const struct account *a,
		       const struct envelope *e, const struct result *r, const char *message_id,
		       long milliseconds);

/* What failed before anything was sent. */
int report_failure_json(const struct invocation *inv, const struct error *err);

#endif
