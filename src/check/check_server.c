/*
 * Every server of the account at each of its addresses: from DNS to MAIL and RCPT.
 */
#include "config.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "check/check_private.h"
#include "message/edits.h"
#include "message/message.h"
#include "message/result.h"
#include "net/resolve.h"
#include "net/wire.h"
#include "prepare/requests.h"
#include "smtp/auth/mechanism.h"
#include "smtp/session.h"
#include "smtp/transaction.h"
#include "submit/attempt.h"
#include "submit/connect.h"
#include "submit/session_open.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/strbuf.h"
#include "util/xalloc.h"

#define LIST_MAX ((size_t)8192)

struct visit {
	struct check *c;
	struct session_opening o;
	enum session_step step;		/* what is under way; STEP_COUNT: nothing yet */
	bool told[STEP_COUNT];		/* what went well at this address, and was told */
	int64_t began;			/* the connection, for clock_ms() */
	struct account loose;		/* takes any certificate, signs in nowhere */
	const struct error *refused;	/* why the certificate does not do; NULL = it does */
	struct tls_facts facts;
};

/* --- what is found in a session ----------------------------------------------------- */

enum { DAYS_SOON = 30 };	/* a certificate that ends before is worth a warning */

/* --- TLS ------------------------------------------------------------------ */

static void look_at_version(struct visit *v)
{
	const struct tls_settings *t = &v->c->account.tls;

	if (v->facts.version_13)
		check_ok(v->c, "tls", "%s", v->facts.text);
	else
		check_warn(v->c, "tls", t->priorities ?
			   "'tls_priorities' may be what keeps TLS 1.3 away" :
			   "it works; the server should be brought up to date",
			   "%s: no TLS 1.3", v->facts.text);
}

/* NULL: it is not. */
static const char *how_accepted(const struct visit *v)
{
	if (v->facts.dane)
		return v->facts.pinned ? "accepted by its pin and DANE" : "verified by DANE";
	if (v->facts.pinned)
		return "accepted by its pin";
	return v->facts.verified ? "verified" : NULL;
}

static void look_at_validity(struct visit *v)
{
	const struct tls_facts *f = &v->facts;

	if (f->days_left < DAYS_SOON)
		check_warn(v->c, "certificate", f->days_left < 0 ?
			   "it is accepted all the same; the server's administrator should "
			   "renew it" : "the server's administrator should renew it in time",
			   f->days_left < 0 ? "has expired on %s" : "valid only until %s, %"
			   PRId64 " days", f->until, f->days_left);
	else
		check_ok(v->c, "certificate", "valid from %s until %s, %" PRId64 " days",
			 f->from, f->until, f->days_left);
}

static void look_at_certificate(struct visit *v)
{
	struct check *c = v->c;
	const struct tls_facts *f = &v->facts;
	const char *how = how_accepted(v);

	check_ok(c, "certificate", "%s; for %s%s", f->chain,
		 *f->names ? f->names : "no name that counts",
		 !f->stapled ? "" : f->staple_good ? ", good by OCSP" : ", bad by OCSP");
	if (v->refused) {
		/* a setting, or what the certificate is compared with */
		const bool own = v->refused->exit == EX_CONFIG || v->refused->exit == EX_OSFILE;

		check_fail_server(c, own ? "tls" : "certificate", v->refused,
				  !session_opening_worth_another(&v->o, v->refused));
		v->refused = NULL;
		return;
	}
	if (how)
		check_ok(c, "certificate", "%s; tls_pin = %s", how, f->pin);
	else if (c->account.tls.certcheck)
		check_ok(c, "certificate", "not verified: any will do where TLS "
			 "need not be (tls = may)");
	else
		check_warn(c, "certificate", arena_printf(c->arena,
			   "anybody may be in between: set 'tls_certcheck = on', or\n"
			   "tls_pin = %s", f->pin), "NOT verified (tls_certcheck = off)");
	look_at_validity(v);
}

