/* The table of options, part: single commands to the server. */
#include "config.h"
#include "cli/option_values.h"

#include "smtp/probe.h"

static const struct option smtp_rows[] = {
	{ OWNER(0, "vrfy"), OPTION_REQUIRED, option_probe, PROBE_VRFY, "address",
	  "ask the server whether it knows the address" },
	{ OWNER(0, "verify"), OPTION_REQUIRED, option_probe, PROBE_VRFY, "address",
	  "the same as --vrfy" },
	{ OWNER(0, "verify-with"), OPTION_REQUIRED, option_verify_with, 0, "vrfy|rcpt",
	  "rcpt: where VRFY says nothing, ask with RCPT" },
	{ OWNER(0, "strict-verify"), OPTION_NONE, option_flag, OPTION_FIELD(strict_verify), NULL,
	  "a server that cannot tell is a failure (75)" },
	{ OWNER(0, "expn"), OPTION_REQUIRED, option_probe, PROBE_EXPN, "list",
	  "ask the server who is on the mailing list" },
	{ OWNER(0, "expand"), OPTION_REQUIRED, option_probe, PROBE_EXPN, "list",
	  "the same as --expn" },
	{ OWNER(0, "smtp-help"), OPTION_ATTACHED, option_probe, PROBE_HELP, "topic",
	  "show the help of the server" },
	{ OWNER(0, "noop"), OPTION_NONE, option_probe, PROBE_NOOP, NULL,
	  "sign in, and see whether the server answers" },
	{ OWNER(0, "rset"), OPTION_NONE, option_probe, PROBE_RSET, NULL, "the same with RSET" },
	{ OWNER(0, "etrn"), OPTION_REQUIRED, option_probe, PROBE_ETRN, "host|@domain|#queue",
	  "have the server send what it keeps for that host" },
	{ OWNER(0, "rmqs"), OPTION_REQUIRED, option_probe, PROBE_ETRN, "host|@domain|#queue",
	  "the same as --etrn" },
	{ OWNER(0, "atrn"), OPTION_ATTACHED, option_probe, PROBE_ATRN, "domain,...",
	  "fetch the mail of these domains (ODMR)" },
	{ OWNER_FIRST(0, "smtp-command"), OPTION_REQUIRED, option_probe, PROBE_RAW, "line",
	  "send this command after sign-in, and show the reply" },
	{ OWNER(0, "track-query"), OPTION_REQUIRED, option_track_query, COMMAND_TRACK_QUERY,
	  "id|uri|all", "ask where a tracked message is" },
	{ OWNER(0, "query-track"), OPTION_REQUIRED, option_track_query, COMMAND_TRACK_QUERY,
	  "id|uri|all", "the same as --track-query" },
	{ OWNER(0, "terminal"), OPTION_REQUIRED, option_terminal, 0, "only|or|and|off",
	  "show the message on the recipient's terminal" },
	{ OWNER(0, "xclient"), OPTION_REQUIRED, option_xclient, 0, NULL, NULL },	/* a key */
	{ OWNER(0, "xclient-addr"), OPTION_REQUIRED, option_xclient, 0, "address", "its address" },
	{ OWNER(0, "xclient-name"), OPTION_REQUIRED, option_xclient, 0, "name", "its name" },
	{ OWNER(0, "xclient-port"), OPTION_REQUIRED, option_xclient, 0, "number", "its port" },
	{ OWNER(0, "xclient-proto"), OPTION_REQUIRED, option_xclient, 0, "SMTP|ESMTP",
	  "its protocol" },
	{ OWNER(0, "xclient-helo"), OPTION_REQUIRED, option_xclient, 0, "name", "its EHLO name" },
	{ OWNER(0, "xclient-login"), OPTION_REQUIRED, option_xclient, 0, "name", "its user" },
	{ OWNER(0, "xclient-destaddr"), OPTION_REQUIRED, option_xclient, 0, "address",
	  "the address it has come to" },
	{ OWNER(0, "xclient-destport"), OPTION_REQUIRED, option_xclient, 0, "number",
	  "the port it has come to" },
};

const struct option_group options_smtp = {
	"Commands to the server", smtp_rows, ARRAY_LEN(smtp_rows)
};
