/*
 * The listener: the sockets of one or more [listen] sections, each with its
 * workers (server/workers.h).
 *
 * It listens on loopback and Unix sockets; on other addresses only where
 * clients have to prove themselves (server/sockets.h). Above max_clients a
 * connection gets 421 4.3.2. SIGTERM and SIGINT end it: no new connections,
 * the workers finish the command they are at, say 421 and end. SIGHUP reads
 * the configuration anew: sockets that are still wanted stay open all the
 * time, sessions go on as they began; a configuration that is wrong changes
 * nothing. Settings are checked, and sockets bound, before the process goes
 * to the background, so that the caller sees what is wrong.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/listen.h"
#include "util/attr.h"

struct caller_rates;
struct delivery;
struct error;
struct wire;

struct server_options {
	/*
	 * NULL: no STARTTLS, no AUTH, no files; 0: 50 clients, 1000 recipients,
	 * 300 seconds, any size.
	 */
	struct listen_settings set;
	struct delivery *delivery;	/* where messages go; the caller's */
	struct caller_rates *rates;	/* of user_rate; NULL = none */
	const char *const *domains;	/* of the recipients taken; NULL = any */
	void (*log)(void *ctx, const char *line);	/* one line per session event; or NULL */
	void *log_ctx;
};

struct listener_request {
	const struct server_options *section;
	size_t n;			/* at least one */
	bool foreground;
	bool once;			/* one session, in this process, then the end */
	unsigned interval;		/* seconds: run is not called again before */
	/*
	 * The sections of a changed configuration; they, and what they refer to,
	 * live until listener_run() returns. NULL = there is nothing to reload.
	 */
	int (*reload)(void *ctx, const struct server_options **section_out, size_t *n_out,
		      struct error *err);
	/* What goes on beside, in a process of its own; called again if it returns; or NULL. */
	void (*run)(void *ctx);
	void *ctx;
};

/*
 * Runs until told to stop, or until the client has gone: of once, and when
 * standard input is a connected socket (inetd; a Unix socket only with once).
 * In the background: returns 0 in the caller's process once the server stands
 * with its files written, and again in the server's own process when it has
 * ended. The files are removed at the end.
 * EX_CONFIG for settings, EX_OSERR when socket or process cannot be had,
 * EX_CANTCREAT for the files.
 */
ATTR_CHECK int listener_run(const struct listener_request *req, struct error *err);

/*
 * One session on standard input and output for the process that has started
 * us (-bs): without TLS and sign-in, lenient with line ends, without a limit
 * of silence. 0 also when the client goes without QUIT, outside a message;
 * within one EX_TEMPFAIL, for nothing but errors EX_PROTOCOL.
 */
ATTR_CHECK int listener_serve_stdio(const struct server_options *opt, struct error *err);

/*
 * On-demand mail relay (RFC 2645): after ATRN the client of a session is its
 * server. One session of the listener runs on the connection that is there,
 * inside its TLS, without sign-in and STARTTLS. Of the options delivery,
 * domains, log and the settings server_name and message_size_limit count.
 *
 * Greets and serves until the peer's QUIT; *messages_out are stored for good
 * even when it fails. The wire, encrypted with tls, stays the caller's, and is
 * of no use any more.
 */
ATTR_CHECK int atrn_run(const struct server_options *opt, struct wire *wire, bool tls,
			const char *peer, unsigned *messages_out, struct error *err);

#endif
