/*
 * From a server that was chosen to a session that is signed in: connection,
 * TLS, greeting, EHLO, AUTH, at the address in front of a list. The one way
 * to a session, for what sends and for what checks whether it could.
 */
#ifndef SUBMIT_SESSION_OPEN_H
#define SUBMIT_SESSION_OPEN_H

#include <stdbool.h>

#include "net/resolve.h"
#include "smtp/session.h"
#include "submit/server_list.h"
#include "util/attr.h"
#include "util/clock.h"

struct account;
struct arena;
struct attempt_options;
struct envelope;
struct error;
struct result;
struct wire;

struct session_opening {
	const struct account *account;
	const struct envelope *envelope;	/* NULL without message */
	bool info_only;			/* no sign-in */
	const struct attempt_options *opt;
	credential_fn *credential;	/* NULL: those of secrets/credentials.h */
	void *credential_ctx;
	struct arena *arena;
	struct deadline whole;		/* up to the end of the content */
	struct deadline total;		/* of all */
	struct server target;		/* the server in use */
	struct host_addresses addresses;	/* of it, left to try; the one in use in front */
	bool polite;			/* EHLO waits for the greeting */
	bool secured;			/* a session with this server has had TLS */
	bool without[EXT_COUNT];	/* not to be used with this server, whatever it announces */
	struct wire *wire;		/* the rest is filled in */
	struct session session;
	void (*closed)(void *ctx);	/* of the observer, which may be gone by then */
	void *closed_ctx;
};

/*
 * Opens a session with o->target; where a server hangs up at EHLO, with a
 * second connection: EHLO behind the greeting, or HELO. On success
 * session_opening_close() follows, on failure everything is closed.
 */
ATTR_CHECK int session_opening_run(struct session_opening *o, struct error *err);

/*
 * The server in use, "mail.example.org:587" or the path of its socket; NULL
 * when none has been chosen. Lives in o->arena.
 */
const char *session_opening_server(const struct session_opening *o);

/*
 * Fills in o->without with what is remembered of o->target, and forgets what was
 * learnt of another: to be called when that has been chosen.
 */
void session_opening_recall(struct session_opening *o);

/* Notes in r what the open session is: address, mechanism, binding, TLS. */
void session_opening_describe(const struct session_opening *o, struct result *r);

/* A session that is open is for another message now: o->opt, o->envelope, o->total, o->whole. */
void session_opening_reuse(struct session_opening *o);

/* Lets go of session and connection; QUIT is the caller's to send. */
void session_opening_close(struct session_opening *o);

/*
 * May another address or server do better after err? Yes for what may pass,
 * for a name that is not there, for broken TLS and nonsense; not for a
 * refusal, nor when the time is up.
 */
bool session_opening_worth_another(const struct session_opening *o, const struct error *err);

/*
 * Keeps why a server was of no use in *all (exit 0 = nothing yet), behind the
 * others. What may pass counts more than what is for good: then another
 * attempt is worth it.
 */
void session_opening_note_failure(struct error *all, const struct error *err);

#endif
