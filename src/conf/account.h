/*
 * Every setting of one account: plain data, no functions.
 *
 * Filled by conf/ from the defaults of the settings table, the rc files, the
 * environment and the command line; const for all others. All strings live
 * in the arena of the configuration and are NULL when not set, lists end
 * with NULL. Times are seconds, 0 = no limit.
 *
 * A field here, a row in conf/settings_*.c, a paragraph in msmtprc(5) and a
 * line in msmtprc.example make a setting: see src/README.md. Fields are named
 * like their keys.
 */
#ifndef CONF_ACCOUNT_H
#define CONF_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message/envelope.h"
#include "net/proxyurl.h"
#include "net/socket.h"
#include "util/secret.h"

struct rewrite_map;

enum protocol { PROTOCOL_SMTP, PROTOCOL_LMTP };

/* Who sends: this process, or the service of the machine, which alone has the secret. */
enum via { VIA_DIRECT, VIA_SERVICE };

/*
 * TLS_AUTO: implicit on port 465, none on a local socket or for LMTP, else STARTTLS required.
 * TLS_MAY: STARTTLS where it is offered, with any certificate; else in clear.
 */
enum tls_mode { TLS_AUTO, TLS_STARTTLS, TLS_IMPLICIT, TLS_OFF, TLS_MAY };

/*
 * AUTH_AUTO: on when user is set or a token or client certificate needs it.
 * AUTH_TRY: the same, and a message goes even when the server takes no sign-in.
 */
enum auth_mode { AUTH_AUTO, AUTH_OFF, AUTH_ON, AUTH_MECHANISM, AUTH_TRY };

/* AUTH_PLAINTEXT_ALWAYS sends a password readably over an unprotected line. */
enum auth_plaintext { AUTH_PLAINTEXT_TLS, AUTH_PLAINTEXT_ALWAYS };

/* The weakest mechanism that will do; in the order of mechanism_strength(). */
enum auth_minimum { AUTH_MINIMUM_ANY, AUTH_MINIMUM_PLAIN, AUTH_MINIMUM_SCRAM,
	AUTH_MINIMUM_SCRAM_PLUS };

/* The initial response: where RFC 4954 lets it; not; in a line of any length. */
enum auth_initial { AUTH_INITIAL_AUTO, AUTH_INITIAL_NEVER, AUTH_INITIAL_ALWAYS };

/*
 * Blanks in a password. AUTO: left out of an app password of Google's (four
 * groups of four letters, shown with blanks between them) for its servers.
 */
enum strip_spaces { STRIP_SPACES_AUTO, STRIP_SPACES_ON, STRIP_SPACES_OFF };

/* Which channel binding SCRAM-*-PLUS has: that of the version of TLS, one of them, none. */
enum channel_binding { BINDING_AUTO, BINDING_TLS_UNIQUE, BINDING_TLS_EXPORTER, BINDING_OFF };

/* When -f (or the login name) replaces the account's plain 'from': see doc/sendmail.md#sender. */
enum from_override { FROM_OVERRIDE_NO, FROM_OVERRIDE_OWN_DOMAIN, FROM_OVERRIDE_ANY };

/* Header fields made by us: when missing, always (replacing), never. */
enum set_header { SET_HEADER_AUTO, SET_HEADER_ON, SET_HEADER_OFF };

/* The left part of a Message-ID: time and a random word; that word; of the message's content. */
enum message_id_style { MESSAGE_ID_TIME, MESSAGE_ID_RANDOM, MESSAGE_ID_HASH };

/* What becomes of the message when some recipients are refused. */
enum partial { PARTIAL_SEND, PARTIAL_REFUSE };

/* FAMILY_PREFER_*: both, but one first. */
enum address_family {
	FAMILY_ANY, FAMILY_IPV4, FAMILY_IPV6, FAMILY_PREFER_IPV4, FAMILY_PREFER_IPV6
};

/* Servers that SRV records may name: in the domain, also those DNSSEC vouches for, any. */
enum srv_live { SRV_LIVE_INSIDE, SRV_LIVE_DNSSEC, SRV_LIVE_ANY };

/* One item of a list in 'host'. */
struct server_entry {
	bool srv;			/* SRV records of host; NULL = of the sender's domain */
	const char *host;
	unsigned port;			/* 0 = the account's */
};

