#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "message/request.h"
#include "smtp/command.h"
#include "smtp/ext/ext.h"
#include "smtp_peer.h"

static void note(struct peer *p, const char *line)
{
	extensions_parse_line(&p->session, line);
}

static void test_table(void **state)
{
	(void)state;
	for (int id = 0; id < EXT_COUNT; id++) {
		const struct extension *x = extensions[id];

		assert_non_null(x->keyword);
		assert_true(strspn(x->keyword, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
			    strlen(x->keyword));
		assert_int_equal(x->mail_params || (x->params && !x->rcpt_params),
				 x->mail_octets > 0);
		assert_int_equal(x->rcpt_params != NULL, x->rcpt_octets > 0);
	}
	assert_true(EXT_STARTTLS < EXT_AUTH);
}

static const struct {
	const char *line;
	int id;		/* EXT_COUNT = none */
} keywords[] = {
	{ "PIPELINING", EXT_PIPELINING }, { "pipelining", EXT_PIPELINING },
	{ "Pipelining ignored words", EXT_PIPELINING }, { "PIPELINING ", EXT_PIPELINING },
	{ "PIPELININGX", EXT_COUNT }, { "PIPELININ", EXT_COUNT }, { "XPIPELINING", EXT_COUNT },
	{ " PIPELINING", EXT_COUNT }, { "", EXT_COUNT }, { " ", EXT_COUNT }, { "-", EXT_COUNT },
	{ "=", EXT_COUNT }, { "welcome to this server", EXT_COUNT },
	{ "8BITMIME", EXT_8BITMIME }, { "SMTPUTF8", EXT_SMTPUTF8 }, { "DSN", EXT_DSN },
	{ "ENHANCEDSTATUSCODES", EXT_ENHANCEDSTATUSCODES }, { "CHUNKING", EXT_CHUNKING },
	{ "STARTTLS", EXT_STARTTLS }, { "STARTTLS=x", EXT_COUNT }, { "AUTH PLAIN", EXT_AUTH },
	{ "AUTH=PLAIN", EXT_AUTH }, { "SIZE", EXT_SIZE }, { "LIMITS RCPTMAX=5", EXT_LIMITS },
};

static void test_keywords(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		struct peer *p = peer_bare();

		note(p, keywords[i].line);
		for (int id = 0; id < EXT_COUNT; id++)
			assert_int_equal(session_has(&p->session, (enum extension_id)id),
					 id == keywords[i].id);
		extensions_forget(&p->session);
		for (int id = 0; id < EXT_COUNT; id++)
			assert_false(session_has(&p->session, (enum extension_id)id));
		peer_free(p);
	}
}

static void test_switched_off(void **state)
{
	(void)state;
	static const char *const off[] = { "dsn", "SIZE", "nonsense", NULL };
	struct peer *p = peer_bare();

	p->account.disable_extensions = off;
	p->account.pipelining = false;
	p->account.chunking = false;
	note(p, "DSN");
	note(p, "SIZE 5");
	note(p, "PIPELINING");
	note(p, "CHUNKING");
	note(p, "8BITMIME");
	assert_false(session_has(&p->session, EXT_DSN));
	assert_false(session_has(&p->session, EXT_SIZE));
	assert_false(session_has(&p->session, EXT_PIPELINING));
	assert_false(session_has(&p->session, EXT_CHUNKING));
	assert_true(session_has(&p->session, EXT_8BITMIME));
	p->envelope.ret = DSN_RET_FULL;		/* switched off is not missing */
	assert_false(extensions_missing(&p->session, &p->envelope));
	peer_free(p);
}

static void test_mechanisms(void **state)
{
	(void)state;
	struct peer *p = peer_bare();

	note(p, "AUTH PLAIN LOGIN");
	note(p, "AUTH=LOGIN CRAM-MD5");
	note(p, "auth plain  SCRAM-SHA-1");
	assert_int_equal(p->session.mechanisms.n, 4);
	assert_string_equal(p->session.mechanisms.v[2], "CRAM-MD5");
	assert_string_equal(p->session.mechanisms.v[3], "SCRAM-SHA-1");
	extensions_forget(&p->session);
	assert_int_equal(p->session.mechanisms.n, 0);
	note(p, "AUTH");
	assert_true(session_has(&p->session, EXT_AUTH));
	for (int i = 0; i < 1000; i++) {	/* no more than a list may hold, and no harm */
		char line[40];

		snprintf(line, sizeof(line), "AUTH X%d", i);
		note(p, line);
	}
	assert_int_equal(p->session.mechanisms.n, 64);
	peer_free(p);
}

