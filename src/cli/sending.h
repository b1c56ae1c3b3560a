/*
 * One message on its way from command line and standard input to what is
 * ready to be sent: recipients, account, sender, content.
 */
#ifndef CLI_SENDING_H
#define CLI_SENDING_H

#include <stdbool.h>

#include "cli/options.h"
#include "message/edits.h"
#include "message/envelope.h"
#include "prepare/choose_account.h"
#include "prepare/explain.h"
#include "util/attr.h"

struct account;
struct arena;
struct config;
struct error;
struct events;
struct message;

/* All that is open while one message is sent. */
struct sending {
	const struct invocation *inv;	/* the one of main(), then told */
	struct invocation told;		/* with what the account says about reports */
	struct events *events;
	struct arena *arena;
	struct config *config;
	struct message *message;
	const struct account *account;
	struct route_request route;
	struct envelope envelope;
	struct envelope excluded;	/* --exclude-args: these get nothing */
	struct edits edits;
	struct explain explain;
	bool input_read;
};

/*
 * Everything up to the connection: reads the message, or makes it of
 * options, and settles account, envelope and edits. What fails here has sent
 * nothing; err has the exit code (doc/sendmail.md#exit-codes).
 */
ATTR_CHECK int sending_prepare(struct sending *s, struct error *err);

/*
 * After a failure: what waits on a pipe would be lost, so it is read, to be
 * kept, or at least for the writer's sake.
 */
void sending_rescue_input(struct sending *s);

#endif
