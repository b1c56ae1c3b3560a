/*
 * Who wants to know how an attempt goes on: functions passed down from the
 * command line. Any may be NULL. They must not touch the session.
 */
#ifndef SMTP_OBSERVER_H
#define SMTP_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>

struct observer {
	void *ctx;
	/* Connected to server ("mail.example.org:587") at its numeric address. */
	void (*connected)(void *ctx, const char *server, const char *address);
	/* TLS is on: what was agreed, and whether the certificate was verified. */
	void (*secured)(void *ctx, const char *tls, bool verified);
	/* So many octets of the message have gone out. */
	void (*transfer)(void *ctx, uint64_t done, uint64_t total);
};

struct wire;

/*
 * TLS has come up under w: a note in the transcript ("TLS: ..."), and the
 * observer (may be NULL) is told.
 */
void observer_secured(const struct observer *o, struct wire *w);

#endif
