/*
 * Every setting of the local listener: plain data, filled by conf/ from the
 * section [listen NAME] and the command line.
 */
#ifndef CONF_LISTEN_H
#define CONF_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

/* AUTO: for TCP, not for Unix sockets and -bs. */
enum strictness { STRICT_OFF, STRICT_ON, STRICT_AUTO };

/* Who speaks before the greeting. AUTO: refused when it comes from another host. */
enum early_talker { EARLY_AUTO, EARLY_OFF, EARLY_LOG, EARLY_REJECT };

struct listen_settings {
	const char *name;
	const char *listen;		/* ADDRESS:PORT, port 0 = any free one; unix:PATH */
	const char *deliver;		/* SCHEME:PLACE, see deliver/deliver.c */
	const char *const *on_message, *const *on_auth;	/* argv of hooks; NULL = none */
	unsigned hook_timeout;		/* seconds a hook or command: may take; 0 = any time */
	const char *server_name;	/* NULL = the host's name */
	const char *server_cert, *server_key;	/* PEM; both or none */
	const char *auth_file;		/* lines USER:{scheme}HASH or USER:crypt(3) hash */
	bool auth_scram;		/* SCRAM as well: the file has passwords in clear */
	bool auth_required;		/* 530 to MAIL without sign-in */
	bool require_tls;		/* 530 to all but EHLO, NOOP, STARTTLS, QUIT */
	bool auth_plain_loopback;	/* offer AUTH on loopback without TLS */
	enum strictness strict;		/* bare LF refused, syntax as in RFC 5321 */
	bool vrfy_aliases;
	bool helo_required;		/* 503 to MAIL without EHLO or HELO */
	bool implicit_tls;		/* TLS from the first octet */
	const char *server_client_ca;	/* clients need a certificate of these; NULL = none */
	bool allow_remote;		/* other addresses than loopback */
	const char *socket_mode, *socket_owner;	/* of a Unix socket; NULL = 0600, ours */
	enum early_talker early_talker;
	unsigned max_clients;
	unsigned max_rcpt;
	unsigned max_messages;		/* of one session */
	unsigned max_hold;		/* seconds, of FUTURERELEASE */
	bool lmtp;			/* protocol = lmtp */
	uint64_t message_size_limit;	/* octets */
	unsigned idle_timeout;		/* seconds, also for all of a command */
	unsigned message_timeout;	/* seconds for all of DATA or a chunk; 0 = no limit */
	unsigned session_timeout;	/* seconds; 0 = no limit */
	/* of clients by a local socket: server/caller.h; NULL = all may */
	const char *const *allow_users, *const *deny_users, *const *allow_groups;
	const char *const *local_login_sender_maps;	/* words USER=PATTERN */
	unsigned user_rate, user_rate_time;	/* messages, seconds; 0 = no limit */
	const char *port_file;		/* the address and port in use are written here */
	const char *pid_file;
};

#endif
