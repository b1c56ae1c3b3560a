/*
 * Servers that DNS knows: SRV and MX records, usual names; and the table of providers.
 */
#include "config.h"
#include "setup/discover_parts.h"

#include <string.h>

#include "conf/account.h"
#include "dns/dns.h"
#include "net/proxyurl.h"
#include "setup/providers.h"
#include "submit/connect.h"
#include "submit/server_list.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"

enum { DNS_SECONDS = 15, MX_TRIED = 3 };

/* Names that a proxy is to look up are not asked for here. */
static bool may_ask(const struct discovery *d)
{
	const struct account *a = d->req->base;
	struct proxy_url proxy;
	struct error ignored;

	if (connect_find_proxy(a, d->domain, 465, &proxy, &ignored) <= 0)
		return true;
	const bool resolves = proxyurl_resolves(proxy.type);

	proxyurl_release(&proxy);
	return !resolves;
}

/* --- the table -------------------------------------------------------------------- */

static void add_provider(struct discovery *d, const struct provider *p, const char *source)
{
	struct found_server ways[PROVIDER_WAYS];
	size_t n = provider_ways(p, d->arena, &d->req->who, NULL, source, ways);

	for (size_t i = 0; i < n; i++)
		discovery_add(d, &ways[i]);
}

int discovery_known(struct discovery *d, struct error *err)
{
	const struct provider *p = provider_of_domain(d->domain);

	(void)err;
	if (!p)
		return 0;
	discovery_note(d, "%s is a domain of %s: the server is known, nobody was asked",
		       d->domain, p->name);
	add_provider(d, p, arena_printf(d->arena, "the table of providers (%s)", p->name));
	return 0;
}

/* --- SRV -------------------------------------------------------------------------- */

/* Adds what the records say, in their order, as far as live trusts them. */
static int take_srv(struct discovery *d, enum srv_live live, struct error *err)
{
	const struct server_entry entry = { .srv = true, .host = d->domain };
	const struct deadline whole = deadline_in(DNS_SECONDS, "SRV records (DNS)");
	struct account a = *d->req->base;
	struct server_list t = { .account = &a, .arena = d->arena, .whole = &whole };
	const char *source = arena_printf(d->arena, "the SRV records of %s", d->domain);
	struct server target;
	int rc;

	a.servers = &entry;
	a.server_n = 1;
	a.tls.mode = TLS_AUTO;
	a.net.srv_live = live;
	while ((rc = server_list_next(&t, &target, err)) == 1) {
		const struct found_server s = {
			.host = target.host, .port = target.port, .source = source,
			.mode = target.mode == TLS_IMPLICIT ? TLS_IMPLICIT : TLS_STARTTLS,
			.unproven = live != d->req->base->net.srv_live &&
				    !server_inside_domain(target.host, d->domain) &&
				    !provider_of_host(target.host),
		};

		discovery_add(d, &s);
	}
	return rc;
}

int discovery_srv(struct discovery *d, struct error *err)
{
	struct error failure;
	const enum srv_live live = d->req->base->net.srv_live;

	if (!may_ask(d)) {
		discovery_note(d, "SRV records of %s: not asked for, the proxy looks names up",
			       d->domain);
		return 0;
	}
	/* a server elsewhere is an error there; here it is one to be confirmed */
	int rc = take_srv(d, live, &failure);

	if (rc < 0 && failure.exit == EX_CONFIG && live != SRV_LIVE_ANY)
		rc = take_srv(d, SRV_LIVE_ANY, &failure);
	if (d->n) {
		discovery_note(d, "SRV records of %s: %s:%u%s", d->domain, d->found[0].host,
			       d->found[0].port, d->n > 1 ? " and more" : "");
		return 0;
	}
	if (rc < 0 && failure.exit == EX_UNAVAILABLE) {
		*err = failure;
		return -1;
	}
	if (rc < 0 && failure.exit != EX_NOHOST)
		discovery_failure(d, "SRV records", &failure);
	else
		discovery_note(d, "SRV records of %s: none", d->domain);
	return 0;
}

/* --- MX --------------------------------------------------------------------------- */

/* Fills d->mx, best first. */
static void ask_mx(struct discovery *d)
{
	const struct deadline limit = deadline_in(DNS_SECONDS, "MX records (DNS)");
	struct dns_answer answer;
	struct error err;

	d->mx_asked = true;
	if (!may_ask(d))
		return;
	if (dns_ask(d->req->base->net.resolver, d->domain, DNS_MX, &limit, &answer, &err) < 0) {
		discovery_failure(d, "MX records", &err);
		return;
	}
	for (unsigned priority = 0, next; d->mx.n < d->mx.limit; priority = next + 1) {
		next = UINT16_MAX + 1;
		for (size_t i = 0; i < answer.n; i++) {
			if (answer.v[i].priority >= priority && answer.v[i].priority < next)
				next = answer.v[i].priority;
		}
		for (size_t i = 0; i < answer.n; i++) {
			if (answer.v[i].priority == next && *answer.v[i].target)
				strvec_add(&d->mx, answer.v[i].target);
		}
		if (next > UINT16_MAX)
			break;
	}
	dns_answer_release(&answer);
}

int discovery_mx(struct discovery *d, struct error *err)
{
	const struct provider *p = NULL;

	(void)err;
	ask_mx(d);
	for (size_t i = 0; i < d->mx.n && !p; i++)
		p = provider_of_mx(d->mx.v[i]);
	if (p) {
		discovery_note(d, "MX records of %s: its mail goes to %s", d->domain, p->name);
		add_provider(d, p, arena_printf(d->arena, "the MX records of %s (%s)", d->domain,
						p->name));
	} else {
		discovery_note(d, "MX records of %s: %s", d->domain,
			       d->mx.n ? "no provider that is known" : "none");
	}
	return 0;
}

/* --- guessing --------------------------------------------------------------------- */

static void add_guess(struct discovery *d, const char *host)
{
	struct found_server s = {
		.host = host, .port = 465, .mode = TLS_IMPLICIT, .source = "trying usual names",
		.unproven = !server_inside_domain(host, d->domain) &&
			    d->req->base->net.srv_live != SRV_LIVE_ANY,
	};

	discovery_add(d, &s);
	s.port = 587;
	s.mode = TLS_STARTTLS;
	discovery_add(d, &s);
}

int discovery_guess(struct discovery *d, struct error *err)
{
	(void)err;
	discovery_note(d, "trying usual names:");
	add_guess(d, arena_printf(d->arena, "smtp.%s", d->domain));
	add_guess(d, arena_printf(d->arena, "mail.%s", d->domain));
	add_guess(d, d->domain);
	for (size_t i = 0; i < d->mx.n && i < MX_TRIED; i++)
		add_guess(d, arena_strdup(d->arena, d->mx.v[i]));
	return 0;
}
