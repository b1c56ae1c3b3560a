/*
 * A report as one JSON object: on standard output (--json), and for the hook.
 *
 * Members that are not known are null; "recipients" is always there. A
 * message that failed before anything was tried has the same shape, with the
 * outcome "failed".
 */
#ifndef CLI_REPORT_JSON_H
#define CLI_REPORT_JSON_H

#include <stddef.h>

struct json;
struct rcpt_result;
struct report;

enum outcome;

/* "accepted", "deferred", "refused". */
const char *report_outcome_name(enum outcome outcome);

/* Members address, outcome, code, status, text, note of one recipient. */
void report_recipient_json(struct json *j, const char *address, const struct rcpt_result *r);

/* All members of the report; the caller begins and ends the object. */
void report_json_members(struct json *j, const struct report *r);

/* The object on standard output; returns EX_OK or EX_IOERR. */
int report_json(const struct report *r);

#endif