/* How to get to the server. */
struct connection_settings {
	bool mx;			/* no smarthost: the servers of each recipient's domain */
	enum srv_live srv_live;
	const char *resolver;		/* ADDRESS[:PORT]; NULL = the system's */
	unsigned happy_eyeballs;	/* milliseconds, 0 = off */
	struct socket_options tcp;
	uint64_t max_rate;		/* octets a second, 0 = no limit */
	const char *const *tunnel;	/* argv of a command to talk to instead of a socket */
};

/* What proxy_host does not say. */
struct proxy_settings {
	enum proxy_type type;
	const char *user;		/* NULL = no login */
	struct secret password;
	const char *password_file;
	const char *const *password_command;
	const char *data;		/* header field or user id; NULL = none; may be secret */
	bool from_env;			/* take it from the environment when there is none */
	const char *const *no_proxy;
};

/* 8-bit content and a server without 8BITMIME: encode; refuse; encode for every server. */
enum convert_8bit { CONVERT_8BIT_YES, CONVERT_8BIT_NO, CONVERT_8BIT_ALWAYS };

/* Lines of more than 998 octets. */
enum long_lines { LONG_LINES_ENCODE, LONG_LINES_SPLIT, LONG_LINES_REJECT, LONG_LINES_PASS };

/* UTF-8 in header fields in ASCII: unless an address needs SMTPUTF8 anyway; never; always. */
enum utf8_downgrade { UTF8_DOWNGRADE_AUTO, UTF8_DOWNGRADE_NEVER, UTF8_DOWNGRADE_ALWAYS };

/* CRs in the body that end no line: they do, they are blanks, it is refused, encoded. */
enum bare_cr { BARE_CR_LINE_END, BARE_CR_SPACE, BARE_CR_REJECT, BARE_CR_ENCODE };

struct convert_settings {
	enum bare_cr bare_cr;
	enum convert_8bit convert_8bit;
	enum long_lines long_lines;
	enum utf8_downgrade smtputf8_downgrade;
	bool signed_dkim;		/* also what has a DKIM-Signature, which breaks then */
	const char *charset_out;	/* of words and texts of our making; NULL = UTF-8 */
	const char *default_charset;		/* of octets that are no UTF-8; NULL = not known */
};

/* A message or field that is made of options. */
struct compose_settings {
	unsigned max_header_length;	/* octets of a header line */
	bool prefer_8bit;		/* do not encode 8-bit text */
	bool filename_compat;		/* file names also in the way of old programs */
	bool importance_all;		/* importance in the fields of all programs */
	bool strict_headers;		/* a field that may occur once only occurs once */
};

/* Stapled OCSP answers: used when they come, demanded, ignored. */
enum tls_ocsp { TLS_OCSP_AUTO, TLS_OCSP_REQUIRE, TLS_OCSP_OFF };

/* DANE: never, where the domain has it, always. */
enum tls_dane { TLS_DANE_OFF, TLS_DANE_MAY, TLS_DANE_MUST };

/* Who validates DNSSEC: libunbound, or a resolver on this host that is trusted to. */
enum dnssec { DNSSEC_AUTO, DNSSEC_TRUST_AD };

/* AUTO: where it is of use, see smtp/content.c. */
enum chunking { CHUNKING_OFF, CHUNKING_AUTO, CHUNKING_ON };

/* RSET before MAIL, behind another transaction: where that was left open; always; a new session. */
enum rset { RSET_AUTO, RSET_ALWAYS, RSET_NEVER };

/* FIRST_NO: one command at a time up to the reply to the first RCPT. */
enum pipelining { PIPELINING_NO, PIPELINING_YES, PIPELINING_FIRST_NO };

struct tls_settings {
	enum tls_mode mode;
	bool follows_starttls;		/* conf only: tls = on or auto, so tls_starttls decides */
	bool starttls, starttls_given;	/* conf only: msmtp's tls_starttls as written */
	bool certcheck;			/* verify chain, name and time */
	const char *trust_file;		/* "system", a PEM bundle, or its text */
	const char *trust_dir;		/* instead of the system's */
	const char *crl_file;
	enum tls_ocsp ocsp;
	const char *fingerprint;	/* hex: accept just this certificate */
	const char *const *pin;	/* accept just those: see net/pin.h */
	enum tls_dane dane;
	enum dnssec dnssec;
	const char *dnssec_anchor;	/* file with the root's keys; NULL = the system's */
	const char *cert_file;		/* client certificate: PEM file or text, URI of a token */
	const char *key_file;		/* the same of its key; text is the next */
	struct secret key;
	const char *pkcs12_file;	/* the same with its key in one */
	const char *key_password_file;
	const char *const *key_password_command;	/* argv */
	const char *key_passwordeval;	/* run by /bin/sh */
	bool reasons_only;		/* as in struct tls_client; no setting */
	bool only_tls13;		/* tls_min_version = 1.3 */
	const char *session_cache;	/* folder, "auto" or "off" */
	const char *priorities;		/* GnuTLS priority string */
	const char *const *alpn;	/* protocols to offer (RFC 7301); NULL = none */
	const char *host_override;	/* name to check and to send as SNI */
	unsigned min_dh_prime_bits;
	bool allow_insecure_auth;	/* password although certcheck is off */
};

