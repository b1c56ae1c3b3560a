/*
 * The sockets that a [listen] section is for: TCP, a Unix socket, or one that
 * the service manager has opened and passed on (LISTEN_FDS of systemd).
 *
 * TCP listens on loopback only, unless allow_remote is set and clients have
 * to prove themselves under TLS (EX_CONFIG). A Unix socket gets its mode and
 * owner before anybody can connect; one that a dead server has left is
 * replaced, one with a living server on it is not.
 */
#ifndef SERVER_SOCKETS_H
#define SERVER_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "util/attr.h"

struct error;
struct listen_settings;
struct strbuf;

struct listen_socket {
	int fd;			/* -1 = none */
	const char *path;	/* of a Unix socket; borrowed of the settings; NULL = TCP */
	bool own;		/* made here: nobody else listens on it */
};

/* Opens what set->listen names: "unix:PATH", ADDRESS:PORT, [ADDRESS]:PORT. */
ATTR_CHECK int listen_socket_open(const struct listen_settings *set, struct listen_socket *out,
				  struct error *err);

/* Closes it; one of our own is no socket any more, whoever still holds it, and its file goes. */
void listen_socket_close(struct listen_socket *s);

/* "ADDRESS:PORT" or "unix:PATH" of the socket, appended. */
void listen_socket_describe(int fd, struct strbuf *out);

/*
 * The socket that was passed on under that name; where none has a name of
 * ours, they are taken in their order. -1 = none. Looks at LISTEN_PID,
 * LISTEN_FDS, LISTEN_FDNAMES; each socket is given out once.
 */
int listen_socket_passed(const char *name);

/* May that set listen on the address of fd? EX_CONFIG if not. */
ATTR_CHECK int listen_socket_check(const struct listen_settings *set, int fd, struct error *err);

#endif