/* Ours: that it fits its key was seen when it was loaded. */
static void look_at_ours(struct visit *v)
{
	static const char step[] = "client-certificate";
	const struct tls_settings *t = &v->o.account->tls;
	const struct tls_facts *f = &v->facts;

	if (!t->cert_file && !t->pkcs12_file)
		return;
	if (!f->our_chain)
		check_ok(v->c, step, "the server did not ask for it");
	else if (f->our_days_left < DAYS_SOON)
		check_warn(v->c, step, "get a new one in time", f->our_days_left < 0 ?
			   "%s; has expired on %s" : "%s; valid only until %s, %" PRId64
			   " days", f->our_chain, f->our_until, f->our_days_left);
	else
		check_ok(v->c, step, "%s; valid until %s, %" PRId64 " days", f->our_chain,
			 f->our_until, f->our_days_left);
}

/* Version, cipher and certificate of the session's TLS. */
static void check_tls(struct visit *v, const struct session *s)
{
	tls_facts(wire_stream(s->wire), v->c->arena, &v->facts);
	v->c->facts.tls = &v->facts;
	look_at_version(v);
	if (v->facts.chain_n)
		look_at_certificate(v);
	look_at_ours(v);
}

/* --- EHLO ------------------------------------------------------------------- */

/* What hurts when it is missing, and how. */
static const struct {
	enum extension_id id;
	bool lmtp;		/* of LMTP servers, too */
	const char *harm;
} missed[] = {
	{ EXT_8BITMIME, true, "8BITMIME (8-bit text is re-encoded)" },
	{ EXT_SIZE, false, "SIZE (a message that is too large is refused only at its end)" },
	{ EXT_DSN, false, "DSN (no notices of delivery)" },
	{ EXT_PIPELINING, false, "PIPELINING (slow)" },
};

/* What RFC 2033, section 5, demands of a server. */
static void look_at_lmtp(struct visit *v, const struct session *s)
{
	const bool pipelining = session_has(s, EXT_PIPELINING);
	const bool status = session_has(s, EXT_ENHANCEDSTATUSCODES);

	if (s->protocol != SESSION_LMTP || (pipelining && status))
		return;
	check_warn(v->c, "lmtp", NULL, "without %s%s%s, which RFC 2033 demands",
		   pipelining ? "" : "PIPELINING", pipelining || status ? "" : " and ",
		   status ? "" : "ENHANCEDSTATUSCODES");
}

static void look_at_missing(struct visit *v, const struct session *s)
{
	struct strbuf text = STRBUF_INIT(LIST_MAX);

	for (size_t i = 0; i < ARRAY_LEN(missed); i++) {
		if (session_has(s, missed[i].id) ||
		    (s->protocol == SESSION_LMTP && !missed[i].lmtp))
			continue;
		strbuf_addf(&text, "%s%s", text.len ? ", " : "", missed[i].harm);
	}
	if (text.len)
		check_warn(v->c, "extensions", NULL, "without %s", text.buf);
	strbuf_release(&text);
}

static void look_at_extensions(struct visit *v, const struct session *s)
{
	struct strbuf text = STRBUF_INIT(LIST_MAX);

	for (size_t i = 0; i < s->keywords.n; i++)
		strbuf_addf(&text, "%s%s", i ? ", " : "", s->keywords.v[i]);
	check_tell(v->c, text.len ? CHECK_OK : CHECK_WARN, "extensions", NULL, "%s", text.len ?
		   text.buf : "none");
	strbuf_release(&text);
	if (s->size_limit)
		check_ok(v->c, "size", "messages up to %" PRIu64 " octets", s->size_limit);
	look_at_lmtp(v, s);
	look_at_missing(v, s);
}

static void look_at_name(struct visit *v, const struct session *s)
{
	const char *name = s->opt.ehlo_name;
	const bool full = *name == '[' || strchr(name, '.');

	if (full || s->local || s->protocol == SESSION_LMTP)
		check_ok(v->c, "ehlo", "we are '%s', it is '%s'%s", name, s->server_name,
			 s->protocol == SESSION_SMTP ? ", HELO only" : "");
	else
		check_warn(v->c, "ehlo", "set 'domain' to the full name of this host: "
			   "some servers refuse others",
			   "we call ourselves '%s', which is no full " "host name", name);
}

