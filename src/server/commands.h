/*
 * The commands of the listener: one table of verbs, the states in which each
 * is allowed, and its handler.
 */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

#include <stdbool.h>

#include "util/attr.h"

struct smtpd;
struct strbuf;

/* Runs the command in s->line (without its end; no NUL in it) and replies. */
void commands_run(struct smtpd *s);

/* Is that line an AUTH command? Its length limit is another. */
bool commands_is_auth(const struct strbuf *line);

#endif
