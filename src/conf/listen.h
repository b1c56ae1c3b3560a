/*
 * Every setting of the local listener: plain data, filled by conf/ from the
 * section [listen NAME] and the command line.
 */
#ifndef CONF_LISTEN_H
#define CONF_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

struct listen_settings {
	const char *name;
	const char *listen;		/* ADDRESS:PORT, loopback; port 0 = any free one */
	const char *deliver;		/* SCHEME:PLACE, see deliver/deliver.c */
	const char *const *on_message, *const *on_auth;	/* argv of hooks; NULL = none */
	unsigned hook_timeout;		/* seconds a hook or command: may take; 0 = any time */
	const char *server_name;	/* NULL = the host's name */
	const char *server_cert, *server_key;	/* PEM; both or none */
	const char *auth_file;		/* lines USER:{scheme}HASH or USER:crypt(3) hash */
	bool auth_required;		/* 530 to MAIL without sign-in */
	bool require_tls;		/* 530 to all but EHLO, NOOP, STARTTLS, QUIT */
	bool auth_plain_loopback;	/* offer AUTH on loopback without TLS */
	bool strict;			/* bare LF refused, syntax as in RFC 5321 */
	unsigned max_clients;
	unsigned max_rcpt;
	unsigned max_messages;		/* of one session */
	unsigned max_hold;		/* seconds, of FUTURERELEASE */
	bool lmtp;			/* protocol = lmtp */
	uint64_t message_size_limit;	/* octets */
	unsigned idle_timeout;		/* seconds */
	/* of clients by a local socket: server/caller.h; NULL = all may */
	const char *const *allow_users, *const *deny_users, *const *allow_groups;
	const char *const *local_login_sender_maps;	/* words USER=PATTERN */
	unsigned user_rate, user_rate_time;	/* messages, seconds; 0 = no limit */
	const char *port_file;		/* the address and port in use are written here */
	const char *pid_file;
};

#endif
