/*
 * Servers that autoconfig documents name: the domain's own, then Thunderbird's.
 */
#include "config.h"
#include "setup/discover_parts.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/account.h"
#include "dns/dns.h"
#include "net/curl_api.h"
#include "net/https.h"
#include "net/proxyurl.h"
#include "net/resolve.h"
#include "secrets/credentials.h"
#include "setup/autoconfig.h"
#include "submit/connect.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/fs.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/xalloc.h"
#include "util/xml.h"

#define DOCUMENT_MAX ((size_t)256 * 1024)
#define ISPDB "https://autoconfig.thunderbird.net/v1.1/"

enum { FETCH_SECONDS = 20, REDIRECTS_MAX = 3 };

/* One document on its way. */
struct fetch {
	struct discovery *d;
	struct deadline limit;
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

static int write_trust(struct fetch *f, const char *certificates, struct error *err)
{
	struct strbuf text = STRBUF_INIT(1 << 20);
	int rc = 0;

	restore_lines(certificates, &text);
	if (f->trust < 0)
		rc = fs_temp_file(&f->trust, err);
	else if (ftruncate(f->trust, 0) < 0 || lseek(f->trust, 0, SEEK_SET) < 0)
		rc = error_errno(err, FAULT_IO, "cannot write the certificates");
	if (rc == 0 && fs_write_all(f->trust, text.buf, text.len) < 0)
		rc = error_errno(err, FAULT_IO, "cannot write the certificates");
	strbuf_release(&text);
	(void)snprintf(f->trust_path, sizeof(f->trust_path), "/dev/fd/%d", f->trust);
	return rc;
}

/* libcurl wants a path; a setting may hold the certificates themselves. */
static int prepare_trust(struct fetch *f, struct https_request *r, struct error *err)
{
	const char *file = f->d->req->base->tls.trust_file;

	r->trust_dir = f->d->req->base->tls.trust_dir;
	if (!file || strcmp(file, "system") == 0) {
		if (!r->trust_dir && access(SYSTEM_TRUST_BUNDLE, R_OK) == 0)
			r->trust_file = SYSTEM_TRUST_BUNDLE;
		return 0;
	}
	r->trust_file = file;
	if (strncmp(file, "-----BEGIN", 10) != 0)
		return 0;
	r->trust_file = f->trust_path;
	return write_trust(f, file, err);
}

/* --- one request ------------------------------------------------------------------ */

static int family_of(const struct account *a)
{
	return a->address_family == FAMILY_IPV4 ? AF_INET :
		a->address_family == FAMILY_IPV6 ? AF_INET6 : AF_UNSPEC;
}

/* By the account's own resolver, where it has one; otherwise libcurl asks. */
static int find_addresses(const struct fetch *f, const char *host, unsigned port,
			  const struct proxy_url *proxy, struct address_list *out,
			  struct error *err)
{
	const struct account *a = f->d->req->base;

	if (!a->net.resolver || (proxy && proxyurl_resolves(proxy->type)))
		return 0;
	return dns_resolve(a->net.resolver, host, port, family_of(a), &f->limit, out, err);
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
	const struct account *a = f->d->req->base;
	struct https_request r = { .url = f->url, .family = family_of(a) };
	struct address_list addresses = { .n = 0 };
	struct proxy_url proxy;
	unsigned port = 0;
	char *host = https_host(f->url, &port);
	int found, rc;

	if (!host)
		return error_set(err, FAULT_DOCUMENT, "leads to something that is not https");
	found = find_proxy(a, host, port, &proxy, err);
	if (found > 0)
		r.proxy = &proxy;
	rc = found < 0 ? -1 : find_addresses(f, host, port, r.proxy, &addresses, err);
	if (rc == 0 && addresses.n)
		r.addresses = &addresses;
	if (rc == 0 && (rc = prepare_trust(f, &r, err)) == 0)
		rc = https_get(&r, &f->limit, reply, body, err);
	if (found > 0)
		proxyurl_release(&proxy);
	address_list_release(&addresses);
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
	struct fetch f = { .d = d, .url = xstrdup(url), .trust = -1,
			   .limit = deadline_in(FETCH_SECONDS, "an answer by HTTPS") };
	int rc = follow(&f, body, err);

	if (f.trust >= 0)
		close(f.trust);
	xfree(f.url);
	return rc;
}

/* --- a document ------------------------------------------------------------------- */

static void take_document(struct discovery *d, const char *url, const struct strbuf *body)
{
	struct found_server servers[AUTOCONFIG_SERVERS];
	struct strbuf passed_over = STRBUF_INIT(2048);
	struct error err;
	size_t n = 0;

	if (autoconfig_read(body->buf, body->len, d->arena, &d->req->who, url, servers, &n,
			    &passed_over, &err) < 0) {
		discovery_failure(d, url, &err);
	} else {
		for (size_t i = 0; i < n; i++)
			discovery_add(d, &servers[i]);
		discovery_note(d, "%s: %zu server%s%s%s", url, n, n == 1 ? "" : "s",
			       passed_over.len ? "; passed over " : "", passed_over.buf);
	}
	strbuf_release(&passed_over);
}

static void ask_url(struct discovery *d, const char *url)
{
	struct strbuf body = STRBUF_INIT(DOCUMENT_MAX);
	struct error err;

	if (fetch(d, url, &body, &err) < 0)
		discovery_failure(d, url, &err);
	else
		take_document(d, url, &body);
	strbuf_release(&body);
}

/* Are the libraries there? Said once, when the first document is wanted. */
static bool can_ask(struct discovery *d)
{
	struct error err;

	if (curl_api_load(&err) == 0 && xml_load(&err) == 0)
		return true;
	discovery_note(d, "autoconfig documents: not asked for: %s", err.text);
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
	const char *copy = arena_strdup(a, out.buf);

	strbuf_release(&out);
	return copy;
}

int discovery_own_documents(struct discovery *d, struct error *err)
{
	(void)err;
	if (!can_ask(d))
		return 0;
	ask_url(d, arena_printf(d->arena,
				"https://autoconfig.%s/mail/config-v1.1.xml?emailaddress=%s",
				d->domain, as_parameter(d->arena, d->req->who.address)));
	if (d->n == 0)
		ask_url(d, arena_printf(d->arena,
					"https://%s/.well-known/autoconfig/mail/config-v1.1.xml",
					d->domain));
	return 0;
}

int discovery_ispdb(struct discovery *d, struct error *err)
{
	struct error ignored;

	(void)err;
	if (d->req->no_ispdb) {
		discovery_note(d, "ISP database of thunderbird.net: not asked, as you wish");
		return 0;
	}
	if (curl_api_load(&ignored) < 0 || xml_load(&ignored) < 0)
		return 0;
	ask_url(d, arena_printf(d->arena, ISPDB "%s", d->domain));
	return 0;
}
