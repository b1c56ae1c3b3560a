#include "config.h"
#include "conf/settings_account.h"

#include "conf/account.h"

static const struct setting rows[] = {
/* log */
{ .key = "logfile", FILE_NAME(logfile), .help = "file to log to, - for standard output" },
{ .key = "logfile_time_format", TEXT(logfile_time_format), .arg = "format",
  .help = "time in the log file, as for strftime()" },
{ .key = "syslog", .type = SETTING_SPECIAL, .offset = FIELD(int, syslog),
  .flags = SETTING_SWITCH, .set = special_syslog, .print = special_syslog_print, .def = "on",
  .classic_def = "off", .arg = "on|off|facility", .help = "log to syslog (LOG_MAIL)" },
};

const struct setting_group settings_report = { "Reports and log", rows,
						 ARRAY_LEN(rows) };
