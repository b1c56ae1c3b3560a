#include "config.h"
#include "conf/settings_rows.h"

#include <stdint.h>

#include "conf/account.h"
#include "conf/settings_connection.h"
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
#define REQUEST(m) .type = SETTING_SPECIAL, .offset = FIELD(const char *, ext.m), \
	.set = special_request, .print = special_request_print
#define COMMAND(m) .type = SETTING_ARGV, .offset = FIELD(const char *const *, m), \
	.arg = "command"

static const struct name_value protocols[] = {
	{ "smtp", PROTOCOL_SMTP }, { "lmtp", PROTOCOL_LMTP }, { NULL, 0 }
};

static const struct name_value families[] = {
	{ "any", FAMILY_ANY }, { "ipv4", FAMILY_IPV4 }, { "ipv6", FAMILY_IPV6 },
	{ "prefer-ipv4", FAMILY_PREFER_IPV4 }, { "prefer-ipv6", FAMILY_PREFER_IPV6 }, { NULL, 0 }
};

static const struct name_value plaintexts[] = {
	{ "tls", AUTH_PLAINTEXT_TLS }, { "always", AUTH_PLAINTEXT_ALWAYS }, { NULL, 0 }
};

static const struct name_value minimums[] = {
	{ "any", AUTH_MINIMUM_ANY }, { "plain", AUTH_MINIMUM_PLAIN },
	{ "scram", AUTH_MINIMUM_SCRAM }, { "scram-plus", AUTH_MINIMUM_SCRAM_PLUS }, { NULL, 0 }
};

static const struct name_value initials[] = {
	{ "auto", AUTH_INITIAL_AUTO }, { "never", AUTH_INITIAL_NEVER },
	{ "always", AUTH_INITIAL_ALWAYS }, { NULL, 0 }
};

static const struct name_value bindings[] = {
	{ "auto", BINDING_AUTO }, { "tls-unique", BINDING_TLS_UNIQUE },
	{ "tls-exporter", BINDING_TLS_EXPORTER }, { "off", BINDING_OFF }, { NULL, 0 }
};

static const struct name_value ocsps[] = {
	{ "auto", TLS_OCSP_AUTO }, { "require", TLS_OCSP_REQUIRE }, { "off", TLS_OCSP_OFF },
	{ NULL, 0 }
};

static const struct name_value danes[] = {
	{ "off", TLS_DANE_OFF }, { "may", TLS_DANE_MAY }, { "must", TLS_DANE_MUST }, { NULL, 0 }
};

static const struct name_value dnssecs[] = {
	{ "auto", DNSSEC_AUTO }, { "trust-ad", DNSSEC_TRUST_AD }, { NULL, 0 }
};

static const struct name_value versions[] = { { "1.2", 0 }, { "1.3", 1 }, { NULL, 0 } };

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
	{ "if-offered", 0 }, { "required", 1 }, { "try", 0 }, { "require", 1 }, { NULL, 0 }
};

static const struct name_value orcpts[] = {
	{ "auto", ORCPT_AUTO }, { "always", ORCPT_ALWAYS }, { "never", ORCPT_NEVER }, { NULL, 0 }
};

static const struct name_value hold_forms[] = {
	{ "as-given", HOLD_AS_GIVEN }, { "for", HOLD_AS_FOR }, { "until", HOLD_AS_UNTIL },
	{ NULL, 0 }
};

static const struct name_value requiretls_names[] = {
	{ "off", REQUIRETLS_NO }, { "no", REQUIRETLS_NO }, { "try", REQUIRETLS_TRY },
	{ "on", REQUIRETLS_YES }, { "yes", REQUIRETLS_YES }, { NULL, 0 }
};

static const struct name_value tls_required_names[] = {
	{ "yes", 0 }, { "no", 1 }, { NULL, 0 }
};

static const struct name_value automatic[] = {
	{ "auto", 1 }, { "on", 1 }, { "yes", 1 }, { "off", 0 }, { "no", 0 }, { NULL, 0 }
};

static const struct name_value send_modes[] = {
	{ "mail", SEND_MODE_MAIL }, { "send", SEND_MODE_SEND }, { "soml", SEND_MODE_SOML },
	{ "saml", SEND_MODE_SAML }, { NULL, 0 }
};

static const struct name_value mtqp_tls_names[] = {
	{ "required", MTQP_TLS_REQUIRED }, { "try", MTQP_TLS_TRY }, { "off", MTQP_TLS_OFF },
	{ NULL, 0 }
};

