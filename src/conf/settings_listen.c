/*
 * Settings of the listener (-bd).
 */
#include "config.h"
#define ROWS_OF listen_settings
#define ROWS_FILE ROWS_LISTEN
#include "conf/settings_rows.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/listen.h"
#include "util/strbuf.h"

SETTING_SETTER(set_user_rate)
{
	struct listen_settings *l = target;

	return setting_read_rate(s, value, &l->user_rate, &l->user_rate_time, err);
}

SETTING_PRINTER(print_user_rate)
{
	const struct listen_settings *l = target;

	setting_print_rate(l->user_rate, l->user_rate_time, out);
}

WORD_CHECK(check_sender_map)
{
	const char *equal = strchr(word, '=');

	return equal && equal != word && equal[1] ? 0 :
		setting_refuse(s, word, "USER=PATTERN", err);
}

#define CODES(x) \
	x(DO_USER_RATE, .set = set_user_rate, .print = print_user_rate) \
	x(DO_SENDER_MAP, .check = check_sender_map)
SETTING_CODES(settings_listen_code, CODES);

const struct setting settings_listen[] = {
{ HEADING("listener", "Settings of the listener (-bd)") },
{ OWNER("listen"), TEXT(listen), .def = "127.0.0.1:2525", .arg = "address:port",
  .help = "where to listen: also unix:path" },
{ OWNER("allow_remote"), SWITCH(allow_remote), .def = "off",
  .help = "listen on other addresses than loopback, with TLS and sign-in" },
{ OWNER("socket_mode"), TEXT(socket_mode), .def = "0600", .arg = "mode",
  .help = "mode of a Unix socket" },
{ OWNER("socket_owner"), TEXT(socket_owner), .arg = "user:group",
  .help = "owner of a Unix socket" },
{ OWNER_FIRST("deliver"), TEXT(deliver), .arg = "kind:place",
  .help = "where messages go: account, queue, maildir:, lmtp:, command:" },
{ OWNER_FIRST("on_message"), COMMAND(on_message),
  .help = "judges each message: takes, refuses or discards it" },
{ OWNER_FIRST("on_auth"), COMMAND(on_auth),
  .help = "says whether user and password are right" },
{ OWNER("hook_timeout"), LIMIT(hook_timeout), .def = "20",
  .help = "so long may on_message, on_auth and command: take" },
{ OWNER("protocol"), EITHER(lmtp, { "smtp", false }, { "lmtp", true }), .def = "smtp",
  .help = "what the clients speak" },
{ OWNER("server_name"), TEXT(server_name), .arg = "name",
  .help = "name in greeting and EHLO, instead of the host's" },
{ OWNER("server_cert"), FILE_NAME(server_cert), .help = "certificate of the listener, PEM" },
{ OWNER("server_key"), FILE_NAME(server_key), .help = "key of the certificate, PEM" },
{ OWNER("server_client_ca"), FILE_NAME(server_client_ca),
  .help = "clients need a certificate of these authorities, PEM" },
{ OWNER("implicit_tls"), SWITCH(implicit_tls), .def = "off",
  .help = "TLS from the first octet, as on port 465" },
{ OWNER("auth_file"), FILE_NAME(auth_file),
  .help = "who may sign in: lines USER:{scheme}HASH" },
{ OWNER("auth_scram"), SWITCH(auth_scram), .def = "off",
  .help = "offer SCRAM, for auth_file with {PLAIN} entries" },
{ OWNER("auth_required"), SWITCH(auth_required), .def = "off",
  .help = "take mail after sign-in only" },
{ OWNER("require_tls"), SWITCH(require_tls), .def = "off", .help = "take mail under TLS only" },
{ OWNER("auth_plain_loopback"), SWITCH(auth_plain_loopback), .def = "off",
  .help = "offer AUTH on loopback without TLS" },
{ OWNER("strict"), CHOICE(enum strictness, strict, { "auto", STRICT_AUTO }, { "on", STRICT_ON },
  { "off", STRICT_OFF }, { "yes", STRICT_ON }, { "no", STRICT_OFF }, { "true", STRICT_ON },
  { "false", STRICT_OFF }), .def = "auto", .arg = "auto|on|off",
  .help = "exact syntax of RFC 5321 only" },
{ OWNER("vrfy_aliases"), SWITCH(vrfy_aliases), .def = "off",
  .help = "VRFY says of a name of the alias file who it is" },
{ OWNER("helo_required"), SWITCH(helo_required), .def = "on",
  .help = "take mail after EHLO or HELO only" },
{ OWNER("early_talker"), CHOICE(enum early_talker, early_talker, { "auto", EARLY_AUTO },
  { "off", EARLY_OFF }, { "log", EARLY_LOG }, { "reject", EARLY_REJECT }), .def = "auto",
  .help = "what to do with clients that do not wait for the greeting" },
{ OWNER("max_clients"), NUMBER(max_clients, 1, 10000), .def = "50",
  .help = "connections at a time" },
{ OWNER("max_rcpt"), NUMBER(max_rcpt, 1, 1000000), .def = "1000",
  .help = "recipients of one message" },
{ OWNER("max_messages"), NUMBER(max_messages, 1, 999999), .def = "1000",
  .help = "messages of one session" },
{ OWNER("max_hold"), SECONDS(max_hold), .def = "30d",
  .help = "how long a message may be held back (FUTURERELEASE)" },
{ OWNER("message_size_limit"), SIZE(message_size_limit, INT64_MAX), .def = "50M",
  .help = "largest message to take; 0 = no limit" },
{ OWNER("idle_timeout"), LIMIT(idle_timeout), .def = "300",
  .help = "a client may be silent that long, or need it for a command" },
{ OWNER("message_timeout"), LIMIT(message_timeout), .def = "3600",
  .help = "a message, or a chunk of it, may take that long to come" },
{ OWNER("session_timeout"), LIMIT(session_timeout), .def = "7200",
  .help = "behind that no command is taken any more" },
{ OWNER("allow_users"), LIST(allow_users), .flags = SETTING_FILE_ONLY, .arg = "login,...",
  .help = "of the users of this machine only these may submit" },
{ OWNER("allow_groups"), LIST(allow_groups), .flags = SETTING_FILE_ONLY, .arg = "group,...",
  .help = "... and who is in one of these groups" },
{ OWNER("deny_users"), LIST(deny_users), .flags = SETTING_FILE_ONLY, .arg = "login,...",
  .help = "these may not" },
{ OWNER("local_login_sender_maps"), WORDS(local_login_sender_maps, DO_SENDER_MAP),
  .arg = "user=pattern,...", .help = "which senders a user of this machine may use" },
{ OWNER("user_rate"), SPECIAL(unsigned, user_rate, DO_USER_RATE),
  .max = MONTH, .def = "off", .arg = "number/time", .help = "messages of one user in a time" },
{ OWNER_FIRST("port_file"), FILE_NAME(port_file),
  .help = "file to write the address and port in use to" },
{ OWNER_FIRST("pid_file"), FILE_NAME(pid_file), .help = "file to write the process id to" },
{ .help = "" }
};
