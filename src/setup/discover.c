#include "config.h"
#include "setup/discover.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/account.h"
#include "dns/dns.h"
#include "message/address.h"
#include "net/https.h"
#include "net/proxyurl.h"
#include "net/resolve.h"
#include "secrets/credentials.h"
#include "smtp/auth/mechanism.h"
#include "smtp/session.h"
#include "submit/attempt.h"
#include "submit/connect.h"
#include "submit/server_list.h"
#include "util/arena.h"
#include "util/attr.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"
#include "util/xalloc.h"
#include "util/xml.h"

#define FOUND_MAX 32

struct discovery {
	const struct discover_request *req;
	struct arena *arena;
	const char *domain;		/* of the address, ASCII */
	struct found_server found[FOUND_MAX];	/* by the source that is being asked */
	size_t n;
	struct strvec mx;		/* hosts that receive the domain's mail, best first */
	bool temporary;			/* something failed that may work later */
	struct error end;		/* what ends the search; exit 0 = nothing */
};

/* A server that answers at all does so soon; there may be many to try. */
enum { CONNECT_MAX = 10, REPLY_MAX = 15, WHOLE_MAX = 30 };

/* --- telling ---------------------------------------------------------------------- */

/* One line for the user; a failure of that kind is remembered. */
ATTR_PRINTF(2, 3)
static void tell(struct discovery *d, const char *fmt, ...)
{
	struct strbuf raw = STRBUF_INIT(4096), line = STRBUF_INIT(16384);
	va_list ap;

	if (!d->req->note)
		return;
	va_start(ap, fmt);
	strbuf_vaddf(&raw, fmt, ap);
	va_end(ap);
	text_escape_add(&line, raw.buf, raw.len);
	d->req->note(d->req->note_ctx, line.buf);
	strbuf_release(&raw);
	strbuf_release(&line);
}

static void tell_failure(struct discovery *d, const char *what, const struct error *err)
{
	d->temporary = d->temporary || err->exit == EX_TEMPFAIL;
	tell(d, "%s: %s", what, err->text);
}

/* Adds a server, as far as there is room. */
static void add_server(struct discovery *d, const struct found_server *s)
{
	if (d->n < FOUND_MAX)
		d->found[d->n++] = *s;
}

/* --- what the DNS says -------------------------------------------------------------- */

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

/* host: NULL = that of the row. */
static void add_provider(struct discovery *d, const struct provider *p, const char *host,
			 const char *source)
{
	d->n = provider_ways(p, d->arena, &d->req->who, host, source, d->found);
}

static void find_known(struct discovery *d)
{
	const struct provider *p = provider_find(PROVIDER_DOMAIN, d->domain);

	if (!p)
		return;
	tell(d, "%s is a domain of %s: the server is known, nobody was asked", d->domain,
	     p->name);
	add_provider(d, p, NULL, arena_printf(d->arena, "the table of providers (%s)", p->name));
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
				    !provider_find(PROVIDER_HOST, target.host),
		};

		add_server(d, &s);
	}
	return rc;
}

static void find_srv(struct discovery *d)
{
	struct error failure;
	const enum srv_live live = d->req->base->net.srv_live;

	if (!may_ask(d)) {
		tell(d, "SRV records of %s: not asked for, the proxy looks names up",
		     d->domain);
		return;
	}
	/* a server elsewhere is an error there; here it is one to be confirmed */
	int rc = take_srv(d, live, &failure);

	if (rc < 0 && failure.exit == EX_CONFIG && live != SRV_LIVE_ANY)
		rc = take_srv(d, SRV_LIVE_ANY, &failure);
	if (d->n)
		tell(d, "SRV records of %s: %s:%u%s", d->domain, d->found[0].host,
		     d->found[0].port, d->n > 1 ? " and more" : "");
	else if (rc < 0 && failure.exit == EX_UNAVAILABLE)
		d->end = failure;
	else if (rc < 0 && failure.exit != EX_NOHOST)
		tell_failure(d, "SRV records", &failure);
	else
		tell(d, "SRV records of %s: none", d->domain);
}

/* --- MX --------------------------------------------------------------------------- */