static const struct name_value inverted[] = {
	{ "on", 0 }, { "yes", 0 }, { "true", 0 }, { "1", 0 },
	{ "off", 1 }, { "no", 1 }, { "false", 1 }, { "0", 1 }, { NULL, 0 }
};

static const struct name_value keyrings[] = {
	{ "auto", 0 }, { "on", 0 }, { "yes", 0 }, { "off", 1 }, { "no", 1 }, { NULL, 0 }
};

static const struct name_value to_headers[] = {
	{ "auto", 0 }, { "off", 0 }, { "undisclosed_recipients", 1 }, { NULL, 0 }
};

static const struct name_value conversions[] = {
	{ "yes", CONVERT_8BIT_YES }, { "no", CONVERT_8BIT_NO }, { "always", CONVERT_8BIT_ALWAYS },
	{ "on", CONVERT_8BIT_YES }, { "off", CONVERT_8BIT_NO }, { NULL, 0 }
};

static const struct name_value line_policies[] = {
	{ "encode", LONG_LINES_ENCODE }, { "split", LONG_LINES_SPLIT },
	{ "reject", LONG_LINES_REJECT }, { "pass", LONG_LINES_PASS }, { NULL, 0 }
};

static const struct name_value downgrades[] = {
	{ "auto", UTF8_DOWNGRADE_AUTO }, { "never", UTF8_DOWNGRADE_NEVER },
	{ "always", UTF8_DOWNGRADE_ALWAYS }, { NULL, 0 }
};

static const struct name_value pipelinings[] = {
	{ "on", PIPELINING_YES }, { "off", PIPELINING_NO }, { "yes", PIPELINING_YES },
	{ "no", PIPELINING_NO }, { "first-no", PIPELINING_FIRST_NO },
	{ "first_no", PIPELINING_FIRST_NO }, { NULL, 0 }
};

static const struct name_value auth_pipelinings[] = {
	{ "auto", AUTH_PIPELINING_AUTO }, { "off", AUTH_PIPELINING_OFF },
	{ "no", AUTH_PIPELINING_OFF }, { NULL, 0 }
};

static const struct name_value binarymimes[] = {
	{ "auto", 1 }, { "no", 0 }, { "on", 1 }, { "off", 0 }, { NULL, 0 }
};

