/*
 * What the process may still do, stage by stage.
 *
 *	stage		what changes
 *	start		descriptors 0-2 are open, none above is passed on; no core
 *			dumps; new files are private; a closed pipe is an error
 *			code, not a death
 *	connected	no further privileges by exec (a password command has
 *			run by then; what starts later, on_failure, gets none)
 */
#ifndef UTIL_SANDBOX_H
#define UTIL_SANDBOX_H

/* First thing in main(). A failure ends the process with EX_OSERR. */
void sandbox_start(void);

/* Before the first octet of a server is read. Failures are ignored. */
void sandbox_connected(void);

#endif
