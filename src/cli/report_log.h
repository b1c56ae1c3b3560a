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
#ifndef CLI_REPORT_LOG_H
#define CLI_REPORT_LOG_H

struct error;
struct invocation;
struct report;

void report_log(const struct report *r);

/* A line about something that went wrong beside the sending itself: the hook, a copy. */
void report_log_aside(const struct report *r, const struct error *err);

/* One line, printable already, to syslog; facility and priority as in syslog.h. */
void report_log_syslog(const struct invocation *inv, int facility, int priority, const char *line);

#endif
