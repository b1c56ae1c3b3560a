/*
 * Settings of what is told, logged and kept.
 */
#include "config.h"
#define ROWS_FILE ROWS_REPORT
#include "conf/settings_rows.h"

#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "conf/account.h"
#include "util/strbuf.h"
#include "util/text.h"

static const struct name_value facility_names[] = {
	{ "LOG_USER", LOG_USER }, { "LOG_MAIL", LOG_MAIL }, { "LOG_DAEMON", LOG_DAEMON },
	{ "LOG_AUTH", LOG_AUTH }, { "LOG_CRON", LOG_CRON }, { "LOG_NEWS", LOG_NEWS },
	{ "LOG_LOCAL0", LOG_LOCAL0 }, { "LOG_LOCAL1", LOG_LOCAL1 }, { "LOG_LOCAL2", LOG_LOCAL2 },
	{ "LOG_LOCAL3", LOG_LOCAL3 }, { "LOG_LOCAL4", LOG_LOCAL4 }, { "LOG_LOCAL5", LOG_LOCAL5 },
	{ "LOG_LOCAL6", LOG_LOCAL6 }, { "LOG_LOCAL7", LOG_LOCAL7 }, NAMES_END
};

static const struct name_value syslog_switch[] = {
	{ "on", 1 }, { "yes", 1 }, { "true", 1 }, { "1", 1 },
	{ "off", 0 }, { "no", 0 }, { "false", 0 }, { "0", 0 }, NAMES_END
};

/* "on" is msmtp's LOG_USER in its own syntax, the mail facility in ours. */
SETTING_SETTER(set_syslog)
{
	struct account *a = target;
	const size_t prefix = strlen("LOG_");
	int on;

	if (names_find(syslog_switch, value, &on) == 0) {
		a->syslog = !on ? -1 : a->classic ? LOG_USER : LOG_MAIL;
		return 0;
	}
	if (names_find(facility_names, value, &a->syslog) == 0)
		return 0;
	for (const struct name_value *n = facility_names; !names_is_end(n); n++) {
		if (strcasecmp(n->name + prefix, value) == 0) {
			a->syslog = n->value;
			return 0;
		}
	}
	return setting_refuse(s, value, "on, off or a facility such as LOG_MAIL", err);
}

SETTING_PRINTER(print_syslog)
{
	const struct account *a = target;

	strbuf_addstr(out, a->syslog < 0 ? "off" : names_name(facility_names, a->syslog));
}

#define CODES(x) \
	x(DO_SYSLOG, .set = set_syslog, .print = print_syslog)
SETTING_CODES(settings_report_code, CODES);

const struct setting settings_report[] = {
{ HEADING("log", "Reports and log") },
/* what is said */
{ OWNER("error_format"), CHOICE(enum error_format, report.error_format,
  { "text", ERROR_FORMAT_TEXT }, { "smtp", ERROR_FORMAT_SMTP }, { "dsn", ERROR_FORMAT_DSN },
  { "json", ERROR_FORMAT_JSON }), .def = "text", .help = "how a failure is told on stderr" },


/* log */
{ OWNER_FIRST("logfile"), FILE_NAME(logfile), .help = "file to log to, - for standard output" },
{ OWNER("logfile_time_format"), TEXT(logfile_time_format), .arg = "format",
  .help = "time in the log file, as for strftime()" },
{ OWNER("syslog"), SPECIAL(int, syslog, DO_SYSLOG), .flags = SETTING_SWITCH,
  .def = "on", .classic_def = "off", .arg = "on|off|facility",
  .help = "log to syslog (LOG_MAIL)" },
{ OWNER("log_format"), CHOICE(enum log_format, report.log_format, { "msmtp", LOG_FORMAT_MSMTP },
  { "key-value", LOG_FORMAT_KEY_VALUE }, { "json", LOG_FORMAT_JSON }), .def = "msmtp",
  .help = "form of the lines in log file and syslog" },

/* when it failed */
{ OWNER_FIRST("on_failure"), ARGV(report.on_failure), .arg = "command",
  .help = "run when a message failed, with a JSON object on stdin" },
{ OWNER("on_failure_timeout"), SECONDS(report.on_failure_timeout), .def = "10",
  .help = "time after which on_failure is ended" },
{ OWNER("on_failure_subject"), SWITCH(report.on_failure_subject), .def = "off",
  .help = "tell on_failure the subject as well" },
{ OWNER("notify_interval"), SECONDS(report.notify_interval), .def = "1h",
  .help = "time in which the same failure is notified once; 0 = always" },
{ OWNER_FIRST("dead_letter"), FILE_NAME(report.dead_letter), .def = "off",
  .help = "mbox file to which failed messages are added, or off" },
{ OWNER("keep_failed"), SWITCH(report.keep_failed), .def = "on",
  .help = "keep a failed message that was written at a terminal" },

/* when it was sent */
{ OWNER_FIRST("archive_dir"), TEXT(report.archive_dir), .flags = SETTING_PATH,
  .arg = "maildir:path", .help = "Maildir for a copy of all that was sent" },
{ .help = "" }
};
