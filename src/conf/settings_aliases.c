/*
 * Other names of settings, msmtp's most of them: what their words mean for
 * the key that they stand for. There is no field for any of them.
 */
#include "config.h"
#include "conf/settings_rows.h"

#include "conf/account.h"

#define ALIAS(name, of) OWNER(name), .type = SETTING_ALIAS, .alias_of = of

/* A key that msmtp reads under another name than ours. */
#define ALSO SETTING_CLASSIC | SETTING_DEPRECATED

/* Switches of old versions of msmtp, given without a value. */
#define OLD_SWITCH ALSO | SETTING_SWITCH | SETTING_NO_OPTION

#define OPPOSITE NAMES({ "on", 0 }, { "yes", 0 }, { "true", 0 }, { "1", 0 }, \
	{ "off", 1 }, { "no", 1 }, { "false", 1 }, { "0", 1 })
#define ADD_MISSING NAMES({ "on", SET_HEADER_AUTO }, { "off", SET_HEADER_OFF })

const struct setting settings_aliases[] = {
{ ALIAS("strict_recipients", "refused_recipients"), .names = NAMES({ "on", PARTIAL_REFUSE },
  { "off", PARTIAL_SEND }, { "yes", PARTIAL_REFUSE }, { "no", PARTIAL_SEND },
  { "true", PARTIAL_REFUSE }, { "false", PARTIAL_SEND }, { "1", PARTIAL_REFUSE },
  { "0", PARTIAL_SEND }), .flags = SETTING_SWITCH,
  .help = "the same as refused_recipients = abort" },
{ ALIAS("allow_from_override", "from_override"), .names = NAMES({ "on", FROM_OVERRIDE_ANY },
  { "yes", FROM_OVERRIDE_ANY }, { "off", FROM_OVERRIDE_NO }, { "no", FROM_OVERRIDE_NO }),
  .flags = ALSO, .help = "on: from_override = any; off: no" },
{ ALIAS("set_to_header", "undisclosed_recipients"), .names = NAMES({ "auto", 0 }, { "off", 0 },
  { "undisclosed_recipients", 1 }), .flags = SETTING_CLASSIC, .arg = "undisclosed_recipients|off",
  .help = "the same as undisclosed_recipients" },
{ ALIAS("add_missing_from_header", "set_from_header"), .names = ADD_MISSING,
  .flags = ALSO | SETTING_SWITCH, .help = "set_from_header auto or off" },
{ ALIAS("add_missing_date_header", "set_date_header"), .names = ADD_MISSING,
  .flags = ALSO | SETTING_SWITCH, .help = "set_date_header auto or off" },
{ ALIAS("keepbcc", "remove_bcc_headers"), .names = OPPOSITE, .flags = ALSO | SETTING_SWITCH,
  .help = "the opposite of remove_bcc_headers" },
{ ALIAS("tls_nocertcheck", "tls_certcheck"), .names = OPPOSITE, .flags = OLD_SWITCH,
  .help = "the same as tls_certcheck = off" },
{ ALIAS("tls_nostarttls", "tls_starttls"), .names = OPPOSITE, .flags = OLD_SWITCH,
  .help = "the same as tls_starttls = off" },

/* read, and not obeyed */
{ ALIAS("tls_force_sslv3", ""), .flags = OLD_SWITCH, .help = "read, and without effect" },
{ ALIAS("auth_pipelining", ""), .flags = ALSO, .arg = "auto|off",
  .help = "of no use: nothing follows AUTH before its answer" },
{ .help = "" }
};
