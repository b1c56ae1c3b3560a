#include "config.h"
#include "submit/server_list.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "conf/accounts.h"
#include "dns/dns.h"
#include "message/address.h"
#include "message/ident.h"
#include "submit/connect.h"
#include "util/arena.h"
#include "util/error.h"

enum { MX_PORT = 25, MX_WEIGHT = 100 };

/* One record while the order is made. */
struct choice {
	unsigned service;	/* position in services[]: better before worse */
	const struct dns_record *record;
	unsigned weight;
	bool taken;
};

/* RFC 8314, section 5.1: TLS from the first octet goes before STARTTLS. */
static const struct {
	const char *name;
	enum tls_mode mode;
} services[] = {
	{ "_submissions._tcp", TLS_IMPLICIT },
	{ "_submission._tcp", TLS_STARTTLS },
};

#define SERVICES ARRAY_LEN(services)

/* --- order ----------------------------------------------------------------------- */

static uint32_t random_below(uint32_t n)
{
	uint32_t value = 0;

	if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		value = 0;
	return value % n;
}

static bool better(const struct choice *a, const struct choice *b)
{
	if (a->service != b->service)
		return a->service < b->service;
	return a->record->priority < b->record->priority;
}

static bool equal(const struct choice *a, const struct choice *b)
{
	return !better(a, b) && !better(b, a);
}

/*
 * The next one of those not taken: of the best service and priority, by
 * weight (RFC 2782: those without weight first, then a random sum).
 */
static struct choice *choose(struct choice *c, size_t n)
{
	struct choice *best = NULL, *last = NULL;
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (!c[i].taken && (!best || better(&c[i], best)))
			best = &c[i];
	}
	if (!best)
		return NULL;
	for (size_t i = 0; i < n; i++)
		sum += !c[i].taken && equal(&c[i], best) ? c[i].weight : 0;
	uint32_t pick = random_below(sum + 1), run = 0;

	for (int weighted = 0; weighted < 2; weighted++) {
		for (size_t i = 0; i < n; i++) {
			if (c[i].taken || !equal(&c[i], best) || (c[i].weight != 0) != weighted)
				continue;
			run += c[i].weight;
			last = &c[i];
			if (run >= pick)
				return last;
		}
	}
	return last;
}

/* --- SRV ---------------------------------------------------------------------------- */

bool server_inside_domain(const char *name, const char *domain)
{
	size_t n = strlen(name), d = strlen(domain);

	while (n && name[n - 1] == '.')
		n--;
	while (d && domain[d - 1] == '.')
		d--;
	return d && n >= d && strncasecmp(name + n - d, domain, d) == 0 &&
	       (n == d || name[n - d - 1] == '.');
}

static bool trusted(const struct account *a, const struct dns_answer *answer,
		    const struct dns_record *r, const char *domain)
{
	return server_inside_domain(r->target, domain) || a->net.srv_live == SRV_LIVE_ANY ||
	       (a->net.srv_live == SRV_LIVE_DNSSEC && answer->authentic);
}

static bool service_wanted(const struct account *a, size_t i)
{
	switch (a->tls.mode) {
	case TLS_IMPLICIT:
		return services[i].mode == TLS_IMPLICIT;
	case TLS_AUTO:
		return true;
	case TLS_STARTTLS:
	case TLS_MAY:
	case TLS_OFF:
		break;
	}
	return services[i].mode == TLS_STARTTLS;
}

/* What the answers hold, as targets in order. */
static void take_srv(struct server_list *t, const char *domain, const struct dns_answer *answer,
		     struct choice *c, size_t n)
{
	t->found = arena_calloc(t->arena, n, sizeof(*t->found));
	for (struct choice *next; (next = choose(c, n)) != NULL; next->taken = true) {
		const struct account *a = t->account;

		if (!trusted(a, &answer[next->service], next->record, domain))
			continue;
		t->found[t->found_n++] = (struct server){
			.host = arena_strdup(t->arena, next->record->target),
			.port = next->record->port, .domain = domain,
			.mode = services[next->service].mode == TLS_IMPLICIT ? TLS_IMPLICIT :
				a->tls.mode,
		};
	}
}

static int nothing_found(const char *domain, const struct choice *c, size_t n, bool denied,
			 struct error *err)
{
	if (n)
		return error_set(err, FAULT_CONFIG,
				 "DNS names '%s' as the mail server of %s, which is outside of "
				 "that domain: write 'host = %s:%u' if that is right, or see "
				 "srv_live", c[0].record->target, domain, c[0].record->target,
				 c[0].record->port);
	if (denied)
		return error_set(err, FAULT_NO_SUBMISSION,
				 "%s has no mail submission, as its SRV record says", domain);
	return error_set(err, FAULT_NO_SRV,
			 "%s has no SRV record for mail submission: write the name of its server "
			 "in 'host'", domain);
}

