#include "config.h"
#include "net/https.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "net/proxyurl.h"
#include "net/resolve.h"
#include "util/clock.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/secret.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define HTTPS "https://"
#define HTTPS_PORT 443

char *https_host(const char *url, unsigned *port_out)
{
	unsigned long port = HTTPS_PORT;

	if (strncasecmp(url, HTTPS, strlen(HTTPS)) != 0)
		return NULL;
	url += strlen(HTTPS);
	const size_t all = strcspn(url, "/?#"), n = strcspn(url, ":/?#");

	if (n == 0 || n > 253 || memchr(url, '@', all) || *url == '[')
		return NULL;
	if (url[n] == ':' && n + 1 < all) {
		char *end;

		port = strtoul(url + n + 1, &end, 10);
		if (end != url + all || url[n + 1] < '0' || url[n + 1] > '9' || port < 1 ||
		    port > 65535)
			return NULL;
	}
	*port_out = (unsigned)port;
	return xstrndup(url, n);
}

#ifdef HAVE_CURL_CURL_H
/* the checks of its macros need to see the functions, which are pointers here */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#define CURL_API(X) \
	X(easy_cleanup) \
	X(easy_getinfo) \
	X(easy_init) \
	X(easy_perform) \
	X(easy_setopt) \
	X(easy_strerror) \
	X(slist_append) \
	X(slist_free_all)

struct curl_api {
#define CURL_MEMBER(name) __typeof__((curl_##name)) *name;
	CURL_API(CURL_MEMBER)
#undef CURL_MEMBER
};

static struct curl_api curl;

DYNLIB_NOTE(curl,
	    "[{\"feature\":\"autoconfig\",\"description\":\"HTTPS, for --configure\","
	    "\"priority\":\"suggested\",\"soname\":[\"libcurl-gnutls.so.4\",\"libcurl.so.4\"]}]");

static const struct dynlib_symbol symbols[] = {
#define CURL_SYMBOL(entry) { "curl_" #entry, &curl.entry },
	CURL_API(CURL_SYMBOL)
#undef CURL_SYMBOL
};

int https_load(struct error *err)
{
	/* the build on GnuTLS first: that library is in this process already */
	static const char *const names[] = { "libcurl-gnutls.so.4", "libcurl.so.4", CURL_SONAME };
	static void *handle;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (dynlib_load(&handle, names[i], "libcurl3-gnutls", symbols, ARRAY_LEN(symbols),
				err) == 0)
			return 0;
	}
	return -1;
}

#define set(handle, option, value) (void)curl.easy_setopt(handle, CURLOPT_##option, value)

/* A body of any other status is of no use. */
struct sink {
	CURL *handle;
	struct strbuf *body;
};

