/*
 * The listener: sockets, and a bounded number of worker processes, one per
 * connection.
 *
 * It listens on loopback only; anything else is refused (EX_CONFIG). Above
 * max_clients a connection gets 421 4.3.2. SIGTERM and SIGINT end it: no new
 * connections, the workers finish the command they are at, say 421 and end;
 * SIGHUP does the same in the foreground and nothing in the background.
 * Settings are checked, and the socket is bound, before the process goes to
 * the background, so that the caller sees what is wrong.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdbool.h>

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
	bool foreground;
	void (*log)(void *ctx, const char *line);	/* one line per session event; or NULL */
	void *log_ctx;
};

/*
 * Runs until told to stop. In the background: returns 0 in the caller's
 * process once the server stands with its files written, and again in the
 * server's own process when it has ended. Both files are removed at the end.
 * EX_CONFIG for settings, EX_OSERR when socket or process cannot be had,
 * EX_CANTCREAT for the files.
 */
ATTR_CHECK int listener_run(const struct server_options *opt, struct error *err);

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
