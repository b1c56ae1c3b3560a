/*
 * Questions at the controlling terminal: a secret, typed without echo, and
 * yes or no.
 */
#ifndef SECRETS_TERMINAL_H
#define SECRETS_TERMINAL_H

#include <stdbool.h>

#include "util/attr.h"

struct error;
struct strbuf;

/*
 * Shows prompt on /dev/tty and reads one line without echo into out, without
 * its line end. The terminal is put right again before a signal that came
 * meanwhile takes effect. EX_CONFIG when there is no terminal or nothing is
 * typed.
 */
ATTR_CHECK int terminal_ask(const char *prompt, struct strbuf *out, struct error *err);

/*
 * Shows prompt and reads one line with echo: true for "y" or "yes". Anything
 * else, and no terminal, is no.
 */
bool terminal_confirm(const char *prompt);

/* Is there a terminal to ask at? */
bool terminal_is_there(void);

#endif
