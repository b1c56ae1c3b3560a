#include "config.h"
#include "dns/dnssec.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dns/dns.h"
#include "util/clock.h"
#include "util/dynlib.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

struct ub_ctx;

struct validator {
	struct dnssec_source source;	/* its strings are the caller's */
	struct ub_ctx *context;
};

#ifdef HAVE_UNBOUND_H
#include <unbound.h>

#define UNBOUND_API(X) \
	X(ctx_add_ta_file) \
	X(ctx_async) \
	X(ctx_create) \
	X(ctx_delete) \
	X(ctx_resolvconf) \
	X(ctx_set_fwd) \
	X(ctx_set_option) \
	X(fd) \
	X(process) \
	X(resolve_async) \
	X(resolve_free) \
	X(strerror)

struct unbound_api {
#define UNBOUND_MEMBER(name) __typeof__(ub_##name) *name;
	UNBOUND_API(UNBOUND_MEMBER)
#undef UNBOUND_MEMBER
};

static struct unbound_api unbound;

DYNLIB_NOTE(unbound,
	    "[{\"feature\":\"dane\",\"description\":\"DNSSEC, for tls_dane\","
	    "\"priority\":\"suggested\",\"soname\":[\"" UNBOUND_SONAME "\"]}]");

static const struct dynlib_symbol symbols[] = {
#define UNBOUND_SYMBOL(entry) { "ub_" #entry, &unbound.entry },
	UNBOUND_API(UNBOUND_SYMBOL)
#undef UNBOUND_SYMBOL
};

static int load_unbound(struct error *err)
{
	static void *handle;

	return dynlib_load(&handle, UNBOUND_SONAME, "libunbound8", symbols, ARRAY_LEN(symbols),
			   err);
}

enum { ADDRESS_MAX = 256 };

/* Where the root's keys are on the usual systems. */
static const char *const anchors[] = {
	"/var/lib/unbound/root.key", "/usr/share/dns/root.key", "/etc/unbound/root.key",
	"/etc/trusted-key.key", "/usr/share/dnssec-root/trusted-key.key",
};

static const char *find_anchor(void)
{
	for (size_t i = 0; i < ARRAY_LEN(anchors); i++) {
		if (access(anchors[i], R_OK) == 0)
			return anchors[i];
	}
	return NULL;
}

static int unbound_error(int code, const char *what, struct error *err)
{
	return error_set(err, FAULT_CONFIG, "libunbound: %s: %s", what,
			 unbound.strerror(code));
}

/* "ADDRESS", "ADDRESS:PORT" and "[ADDRESS]:PORT" as "ADDRESS" and "ADDRESS@PORT". */
static void write_forwarder(const char *resolver, struct strbuf *out)
{
	const char *colon = strchr(resolver, ':'), *end = strchr(resolver, ']');

	if (*resolver == '[' && end) {
		strbuf_add(out, resolver + 1, (size_t)(end - resolver - 1));
		colon = end[1] == ':' ? end + 1 : NULL;
	} else if (colon && !strchr(colon + 1, ':')) {
		strbuf_add(out, resolver, (size_t)(colon - resolver));
	} else {
		strbuf_addstr(out, resolver);
		colon = NULL;
	}
	if (colon)
		strbuf_addf(out, "@%s", colon + 1);
}

static int set_resolver(struct validator *s, struct error *err)
{
	struct strbuf to = STRBUF_INIT(ADDRESS_MAX);
	/* else it would never ask a resolver on this host */
	int code = unbound.ctx_set_option(s->context, "do-not-query-localhost:", "no");

	if (code)
		return unbound_error(code, "do-not-query-localhost", err);
	if (s->source.resolver && *s->source.resolver) {
		write_forwarder(s->source.resolver, &to);
		code = unbound.ctx_set_fwd(s->context, to.buf);
	} else {
		code = unbound.ctx_resolvconf(s->context, NULL);
	}
	strbuf_release(&to);
	return code ? unbound_error(code, "cannot use the resolver", err) : 0;
}

static int open_unbound(struct validator *s, struct error *err)
{
	const char *anchor = s->source.anchor ? s->source.anchor : find_anchor();
	int code;

	if (load_unbound(err) < 0)
		return -1;
	if (!anchor)
		return error_set(err, FAULT_CONFIG, "no trust anchor for DNSSEC: install the "
				 "package dns-root-data, or set dnssec_anchor");
	if (access(anchor, R_OK) < 0)
		return error_errno(err, FAULT_FILE, "cannot read trust anchor %s", anchor);
	s->context = unbound.ctx_create();
	if (!s->context)
		return error_set(err, FAULT_SYSTEM, "libunbound cannot be started");
	code = unbound.ctx_add_ta_file(s->context, anchor);
	if (code)
		return unbound_error(code, anchor, err);
	/* a thread, not a process: nothing of ours is to be copied */
	code = unbound.ctx_async(s->context, 1);
	if (code)
		return unbound_error(code, "cannot make a thread", err);
	return set_resolver(s, err);
}

/* --- asking ------------------------------------------------------------- */

