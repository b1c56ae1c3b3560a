#include "config.h"
#include "conf/settings_rows.h"

#include <stdint.h>

#include "conf/account.h"
#include "util/names.h"

#define FIELD(type, m) SETTING_FIELD(account, type, m)
#define MONTH (30 * 86400)

/* A key whose empty value means "on", as all switches of msmtp do. */
#define SWITCH(m, ...) .type = SETTING_BOOL, .offset = FIELD(bool, m), \
	.flags = SETTING_SWITCH __VA_ARGS__, .arg = "on|off"

/* A key that msmtp reads under another name than ours. */
#define ALSO SETTING_CLASSIC | SETTING_DEPRECATED

#define TIME(m) .type = SETTING_TIME, .offset = FIELD(unsigned, timeouts.m), .max = MONTH, \
	.classic_def = "off", .arg = "seconds|off"
#define TEXT(m) .type = SETTING_STRING, .offset = FIELD(const char *, m)
#define FILE_NAME(m) TEXT(m), .flags = SETTING_PATH, .arg = "file"
#define COMMAND(m) .type = SETTING_ARGV, .offset = FIELD(const char *const *, m), \
	.arg = "command"

static const struct name_value protocols[] = {
	{ "smtp", PROTOCOL_SMTP }, { "lmtp", PROTOCOL_LMTP }, { NULL, 0 }
};

static const struct name_value families[] = {
	{ "any", FAMILY_ANY }, { "ipv4", FAMILY_IPV4 }, { "ipv6", FAMILY_IPV6 }, { NULL, 0 }
};

static const struct name_value plaintexts[] = {
	{ "tls", AUTH_PLAINTEXT_TLS }, { "always", AUTH_PLAINTEXT_ALWAYS }, { NULL, 0 }
};

static const struct name_value overrides[] = {
	{ "no", FROM_OVERRIDE_NO }, { "own-domain", FROM_OVERRIDE_OWN_DOMAIN },
	{ "own_domain", FROM_OVERRIDE_OWN_DOMAIN }, { "any", FROM_OVERRIDE_ANY }, { NULL, 0 }
};

static const struct name_value allow_overrides[] = {
	{ "on", FROM_OVERRIDE_ANY }, { "yes", FROM_OVERRIDE_ANY }, { "off", FROM_OVERRIDE_NO },
	{ "no", FROM_OVERRIDE_NO }, { NULL, 0 }
};

static const struct name_value set_headers[] = {
	{ "auto", SET_HEADER_AUTO }, { "on", SET_HEADER_ON }, { "off", SET_HEADER_OFF },
	{ "yes", SET_HEADER_ON }, { "no", SET_HEADER_OFF }, { NULL, 0 }
};

/* Date and Message-ID are never replaced: "on" is no value of these keys. */
static const struct name_value add_headers[] = {
	{ "auto", SET_HEADER_AUTO }, { "off", SET_HEADER_OFF }, { "no", SET_HEADER_OFF },
	{ NULL, 0 }
};

static const struct name_value add_missing[] = {
	{ "on", SET_HEADER_AUTO }, { "off", SET_HEADER_OFF }, { NULL, 0 }
};

static const struct name_value returns[] = {
	{ "off", DSN_RET_NONE }, { "full", DSN_RET_FULL }, { "headers", DSN_RET_HDRS },
	{ "hdrs", DSN_RET_HDRS }, { NULL, 0 }
};

static const struct name_value dsn_needs[] = {
	{ "if-offered", 0 }, { "required", 1 }, { NULL, 0 }
};

static const struct name_value inverted[] = {
	{ "on", 0 }, { "off", 1 }, { NULL, 0 }
};

static const struct name_value to_headers[] = {
	{ "auto", 0 }, { "off", 0 }, { "undisclosed_recipients", 1 }, { NULL, 0 }
};

