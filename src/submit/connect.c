#include "config.h"
#include "submit/connect.h"

#include <string.h>
#include <sys/socket.h>

#include "conf/account.h"
#include "dns/dns.h"
#include "message/address.h"
#include "net/pipe.h"
#include "net/proxy.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "net/stream.h"
#include "secrets/credentials.h"
#include "submit/server_list.h"
#include "submit/service.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

/* --- the lowest stream ------------------------------------------------------------ */

static int only_family(const struct account *a)
{
	return a->address_family == FAMILY_IPV4 ? AF_INET :
		a->address_family == FAMILY_IPV6 ? AF_INET6 : AF_UNSPEC;
}

static int preferred_family(const struct account *a)
{
	return a->address_family == FAMILY_PREFER_IPV4 ? AF_INET :
		a->address_family == FAMILY_PREFER_IPV6 ? AF_INET6 : 0;
}

static struct stream *limit_rate(const struct account *a, struct stream *s)
{
	return a->net.max_rate ? rate_new_take(s, a->net.max_rate) : s;
}

static int open_socket(const struct connect_request *r, const char *host, unsigned port,
		       const char *path, struct host_addresses *addresses, struct stream **out,
		       struct error *err)
{
	const struct account *a = r->account;
	const struct socket_target target = {
		.host = host, .port = port, .path = path, .options = &a->net.tcp,
		.family = only_family(a), .prefer = preferred_family(a),
		.timeout = a->timeouts.connect, .race_ms = a->net.happy_eyeballs,
		.resolve = a->net.resolver ? dns_resolve : NULL, .resolver = a->net.resolver,
		.addresses = addresses,
	};

	if (socket_connect(&target, r->whole, out, err) < 0)
		return -1;
	*out = limit_rate(a, *out);
	return 0;
}

/* --- a command ---------------------------------------------------------------------- */

/* %h and %p in a word are host and port of the server, %% is a percent sign. */
static const char *fill_in(struct arena *a, const char *word, const struct server *t)
{
	struct strbuf out = STRBUF_INIT(1 << 16);

	for (const char *p = word; *p; p++) {
		if (p[0] == '%' && p[1] == 'h')
			strbuf_addstr(&out, t->host);
		else if (p[0] == '%' && p[1] == 'p')
			strbuf_addf(&out, "%u", t->port);
		else
			strbuf_addch(&out, *p);
		if (p[0] == '%' && p[1] && strchr("hp%", p[1]))
			p++;
	}
	return arena_take(a, &out);
}

static int open_command(const struct connect_request *r, struct stream **out, struct error *err)
{
	const char *const *words = r->account->net.tunnel;
	struct arena *arena = arena_new();
	size_t n = 0;

	while (words[n])
		n++;
	const char **argv = arena_calloc(arena, n + 1, sizeof(*argv));

	for (size_t i = 0; i < n; i++)
		argv[i] = fill_in(arena, words[i], r->target);
	int rc = pipe_stream_open(argv, out, err);

	arena_free(arena);
	if (rc == 0)
		*out = limit_rate(r->account, *out);
	return rc;
}

/* --- which proxy -------------------------------------------------------------------- */

static bool excepted(const struct account *a, const char *host, unsigned port)
{
	for (const char *const *e = a->proxy.no_proxy; e && *e; e++) {
		if (proxyurl_excepted(*e, host, port))
			return true;
	}
	return false;
}

int connect_find_proxy(const struct account *a, const char *host, unsigned port,
		       struct proxy_url *out, struct error *err)
{
	const char *url;

	if (a->socket || a->net.tunnel || excepted(a, host, port))
		return 0;
	if (a->proxy_host) {
		*out = (struct proxy_url){
			.type = a->proxy.type, .host = xstrdup(a->proxy_host),
			.port = a->proxy_port,
			.user = a->proxy.user ? xstrdup(a->proxy.user) : NULL,
		};
		return 1;
	}
	if (!a->proxy.from_env || (url = proxyurl_environment(host, port)) == NULL)
		return 0;
	if (proxyurl_parse(url, PROXY_HTTP, out, err) < 0)
		return error_prefix(err, "proxy of the environment");
	return 1;
}

/* The password of the account's keys, but where the URL came with one. */
static int find_password(const struct account *a, struct proxy_url *p, struct error *err)
{
	if (!p->user || secret_is_set(&p->password) || !a->proxy_host)
		return 0;
	return credentials_proxy_password(a, &p->password, err);
}

/* --- through a proxy ------------------------------------------------------------------- */

static int start_tls(const struct connect_request *r, const struct proxy_url *p,
		     struct stream **s, const struct deadline *d, struct error *err)
{
	const struct tls_settings *t = &r->account->tls;
	const struct tls_client client = {
		.host = p->host, .verify = true, .trust_file = t->trust_file,
		.crl_file = t->crl_file, .priorities = t->priorities, .port = p->port,
	};
	struct stream *top = NULL;

