/*
 * Signals that end an attempt: SIGINT, SIGTERM, SIGHUP.
 *
 * While they are heeded, one of them makes every deadline pass (util/clock.h),
 * so that whatever waits comes to its end the way it does for a timeout, and
 * what has become of the message is told and logged. Those that the caller
 * ignores (nohup) are not touched. Once the outcome is known they change
 * nothing any more.
 */
#ifndef UTIL_INTERRUPT_H
#define UTIL_INTERRUPT_H

/* From now on they are noted, and make deadlines pass. */
void interrupt_heed(void);

/* They are noted still, and do nothing until the end of the process. */
void interrupt_defer(void);

/* The signal that has made deadlines pass, or would have; 0 = none. */
int interrupt_noted(void);

/* Does a signal make deadlines pass now? */
int interrupt_pending(void);

/* "SIGTERM"; "" for 0. */
const char *interrupt_name(int number);

/* Ends the process as that signal does when it is not caught. */
void interrupt_die(int number);

#endif
