#include "config.h"
#include "net/proxyurl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/resolve.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/strvec.h"
#include "util/text.h"
#include "util/xalloc.h"

#define PART_MAX 65536
#define ITEMS_MAX 10000

static const struct name_value types[] = {
	{ "socks5h", PROXY_SOCKS5H }, { "socks5", PROXY_SOCKS5 }, { "socks4a", PROXY_SOCKS4A },
	{ "socks4", PROXY_SOCKS4 }, { "http", PROXY_HTTP }, { "https", PROXY_HTTPS },
	{ "socks", PROXY_SOCKS5H }, NAMES_END
};

const char *proxyurl_type_name(enum proxy_type type)
{
	return names_name(types, (int)type);
}

bool proxyurl_resolves(enum proxy_type type)
{
	return type != PROXY_SOCKS5 && type != PROXY_SOCKS4;
}

/* --- the URL -------------------------------------------------------------------- */

/* userinfo = *( unreserved / pct-encoded / sub-delims / ":" ) (RFC 3986, section 3.2.1) */
static int decode(const char *p, size_t n, struct strbuf *out)
{
	for (const char *end = p + n; p < end; p++) {
		char hex[3] = "";

		if (*p != '%') {
			strbuf_addch(out, *p);
			continue;
		}
		if (end - p < 3 || !isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]))
			return -1;
		memcpy(hex, p + 1, 2);
		char c = (char)strtoul(hex, NULL, 16);

		if (c == '\0')
			return -1;
		strbuf_addch(out, c);
		p += 2;
	}
	return strbuf_overflow(out) ? -1 : 0;
}

static int read_login(const char *p, size_t n, struct proxy_url *out)
{
	struct strbuf part = STRBUF_SECRET(PART_MAX);
	const char *colon = memchr(p, ':', n);
	size_t user = colon ? (size_t)(colon - p) : n;
	int rc = decode(p, user, &part);

	if (rc == 0 && part.len) {
		out->user = xstrndup(part.buf, part.len);
		strbuf_reset(&part);
		if (colon)
			rc = decode(colon + 1, n - user - 1, &part);
		if (rc == 0 && part.len)
			secret_set(&out->password, part.buf, part.len);
	} else if (part.len == 0) {
		rc = -1;
	}
	strbuf_release_secret(&part);
	return rc;
}

/* host [":" port], where host may be "[" IPv6 "]" */
static int read_place(const char *p, size_t n, struct proxy_url *out)
{
	const char *end = p + n, *host_end = NULL;

	if (n && *p == '[' && !(host_end = memchr(p++, ']', n)))
		return -1;
	const char *behind = host_end ? host_end + 1 : memchr(p, ':', (size_t)(end - p));

	if (!behind)
		behind = end;
	if (!host_end)
		host_end = behind;
	if (host_end == p)
		return -1;
	out->host = xstrndup(p, (size_t)(host_end - p));
	if (strpbrk(out->host, " \t\r\n@[]") || (behind < end && *behind != ':'))
		return -1;
	if (behind < end) {
		char *text = xstrndup(behind + 1, (size_t)(end - behind - 1)), *rest;
		unsigned long port = strtoul(text, &rest, 10);
		bool good = isdigit((unsigned char)*text) && !*rest && port >= 1 && port <= 65535;

		xfree(text);
		if (!good)
			return -1;
		out->port = (unsigned)port;
	}
	return 0;
}

static unsigned default_port(enum proxy_type type)
{
	return type == PROXY_HTTP || type == PROXY_HTTPS ? 3128 : 1080;
}

static int read_type(const char *text, size_t n, struct proxy_url *out, struct error *err)
{
	char *name = xstrndup(text, n);
	int type = 0, rc = names_find(types, name, &type);

	if (rc < 0)
		error_set(err, FAULT_CONFIG, "proxy of unknown type '%.40s': one of socks5h, "
			  "socks5, socks4a, socks4, http, https is wanted", name);
	out->type = (enum proxy_type)type;
	xfree(name);
	return rc;
}

int proxyurl_parse(const char *text, int bare_type, struct proxy_url *out, struct error *err)
{
	struct proxy_url p = { .type = (enum proxy_type)(bare_type < 0 ? 0 : bare_type) };
	const char *colon = strstr(text, "://"), *start = colon ? colon + 3 : text;
	int rc = 0;

	if (colon && read_type(text, (size_t)(colon - text), &p, err) < 0)
		return -1;
	if (!colon && bare_type < 0)
		return error_set(err, FAULT_CONFIG,
				 "a proxy is written TYPE://HOST:PORT, for example "
				 "socks5h://localhost:1080");
	size_t n = strlen(start);

	if (n && start[n - 1] == '/')
		n--;
	const char *at = memrchr(start, '@', n);

	p.port = default_port(p.type);
	if (at) {
		rc = read_login(start, (size_t)(at - start), &p);
		n -= (size_t)(at + 1 - start);
		start = at + 1;
	}
	if (rc == 0)
		rc = read_place(start, n, &p);
	if (rc < 0) {
		proxyurl_release(&p);
		return error_set(err, FAULT_CONFIG, "the URL of the proxy is not "
				 "TYPE://[USER[:PASSWORD]@]HOST[:PORT]");
	}
	*out = p;
	return 0;
}

