/* -bd, -bD: the listener, with the settings of its section. */
#include "config.h"

#include <string.h>
#include <sysexits.h>
#include <syslog.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "conf/accounts.h"
#include "deliver/deliver.h"
#include "queue/arrival.h"
#include "server/caller.h"
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

/* One reading of the configuration; what came of it lives to the end. */
struct reading {
	struct reading *before;
	struct config *config;
	struct arena *arena;
	struct server_options *section;
	size_t n;
};

struct serving {
	const struct invocation *inv;
	struct arrival arrival;		/* for who runs the queue beside it */
	struct reading *last;
};

static void free_readings(struct serving *s)
{
	for (struct reading *r = s->last, *before; r; r = before) {
		before = r->before;
		for (size_t i = 0; i < r->n; i++)
			delivery_free(r->section[i].delivery);
		config_free(r->config);
		arena_free(r->arena);
	}
}

/* An address on the command line is that of one listener. */
static bool names_address(const struct invocation *inv)
{
	for (size_t i = 0; i < inv->request.config.override_n; i++)
		if (strcmp(inv->override[i].key, "listen") == 0)
			return true;
	return false;
}

/* The section that was named, or all. */
static size_t count_sections(const struct serving *s, const struct config *config)
{
	size_t n = 0;

	if (s->inv->request.account)
		return config_listen(config, s->inv->request.account) ? 1 : 0;
	if (names_address(s->inv))
		return 1;
	while (config_listen_nth(config, n))
		n++;
	return n ? n : 1;
}

/* What users have sent is known on: of the section that has this name, or none as this has. */
static const struct caller_rates *rates_before(const struct reading *r,
					       const struct server_options *opt)
{
	for (const struct reading *b = r->before; b; b = b->before) {
		for (size_t i = 0; i < b->n; i++) {
			const struct server_options *o = &b->section[i];

			if (o->rates && strcmp(o->set.name ? o->set.name : "",
					       opt->set.name ? opt->set.name : "") == 0)
				return o->rates;
		}
	}
	return NULL;
}

static int open_section(const struct serving *s, struct reading *r, size_t i, struct error *err)
{
	const char *named = s->inv->request.account;
	const struct listen_settings *l = named ? NULL : config_listen_nth(r->config, i);
	struct server_options *opt = &r->section[i];

	*opt = (struct server_options){ .set = l ? *l : *config_listen(r->config, named),
					.log = log_event, .log_ctx = (void *)s->inv };
	const struct deliver_request place = {
		.deliver = opt->set.deliver, .key = "deliver", .server_name = opt->set.server_name,
		.on_message = opt->set.on_message, .hook_timeout = opt->set.hook_timeout,
		.config = r->config, .config_request = &s->inv->request.config,
		.arrival = s->arrival.missed ? &s->arrival : NULL, .arena = r->arena,
	};

	if (!l && !named && !opt->set.deliver)
		return error_set(err, FAULT_CONFIG, "no section [listen NAME] and no "
				 "--deliver=PLACE says where mail is to go: tried %s; the service "
				 "of a machine has its own: -C " SYSCONFDIR "/msubmit/msubmit.conf",
				 config_searched(r->config));
	opt->rates = caller_rates_new(&opt->set, rates_before(r, opt), r->arena);
	if (opt->set.user_rate && !opt->rates)
		return error_errno(err, FAULT_SYSTEM, "key 'user_rate': no memory");
	if (deliver_open(&place, &opt->delivery, err) < 0)
		return -1;
	r->n++;
	return 0;
}

static int read_sections(void *ctx, const struct server_options **section_out, size_t *n_out,
			 struct error *err)
{
	struct serving *s = ctx;
	struct config *config;

	if (config_load(&s->inv->request.config, &config, err) < 0)
		return -1;
	struct arena *arena = arena_new();
	struct reading *r = arena_calloc(arena, 1, sizeof(*r));
	const size_t n = count_sections(s, config);

	*r = (struct reading){ s->last, config, arena, NULL, 0 };
	r->section = arena_calloc(arena, n + 1, sizeof(*r->section));
	s->last = r;
	if (n == 0)
		return error_set(err, FAULT_CONFIG, "no section [listen %s]: tried %s",
				 s->inv->request.account, config_searched(config));
	for (size_t i = 0; i < n; i++)
		if (open_section(s, r, i, err) < 0)
			return -1;
	*section_out = r->section;
	*n_out = n;
	return 0;
}

static void run_queue(void *ctx)
{
	struct serving *s = ctx;

	queue_run_again(s->inv, &s->arrival);
}

int cmd_serve(const struct invocation *inv)
{
	struct serving s = { .inv = inv, .arrival = ARRIVAL_INIT };
	struct listener_request req = {
		.foreground = inv->foreground, .once = inv->once, .reload = read_sections,
		.interval = inv->queue.interval, .run = inv->queue.interval ? run_queue : NULL,
		.ctx = &s,
	};
	struct error err;
	int status = EX_OK;

	if ((req.run && arrival_open(&s.arrival, &err) < 0) ||
	    read_sections(&s, &req.section, &req.n, &err) < 0 ||
	    listener_run(&req, &err) < 0)
		status = report_failure(inv, &err);
	free_readings(&s);
	arrival_close(&s.arrival);
	return status;
}