/* Fills d->mx, best first. */
static void ask_mx(struct discovery *d)
{
	const struct deadline limit = deadline_in(DNS_SECONDS, "MX records (DNS)");
	struct dns_answer answer;
	struct error err;

	if (!may_ask(d))
		return;
	if (dns_ask(d->req->base->net.resolver, d->domain, DNS_MX, &limit, &answer, &err) < 0) {
		tell_failure(d, "MX records", &err);
		return;
	}
	for (unsigned priority = 0; priority <= UINT16_MAX; priority++) {
		for (size_t i = 0; i < answer.n; i++) {
			if (answer.v[i].priority == priority && *answer.v[i].target)
				strvec_add(&d->mx, answer.v[i].target);
		}
	}
	dns_answer_release(&answer);
}

static void find_by_mx(struct discovery *d)
{
	const struct provider *p = NULL;

	ask_mx(d);
	for (size_t i = 0; i < d->mx.n && !p; i++)
		p = provider_find(PROVIDER_MX, d->mx.v[i]);
	if (p) {
		tell(d, "MX records of %s: its mail goes to %s", d->domain, p->name);
		add_provider(d, p, NULL, arena_printf(d->arena, "the MX records of %s (%s)",
						      d->domain, p->name));
	} else {
		tell(d, "MX records of %s: %s", d->domain,
		     d->mx.n ? "no provider that is known" : "none");
	}
}

/* --- guessing --------------------------------------------------------------------- */

/* A host at the two usual ports. */
static void add_host(struct discovery *d, const char *host, const char *source, bool unproven)
{
	struct found_server s = {
		.host = host, .port = 465, .mode = TLS_IMPLICIT, .source = source,
		.unproven = unproven,
	};

	add_server(d, &s);
	s.port = 587;
	s.mode = TLS_STARTTLS;
	add_server(d, &s);
}

static void add_guess(struct discovery *d, const char *host)
{
	add_host(d, host, "trying usual names", !server_inside_domain(host, d->domain) &&
		 d->req->base->net.srv_live != SRV_LIVE_ANY);
}

static void guess(struct discovery *d)
{
	tell(d, "trying usual names:");
	add_guess(d, arena_printf(d->arena, "smtp.%s", d->domain));
	add_guess(d, arena_printf(d->arena, "mail.%s", d->domain));
	add_guess(d, d->domain);
	for (size_t i = 0; i < d->mx.n && i < MX_TRIED; i++)
		add_guess(d, arena_strdup(d->arena, d->mx.v[i]));
}

/* --- what documents say ------------------------------------------------------------- */

#define DOCUMENT_MAX ((size_t)256 * 1024)
#define ISPDB "https://autoconfig.thunderbird.net/v1.1/"

enum { FETCH_SECONDS = 20, REDIRECTS_MAX = 3 };

/* One document on its way. */
struct fetch {
	const struct account *account;
	struct deadline limit;
	struct https_request request;	/* what is the same for all hops */
	char *url;
	char trust_path[32];		/* of trust, when its text is in the setting */
	int trust;
};

/* --- trust ------------------------------------------------------------------------ */

/*
 * The certificates of a setting have blanks or "\n" where their lines end;
 * what reads the file may want ends of lines.
 */
static void restore_lines(const char *s, struct strbuf *out)
{
	bool marker = false;	/* between "-----BEGIN" and the dashes behind it */

	while (*s) {
		if (strncmp(s, "-----", 5) == 0) {
			marker = !marker;
			strbuf_addstr(out, "-----");
			strbuf_addstr(out, marker ? "" : "\n");
			s += 5;
		} else if (strncmp(s, "\\n", 2) == 0 || (*s == ' ' && !marker)) {
			strbuf_addch(out, '\n');
			s += *s == ' ' ? 1 : 2;
		} else {
			strbuf_addch(out, *s++);
		}
	}
}

/* libcurl wants a path; a setting may hold the certificates themselves. */
static int prepare_trust(struct fetch *f, struct error *err)
{
	const char *file = f->account->tls.trust_file;
	struct https_request *r = &f->request;

	r->trust_dir = f->account->tls.trust_dir;
	if (!file || strcmp(file, "system") == 0) {
		if (!r->trust_dir && access(SYSTEM_TRUST_BUNDLE, R_OK) == 0)
			r->trust_file = SYSTEM_TRUST_BUNDLE;
		return 0;
	}
	r->trust_file = file;
	if (strncmp(file, "-----BEGIN", 10) != 0)
		return 0;
	struct strbuf text = STRBUF_INIT(1 << 20);
	int rc = fs_temp_file(&f->trust, err);

	restore_lines(file, &text);
	if (rc == 0 && fs_write_all(f->trust, text.buf, text.len) < 0)
		rc = error_errno(err, FAULT_IO, "cannot write the certificates");
	strbuf_release(&text);
	(void)snprintf(f->trust_path, sizeof(f->trust_path), "/dev/fd/%d", f->trust);
	r->trust_file = f->trust_path;
	return rc;
}

