/* -bd, -bD: the listener, with the settings of its section. */
#include "config.h"

#include <sysexits.h>
#include <syslog.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/accounts.h"
#include "deliver/deliver.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "util/arena.h"
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

static int serve(const struct invocation *inv, const struct config *config,
		 const struct listen_settings *l, struct error *err)
{
	struct server_options opt = {
		.set = *l, .foreground = inv->foreground,
		.log = log_event, .log_ctx = (void *)inv,
	};
	struct arena *arena = arena_new();
	const struct deliver_request place = {
		.deliver = l->deliver, .key = "deliver", .server_name = l->server_name,
		.on_message = l->on_message, .hook_timeout = l->hook_timeout, .arena = arena,
		.config = config, .config_request = &inv->request.config,
	};
	int rc = deliver_open(&place, &opt.delivery, err);

	if (rc == 0)
		rc = listener_run(&opt, err);
	delivery_free(opt.delivery);
	arena_free(arena);
	return rc;
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
	} else if (serve(inv, config, l, &err) < 0) {
		status = report_failure(inv, &err);
	}
	config_free(config);
	return status;
}
