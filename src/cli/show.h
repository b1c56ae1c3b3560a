/*
 * What would be sent, and why, on standard output: --dry-run and --explain.
 * Neither connects, nor asks for a secret, nor keeps anything.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

struct invocation;
struct submission;

/*
 * Prints what inv asks for; the exit status. Text: first the explanation,
 * one "topic: value" a line, then the commands, an empty line and the
 * message, octet for octet. JSON: one object.
 */
int show_message(const struct invocation *inv, const struct submission *s);

/* The notes that were made before something failed, with --explain and without --json. */
void show_notes(const struct invocation *inv, const struct submission *s);

#endif
