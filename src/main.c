/* Calls the command that name and options choose. */
#include "config.h"

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/sandbox.h"

static command_fn *const commands[COMMAND_COUNT] = {
	[COMMAND_SEND] = cmd_send,
	[COMMAND_QUEUE_LIST] = cmd_queue_list,
	[COMMAND_QUEUE_COUNT] = cmd_queue_count,
	[COMMAND_QUEUE_RUN] = cmd_queue_run,
	[COMMAND_ALIASES] = cmd_nothing,
	[COMMAND_VERIFY] = cmd_verify,
	[COMMAND_SERVE] = cmd_serve,
	[COMMAND_SERVERINFO] = cmd_serverinfo,
	[COMMAND_PRINT_CONFIG] = cmd_print_config,
	[COMMAND_PRETEND] = cmd_print_config,
	[COMMAND_LIST_SETTINGS] = cmd_list_settings,
	[COMMAND_LIST_OPTIONS] = cmd_list_options,
	[COMMAND_LIST_EXTENSIONS] = cmd_list_extensions,
	[COMMAND_CHECK] = cmd_check,
	[COMMAND_CHECK_CONFIG] = cmd_check_config,
	[COMMAND_VERSION] = cmd_version,
	[COMMAND_HELP] = cmd_help,
	[COMMAND_NOTHING] = cmd_nothing,
	[COMMAND_SMTP] = cmd_smtp,
	[COMMAND_TRACK_QUERY] = cmd_track_query,
	[COMMAND_CONFIGURE] = cmd_configure,
	[COMMAND_IMPORT] = cmd_import,
	[COMMAND_QUEUE_TOOL] = cmd_queue_tool,
	[COMMAND_STATUS] = cmd_status,
	[COMMAND_SESSION] = cmd_session,
};

/* The command line is wrong. */
static int refuse(const struct invocation *inv, const struct error *err)
{
	const struct report r = { .inv = inv, .error = err };

	return report_end(&r);
}

int main(int argc, char **argv)
{
	struct invocation inv;
	struct error err;

	sandbox_start(argc > 0 ? argv[0] : NULL);
	struct arena *arena = arena_new();
	int status = options_parse(&inv, arena, argc, argv, &err) < 0 ?
		refuse(&inv, &err) : commands[inv.command](&inv);

	arena_free(arena);
	return status;
}
