/*
 * Who wants to know how an attempt goes on: functions passed down from the
 * command line. Any may be NULL. They must not touch the session.
 */
#ifndef SMTP_OBSERVER_H
#define SMTP_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>

struct session;

/* What is done on the way to a session, in this order; EHLO and TLS may come twice. */
enum session_step {
	STEP_CONNECT, STEP_TLS, STEP_GREETING, STEP_EHLO, STEP_STARTTLS, STEP_AUTH, STEP_COUNT
};

struct observer {
	void *ctx;
	/*
	 * A step begins, so the one before it has gone well: what the server
	 * said to it is in s (NULL while there is no session). A failure
	 * belongs to the last step that was told.
	 */
	void (*step)(void *ctx, enum session_step step, const struct session *s);
	/* Connected to server ("mail.example.org:587") at its numeric address. */
	void (*connected)(void *ctx, const char *server, const char *address);
	/* TLS is on: what was agreed, and whether the certificate was verified. */
	void (*secured)(void *ctx, const char *tls, bool verified);
	/* So many octets of the message have gone out. */
	void (*transfer)(void *ctx, uint64_t done, uint64_t total);
};

struct wire;

/* Tells o (may be NULL) that the step begins. */
void observer_step(const struct observer *o, enum session_step step, const struct session *s);

/*
 * TLS has come up under w: a note in the transcript ("TLS: ..."), and the
 * observer (may be NULL) is told.
 */
void observer_secured(const struct observer *o, struct wire *w);

#endif
