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
 * A descriptor from which those n octets are read, for a command: a file and
 * not a pipe, so that who does not read it holds up nobody. EX_CANTCREAT.
 */
ATTR_CHECK int proc_input(const void *data, size_t n, int *fd_out, struct error *err);

/* PATH of a command with an environment of its own. */
#define PROC_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* A command whose exit status and words are an answer. All of it is borrowed. */
struct proc_request {
	char *const *argv;		/* looked up in PATH */
	char *const *environment;	/* all of it: "NAME=value"..., NULL */
	unsigned seconds;		/* its time limit; 0 = none */
	int input;			/* its standard input; -1 = /dev/null */
	int third;			/* its descriptor 3; -1 = none */
	struct strbuf *out;		/* what it prints; what has no room is lost */
};

/*
 * Runs it in a session of its own, and *status_out is its exit status. What
 * it leaves behind in the background is not waited for. -1 when there is no
 * such answer: it cannot be run (EX_CONFIG), a signal has ended it
 * (EX_CONFIG), or its time was over (EX_TEMPFAIL): then it is killed, with
 * the processes of its group.
 */
ATTR_CHECK int proc_run(const struct proc_request *r, int *status_out, struct error *err);

/*
 * fork() for a command. Our callers may ignore SIGCHLD, and then the status
 * of a child is lost, or block signals: neither is passed on. In the child
 * every signal that we ignore does again what it does by default.
 */
pid_t proc_fork(void);

/* In the child of it: every descriptor above 2 ends at exec. */
void proc_close_later(void);

#endif