static size_t take_body(char *data, size_t size, size_t n, void *ctx)
{
	struct sink *sink = ctx;
	long status = 0;

	(void)curl.easy_getinfo(sink->handle, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return 0;
	strbuf_add(sink->body, data, size * n);
	return strbuf_overflow(sink->body) ? 0 : size * n;
}

/* --- how to get there ------------------------------------------------------------- */

static void set_proxy(CURL *handle, const struct proxy_url *p)
{
	static const long types[] = {
		[PROXY_SOCKS5H] = CURLPROXY_SOCKS5_HOSTNAME, [PROXY_SOCKS5] = CURLPROXY_SOCKS5,
		[PROXY_SOCKS4A] = CURLPROXY_SOCKS4A, [PROXY_SOCKS4] = CURLPROXY_SOCKS4,
		[PROXY_HTTP] = CURLPROXY_HTTP, [PROXY_HTTPS] = CURLPROXY_HTTPS,
	};

	set(handle, PROXY, p ? p->host : "");	/* "": not the environment's either */
	if (!p)
		return;
	set(handle, NOPROXY, "");
	set(handle, PROXYPORT, (long)p->port);
	set(handle, PROXYTYPE, types[p->type]);
	set(handle, HTTPPROXYTUNNEL, 1L);
	if (p->user)
		set(handle, PROXYUSERNAME, p->user);
	if (p->user && secret_is_set(&p->password))
		set(handle, PROXYPASSWORD, p->password.data);
}

/* "HOST:PORT:ADDRESS,ADDRESS": what is known already is not asked for again. */
static struct curl_slist *known_addresses(const struct https_request *r)
{
	struct strbuf text = STRBUF_INIT(1 << 16);
	struct curl_slist *list = NULL;
	unsigned port = 0;
	char *host = r->addresses ? https_host(r->url, &port) : NULL;

	if (host)
		strbuf_addf(&text, "%s:%u:", host, port);
	for (size_t i = 0; host && i < r->addresses->n; i++) {
		const struct sockaddr *to = &r->addresses->v[i].to.any;
		char address[ADDRESS_TEXT];

		address_text(to, address, sizeof(address));
		strbuf_addf(&text, to->sa_family == AF_INET6 ? "%s[%s]" : "%s%s", i ? "," : "",
			    address);
	}
	if (host)
		list = curl.slist_append(NULL, text.buf);
	xfree(host);
	strbuf_release(&text);
	return list;
}

static void set_way(CURL *handle, const struct https_request *r, const struct deadline *d)
{
	const int left = deadline_poll_ms(d);

	set(handle, NOSIGNAL, 1L);
	set(handle, TIMEOUT_MS, left < 0 ? 0L : left ? (long)left : 1L);
	set(handle, FOLLOWLOCATION, 0L);
	set(handle, SSL_VERIFYPEER, 1L);
	set(handle, SSL_VERIFYHOST, 2L);
	set(handle, SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	set(handle, USERAGENT, "msubmit");
	if (r->trust_file) {
		set(handle, CAINFO, r->trust_file);
		set(handle, PROXY_CAINFO, r->trust_file);
	}
	if (r->trust_dir) {
		set(handle, CAPATH, r->trust_dir);
		set(handle, PROXY_CAPATH, r->trust_dir);
	}
	if (r->family != AF_UNSPEC)
		set(handle, IPRESOLVE, r->family == AF_INET ? (long)CURL_IPRESOLVE_V4 :
							       (long)CURL_IPRESOLVE_V6);
	set_proxy(handle, r->proxy);
}

/* --- what came of it -------------------------------------------------------------- */

static int fail_curl(CURLcode code, const char *detail, struct error *err)
{
	const char *text = *detail ? detail : curl.easy_strerror(code);

	switch (code) {
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		return error_set(err, FAULT_DOCUMENT, "no https URL");
	case CURLE_COULDNT_RESOLVE_HOST:
		return error_set(err, FAULT_NO_HOST, "%s", text);
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
		return error_set(err, FAULT_CONNECT, "%s", text);
	default:
		return error_set(err, FAULT_PROTOCOL, "%s", text);
	}
}

static int perform(CURL *handle, struct strbuf *body, const char *detail,
		   struct https_reply *out, struct error *err)
{
	const CURLcode code = curl.easy_perform(handle);
	long status = 0;
	char *redirect = NULL;

	(void)curl.easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
	if (strbuf_overflow(body))
		return error_set(err, FAULT_DOCUMENT, "the document is larger than %zu octets",
				 body->limit);
	/* a body that was not wanted ends the transfer, and that is all right */
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && status != 200))
		return fail_curl(code, detail, err);
	(void)curl.easy_getinfo(handle, CURLINFO_REDIRECT_URL, &redirect);
	out->status = (unsigned)status;
	out->redirect = redirect ? xstrdup(redirect) : NULL;
	return 0;
}

int https_get(const struct https_request *r, const struct deadline *d, struct https_reply *out,
	      struct strbuf *body, struct error *err)
{
	char detail[CURL_ERROR_SIZE] = "";

	unsigned port;
	char *host = https_host(r->url, &port);

	xfree(host);
	if (!host)
		return error_set(err, FAULT_DOCUMENT, "no https URL");
	if (https_load(err) < 0)
		return -1;
	CURL *handle = curl.easy_init();
	struct curl_slist *known = known_addresses(r);
	struct sink sink = { .handle = handle, .body = body };

	if (!handle) {
		curl.slist_free_all(known);
		return error_set(err, FAULT_SYSTEM, "libcurl cannot be used");
	}
	set(handle, URL, r->url);
	set(handle, ERRORBUFFER, detail);
	set(handle, WRITEFUNCTION, take_body);
	set(handle, WRITEDATA, &sink);
	set(handle, RESOLVE, known);
	set_way(handle, r, d);
	int rc = perform(handle, body, detail, out, err);

	curl.easy_cleanup(handle);
	curl.slist_free_all(known);
	return rc;
}

#else

int https_load(struct error *err)
{
	return error_set(err, FAULT_LIBRARY_MISSING, "msubmit was built without libcurl");
}

int https_get(const struct https_request *r ATTR_UNUSED, const struct deadline *d ATTR_UNUSED,
	      struct https_reply *out ATTR_UNUSED, struct strbuf *body ATTR_UNUSED,
	      struct error *err)
{
	return https_load(err);
}

#endif