const struct setting settings_account_rows[] = {
/* server */
{ .key = "host", .type = SETTING_SPECIAL, .offset = FIELD(const char *, host),
  .flags = SETTING_BROAD, .set = special_host, .print = special_host_print,
  .arg = "name[:port],...", .help = "server that takes the mail; srv:DOMAIN" },
{ .key = "port", .type = SETTING_UINT, .offset = FIELD(unsigned, port), .min = 1, .max = 65535,
  .print = special_port_print, .arg = "number",
  .help = "port of the server (587; 465 for implicit TLS; 24 for LMTP)" },
{ .key = "socket", FILE_NAME(socket), .help = "local socket to connect to, instead of host" },
{ .key = "protocol", .type = SETTING_ENUM, .offset = FIELD(enum protocol, protocol),
  .names = protocols, .def = "smtp", .arg = "smtp|lmtp", .help = "protocol to speak" },
{ .key = "address_family", .type = SETTING_ENUM, .offset = FIELD(enum address_family, family),
  .names = families, .def = "any", .arg = "any|ipv4|ipv6|prefer-ipv4|prefer-ipv6",
  .help = "addresses to try" },
CONNECTION_ROWS
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
  .classic_def = "off", .arg = "auto|starttls|implicit|may|off",
  .help = "auto: implicit on port 465, else STARTTLS, required" },
{ .key = "tls_starttls", .type = SETTING_SPECIAL, .offset = FIELD(enum tls_mode, tls.mode),
  .flags = SETTING_SWITCH | SETTING_CLASSIC, .set = special_starttls, .arg = "on|off",
  .help = "with tls = on: off means TLS from the first byte" },
{ .key = "tls_certcheck", SWITCH(tls.certcheck), .def = "on",
  .help = "verify the server's certificate" },
{ .key = "tls_trust_file", FILE_NAME(tls.trust_file), .def = "system",
  .help = "certificate authorities to trust, PEM, or \"system\"" },
{ .key = "tls_trust_dir", .type = SETTING_STRING, .flags = SETTING_PATH, .arg = "folder",
  .offset = FIELD(const char *, tls.trust_dir),
  .help = "folder of certificate authorities, instead of the system's" },
{ .key = "tls_crl_file", FILE_NAME(tls.crl_file), .help = "revoked certificates, PEM" },
{ .key = "tls_ocsp", .type = SETTING_ENUM, .offset = FIELD(enum tls_ocsp, tls.ocsp),
  .names = ocsps, .def = "auto", .arg = "auto|require|off",
  .help = "stapled OCSP answers: check, demand, ignore" },
{ .key = "tls_fingerprint", .type = SETTING_SPECIAL,
  .offset = FIELD(const char *, tls.fingerprint), .set = special_fingerprint,
  .print = special_fingerprint_print, .arg = "hex",
  .help = "accept this certificate only (SHA-256, SHA-1, MD5)" },
{ .key = "tls_pin", .type = SETTING_LIST, .offset = FIELD(const char *const *, tls.pins),
  .arg = "pin,...",
  .help = "accept these only: spki-sha256:BASE64, cert-sha256:HEX, file:PATH" },
{ .key = "tls_dane", .type = SETTING_ENUM, .offset = FIELD(enum tls_dane, tls.dane),
  .names = danes, .def = "off", .arg = "off|may|must",
  .help = "verify by TLSA records of the server's domain" },
{ .key = "dnssec", .type = SETTING_ENUM, .offset = FIELD(enum dnssec, tls.dnssec),
  .names = dnssecs, .def = "auto", .arg = "auto|trust-ad",
  .help = "trust-ad: the resolver on this host validates" },
{ .key = "dnssec_anchor", FILE_NAME(tls.dnssec_anchor),
  .help = "keys of the root of the DNS, instead of the system's" },
{ .key = "tls_cert_file", FILE_NAME(tls.cert_file),
  .help = "client certificate, PEM or pkcs11: URI" },
{ .key = "tls_key_file", FILE_NAME(tls.key_file),
  .help = "key of the client certificate, PEM or pkcs11: URI" },
{ .key = "tls_pkcs12_file", FILE_NAME(tls.pkcs12_file),
  .help = "client certificate and key in one, PKCS#12" },
{ .key = "tls_key_password_file", FILE_NAME(tls.key_password_file),
  .help = "file with the passphrase or PIN of the key" },
{ .key = "tls_key_password_command", COMMAND(tls.key_password_command),
  .help = "command that prints the passphrase or PIN of the key" },
{ .key = "tls_key_passwordeval", TEXT(tls.key_passwordeval), .flags = SETTING_RAW,
  .arg = "command", .help = "the same, run by /bin/sh" },
{ .key = "tls_min_version", .type = SETTING_BOOL, .offset = FIELD(bool, tls.only_tls13),
  .names = versions, .def = "1.2", .arg = "1.2|1.3", .help = "oldest version of TLS to use" },
{ .key = "tls_session_cache", TEXT(tls.session_cache), .flags = SETTING_PATH, .def = "off",
  .arg = "off|auto|folder",
  .help = "keep TLS sessions for the next process" },
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
  .classic_def = "off", .arg = "auto|on|off|try|mechanism",
  .help = "auto: on when user or a token is set" },
{ .key = "auth_mechanisms", .type = SETTING_LIST,
  .offset = FIELD(const char *const *, auth.mechanisms), .def = "!plaintext-without-tls",
  .arg = "name,...", .help = "mechanisms allowed; ! in front: not allowed" },
{ .key = "auth_minimum", .type = SETTING_ENUM, .names = minimums, .def = "any",
  .offset = FIELD(enum auth_minimum, auth.minimum), .arg = "any|plain|scram|scram-plus",
  .help = "weakest mechanism allowed" },
{ .key = "auth_legacy", SWITCH(auth.legacy), .def = "off", .classic_def = "on",
  .help = "allow CRAM-MD5, DIGEST-MD5, NTLM" },
{ .key = "auth_remember", SWITCH(auth.remember), .def = "off",
  .help = "refuse what is weaker than what worked before" },
{ .key = "auth_mutual", .type = SETTING_BOOL, .names = inverted, .flags = SETTING_SWITCH,
  .offset = FIELD(bool, auth.one_sided), .def = "on", .arg = "on|off",
  .help = "the server must prove itself too (SCRAM, GSSAPI)" },
{ .key = "auth_retry", SWITCH(auth.retry), .def = "off",
  .help = "try another mechanism when the password is refused" },
{ .key = "auth_transition", SWITCH(auth.transition), .def = "off",
  .help = "show the server the password once when it asks for that (432)" },
{ .key = "auth_initial_response", .type = SETTING_ENUM, .names = initials, .def = "auto",
  .offset = FIELD(enum auth_initial, auth.initial), .arg = "auto|never|always",
  .help = "send the first response along with AUTH" },
{ .key = "auth_service", TEXT(auth.service), .arg = "name", .def = "smtp",
  .help = "service that tickets and digests are for" },
{ .key = "channel_binding", .type = SETTING_ENUM, .names = bindings, .def = "auto",
  .offset = FIELD(enum channel_binding, auth.binding),
  .arg = "auto|tls-unique|tls-exporter|off", .help = "what ties SCRAM-*-PLUS to TLS" },
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
{ .key = "keyring", .type = SETTING_BOOL, .names = keyrings, .def = "auto",
  .offset = FIELD(bool, auth.no_keyring), .arg = "auto|off",
  .help = "look for the password in the desktop's key ring" },
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