/* The names, what the server offers, and that nobody signs in though the account would. */
static void check_ehlo(struct visit *v, const struct session *s)
{
	look_at_name(v, s);
	look_at_extensions(v, s);
	if (s->opt.info_only && v->c->no_secret)
		check_tell(v->c, CHECK_SKIP, "sign-in", NULL, "not tried without the secret");
	else if (s->opt.info_only && v->c->refused)
		check_tell(v->c, CHECK_SKIP, "sign-in", NULL, "not tried again, as it was refused");
}

/* --- sign-in ------------------------------------------------------------------ */

/* By which mechanism, and whether that is safe. */
static void check_signed_in(struct visit *v, const struct session *s)
{
	struct check *c = v->c;
	const struct mechanism *m = s->mechanism ? mechanism_find(s->mechanism) : NULL;
	const char *user = c->account.auth.user;

	c->facts.signed_in = s->authenticated;
	if (!s->authenticated)
		check_warn(c, "sign-in", NULL, "was not possible, and the account can "
			   "do without (auth = try)");
	else if (m && m->flags & MECHANISM_READABLE && !s->encrypted && !s->local)
		check_warn(c, "sign-in", "anybody on the way can read the password: "
			   "set 'tls = starttls' or 'tls = implicit'", "'%s' by %s WITHOUT TLS",
			   user ? user : "", m->name);
	else
		check_ok(c, "sign-in", "'%s' by %s", user ? user : "", s->mechanism);
}

/* --- MAIL and RCPT --------------------------------------------------------------- */

/* What the account asks of servers beyond plain delivery, as for a message without anything. */
static int settle_requests(struct check *c, struct error *err)
{
	const struct message_options none = { .dots_ignored = true };
	struct message *m = NULL;
	struct edits edits;
	int rc = message_reader_finish(message_reader_new(&none), &m, err);

	if (rc == 0 && !c->requested) {
		edits_init(&edits, c->arena, m);
		rc = requests_apply(&edits, &c->submission->envelope, m, &c->account, err);
	}
	c->requested = true;
	message_free(m);
	return rc;
}

static bool tell_result(struct visit *v, const struct result *r)
{
	struct check *c = v->c;
	const bool good = r->outcome == OUTCOME_ACCEPTED;

	if (r->mail_reply)
		check_ok(c, "sender", "<%s>: %s", c->submission->envelope.sender,
			 r->mail_reply);
	if (good)
		check_ok(c, "recipient", "<%s>: %s (nothing was sent)",
			 c->submission->envelope.rcpt[0].address,
			 r->reply_text ? r->reply_text : "");
	else
		check_fail_server(c, r->mail_reply ? "recipient" : "sender", &r->error, true);
	return good;
}

/* MAIL and RCPT, taken back by RSET; false when a message would not go out: told. */
static bool check_transaction(struct visit *v)
{
	const struct transaction_options opt = { .rehearsal = true, .repeat = true };
	struct check *c = v->c;
	struct result r;
	struct error err, why;

	/* without what it takes to sign in, the server's answers would mean nothing */
	if (v->o.info_only || c->no_envelope)
		return !v->o.info_only;
	result_init(&r, c->arena, c->submission->envelope.rcpt_count);
	if (settle_requests(c, &err) < 0) {
		check_fail_server(c, "sender", &err, true);
		return false;
	}
	transaction_run(&v->o.session, &c->submission->envelope, NULL, NULL, &opt, &r, &why);
	result_settle(&r);
	return tell_result(v, &r);
}

/* --- the steps of an opening ---------------------------------------------- */