struct auth_settings {
	enum auth_mode mode;
	const char *mechanism;		/* with AUTH_MECHANISM: upper case */
	enum auth_plaintext plaintext;
	enum auth_minimum minimum;
	enum auth_initial initial_response;
	enum channel_binding channel_binding;
	const char *const *mechanisms;	/* patterns; "!" in front: not these; NULL = all */
	bool legacy;			/* CRAM-MD5, DIGEST-MD5, NTLM without being named */
	bool retry;			/* another mechanism after a refused password */
	bool transition;		/* PLAIN once, when the server asks for it by 432 */
	bool remember;			/* nothing weaker than what has worked before */
	bool mutual;			/* the server has to prove itself too */
	const char *service;		/* NULL, "auto" = that of the protocol */
	const char *user, *authzid, *realm, *ntlmdomain;
	struct secret password;		/* as written in the rc file */
	const char *password_file;
	const char *const *password_command;	/* argv */
	const char *passwordeval;	/* msmtp's: run by /bin/sh */
	int password_fd;		/* -1 = none */
	const char *password_credential;	/* name in $CREDENTIALS_DIRECTORY */
	const char *netrc;		/* path; msmtp reads ~/.netrc and SYSCONFDIR/netrc */
	bool keyring;			/* look there for the password */
	enum strip_spaces strip_spaces;
	struct secret token;		/* OAuth2 access token, as written */
	const char *token_file;
	const char *const *token_command;
	unsigned command_timeout;
	unsigned scram_min_iterations;
};

struct timeouts {
	unsigned total;			/* the whole attempt */
	unsigned input;			/* more of the message on standard input */
	unsigned connect;		/* each address */
	unsigned greeting, helo, starttls, auth, mail, rcpt;
	unsigned data_init, data_xfer, data_done, rset, quit;
};

/* DSN ORCPT: with NOTIFY and for aliases, for every recipient, for none. */
enum orcpt { ORCPT_AUTO, ORCPT_ALWAYS, ORCPT_NEVER };

/* RFC 8689: REQUIRETLS_TRY asks where it is offered and sends without where it is not. */
enum requiretls { REQUIRETLS_NO, REQUIRETLS_TRY, REQUIRETLS_YES };

/* FUTURERELEASE (RFC 4865): as an interval, as a moment, or as the user wrote it. */
enum hold_as { HOLD_AS_GIVEN, HOLD_AS_FOR, HOLD_AS_UNTIL };

/*
 * What is asked of the server by parameters of MAIL and RCPT. Texts are
 * values that message/request.h can read, NULL = not asked for.
 */
struct ext_settings {
	const char *const *policy;	/* NAME:LEVEL */
	const char *const *force_ext;	/* NAME: as if the server had announced it */
	const char *const *mail_param, *const *rcpt_param;
	const char *deliver_by;
	const char *hold_for, *hold_until;
	enum hold_as hold_as;
	bool hold_sets_date;
	const char *mt_priority;
	bool mt_priority_tunnel, mt_priority_from_header;
	const char *rrvs;
	bool rrvs_header, rrvs_insecure;
	enum requiretls requiretls;
	bool tls_required;		/* false: adds TLS-Required: No */
	const char *solicit;
	bool solicit_check;
	const char *track;
	bool track_uri, mtrk_padding;
	bool asked[EXT_COUNT];		/* for by a key that is only on or off */
	const char *content_convert, *content_features;
	const char *submitter;		/* "auto" or an address */
	bool force_submitter;
	const char *mail_auth;		/* "<>" or an address */
	enum orcpt orcpt;
	bool never_null_sender;		/* NOTIFY=NEVER without DSN: null reverse-path */
	bool rrt_to_dsn;		/* Return-Receipt-To becomes NOTIFY */
	bool limits, prdr;
	bool esmtp;
};

