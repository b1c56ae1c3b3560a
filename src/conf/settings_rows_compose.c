/* The table of settings, part: writing a message. */
#include "config.h"
#include "conf/settings_account.h"

#include "conf/account.h"

static const struct name_value importance_styles[] = {
	{ "simple", 0 }, { "all", 1 }, { NULL, 0 }
};

static const struct setting rows[] = {
{ OWNER("max_header_length"), .type = SETTING_UINT, .offset = FIELD(unsigned, compose.width),
  .def = "78", .min = 76, .max = 998, .arg = "octets",
  .help = "fold longer lines of header fields that options make" },
{ OWNER("prefer_8bit"), SWITCH(compose.prefer_8bit), .def = "off",
  .help = "write 8-bit text as it is, not encoded" },
{ OWNER("filename_compat"), SWITCH(compose.filename_compat), .def = "off",
  .help = "file names beyond ASCII also for programs that do not know RFC 2231" },
{ OWNER("importance_style"), .type = SETTING_BOOL, .names = importance_styles,
  .offset = FIELD(bool, compose.importance_all), .def = "simple", .arg = "simple|all",
  .help = "all: --importance also adds X-Priority and X-MSMail-Priority" },
{ OWNER("strict_headers"), SWITCH(compose.strict_headers), .def = "off",
  .help = "refuse a message with two of a field that may occur once" },
};

const struct setting_group settings_compose = { "Writing a message", rows, ARRAY_LEN(rows) };