/* --- one request ------------------------------------------------------------------ */

/* By the account's own resolver, where it has one; otherwise libcurl asks. */
static int find_addresses(const struct fetch *f, const char *host, unsigned port,
			  const struct proxy_url *proxy, struct host_addresses *out,
			  struct error *err)
{
	const struct account *a = f->account;

	if (!a->net.resolver || (proxy && proxyurl_resolves(proxy->type)))
		return 0;
	return dns_resolve(a->net.resolver, host, port, f->request.family, &f->limit, out, err);
}

/* 1 and the proxy with its password, 0 if there is none. */
static int find_proxy(const struct account *a, const char *host, unsigned port,
		      struct proxy_url *out, struct error *err)
{
	int found = connect_find_proxy(a, host, port, out, err);

	if (found <= 0 || !out->user || secret_is_set(&out->password) || !a->proxy_host ||
	    credentials_proxy_password(a, &out->password, err) == 0)
		return found;
	proxyurl_release(out);
	return -1;
}

static int get(struct fetch *f, struct https_reply *reply, struct strbuf *body, struct error *err)
{
	struct https_request r = f->request;
	struct host_addresses addresses = { .n = 0 };
	struct proxy_url proxy;
	unsigned port = 0;
	char *host = https_host(f->url, &port);
	int found, rc;

	if (!host)
		return error_set(err, FAULT_DOCUMENT, "leads to something that is not https");
	found = find_proxy(f->account, host, port, &proxy, err);
	r.url = f->url;
	r.proxy = found > 0 ? &proxy : NULL;
	rc = found < 0 ? -1 : find_addresses(f, host, port, r.proxy, &addresses, err);
	if (rc == 0 && addresses.n)
		r.addresses = &addresses;
	if (rc == 0)
		rc = https_get(&r, &f->limit, reply, body, err);
	if (found > 0)
		proxyurl_release(&proxy);
	host_addresses_release(&addresses);
	xfree(host);
	return rc;
}

/* Follows redirects to https, and to nothing else. */
static int follow(struct fetch *f, struct strbuf *body, struct error *err)
{
	for (int hop = 0; hop <= REDIRECTS_MAX; hop++) {
		struct https_reply reply = { .status = 0 };

		strbuf_reset(body);
		if (get(f, &reply, body, err) < 0)
			return -1;
		if (!reply.redirect && reply.status == 200)
			return 0;
		if (!reply.redirect)
			return error_set(err, FAULT_NO_HOST, "none there (status %u)",
					 reply.status);
		xfree(f->url);
		f->url = reply.redirect;
	}
	return error_set(err, FAULT_DOCUMENT, "more than %d redirects", REDIRECTS_MAX);
}

static int fetch(struct discovery *d, const char *url, struct strbuf *body, struct error *err)
{
	const struct account *a = d->req->base;
	struct fetch f = {
		.account = a, .url = xstrdup(url), .trust = -1,
		.limit = deadline_in(FETCH_SECONDS, "an answer by HTTPS"),
		.request.family = a->address_family == FAMILY_IPV4 ? AF_INET :
			a->address_family == FAMILY_IPV6 ? AF_INET6 : AF_UNSPEC,
	};
	int rc = prepare_trust(&f, err);

	if (rc == 0)
		rc = follow(&f, body, err);
	if (f.trust >= 0)
		close(f.trust);
	xfree(f.url);
	return rc;
}

/* --- a document ------------------------------------------------------------------- */

static void ask_url(struct discovery *d, const char *url)
{
	struct strbuf body = STRBUF_INIT(DOCUMENT_MAX), passed_over = STRBUF_INIT(2048);
	struct error err;

	if (fetch(d, url, &body, &err) < 0 ||
	    autoconfig_read(body.buf, body.len, d->arena, &d->req->who, url, d->found, &d->n,
			    &passed_over, &err) < 0)
		tell_failure(d, url, &err);
	else
		tell(d, "%s: %zu server%s%s%s", url, d->n, d->n == 1 ? "" : "s",
		     passed_over.len ? "; passed over " : "", passed_over.buf);
	strbuf_release(&body);
	strbuf_release(&passed_over);
}