static void test_size(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		uint64_t limit;
	} table[] = {
		{ "SIZE", 0 }, { "SIZE ", 0 }, { "SIZE 0", 0 }, { "SIZE 1", 1 },
		{ "SIZE 10485760", 10485760 }, { "SIZE 18446744073709551615", UINT64_MAX },
		{ "SIZE 18446744073709551616", 0 }, { "SIZE 99999999999999999999", 0 },
		{ "SIZE 184467440737095516150", 0 }, { "SIZE -1", 0 }, { "SIZE +1", 0 },
		{ "SIZE 1k", 0 }, { "SIZE 0x10", 0 }, { "SIZE 5 6", 5 },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct peer *p = peer_bare();

		note(p, "SIZE 77");
		note(p, table[i].line);		/* the last one wins */
		assert_true(p->session.size_limit == table[i].limit);
		peer_free(p);
	}
}

static void test_limits(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		unsigned max;
	} table[] = {
		{ "LIMITS", 0 }, { "LIMITS RCPTMAX=1", 1 }, { "LIMITS MAILMAX=50 RCPTMAX=20", 20 },
		{ "LIMITS rcptmax=999999", 999999 }, { "LIMITS RCPTMAX=1000000", 0 },
		{ "LIMITS RCPTMAX=0", 0 }, { "LIMITS RCPTMAX=07", 0 }, { "LIMITS RCPTMAX=", 0 },
		{ "LIMITS RCPTMAX", 0 }, { "LIMITS RCPTMAX=x", 0 }, { "LIMITS RCPTMAX=5x", 0 },
		{ "LIMITS RCPTMAXX=5", 0 }, { "LIMITS RCPTDOMAINMAX=5", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct peer *p = peer_bare();

		note(p, table[i].line);
		assert_int_equal(p->session.rcpt_max, table[i].max);
		peer_free(p);
	}
}

/* --- checks -------------------------------------------------------------- */

struct fact {
	const char *label, *keywords[4];
	uint64_t size, max_size;
	enum body body;
	const char *sender, *recipient;
	bool utf8;
	unsigned notify;
	bool dsn_required;
	const char *envid;
	int exit;
	const char *status, *text;
};

static const char long_id[] = "123456789012345678901234567890123456789012345678901234567890"
	"12345678901234567890123456789012345678901";

static const struct fact facts[] = {
	{ "nothing", { NULL }, .exit = 0 },
	{ "size fits", { "SIZE 100" }, .size = 100 },
	{ "size too large", { "SIZE 100" }, .size = 101, .exit = 69, .status = "5.3.4",
	  .text = "message is 101 octets, server allows 100" },
	{ "no limit told", { "SIZE" }, .size = 1000000000000 },
	{ "limit 0", { "SIZE 0" }, .size = 1000000000000 },
	{ "own limit", { NULL }, .size = 101, .max_size = 100, .exit = 69, .status = "5.3.4",
	  .text = "max_size of the account is 100" },
	{ "own limit reached", { NULL }, .size = 100, .max_size = 100 },
	{ "8bit", { "8BITMIME" }, .body = BODY_8BITMIME },
	{ "8bit by SMTPUTF8", { "SMTPUTF8" }, .body = BODY_8BITMIME },
	{ "8bit not offered", { "SIZE" }, .body = BODY_8BITMIME, .exit = 69, .status = "5.6.3",
	  .text = "8BITMIME" },
	{ "utf8", { "SMTPUTF8" }, .utf8 = true },
	{ "utf8 sender", { "8BITMIME" }, .utf8 = true, .sender = "j\xc3\xb6@example.org",
	  .exit = 69,
	  .status = "5.6.7", .text = "'j\xc3\xb6@example.org' needs SMTPUTF8" },
	{ "utf8 recipient", { "8BITMIME" }, .utf8 = true, .recipient = "\xc3\xb6@example.org",
	  .exit = 69, .status = "5.6.7", .text = "'\xc3\xb6@example.org' needs SMTPUTF8" },
	{ "utf8 header", { "8BITMIME" }, .utf8 = true, .exit = 69, .status = "5.6.9",
	  .text = "header" },
	{ "dsn left out", { NULL }, .notify = DSN_NOTIFY_NEVER },
	{ "dsn required", { NULL }, .notify = DSN_NOTIFY_NEVER, .dsn_required = true, .exit = 69,
	  .status = "5.3.3", .text = "DSN" },
	{ "dsn required, not asked for", { NULL }, .dsn_required = true },
	{ "dsn required and there", { "DSN" }, .notify = DSN_NOTIFY_NEVER, .dsn_required = true },
	{ "envid", { "DSN" }, .envid = long_id + 1 },
	{ "envid too long", { "DSN" }, .envid = long_id, .exit = 65, .status = "5.5.4",
	  .text = "longer than 100" },
	{ "envid too long, not sent", { NULL }, .envid = long_id },
};

