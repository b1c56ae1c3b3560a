/*
 * What the program does: one function per command, chosen in main.c. Each
 * returns the exit status. Errors have been reported by then.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

struct invocation;

typedef int command_fn(const struct invocation *);

command_fn cmd_check, cmd_check_config;
command_fn cmd_send, cmd_queue_list, cmd_queue_count, cmd_queue_run, cmd_aliases, cmd_verify,
	cmd_serve, cmd_serverinfo, cmd_print_config, cmd_list_settings, cmd_list_options,
	cmd_list_extensions,
	cmd_version, cmd_help, cmd_nothing, cmd_smtp, cmd_track_query, cmd_configure,
	cmd_import;

#endif
