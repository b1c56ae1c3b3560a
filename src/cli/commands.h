/*
 * What the program does: one function per command, chosen in main.c. Each
 * returns the exit status. Errors have been reported by then. And what one of
 * them has for another.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdbool.h>

#include "util/attr.h"

struct account;
struct config;
struct error;
struct arrival;
struct invocation;
struct queue;
struct session;
struct submission;

typedef int command_fn(const struct invocation *);

command_fn cmd_check, cmd_check_config;
command_fn cmd_send, cmd_queue_list, cmd_queue_count, cmd_queue_run, cmd_verify, cmd_serve,
	cmd_serverinfo, cmd_print_config, cmd_list_settings, cmd_list_options,
	cmd_list_extensions, cmd_version, cmd_help, cmd_nothing, cmd_smtp, cmd_track_query,
	cmd_configure, cmd_import, cmd_queue_tool, cmd_status, cmd_session;

/*
 * Checks the new account of s and prints what is found to standard output; returns
 * the exit status that sending would have. why: how the account came to be
 * chosen ("named by -a"); to: the recipient to ask the server for; NULL for
 * none of them.
 */
int check_and_print(const struct invocation *inv, struct submission *s, const char *why,
		    const char *to);

/*
 * What would be sent, and why, on standard output: --dry-run and --explain.
 * Neither connects, nor asks for a secret, nor keeps anything. Prints what
 * inv asks for; the exit status. Text: first the explanation,
 * one "topic: value" a line, then the commands, an empty line and the
 * message, octet for octet. JSON: one object.
 */
int show_message(const struct invocation *inv, const struct submission *s);

/* The notes that were made before something failed, with --explain and without --json. */
void show_notes(const struct invocation *inv, const struct submission *s);

/* Was it written down, in a file or option, that there is to be a queue for a? */
bool queue_is_asked(const struct config *config, const struct account *a);

/*
 * Runs through the queue of the caller again and again, with their log, as -q15m does, in this
 * process, until a signal comes; what arrival (NULL = nobody) tells of is sent as it comes.
 */
void queue_run_again(const struct invocation *inv, const struct arrival *arrival);

/*
 * Opens the queue that the caller means: of the account named, or of the default one; without
 * any, that of the user. It is made where it is asked for. Errors of queue_open().
 * queue_close() follows.
 */
ATTR_CHECK int queue_of_caller(const struct invocation *inv, struct queue *q, struct error *err);

/*
 * The same for who looks after what is in it: root works in the queue of another user as that
 * user, so that what is written there stays his, and has his rights only from then on.
 */
ATTR_CHECK int queue_of_owner(const struct invocation *inv, struct queue *q, struct error *err);

/*
 * Tries that entry now, due or not, and prints what has become of each recipient. -1: not all
 * have got it, and err says why; FAULT_BUSY when somebody else has it.
 */
ATTR_CHECK int queue_retry(const struct invocation *inv, struct queue *q, const char *id,
			   struct error *err);

/*
 * -odb, undo_window: tries that entry of the queue in the folder (NULL: the default one) after
 * so many seconds, in a process of its own. Whatever becomes of it, the entry is in the queue.
 */
void queue_run_behind(const struct invocation *inv, const char *dir, const char *id,
		      unsigned seconds);

/*
 * --smtp-command in front of a message, for struct attempt_options; ctx is
 * the invocation. Sends each of its commands and shows the replies; a refusal
 * ends the attempt.
 */
ATTR_CHECK int raw_commands_run(void *ctx, struct session *s, struct error *err);

#endif