static size_t list_choices(const struct dns_answer answer[SERVICES], struct choice *c,
			   bool *denied_out)
{
	size_t n = 0;

	for (unsigned i = 0; i < SERVICES; i++) {
		for (size_t k = 0; k < answer[i].n; k++) {
			const struct dns_record *r = &answer[i].v[k];

			if (*r->target)
				c[n++] = (struct choice){ .service = i, .record = r,
							  .weight = r->weight };
			else
				*denied_out = true;
		}
	}
	return n;
}

static int find_srv(struct server_list *t, const char *domain, struct error *err)
{
	struct dns_answer answer[SERVICES] = { { .n = 0 } };
	struct deadline d = deadline_in(t->account->timeouts.connect, "SRV records (DNS)");
	struct error failure = { .exit = 0 };
	bool denied = false;
	int rc = 0;

	d = deadline_first(d, *t->whole);
	for (size_t i = 0; i < SERVICES; i++) {
		const char *name = arena_printf(t->arena, "%s.%s", services[i].name, domain);

		if (service_wanted(t->account, i) &&
		    dns_ask(t->account->net.resolver, name, DNS_SRV, &d, &answer[i], err) < 0)
			failure = *err;
	}
	struct choice *c = arena_calloc(t->arena, answer[0].n + answer[1].n + 1, sizeof(*c));
	size_t n = list_choices(answer, c, &denied);

	take_srv(t, domain, answer, c, n);
	if (t->found_n == 0 && n == 0 && failure.exit) {
		*err = failure;
		rc = -1;
	} else if (t->found_n == 0) {
		for (size_t i = 0; i < n; i++)
			c[i].taken = false;
		rc = nothing_found(domain, c, n, denied, err);
	}
	for (size_t i = 0; i < SERVICES; i++)
		dns_answer_release(&answer[i]);
	return rc;
}

/* --- MX ------------------------------------------------------------------------------- */

static int null_mx(const char *domain, struct error *err)
{
	return error_set(err, FAULT_NULL_MX, "%s takes no mail, as its MX record says",
			 domain);
}

/* Our own preference, where we are among the servers: only better ones are of use. */
static unsigned own_preference(struct server_list *t, const struct dns_answer *a)
{
	const char *self = ident_host(t->arena);
	unsigned own = UINT16_MAX + 1;

	for (size_t i = 0; self && i < a->n; i++) {
		if (strcasecmp(a->v[i].target, self) == 0 && a->v[i].priority < own)
			own = a->v[i].priority;
	}
	return own;
}

static int take_mx(struct server_list *t, const char *domain, const struct dns_answer *a,
		   unsigned port, struct error *err)
{
	struct choice *c = arena_calloc(t->arena, a->n + 1, sizeof(*c));
	const unsigned own = own_preference(t, a);
	bool null = false;
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++) {
		null = null || !*a->v[i].target;
		if (*a->v[i].target && a->v[i].priority < own)
			c[n++] = (struct choice){ .record = &a->v[i], .weight = MX_WEIGHT };
	}
	if (n == 0 && null)
		return null_mx(domain, err);
	if (n == 0)
		return error_set(err, FAULT_MX_LOOP,
				 "this host is the mail server of %s itself", domain);
	t->found = arena_calloc(t->arena, n, sizeof(*t->found));
	for (struct choice *next; (next = choose(c, n)) != NULL; next->taken = true)
		t->found[t->found_n++] = (struct server){
			.host = arena_strdup(t->arena, next->record->target), .port = port,
			.mode = t->account->tls.mode,
		};
	return 0;
}

/* Without MX the name itself is the server (RFC 5321, section 5.1). */
static void take_name(struct server_list *t, const char *host, unsigned port)
{
	t->found = arena_calloc(t->arena, 1, sizeof(*t->found));
	t->found[t->found_n++] = (struct server){
		.host = host, .port = port, .mode = t->account->tls.mode,
	};
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]": the address, no DNS; NULL if it is none. */
static const char *literal(struct arena *a, const char *domain)
{
	size_t n = strlen(domain);

	if (n < 3 || domain[0] != '[' || domain[n - 1] != ']')
		return NULL;
	size_t tag = strncasecmp(domain + 1, "IPv6:", 5) == 0 ? 6 : 1;

	return arena_strndup(a, domain + tag, n - tag - 1);
}

