/*
 * What was typed is not lost when it cannot be sent.
 *
 * dead_letter: the message is added to that mbox file. Apart from that, a
 * message that somebody at a terminal wrote (standard error is a terminal,
 * and standard input is no file that has it anyway) is put into a file of its
 * own in the folder "failed" of util/store.h, and the command that sends it
 * again, to those who have not got it, is shown. Not for system users
 * (numbers 1 to 999, and nobody), whose home is nobody's, unless the service
 * manager has given them a folder.
 */
#ifndef CLI_REPORT_KEEP_H
#define CLI_REPORT_KEEP_H

#include <stdbool.h>

struct invocation;
struct report;

/* Would a message that was not even read be kept, if it were? */
bool report_keeps(const struct invocation *inv);

/* Keeps r->message, where that is wanted, and says so. */
void report_keep(const struct report *r);

#endif