/* Are the libraries there? Said once, when the first document is wanted. */
static bool can_ask(struct discovery *d)
{
	struct error err;

	if (https_load(&err) == 0 && xml_load(&err) == 0)
		return true;
	tell(d, "autoconfig documents: not asked for: %s", err.text);
	return false;
}

/* The address as a value in a URL: all but letters, digits and "-._~" as %XX (RFC 3986). */
static const char *as_parameter(struct arena *a, const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~";
	struct strbuf out = STRBUF_INIT(4096);

	for (; *text; text++) {
		if (strchr(plain, *text))
			strbuf_addch(&out, *text);
		else
			strbuf_addf(&out, "%%%02X", (unsigned)(unsigned char)*text);
	}
	return arena_take(a, &out);
}

static void find_own_documents(struct discovery *d)
{
	if (!can_ask(d))
		return;
	ask_url(d, arena_printf(d->arena,
				"https://autoconfig.%s/mail/config-v1.1.xml?emailaddress=%s",
				d->domain, as_parameter(d->arena, d->req->who.address)));
	if (d->n == 0)
		ask_url(d, arena_printf(d->arena,
					"https://%s/.well-known/autoconfig/mail/config-v1.1.xml",
					d->domain));
}

static void find_ispdb(struct discovery *d)
{
	struct error ignored;

	if (d->req->no_ispdb)
		tell(d, "ISP database of thunderbird.net: not asked, as you wish");
	else if (https_load(&ignored) == 0 && xml_load(&ignored) == 0)
		ask_url(d, arena_printf(d->arena, ISPDB "%s", d->domain));
}

/* --- trying ----------------------------------------------------------------------- */

/* What a server shows before sign-in. */
struct view {
	enum found_auth auth;
	bool encrypted, usable;
	struct strbuf mechanisms;
};

static void look(void *ctx, const struct session *s)
{
	struct view *v = ctx;

	v->encrypted = s->encrypted;
	for (size_t i = 0; i < s->mechanisms.n; i++) {
		const char *name = s->mechanisms.v[i];
		const bool oauth = strcasecmp(name, "XOAUTH2") == 0 ||
				   strcasecmp(name, "OAUTHBEARER") == 0;

		if (!mechanism_find(name))
			continue;
		strbuf_addf(&v->mechanisms, "%s%s", v->mechanisms.len ? ", " : "", name);
		v->usable = v->usable || oauth == (v->auth == FOUND_AUTH_OAUTH2);
	}
}

static unsigned at_most(unsigned seconds, unsigned limit)
{
	return seconds && seconds < limit ? seconds : limit;
}

static struct account account_for(const struct account *base, const struct found_server *s)
{
	struct account a = *base;

	a.host = s->host;
	a.port = s->port;
	a.servers = NULL;
	a.server_n = 0;
	a.net.mx = false;
	a.tls.mode = s->mode;
	a.timeouts.connect = at_most(a.timeouts.connect, CONNECT_MAX);
	a.timeouts.greeting = at_most(a.timeouts.greeting, REPLY_MAX);
	a.timeouts.helo = at_most(a.timeouts.helo, REPLY_MAX);
	a.timeouts.starttls = at_most(a.timeouts.starttls, REPLY_MAX);
	a.timeouts.total = at_most(a.timeouts.total, WHOLE_MAX);
	return a;
}

static const char *why_not(const struct view *v, const struct found_server *s)
{
	if (!v->encrypted && s->mode != TLS_OFF && s->mode != TLS_MAY)
		return "no TLS";
	if (!v->usable && v->mechanisms.len && s->auth == FOUND_AUTH_PASSWORD)
		return "takes no password";
	return v->usable ? NULL : "offers no way to sign in";
}

static bool try_server(struct discovery *d, const struct found_server *s, struct error *err)
{
	const struct account a = account_for(d->req->base, s);
	struct view v = { .auth = s->auth, .mechanisms = STRBUF_INIT(1024) };
	int rc = submit_info(&a, d->req->opt, look, &v, err);
	const char *why = rc == 0 ? why_not(&v, s) : NULL;
	const char *name = arena_printf(d->arena, "  %s:%u", s->host, s->port);

	if (rc < 0)
		tell_failure(d, name, err);
	else if (why)
		tell(d, "%s: %s", name, why);
	else
		tell(d, "%s: %s, signs in by %s", name, v.encrypted ? "TLS verified" : "no TLS",
		     v.mechanisms.buf);
	strbuf_release(&v.mechanisms);
	return rc == 0 && !why;
}

