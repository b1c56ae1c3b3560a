/*
 * Raw commands in front of a message: --smtp-command beside recipients.
 */
#ifndef CLI_RAW_COMMANDS_H
#define CLI_RAW_COMMANDS_H

#include "util/attr.h"

struct error;
struct session;

/*
 * For struct attempt_options; ctx is the invocation. Sends each of its
 * commands and shows the replies; a refusal ends the attempt.
 */
ATTR_CHECK int raw_commands_run(void *ctx, struct session *s, struct error *err);

#endif
