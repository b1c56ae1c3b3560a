/* -bs: one session on standard input and output, for the account of the caller. */
#include "config.h"

#include <sys/socket.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/accounts.h"
#include "deliver/deliver.h"
#include "server/delivery.h"
#include "server/listener.h"
#include "util/arena.h"
#include "util/error.h"

static void log_session(void *ctx, const char *line)
{
	report_log_syslog(ctx, LOG_MAIL, LOG_INFO, line);
}

/* A client from the network (inetd) is one of the listener's, and held to its settings. */
static bool comes_by_network(void)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);

	return getsockopt(STDIN_FILENO, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 &&
		domain != AF_UNIX;
}

static int serve_caller(const struct invocation *inv, const struct config *config,
			struct arena *arena, struct error *err)
{
	struct server_options opt = { .set = *config_listen_plain(config), .log = log_session,
				      .log_ctx = (void *)inv };
	const char *account = inv->request.account;
	const struct deliver_request place = {
		.deliver = opt.set.deliver ? opt.set.deliver :
			account ? arena_printf(arena, "account:%s", account) : "account",
		.key = "deliver", .server_name = opt.set.server_name,
		.on_message = opt.set.on_message, .hook_timeout = opt.set.hook_timeout,
		.config = config, .config_request = &inv->request.config, .arena = arena,
	};
	int rc = deliver_open(&place, &opt.delivery, err);

	if (rc == 0)
		rc = listener_serve_stdio(&opt, err);
	delivery_free(opt.delivery);
	return rc;
}

int cmd_session(const struct invocation *inv)
{
	struct config *config = NULL;
	struct error err;
	int status = EX_OK;

	if (comes_by_network())
		return cmd_serve(inv);
	if (config_load(&inv->request.config, &config, &err) < 0)
		return report_failure(inv, &err);
	struct arena *arena = arena_new();

	if (serve_caller(inv, config, arena, &err) < 0)
		status = report_failure(inv, &err);
	arena_free(arena);
	config_free(config);
	return status;
}
