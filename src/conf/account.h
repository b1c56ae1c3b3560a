/*
 * Every setting of one account: plain data, no functions.
 *
 * Filled by conf/ from the defaults of the settings table, the rc files, the
 * environment and the command line; const for all others. All strings live
 * in the arena of the configuration and are NULL when not set, lists end
 * with NULL. Times are seconds, 0 = no limit.
 *
 * A field here, a row in settings.c, a paragraph in msmtprc(5) and a line in
 * msmtprc.example make a setting.
 */
#ifndef CONF_ACCOUNT_H
#define CONF_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "util/secret.h"

enum protocol { PROTOCOL_SMTP, PROTOCOL_LMTP };

/* TLS_AUTO: implicit on port 465, none on a local socket or for LMTP, else STARTTLS required. */
enum tls_mode { TLS_AUTO, TLS_STARTTLS, TLS_IMPLICIT, TLS_OFF };

/* AUTH_AUTO: on when user is set or a token or client certificate needs it. */
enum auth_mode { AUTH_AUTO, AUTH_OFF, AUTH_ON, AUTH_MECHANISM };

/* AUTH_PLAINTEXT_ALWAYS sends a password readably over an unprotected line. */
enum auth_plaintext { AUTH_PLAINTEXT_TLS, AUTH_PLAINTEXT_ALWAYS };

/* When -f (or the login name) replaces the account's plain 'from': see sendmail.md 4.1. */
enum from_override { FROM_OVERRIDE_NO, FROM_OVERRIDE_OWN_DOMAIN, FROM_OVERRIDE_ANY };

/* Header fields made by us: when missing, always (replacing), never. */
enum set_header { SET_HEADER_AUTO, SET_HEADER_ON, SET_HEADER_OFF };

/* What becomes of the message when some recipients are refused. */
enum partial { PARTIAL_SEND, PARTIAL_REFUSE };

/* DSN NOTIFY as bits (RFC 3461, section 4.1); 0 = not given. */
enum dsn_notify {
	DSN_NOTIFY_NEVER = 1, DSN_NOTIFY_SUCCESS = 2, DSN_NOTIFY_FAILURE = 4, DSN_NOTIFY_DELAY = 8
};

/* DSN RET (RFC 3461, section 4.3). */
enum dsn_ret { DSN_RET_NONE, DSN_RET_FULL, DSN_RET_HDRS };

enum address_family { FAMILY_ANY, FAMILY_IPV4, FAMILY_IPV6 };

struct tls_settings {
	enum tls_mode mode;
	bool follows_starttls;		/* conf only: tls = on or auto, so tls_starttls decides */
	bool starttls, starttls_given;	/* conf only: msmtp's tls_starttls as written */
	bool certcheck;			/* verify chain, name and time */
	const char *trust_file;		/* "system" or a PEM bundle */
	const char *crl_file;
	const char *fingerprint;	/* hex: accept just this certificate */
	const char *cert_file, *key_file;	/* client certificate, PEM */
	const char *priorities;		/* GnuTLS priority string */
	const char *host_override;	/* name to check and to send as SNI */
	unsigned min_dh_prime_bits;
	bool allow_insecure_auth;	/* password although certcheck is off */
};

struct auth_settings {
	enum auth_mode mode;
	const char *mechanism;		/* with AUTH_MECHANISM: upper case */
	enum auth_plaintext plaintext;
	const char *user, *authzid, *realm, *ntlmdomain;
	struct secret password;		/* as written in the rc file */
	const char *password_file;
	const char *const *password_command;	/* argv */
	const char *passwordeval;	/* msmtp's: run by /bin/sh */
	int password_fd;		/* -1 = none */
	const char *password_credential;	/* name in $CREDENTIALS_DIRECTORY */
	const char *netrc;		/* path; msmtp reads ~/.netrc and SYSCONFDIR/netrc */
	struct secret token;		/* OAuth2 access token, as written */
	const char *token_file;
	const char *const *token_command;
	unsigned command_timeout;
	unsigned scram_min_iterations;
};

struct timeouts {
	unsigned total;			/* the whole attempt */
	unsigned connect;		/* each address */
	unsigned greeting, helo, starttls, auth, mail, rcpt;
	unsigned data_init, data_xfer, data_done, rset, quit;
};

struct account {
	const char *name;		/* "default" when the file gives none */
	const char *file;		/* where its section stands; NULL = no file */
	unsigned line;

	const char *host;
	unsigned port;			/* 0 = the protocol's own */
	const char *socket;		/* path of a local socket, instead of host */
	enum protocol protocol;
	enum address_family family;
	const char *source_ip;
	const char *proxy_host;		/* SOCKS5, as in msmtp */
	unsigned proxy_port;
	const char *domain;		/* EHLO name; NULL or "auto": see message/ident.h */
	struct timeouts timeouts;
	struct tls_settings tls;
	struct auth_settings auth;

	const char *const *from;	/* patterns; the first without wildcard is the sender */
	const char *const *match_user;	/* login names, patterns: this account is theirs */
	const char *const *match_to;	/* patterns: the account for mail to these alone */
	enum from_override from_override;
	const char *from_full_name;
	const char *default_domain;
	bool qualify;			/* complete addresses without domain */
	bool auto_from;			/* msmtp: from is login@maildomain */
	const char *maildomain;
	const char *aliases;		/* path; NULL = none */
	enum set_header set_from, set_date, set_msgid;
	bool undisclosed_recipients;	/* replace To and Cc by an empty group */
	bool remove_bcc;
	bool add_mime;			/* say what an 8-bit body without MIME fields is */
	enum partial partial;
	bool strict_recipients;		/* the same as partial = refuse */

	unsigned dsn_notify;		/* enum dsn_notify bits */
	enum dsn_ret dsn_return;
	bool dsn_required;
	bool pipelining, chunking;
	uint64_t max_size;		/* octets, 0 = no limit of our own */
	unsigned max_recipients;	/* RCPT per transaction, 0 = what the server takes */
	const char *const *disable_extensions;

	const char *logfile;		/* path, "-" = standard output */
	const char *logfile_time_format;	/* strftime() */
	int syslog;			/* facility of syslog.h, -1 = off */

	bool classic;			/* written in msmtp's own syntax */
};

#endif
