#include "config.h"
#include "setup/discover.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "conf/account.h"
#include "message/address.h"
#include "message/idna.h"
#include "setup/discover_parts.h"
#include "setup/providers.h"
#include "smtp/auth/mechanism.h"
#include "smtp/session.h"
#include "submit/attempt.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/text.h"

/* A server that answers at all does so soon; there may be many to try. */
enum { CONNECT_MAX = 10, REPLY_MAX = 15, WHOLE_MAX = 30 };

/* --- telling ---------------------------------------------------------------------- */

void discovery_note(struct discovery *d, const char *fmt, ...)
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

void discovery_failure(struct discovery *d, const char *what, const struct error *err)
{
	d->temporary = d->temporary || err->exit == EX_TEMPFAIL;
	discovery_note(d, "%s: %s", what, err->text);
}

void discovery_add(struct discovery *d, const struct found_server *s)
{
	if (d->n < FOUND_MAX)
		d->found[d->n++] = *s;
}

/* --- trying ----------------------------------------------------------------------- */

/* What a server shows before sign-in. */
struct view {
	enum found_auth auth;
	bool encrypted, usable;
	struct strbuf mechanisms;
};

static bool is_oauth(const char *name)
{
	return strcasecmp(name, "XOAUTH2") == 0 || strcasecmp(name, "OAUTHBEARER") == 0;
}

static void look(void *ctx, const struct session *s)
{
	struct view *v = ctx;

	v->encrypted = s->encrypted;
	for (size_t i = 0; i < s->mechanisms.n; i++) {
		const char *name = s->mechanisms.v[i];

		if (!mechanism_find(name))
			continue;
		strbuf_addf(&v->mechanisms, "%s%s", v->mechanisms.len ? ", " : "", name);
		v->usable = v->usable || is_oauth(name) == (v->auth == FOUND_AUTH_OAUTH2);
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
		discovery_failure(d, name, err);
	else if (why)
		discovery_note(d, "%s: %s", name, why);
	else
		discovery_note(d, "%s: %s, signs in by %s", name,
			       v.encrypted ? "TLS verified" : "no TLS", v.mechanisms.buf);
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
	const struct provider *p = s->hint ? NULL : provider_of_host(s->host);

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
static int find_given(struct discovery *d, struct error *err)
{
	static const char source[] = "your option --host";
	const struct account *base = d->req->base;
	const struct provider *p = provider_of_host(base->host);
	struct found_server ways[PROVIDER_WAYS];
	size_t n = p ? provider_ways(p, d->arena, &d->req->who, base->host, source, ways) : 0;

	(void)err;
	for (size_t i = 0; i < n; i++)
		discovery_add(d, &ways[i]);
	if (n)
		return 0;
	discovery_add(d, &(struct found_server){ .host = base->host, .port = 465,
						 .mode = TLS_IMPLICIT, .source = source });
	discovery_add(d, &(struct found_server){ .host = base->host, .port = 587,
						 .mode = TLS_STARTTLS, .source = source });
	if (base->port && base->tls.mode == TLS_AUTO && base->port != 465)
		d->found[0].mode = TLS_STARTTLS;
	return 0;
}

static const struct {
	discovery_source *find;
	bool check_always;	/* it only guesses */
} sources[] = {
	{ discovery_known, false },
	{ discovery_srv, false },
	{ discovery_own_documents, false },
	{ discovery_ispdb, false },
	{ discovery_mx, false },
	{ discovery_guess, true },
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
		(void)find_given(d, err);
		return choose(d, !d->req->no_check, out) ? 0 : nothing_found(d, err);
	}
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		d->n = 0;
		if (sources[i].find(d, err) < 0)
			return -1;
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
