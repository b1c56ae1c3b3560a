/*
 * What the process may still do, stage by stage.
 *
 *	stage		what changes
 *	start		no rights that the caller has not; descriptors 0-2 are
 *			open, none above is passed on; no core dumps; new files
 *			are private; a closed pipe is an error code, not a death
 *	connected	no further privileges by exec (a password command has
 *			run by then; what starts later, on_failure, gets none)
 */
#ifndef UTIL_SANDBOX_H
#define UTIL_SANDBOX_H

/*
 * First thing in main(), whose argv[0] it gets. A failure ends the process
 * with EX_OSERR, rights that the caller has not with EX_CONFIG and a line on
 * stderr.
 */
void sandbox_start(const char *program);

/* Before the first octet of a server is read. Failures are ignored. */
void sandbox_connected(void);

#endif