void proxyurl_release(struct proxy_url *p)
{
	xfree(p->host);
	xfree(p->user);
	secret_release(&p->password);
	*p = (struct proxy_url){ .port = 0 };
}

/* field-name = token (RFC 9110, sections 5.1 and 5.6.2) */
size_t proxyurl_field_name(const char *text)
{
	size_t n = strspn(text, "!#$%&'*+-.^_`|~0123456789"
			  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

	return text[n] == ':' && text[n + 1] == ' ' ? n : 0;
}

/* Does the name, of n octets, sound like one? */
static bool names_a_secret(const char *name, size_t n)
{
	static const char *const words[] = { "auth", "cookie", "key", "pass", "secret", "token" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const size_t len = strlen(words[i]);

		for (size_t at = 0; at + len <= n; at++) {
			if (strncasecmp(name + at, words[i], len) == 0)
				return true;
		}
	}
	return false;
}

bool proxyurl_has_password(const char *text)
{
	const size_t name = proxyurl_field_name(text);

	if (name)
		return names_a_secret(text, name);

	const char *start = strstr(text, "://"), *at = strrchr(text, '@');

	start = start ? start + 3 : text;
	if (!at || at < start)
		return false;
	const char *colon = memchr(start, ':', (size_t)(at - start));

	return colon && colon + 1 < at;
}

/* --- exceptions -------------------------------------------------------------------- */

static bool same_bits(const void *x, const void *y, unsigned bits)
{
	const unsigned char *a = x, *b = y;
	unsigned whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 &&
	       (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

/* item = address ["/" bits]; host is an address too */
static bool in_network(const char *item, const struct address *host)
{
	const char *slash = strchr(item, '/');
	char *text = xstrndup(item, slash ? (size_t)(slash - item) : strlen(item)), *rest = NULL;
	struct address net;
	bool v4, good = address_from_text(text, 0, &net) &&
		net.to.any.sa_family == host->to.any.sa_family;

	xfree(text);
	if (!good)
		return false;
	v4 = net.to.any.sa_family == AF_INET;
	unsigned long most = v4 ? 32 : 128, bits = slash ? strtoul(slash + 1, &rest, 10) : most;

	if (slash && (!isdigit((unsigned char)slash[1]) || *rest || bits > most))
		return false;
	return v4 ? same_bits(&net.to.in.sin_addr, &host->to.in.sin_addr, (unsigned)bits) :
		    same_bits(&net.to.in6.sin6_addr, &host->to.in6.sin6_addr, (unsigned)bits);
}

/* The name itself, or one below it. */
static bool in_domain(const char *item, const char *host)
{
	if (strncmp(item, "*.", 2) == 0)
		item++;
	if (*item == '.')
		item++;
	size_t n = strlen(item), h = strlen(host);

	while (n && item[n - 1] == '.')
		n--;
	while (h && host[h - 1] == '.')
		h--;
	return n && h >= n && strncasecmp(host + h - n, item, n) == 0 &&
	       (h == n || host[h - n - 1] == '.');
}

/* Takes ":PORT" and the brackets off an item: does it speak of this port? */
static bool take_port(char *item, unsigned port)
{
	char *colon = strrchr(item, ':');
	const char *close = strrchr(item, ']');

	if (*item == '[' && close && (!colon || colon < close))
		colon = NULL;
	else if (*item != '[' && colon && strchr(item, ':') != colon)
		colon = NULL;		/* IPv6 without a port */
	bool good = !colon || strtoul(colon + 1, NULL, 10) == port;

	if (colon)
		*colon = '\0';
	if (*item == '[' && close) {
		size_t n = (size_t)(close - item);

		memmove(item, item + 1, n - 1);
		item[n - 1] = '\0';
	}
	return good;
}

bool proxyurl_excepted(const char *list, const char *host, unsigned port)
{
	struct strvec items = STRVEC_INIT(ITEMS_MAX);
	struct address numeric;
	char *bare = address_bare_host(host);
	bool found = false;
	bool is_address = address_from_text(bare, 0, &numeric);

	strvec_split(&items, list ? list : "", ", \t");
	for (size_t i = 0; !found && i < items.n; i++) {
		if (!take_port(items.v[i], port))
			continue;
		found = strcmp(items.v[i], "*") == 0 ||
			(is_address ? in_network(items.v[i], &numeric) :
				      in_domain(items.v[i], bare));
	}
	strvec_release(&items);
	xfree(bare);
	return found;
}

/* --- the environment ------------------------------------------------------------- */

static const char *first_set(const char *const *names)
{
	for (; *names; names++) {
		const char *value = secure_getenv(*names);

		if (value && *value)
			return value;
	}
	return NULL;
}

const char *proxyurl_environment(const char *host, unsigned port)
{
	static const char *const urls[] = {
		"all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY", NULL,
	};
	static const char *const exceptions[] = { "no_proxy", "NO_PROXY", NULL };

	return proxyurl_excepted(first_set(exceptions), host, port) ? NULL : first_set(urls);
}
