#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "smtp/command.h"
#include "smtp/ext/ext.h"
#include "smtp_peer.h"
#include "util/clock.h"

#define DAY 86400
#define SINCE INT64_C(1709208000000)	/* 2024-02-29T12:00:00Z */

static void note(struct peer *p, const char *line)
{
	strvec_add(&p->session.keywords, line);
	extensions_parse_line(&p->session, line);
}

static struct peer *bare(void)
{
	struct peer *p = peer_bare();

	p->session.arena = p->session.domains.arena = arena_new();
	p->account.ext.solicit_check = p->account.ext.prdr = p->account.ext.limits = true;
	return p;
}

static int64_t in(int64_t seconds)
{
	return datetime_now() + seconds * 1000 + 500;	/* half a second to be late */
}

/* --- parameters ------------------------------------------------------------ */

/* What is asked for, what is announced, and what goes out then; '*' is any digits. */
struct row {
	const char *label;
	struct ext_request ext;
	struct ext_settings own;
	const char *keyword, *params;
	const char *envid;
};

/* Does text fit the pattern, in which '*' stands for digits? */
static bool fits(const char *pattern, const char *text)
{
	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			size_t n = strspn(text, "0123456789");

			if (!n)
				return false;
			text += n;
		} else if (*pattern != *text++) {
			return false;
		}
	}
	return !*text;
}

static void check_row(const struct row *r)
{
	struct strbuf out = STRBUF_INIT(4096);
	struct peer *p = bare();

	print_message("%s\n", r->label);
	p->envelope.ext = r->ext;
	p->envelope.envid = r->envid;
	p->account.ext = r->own;
	assert_int_equal(extensions_params(&p->session, &p->envelope, NULL, &out), 0);
	assert_int_equal(out.len, 0);
	note(p, r->keyword);
	size_t octets = extensions_params(&p->session, &p->envelope, NULL, &out);

	if (!fits(r->params, out.buf))
		fail_msg("%s: '%s', not '%s'", r->label, out.buf, r->params);
	assert_true(octets >= out.len - (out.len ? 7 : 0));
	assert_int_equal(octets > 0, out.len > 0);
	strbuf_release(&out);
	peer_free(p);
}

