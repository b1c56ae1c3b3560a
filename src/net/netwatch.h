/*
 * Waits for a time, and notices when this host has come to a network, or its
 * clock was set, meanwhile: what could not be sent before may be tried then.
 *
 * The kernel tells of links, addresses and routes (rtnetlink(7)) and of a
 * clock that was set (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET); a host that
 * wakes from sleep has its clock set by the kernel, too. Where either cannot
 * be had (a sandbox) the time alone counts.
 */
#ifndef NET_NETWATCH_H
#define NET_NETWATCH_H

#include "util/attr.h"

struct deadline;

struct netwatch {
	int link;	/* of rtnetlink; -1 = not to be had */
	int clock;	/* of the timer; -1 = not to be had */
	int other;	/* the caller's: it can be read; -1 = none */
};

#define NETWATCH_INIT { .link = -1, .clock = -1, .other = -1 }

enum netwatch_reason {
	NETWATCH_TIME,		/* the deadline has passed */
	NETWATCH_NETWORK,	/* a link, an address or a route has come */
	NETWATCH_CLOCK,		/* the clock was set */
	NETWATCH_OTHER,		/* the other descriptor can be read */
	NETWATCH_SIGNAL		/* interrupt_noted() (util/interrupt.h) */
};

/* Opens what can be had, but for other, which the caller may set; close-on-exec. */
void netwatch_open(struct netwatch *w);
void netwatch_close(struct netwatch *w);

/*
 * Waits until one of the reasons. Changes come in swarms: the network counts
 * as come when for a second nothing more has changed. A signal that is noted
 * before or during the wait ends it.
 */
ATTR_CHECK enum netwatch_reason netwatch_wait(struct netwatch *w, const struct deadline *d);

#endif
