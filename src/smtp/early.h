/*
 * EHLO before the greeting, where the server has said on an earlier
 * connection that it may be done (PIPECONNECT of Exim).
 *
 * EHLO alone goes ahead, and nothing is assumed of its reply. What is kept
 * of a server is one flag: that it invites to it.
 */
#ifndef SMTP_EARLY_H
#define SMTP_EARLY_H

#include <stdbool.h>

struct session;

/* For one address, port and EHLO name; who keeps it is no matter here. */
struct early_memory {
	bool (*invited)(void *ctx);
	void (*note)(void *ctx, bool invited);
	void *ctx;
};

/* Puts EHLO into the wire, to go out before the greeting is read; false: it is not to. */
bool early_hello(struct session *s);

/* The first EHLO of the connection was answered: keeps whether the server invites. */
void early_note(const struct session *s);

/*
 * EHLO went ahead, and no session came of it. True when that may be why: the
 * server refused or hung up. Then it is forgotten that it had invited.
 */
bool early_refused(const struct session *s);

#endif