static void test_checks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
		const struct fact *f = &facts[i];
		struct peer *p = peer_bare();

		print_message("%s\n", f->label);
		for (size_t k = 0; k < 4 && f->keywords[k]; k++)
			note(p, f->keywords[k]);
		p->account.max_size = f->max_size;
		p->account.dsn_required = f->dsn_required;
		p->envelope.size = f->size;
		p->envelope.body = f->body;
		p->envelope.utf8 = f->utf8;
		p->envelope.envid = f->envid;
		p->envelope.rcpt[0].notify = f->notify;
		if (f->sender)
			p->envelope.sender = f->sender;
		if (f->recipient)
			p->envelope.rcpt[0].address = f->recipient;
		assert_int_equal(extensions_check(&p->session, &p->envelope, &p->err),
				 f->exit ? -1 : 0);
		if (f->exit) {
			assert_int_equal(p->err.exit, f->exit);
			assert_string_equal(p->err.status, f->status);
			assert_says(p->err.text, f->text);
		}
		peer_free(p);
	}
}

static void test_missing(void **state)
{
	(void)state;
	struct peer *p = peer_bare();
	const struct session *s = &p->session;
	struct envelope *e = &p->envelope;

	assert_false(extensions_missing(s, e));
	e->body = BODY_8BITMIME;
	assert_true(extensions_missing(s, e));
	note(p, "8BITMIME");
	assert_false(extensions_missing(s, e));
	e->utf8 = true;
	assert_true(extensions_missing(s, e));
	note(p, "SMTPUTF8");
	assert_false(extensions_missing(s, e));
	e->rcpt[0].orcpt = "x@example.org";	/* nice to have, no reason to ask again */
	assert_false(extensions_missing(s, e));
	e->rcpt[0].notify = DSN_NOTIFY_SUCCESS;
	assert_true(extensions_missing(s, e));
	e->rcpt[0].notify = 0;
	e->envid = "x";
	assert_true(extensions_missing(s, e));
	note(p, "DSN");
	assert_false(extensions_missing(s, e));
	peer_free(p);
}

/* --- parameters ---------------------------------------------------------- */

#define ALL "SIZE 9999", "8BITMIME", "SMTPUTF8", "DSN"

static const struct {
	const char *keywords[5];
	const char *sender, *envid;
	uint64_t size;
	enum body body;
	enum dsn_ret ret;
	bool utf8;
	const char *params;
	size_t octets;
} mails[] = {
	{ { ALL }, "a@b", NULL, 0, BODY_7BIT, DSN_RET_NONE, false, "", 0 },
	{ { ALL }, "a@b", "inv+2025-17 =x", 900, BODY_8BITMIME, DSN_RET_HDRS, true,
	  " SIZE=900 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=inv+2B2025-17+20+3Dx",
	  26 + 17 + 27 + DSN_MAIL_OCTETS },
	{ { NULL }, "a@b", "x", 900, BODY_8BITMIME, DSN_RET_HDRS, true, "", 0 },
	{ { "SIZE" }, "a@b", NULL, 1, BODY_8BITMIME, DSN_RET_NONE, false, " SIZE=1", 26 },
	{ { "8BITMIME" }, "a@b", NULL, 1, BODY_8BITMIME, DSN_RET_NONE, false, " BODY=8BITMIME",
	  17 },
	{ { "SMTPUTF8" }, "a@b", NULL, 1, BODY_8BITMIME, DSN_RET_NONE, false, " BODY=8BITMIME",
	  27 },
	{ { "SMTPUTF8" }, "a@b", NULL, 1, BODY_7BIT, DSN_RET_NONE, true, " SMTPUTF8", 27 },
	{ { "DSN" }, "a@b", NULL, 1, BODY_7BIT, DSN_RET_FULL, false, " RET=FULL", DSN_MAIL_OCTETS },
	{ { "DSN" }, "", "x", 1, BODY_7BIT, DSN_RET_FULL, false, " ENVID=x", DSN_MAIL_OCTETS },
};