static int find_mx(struct server_list *t, const char *domain, struct error *err)
{
	struct deadline d = deadline_in(t->account->timeouts.connect, "MX records (DNS)");
	const unsigned port = t->account->port ? t->account->port : MX_PORT;
	const char *address = literal(t->arena, domain);
	struct dns_answer answer;
	int rc = 0;

	if (address) {
		take_name(t, address, port);
		return 0;
	}
	d = deadline_first(d, *t->whole);
	if (idna_to_ascii(t->arena, domain, &domain, err) < 0 ||
	    dns_ask(t->account->net.resolver, domain, DNS_MX, &d, &answer, err) < 0)
		return -1;
	if (answer.code == DNS_NO_NAME)
		rc = error_set(err, FAULT_NO_HOST, "domain '%s' does not exist", domain);
	else if (answer.n)
		rc = take_mx(t, domain, &answer, port, err);
	else
		take_name(t, arena_strdup(t->arena, answer.canonical), port);
	dns_answer_release(&answer);
	return rc;
}

/* --- one after the other --------------------------------------------------------------- */

/* Names that the proxy is to look up are not asked for here. */
static int check_proxy(const struct server_list *t, const char *domain, struct error *err)
{
	struct proxy_url proxy;
	int found = connect_find_proxy(t->account, domain, account_port(t->account), &proxy, err);

	if (found <= 0)
		return found;
	bool resolves = proxyurl_resolves(proxy.type);

	proxyurl_release(&proxy);
	if (!resolves)
		return 0;
	return error_set(err, FAULT_CONFIG,
			 "the records of %s are not looked up, since the proxy is to look names "
			 "up: write the name of the server in 'host', or use a proxy of type "
			 "socks5", domain);
}

/* The domain that "auto" stands for. */
static const char *sender_domain(const struct server_list *t)
{
	const char *at = t->sender ? strrchr(t->sender, '@') : NULL;

	for (const char *const *f = t->account->from; !at && f && *f; f++) {
		if (!strpbrk(*f, "*?[ <"))
			at = strrchr(*f, '@');
	}
	return at ? at + 1 : NULL;
}

static int expand_srv(struct server_list *t, const struct server_entry *e, struct error *err)
{
	const char *domain = e->host ? e->host : sender_domain(t);

	if (!domain)
		return error_set(err, FAULT_CONFIG,
				 "'host = auto' needs a sender with a domain");
	if (idna_to_ascii(t->arena, domain, &domain, err) < 0 ||
	    check_proxy(t, domain, err) < 0)
		return -1;
	return find_srv(t, domain, err);
}

static int plain_target(const struct server_list *t, const char *host, unsigned port,
			struct server *out, struct error *err)
{
	struct server found = {
		.port = port ? port : account_port(t->account), .path = t->account->socket,
		.mode = t->account->tls.mode,
	};

	if (!t->account->socket && !host)
		return error_set(err, FAULT_NO_SERVER_SET,
				 "account '%s' has no host: with mx it takes recipients' domains "
				 "only", t->account->name);
	if (idna_to_ascii(t->arena, t->account->socket ? "localhost" : host, &found.host, err) < 0)
		return -1;
	*out = found;
	return 1;
}

static size_t entries(const struct server_list *t)
{
	return t->account->socket || t->mx_domain || !t->account->server_n ? 1 :
		t->account->server_n;
}

bool server_list_left(const struct server_list *t)
{
	return t->found_at < t->found_n || t->entry < entries(t);
}

int server_list_next(struct server_list *t, struct server *out, struct error *err)
{
	const struct account *a = t->account;

	while (t->found_at >= t->found_n && t->entry < entries(t)) {
		size_t i = t->entry++;

		t->found_n = t->found_at = 0;
		if (t->mx_domain) {
			if (check_proxy(t, t->mx_domain, err) < 0 ||
			    find_mx(t, t->mx_domain, err) < 0)
				return -1;
		} else if (a->socket || !a->server_n) {
			return plain_target(t, a->host, 0, out, err);
		} else if (!a->servers[i].srv) {
			return plain_target(t, a->servers[i].host, a->servers[i].port, out, err);
		} else if (expand_srv(t, &a->servers[i], err) < 0) {
			return -1;
		}
	}
	if (t->found_at >= t->found_n)
		return 0;
	*out = t->found[t->found_at++];
	return 1;
}