/* The verb that begins a transaction (RFC 821, section 3.4). */
enum send_mode { SEND_MODE_MAIL, SEND_MODE_SEND, SEND_MODE_SOML, SEND_MODE_SAML };

/* TLS of a query for a message's way (RFC 3887, section 6). */
enum mtqp_tls { MTQP_TLS_REQUIRED, MTQP_TLS_TRY, MTQP_TLS_OFF };

/* Commands beside the plain transaction. */
struct command_settings {
	enum send_mode send_mode;
	const char *const *xclient, *const *xforward;	/* ATTRIBUTE=value */
	bool xclient_optional, xclient_before_starttls;
	const char *const *atrn_domains;
	const char *atrn_deliver;	/* maildir:PATH */
	enum mtqp_tls mtqp_tls;
};

/* What a failure looks like on standard error. */
enum error_format {
	ERROR_FORMAT_TEXT, ERROR_FORMAT_SMTP, ERROR_FORMAT_DSN, ERROR_FORMAT_JSON
};

enum log_format { LOG_FORMAT_MSMTP, LOG_FORMAT_KEY_VALUE, LOG_FORMAT_JSON };

/* What is told, kept and run when a message was sent or was not. */
struct report_settings {
	enum error_format error_format;
	enum log_format log_format;
	const char *const *on_failure;	/* argv; NULL = none */
	unsigned on_failure_timeout;
	bool on_failure_subject;
	unsigned notify_interval;	/* seconds; 0 = always */
	const char *dead_letter;	/* mbox file; NULL or "off" = none */
	bool keep_failed;
	const char *archive_dir;	/* maildir:PATH or PATH; NULL = none */
};

/* When a message is kept to be sent later. */
enum queue_mode {
	QUEUE_AUTO,			/* when a try fails for now */
	QUEUE_ALWAYS,			/* at once, without a try */
	QUEUE_NEVER
};

/* Sessions that are kept for many messages: submit/line.h. */
struct reuse_settings {
	unsigned messages;		/* on one connection, 0 = any number */
	unsigned idle;			/* seconds for which it is kept without one */
	unsigned max_connections;	/* of a run through the queue at once */
	unsigned rate, rate_time;	/* messages of the queue in so many seconds; 0 = no limit */
};

/* What waits on disk: queue/queue.h. */
struct queue_settings {
	enum queue_mode mode;
	const char *dir;		/* folder; NULL = that of the state */
	unsigned direct_timeout;	/* seconds of a first try up to the end of its content */
	unsigned lifetime;		/* seconds until it is given up */
	uint64_t max_bytes;		/* of all entries, 0 = no limit */
	unsigned undo_window;		/* seconds in which it can be taken back, 0 = none */
	bool keep;			/* what was sent stays, in folder "sent" */
	/* what its sender is told: queue/bounce.h */
	unsigned bounce_lifetime;	/* as lifetime, of mail from the null sender */
	unsigned delay_warning;		/* seconds until he hears that it is late, 0 = never */
	uint64_t bounce_size_limit;	/* larger messages do not go back whole, 0 = all do */
	const char *notify_to;		/* who hears what no sender can; NULL = nobody */
};

/* Where addresses are rewritten: rewrite_classes. */
enum rewrite_class {
	REWRITE_ENVELOPE_SENDER = 1, REWRITE_ENVELOPE_RECIPIENT = 2, REWRITE_FROM = 4,
	REWRITE_SENDER = 8, REWRITE_REPLY_TO = 16, REWRITE_TO = 32, REWRITE_CC = 64,
	REWRITE_RESENT_SENDER = 128, REWRITE_RESENT_RECIPIENT = 256
};

/* Addresses that become others, and what is said about it. */
struct rewrite_settings {
	const struct rewrite_map *const *maps;	/* of [rewrite]: conf/rewrite.h; NULL = none */
	const char *map;		/* file: rules behind them */
	unsigned classes;		/* enum rewrite_class bits */
	const char *const *local_domains;	/* patterns: see conf/local_domains.h */
	const char *from_name;		/* display name of From; NULL = keep */
	const char *reply_to;		/* "original" or an address; NULL = no */
	bool original_from_header;		/* adds X-Original-From */
};

