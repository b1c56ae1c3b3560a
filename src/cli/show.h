/*
 * What would be sent, and why, on standard output: --dry-run and --explain.
 * Neither connects, nor asks for a secret, nor keeps anything.
 */
#ifndef CLI_SHOW_H
#define CLI_SHOW_H

#include "util/attr.h"

struct account;
struct config;
struct edits;
struct envelope;
struct error;
struct explain;
struct invocation;
struct message;

/* All that is known when the message is ready to go. */
struct show {
	const struct invocation *inv;
	const struct config *config;
	const struct account *account;
	const struct envelope *envelope;
	const struct message *message;
	const struct edits *edits;
	const struct explain *explain;	/* the notes of --explain */
};

/*
 * Prints what inv asks for; the exit status. Text: first the explanation,
 * one "topic: value" a line, then the commands, an empty line and the
 * message, octet for octet. JSON: one object.
 */
int show_message(const struct show *s);

/* The notes that were made before something failed, with --explain and without --json. */
void show_notes(const struct show *s);

#endif
