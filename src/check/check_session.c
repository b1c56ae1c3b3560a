#include "config.h"
#include "check/check_session.h"

#include <inttypes.h>
#include <string.h>

#include "message/edits.h"
#include "message/message.h"
#include "message/result.h"
#include "net/wire.h"
#include "prepare/requests.h"
#include "smtp/auth/auth.h"
#include "smtp/auth/mechanism.h"
#include "smtp/transaction.h"
#include "tls/tls.h"
#include "util/arena.h"
#include "util/error.h"
#include "util/strbuf.h"

#define LIST_MAX ((size_t)8192)

enum { DAYS_SOON = 30 };	/* a certificate that ends before is worth a warning */

/* --- TLS ------------------------------------------------------------------ */

static void look_at_version(struct visit *v)
{
	const struct tls_settings *t = &v->c->account.tls;

	if (v->facts.version_13)
		check_tell(v->c, CHECK_OK, "tls", NULL, "%s", v->facts.text);
	else
		check_tell(v->c, CHECK_WARN, "tls", t->priorities ?
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

static const char *staple_words(const struct tls_facts *f)
{
	return !f->stapled ? "" : f->staple_good ? ", good by OCSP" : ", bad by OCSP";
}

static void look_at_validity(struct visit *v)
{
	const struct tls_facts *f = &v->facts;

	if (f->days_left < DAYS_SOON)
		check_tell(v->c, CHECK_WARN, "certificate", f->days_left < 0 ?
			   "it is accepted all the same; the server's administrator should "
			   "renew it" : "the server's administrator should renew it in time",
			   f->days_left < 0 ? "has expired on %s" :
			   "valid only until %s, %" PRId64 " days", f->until, f->days_left);
	else
		check_tell(v->c, CHECK_OK, "certificate", NULL, "valid from %s until %s, %" PRId64
			   " days", f->from, f->until, f->days_left);
}

static void look_at_certificate(struct visit *v)
{
	struct check *c = v->c;
	const struct tls_facts *f = &v->facts;
	const char *how = how_accepted(v);

	check_tell(c, CHECK_OK, "certificate", NULL, "%s; for %s%s", f->chain,
		   *f->names ? f->names : "no name that counts", staple_words(f));
	if (v->refused) {
		/* a setting, or what the certificate is compared with */
		const bool own = v->refused->exit == EX_CONFIG || v->refused->exit == EX_OSFILE;

		check_fail_server(c, own ? "tls" : "certificate", v->refused,
				  !session_opening_worth_another(&v->o, v->refused));
		v->refused = NULL;
		return;
	}
	if (how)
		check_tell(c, CHECK_OK, "certificate", NULL, "%s; tls_pin = %s", how, f->pin);
	else if (c->account.tls.certcheck)
		check_tell(c, CHECK_OK, "certificate", NULL, "not verified: any will do where TLS "
			   "need not be (tls = may)");
	else
		check_tell(c, CHECK_WARN, "certificate", arena_printf(c->arena,
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
		check_tell(v->c, CHECK_OK, step, NULL, "the server did not ask for it");
	else if (f->our_days_left < DAYS_SOON)
		check_tell(v->c, CHECK_WARN, step, "get a new one in time",
			   f->our_days_left < 0 ? "%s; has expired on %s" :
			   "%s; valid only until %s, %" PRId64 " days", f->our_chain, f->our_until,
			   f->our_days_left);
	else
		check_tell(v->c, CHECK_OK, step, NULL, "%s; valid until %s, %" PRId64 " days",
			   f->our_chain, f->our_until, f->our_days_left);
}

void check_tls(struct visit *v, const struct session *s)
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
	{ EXT_PIPELINING, true, "PIPELINING (slow)" },
};

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
		check_tell(v->c, CHECK_WARN, "extensions", NULL, "without %s", text.buf);
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
		check_tell(v->c, CHECK_OK, "size", NULL, "messages up to %" PRIu64 " octets",
			   s->size_limit);
	look_at_missing(v, s);
}

static void look_at_name(struct visit *v, const struct session *s)
{
	const char *name = s->opt.ehlo_name;
	const bool full = *name == '[' || strchr(name, '.');

	if (full || s->local || s->protocol == SESSION_LMTP)
		check_tell(v->c, CHECK_OK, "ehlo", NULL, "we are '%s', it is '%s'%s", name,
			   s->server_name, s->protocol == SESSION_SMTP ? ", HELO only" : "");
	else
		check_tell(v->c, CHECK_WARN, "ehlo", "set 'domain' to the full name of this host: "
			   "some servers refuse others", "we call ourselves '%s', which is no full "
			   "host name", name);
}

/* Nobody has tried to sign in, though the account would. */
static void tell_no_sign_in(struct visit *v)
{
	if (v->c->no_secret)
		check_tell(v->c, CHECK_SKIP, "sign-in", NULL, "not tried without the secret");
	else if (v->c->refused)
		check_tell(v->c, CHECK_SKIP, "sign-in", NULL, "not tried again, as it was refused");
}

void check_ehlo(struct visit *v, const struct session *s)
{
	look_at_name(v, s);
	look_at_extensions(v, s);
	if (s->opt.info_only)
		tell_no_sign_in(v);
}

/* --- sign-in ------------------------------------------------------------------ */

void check_signed_in(struct visit *v, const struct session *s)
{
	struct check *c = v->c;
	const struct mechanism *m = s->mechanism ? mechanism_find(s->mechanism) : NULL;
	const char *user = c->account.auth.user;

	c->facts.signed_in = s->authenticated;
	if (!s->authenticated)
		check_tell(c, CHECK_WARN, "sign-in", NULL, "was not possible, and the account can "
			   "do without (auth = try)");
	else if (m && m->flags & MECHANISM_READABLE && !s->encrypted && !s->local)
		check_tell(c, CHECK_WARN, "sign-in", "anybody on the way can read the password: "
			   "set 'tls = starttls' or 'tls = implicit'", "'%s' by %s WITHOUT TLS",
			   user ? user : "", m->name);
	else
		check_tell(c, CHECK_OK, "sign-in", NULL, "'%s' by %s", user ? user : "",
			   s->mechanism);
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
		check_tell(c, CHECK_OK, "sender", NULL, "<%s>: %s", c->submission->envelope.sender,
			   r->mail_reply);
	if (good)
		check_tell(c, CHECK_OK, "recipient", NULL, "<%s>: %s (nothing was sent)",
			   c->submission->envelope.rcpt[0].address,
			   r->reply_text ? r->reply_text : "");
	else
		check_fail_server(c, r->mail_reply ? "recipient" : "sender", &r->error, true);
	return good;
}

bool check_transaction(struct visit *v)
{
	const struct transaction_options opt = { .rehearsal = true };
	struct check *c = v->c;
	struct result r;
	struct error err;

	/* without what it takes to sign in, the server's answers would mean nothing */
	if (v->o.info_only || c->no_envelope)
		return !v->o.info_only;
	result_init(&r, c->arena, c->submission->envelope.rcpt_count);
	if (settle_requests(c, &err) < 0) {
		check_fail_server(c, "sender", &err, true);
		return false;
	}
	transaction_run(&v->o.session, &c->submission->envelope, NULL, NULL, &opt, &r);
	result_settle(&r);
	return tell_result(v, &r);
}