/* the form of the message */
{ .key = "convert_8bit", .type = SETTING_ENUM, .names = conversions,
  .offset = FIELD(enum convert_8bit, convert.eight), .def = "yes", .arg = "yes|no|always",
  .help = "encode 8-bit content when the server has no 8BITMIME; for every server" },
{ .key = "long_lines", .type = SETTING_ENUM, .names = line_policies,
  .offset = FIELD(enum long_lines, convert.lines), .def = "encode",
  .arg = "encode|split|reject|pass", .help = "lines of more than 998 octets" },
{ .key = "smtputf8_downgrade", .type = SETTING_ENUM, .names = downgrades,
  .offset = FIELD(enum utf8_downgrade, convert.headers), .def = "auto",
  .arg = "auto|never|always", .help = "write UTF-8 in header fields in ASCII" },
{ .key = "convert_signed_dkim", SWITCH(convert.signed_dkim), .def = "off",
  .help = "convert also what has a DKIM-Signature, which breaks it" },
{ .key = "default_charset", .type = SETTING_SPECIAL, .set = special_charset,
  .offset = FIELD(const char *, convert.charset), .print = special_charset_print,
  .arg = "charset", .help = "of 8-bit text that says nothing and is not UTF-8" },

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
{ .key = "pipelining", .type = SETTING_ENUM, .offset = FIELD(enum pipelining, pipelining),
  .flags = SETTING_SWITCH, .names = pipelinings, .def = "on", .arg = "on|off|first-no",
  .help = "use PIPELINING; first-no: only behind the first recipient" },
{ .key = "auth_pipelining", .type = SETTING_ENUM, .names = auth_pipelinings, .def = "auto",
  .offset = FIELD(enum auth_pipelining, auth_pipelining), .arg = "auto|off",
  .help = "auto: under verified TLS the message follows AUTH without waiting" },
{ .key = "pipe_connect", SWITCH(pipe_connect), .def = "off",
  .help = "speak before the greeting where the server allows it (Exim)" },
{ .key = "pipe_connect_ttl", .type = SETTING_TIME, .offset = FIELD(unsigned, pipe_connect_ttl),
  .max = MONTH, .def = "1d", .arg = "seconds", .help = "how long its word for that counts" },
{ .key = "chunking", SWITCH(chunking), .def = "on", .help = "use CHUNKING" },
{ .key = "chunk_size", .type = SETTING_SIZE, .offset = FIELD(uint64_t, chunk_size),
  .max = INT64_MAX, .def = "1M", .arg = "size",
  .help = "octets of one chunk; 0: CHUNKING is not used" },
{ .key = "chunk_window", .type = SETTING_UINT, .offset = FIELD(unsigned, chunk_window),
  .min = 1, .max = 1000, .def = "4", .arg = "number", .help = "chunks that may be unanswered" },
{ .key = "binarymime", .type = SETTING_BOOL, .offset = FIELD(bool, binarymime),
  .names = binarymimes, .def = "auto", .arg = "auto|no",
  .help = "use BINARYMIME for binary content" },
{ .key = "checkpoint", SWITCH(checkpoint), .def = "off",
  .help = "resume a broken transfer where the server can (CHECKPOINT)" },
{ .key = "checkpoint_min", .type = SETTING_SIZE, .offset = FIELD(uint64_t, checkpoint_min),
  .max = INT64_MAX, .def = "1M", .arg = "size", .help = "... of messages as large as that" },
{ .key = "checkpoint_wait", .type = SETTING_TIME, .offset = FIELD(unsigned, checkpoint_wait),
  .max = MONTH, .def = "5m", .arg = "seconds", .help = "... after that time" },
{ .key = "burl_command", COMMAND(burl_command),
  .help = "gets a URL of --burl that has no URLAUTH, prints one that has" },
{ .key = "lmtp_keep_duplicates", SWITCH(lmtp_keep_duplicates), .def = "off",
  .help = "LMTP: a recipient that is named twice gets the message twice" },
{ .key = "max_size", .type = SETTING_SIZE, .offset = FIELD(uint64_t, max_size),
  .max = INT64_MAX, .def = "0", .arg = "size", .help = "refuse larger messages; 0 = no limit" },
{ .key = "max_recipients", .type = SETTING_UINT, .offset = FIELD(unsigned, max_recipients),
  .max = 1000000, .def = "0", .arg = "number",
  .help = "recipients of one transaction; 0 = what the server takes" },
{ .key = "disable_extensions", .type = SETTING_LIST,
  .offset = FIELD(const char *const *, disable_extensions), .arg = "keyword,...",
  .help = "extensions not to use although offered" },

