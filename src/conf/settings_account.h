/*
 * Inside the settings table: what the rows of an account are written with.
 * For conf/settings_rows_*.c only.
 */
#ifndef CONF_SETTINGS_ACCOUNT_H
#define CONF_SETTINGS_ACCOUNT_H

#include "conf/settings_rows.h"
#include "util/names.h"

/* What most rows begin with. */
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

/* For keys that say the opposite of their field. */
extern const struct name_value setting_inverted[];

#endif
