/*
 * The transcript of -v: "--> " what we say, "<-- " what the server says, on
 * standard error. Secrets never get here: the wire shows a stand-in.
 */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include <stddef.h>

#include "net/wire.h"

/* A wire_trace_fn; ctx is not used. */
void trace_line(void *ctx, enum wire_direction direction, const char *text, size_t n);

#endif
