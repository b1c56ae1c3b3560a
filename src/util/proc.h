/*
 * Running another program: no shell, no inherited descriptors, stdin from
 * /dev/null, standard output taken up to a bound, under a time limit.
 */
#ifndef UTIL_PROC_H
#define UTIL_PROC_H

#include <stddef.h>
#include <sys/types.h>

#include "util/attr.h"

struct error;
struct strbuf;

/*
 * Runs argv (looked up in PATH) and appends what it prints to out; stderr is
 * the caller's. seconds: its time limit, after which it is killed. Fails with
 * EX_CONFIG when it cannot be run or ends with a status other than 0, and
 * with EX_TEMPFAIL on timeout. The output is never part of the error text.
 */
ATTR_CHECK int proc_capture(char *const argv[], unsigned seconds, struct strbuf *out,
			    struct error *err);

/*
 * Runs argv with the n octets of data on standard input; what it prints, also
 * on stderr, is thrown away. Fails as proc_capture(), and with EX_CANTCREAT
 * when there is no place for the data.
 */
ATTR_CHECK int proc_feed(char *const argv[], unsigned seconds, const void *data, size_t n,
			 struct error *err);

/*
 * fork() for a command. Our callers may ignore SIGCHLD, and then the status
 * of a child is lost, or block signals: neither is passed on. In the child
 * every signal that we ignore does again what it does by default.
 */
pid_t proc_fork(void);

#endif
