#include "config.h"
#include "track/track.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "dns/dns.h"
#include "message/idna.h"
#include "net/resolve.h"
#include "net/stream.h"
#include "net/wire.h"
#include "submit/attempt.h"
#include "submit/connect.h"
#include "submit/server_list.h"
#include "track/mtqp.h"
#include "track/mtqp_report.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"

enum { HOPS_MAX = 10 };

struct tracker {
	const struct account *account;
	const struct attempt_options *opt;
	const struct track_query *query;
	struct arena *arena;
	struct deadline whole;
	struct strvec asked;		/* hosts, each once */
	struct strbuf *out;
	bool delayed, failed;
};

/* --- the connection ------------------------------------------------------- */

/* RFC 2782; the host itself when there is no record, or nobody to ask for it. */
static void find_service(const struct tracker *t, struct server *target)
{
	const char *name = arena_printf(t->arena, "_mtqp._tcp.%s", target->host);
	struct dns_answer answer;
	struct address numeric;
	struct error ignored;
	struct deadline d = deadline_first(
		deadline_in(t->account->timeouts.connect, "the name server"), t->whole);
	const struct dns_record *best = NULL;

	target->port = MTQP_PORT;
	if (!strchr(target->host, '.') || address_from_text(target->host, 0, &numeric) ||
	    dns_ask(t->account->net.resolver, name, DNS_SRV, &d, &answer, &ignored) < 0)
		return;
	for (size_t i = 0; i < answer.n; i++) {
		const struct dns_record *r = &answer.v[i];

		if (*r->target && r->port && (!best || r->priority < best->priority))
			best = r;
	}
	if (best) {
		target->host = arena_strdup(t->arena, best->target);
		target->port = best->port;
	}
	dns_answer_release(&answer);
}

/* What the account demands of its own server's certificate says nothing about others. */
static const struct account *account_for(const struct tracker *t, const char *host,
					 struct account *foreign)
{
	if (t->account->host && strcasecmp(t->account->host, host) == 0)
		return t->account;
	*foreign = *t->account;
	foreign->tls.fingerprint = NULL;
	foreign->tls.pin = NULL;
	foreign->tls.cert_file = foreign->tls.key_file = foreign->tls.pkcs12_file = NULL;
	foreign->tls.host_override = NULL;
	return foreign;
}

static int open_wire(const struct tracker *t, const struct account *a,
		     const struct server *target, struct wire **out, struct error *err)
{
	struct host_addresses addresses = { .v = NULL };
	const struct connect_request request = {
		.account = a, .target = target, .addresses = &addresses, .whole = &t->whole,
	};
	struct stream *stream = NULL;
	int rc = connect_stream(&request, &stream, err);

	host_addresses_release(&addresses);
	if (rc < 0)
		return -1;
	*out = wire_new_take(stream);
	wire_set_limit(*out, t->whole);
	wire_set_trace(*out, t->opt->trace, t->opt->trace_ctx);
	return 0;
}

/* The certificate is to be that of host, whatever name DNS gave for the service. */
static int ask(const struct tracker *t, const char *host, unsigned port, struct strbuf *answer,
	       struct error *err)
{
	struct server target = { .host = host, .port = port, .mode = TLS_OFF };
	struct account foreign;
	const struct account *a = account_for(t, host, &foreign);
	struct wire *wire = NULL;
	struct mtqp m;

	if (idna_to_ascii(t->arena, host, &target.host, err) < 0)
		return -1;
	const char *name = target.host;

	if (!port)
		find_service(t, &target);
	if (open_wire(t, a, &target, &wire, err) < 0)
		return -1;
	int rc = mtqp_open(&m, wire, a, name, target.port, err);

	if (rc == 0)
		rc = mtqp_track(&m, t->query->envid, t->query->secret, answer, err);
	mtqp_close(&m);
	wire_free(wire);
	return rc;
}

/* --- what it says --------------------------------------------------------- */

static void add_text(struct strbuf *out, const char *before, const char *text)
{
	if (!text || !*text)
		return;
	strbuf_addstr(out, before);
	text_escape_add(out, text, strlen(text));
}

