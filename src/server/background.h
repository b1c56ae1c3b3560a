/*
 * From the caller's terminal to the background, without losing the errors of
 * the start: the caller waits for one word of the server. Also the small
 * files by which others find it.
 */
#ifndef SERVER_BACKGROUND_H
#define SERVER_BACKGROUND_H

#include "util/attr.h"

struct error;

enum { BACKGROUND_FAILED = -1, BACKGROUND_CALLER = 0, BACKGROUND_SERVER = 1 };

/*
 * Forks. In the new process (own session, standard descriptors on /dev/null
 * once it is ready) it returns BACKGROUND_SERVER and a descriptor for the two
 * functions below. In the caller it returns when the server has said its word:
 * BACKGROUND_CALLER, or BACKGROUND_FAILED with its error.
 */
ATTR_CHECK int background_start(int *fd_out, struct error *err);

/* The server stands; closes fd. */
void background_ready(int fd);

/* The server cannot start; closes fd. */
void background_failed(int fd, const struct error *err);

#endif