	if (tls_connect(*s, &client, d, &top, err) < 0) {
		err->named = false;
		return -1;
	}
	*s = top;
	return 0;
}

static int look_up(const struct connect_request *r, int family, const struct deadline *d,
		   struct error *err)
{
	const struct account *a = r->account;
	const struct server *t = r->target;
	struct host_addresses *list = r->addresses;
	int rc = a->net.resolver ?
		dns_resolve(a->net.resolver, t->host, t->port, family, d, list, err) :
		resolve_host(t->host, t->port, family, d, list, err);

	if (rc == 0 && preferred_family(a))
		host_addresses_prefer(list, preferred_family(a));
	return rc;
}

static int proxy_family(const struct account *a, const struct proxy_url *p)
{
	return p->type == PROXY_SOCKS4 ? AF_INET : only_family(a);
}

/* The server's address where it is looked up here; one more, when one has failed. */
static int find_address(const struct connect_request *r, const struct proxy_url *p,
			const struct deadline *d, struct error *err)
{
	if (proxyurl_resolves(p->type) || r->addresses->n)
		return 0;
	return look_up(r, proxy_family(r->account, p), d, err);
}

static int speak(const struct connect_request *r, const struct proxy_url *p, struct stream *s,
		 const struct deadline *d, struct error *err)
{
	/* not for another's proxy, of the environment */
	const char *data = r->account->proxy_host ? r->account->proxy.data : NULL;
	const bool version4 = p->type == PROXY_SOCKS4 || p->type == PROXY_SOCKS4A;
	const bool version5 = p->type == PROXY_SOCKS5 || p->type == PROXY_SOCKS5H;
	const struct proxy_request request = {
		.host = r->target->host, .port = r->target->port,
		.user = version4 && data ? data : p->user,
		.password = &p->password, .field = data,
		.address = proxyurl_resolves(p->type) ? NULL : r->addresses->v,
	};

	if (version5 && data)
		return error_set(err, FAULT_CONFIG, "a SOCKS5 proxy takes no proxy_data");
	return proxy_connect(p->type, s, &request, d, err);
}

static int open_proxied(const struct connect_request *r, const struct proxy_url *p,
			struct stream **out, struct error *err)
{
	struct deadline d = deadline_first(
		deadline_in(r->account->timeouts.connect, "the proxy"), *r->whole);
	struct arena *arena = arena_new();
	const char *host = p->host;
	int rc = find_address(r, p, &d, err);

	if (rc == 0)
		rc = idna_to_ascii(arena, p->host, &host, err);
	if (rc == 0 && (rc = open_socket(r, host, p->port, NULL, NULL, out, err)) < 0) {
		error_prefix(err, "proxy");
		err->named = false;	/* it is the proxy that is */
	}
	arena_free(arena);
	if (rc < 0)
		return -1;
	/* the dialogue has as long as the connection had */
	d = deadline_first(deadline_in(r->account->timeouts.connect, "the proxy"), *r->whole);
	if ((p->type != PROXY_HTTPS || start_tls(r, p, out, &d, err) == 0) &&
	    speak(r, p, *out, &d, err) == 0)
		return 0;
	stream_free(*out);
	*out = NULL;
	return error_prefix(err, "proxy %s:%u", p->host, p->port);
}

int connect_stream(const struct connect_request *r, struct stream **out, struct error *err)
{
	const struct account *a = r->account;
	const struct server *t = r->target;
	struct proxy_url proxy;

	if (t->path && open_socket(r, NULL, 0, t->path, NULL, out, err) < 0)
		return a->via == VIA_SERVICE ? service_explain(t->path, err) : -1;
	if (t->path)
		return 0;
	if (a->net.tunnel)
		return open_command(r, out, err);
	int found = connect_find_proxy(a, t->host, t->port, &proxy, err);

	if (found < 0)
		return -1;
	if (!found)
		return open_socket(r, t->host, t->port, NULL, r->addresses, out, err);
	int rc = find_password(a, &proxy, err);

	if (rc == 0)
		rc = open_proxied(r, &proxy, out, err);
	proxyurl_release(&proxy);
	return rc;
}

int connect_addresses(const struct connect_request *r, bool *proxied_out, struct error *err)
{
	const struct account *a = r->account;
	const struct server *t = r->target;
	struct deadline d = deadline_first(deadline_in(a->timeouts.connect, "the connection"),
					   *r->whole);
	struct proxy_url proxy = { .host = NULL };

	*proxied_out = false;
	if (t->path || a->net.tunnel)
		return 0;
	int found = connect_find_proxy(a, t->host, t->port, &proxy, err);

	if (found < 0)
		return -1;
	const bool here = !found || !proxyurl_resolves(proxy.type);
	int family = found ? proxy_family(a, &proxy) : only_family(a);

	*proxied_out = found;
	if (found)
		proxyurl_release(&proxy);
	if (!here)
		return 0;
	return look_up(r, family, &d, err) < 0 ? -1 : 1;
}
