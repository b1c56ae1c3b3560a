/*
 * A stream to a command: its standard input and output. The command is
 * started without a shell, its standard error is ours, and it is waited for
 * when the stream goes; should it not end by itself then, it is ended.
 */
#ifndef NET_PIPE_H
#define NET_PIPE_H

#include "util/attr.h"

struct error;
struct stream;

/*
 * Starts argv (ends with NULL, looked up in PATH). EX_CONFIG when it cannot
 * be run, EX_OSERR without pipe or process. *out is the caller's. An early
 * end of the command with a status other than 0 is an error of the next read
 * (EX_TEMPFAIL 4.4.1), with 0 the end of the stream.
 */
ATTR_CHECK int pipe_stream_open(const char *const *argv, struct stream **out, struct error *err);

#endif