static void test_mail_params(void **state)
{
	const struct row rows[] = {
		{ "nothing", { .by = BY_NONE }, { .esmtp = true }, "DELIVERBY", "", NULL },
		{ "by R", { .by = BY_RETURN, .by_ms = in(3600) },
		  { .esmtp = true }, "DELIVERBY", " BY=360*;R", NULL },
		{ "by NT", { .by = BY_NOTIFY, .by_trace = true, .by_ms = in(60) },
		  { .esmtp = true },
		  "DELIVERBY 5", " BY=6*;NT", NULL },
		{ "by, past", { .by = BY_NOTIFY, .by_ms = in(-60) }, { .esmtp = true }, "DELIVERBY",
		  " BY=-*;N", NULL },
		{ "by, nine digits", { .by = BY_NOTIFY, .by_ms = in(2000000000) },
		  { .esmtp = true },
		  "DELIVERBY", " BY=999999999;N", NULL },
		{ "by, nine digits ago", { .by = BY_NOTIFY, .by_ms = 0 }, { .esmtp = true },
		  "DELIVERBY", " BY=-999999999;N", NULL },
		{ "hold for", { .hold = HOLD_FOR, .hold_ms = in(DAY) }, { .esmtp = true },
		  "FUTURERELEASE", " HOLDFOR=8640*", NULL },
		{ "hold until", { .hold = HOLD_UNTIL, .hold_ms = INT64_C(4102444800000) },
		  { .esmtp = true }, "FUTURERELEASE", " HOLDUNTIL=2100-01-01T00:00:00Z", NULL },
		{ "hold for, as until", { .hold = HOLD_FOR, .hold_ms = INT64_C(4102444800000) },
		  { .hold_as = HOLD_AS_UNTIL }, "FUTURERELEASE",
		  " HOLDUNTIL=2100-01-01T00:00:00Z", NULL },
		{ "hold until, as for", { .hold = HOLD_UNTIL, .hold_ms = in(DAY) },
		  { .hold_as = HOLD_AS_FOR }, "FUTURERELEASE", " HOLDFOR=8640*", NULL },
		{ "hold, passed", { .hold = HOLD_UNTIL, .hold_ms = 1 }, { .esmtp = true },
		  "FUTURERELEASE", "", NULL },
		{ "priority", { .priority_given = true, .priority = -9 }, { .esmtp = true },
		  "MT-PRIORITY", " MT-PRIORITY=-9", NULL },
		{ "priority 0", { .priority_given = true }, { .esmtp = true }, "MT-PRIORITY X",
		  " MT-PRIORITY=0", NULL },
		{ "solicit", { .solicit = "a:B,c" }, { .esmtp = true }, "NO-SOLICITING",
		  " SOLICIT=a:B,c", NULL },
		{ "track", { .mtrk = "abc" }, { .esmtp = true }, "MTRK", " ENVID=x@y MTRK=abc",
		  "x@y" },
		{ "track, time", { .mtrk = "abc", .mtrk_timeout = 5 }, { .esmtp = true }, "MTRK",
		  " ENVID=x@y MTRK=abc:5", "x@y" },
		{ "track, padding", { .mtrk = "abc" }, { .mtrk_padding = true }, "MTRK",
		  " ENVID=x@y MTRK=abc=", "x@y" },
		{ "track without id", { .mtrk = "abc" }, { .esmtp = true }, "MTRK", "", NULL },
		{ "conperm", { .asked[EXT_CONPERM] = true },
		  { .esmtp = true }, "CONPERM", " CONPERM", NULL },
		{ "submitter", { .submitter = "a+b@c" }, { .esmtp = true }, "SUBMITTER",
		  " SUBMITTER=a+2Bb@c", NULL },
		{ "auth", { .mail_auth = "a=b@c" }, { .esmtp = true }, "AUTH X", " AUTH=a+3Db@c",
		  NULL },
		{ "auth, null", { .mail_auth = "" }, { .esmtp = true }, "AUTH X", " AUTH=<>",
		  NULL },
		{ "prdr, one recipient", { .by = BY_NONE }, { .prdr = true }, "PRDR", "", NULL },
		{ "requiretls without tls", { .requiretls = true },
		  { .esmtp = true }, "REQUIRETLS", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

static void test_prdr(void **state)
{
	struct strbuf out = STRBUF_INIT(100);
	struct peer *p = bare();

	(void)state;
	recipients(p, "b@example.org", "c@example.org");
	note(p, "PRDR");
	(void)extensions_params(&p->session, &p->envelope, NULL, &out);
	assert_string_equal(out.buf, " PRDR");
	strbuf_reset(&out);
	p->session.protocol = SESSION_LMTP;	/* it has answers for each recipient anyway */
	(void)extensions_params(&p->session, &p->envelope, NULL, &out);
	assert_string_equal(out.buf, "");
	p->session.protocol = SESSION_ESMTP;
	p->account.ext.prdr = false;
	(void)extensions_params(&p->session, &p->envelope, NULL, &out);
	assert_string_equal(out.buf, "");
	strbuf_release(&out);
	peer_free(p);
}

static void test_rcpt_params(void **state)
{
	static const struct {
		const char *label;
		struct recipient r;
		struct ext_request ext;
		bool insecure, encrypted, local;
		enum orcpt orcpt;
		const char *keyword, *params;
	} rows[] = {
		{ "rrvs", { .address = "b@c", .rrvs = true, .rrvs_ms = SINCE }, { .by = BY_NONE },
		  false, true, false, ORCPT_AUTO, "RRVS", " RRVS=2024-02-29T12:00:00Z" },
		{ "rrvs, C", { .address = "b@c", .rrvs = true, .rrvs_continue = true,
		  .rrvs_ms = SINCE },
		  { .by = BY_NONE }, false, false, true, ORCPT_AUTO, "RRVS",
		  " RRVS=2024-02-29T12:00:00Z;C" },
		{ "rrvs, insecure", { .address = "b@c", .rrvs = true, .rrvs_ms = 0 },
		  { .by = BY_NONE },
		  true, false, false, ORCPT_AUTO, "RRVS", " RRVS=1970-01-01T00:00:00Z" },
		{ "rrvs in clear", { .address = "b@c", .rrvs = true, .rrvs_ms = 0 },
		  { .by = BY_NONE },
		  false, false, false, ORCPT_AUTO, "RRVS", "" },
		{ "no rrvs", { .address = "b@c" }, { .by = BY_NONE }, true, true, true, ORCPT_AUTO,
		  "RRVS", "" },
		{ "conneg", { .address = "b@c" }, { .asked[EXT_CONNEG] = true },
		  false, false, false,
		  ORCPT_AUTO,
		  "CONNEG", " CONNEG" },
		{ "conperm asks too", { .address = "b@c" },
		  { .asked[EXT_CONPERM] = true }, false, false, false,
		  ORCPT_AUTO, "CONNEG", " CONNEG" },
		{ "orcpt always", { .address = "b@c" }, { .by = BY_NONE }, false, false, false,
		  ORCPT_ALWAYS, "DSN", " ORCPT=rfc822;b@c" },
		{ "orcpt never", { .address = "b@c", .orcpt = "o@p", .notify = DSN_NOTIFY_DELAY },
		  { .by = BY_NONE }, false, false, false, ORCPT_NEVER, "DSN", " NOTIFY=DELAY" },
		{ "track by DSN", { .address = "b@c" }, { .mtrk = "x" }, false, false, false,
		  ORCPT_AUTO,
		  "DSN", " ORCPT=rfc822;b@c" },
		{ "track without DSN", { .address = "b@c", .orcpt = "o@p" }, { .mtrk = "x" }, false,
		  false, false, ORCPT_AUTO, "MTRK", " ORCPT=rfc822;o@p" },
		{ "late becomes a notice", { .address = "b@c" }, { .by = BY_NOTIFY }, false, false,
		  false, ORCPT_AUTO, "DSN", " NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@c" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct strbuf out = STRBUF_INIT(4096);
		struct peer *p = bare();

		print_message("%s\n", rows[i].label);
		p->envelope.ext = rows[i].ext;
		p->envelope.sender = "a@b";
		p->session.encrypted = rows[i].encrypted;
		p->session.local = rows[i].local;
		p->account.ext.rrvs_insecure = rows[i].insecure;
		p->account.ext.orcpt = rows[i].orcpt;
		assert_int_equal(extensions_params(&p->session, &p->envelope, &rows[i].r,
		  &out), 0);
		note(p, rows[i].keyword);
		(void)extensions_params(&p->session, &p->envelope, &rows[i].r, &out);
		assert_string_equal(out.buf, rows[i].params);
		strbuf_release(&out);
		peer_free(p);
	}
}

/* --- checks ------------------------------------------------------------------ */

static void test_checks(void **state)
{
	static const char *const require_prio[] = { "mt-priority:require", NULL };
	static const char *const local[] = { "FutureRelease:Local", NULL };
	static const char *const try[] = { "deliver_by:try", "hold_for:try", "conperm:try", NULL };
	const struct {
		const char *label;
		struct ext_request ext;
		struct ext_settings own;
		const char *keyword;
		int exit;
		const char *status, *text;
	} rows[] = {
		{ "nothing", { .by = BY_NONE }, { .esmtp = true }, "SIZE", 0, "", "" },
		{ "R, none", { .by = BY_RETURN, .by_ms = in(60) },
		  { .esmtp = true }, "SIZE", 69, "5.3.3",
		  "DELIVERBY" },
		{ "R, none, try", { .by = BY_RETURN, .by_ms = in(60) },
		  { .policy = try }, "SIZE", 69,
		  "5.3.3", "DELIVERBY" },
		{ "R, there", { .by = BY_RETURN, .by_ms = in(60) },
		  { .esmtp = true }, "DELIVERBY", 0, "", "" },
		{ "R, minimum met", { .by = BY_RETURN, .by_ms = in(60) }, { .esmtp = true },
		  "DELIVERBY 60,x", 0, "", "" },
		{ "R, below", { .by = BY_RETURN, .by_ms = in(60) },
		  { .esmtp = true }, "DELIVERBY 62", 69,
		  "5.4.7", "at least 62" },
		{ "R, odd minimum", { .by = BY_RETURN, .by_ms = in(60) }, { .esmtp = true },
		  "DELIVERBY 1000000000", 0, "", "" },
		{ "R, minimum with letters", { .by = BY_RETURN, .by_ms = in(60) },
		  { .esmtp = true },
		  "DELIVERBY 99x", 0, "", "" },
		{ "R, over", { .by = BY_RETURN, .by_ms = in(-2) },
		  { .esmtp = true }, "DELIVERBY", 69,
		  "5.4.7", "passed" },
		{ "R, just over", { .by = BY_RETURN, .by_ms = in(-1) },
		  { .esmtp = true }, "DELIVERBY", 69,
		  "5.4.7", "passed" },
		{ "N, none", { .by = BY_NOTIFY, .by_ms = in(-2) },
		  { .esmtp = true }, "SIZE", 0, "", "" },
		{ "N below", { .by = BY_NOTIFY, .by_ms = in(5) },
		  { .esmtp = true }, "DELIVERBY 60", 0, "", "" },
		{ "hold, none", { .hold = HOLD_FOR, .hold_ms = in(60) },
		  { .esmtp = true }, "SIZE", 69,
		  "5.3.3", "FUTURERELEASE" },
		{ "hold, try", { .hold = HOLD_FOR, .hold_ms = in(60) },
		  { .policy = try }, "SIZE", 0, "", "" },
		{ "hold, local", { .hold = HOLD_FOR, .hold_ms = in(60) },
		  { .policy = local }, "SIZE", 69,
		  "5.3.3", "queue" },
		{ "hold, passed", { .hold = HOLD_UNTIL, .hold_ms = in(-60) },
		  { .esmtp = true }, "SIZE", 0,
		  "", "" },
		{ "hold, fits", { .hold = HOLD_FOR, .hold_ms = in(60) }, { .esmtp = true },
		  "FUTURERELEASE 62 2199-01-01T00:00:00Z", 0, "", "" },
		{ "hold, too long", { .hold = HOLD_FOR, .hold_ms = in(60) }, { .esmtp = true },
		  "FUTURERELEASE 50 2199-01-01T00:00:00Z", 69, "5.5.4", "50 seconds" },
		{ "hold, too late", { .hold = HOLD_FOR, .hold_ms = in(60) }, { .esmtp = true },
		  "FUTURERELEASE 99999 2001-01-01T00:00:00Z", 69, "5.5.4", "2001-01-01T00:00:00Z" },
		{ "hold, odd limits", { .hold = HOLD_FOR, .hold_ms = in(60) }, { .esmtp = true },
		  "FUTURERELEASE x y z", 0, "", "" },
		{ "prio, none", { .priority_given = true }, { .esmtp = true }, "SIZE", 0, "", "" },
		{ "prio, required", { .priority_given = true },
		  { .policy = require_prio }, "SIZE", 69,
		  "5.3.3", "MT-PRIORITY" },
		{ "prio, required and there", { .priority_given = true },
		  { .policy = require_prio },
		  "MT-PRIORITY", 0, "", "" },
		{ "prio required, not asked for", { .by = BY_NONE },
		  { .policy = require_prio }, "SIZE", 0,
		  "", "" },
		{ "solicit fits", { .solicit = "a:B" }, { .solicit_check = true },
		  "NO-SOLICITING a:C,b:B", 0,
		  "", "" },
		{ "solicit", { .solicit = "x,a:B" }, { .solicit_check = true },
		  "NO-SOLICITING b:B,A:b", 77,
		  "5.7.1", "a:B" },
		{ "solicit, part of a word", { .solicit = "a:B" }, { .solicit_check = true },
		  "NO-SOLICITING a:BC,xa:B", 0, "", "" },
		{ "solicit, unchecked", { .solicit = "a:B" },
		  { .esmtp = true }, "NO-SOLICITING a:B", 0,
		  "", "" },
		{ "conperm, none", { .asked[EXT_CONPERM] = true },
		  { .esmtp = true }, "SIZE", 69, "5.6.3",
		  "CONPERM" },
		{ "conperm, try", { .asked[EXT_CONPERM] = true },
		  { .policy = try }, "SIZE", 69, "5.6.3",
		  "CONPERM" },
		{ "conperm, conneg", { .asked[EXT_CONPERM] = true },
		  { .esmtp = true }, "CONNEG", 0, "", "" },
		{ "conperm, there", { .asked[EXT_CONPERM] = true },
		  { .esmtp = true }, "CONPERM", 0, "", "" },
		{ "requiretls", { .requiretls = true }, { .requiretls = REQUIRETLS_YES },
		  "REQUIRETLS", 69,
		  "5.7.10", "TLS" },
		{ "requiretls, try", { .requiretls = true }, { .requiretls = REQUIRETLS_TRY },
		  "REQUIRETLS", 0, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = bare();

		print_message("%s\n", rows[i].label);
		p->envelope.ext = rows[i].ext;
		p->envelope.sender = "a@b";
		p->account.ext = rows[i].own;
		note(p, rows[i].keyword);
		assert_int_equal(extensions_check(&p->session, &p->envelope, &p->err),
				 rows[i].exit ? -1 : 0);
		if (rows[i].exit) {
			assert_int_equal(p->err.exit, rows[i].exit);
			assert_string_equal(p->err.status, rows[i].status);
			assert_says(p->err.text, rows[i].text);
		}
		peer_free(p);
	}
}

static void test_rcpt_checks(void **state)
{
	struct peer *p = bare();
	struct recipient *r = &p->envelope.rcpt[0];

	(void)state;
	assert_int_equal(extensions_check_rcpt(&p->session, &p->envelope, r, &p->err), 0);
	r->rrvs = true;
	assert_int_equal(extensions_check_rcpt(&p->session, &p->envelope, r, &p->err), -1);
	assert_string_equal(p->err.status, "5.7.10");
	p->session.encrypted = true;
	assert_int_equal(extensions_check_rcpt(&p->session, &p->envelope, r, &p->err), -1);
	assert_string_equal(p->err.status, "5.3.3");
	assert_int_equal(p->err.exit, EX_UNAVAILABLE);
	p->account.ext.rrvs_header = true;
	assert_int_equal(extensions_check_rcpt(&p->session, &p->envelope, r, &p->err), 0);
	p->account.ext.rrvs_header = false;
	r->rrvs_continue = true;
	assert_int_equal(extensions_check_rcpt(&p->session, &p->envelope, r, &p->err), 0);
	r->rrvs_continue = false;
	note(p, "RRVS");
	assert_int_equal(extensions_check_rcpt(&p->session, &p->envelope, r, &p->err), 0);
	peer_free(p);
}

/* --- levels -------------------------------------------------------------------- */

static void test_policy_names(void **state)
{
	static const struct {
		const char *word;
		bool policy, force;
	} table[] = {
		{ "DSN", true, true }, { "dsn_notify", true, true }, { "dsn-notify", true, true },
		{ "MT-PRIORITY", true, true }, { "mt_priority", true, true },
		{ "Mt-Priority", true, true },
		{ "deliverby", true, true }, { "8bitmime", true, true }, { "SIZE", false, true },
		{ "STARTTLS", false, false }, { "PIPELINING", false, false },
		{ "AUTH", false, true },
		{ "mtpriority", false, false }, { "", false, false }, { "DS", false, false },
		{ "DSNX", false, false }, { "nonsense", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct peer *p = bare();
		char word[64];
		const char *list[2] = { word, NULL };

		print_message("%s\n", table[i].word);
		snprintf(word, sizeof(word), "%s:require", table[i].word);
		p->account.ext.policy = list;
		assert_int_equal(extensions_check_account(&p->account, &p->err),
				 table[i].policy ? 0 : -1);
		p->account.ext.policy = NULL;
		snprintf(word, sizeof(word), "%s", table[i].word);
		p->account.ext.force_ext = list;
		assert_int_equal(extensions_check_account(&p->account, &p->err),
				 table[i].force ? 0 : -1);
		peer_free(p);
	}
}

static void test_left_out(void **state)
{
	struct peer *p = bare();
	struct strvec names = STRVEC_INIT(64);

	(void)state;
	extensions_left_out(&p->session, &p->envelope, &names);
	assert_int_equal(names.n, 0);
	p->envelope.ext.priority_given = true;
	p->envelope.ext.solicit = "a";
	p->envelope.ext.mail_auth = "";
	note(p, "NO-SOLICITING");
	extensions_left_out(&p->session, &p->envelope, &names);
	assert_int_equal(names.n, 1);
	assert_string_equal(names.v[0], "MT-PRIORITY");
	strvec_release(&names);
	peer_free(p);
}

/* What may be left out goes when the server stumbles, and SIZE only when nothing else can. */
static void test_give_up(void **state)
{
	static const char *const policy[] = { "dsn:require", NULL };
	struct peer *p = bare();
	struct session *s = &p->session;
	struct envelope *e = &p->envelope;

	(void)state;
	e->sender = "a@b";
	e->size = 5;
	e->ret = DSN_RET_HDRS;
	e->ext.priority_given = true;
	note(p, "SIZE");
	note(p, "DSN");
	note(p, "MT-PRIORITY");
	note(p, "SUBMITTER");
	note(p, "RRVS");
	assert_true(extensions_droppable(s, e, NULL));
	assert_false(extensions_droppable(s, e, &e->rcpt[0]));
	assert_false(extensions_give_up(s, e, &e->rcpt[0]));
	assert_true(extensions_give_up(s, e, NULL));
	assert_false(session_has(s, EXT_DSN) || session_has(s, EXT_MT_PRIORITY));
	assert_true(session_has(s, EXT_SUBMITTER) && session_has(s, EXT_SIZE));
	assert_true(extensions_give_up(s, e, NULL));
	assert_false(session_has(s, EXT_SIZE));
	assert_false(extensions_give_up(s, e, NULL));
	note(p, "DSN");
	p->account.ext.policy = policy;
	e->rcpt[0].notify = DSN_NOTIFY_DELAY;
	assert_false(extensions_give_up(s, e, &e->rcpt[0]));
	p->account.ext.policy = NULL;
	assert_true(extensions_give_up(s, e, &e->rcpt[0]));
	e->rcpt[0].rrvs = true;		/* R: not to be given up */
	p->account.ext.rrvs_insecure = true;
	assert_false(extensions_give_up(s, e, &e->rcpt[0]));
	assert_true(session_has(s, EXT_RRVS));
	e->rcpt[0].rrvs_continue = true;
	assert_true(extensions_give_up(s, e, &e->rcpt[0]));
	peer_free(p);
}

static void test_arguments(void **state)
{
	struct peer *p = bare();

	(void)state;
	assert_null(extensions_arguments(&p->session, EXT_DELIVERBY));
	note(p, "XDELIVERBY 1");
	note(p, "DELIVERBYX 2");
	assert_null(extensions_arguments(&p->session, EXT_DELIVERBY));
	note(p, "deliverby   60,a b");
	assert_string_equal(extensions_arguments(&p->session, EXT_DELIVERBY), "60,a b");
	note(p, "MTRK");
	assert_string_equal(extensions_arguments(&p->session, EXT_MTRK), "");
	assert_true(extensions_announced(&p->session, "XDELIVERBY", 10));
	assert_true(extensions_announced(&p->session, "mtrk", 4));
	assert_false(extensions_announced(&p->session, "MTR", 3));
	assert_false(extensions_announced(&p->session, "MTRKS", 5));
	peer_free(p);
}

/* --- parameters of the user ------------------------------------------------------ */

static void test_user_params(void **state)
{
	static const char *const list[] = { "XVERP", "XA=1,2", "XB@XC=3", "XD", NULL };
	struct strbuf out = STRBUF_INIT(1000);
	struct peer *p = bare();

	(void)state;
	p->account.ext.mail_param = list;
	assert_int_equal(params_check(&p->account, &p->err), 0);
	note(p, "XVERP");
	note(p, "XA any");
	note(p, "XC");
	note(p, "XB");
	note(p, "XDD");
	size_t octets = extensions_params(&p->session, &p->envelope, NULL, &out);

	assert_string_equal(out.buf, " XVERP XA=1,2 XB=3");
	assert_int_equal(octets, out.len);
	strbuf_release(&out);
	peer_free(p);
}

static void test_user_params_refused(void **state)
{
	static const char *const words[] = { "SIZE=1", "size", "BODY=8BITMIME", "auth=<>", "BY=1;R",
		"HOLDFOR=1", "holduntil=x", "RET=FULL", "PRDR", "CONPERM", "NOTIFY=NEVER", "RRVS=x",
		"X=a b", "X=", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const char *const list[] = { words[i], NULL };
		struct peer *p = bare();

		print_message("%s\n", words[i]);
		p->account.ext.rcpt_param = list;
		assert_int_equal(params_check(&p->account, &p->err), -1);
		assert_int_equal(p->err.exit, EX_CONFIG);
		assert_says(p->err.text, "rcpt_param");
		peer_free(p);
	}
}

/* --- replies --------------------------------------------------------------------- */

static void reply(struct reply *r, const char *status, const char *const *lines)
{
	*r = (struct reply)REPLY_INIT;
	r->code = 250;
	snprintf(r->status, sizeof(r->status), "%s", status);
	for (; *lines; lines++)
		strvec_add(&r->lines, *lines);
}

static void test_conneg(void **state)
{
	static const struct {
		const char *lines[4], *status, *features, *filter;
		bool fits;
	} table[] = {
		{ { "ok" }, "", NULL, "", true },
		{ { "ok", "CONNEG (a=b)" }, "", "(a=b)", "(a=b)", true },
		{ { "ok", "conneg ( A = B )" }, "", "(a=b)", "( A = B )", true },
		{ { "ok", "CONNEG (a=c)" }, "", "(a=b)", "(a=c)", false },
		{ { "ok", "CONNEG (a=b)" }, "", NULL, "(a=b)", false },
		{ { "ok", "CONNEG any" }, "", NULL, "any", true },
		{ { "2.1.5 ok", "2.1.5 CONNEG (a=", "2.1.5 CONNEG b)" }, "2.1.5", "(a=b)",
		  "(a= b)", true },
		{ { "ok", "CONNEGX (a=b)" }, "", NULL, "", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct strbuf filter = STRBUF_INIT(1000);
		struct peer *p = bare();
		struct reply r;

		reply(&r, table[i].status, table[i].lines);
		p->envelope.ext.asked[EXT_CONPERM] = true;
		p->envelope.ext.features = table[i].features;
		assert_int_equal(conneg_take(&p->session, &p->envelope, &r, &filter),
		  table[i].fits);
		assert_string_equal(filter.buf, table[i].filter);
		note(p, "CONPERM");	/* may be converted: then it fits in any case */
		strbuf_reset(&filter);
		assert_true(conneg_take(&p->session, &p->envelope, &r, &filter));
		strbuf_release(&filter);
		reply_release(&r);
		peer_free(p);
	}
}

static void test_priority_changed(void **state)
{
	static const char *const lines[] = { "0 it is", NULL };
	struct peer *p = bare();
	struct reply r;

	(void)state;
	reply(&r, "2.3.6", lines);
	assert_false(priority_changed(&p->session, &r));
	note(p, "MT-PRIORITY");
	assert_true(priority_changed(&p->session, &r));
	snprintf(r.status, sizeof(r.status), "2.0.0");
	assert_false(priority_changed(&p->session, &r));
	r.status[0] = '\0';
	assert_false(priority_changed(&p->session, &r));
	reply_release(&r);
	peer_free(p);
}

/* --- LIMITS ------------------------------------------------------------------------ */

static void test_limits(void **state)
{
	static const struct {
		const char *line;
		unsigned rcpt, mail, domain;
	} table[] = {
		{ "LIMITS RCPTMAX=1 MAILMAX=2 RCPTDOMAINMAX=3", 1, 2, 3 },
		{ "LIMITS rcptdomainmax=999999", 0, 0, 999999 },
		{ "LIMITS MAILMAX=1000000", 0, 0, 0 },
		{ "LIMITS MAILMAX=0 RCPTDOMAINMAX=01", 0, 0, 0 },
		{ "LIMITS MAILMAX=5 MAILMAX=x", 0, 5, 0 },
		{ "LIMITS MAILMAXX=5 X=1", 0, 0, 0 }, { "LIMITS", 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct peer *p = bare();

		note(p, table[i].line);
		assert_int_equal(p->session.rcpt_max, table[i].rcpt);
		assert_int_equal(p->session.mail_max, table[i].mail);
		assert_int_equal(p->session.domain_max, table[i].domain);
		extensions_forget(&p->session);
		assert_int_equal(p->session.mail_max + p->session.domain_max, 0);
		p->account.ext.limits = false;
		note(p, table[i].line);
		assert_int_equal(p->session.mail_max + p->session.domain_max, 0);
		peer_free(p);
	}
}

static void test_mail_limit(void **state)
{
	struct peer *p = bare();

	(void)state;
	assert_false(limits_spent(&p->session));
	p->session.mail_count = 7;
	assert_false(limits_spent(&p->session));
	p->session.mail_max = 8;
	assert_false(limits_spent(&p->session));
	p->session.mail_max = 7;
	assert_true(limits_spent(&p->session));
	p->session.mail_max = 6;
	assert_true(limits_spent(&p->session));
	peer_free(p);
}

static void test_domain_limit(void **state)
{
	struct peer *p = bare();
	struct session *s = &p->session;

	(void)state;
	assert_true(limits_take_domain(s, "a@x"));
	assert_int_equal(s->domains.n, 0);	/* nothing is counted without a limit */
	s->domain_max = 2;
	assert_true(limits_take_domain(s, "a@x"));
	assert_true(limits_take_domain(s, "b@X"));
	assert_true(limits_take_domain(s, "postmaster"));
	assert_false(limits_take_domain(s, "a@y"));
	assert_true(limits_take_domain(s, "root"));
	assert_true(limits_take_domain(s, "\"@y\"@x"));
	peer_free(p);
}

static void test_many_domains(void **state)
{
	struct peer *p = bare();
	struct session *s = &p->session;
	char address[32];

	(void)state;
	s->domain_max = 5000;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 5001; i++) {
			snprintf(address, sizeof(address), "a@d%d.example", i);
			assert_int_equal(limits_take_domain(s, address), i < 5000);
		}
	}
	peer_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail_params), cmocka_unit_test(test_prdr),
		cmocka_unit_test(test_rcpt_params), cmocka_unit_test(test_checks),
		cmocka_unit_test(test_rcpt_checks), cmocka_unit_test(test_policy_names),
		cmocka_unit_test(test_left_out), cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_arguments), cmocka_unit_test(test_user_params),
		cmocka_unit_test(test_user_params_refused), cmocka_unit_test(test_conneg),
		cmocka_unit_test(test_priority_changed), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_mail_limit), cmocka_unit_test(test_domain_limit),
		cmocka_unit_test(test_many_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
