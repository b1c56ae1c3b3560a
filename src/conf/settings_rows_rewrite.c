/* The table of settings, part: rewriting, redirecting, permission. */
#include "config.h"
#include "conf/settings_account.h"

#include "conf/account.h"

#define LIST(m) .type = SETTING_LIST, .offset = FIELD(const char *const *, m)
#define ADDRESSES(m) .type = SETTING_SPECIAL, .offset = FIELD(const char *const *, m), \
	.set = special_addresses, .print = special_list_print, .arg = "address,..."

static const struct setting rows[] = {
/* addresses that become others */
{ OWNER("rewrite_map"), FILE_NAME(rewrite.map_file),
  .help = "addresses and what they become, as in generic(5)" },
{ OWNER("rewrite_classes"), .type = SETTING_SPECIAL, .set = special_classes,
  .offset = FIELD(unsigned, rewrite.classes), .print = special_classes_print,
  .def = "all",
  .arg = "class,...", .help = "where addresses are rewritten" },
{ OWNER("local_domains"), LIST(rewrite.local_domains), .def = "localhost, %H, %H.%D",
  .classic_def = "", .arg = "domain,...", .help = "addresses in them are local names" },
{ OWNER("from_name"), .type = SETTING_SPECIAL, .set = special_from_name,
  .offset = FIELD(const char *, rewrite.from_name), .print = special_from_name_print,
  .arg = "keep|text", .help = "display name of From" },
{ ANYONE("reply_to"), .type = SETTING_SPECIAL, .set = special_reply_to,
  .offset = FIELD(const char *, rewrite.reply_to), .print = special_reply_to_print,
  .arg = "no|original|address", .help = "Reply-To where there is none" },
{ OWNER("original_from_header"), SWITCH(rewrite.original_from), .def = "off",
  .help = "keep a rewritten From in X-Original-From" },

/* other recipients */
{ OWNER("redirect_to"), ADDRESSES(redirect.to), .help = "all mail goes there instead" },
{ OWNER("redirect_except"), LIST(redirect.except), .arg = "pattern,...",
  .help = "... but mail to these" },
{ OWNER("redirect_tag"), SWITCH(redirect.tag), .def = "off",
  .help = "... and [to: ADDRESS] stands in its subject" },
{ OWNER("drop"), SWITCH(redirect.drop), .def = "off",
  .help = "throw all mail away, and say that it was sent" },
{ OWNER("always_bcc"), ADDRESSES(redirect.always_bcc), .help = "these get a copy of all mail" },

/* who may send */
{ OWNER("allow_users"), LIST(permission.allow_users), .flags = SETTING_FILE_ONLY,
  .arg = "login,...", .help = "only these may send" },
{ OWNER("allow_groups"), LIST(permission.allow_groups), .flags = SETTING_FILE_ONLY,
  .arg = "group,...", .help = "... and who is in one of these groups" },
{ OWNER("deny_users"), LIST(permission.deny_users), .flags = SETTING_FILE_ONLY,
  .arg = "login,...", .help = "these may not send" },
};

const struct setting_group settings_rewrite = { "Rewriting, redirecting, permission", rows,
						 ARRAY_LEN(rows) };
