/*
 * A secret typed at the controlling terminal. For conf/ only.
 */
#ifndef CONF_TERMINAL_H
#define CONF_TERMINAL_H

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

#endif