/* parameters of MAIL and RCPT */
{ .key = "esmtp", SWITCH(ext.esmtp), .def = "on",
  .help = "off: HELO, and no extension at all" },
{ .key = "ext_policy", .type = SETTING_SPECIAL, .set = special_policy,
  .print = special_policy_print, .offset = FIELD(const char *const *, ext.policy),
  .arg = "name:level,...", .help = "what to do without an extension: require, try, downgrade" },
{ .key = "force_ext", .type = SETTING_LIST, .offset = FIELD(const char *const *, ext.force),
  .arg = "name,...", .help = "for tests: use extensions that were not offered" },
{ .key = "mail_param", .type = SETTING_ARGV, .arg = "keyword[=value]",
  .offset = FIELD(const char *const *, ext.mail_param),
  .help = "further parameters of MAIL, where the server offers the keyword" },
{ .key = "rcpt_param", .type = SETTING_ARGV, .arg = "keyword[=value]",
  .offset = FIELD(const char *const *, ext.rcpt_param),
  .help = "further parameters of RCPT, where the server offers the keyword" },
{ .key = "orcpt", .type = SETTING_ENUM, .offset = FIELD(enum orcpt, ext.orcpt),
  .names = orcpts, .def = "auto", .arg = "auto|always|never",
  .help = "name the original recipient in notices" },
{ .key = "never_null_sender", SWITCH(ext.never_null_sender), .def = "off",
  .help = "dsn_notify = never without DSN: send with the null sender" },
{ .key = "rrt_to_dsn", SWITCH(ext.rrt_to_dsn), .def = "off",
  .help = "a Return-Receipt-To field becomes dsn_notify = success,failure" },
{ .key = "deliver_by", REQUEST(deliver_by), .arg = "time[;n|r][t]",
  .help = "deliver until then; n: else tell, r: else return it" },
{ .key = "hold_for", REQUEST(hold_for), .arg = "time",
  .help = "the server shall send it after that time" },
{ .key = "hold_until", REQUEST(hold_until), .arg = "time",
  .help = "the server shall send it then" },
{ .key = "hold_as", .type = SETTING_ENUM, .offset = FIELD(enum hold_as, ext.hold_as),
  .names = hold_forms, .def = "as-given", .arg = "as-given|for|until",
  .help = "say the release as an interval or as a moment" },
{ .key = "hold_sets_date", SWITCH(ext.hold_sets_date), .def = "off",
  .help = "the Date field is that of the release" },
{ .key = "mt_priority", REQUEST(mt_priority), .arg = "-9..9|name",
  .help = "priority of the transfer" },
{ .key = "mt_priority_tunnel", SWITCH(ext.mt_priority_tunnel), .def = "off",
  .help = "without the extension: as a header field" },
{ .key = "mt_priority_from_header", SWITCH(ext.mt_priority_from_header), .def = "on",
  .help = "an MT-Priority field asks for it too" },
{ .key = "rrvs", REQUEST(rrvs), .arg = "time[;c]",
  .help = "only to mailboxes with the same owner since then" },
{ .key = "rrvs_header", SWITCH(ext.rrvs_header), .def = "off",
  .help = "say rrvs in the header as well" },
{ .key = "rrvs_insecure", SWITCH(ext.rrvs_insecure), .def = "off",
  .help = "say rrvs without TLS too" },
{ .key = "requiretls", .type = SETTING_ENUM, .names = requiretls_names, .def = "off",
  .flags = SETTING_SWITCH,
  .offset = FIELD(enum requiretls, ext.requiretls), .arg = "on|off|try",
  .help = "TLS on the whole way of the message" },
{ .key = "tls_required", .type = SETTING_BOOL, .names = tls_required_names, .def = "yes",
  .offset = FIELD(bool, ext.tls_not_required), .arg = "yes|no",
  .help = "no: deliver it even where TLS fails" },
{ .key = "solicit", REQUEST(solicit), .arg = "keyword,...",
  .help = "what kind of solicitation the message is" },
{ .key = "solicit_check", SWITCH(ext.solicit_check), .def = "on",
  .help = "do not send what the server says it does not want" },
{ .key = "track", REQUEST(track), .flags = SETTING_SWITCH, .arg = "on|off|time",
  .help = "have the message tracked" },
{ .key = "track_uri", SWITCH(ext.track_uri), .def = "off",
  .help = "print the URI that asks where the message is" },
{ .key = "mtrk_padding", SWITCH(ext.mtrk_padding), .def = "off",
  .help = "for servers that want the certifier padded" },
{ .key = "conperm", SWITCH(ext.conperm), .def = "off",
  .help = "servers on the way may convert the content" },
{ .key = "conneg", SWITCH(ext.conneg), .def = "off",
  .help = "ask what content each recipient takes" },
{ .key = "content_convert", REQUEST(content_convert), .arg = "any|none|filter",
  .help = "Content-Convert field to add" },
{ .key = "content_features", REQUEST(content_features), .arg = "filter",
  .help = "Content-Features field to add" },
{ .key = "submitter", REQUEST(submitter), .arg = "off|auto|address",
  .help = "who is responsible for the message" },
{ .key = "force_submitter", SWITCH(ext.force_submitter), .def = "off",
  .help = "send a submitter that the header does not name" },
{ .key = "mail_auth", REQUEST(mail_auth), .arg = "off|<>|address",
  .help = "who submitted the message, as AUTH= of MAIL" },
{ .key = "limits", SWITCH(ext.limits), .def = "on", .help = "heed the server's LIMITS" },
{ .key = "prdr", .type = SETTING_BOOL, .names = automatic, .offset = FIELD(bool, ext.prdr),
  .def = "auto", .arg = "auto|off", .help = "ask for an answer per recipient after the data" },

