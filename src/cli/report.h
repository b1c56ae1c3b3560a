/*
 * Result to exit code, stderr text and log line: the only such place.
 *
 * Standard output stays empty while mail is sent. Each line on stderr begins
 * with the name the program was called by.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "util/attr.h"

struct account;
struct envelope;
struct error;
struct invocation;
struct result;

/* One line to stderr, unless -oeq. */
ATTR_PRINTF(2, 3) void report_line(const struct invocation *inv, const char *fmt, ...);

/* The error as one line; returns its exit code. */
int report_failure(const struct invocation *inv, const struct error *err);

/* Writes all of text to standard output; EX_IOERR when that fails. */
int report_output(const struct invocation *inv, const char *text);


/*
 * The end of an attempt: who was refused and why, the log line; returns the
 * exit code. message_id and seconds are for the log.
 */
int report_result(const struct invocation *inv, const struct account *a, const struct envelope *e,
		  const struct result *r, const char *message_id, long milliseconds);

/*
 * The log line for an attempt that was never made. Without an account (NULL)
 * there is no log to choose: then -oem, where nobody is at a terminal to
 * read stderr, has it written to syslog.
 */
void report_log_failure(const struct invocation *inv, const struct account *a,
			const struct error *err);

#endif