static void add_recipient(const struct tracker *t, const struct track_recipient *r,
			  const char *host)
{
	struct strbuf *out = t->out;

	add_text(out, "", t->query->envid);
	add_text(out, " ", r->address);
	strbuf_addf(out, ": %s", track_action_name(r->action));
	add_text(out, " ", r->status);
	add_text(out, ", ", r->reporting_mta ? r->reporting_mta : host);
	add_text(out, " to ", r->remote_mta);
	add_text(out, ", tries until ", r->will_retry_until);
	strbuf_addch(out, '\n');
}

/* Does the answer itself tell what became of the message at that host? */
static bool is_contained(const struct track_report *report, const char *mta)
{
	for (size_t i = 0; i < report->n; i++) {
		const char *by = report->v[i].reporting_mta;

		if (by && strcasecmp(by, mta) == 0)
			return true;
	}
	return false;
}

static void judge(struct tracker *t, const struct track_report *report,
		  const struct track_recipient *r, struct strvec *next)
{
	switch (r->action) {
	case TRACK_FAILED:
		t->failed = true;
		return;
	case TRACK_DELIVERED:
	case TRACK_EXPANDED:
	case TRACK_RELAYED:
		return;
	case TRACK_TRANSFERRED:
		if (r->remote_mta && is_contained(report, r->remote_mta))
			return;
		if (r->remote_mta && t->asked.n + next->n < HOPS_MAX &&
		    !strvec_has(&t->asked, r->remote_mta)) {
			if (!strvec_has(next, r->remote_mta))
				strvec_add(next, r->remote_mta);
			return;
		}
		break;
	case TRACK_UNKNOWN:
	case TRACK_DELAYED:
	case TRACK_OPAQUE:
		break;
	}
	t->delayed = true;
}

static int visit(struct tracker *t, const char *host, unsigned port, struct strvec *next,
		 struct error *err)
{
	struct strbuf answer = STRBUF_INIT(MTQP_ANSWER_MAX);
	struct track_report report;

	strvec_add(&t->asked, host);
	if (ask(t, host, port, &answer, err) < 0) {
		strbuf_release(&answer);
		return error_prefix(err, "%s", host);
	}
	track_report_read(t->arena, answer.buf, answer.len, &report);
	strbuf_release(&answer);
	for (size_t i = 0; i < report.n; i++) {
		add_recipient(t, &report.v[i], host);
		judge(t, &report, &report.v[i], next);
	}
	if (report.n == 0)
		return error_set(err, FAULT_PROTOCOL, "%s: the answer about %s names no "
				 "recipient", host, t->query->envid);
	return 0;
}

/* The message went on: those who have it are asked, as far as they can be. */
static void follow(struct tracker *t, struct strvec *next)
{
	struct error err;

	for (size_t i = 0; i < next->n; i++) {
		const char *host = arena_strdup(t->arena, next->v[i]);

		if (visit(t, host, 0, next, &err) == 0)
			continue;
		strbuf_addf(t->out, "%s: %s\n", t->query->envid, err.text);
		t->delayed = true;
	}
}

int track_query(const struct account *a, const struct attempt_options *opt,
		const struct track_query *query, struct strbuf *out, struct error *err)
{
	struct tracker t = { .account = a, .opt = opt, .query = query, .out = out,
			     .arena = arena_new(), .asked = STRVEC_INIT(HOPS_MAX),
			     .whole = deadline_in(a->timeouts.total, "the tracking servers") };
	struct strvec next = STRVEC_INIT(HOPS_MAX);

	t.whole.whole = true;
	int rc = visit(&t, query->server, query->port, &next, err);

	if (rc == 0)
		follow(&t, &next);
	if (rc == 0 && t.failed)
		rc = error_set(err, FAULT_DELIVERY_FAILED, "%s has failed for some recipients",
			       query->envid);
	else if (rc == 0 && t.delayed)
		rc = error_set(err, FAULT_ON_ITS_WAY, "%s is still on its way",
			       query->envid);
	strvec_release(&next);
	strvec_release(&t.asked);
	arena_free(t.arena);
	return rc;
}