/* What has gone well is told when the next step begins. */
static void connected(struct visit *v, const struct session *s)
{
	struct check *c = v->c;
	const struct server *t = &v->o.target;
	const struct account *a = &c->account;

	(void)s;
	if (t->path)
		check_ok(c, "connect", "%s", t->path);
	else if (a->net.tunnel)
		check_ok(c, "connect", "%s:%u through the command '%s'", t->host, t->port,
			 a->net.tunnel[0]);
	else
		check_ok(c, "connect", "%s:%u%s%s%s, %d ms", t->host, t->port,
			 c->address ? " at " : "", c->address ? c->address : "",
			 c->facts.proxied ? " through the proxy" : "",
			 (int)(clock_ms() - v->began));
}

static void greeted(struct visit *v, const struct session *s)
{
	struct strbuf words = STRBUF_INIT(LIST_MAX);

	reply_text(&s->reply, &words);
	check_ok(v->c, "greeting", "%d %s", s->reply.code, words.buf);
	strbuf_release(&words);
}

static void tls_offered(struct visit *v, const struct session *s)
{
	(void)s;
	check_ok(v->c, "starttls", "offered and begun");
}

static const struct {
	const char *name;
	void (*tell)(struct visit *, const struct session *);
} steps[STEP_COUNT] = {
	[STEP_CONNECT] = { "connect", connected }, [STEP_GREETING] = { "greeting", greeted },
	[STEP_EHLO] = { "ehlo", check_ehlo }, [STEP_STARTTLS] = { "starttls", tls_offered },
	[STEP_TLS] = { "tls", check_tls }, [STEP_AUTH] = { "sign-in", check_signed_in },
};

/*
 * EHLO counts when nothing but signing in comes behind it; TLS can be looked
 * at when a session has it. A second connection says nothing that was said.
 */
static bool can_tell(const struct visit *v, enum session_step next, const struct session *s)
{
	if (v->told[v->step])
		return false;
	if (v->step == STEP_EHLO)
		return next == STEP_AUTH || next == STEP_COUNT;
	return v->step != STEP_TLS || (s && tls_is(wire_stream(s->wire)));
}

/* TLS was looked for, and is not there; the account does without. */
static void tell_clear_text(struct visit *v, const struct session *s)
{
	check_warn(v->c, "starttls", "set 'tls = starttls' where the server is to be "
		   "used with TLS only", "not offered: mail goes out in clear text (tls = may)");
	if (!v->told[STEP_EHLO])
		check_ehlo(v, s);
	v->told[STEP_STARTTLS] = v->told[STEP_EHLO] = true;
}

static void finish_step(struct visit *v, enum session_step next, const struct session *s)
{
	if (v->step == STEP_STARTTLS && next != STEP_TLS && s && !v->told[STEP_STARTTLS]) {
		tell_clear_text(v, s);
		return;
	}
	if (v->step == STEP_COUNT || !can_tell(v, next, s))
		return;
	v->told[v->step] = true;
	steps[v->step].tell(v, s);
}

static void begin_step(void *ctx, enum session_step step, const struct session *s)
{
	struct visit *v = ctx;
	const struct observer *others = v->c->r->opt ? v->c->r->opt->observer : NULL;

	finish_step(v, step, s);
	if (s && s->server_name[0])
		v->c->facts.server_name = arena_strdup(v->c->arena, s->server_name);
	v->step = step;
	if (step == STEP_CONNECT)
		v->began = clock_ms();
	observer_step(others, step, s);
}

static void pass_connected(void *ctx, const char *server, const char *address)
{
	const struct observer *o = ((const struct visit *)ctx)->c->r->opt->observer;

	o->connected(o->ctx, server, address);
}

static void pass_failed(void *ctx, const char *server, const struct error *err)
{
	const struct observer *o = ((const struct visit *)ctx)->c->r->opt->observer;

	o->failed(o->ctx, server, err);
}

static void pass_closed(void *ctx)
{
	const struct observer *o = ((const struct visit *)ctx)->c->r->opt->observer;

	o->closed(o->ctx);
}

static void pass_secured(void *ctx, const char *tls, bool verified, const struct strvec *chain)
{
	const struct observer *o = ((const struct visit *)ctx)->c->r->opt->observer;

	o->secured(o->ctx, tls, verified, chain);
}

