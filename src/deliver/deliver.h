/*
 * Where the server puts messages: the key 'deliver', SCHEME:PLACE.
 *
 * One table, one row for each kind, one file for what is behind it; the
 * server itself knows nothing but struct delivery. What can be known to be
 * wrong before the first client comes is found when it is opened.
 */
#ifndef DELIVER_DELIVER_H
#define DELIVER_DELIVER_H

#include "util/attr.h"

struct arena;
struct config;
struct config_request;
struct delivery;
struct error;

/* All of it is borrowed, and must outlive the delivery. */
struct deliver_request {
	const char *deliver;	/* SCHEME:PLACE */
	const char *key;	/* the setting that says so, for texts */
	const char *server_name;	/* NULL = the host's name */
	const char *const *on_message;	/* argv of who judges each message; NULL = nobody */
	unsigned hook_timeout;	/* seconds a program may take; 0 = any time */
	const struct config *config;	/* where accounts are; NULL = there are none */
	const struct config_request *config_request;	/* what has made it; NULL with it */
	const struct arrival *arrival;	/* is told of what came into the queue; NULL = nobody is */
	struct arena *arena;		/* what lives as long as the delivery is made there */
};

/*
 * Opens what deliver names; *out is to be given to delivery_free(). EX_CONFIG
 * for another form, EX_CANTCREAT when nothing can be put there.
 */
ATTR_CHECK int deliver_open(const struct deliver_request *r, struct delivery **out,
			    struct error *err);

#endif