/* --- choosing --------------------------------------------------------------------- */

/* What the user has decided himself goes into every server that was found. */
static void apply_decisions(const struct discovery *d, struct found_server *s)
{
	const struct account *base = d->req->base;

	if (base->port)
		s->port = base->port;
	if (base->tls.mode != TLS_AUTO)
		s->mode = base->tls.mode;
	if (base->auth.user)
		s->user = base->auth.user;
	else if (!s->user)
		s->user = d->req->who.address;
	const struct provider *p = s->hint ? NULL : provider_find(PROVIDER_HOST, s->host);

	if (p)
		s->hint = p->hint;
}

/* TLS as the user has decided is not tried at the port of the other kind. */
static bool is_other_kind(const struct discovery *d, const struct found_server *s)
{
	const struct account *base = d->req->base;

	return !base->port && s->mode != base->tls.mode &&
	       (base->tls.mode == TLS_IMPLICIT || base->tls.mode == TLS_STARTTLS);
}

static bool tried_before(const struct discovery *d, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (d->found[k].port == d->found[i].port && d->found[k].mode == d->found[i].mode &&
		    strcasecmp(d->found[k].host, d->found[i].host) == 0)
			return true;
	}
	return false;
}

/* The first of the source that is as it should be. */
static bool choose(struct discovery *d, bool check, struct found_server *out)
{
	const char *missing = NULL;	/* a name that does not exist */

	for (size_t i = 0; i < d->n; i++) {
		struct found_server *s = &d->found[i];
		struct error err = { .exit = 0 };
		const bool other = is_other_kind(d, s);

		apply_decisions(d, s);
		if (other || tried_before(d, i) || (missing && strcasecmp(missing, s->host) == 0))
			continue;
		if (!check || try_server(d, s, &err)) {
			*out = *s;
			return true;
		}
		if (err.exit == EX_NOHOST)
			missing = s->host;
	}
	return false;
}

/* --- the sources in their order --------------------------------------------------- */

/* The server is given; its ports may be known, else they are tried. */
static void find_given(struct discovery *d)
{
	static const char source[] = "your option --host";
	const struct account *base = d->req->base;
	const struct provider *p = provider_find(PROVIDER_HOST, base->host);

	if (p)
		add_provider(d, p, base->host, source);
	if (d->n)
		return;
	add_host(d, base->host, source, false);
	if (base->port && base->tls.mode == TLS_AUTO && base->port != 465)
		d->found[0].mode = TLS_STARTTLS;
}

/* Each fills d->found, and tells what it asked and heard. */
static const struct {
	void (*find)(struct discovery *d);
	bool check_always;	/* it only guesses */
} sources[] = {
	{ find_known, false }, { find_srv, false }, { find_own_documents, false },
	{ find_ispdb, false }, { find_by_mx, false }, { guess, true },
};

static int nothing_found(const struct discovery *d, struct error *err)
{
	const char *name = d->req->host_given ? d->req->base->host : d->domain;

	if (d->temporary)
		return error_set(err, FAULT_CONNECT, "no server of %s could be used: see "
				 "above; try again, or name one with --host=NAME", name);
	return error_set(err, FAULT_NO_HOST, "no mail submission server found for %s: name "
			 "one with --host=NAME, and --port and --tls where they are unusual",
			 name);
}

static int search(struct discovery *d, struct found_server *out, struct error *err)
{
	if (d->req->host_given) {
		find_given(d);
		return choose(d, !d->req->no_check, out) ? 0 : nothing_found(d, err);
	}
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		d->n = 0;
		sources[i].find(d);
		if (d->end.exit) {
			*err = d->end;
			return -1;
		}
		if (choose(d, sources[i].check_always || !d->req->no_check, out))
			return 0;
	}
	return nothing_found(d, err);
}

int discover(const struct discover_request *r, struct arena *a, struct found_server *out,
	     struct error *err)
{
	struct discovery d = { .req = r, .arena = a, .mx = STRVEC_INIT(16) };

	if (!r->who.domain || *r->who.domain == '[')
		return error_set(err, FAULT_USAGE, "'%s' has no domain name: give a whole "
				 "mail address", r->who.address);
	if (idna_to_ascii(a, r->who.domain, &d.domain, err) < 0)
		return -1;
	if (!address_domain_valid(d.domain))
		return error_set(err, FAULT_USAGE, "'%s' is no domain name", d.domain);
	int rc = search(&d, out, err);

	strvec_release(&d.mx);
	return rc;
}
