/* -bd, -bD: the listener, with the settings of its section. */
#include "config.h"

#include <sysexits.h>
#include <syslog.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/report_log.h"
#include "conf/accounts.h"
#include "conf/listen.h"
#include "server/listener.h"
#include "util/error.h"

/* A foreground listener talks to its terminal or supervisor, a daemon to syslog. */
static void log_event(void *ctx, const char *line)
{
	const struct invocation *inv = ctx;

	if (inv->foreground)
		report_line(inv, "%s", line);
	else
		report_log_syslog(inv, LOG_MAIL, LOG_INFO, line);
}

int cmd_serve(const struct invocation *inv)
{
	struct config *config = NULL;
	struct error err;
	int status = EX_OK;

	if (config_load(&inv->request.config, &config, &err) < 0)
		return report_failure(inv, &err);
	const struct listen_settings *l = config_listen(config, inv->request.account);

	if (!l) {
		error_set(&err, FAULT_CONFIG, "no section [listen %s]: tried %s",
			  inv->request.account ? inv->request.account : "NAME",
			  config_searched(config));
		status = report_failure(inv, &err);
	} else {
		const struct server_options opt = {
			.listen = l->listen, .name = l->server_name, .deliver = l->deliver,
			.cert_file = l->server_cert, .key_file = l->server_key,
			.auth_file = l->auth_file, .auth_required = l->auth_required,
			.require_tls = l->require_tls,
			.auth_plain_loopback = l->auth_plain_loopback,
			.strict = l->strict, .max_clients = l->max_clients, .max_rcpt = l->max_rcpt,
			.idle_timeout = l->idle_timeout, .size_limit = l->message_size_limit,
			.port_file = l->port_file, .pid_file = l->pid_file,
			.foreground = inv->foreground,
			.log = log_event, .log_ctx = (void *)inv,
		};

		if (listener_run(&opt, &err) < 0)
			status = report_failure(inv, &err);
	}
	config_free(config);
	return status;
}
