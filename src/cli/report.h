/*
 * Result to exit code, stderr text, log line, JSON, hook and saved message:
 * the only such place. Files: report.c (what is said on stderr and as JSON,
 * and the order of all), report_log.c, report_hook.c, report_keep.c.
 *
 * Standard output stays empty while mail is sent, unless --json asks for the
 * result there. Each line on stderr begins with the name the program was
 * called by; with error_format = json each is one object.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct account;
struct envelope;
struct error;
struct invocation;
struct json;
struct message;
struct rcpt_result;
struct result;
struct strbuf;

enum outcome;

/* One attempt, or the failure to get that far: all there is to tell. Members may be missing. */
struct report {
	const struct invocation *inv;
	const struct account *account;	/* NULL = none was chosen */
	const struct envelope *envelope;
	const struct message *message;	/* NULL = it was not read */
	const struct result *result;	/* NULL = nothing was tried */
	const struct error *error;	/* ... and this is why */
	bool discarded;			/* who has got it has not: it was thrown away as told */
	const char *orig_sender;	/* before it was rewritten; NULL = not known */
	const char *message_id;		/* of the header; NULL = none */
	const char *queue_id;		/* NULL = it is not in the queue */
	unsigned attempt;		/* the first is 1; 0 = there was none */
	long milliseconds;
};

/* One line to stderr, unless -oeq. */
ATTR_PRINTF(2, 3) void report_line(const struct invocation *inv, const char *fmt, ...);

/* The error in the form of error_format; returns its exit code. */
int report_failure(const struct invocation *inv, const struct error *err);

/* Writes all of text to standard output; EX_IOERR when that fails. The second releases it. */
int report_output(const struct invocation *inv, const char *text);
int report_print(const struct invocation *inv, struct strbuf *text);

/* Tells the failure; *worst is the first one, but for that which is for good. */
void report_worst(const struct invocation *inv, const struct error *err, struct error *worst);

/*
 * The end of it all: log, stderr, JSON (--json), and when it failed the saved
 * message and the hook. Returns the exit code, which nothing of that changes,
 * but for EX_IOERR when all was well and the JSON could not be written.
 */
int report_end(const struct report *r);

/* Of all that only what stderr gets; returns the exit code. */
int report_tell(const struct report *r);

/* --- for the other files of the report -------------------------------------------- */

/* Why the whole failed; NULL when it did not. */
const struct error *report_error(const struct report *r);

/* "accepted", "deferred", "refused"; "failed" where nothing was tried; "discarded". */
const char *report_status(const struct report *r);

/* How many recipients there are to tell something about. */
size_t report_recipients(const struct report *r);

/* What became of recipient i: its own error, or why nothing was tried. Never NULL. */
const struct error *report_recipient_error(const struct report *r, size_t i);
const char *report_recipient_status(const struct report *r, size_t i);

/*
 * The bare words of the server's reply that err tells, "550 5.1.1 no such
 * user"; without failure those of the last reply. NULL when there are none.
 * Lives in the result's arena.
 */
const char *report_words(const struct report *r, const struct error *err);

/* Has recipient i not got it? */
bool report_recipient_failed(const struct report *r, size_t i);

/* "EX_USAGE"; "EX_SOFTWARE" for what is none of sysexits.h. */
const char *report_exit_name(int exit);

/*
 * The error as an SMTP reply: code and enhanced status of the server, or
 * those that stand for its exit code.
 */
void report_reply(const struct error *err, int *code, const char **status);


/*
 * As one JSON object, on standard output (--json) and for the hook. Members
 * that are not known are null; "recipients" is always there. A message that
 * failed before anything was tried has the same shape, with the outcome
 * "failed".
 */

/* "accepted", "deferred", "refused". */
const char *report_outcome_name(enum outcome outcome);

/* Members address, outcome, code, status, text, note of one recipient. */
void report_recipient_json(struct json *j, const char *address, const struct rcpt_result *r);

/* All members of the report; the caller begins and ends the object. */
void report_json_members(struct json *j, const struct report *r);

/* The object on standard output; returns EX_OK or EX_IOERR. */
int report_json(const struct report *r);

/* Would a message that was not even read be kept, if it were? */
bool report_keeps(const struct invocation *inv);

/* Keeps r->message, where that is wanted, and says so. */
void report_keep(const struct report *r);

/* Tells on_failure, where it is set and due. */
void report_hook(const struct report *r);

/* The lines for syslog and log file. */
void report_log(const struct report *r);

/* A line about something that went wrong beside the sending itself: the hook, a copy. */
void report_log_aside(const struct report *r, const struct error *err);

/* One line, printable already, to syslog; facility and priority as in syslog.h. */
void report_log_syslog(const struct invocation *inv, int facility, int priority, const char *line);

#endif