static void test_mail_params(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
		struct peer *p = peer_bare();
		struct strbuf out = STRBUF_INIT(4096);

		for (size_t k = 0; k < 5 && mails[i].keywords[k]; k++)
			note(p, mails[i].keywords[k]);
		p->envelope.sender = mails[i].sender;
		p->envelope.envid = mails[i].envid;
		p->envelope.size = mails[i].size;
		p->envelope.body = mails[i].body;
		p->envelope.ret = mails[i].ret;
		p->envelope.utf8 = mails[i].utf8;
		assert_int_equal(extensions_params(&p->session, &p->envelope, NULL, &out),
				 mails[i].octets);
		assert_string_equal(out.buf, mails[i].params);
		strbuf_release(&out);
		peer_free(p);
	}
}

static const struct {
	const char *sender, *address, *orcpt;
	unsigned notify;
	const char *params;
} rcpts[] = {
	{ "a@b", "b@example.org", NULL, 0, "" },
	{ "a@b", "b@example.org", NULL, DSN_NOTIFY_NEVER,
	  " NOTIFY=NEVER ORCPT=rfc822;b@example.org" },
	{ "a@b", "b@example.org", NULL, DSN_NOTIFY_NEVER | DSN_NOTIFY_DELAY,
	  " NOTIFY=NEVER ORCPT=rfc822;b@example.org" },
	{ "a@b", "b@example.org", NULL, DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY,
	  " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;b@example.org" },
	{ "a@b", "b@example.org", NULL, DSN_NOTIFY_DELAY,
	  " NOTIFY=DELAY ORCPT=rfc822;b@example.org" },
	{ "a@b", "x+y=z@example.org", NULL, DSN_NOTIFY_DELAY,
	  " NOTIFY=DELAY ORCPT=rfc822;x+2By+3Dz@example.org" },
	{ "a@b", "b@example.org", "root@example.org", 0, " ORCPT=rfc822;root@example.org" },
	{ "a@b", "b@example.org", "root@example.org", DSN_NOTIFY_FAILURE,
	  " NOTIFY=FAILURE ORCPT=rfc822;root@example.org" },
	{ "", "b@example.org", NULL, DSN_NOTIFY_SUCCESS, "" },
	{ "", "b@example.org", NULL, DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE,
	  " NOTIFY=FAILURE ORCPT=rfc822;b@example.org" },
	{ "a@b", "\xe7\x94\xa8+\\@example.net", NULL, DSN_NOTIFY_FAILURE,
	  " NOTIFY=FAILURE ORCPT=utf-8;\xe7\x94\xa8\\x{2B}\\x{5C}@example.net" },
};

static void test_rcpt_params(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rcpts); i++) {
		struct peer *p = peer_bare();
		struct strbuf out = STRBUF_INIT(4096);
		struct recipient r = { .address = rcpts[i].address, .orcpt = rcpts[i].orcpt,
				       .notify = rcpts[i].notify };

		p->envelope.sender = rcpts[i].sender;
		assert_int_equal(extensions_params(&p->session, &p->envelope, &r, &out), 0);
		assert_string_equal(out.buf, "");
		note(p, "DSN");
		assert_int_equal(extensions_params(&p->session, &p->envelope, &r, &out),
				 *rcpts[i].params ? DSN_RCPT_OCTETS : 0);
		assert_string_equal(out.buf, rcpts[i].params);
		strbuf_release(&out);
		peer_free(p);
	}
}

/* An ORCPT that is longer than 500 octets is left out, not cut. */
static void test_long_orcpt(void **state)
{
	(void)state;
	for (size_t n = 480; n < 500; n++) {
		struct peer *p = peer_bare();
		struct strbuf out = STRBUF_INIT(4096);
		char address[600];
		struct recipient r = { .address = "b@example.org", .orcpt = address };

		memset(address, 'x', n);
		address[n] = '\0';
		note(p, "DSN");
		(void)extensions_params(&p->session, &p->envelope, &r, &out);
		assert_int_equal(out.len, n + 7 <= DSN_ORCPT_MAX ? n + 7 + strlen(" ORCPT=") : 0);
		strbuf_release(&out);
		peer_free(p);
	}
}

static void test_xtext(void **state)
{
	(void)state;
	static const char *const table[][2] = {
		{ "", "" }, { "a b+c=d", "a+20b+2Bc+3Dd" }, { "~!\"<>", "~!\"<>" },
		{ "\x7f\x01\xff\x1f", "+7F+01+FF+1F" }, { "+", "+2B" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct strbuf out = STRBUF_INIT(100);

		xtext_add(&out, table[i][0]);
		assert_string_equal(out.buf, table[i][1]);
		strbuf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_keywords),
		cmocka_unit_test(test_switched_off),
		cmocka_unit_test(test_mechanisms),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_mail_params),
		cmocka_unit_test(test_rcpt_params),
		cmocka_unit_test(test_long_orcpt),
		cmocka_unit_test(test_xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