static void pass_tls_trace(void *ctx, enum wire_direction direction, const char *text, size_t n)
{
	const struct observer *o = ((const struct visit *)ctx)->c->r->opt->observer;

	o->tls_trace(o->ctx, direction, text, n);
}

/* --- one address ------------------------------------------------------------- */

/*
 * Opens a session as an attempt does, nothing sent ahead. loose: what makes a
 * certificate acceptable does not count, and nobody signs in.
 */
static int open_visit(struct visit *v, bool loose, struct error *err)
{
	const struct check_request *r = v->c->r;
	const struct observer *others = r->opt ? r->opt->observer : NULL;
	const struct observer watch = {
		.ctx = v, .step = begin_step,
		.connected = others && others->connected ? pass_connected : NULL,
		.failed = others && others->failed ? pass_failed : NULL,
		.closed = others && others->closed ? pass_closed : NULL,
		.secured = others && others->secured ? pass_secured : NULL,
		.tls_trace = others && others->tls_trace ? pass_tls_trace : NULL,
	};
	const struct attempt_options opt = {
		.trace = r->opt ? r->opt->trace : NULL,
		.trace_ctx = r->opt ? r->opt->trace_ctx : NULL, .observer = &watch,
	};
	int rc;

	v->o.account = loose ? &v->loose : &v->c->account;
	v->o.info_only = loose || v->c->no_secret || v->c->refused;
	v->o.opt = &opt;
	v->o.whole = deadline_in(v->c->account.timeouts.total, "the server");
	v->o.whole.whole = true;
	v->step = STEP_COUNT;
	rc = session_opening_run(&v->o, err);
	/* the functions above are gone with this call: nobody watches the rest */
	v->o.opt = NULL;
	if (rc == 0) {
		v->o.session.opt.observer = NULL;
		finish_step(v, STEP_COUNT, &v->o.session);
	}
	return rc;
}

/* The account for a look at a server whose certificate does not do. */
static void make_loose(struct visit *v)
{
	struct tls_settings *t = &v->loose.tls;

	v->loose = v->c->account;
	t->certcheck = false;
	t->fingerprint = NULL;
	t->pin = NULL;
	t->trust_file = t->trust_dir = t->crl_file = NULL;
	t->cert_file = t->key_file = t->pkcs12_file = NULL;
	t->ocsp = TLS_OCSP_OFF;
	t->dane = TLS_DANE_OFF;
}

/* Everything of a session that stands, up to RCPT. */
static bool run_session(struct visit *v)
{
	const bool good = check_transaction(v);

	session_quit(&v->o.session, true);
	session_opening_close(&v->o);
	return good;
}

static void look_loosely(struct visit *v, const struct error *why)
{
	struct error err;

	make_loose(v);
	v->refused = why;
	if (open_visit(v, true, &err) == 0) {
		session_quit(&v->o.session, true);
		session_opening_close(&v->o);
	}
	/* it did not come as far as to show a certificate: then that is not the point */
	if (v->refused)
		check_fail_server(v->c, "tls", why, !session_opening_worth_another(&v->o, why));
	else
		check_tell(v->c, CHECK_SKIP, "sign-in", NULL, "and all behind it: not tried "
			   "without TLS as the account wants it");
	v->refused = NULL;
}

static void fail_opening(struct visit *v, const struct error *err)
{
	struct check *c = v->c;
	const enum session_step step = v->step == STEP_COUNT ? STEP_CONNECT : v->step;

	if (step == STEP_TLS) {
		look_loosely(v, err);
		return;
	}
	/* a second try with a password that is wrong may lock the account */
	if (step == STEP_AUTH && err->exit == EX_NOPERM)
		c->refused = true;
	check_fail_server(c, steps[step].name, err, !session_opening_worth_another(&v->o, err));
}