const struct setting settings_account_rows[] = {
/* server */
{ .key = "host", .type = SETTING_SPECIAL, .offset = FIELD(const char *, host),
  .flags = SETTING_BROAD, .set = special_host, .print = special_host_print,
  .arg = "name[:port]", .help = "server that takes the mail" },
{ .key = "port", .type = SETTING_UINT, .offset = FIELD(unsigned, port), .min = 1, .max = 65535,
  .print = special_port_print, .arg = "number",
  .help = "port of the server (587; 465 for implicit TLS; 24 for LMTP)" },
{ .key = "socket", FILE_NAME(socket), .help = "local socket to connect to, instead of host" },
{ .key = "protocol", .type = SETTING_ENUM, .offset = FIELD(enum protocol, protocol),
  .names = protocols, .def = "smtp", .arg = "smtp|lmtp", .help = "protocol to speak" },
{ .key = "address_family", .type = SETTING_ENUM, .offset = FIELD(enum address_family, family),
  .names = families, .def = "any", .arg = "any|ipv4|ipv6", .help = "addresses to try" },
{ .key = "source_ip", TEXT(source_ip), .arg = "address", .help = "local address to connect from" },
{ .key = "proxy_host", TEXT(proxy_host), .arg = "name", .help = "SOCKS5 proxy to go through" },
{ .key = "proxy_port", .type = SETTING_UINT, .offset = FIELD(unsigned, proxy_port),
  .min = 1, .max = 65535, .def = "1080", .arg = "number", .help = "port of the proxy" },
{ .key = "domain", TEXT(domain), .def = "auto", .classic_def = "localhost",
  .arg = "name|auto", .help = "name to say in EHLO (%H, %C, %M as in msmtp)" },

/* time limits */
{ .key = "timeout", .type = SETTING_SPECIAL, .flags = SETTING_BROAD | SETTING_CLASSIC,
  .offset = offsetof(struct account, timeouts), .set = special_timeout, .max = MONTH,
  .arg = "seconds|off", .help = "one limit for all steps; longer where data moves" },
{ .key = "connect_timeout", TIME(connect), .def = "30", .help = "each address of the server" },
{ .key = "greeting_timeout", TIME(greeting), .def = "300", .help = "greeting of the server" },
{ .key = "helo_timeout", TIME(helo), .def = "300", .help = "reply to EHLO, LHLO, HELO" },
{ .key = "starttls_timeout", TIME(starttls), .def = "300",
  .help = "reply to STARTTLS and the handshake" },
{ .key = "auth_timeout", TIME(auth), .def = "120", .help = "each step of signing in" },
{ .key = "mail_timeout", TIME(mail), .def = "300", .help = "reply to MAIL" },
{ .key = "rcpt_timeout", TIME(rcpt), .def = "300", .help = "reply to RCPT" },
{ .key = "data_init_timeout", TIME(data_init), .def = "120", .help = "reply to DATA" },
{ .key = "data_xfer_timeout", TIME(data_xfer), .def = "180", .help = "each block of data" },
{ .key = "data_done_timeout", TIME(data_done), .def = "600", .help = "reply to the end of data" },
{ .key = "rset_timeout", .type = SETTING_TIME, .offset = FIELD(unsigned, timeouts.rset),
  .max = MONTH, .def = "20", .arg = "seconds|off", .help = "reply to RSET" },
{ .key = "quit_timeout", .type = SETTING_TIME, .offset = FIELD(unsigned, timeouts.quit),
  .max = MONTH, .def = "10", .arg = "seconds|off", .help = "reply to QUIT" },
{ .key = "total_timeout", TIME(total), .def = "900", .help = "the whole attempt" },

/* TLS */
{ .key = "tls", .type = SETTING_SPECIAL, .offset = FIELD(enum tls_mode, tls.mode),
  .flags = SETTING_SWITCH, .set = special_tls, .print = special_tls_print, .def = "auto",
  .classic_def = "off", .arg = "auto|starttls|implicit|off",
  .help = "auto: implicit on port 465, else STARTTLS, required" },
{ .key = "tls_starttls", .type = SETTING_SPECIAL, .offset = FIELD(enum tls_mode, tls.mode),
  .flags = SETTING_SWITCH | SETTING_CLASSIC, .set = special_starttls, .arg = "on|off",
  .help = "with tls = on: off means TLS from the first byte" },
{ .key = "tls_certcheck", SWITCH(tls.certcheck), .def = "on",
  .help = "verify the server's certificate" },
{ .key = "tls_trust_file", FILE_NAME(tls.trust_file), .def = "system",
  .help = "certificate authorities to trust, PEM, or \"system\"" },
{ .key = "tls_crl_file", FILE_NAME(tls.crl_file), .help = "revoked certificates, PEM" },
{ .key = "tls_fingerprint", .type = SETTING_SPECIAL,
  .offset = FIELD(const char *, tls.fingerprint), .set = special_fingerprint,
  .print = special_fingerprint_print, .arg = "hex",
  .help = "accept this certificate only (SHA-256, SHA-1, MD5)" },
{ .key = "tls_cert_file", FILE_NAME(tls.cert_file), .help = "client certificate, PEM" },
{ .key = "tls_key_file", FILE_NAME(tls.key_file), .help = "key of the client certificate, PEM" },
{ .key = "tls_priorities", TEXT(tls.priorities), .arg = "string",
  .help = "GnuTLS priority string" },
{ .key = "tls_host_override", TEXT(tls.host_override), .arg = "name",
  .help = "name the certificate must have, instead of host" },
{ .key = "tls_min_dh_prime_bits", .type = SETTING_UINT, .flags = SETTING_DEPRECATED,
  .offset = FIELD(unsigned, tls.min_dh_prime_bits), .max = 65536, .arg = "bits",
  .help = "least size of Diffie-Hellman primes" },
{ .key = "tls_allow_insecure_auth", SWITCH(tls.allow_insecure_auth), .def = "off",
  .classic_def = "on", .help = "send a password although tls_certcheck is off" },

/* signing in */
{ .key = "auth", .type = SETTING_SPECIAL, .offset = FIELD(enum auth_mode, auth.mode),
  .flags = SETTING_SWITCH, .set = special_auth, .print = special_auth_print, .def = "auto",
  .classic_def = "off", .arg = "auto|on|off|mechanism",
  .help = "auto: on when user or a token is set" },
{ .key = "auth_plaintext", .type = SETTING_ENUM, .names = plaintexts, .def = "tls",
  .offset = FIELD(enum auth_plaintext, auth.plaintext), .arg = "tls|always",
  .help = "always: send passwords readably without TLS too" },
{ .key = "user", TEXT(auth.user), .arg = "name", .help = "user to sign in" },
{ .key = "authzid", TEXT(auth.authzid), .arg = "name", .help = "identity to act as" },
{ .key = "auth_realm", TEXT(auth.realm), .arg = "realm", .help = "realm for DIGEST-MD5" },
{ .key = "ntlmdomain", TEXT(auth.ntlmdomain), .arg = "domain", .help = "domain for NTLM" },
{ .key = "password", .type = SETTING_SECRET, .flags = SETTING_SECRET_FLAG | SETTING_NO_OPTION,
  .offset = FIELD(struct secret, auth.password), .arg = "secret",
  .help = "password, in a file only you can read" },
{ .key = "password_file", FILE_NAME(auth.password_file),
  .help = "file whose first line is the password" },
{ .key = "password_fd", .type = SETTING_SPECIAL, .offset = FIELD(int, auth.password_fd),
  .set = special_password_fd, .print = special_password_fd_print, .def = "", .arg = "number",
  .help = "open descriptor to read the password from" },
{ .key = "password_credential", TEXT(auth.password_credential), .arg = "name",
  .help = "systemd credential that holds the password" },
{ .key = "password_command", COMMAND(auth.password_command),
  .help = "command that prints the password; no shell" },
{ .key = "passwordeval", TEXT(auth.passwordeval), .flags = SETTING_RAW, .arg = "command",
  .help = "command that prints the password; run by /bin/sh" },
{ .key = "netrc", FILE_NAME(auth.netrc),
  .help = "netrc file to look in, instead of ~/.netrc and the system's" },
{ .key = "oauth_token", .type = SETTING_SECRET,
  .flags = SETTING_SECRET_FLAG | SETTING_NO_OPTION,
  .offset = FIELD(struct secret, auth.token), .arg = "secret",
  .help = "OAuth2 access token, in a file only you can read" },
{ .key = "oauth_token_file", FILE_NAME(auth.token_file),
  .help = "file whose first line is the access token" },
{ .key = "oauth_token_command", COMMAND(auth.token_command),
  .help = "command that prints the access token; no shell" },
{ .key = "command_timeout", .type = SETTING_TIME, .max = MONTH, .def = "60",
  .offset = FIELD(unsigned, auth.command_timeout), .classic_def = "off", .arg = "seconds|off",
  .help = "limit for password and token commands" },
{ .key = "scram_min_iterations", .type = SETTING_UINT, .min = 1, .max = 10000000,
  .offset = FIELD(unsigned, auth.scram_min_iterations), .def = "4096", .arg = "number",
  .help = "fewest SCRAM iterations to accept" },

/* sender, recipients, header */
{ .key = "from", .type = SETTING_LIST, .offset = FIELD(const char *const *, from),
  .arg = "address,...", .help = "sender; further patterns choose this account" },
{ .key = "match_user", .type = SETTING_LIST, .offset = FIELD(const char *const *, match_user),
  .arg = "login,...", .help = "login names whose mail takes this account" },
{ .key = "match_to", .type = SETTING_LIST, .offset = FIELD(const char *const *, match_to),
  .arg = "pattern,...", .help = "mail that goes to these alone takes this account" },
{ .key = "from_override", .type = SETTING_ENUM, .names = overrides,
  .offset = FIELD(enum from_override, from_override), .def = "own-domain",
  .classic_def = "any", .arg = "no|own-domain|any", .help = "which senders of -f are kept" },
{ .key = "allow_from_override", .type = SETTING_ENUM, .names = allow_overrides, .flags = ALSO,
  .offset = FIELD(enum from_override, from_override), .arg = "on|off",
  .help = "on: from_override = any; off: no" },
{ .key = "from_full_name", TEXT(from_full_name), .arg = "name",
  .help = "name in a From field that is added" },
{ .key = "default_domain", TEXT(default_domain), .arg = "domain",
  .help = "completes addresses without a domain" },
{ .key = "qualify", SWITCH(qualify), .def = "on", .classic_def = "off",
  .help = "complete addresses without a domain" },
{ .key = "auto_from", SWITCH(auto_from, | SETTING_DEPRECATED), .def = "off",
  .help = "sender is the login name at maildomain" },
{ .key = "maildomain", TEXT(maildomain), .flags = SETTING_DEPRECATED, .arg = "domain",
  .help = "domain for auto_from" },
{ .key = "aliases", FILE_NAME(aliases), .def = "/etc/aliases", .classic_def = "",
  .help = "aliases of local recipients" },
{ .key = "set_from_header", .type = SETTING_ENUM, .names = set_headers, .def = "auto",
  .offset = FIELD(enum set_header, set_from), .arg = "auto|on|off",
  .help = "add From when missing, always (replacing), never" },
{ .key = "set_date_header", .type = SETTING_ENUM, .names = add_headers, .def = "auto",
  .offset = FIELD(enum set_header, set_date), .arg = "auto|off",
  .help = "add Date when missing, never" },
{ .key = "set_msgid_header", .type = SETTING_ENUM, .names = add_headers, .def = "auto",
  .offset = FIELD(enum set_header, set_msgid), .arg = "auto|off",
  .help = "add Message-ID when missing, never" },
{ .key = "set_to_header", .type = SETTING_BOOL, .names = to_headers, .flags = SETTING_CLASSIC,
  .offset = FIELD(bool, undisclosed_recipients), .arg = "undisclosed_recipients|off",
  .help = "the same as undisclosed_recipients" },
{ .key = "undisclosed_recipients", SWITCH(undisclosed_recipients), .def = "off",
  .help = "replace To and Cc by an empty group" },
{ .key = "remove_bcc_headers", SWITCH(remove_bcc), .def = "on", .help = "remove Bcc" },
{ .key = "add_mime", SWITCH(add_mime), .def = "on", .classic_def = "off",
  .help = "say what an 8-bit body without MIME fields is" },
{ .key = "add_missing_from_header", .type = SETTING_ENUM, .names = add_missing,
  .flags = ALSO | SETTING_SWITCH, .offset = FIELD(enum set_header, set_from),
  .arg = "on|off", .help = "set_from_header auto or off" },
{ .key = "add_missing_date_header", .type = SETTING_ENUM, .names = add_missing,
  .flags = ALSO | SETTING_SWITCH, .offset = FIELD(enum set_header, set_date),
  .arg = "on|off", .help = "set_date_header auto or off" },
{ .key = "keepbcc", .type = SETTING_BOOL, .names = inverted, .flags = ALSO | SETTING_SWITCH,
  .offset = FIELD(bool, remove_bcc), .arg = "on|off",
  .help = "the opposite of remove_bcc_headers" },

/* delivery */
{ .key = "refused_recipients", .type = SETTING_SPECIAL, .offset = FIELD(enum partial, partial),
  .set = special_partial, .print = special_partial_print, .def = "deliver",
  .arg = "deliver|abort", .help = "what to do for the others when some are refused" },
{ .key = "strict_recipients", .type = SETTING_SPECIAL, .flags = SETTING_SWITCH,
  .offset = FIELD(bool, strict_recipients), .set = special_strict,
  .print = special_strict_print, .arg = "on|off",
  .help = "the same as refused_recipients = abort" },
{ .key = "dsn_notify", .type = SETTING_SPECIAL, .offset = FIELD(unsigned, dsn_notify),
  .set = special_dsn_notify, .print = special_dsn_notify_print, .def = "off",
  .arg = "off|never|success,failure,delay", .help = "notices to ask for" },
{ .key = "dsn_return", .type = SETTING_ENUM, .names = returns, .def = "off",
  .offset = FIELD(enum dsn_ret, dsn_return), .arg = "off|full|headers",
  .help = "how much of the message notices bring back" },
{ .key = "dsn", .type = SETTING_BOOL, .names = dsn_needs, .offset = FIELD(bool, dsn_required),
  .def = "if-offered", .arg = "if-offered|required",
  .help = "required: do not send to a server without DSN" },
{ .key = "pipelining", SWITCH(pipelining), .def = "on", .help = "use PIPELINING" },
{ .key = "chunking", SWITCH(chunking), .def = "on", .help = "use CHUNKING" },
{ .key = "max_size", .type = SETTING_SIZE, .offset = FIELD(uint64_t, max_size),
  .max = INT64_MAX, .def = "0", .arg = "size", .help = "refuse larger messages; 0 = no limit" },
{ .key = "max_recipients", .type = SETTING_UINT, .offset = FIELD(unsigned, max_recipients),
  .max = 1000000, .def = "0", .arg = "number",
  .help = "recipients of one transaction; 0 = what the server takes" },
{ .key = "disable_extensions", .type = SETTING_LIST,
  .offset = FIELD(const char *const *, disable_extensions), .arg = "keyword,...",
  .help = "extensions not to use although offered" },

/* log */
{ .key = "logfile", FILE_NAME(logfile), .help = "file to log to, - for standard output" },
{ .key = "logfile_time_format", TEXT(logfile_time_format), .arg = "format",
  .help = "time in the log file, as for strftime()" },
{ .key = "syslog", .type = SETTING_SPECIAL, .offset = FIELD(int, syslog),
  .flags = SETTING_SWITCH, .set = special_syslog, .print = special_syslog_print, .def = "on",
  .classic_def = "off", .arg = "on|off|facility", .help = "log to syslog (LOG_MAIL)" },

/* switches of old versions of msmtp, given without a value */
{ .key = "tls_nocertcheck", .type = SETTING_BOOL, .names = inverted,
  .flags = ALSO | SETTING_SWITCH | SETTING_NO_OPTION, .offset = FIELD(bool, tls.certcheck),
  .help = "the same as tls_certcheck = off" },
{ .key = "tls_nostarttls", .type = SETTING_SPECIAL, .set = special_starttls, .names = inverted,
  .flags = ALSO | SETTING_SWITCH | SETTING_NO_OPTION,
  .offset = FIELD(enum tls_mode, tls.mode), .help = "the same as tls_starttls = off" },
{ .key = "tls_force_sslv3", .type = SETTING_SPECIAL, .set = special_ignore,
  .flags = ALSO | SETTING_SWITCH | SETTING_NO_OPTION,
  .offset = FIELD(enum tls_mode, tls.mode), .help = "read, and without effect" },
};

const size_t settings_account_n = ARRAY_LEN(settings_account_rows);
