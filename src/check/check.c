#include "config.h"
#include "check/check.h"

#include <stdarg.h>
#include <string.h>

#include "check/check_private.h"
#include "conf/accounts.h"
#include "submit/attempt.h"
#include "submit/session_open.h"
#include "util/arena.h"
#include "util/strbuf.h"
#include "util/text.h"

#define LINE_MAX_OCTETS ((size_t)16 * 1024)

enum { PATIENCE = 60 };		/* seconds for one answer of a server */

const char *check_verdict_name(enum check_verdict v)
{
	static const char *const names[] = {
		[CHECK_OK] = "ok", [CHECK_WARN] = "warn", [CHECK_FAIL] = "FAIL",
		[CHECK_SKIP] = "skip",
	};

	return names[v];
}

/* --- findings ----------------------------------------------------------- */

/*
 * From the first failure of a server on it is not known yet whether that is
 * one for the user: another server or address may take the message.
 */
static void pass_on(struct check *c, const struct check_finding *f)
{
	struct check_held *h;

	if (!c->network || (!c->held && f->verdict != CHECK_FAIL)) {
		c->r->found(c->r->ctx, f);
		return;
	}
	h = arena_alloc(c->arena, sizeof(*h));
	h->finding = *f;
	h->next = NULL;
	if (!c->held)
		c->held_end = &c->held;
	*c->held_end = h;
	c->held_end = &h->next;
}

static void release_held(struct check *c)
{
	const bool made_up = c->reached;

	for (struct check_held *h = c->held; h; h = h->next) {
		if (made_up && h->finding.verdict == CHECK_FAIL)
			h->finding.verdict = CHECK_WARN;
		c->r->found(c->r->ctx, &h->finding);
	}
	c->held = NULL;
}

static void tell(struct check *c, enum check_verdict v, const char *step, const char *hint,
		 const char *text, const struct error *err)
{
	struct strbuf line = STRBUF_INIT(LINE_MAX_OCTETS);

	text_escape_add(&line, text, strlen(text));
	const struct check_finding f = {
		.verdict = v, .step = step, .hint = hint, .text = arena_strdup(c->arena, line.buf),
		.server = c->network ? c->server : NULL, .address = c->network ? c->address : NULL,
		.fault = err ? err->fault : FAULT_NONE, .exit = err ? err->exit : 0,
		.reply = err ? err->reply : 0,
		.status = err ? arena_strdup(c->arena, err->status) : NULL,
	};

	strbuf_release(&line);
	pass_on(c, &f);
}

void check_tell(struct check *c, enum check_verdict v, const char *step, const char *hint,
		const char *fmt, ...)
{
	struct strbuf text = STRBUF_INIT(LINE_MAX_OCTETS);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	tell(c, v, step, hint, text.buf, NULL);
	strbuf_release(&text);
}

static const char *hint_for(struct check *c, const char *step, const struct error *err)
{
	struct hint_query q = c->facts;

	q.step = step;
	q.error = err;
	return check_hint(c->arena, &q);
}

void check_fail(struct check *c, const char *step, const struct error *err)
{
	if (!c->first.exit)
		c->first = *err;
	tell(c, CHECK_FAIL, step, hint_for(c, step, err), err->text, err);
}

void check_fail_server(struct check *c, const char *step, const struct error *err, bool last)
{
	if (!c->reached && !c->ended) {
		/* of the addresses of one server the first counts, or who refuses for good */
		if (!c->one.exit || last)
			c->one = *err;
		c->ended = last;
	}
	/* where mail gets through all the same, it is a warning */
	tell(c, c->reached ? CHECK_WARN : CHECK_FAIL, step, hint_for(c, step, err), err->text,
	     err);
}

void check_settle_server(struct check *c)
{
	if (c->one.exit)
		session_opening_note_failure(&c->servers, &c->one);
	c->one.exit = 0;
}

void check_tell_failure(check_found_fn *found, void *ctx, const char *step,
			const struct error *err)
{
	const struct check_request r = { .found = found, .ctx = ctx };
	struct check c = { .r = &r, .arena = arena_new() };

	check_fail(&c, step, err);
	arena_free(c.arena);
}

/* Nobody wants to look at a silent server for as long as a message may wait for it. */
static void shorten(unsigned *seconds)
{
	if (!*seconds || *seconds > PATIENCE)
		*seconds = PATIENCE;
}

static void be_impatient(struct timeouts *t)
{
	shorten(&t->connect);
	shorten(&t->greeting);
	shorten(&t->helo);
	shorten(&t->starttls);
	shorten(&t->auth);
	shorten(&t->mail);
	shorten(&t->rcpt);
	shorten(&t->rset);
}

/* --- all of it ----------------------------------------------------------- */

/* Direct delivery means another account, and the domain that the mail is for. */
static bool settle_account(struct check *c)
{
	struct error err;
	const char *at;

	if (!c->account.net.mx || c->account.socket)
		return true;
	c->account = attempt_direct_account(&c->account);
	at = c->no_envelope ? NULL : strrchr(c->submission->envelope.rcpt[0].address, '@');
	c->mx_domain = at ? at + 1 : NULL;
	if (!at && !c->no_envelope) {
		error_set(&err, FAULT_NO_DOMAIN, "recipient '%s' has no domain to send to",
			  c->submission->envelope.rcpt[0].address);
		check_fail(c, "recipient", &err);
	}
	return at != NULL;
}

int check_account(const struct check_request *r)
{
	struct check c = { .r = r, .arena = r->submission->arena, .submission = r->submission,
			   .account = *r->submission->account };

	check_local(&c);
	check_envelope(&c);
	if (settle_account(&c)) {
		/* what a session in memory would spare is what is to be looked at */
		c.account.tls.session_cache = NULL;
		/* what is advised about a certificate is in the hints, line by line */
		c.account.tls.reasons_only = true;
		be_impatient(&c.account.timeouts);
		c.network = true;
		check_servers(&c);
		release_held(&c);
	}
	int status = c.first.exit ? c.first.exit : c.reached ? 0 : c.servers.exit;

	secret_release(&c.password);
	secret_release(&c.token);
	return status;
}
