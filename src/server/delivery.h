/*
 * Where the listener puts a message: one table of operations per kind of
 * place, so that the session does not know whether it is a folder or a queue.
 *
 * begin, any number of writes, then commit or abandon. The octets are
 * canonical (lines end with CRLF and nothing else, no NUL). When begin fails
 * there is nothing to abandon; when write fails abandon follows; when commit
 * fails nothing is left behind. Commit returns 0 only when the message would
 * survive a loss of power.
 */
#ifndef SERVER_DELIVERY_H
#define SERVER_DELIVERY_H

#include <stddef.h>

struct delivery;
struct error;

struct delivery_ops {
	/* *id_out names the message in replies and trace fields; valid until the next begin */
	int (*begin)(struct delivery *, const char **id_out, struct error *);
	int (*write)(struct delivery *, const char *data, size_t n, struct error *);
	int (*commit)(struct delivery *, struct error *);
	void (*abandon)(struct delivery *);
};

/* First member of each kind of place. */
struct delivery {
	const struct delivery_ops *ops;
};

#endif