/* other commands */
{ .key = "send_mode", .type = SETTING_ENUM, .offset = FIELD(enum send_mode, cmd.send_mode),
  .names = send_modes, .def = "mail", .arg = "mail|send|soml|saml",
  .help = "to the mailbox, the terminal, one of them, both" },
{ .key = "xclient", .type = SETTING_ARGV, .offset = FIELD(const char *const *, cmd.xclient),
  .arg = "attribute=value...", .help = "for tests: be this client to the server (XCLIENT)" },
{ .key = "xclient_optional", SWITCH(cmd.xclient_optional), .def = "off",
  .help = "leave out the attributes that the server does not take" },
{ .key = "xclient_before_starttls", SWITCH(cmd.xclient_before_starttls), .def = "off",
  .help = "send XCLIENT in clear, before STARTTLS" },
{ .key = "xforward", .type = SETTING_ARGV, .offset = FIELD(const char *const *, cmd.xforward),
  .arg = "attribute=value...", .help = "tell the server whose message this was (XFORWARD)" },
{ .key = "atrn_domains", .type = SETTING_LIST,
  .offset = FIELD(const char *const *, cmd.atrn_domains), .arg = "domain,...",
  .help = "domains whose mail --atrn fetches" },
{ .key = "atrn_deliver", TEXT(cmd.atrn_deliver), .arg = "maildir:path",
  .help = "where --atrn puts the mail that comes" },
{ .key = "mtqp_tls", .type = SETTING_ENUM, .offset = FIELD(enum mtqp_tls, cmd.mtqp_tls),
  .names = mtqp_tls_names, .def = "required", .arg = "required|try|off",
  .help = "TLS for --track-query" },

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
