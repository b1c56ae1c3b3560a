#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/trace.h"
#include "conf/account.h"
#include "conf/accounts.h"
#include "net/tls.h"
#include "net/wire.h"
#include "smtp/session.h"
#include "submit/attempt.h"
#include "submit/route.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

#define OUTPUT_MAX ((size_t)1024 * 1024)

static void add_keywords(struct strbuf *out, const struct strvec *lines, const char *title)
{
	if (!lines->n)
		return;
	strbuf_addf(out, "%s\n", title);
	for (size_t i = 0; i < lines->n; i++) {
		strbuf_addstr(out, "    ");
		text_escape_add(out, lines->v[i], strlen(lines->v[i]));
		strbuf_addch(out, '\n');
	}
}

/* What the server said and showed, in one page. */
static void describe(void *ctx, const struct session *s)
{
	struct strbuf *out = ctx;
	const struct stream *top = wire_stream(s->wire);

	strbuf_addf(out, "server %s, %s, port %u\n", s->server_name, s->opt.host, s->opt.port);
	if (tls_is(top)) {
		strbuf_addstr(out, "TLS: ");
		tls_describe(top, out);
		strbuf_addf(out, "\n%s\n", s->verified ? "certificate verified" :
						       "certificate NOT verified");
		tls_describe_certificate(top, out);
	} else {
		strbuf_addstr(out, "TLS: off\n");
	}
	add_keywords(out, &s->clear_keywords, "extensions before TLS:");
	add_keywords(out, &s->keywords, s->encrypted ? "extensions under TLS:" : "extensions:");
	if (s->size_limit)
		strbuf_addf(out, "largest message: %" PRIu64 " octets\n", s->size_limit);
}

int cmd_serverinfo(const struct invocation *inv)
{
	const struct route_request req = { .account = inv->account, .sender = inv->sender };
	const struct attempt_options opt = { .trace = inv->verbose ? trace_line : NULL };
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	const struct account *account;
	struct config *config = NULL;
	struct error err;
	int status;

	if (config_load(&inv->config, &config, &err) < 0 ||
	    route_account(config, &req, &account, &err) < 0 ||
	    submit_info(account, &opt, describe, &out, &err) < 0)
		status = report_failure(inv, &err);
	else
		status = report_output(inv, out.buf);
	strbuf_release(&out);
	config_free(config);
	return status;
}