struct wait {
	struct ub_result *result;
	int code;
	bool done;
};

static void note_result(void *ctx, int code, struct ub_result *result)
{
	struct wait *w = ctx;

	*w = (struct wait){ .result = result, .code = code, .done = true };
}

static int failed(struct error *err)
{
	error_set(err, FAULT_DNS, "libunbound has failed");
	err->named = false;
	return -1;
}

static int wait_for(struct validator *s, const struct wait *w, const struct deadline *d,
		    struct error *err)
{
	while (!w->done) {
		struct pollfd p = { .fd = unbound.fd(s->context), .events = POLLIN };
		int n = poll(&p, 1, deadline_poll_ms(d));

		if (n == 0)
			return deadline_error(d, err);
		if (n < 0 && errno != EINTR)
			return error_errno(err, FAULT_SYSTEM, "cannot wait for libunbound");
		if (n > 0 && unbound.process(s->context))
			return failed(err);
	}
	return 0;
}

static void take_records(const struct ub_result *r, enum dns_type type, struct dns_answer *out)
{
	size_t n = 0;

	while (r->data[n])
		n++;
	out->v = n ? xcalloc(n, sizeof(*out->v)) : NULL;
	for (size_t i = 0; i < n; i++) {
		struct dns_record *to = &out->v[out->n];

		if (type == DNS_TLSA)
			dns_tlsa_read((const unsigned char *)r->data[i], (size_t)r->len[i], to);
		if (type != DNS_TLSA || to->data)
			out->n++;
	}
}

static int take_result(const struct ub_result *r, const char *name, enum dns_type type,
		       struct dns_answer *out, struct error *err)
{
	struct dns_answer a = { .code = (unsigned)r->rcode, .authentic = r->secure };
	size_t n;

	if (r->bogus)
		return error_set(err, FAULT_DNSSEC_BOGUS, "DNSSEC: the answer for '%s' is bogus: "
				 "%s", name, r->why_bogus ? r->why_bogus : "validation failed");
	if (a.code != DNS_OK && a.code != DNS_NO_NAME)
		return error_set(err, FAULT_DNS, "DNSSEC: cannot look up '%s' (code %u; "
				 "does the resolver pass DNSSEC records on?)", name, a.code);
	snprintf(a.canonical, sizeof(a.canonical), "%s", r->canonname ? r->canonname : name);
	n = strlen(a.canonical);
	if (n && a.canonical[n - 1] == '.')
		a.canonical[n - 1] = '\0';
	a.aliased = r->canonname != NULL && strcmp(a.canonical, name) != 0;
	if (r->havedata)
		take_records(r, type, &a);
	*out = a;
	return 0;
}

static int ask_unbound(struct validator *s, const char *name, enum dns_type type,
		       const struct deadline *d, struct dns_answer *out, struct error *err)
{
	struct wait w = { .done = false };
	int code = unbound.resolve_async(s->context, name, (int)type, 1, &w, note_result, NULL);

	if (code)
		return unbound_error(code, name, err);
	if (wait_for(s, &w, d, err) < 0) {
		/* the context holds a pointer to w: no more of it */
		unbound.ctx_delete(s->context);
		s->context = NULL;
		return -1;
	}
	if (w.code || !w.result)
		return error_set(err, FAULT_DNS, "DNSSEC: cannot look up '%s': %s", name,
				 unbound.strerror(w.code));
	int rc = take_result(w.result, name, type, out, err);

	unbound.resolve_free(w.result);
	return rc;
}

static void close_unbound(struct validator *s)
{
	if (s->context)
		unbound.ctx_delete(s->context);
}

#else

static int failed(struct error *err)
{
	return error_set(err, FAULT_LIBRARY_MISSING, "msubmit was built without libunbound: set "
			 "dnssec = trust-ad, with a validating resolver on this host");
}

static int open_unbound(struct validator *s ATTR_UNUSED, struct error *err)
{
	return failed(err);
}

static int ask_unbound(struct validator *s ATTR_UNUSED, const char *name ATTR_UNUSED,
		       enum dns_type type ATTR_UNUSED, const struct deadline *d ATTR_UNUSED,
		       struct dns_answer *out ATTR_UNUSED, struct error *err)
{
	return failed(err);
}

static void close_unbound(struct validator *s ATTR_UNUSED)
{
}

#endif

int dnssec_open(const struct dnssec_source *source, struct validator **out, struct error *err)
{
	struct validator *s = xcalloc(1, sizeof(*s));

	s->source = *source;
	if (!source->trust_ad && open_unbound(s, err) < 0) {
		dnssec_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

void dnssec_close(struct validator *s)
{
	if (!s)
		return;
	close_unbound(s);
	xfree(s);
}

int dnssec_ask(struct validator *s, const char *name, enum dns_type type,
	       const struct deadline *d, struct dns_answer *out, struct error *err)
{
	if (s->source.trust_ad)
		return dns_ask(s->source.resolver, name, type, d, out, err);
	if (!s->context) {
		(void)failed(err);
		return error_prefix(err, "DNSSEC");
	}
	return ask_unbound(s, name, type, d, out, err);
}