/* With v->o ready for one address. */
static void visit_address(struct visit *v)
{
	struct check *c = v->c;
	struct error err;

	c->facts.address = c->address;
	c->facts.signed_in = false;
	c->facts.server_name = NULL;
	c->facts.tls = NULL;
	memset(v->told, 0, sizeof(v->told));
	if (open_visit(v, false, &err) < 0)
		fail_opening(v, &err);
	else if (run_session(v) && !c->ended)
		c->reached = true;
}

/* --- one server --------------------------------------------------------------- */

static void tell_addresses(struct check *c, const struct server *t, const struct host_addresses *l)
{
	struct strbuf text = STRBUF_INIT(LIST_MAX);
	struct address numeric;

	for (size_t i = 0; i < l->n; i++) {
		char one[ADDRESS_TEXT];

		address_text(&l->v[i].to.any, one, sizeof(one));
		strbuf_addf(&text, "%s%s", i ? ", " : "", one);
	}
	if (!address_from_text(t->host, t->port, &numeric))
		check_ok(c, "dns", "%s has %s", t->host, text.buf);
	strbuf_release(&text);
}

static void visit_all(struct visit *v, const struct host_addresses *all)
{
	struct check *c = v->c;

	for (size_t i = 0; i < all->n; i++) {
		char text[ADDRESS_TEXT];

		address_text(&all->v[i].to.any, text, sizeof(text));
		c->address = arena_strdup(c->arena, text);
		v->o.addresses.v = xcalloc(1, sizeof(*all->v));
		v->o.addresses.v[0] = all->v[i];
		v->o.addresses.n = 1;
		visit_address(v);
		host_addresses_release(&v->o.addresses);
	}
	c->address = NULL;
}

static void visit_server(struct check *c, const struct server *t)
{
	struct visit v = { .c = c, .o = {
		.envelope = &c->submission->envelope, .arena = c->arena, .target = *t,
		.credential = check_credential, .credential_ctx = c, .polite = true,
	} };
	struct host_addresses all = { .n = 0 };
	struct deadline whole = deadline_in(c->account.timeouts.total, "the server");
	const struct connect_request request = {
		.account = &c->account, .target = t, .addresses = &all, .whole = &whole,
	};
	struct error err;

	c->server = t->path ? t->path : arena_printf(c->arena, "%s:%u", t->host, t->port);
	c->facts.host = t->host;
	c->facts.port = t->port;
	c->facts.local = t->path != NULL;
	c->facts.service = c->account.via == VIA_SERVICE;
	int known = connect_addresses(&request, &c->facts.proxied, &err);

	v.o.account = &c->account;
	v.o.whole = whole;
	if (known < 0) {
		check_fail_server(c, "dns", &err, !session_opening_worth_another(&v.o, &err));
	} else if (known) {
		tell_addresses(c, t, &all);
		visit_all(&v, &all);
	} else {
		visit_address(&v);
	}
	host_addresses_release(&all);
	check_settle_server(c);
}

/* --- all servers ------------------------------------------------------------------ */

static void tell_records(struct check *c, const struct server *t)
{
	c->server = NULL;
	if (t->domain)
		check_ok(c, "dns", "the SRV records of %s lead to %s:%u", t->domain, t->host,
			 t->port);
	else if (c->mx_domain)
		check_ok(c, "dns", "mail for %s goes to %s:%u", c->mx_domain, t->host, t->port);
}

void check_servers(struct check *c)
{
	struct deadline whole = deadline_in(c->account.timeouts.total, "the server");
	struct server_list targets = {
		.account = &c->account, .mx_domain = c->mx_domain, .arena = c->arena,
		.whole = &whole, .sender = c->submission->envelope.sender,
	};
	struct server t;
	struct error err;
	int found;

	c->facts.user = c->account.auth.user;
	while ((found = server_list_next(&targets, &t, &err)) != 0) {
		c->server = NULL;
		c->facts.host = c->mx_domain ? c->mx_domain : c->account.host;
		if (found < 0) {
			check_fail_server(c, "dns", &err, false);
			check_settle_server(c);
			continue;
		}
		tell_records(c, &t);
		visit_server(c, &t);
	}
}
