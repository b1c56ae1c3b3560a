/* A failure as an SMTP reply: for error_format and JSON. */
#include "config.h"
#include "cli/report.h"

#include "util/error.h"

/* What each exit code is as a reply, when no server has given one. */
static const struct {
	int exit, code;
	const char *status;
} replies[] = {
	{ EX_USAGE, 501, "5.5.4" },
	{ EX_DATAERR, 554, "5.6.0" },
	{ EX_NOINPUT, 554, "5.3.0" },
	{ EX_NOUSER, 550, "5.1.1" },
	{ EX_NOHOST, 550, "5.1.2" },
	{ EX_UNAVAILABLE, 554, "5.3.2" },
	{ EX_SOFTWARE, 554, "5.3.0" },
	{ EX_OSERR, 451, "4.3.0" },
	{ EX_OSFILE, 554, "5.3.5" },
	{ EX_CANTCREAT, 452, "4.3.1" },
	{ EX_IOERR, 451, "4.3.0" },
	{ EX_TEMPFAIL, 451, "4.3.0" },
	{ EX_PROTOCOL, 554, "5.5.0" },
	{ EX_NOPERM, 550, "5.7.1" },
	{ EX_CONFIG, 554, "5.3.5" },
};

/* The status that is known counts; a code of another class than it has would contradict it. */
void report_reply(const struct error *err, int *code, const char **status)
{
	int invented = 554;

	*status = "5.3.0";
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		if (replies[i].exit != err->exit)
			continue;
		invented = replies[i].code;
		*status = replies[i].status;
	}
	if (err->status[0] == '4' || err->status[0] == '5')
		*status = err->status;
	int class = (*status)[0] - '0';

	if (err->reply / 100 == class)
		*code = err->reply;
	else if (invented / 100 == class)
		*code = invented;
	else
		*code = class == 4 ? 451 : 554;
}
