/*
 * The addresses of one host, raced (RFC 8305, section 5): one connection is
 * begun, the next after a delay, or at once when all that run have failed;
 * the first that stands wins and the others are closed. Only TCP is raced,
 * never what is spoken on it.
 */
#ifndef NET_RACE_H
#define NET_RACE_H

#include <stddef.h>

#include "util/attr.h"

struct address_list;
struct deadline;
struct error;
struct socket_options;
struct strbuf;

struct race {
	const struct address_list *list;
	const struct socket_options *options;	/* of each socket */
	unsigned delay_ms;			/* 0: one after the other */
	unsigned timeout;			/* seconds for each address, 0 = no limit */
};

/*
 * The connected descriptor, and the place of its address in the list; or -1,
 * with the reason of each address that was tried appended to reasons, in the
 * order of the list, and their faults noted in *kinds (its text is not set).
 */
ATTR_CHECK int race_run(const struct race *r, const struct deadline *whole, size_t *winner_out,
			struct strbuf *reasons, struct error *kinds);

#endif