/* Other recipients than those asked for. Addresses are clean. */
struct redirect_settings {
	const char *const *to, *const *except;	/* addresses; patterns */
	bool tag;			/* says in the subject whose it was */
	bool drop;			/* nothing is sent at all */
	const char *const *always_bcc;
};

/* Who may send: patterns of login names and groups. */
struct permission_settings {
	const char *const *allow_users, *const *deny_users, *const *allow_groups;
};

struct account {
	const char *name;		/* "default" when the file gives none */
	const char *file;		/* where its section stands; NULL = no file */
	unsigned line;

	const char *host;
	unsigned port;			/* 0 = the protocol's own */
	const struct server_entry *servers;	/* a list in host, which is the first then */
	size_t server_n;		/* 0 = host alone */
	struct connection_settings net;
	struct proxy_settings proxy;
	const char *socket;		/* path of a local socket, instead of host */
	enum protocol protocol;
	enum via via;			/* VIA_SERVICE: socket is service_socket, no secret */
	const char *service_socket;
	bool lmtp_required;		/* no LMTP without what RFC 2033 demands of a server */
	enum address_family address_family;
	const char *proxy_host;		/* NULL = none */
	unsigned proxy_port;
	const char *domain;		/* EHLO name; NULL or "auto": see message/ident.h */
	struct timeouts timeouts;
	struct tls_settings tls;
	struct auth_settings auth;

	const char *const *from;	/* patterns; the first without wildcard is the sender */
	const char *const *match_user;	/* login names, patterns: this account is theirs */
	const char *const *match_to;	/* patterns: the account for mail to these alone */
	const char *const *account_match;	/* criteria in their order, of the first account */
	struct permission_settings permission;
	enum from_override from_override;
	bool read_envelope_from;	/* without -f the sender is that of the From field */
	const char *from_full_name;
	const char *default_domain;
	bool qualify;			/* complete addresses without domain */
	bool auto_from;			/* msmtp: from is login@maildomain */
	const char *maildomain;
	const char *aliases;		/* path; NULL = none */
	enum set_header set_from_header, set_date_header, set_msgid_header;
	bool undisclosed_recipients;	/* replace To and Cc by an empty group */
	bool remove_bcc_headers;
	bool bcc_separate;		/* blind recipients have a transaction of their own */
	bool bcc_copies;		/* each of Bcc has one, with a Bcc field of its own */
	const char *const *strip;	/* names of fields that are removed, patterns */
	const char *message_id_domain;
	enum message_id_style message_id_style;
	bool privacy;			/* no name of this host in Message-ID */
	bool helo_privacy;		/* nor in EHLO */
	struct rewrite_settings rewrite;
	struct redirect_settings redirect;
	bool add_mime;			/* say what an 8-bit body without MIME fields is */
	struct convert_settings convert;
	struct compose_settings compose;
	enum partial refused_recipients;
	unsigned stop_on;		/* refused ones that stop it: bits 1 << enum rcpt_source */

	unsigned dsn_notify;		/* enum dsn_notify bits */
	enum dsn_ret dsn_return;
	bool dsn_required;
	enum pipelining pipelining;
	enum rset rset;
	uint64_t reply_max;		/* octets of a line of a reply that are kept */
	bool pipe_connect;		/* EHLO before the greeting, where the server allows it */
	unsigned pipe_connect_ttl;	/* how long the server's word for that counts */
	enum chunking chunking;
	uint64_t chunk_size;		/* octets of one BDAT, 0 = CHUNKING is not used */
	unsigned chunk_window;		/* BDAT commands that may be unanswered */
	bool binarymime;
	bool checkpoint;		/* resume a broken transfer (RFC 1845) */
	uint64_t checkpoint_min;	/* ... of a message that is as large as that */
	unsigned checkpoint_wait;	/* ... after so many seconds */
	const char *const *burl_command;	/* makes a URL one that the server may use */
	bool lmtp_keep_duplicates;	/* a recipient named twice is sent twice */
	uint64_t max_size;		/* octets, 0 = no limit of our own */
	unsigned max_recipients;	/* RCPT per transaction, 0 = what the server takes */
	const char *const *disable_extensions;
	struct ext_settings ext;
	struct command_settings cmd;

	const char *logfile;		/* path, "-" = standard output */
	const char *logfile_time_format;	/* strftime() */
	int syslog;			/* facility of syslog.h, -1 = off */
	struct report_settings report;
	struct reuse_settings reuse;
	struct queue_settings queue;

	bool classic;			/* written in msmtp's own syntax */
};

#endif
