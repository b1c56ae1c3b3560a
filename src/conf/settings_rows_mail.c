/* The table of settings, part: sender, recipients, header, message. */
#include "config.h"
#include "conf/settings_account.h"

#include "conf/account.h"

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

static const struct name_value bare_crs[] = {
	{ "line-end", BARE_CR_LINE_END }, { "line_end", BARE_CR_LINE_END },
	{ "space", BARE_CR_SPACE }, { "reject", BARE_CR_REJECT }, { "encode", BARE_CR_ENCODE },
	{ NULL, 0 }
};

static const struct name_value downgrades[] = {
	{ "auto", UTF8_DOWNGRADE_AUTO }, { "never", UTF8_DOWNGRADE_NEVER },
	{ "always", UTF8_DOWNGRADE_ALWAYS }, { NULL, 0 }
};

static const struct setting rows[] = {
/* sender, recipients, header */
{ OWNER("from"), .type = SETTING_LIST, .offset = FIELD(const char *const *, from),
  .arg = "address,...", .help = "sender; further patterns choose this account" },
{ OWNER("match_user"), .type = SETTING_LIST, .offset = FIELD(const char *const *, match_user),
  .arg = "login,...", .help = "login names whose mail takes this account" },
{ OWNER("match_to"), .type = SETTING_LIST, .offset = FIELD(const char *const *, match_to),
  .arg = "pattern,...", .help = "mail that goes to these alone takes this account" },
{ OWNER("account_match"), .type = SETTING_SPECIAL, .set = special_match,
  .offset = FIELD(const char *const *, account_match), .print = special_list_print,
  .def = "envelope, header, recipients, user, default",
  .arg = "envelope|header|recipients|user|default,...",
  .help = "what chooses the account, in this order" },
{ OWNER("from_override"), .type = SETTING_ENUM, .names = overrides,
  .offset = FIELD(enum from_override, from_override), .def = "own-domain",
  .classic_def = "any", .arg = "no|own-domain|any", .help = "which senders of -f are kept" },
{ OWNER("allow_from_override"), .type = SETTING_ENUM, .names = allow_overrides, .flags = ALSO,
  .offset = FIELD(enum from_override, from_override), .arg = "on|off",
  .help = "on: from_override = any; off: no" },
{ ANYONE("read_envelope_from"), SWITCH(read_envelope_from), .def = "off",
  .help = "without -f the envelope sender is that of the From field" },
{ OWNER("from_full_name"), TEXT(from_full_name), .arg = "name",
  .help = "name in a From field that is added" },
{ OWNER("default_domain"), TEXT(default_domain), .arg = "domain",
  .help = "completes addresses without a domain" },
{ OWNER("qualify"), SWITCH(qualify), .def = "on", .classic_def = "off",
  .help = "complete addresses without a domain" },
{ OWNER("auto_from"), SWITCH(auto_from, | SETTING_DEPRECATED), .def = "off",
  .help = "sender is the login name at maildomain" },
{ OWNER("maildomain"), TEXT(maildomain), .flags = SETTING_DEPRECATED, .arg = "domain",
  .help = "domain for auto_from" },
{ OWNER("aliases"), FILE_NAME(aliases), .def = "/etc/aliases", .classic_def = "",
  .help = "aliases of local recipients" },
{ OWNER("set_from_header"), .type = SETTING_ENUM, .names = set_headers, .def = "auto",
  .offset = FIELD(enum set_header, set_from), .arg = "auto|on|off",
  .help = "add From when missing, always (replacing), never" },
{ OWNER("set_date_header"), .type = SETTING_ENUM, .names = add_headers, .def = "auto",
  .offset = FIELD(enum set_header, set_date), .arg = "auto|off",
  .help = "add Date when missing, never" },
{ OWNER("set_msgid_header"), .type = SETTING_ENUM, .names = add_headers, .def = "auto",
  .offset = FIELD(enum set_header, set_msgid), .arg = "auto|off",
  .help = "add Message-ID when missing, never" },
{ OWNER("set_to_header"), .type = SETTING_BOOL, .names = to_headers, .flags = SETTING_CLASSIC,
  .offset = FIELD(bool, undisclosed_recipients), .arg = "undisclosed_recipients|off",
  .help = "the same as undisclosed_recipients" },
{ OWNER("undisclosed_recipients"), SWITCH(undisclosed_recipients), .def = "off",
  .help = "replace To and Cc by an empty group" },
{ OWNER("remove_bcc_headers"), SWITCH(remove_bcc), .def = "on", .help = "remove Bcc" },
{ OWNER("bcc_separate"), SWITCH(bcc_separate), .def = "off",
  .help = "recipients that the header does not show get a transaction of their own" },
{ OWNER("bcc_copies"), SWITCH(bcc_copies), .def = "off",
  .help = "... and those of Bcc each a copy that names them there" },
{ OWNER("strip"), .type = SETTING_SPECIAL, .offset = FIELD(const char *const *, strip),
  .set = special_strip, .print = special_list_print, .arg = "field,...",
  .help = "header fields that are removed" },
{ OWNER("message_id_domain"), .type = SETTING_SPECIAL, .set = special_domain,
  .offset = FIELD(const char *, message_id_domain), .print = special_text_print,
  .arg = "domain", .help = "what stands behind @ in a Message-ID that is added" },
{ OWNER("privacy"), SWITCH(privacy), .def = "off",
  .help = "no name of this host in a Message-ID that is added" },
{ OWNER("add_mime"), SWITCH(add_mime), .def = "on", .classic_def = "off",
  .help = "say what an 8-bit body without MIME fields is" },
{ OWNER("add_missing_from_header"), .type = SETTING_ENUM, .names = add_missing,
  .flags = ALSO | SETTING_SWITCH, .offset = FIELD(enum set_header, set_from),
  .arg = "on|off", .help = "set_from_header auto or off" },
{ OWNER("add_missing_date_header"), .type = SETTING_ENUM, .names = add_missing,
  .flags = ALSO | SETTING_SWITCH, .offset = FIELD(enum set_header, set_date),
  .arg = "on|off", .help = "set_date_header auto or off" },
{ OWNER("keepbcc"), .type = SETTING_BOOL, .names = setting_inverted, .flags = ALSO | SETTING_SWITCH,
  .offset = FIELD(bool, remove_bcc), .arg = "on|off",
  .help = "the opposite of remove_bcc_headers" },

/* the form of the message */
{ OWNER("convert_8bit"), .type = SETTING_ENUM, .names = conversions,
  .offset = FIELD(enum convert_8bit, convert.eight), .def = "yes", .arg = "yes|no|always",
  .help = "encode 8-bit content when the server has no 8BITMIME; for every server" },
{ OWNER("long_lines"), .type = SETTING_ENUM, .names = line_policies,
  .offset = FIELD(enum long_lines, convert.lines), .def = "encode",
  .arg = "encode|split|reject|pass", .help = "lines of more than 998 octets" },
{ OWNER("bare_cr"), .type = SETTING_ENUM, .names = bare_crs,
  .offset = FIELD(enum bare_cr, convert.bare_cr), .def = "line-end",
  .arg = "line-end|space|reject|encode", .help = "what a CR in a line of the body is" },
{ OWNER("stdin_timeout"), TIME(input), .def = "off",
  .help = "longest wait for more of the message" },
{ ANYONE("smtputf8_downgrade"), .type = SETTING_ENUM, .names = downgrades,
  .offset = FIELD(enum utf8_downgrade, convert.headers), .def = "auto",
  .arg = "auto|never|always", .help = "write UTF-8 in header fields in ASCII" },
{ OWNER("convert_signed_dkim"), SWITCH(convert.signed_dkim), .def = "off",
  .help = "convert also what has a DKIM-Signature, which breaks it" },
{ OWNER("default_charset"), .type = SETTING_SPECIAL, .set = special_charset,
  .offset = FIELD(const char *, convert.charset), .print = special_charset_print,
  .arg = "charset", .help = "of 8-bit text that says nothing and is not UTF-8" },
};

const struct setting_group settings_mail = { "Sender, recipients, header, message", rows,
						 ARRAY_LEN(rows) };
