/*
 * Inside the search for a server: what discover.c and discover_*.c share.
 * For those only.
 */
#ifndef SETUP_DISCOVER_PARTS_H
#define SETUP_DISCOVER_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "setup/discover.h"
#include "util/attr.h"
#include "util/strvec.h"

#define FOUND_MAX 32

struct discovery {
	const struct discover_request *req;
	struct arena *arena;
	const char *domain;		/* of the address, ASCII */
	struct found_server found[FOUND_MAX];	/* by the source that is being asked */
	size_t n;
	struct strvec mx;		/* hosts that receive the domain's mail, best first */
	bool mx_asked;
	bool temporary;			/* something failed that may work later */
};

/* One line for the user; a failure of that kind is remembered. */
ATTR_PRINTF(2, 3) void discovery_note(struct discovery *d, const char *fmt, ...);
void discovery_failure(struct discovery *d, const char *what, const struct error *err);

/* Adds a server, as far as there is room. */
void discovery_add(struct discovery *d, const struct found_server *s);

/*
 * The sources: each fills d->found, and tells what it asked and heard. -1 and
 * err only for what ends the search.
 */
typedef int discovery_source(struct discovery *d, struct error *err);

discovery_source discovery_known, discovery_srv, discovery_own_documents, discovery_ispdb,
	discovery_mx, discovery_guess;

#endif
