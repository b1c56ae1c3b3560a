/*
 * on_failure: a program of the administrator's is told that a message failed.
 *
 * It gets one JSON object on standard input (that of --json, with "host",
 * "uid", "suppressed", and "subject" where on_failure_subject asks for it), is
 * run without shell, its output is thrown away, and it is ended after
 * on_failure_timeout. For each cause - account, exit code, enhanced status
 * and server - it is run once in notify_interval; what was left out meanwhile
 * is counted in "suppressed". Its failure changes nothing but that the log
 * has a line about it.
 */
#ifndef CLI_REPORT_HOOK_H
#define CLI_REPORT_HOOK_H

struct report;

void report_hook(const struct report *r);

#endif
